// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Drives that this program did not write: which parts of them are in use, and where on them media for a station's cache
//! lie.

mod exfat;
mod ext;
mod fat;
mod free;
mod layout;
mod ntfs;
mod signature;
mod source;
mod table;
mod used;

pub use self::layout::find_layout;
pub use self::used::allocation;

use self::free::FreeList;

/// What a file system says of its partition.
struct Found {
    content: &'static str,
    /// In bytes from the start of the partition.
    free: FreeList,
    bad_bytes: u64,
}
