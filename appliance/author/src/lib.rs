// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! From a definition to a signed OCI layout: contents, boot kit, boot image, creation log.
//!
//! [`build()`] reads a [`platen_media::spec::MediaSpec`], refuses everything that would fail later, collects the contents,
//! and publishes manifest, signatures and blobs in a [`platen_cache::layout::Layout`]. The same input gives the same
//! bytes once the time is given too (`created` or `SOURCE_DATE_EPOCH`), but for a policy that is sealed with a password
//! (its salt is random).
//!
//! It never prints or logs a secret, never writes outside the layout's folder, and never changes what it reads.

pub mod boot_image;
pub mod boot_kit;
mod bootable;
mod build;
mod definition;
mod describe;
mod drive;
mod error;
mod gather;
mod grub;
pub mod keys;
mod log;
mod options;
mod policy;
mod raw;
mod rules;
mod secrets;
mod sources;
mod store;
mod times;
mod walk;
mod wim;

// Definitions and task sequences set variables of one environment, so both readers have the same limits.
const _: () = assert!(
    platen_media::spec::MAX_VALUE == platen_sequence::limits::MAX_VALUE
        && platen_media::spec::MAX_ENVIRONMENT_BYTES == platen_sequence::limits::MAX_ENVIRONMENT_BYTES
);

pub use build::{BuildReport, LintReport, build, lint};
pub use describe::{describe, diff};
pub use drive::DriveNeeds;
pub use error::{AuthorError, AuthorErrorKind};
pub use keys::Signer;
pub use options::{BuildOptions, BuildProgress, OnProgress};
pub use platen_sequence::Finding;
pub use secrets::read_password_file;
pub use wim::Split;
