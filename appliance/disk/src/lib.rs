// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! MBR, GPT, FAT32 and boot records as bytes and extents.
//!
//! A drive is not formatted and then filled: [`lay_out`] computes, from the drive's size and the list of files, every
//! byte range that has to be written. Structures come as bytes, file content as references ([`Data::File`]), and all
//! that must be empty as [`Data::Zero`]. The result is sorted, so a drive is written in one ascending pass.
//!
//! What makes a drive bootable or even recognisable (boot sectors, partition tables, files marked
//! [`FileSpec::sealed`]) is held back in [`DiskLayout::seal`], to be written when everything else was read back.
//!
//! ```
//! use platen_disk::{DiskSpec, DriveIds, FatTime, FileSpec, Scheme, VolumeLabel, lay_out};
//!
//! let spec = DiskSpec {
//!     size_bytes: 8 << 30,
//!     sector_bytes: 512,
//!     scheme: Scheme::Mbr,
//!     label: VolumeLabel::new("WIN11 24H2")?,
//!     ids: DriveIds { disk_signature: 0x1234_5678, volume_serial: 0x50a7_e201, ..DriveIds::default() },
//!     modified: FatTime::from_unix_seconds(1_770_000_000),
//!     boot: None,
//!     folders: vec!["logs".to_owned()],
//! };
//! let files = [
//!     FileSpec { path: "EFI/BOOT/BOOTX64.EFI", size_bytes: 966_664, sealed: true, keep_at_bytes: None, modified: None },
//!     FileSpec { path: "sources/install.wim", size_bytes: 3_900_000_000, sealed: false, keep_at_bytes: None, modified: None },
//! ];
//! let layout = lay_out(&spec, &files)?;
//! assert_eq!(layout.stats.directories, 5);
//! assert!(layout.payload.is_sorted_by_key(|extent| extent.offset_bytes));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! This crate is pure: bytes and ranges only. It never opens a file or a drive, starts no program, reads no clock and
//! draws no random number; two calls with equal arguments give equal results.
//!
//! Standards: Microsoft, *FAT32 File System Specification* 1.03 ("fatgen103" below); *UEFI Specification* 2.10,
//! chapter 5 "GUID Partition Table (GPT) Disk Layout" and 13.3 "File System Format".

mod allocation;
mod directory;
mod entries;
mod error;
mod extents;
mod fat;
mod fat_time;
mod free;
mod geometry;
mod grow;
pub mod grub;
mod ids;
mod label;
mod layout;
mod names;
mod smallest;
mod structures;
pub mod table;
mod tree;
mod volume;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use entries::{
    ATTRIBUTE_ARCHIVE, ATTRIBUTE_DIRECTORY, ATTRIBUTE_LABEL, DirectoryContent, DirectoryEntry, EntryProblem,
    read_directory,
};
pub use error::{BootProblem, LayoutError, TreeProblem};
pub use fat_time::FatTime;
pub use grow::{GrowError, GrownTable, grow_gpt};
pub use ids::{FoundIds, READ_IDS_BYTES, read_ids};
pub use label::{LabelError, VolumeLabel};
pub use layout::{ShortNames, cluster_bytes, lay_out, short_names};
pub use names::{NameProblem, fold_name, name_problems};
pub use smallest::smallest_drive;
pub use structures::{InfoSectors, Structure, boot_structures, empty_ranges, info_sectors};
pub use tree::tree_problems;
pub use volume::{VolumeShape, read_volume};

/// 1 MiB: where the partition starts, in bytes, on every drive; and what large files are aligned to.
pub const ALIGN_BYTES: u64 = 1 << 20;

/// The largest [`Data::Bytes`] extent, in bytes, so that streaming needs little memory at a time.
pub const MAX_BYTES_EXTENT: u64 = 4 << 20;

/// The largest file FAT32 can hold, in bytes (fatgen103, "FAT 32 Byte Directory Entry Structure": `DIR_FileSize`).
pub const MAX_FILE_BYTES: u64 = u32::MAX as u64;

/// One contiguous run of bytes on the drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// Where it starts, in bytes from the start of the drive. Not always a multiple of the sector (the zero tail of a
    /// file is an extent of its own); the union of all payload extents, and of all seal extents, is.
    pub offset_bytes: u64,
    /// Its length in bytes; never zero.
    pub len_bytes: u64,
    /// What belongs there.
    pub data: Data,
}

impl Extent {
    /// The first byte after the extent, in bytes from the start of the drive.
    pub fn end_bytes(&self) -> u64 {
        self.offset_bytes + self.len_bytes
    }
}

/// What belongs in an [`Extent`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// These bytes; exactly `len_bytes` of them, at most [`MAX_BYTES_EXTENT`].
    Bytes(Arc<[u8]>),
    /// Bytes of a file.
    File {
        /// Its index in the list given to [`lay_out`].
        index: u32,
        /// From this offset in it, in bytes.
        offset_bytes: u64,
    },
    /// Zeros.
    Zero,
}

