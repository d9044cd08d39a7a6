// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! From a definition to a signed OCI layout: contents, boot kit, boot image, creation log.
//!
//! [`build()`] reads a [`platen_media::spec::MediaSpec`], refuses everything that would fail later, collects the contents,
//! and publishes manifest, signatures and blobs in a [`platen_cache::layout::Layout`]. The same input gives the same
//! bytes once the time is given too (`created` or `SOURCE_DATE_EPOCH`), but for a policy that is encrypted with a password
//! (its salt is random).
//!
//! It never prints or logs a secret, never writes outside the layout's folder, and never changes what it reads.

mod boot;
mod build;
mod content;
mod definition;
mod error;
pub mod keys;
mod options;
mod store;

// Definitions and task sequences set variables of one environment, so both readers have the same limits.
const _: () = assert!(
    platen_media::spec::MAX_VALUE == platen_sequence::limits::MAX_VALUE
        && platen_media::spec::MAX_ENVIRONMENT_BYTES == platen_sequence::limits::MAX_ENVIRONMENT_BYTES
);

pub use boot::{image as boot_image, kit as boot_kit};
pub use build::{BuildReport, DriveNeeds, LintReport, build, describe, diff, lint};
pub use content::wim::Split;
pub use definition::secrets::read_password_file;
pub use error::{AuthorError, AuthorErrorKind};
pub use keys::Signer;
pub use options::{BuildOptions, BuildProgress, OnProgress};
pub use platen_sequence::Finding;
