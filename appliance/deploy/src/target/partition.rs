// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A disk gets a new table. Whatever is cut off in between leaves either no table or the whole one.

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use platen_disk::table::PartitionTable;
use platen_media::Scheme;
use platen_sequence::layout::DiskLayout;

use super::disks::{EDGE_BYTES, partition_device};
use super::places::Places;
use super::programs;
use crate::engine::machine::{MachineError, TargetDisk};

/// The kernel makes a partition's device before it says that the table was read; a USB bridge may take its time.
const APPEAR_WITHIN: Duration = Duration::from_secs(20);

/// Puts the table on the disk. After this the partitions have devices.
pub(super) fn partition(
    places: &Places,
    index: usize,
    disk: &TargetDisk,
    layout: &DiskLayout,
) -> Result<PartitionTable, MachineError> {
    let table =
        layout.place(disk.size_bytes, disk.sector_bytes).map_err(|source| MachineError::Layout { index, source })?;
    let table = with_numbers(table)?;
    let sectors = table.sectors(&[]).map_err(|error| MachineError::Layout { index, source: error.into() })?;
    let path = places.dev.join(&disk.name);
    let mut device = Device::take(path.clone(), disk)?;
    for (at, bytes) in writes(&table, &sectors) {
        device.write(at, &bytes)?;
        device.flush()?;
    }
    // The kernel reads the table of a disk that nobody holds.
    drop(device);
    programs::run(places, "busybox", ["blockdev".as_ref(), "--rereadpt".as_ref(), path.as_os_str()])?;
    for number in (1..).take(table.partitions.len()) {
        wait_for(&partition_device(places, &disk.name, number))?;
    }
    Ok(table)
}

/// What is written, in this order: zeros over everything by which something old could still be recognised, on the disk and
/// where its new volumes will be; then the table, its second copy first and sector 0 last. Without that one no kernel and no
/// firmware looks for the rest.
pub(super) fn writes<'s>(
    table: &PartitionTable,
    sectors: &'s [(u64, Vec<u8>)],
) -> impl Iterator<Item = (u64, Cow<'s, [u8]>)> {
    let sector = u64::from(table.sector_bytes);
    let parts = table.partitions.iter().map(|one| (one.first_lba * sector, (one.first_lba + one.sectors) * sector));
    let ranges: Vec<(u64, u64)> = std::iter::once((0, table.size_bytes)).chain(parts).collect();
    let zeros = ranges.into_iter().flat_map(|(from, to)| {
        let edge = EDGE_BYTES.min(to - from);
        [from, to - edge].map(|at| (at, Cow::Borrowed(&ZEROS[..edge as usize])))
    });
    zeros.chain(sectors.iter().rev().map(|(at, bytes)| (*at, Cow::Borrowed(&**bytes))))
}

static ZEROS: [u8; EDGE_BYTES as usize] = [0; EDGE_BYTES as usize];

/// Gives the table the numbers that no other disk has.
fn with_numbers(mut table: PartitionTable) -> Result<PartitionTable, MachineError> {
    if table.scheme == Scheme::Mbr {
        // Zero means that there is none.
        table.disk_signature = u32::from_le_bytes(random()?).max(1);
        return Ok(table);
    }
    table.disk_guid = guid()?;
    for partition in &mut table.partitions {
        partition.guid = guid()?;
    }
    Ok(table)
}

/// Version 4, variant 1 (RFC 9562, 5.4), in the byte order it has on a disk.
fn guid() -> Result<[u8; 16], MachineError> {
    let mut guid: [u8; 16] = random()?;
    guid[7] = guid[7] & 0x0f | 0x40;
    guid[8] = guid[8] & 0x3f | 0x80;
    Ok(guid)
}

/// From the kernel's generator.
pub(super) fn random<const N: usize>() -> Result<[u8; N], MachineError> {
    let mut bytes = [0; N];
    let got = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    let failed = |source| MachineError::Io { doing: "drawing a number from", path: "the kernel".into(), source };
    // Up to 256 bytes come whole (getrandom(2)).
    got.map_err(|error| failed(error.into()))?;
    Ok(bytes)
}

fn wait_for(device: &Path) -> Result<(), MachineError> {
    let began = Instant::now();
    while !device.exists() {
        if began.elapsed() > APPEAR_WITHIN {
            return Err(MachineError::Unexpected {
                what: device.display().to_string(),
                expected: "the partition's device once the kernel had read the new table".to_owned(),
                found: format!("none after {} s", APPEAR_WITHIN.as_secs()),
            });
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// A disk, open for writing.
pub(super) struct Device {
    path: PathBuf,
    file: File,
}

impl Device {
    /// Nobody else has it or its volumes in use.
    fn take(path: PathBuf, disk: &TargetDisk) -> Result<Self, MachineError> {
        Self::open_with(path, disk, OFlag::O_EXCL)
    }

    /// Its volumes may be mounted.
    pub(super) fn open(path: PathBuf, disk: &TargetDisk) -> Result<Self, MachineError> {
        Self::open_with(path, disk, OFlag::empty())
    }

    fn open_with(path: PathBuf, disk: &TargetDisk, flags: OFlag) -> Result<Self, MachineError> {
        let file = OpenOptions::new().read(true).write(true).custom_flags(flags.bits()).open(&path);
        let size = file.and_then(|mut file| Ok((file.seek(SeekFrom::End(0))?, file)));
        let (size_bytes, file) =
            size.map_err(|source| MachineError::Io { doing: "taking for writing", path: path.clone(), source })?;
        if size_bytes != disk.size_bytes {
            return Err(MachineError::Unexpected {
                what: path.display().to_string(),
                expected: format!("{} bytes, as when it was chosen", disk.size_bytes),
                found: size_bytes.to_string(),
            });
        }
        Ok(Self { path, file })
    }

    pub(super) fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), MachineError> {
        let written = self.file.seek(SeekFrom::Start(at)).and_then(|_| self.file.write_all(bytes));
        written.map_err(|source| self.failed("writing", source))
    }

    pub(super) fn flush(&mut self) -> Result<(), MachineError> {
        self.file.sync_all().map_err(|source| self.failed("flushing", source))
    }

    fn failed(&self, doing: &'static str, source: io::Error) -> MachineError {
        MachineError::Io { doing, path: self.path.clone(), source }
    }
}