/// The partitioning scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// A master boot record with one active partition of type 0x0C (FAT32, LBA).
    Mbr,
    /// A GUID partition table: EFI system partition first, BIOS boot partition second (512-byte sectors only).
    Gpt,
}

impl Scheme {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Mbr, Self::Gpt];
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mbr => "MBR",
            Self::Gpt => "GPT",
        })
    }
}

/// The logical sector sizes, in bytes, for which drives are laid out.
pub const SECTOR_SIZES: [u32; 2] = [512, 4096];

/// What makes one drive different from another with the same content. The caller draws the numbers.
///
/// GUIDs are in the byte order they have on the drive (UEFI specification, appendix A: the first three fields
/// little-endian).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DriveIds {
    /// MBR disk signature, bytes 0x1B8..0x1BC of sector 0. Written for [`Scheme::Mbr`] only (UEFI 5.2.3 wants zero in
    /// a protective MBR).
    pub disk_signature: u32,
    /// FAT volume serial number, `BS_VolID`.
    pub volume_serial: u32,
    /// GPT disk GUID.
    pub disk_guid: [u8; 16],
    /// Unique GUID of the EFI system partition.
    pub esp_guid: [u8; 16],
    /// Unique GUID of the BIOS boot partition.
    pub bios_boot_guid: [u8; 16],
}

/// BIOS boot code, already patched for one scheme by [`grub::patch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootRecords {
    /// 440 bytes of MBR code for bytes 0..440 of sector 0.
    pub boot_code: Vec<u8>,
    /// The core image: for the gap after the MBR (from LBA 1), or for the BIOS boot partition (from LBA 34).
    pub core: Vec<u8>,
}

/// A drive to lay out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskSpec {
    /// The drive's size in bytes, a multiple of `sector_bytes`.
    pub size_bytes: u64,
    /// The drive's logical sector size in bytes: 512 or 4096.
    pub sector_bytes: u32,
    /// How it is partitioned.
    pub scheme: Scheme,
    /// The FAT volume label.
    pub label: VolumeLabel,
    /// Its serial numbers.
    pub ids: DriveIds,
    /// The time given to every directory, and to files without one of their own.
    pub modified: FatTime,
    /// BIOS boot code; `None`: the drive starts under UEFI only. With 4096-byte sectors it is not laid down even if
    /// given: no BIOS starts from such a drive.
    pub boot: Option<BootRecords>,
    /// Paths of directories that are there although no file needs them; in the same form as those of files.
    pub folders: Vec<String>,
}

/// One file of the tree. Directories are made as paths need them; empty ones are listed in [`DiskSpec::folders`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileSpec<'a> {
    /// Path from the root of the volume, components separated by `/`; no leading `/`.
    pub path: &'a str,
    /// Size in bytes, at most [`MAX_FILE_BYTES`].
    pub size_bytes: u64,
    /// Its clusters belong to the seal set: written last.
    pub sealed: bool,
    /// Where its first byte is on the drive already, in bytes from the start of the drive; `None`: nowhere. A wish to
    /// stay there. It is granted if a cluster starts there, the whole file finds place from there on behind the
    /// directories, no file earlier in the list stays in the same clusters, and, for files of 1 MiB and more, it is a
    /// multiple of 1 MiB.
    pub keep_at_bytes: Option<u64>,
    /// When it was last changed; `None`: [`DiskSpec::modified`].
    pub modified: Option<FatTime>,
}

/// All that is to be written to a drive, see [`lay_out`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskLayout {
    /// What is written first: sorted by offset, non-overlapping, disjoint from `seal`.
    pub payload: Vec<Extent>,
    /// What is written last, after the payload was read back: sorted by offset, non-overlapping.
    pub seal: Vec<Extent>,
    /// Byte ranges to zero before the first write, and again when a drive fails, so that no old or half-made partition
    /// table or file system is found on it. Sorted, sector-aligned. Everything in them is also in `payload` or `seal`.
    pub invalidate: Vec<Range<u64>>,
    /// Figures for people.
    pub stats: Stats,
}

/// Figures about a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Bytes in a cluster.
    pub cluster_bytes: u32,
    /// Clusters in the volume.
    pub clusters: u32,
    /// Clusters taken by files and directories.
    pub clusters_used: u32,
    /// Clusters not taken, those skipped for alignment included; what FSInfo says.
    pub clusters_free: u32,
    /// Bytes to write that are neither file content nor zeros.
    pub metadata_bytes: u64,
    /// Where the partition starts, in bytes from the start of the drive; always 1 MiB.
    pub partition_start_bytes: u64,
    /// The partition's length in bytes; a multiple of 1 MiB.
    pub partition_len_bytes: u64,
    /// Where the first cluster starts, in bytes from the start of the drive; a multiple of 1 MiB.
    pub data_start_bytes: u64,
    /// Bytes in all clusters together: what files and directories can take.
    pub capacity_bytes: u64,
    /// Directories, the root included.
    pub directories: u32,
}
