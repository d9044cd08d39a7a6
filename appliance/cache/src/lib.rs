// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The station's content store: an OCI image layout on disk, so that standard tools can read, copy and mirror it.
//!
//! [`layout`] is the format (also written by authoring); [`Cache`] adds what a station needs: checked import,
//! minimum versions, pins, scrub, garbage collection, quota. A [`CachedMedia`] can only be had from
//! [`Cache::load`], which checks signature, minimum version and presence of every blob at that moment.

mod cached;
mod check;
mod contents;
mod error;
mod files;
mod import;
pub mod layout;
mod lease;
mod lock;
mod maintain;
pub mod pieces;
mod source;
mod state;
mod store;
mod write_behind;
mod written;

pub use cached::CachedMedia;
pub use contents::{BlobReader, BlobStore, ContentId, StoredContent};
pub use error::CacheError;
pub use files::free_bytes;
pub use import::{Answer, ImportProgress, Imported};
pub use maintain::{Collected, Damage, Scrubbed};
pub use source::BlobSource;
pub use state::{Minimum, MinimumChange};
pub use store::{Cache, Listed, MediaRef, Sums};
pub use written::{WrittenFiles, WrittenMedium};
