// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Outside judges on copies of what is in use. Real file systems are made and filled in a scattered way by other people's
//! programs; a copy of nothing but the extents that the crate lists, on a drive that was full of something else, must be
//! good in the eyes of those programs, with every file as it was. What is listed may not be more than what those programs
//! count as in use and a small allowance; and a copy that lacks one extent must be found wanting. Media for a station's cache
//! that lie on such a file system are found as they were copied there.

#![allow(clippy::unwrap_used, reason = "tests")]

mod copy;
mod exfat;
mod ext;
mod fat;
mod hostile;
mod layout;
mod ntfs;
mod reports;
mod tables;
mod tools;
