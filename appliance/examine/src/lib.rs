// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Looking at what is on a drive that somebody inserted.
//!
//! Everything here trusts nothing and may panic or run out of memory on a hostile drive: it is meant to run in a
//! process of its own, without any rights, whose only way out is the [`Examination`] it prints (see
//! `platen_device::sandbox`). What it says is then judged by `platen_engine::verify` against the signed manifest. The
//! other question that it answers is which parts of a foreign drive are in use ([`allocation()`]).

mod foreign;
mod volume;
mod walk;

use std::io::{self, Read, Seek, SeekFrom, Write};

use platen_disk::{ALIGN_BYTES, READ_IDS_BYTES, Scheme, read_ids, read_volume};

pub use self::foreign::{allocation, find_layout};
pub use platen_media::examination::Depth;
use platen_media::examination::{Examination, SeenIds};

use self::volume::Volume;
use self::walk::Walk;

/// Examine a drive of `size_bytes` and print the answer as JSON. Lines before it, `~DONE TOTAL`, say how many bytes of
/// contents were read, and of how many.
pub fn run(drive: impl Read + Seek, size_bytes: u64, depth: Depth, out: &mut dyn Write) -> io::Result<()> {
    let mut said = Ok(());
    let examination = examine(drive, size_bytes, depth, &mut |done_bytes, total_bytes| {
        if said.is_ok() {
            said = writeln!(out, "~{done_bytes} {total_bytes}").and_then(|()| out.flush());
        }
    });
    said?;
    serde_json::to_writer(&mut *out, &examination)?;
    out.flush()
}

/// Find which parts of a drive are in use and print the answer as JSON: what was found, or why the drive can't be read.
pub fn run_allocation(
    drive: impl Read + Seek,
    size_bytes: u64,
    sector_bytes: u32,
    out: &mut dyn Write,
) -> io::Result<()> {
    let found = allocation(drive, size_bytes, sector_bytes).map_err(|error| error.to_string());
    serde_json::to_writer(&mut *out, &found)?;
    out.flush()
}

/// Find where a layout lies on a drive and print the answer as JSON: what was found, or why nothing was.
pub fn run_layout(drive: impl Read + Seek, size_bytes: u64, sector_bytes: u32, out: &mut dyn Write) -> io::Result<()> {
    let found = find_layout(drive, size_bytes, sector_bytes).unwrap_or_else(|error| Err(error.to_string()));
    serde_json::to_writer(&mut *out, &found)?;
    out.flush()
}

/// Read partition table and file system; with [`Depth::Content`] everything that any system reads of them. `tell` hears
/// how many bytes of contents were read, and of how many.
pub fn examine(
    mut drive: impl Read + Seek,
    size_bytes: u64,
    depth: Depth,
    tell: &mut dyn FnMut(u64, u64),
) -> Examination {
    let mut found = Examination::default();
    let mut head = vec![0; READ_IDS_BYTES.min(usize::try_from(size_bytes).unwrap_or(READ_IDS_BYTES))];
    if let Err(error) = drive.seek(SeekFrom::Start(0)).and_then(|_| drive.read_exact(&mut head)) {
        found.problem(format!("reading the first sectors: {error}"));
        return found;
    }
    let Some(record) = read_ids(&head) else { return found };
    found.ids = Some(SeenIds {
        gpt: record.scheme == Scheme::Gpt,
        sector_bytes: record.sector_bytes,
        label: record.label.as_str().to_owned(),
        disk_signature: record.ids.disk_signature,
        volume_serial: record.ids.volume_serial,
        disk_guid: record.ids.disk_guid,
        esp_guid: record.ids.esp_guid,
        bios_boot_guid: record.ids.bios_boot_guid,
    });
    match read_volume(&head[ALIGN_BYTES as usize..], size_bytes) {
        Some(shape) => Walk::new(Volume::new(drive, shape), depth, &mut found).run(tell),
        None => found.problem("the boot sector describes a file system that can't be there".to_owned()),
    }
    found.files.sort_by(|a, b| a.path.cmp(&b.path));
    found
}
