// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What can go wrong with a WIM.

use std::ffi::{CStr, c_int};
use std::io;
use std::path::{Path, PathBuf};

use crate::ffi;

/// Every failure; each names the file it was about.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum WimError {
    /// The file does not begin like a WIM, or is of a version nobody knows.
    #[error("{path} is no WIM: {found}")]
    NotAWim { path: PathBuf, found: String },
    /// An ESD as Windows' update service delivers it: its maker alone can read it.
    #[error("{path} is encrypted; decrypt it first")]
    Encrypted { path: PathBuf },
    /// The file ends before its tables say it does, or its writer never finished it.
    #[error("{path} is cut short: {found}")]
    Truncated { path: PathBuf, found: String },
    /// Bytes are not what the file's own checksums say.
    #[error("{path} is damaged: {found}")]
    Damaged { path: PathBuf, found: String },
    /// A split WIM of which not all parts were given.
    #[error("{path}: part {part} of {parts} is missing")]
    MissingPart { path: PathBuf, part: u16, parts: u16 },
    /// A file that is no part of this split WIM, or a part given twice.
    #[error("{path} does not belong to {first}: expected {expected}, found {found}")]
    ForeignPart { path: PathBuf, first: PathBuf, expected: String, found: String },
    /// Solid resources can't be split; [`crate::export_non_solid`] first.
    #[error("{path} is solid (an ESD) and can't be split; export it to a non-solid WIM first")]
    Solid { path: PathBuf },
    /// A single resource is bigger than a part may be: such an image does not fit on FAT32.
    #[error(
        "{part}: {size_bytes} bytes, the limit is {limit_bytes}: the image holds a file too big for a part; no part was kept"
    )]
    TooBigResource { part: PathBuf, size_bytes: u64, limit_bytes: u64 },
    /// No image of that number.
    #[error("{path} has no image {index}; it has {count}")]
    NoSuchImage { path: PathBuf, index: u32, count: u32 },
    /// What should be written is there already. Nothing was overwritten.
    #[error("{path} exists already")]
    Exists { path: PathBuf },
    /// The disk is full; what was written so far was removed.
    #[error("{doing} {path}: no space left")]
    NoSpace { doing: &'static str, path: PathBuf },
    /// An operating system call failed.
    #[error("{doing} {path}")]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    /// libwim said it succeeded and warned, so the result is not what was asked for.
    #[error("{doing} {path}: libwim warns: {text}")]
    Warned { doing: &'static str, path: PathBuf, text: String },
    /// Anything else libwim reports.
    #[error("{doing} {path}: libwim error {code}: {text}")]
    Other { doing: &'static str, path: PathBuf, code: i32, text: String },
}

impl WimError {
    /// For `map_err`: name the action and the path.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace { doing, path },
            io::ErrorKind::AlreadyExists => Self::Exists { path },
            _ => Self::Io { doing, path, source },
        }
    }

    /// From a status of libwim and what it printed meanwhile.
    pub(crate) fn from_code(code: c_int, messages: &str, doing: &'static str, path: &Path) -> Self {
        let path = path.to_owned();
        let found = describe(code, messages);
        match code {
            ffi::ERR_NOT_A_WIM_FILE | ffi::ERR_UNKNOWN_VERSION => Self::NotAWim { path, found },
            ffi::ERR_WIM_IS_ENCRYPTED => Self::Encrypted { path },
            ffi::ERR_UNEXPECTED_END_OF_FILE | ffi::ERR_WIM_IS_INCOMPLETE => Self::Truncated { path, found },
            ffi::ERR_DECOMPRESSION
            | ffi::ERR_IMAGE_COUNT
            | ffi::ERR_INTEGRITY
            | ffi::ERR_INVALID_CHUNK_SIZE
            | ffi::ERR_INVALID_COMPRESSION_TYPE
            | ffi::ERR_INVALID_HEADER
            | ffi::ERR_INVALID_INTEGRITY_TABLE
            | ffi::ERR_INVALID_LOOKUP_TABLE_ENTRY
            | ffi::ERR_INVALID_METADATA_RESOURCE
            | ffi::ERR_INVALID_PART_NUMBER
            | ffi::ERR_INVALID_PIPABLE_WIM
            | ffi::ERR_INVALID_REPARSE_DATA
            | ffi::ERR_INVALID_RESOURCE_HASH
            | ffi::ERR_INVALID_UTF16_STRING
            | ffi::ERR_METADATA_NOT_FOUND
            | ffi::ERR_RESOURCE_NOT_FOUND
            | ffi::ERR_RESOURCE_ORDER
            | ffi::ERR_XML => Self::Damaged { path, found },
            // libwim has no status of its own for it; its message ends with the system's text.
            _ if messages.contains("No space left on device") || messages.contains("quota exceeded") => {
                Self::NoSpace { doing, path }
            }
            _ => Self::Other { doing, path, code, text: found },
        }
    }
}

/// libwim's text for a status, and what it printed if anything.
fn describe(code: c_int, messages: &str) -> String {
    // SAFETY: takes any number; the string is a constant of the library.
    let text = unsafe { ffi::wimlib_get_error_string(code) };
    let text = if text.is_null() {
        format!("status {code}")
    } else {
        // SAFETY: not null, and a NUL-terminated constant of the library.
        unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
    };
    let text = text.trim_end_matches('.');
    if messages.is_empty() { text.to_owned() } else { format!("{text} ({messages})") }
}
