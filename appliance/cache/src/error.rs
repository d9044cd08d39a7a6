// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What can go wrong in the store.

use std::io;
use std::path::{Path, PathBuf};

use platen_media::Sha256;
use platen_media::manifest::ManifestError;
use platen_media::sign::SignError;
use platen_media::stored::NewerSchema;

/// Every failure of the store; each names what it was about.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum CacheError {
    /// An operating system call failed.
    #[error("{doing} {path}")]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    /// The disk that holds the cache is full, or would be.
    #[error("{path}: {needed_bytes} bytes are needed, {free_bytes} bytes are free; make room or run `platen cache gc`")]
    DiskFull { path: PathBuf, needed_bytes: u64, free_bytes: u64 },
    /// More than the station's owner allows the cache to take.
    #[error(
        "quota of {quota_bytes} bytes: {used_bytes} bytes are used and {needed_bytes} more are needed; run `platen cache gc`"
    )]
    Quota { quota_bytes: u64, used_bytes: u64, needed_bytes: u64 },
    /// Not an OCI image layout of version 1.0.0.
    #[error("{path} is no OCI image layout: {found}")]
    NotALayout { path: PathBuf, found: String },
    /// One of the layout's JSON files can't be understood.
    #[error("reading {path}")]
    Json { path: PathBuf, source: serde_json::Error },
    /// The station's memory, as a newer version of Platen left it.
    #[error("{path}")]
    Newer { path: PathBuf, source: NewerSchema },
    /// It is a layout, but this entry is not one of ours or is damaged.
    #[error("{path}: entry {entry}: {found}")]
    Entry { path: PathBuf, entry: String, found: String },
    /// No medium of that name.
    #[error("no medium {wanted:?} in {path}; there are: {known}")]
    UnknownMedia { wanted: String, path: PathBuf, known: String },
    /// Not signed by a trusted key, or changed afterwards.
    #[error("medium {name}")]
    Signature { name: String, source: SignError },
    /// Signed, but impossible.
    #[error("medium {name}")]
    Manifest { name: String, source: ManifestError },
    /// A newer revision was already seen here.
    #[error(
        "medium {id}: revision {found} (made {found_made}) is older than the minimum version, revision {minimum} (made {minimum_made}), which was already here"
    )]
    OlderThanMinimum { id: String, found: u32, found_made: String, minimum: u32, minimum_made: String },
    /// Content the manifest names is not there; all of it is listed.
    #[error("medium {name}: missing content: {}", missing.join("; "))]
    Missing { name: String, missing: Vec<String> },
    /// Bytes are not what their digest says.
    #[error("blob {digest} is damaged ({found}); it holds: {holds}")]
    Damaged { digest: Sha256, found: String, holds: String },
    /// A trusted key signed it, but not the one that signs this medium's releases.
    #[error(
        "medium {id}: expected a release signed by key {expected}, which signed those before it, found one signed by key {found}; if that is meant to be, run `platen cache minimum {id} --key {found}`"
    )]
    OtherSigner { id: String, found: String, expected: String },
    /// Another import, scrub or gc is at work.
    #[error(
        "{path} is in use by another platen process, which did not end within {waited_s} s; wait for it, then try again"
    )]
    Locked { path: PathBuf, waited_s: u64 },
}

impl CacheError {
    /// For `map_err`: name the action and the path; a full disk gets its own variant.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                let free_bytes = crate::files::free_bytes(&path).unwrap_or(0);
                Self::DiskFull { path, needed_bytes: free_bytes.saturating_add(1), free_bytes }
            }
            _ => Self::Io { doing, path, source },
        }
    }
}
