// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Whether the log was closed ("$LogFile"): it begins with two restart pages, of which the newer one counts.

use std::io::{Read, Seek};

use super::super::source::{Part, Stop, u16_at, u32_at, u64_at, whole};
use super::Range;
use super::record::mend;

/// The usual size of a page, in bytes. Another one is not known of volumes that are read here.
const PAGE_BYTES: usize = 4096;
/// The restart area: nobody has the log open, and the volume was left clean.
const NO_CLIENT: u16 = 0xffff;
const IS_CLEAN: u16 = 0x0002;

pub(super) fn check<D: Read + Seek>(
    part: &mut Part<'_, D>,
    cluster_bytes: u64,
    runs: &[Range<u64>],
) -> Result<(), Stop> {
    let Some(first) = runs.first().filter(|run| (run.end - run.start) * cluster_bytes >= 2 * PAGE_BYTES as u64) else {
        return whole("its log is too short, or scattered");
    };
    let pages = part.read(first.start * cluster_bytes, 2 * PAGE_BYTES)?;
    // A log that was emptied, as tools other than Windows do it.
    if pages.iter().all(|&byte| byte == 0xff) {
        return Ok(());
    }
    let newest = pages.chunks(PAGE_BYTES).filter_map(Restart::read).max_by_key(|restart| restart.number);
    match newest {
        Some(newest) if newest.is_closed => Ok(()),
        Some(_) => whole("its log is open: it was not shut down, or Windows hibernates"),
        None => whole("its log can't be read"),
    }
}

struct Restart {
    /// Grows with each one that is written.
    number: u64,
    is_closed: bool,
}

impl Restart {
    fn read(page: &[u8]) -> Option<Self> {
        let mut page = page.to_vec();
        if !mend(&mut page, b"RSTR") || u32_at(&page, 0x10) as usize != PAGE_BYTES {
            return None;
        }
        let area = page.get(usize::from(u16_at(&page, 0x18))..).filter(|area| area.len() >= 0x30)?;
        let (in_use, flags) = (u16_at(area, 0x0c), u16_at(area, 0x0e));
        // Windows 8 and later use version 2 while they have the volume, and go back to 1 when they leave it.
        let is_left = u16_at(&page, 0x1c) == 1;
        Some(Self { number: u64_at(area, 0), is_closed: is_left && (in_use == NO_CLIENT || flags & IS_CLEAN != 0) })
    }
}
