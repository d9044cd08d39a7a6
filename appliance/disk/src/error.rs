// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What can be wrong with a request for a layout.

/// Why a layout can't be made. Texts are lower case and name what was expected and what was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// Only 512 and 4096 are laid out.
    #[error("sector size: expected 512 or 4096 bytes, found {sector_bytes}")]
    SectorSize {
        /// Asked for, in bytes.
        sector_bytes: u32,
    },
    /// The drive's size is not a whole number of sectors.
    #[error("drive size: expected a multiple of {sector_bytes} bytes, found {size_bytes}")]
    SizeNotWhole {
        /// The drive's size in bytes.
        size_bytes: u64,
        /// The drive's sector size in bytes.
        sector_bytes: u32,
    },
    /// A FAT32 volume has at least 65,525 clusters, whatever its files (fatgen103, "FAT Type Determination").
    #[error(
        "drive too small for fat32: expected at least {minimum_bytes} bytes (65525 clusters of {sector_bytes} bytes or \
         more), found {size_bytes}"
    )]
    BelowMinimum {
        /// The drive's size in bytes.
        size_bytes: u64,
        /// The drive's sector size in bytes.
        sector_bytes: u32,
        /// The smallest drive of this sector size, in bytes.
        minimum_bytes: u64,
    },
    /// Sector numbers in an MBR and in FAT32 have 32 bits, cluster numbers 28.
    #[error(
        "drive too large for an MBR: expected at most {maximum_bytes} bytes ({limit_sectors} sectors of {sector_bytes} \
         bytes), found {size_bytes}; use a GPT (--scheme gpt)"
    )]
    AboveMaximum {
        /// The drive's size in bytes.
        size_bytes: u64,
        /// The drive's sector size in bytes.
        sector_bytes: u32,
        /// The largest number of sectors that can be addressed: 2^32-1, or less where clusters run out first.
        limit_sectors: u64,
        /// The largest partition end, in bytes from the start of the drive, that respects it.
        maximum_bytes: u64,
    },
    /// The files do not fit.
    #[error("drive too small for its files: needed {needed_bytes} bytes, available {available_bytes}")]
    NoRoom {
        /// Clusters the tree takes on this drive, directories and alignment included, in bytes.
        needed_bytes: u64,
        /// Clusters the volume has, in bytes.
        available_bytes: u64,
    },
    /// Files that can't be put on a FAT32 volume; all of them.
    #[error("{} in the file tree: {}", counted(.problems.len()), listed(.problems))]
    Tree {
        /// Every problem found, in the order of the list of files.
        problems: Vec<TreeProblem>,
    },
    /// The BIOS boot records can't be used.
    #[error("bios boot records: {problem}")]
    Boot {
        /// What is wrong with them.
        problem: BootProblem,
    },
    /// The `gpt` crate refused the table; its own words.
    #[error("partition table could not be made: {reason}")]
    PartitionTable {
        /// The words of the `gpt` crate.
        reason: String,
    },
}

impl From<BootProblem> for LayoutError {
    fn from(problem: BootProblem) -> Self {
        Self::Boot { problem }
    }
}

/// One thing wrong with the list of files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeProblem {
    /// An empty path, or `//`, or a `/` at either end.
    #[error("path `{path}`: expected components separated by single slashes, found an empty component")]
    EmptyComponent {
        /// The path.
        path: String,
    },
    /// `.` or `..`.
    #[error("path `{path}`: expected names, found the component `{component}`")]
    DotComponent {
        /// The path.
        path: String,
        /// `.` or `..`.
        component: String,
    },
    /// A character that long names can't have (fatgen103, "Long File Name Implementation").
    #[error(
        "path `{}`: expected no control characters and none of \" * : < > ? | \\, found `{}` in `{}`",
        .path.escape_debug(), .character.escape_debug(), .component.escape_debug()
    )]
    ForbiddenCharacter {
        /// The path.
        path: String,
        /// The component it is in.
        component: String,
        /// The first such character.
        character: char,
    },
    /// Windows drops these, so the name would become another.
    #[error("path `{path}`: expected a name not ending in a dot or a space, found `{component}`")]
    TrailingDotOrSpace {
        /// The path.
        path: String,
        /// The component.
        component: String,
    },
    /// A long name has at most 255 UTF-16 units.
    #[error("path `{path}`: expected names of at most {limit_units} utf-16 units, found {found_units}")]
    NameTooLong {
        /// The path.
        path: String,
        /// UTF-16 units of the component.
        found_units: usize,
        /// 255.
        limit_units: usize,
    },
    /// Two names in one directory that differ in case only, or not at all.
    #[error("`{first}` and `{second}`: expected names that differ by more than case, found the same name twice")]
    SameName {
        /// The path seen first.
        first: String,
        /// The path seen later.
        second: String,
    },
    /// A path is listed as a file while another path needs it as a directory.
    #[error("`{file}` is a file: expected a directory, because of `{below}`")]
    FileAndDirectory {
        /// The path that is listed as a file.
        file: String,
        /// A path below it.
        below: String,
    },
    /// A directory has at most 65,536 entries of 32 bytes (2 MiB), and long names take several each.
    #[error("directory `{path}`: expected at most {limit_entries} entries of 32 bytes, found {found_entries}")]
    DirectoryTooLarge {
        /// The directory; empty for the root.
        path: String,
        /// Entries needed.
        found_entries: u64,
        /// 65,536.
        limit_entries: u64,
    },
    /// A FAT32 file has at most 4,294,967,295 bytes.
    #[error("file `{path}`: expected at most {limit_bytes} bytes, found {found_bytes}")]
    FileTooLarge {
        /// The file.
        path: String,
        /// Its size in bytes.
        found_bytes: u64,
        /// 4,294,967,295.
        limit_bytes: u64,
    },
}

/// One thing wrong with BIOS boot records. Offsets and lengths are in bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BootProblem {
    /// `boot.img` is one sector.
    #[error("boot image: expected 512 bytes, found {found_bytes}")]
    BootImageSize {
        /// Its length.
        found_bytes: usize,
    },
    /// `boot.img` ends in 0xAA55.
    #[error("boot image: expected the signature 0xaa55 at 0x1fe, found {found:#06x}")]
    BootSignature {
        /// What is there.
        found: u16,
    },
    /// `boot.img` has a jump (or its patched form) at 0x66.
    #[error("boot image: expected eb ?? or 90 90 at 0x66 (drive check), found {found:02x?}")]
    DriveCheck {
        /// What is there.
        found: [u8; 2],
    },
    /// The core image is too short to hold its first sector and anything to load, or does not fit its place.
    #[error("core image: expected {least_bytes} to {most_bytes} bytes, found {found_bytes}")]
    CoreSize {
        /// Two sectors less a byte's rounding: more than one sector.
        least_bytes: usize,
        /// What the gap or the BIOS boot partition holds.
        most_bytes: usize,
        /// Its length.
        found_bytes: usize,
    },
    /// The core image's first sector says how much follows it.
    #[error("core image: expected its block list (0x1fc) to say {expected_sectors} sectors, found {found_sectors}")]
    BlockList {
        /// From its length.
        expected_sectors: u16,
        /// What it says.
        found_sectors: u16,
    },
    /// The core image is loaded at segment 0x820.
    #[error("core image: expected load segment 0x0820 at 0x1fe, found {found:#06x}")]
    LoadSegment {
        /// What is there.
        found: u16,
    },
    /// [`crate::BootRecords::boot_code`] is 440 bytes.
    #[error("boot code: expected 440 bytes, found {found_bytes}")]
    BootCodeSize {
        /// Its length.
        found_bytes: usize,
    },
    /// The records were patched for the other scheme.
    #[error("boot code: expected the core image at lba {expected_lba}, found it patched for lba {found_lba}")]
    PatchedForOtherScheme {
        /// Where this scheme has it.
        expected_lba: u64,
        /// Where the boot code will look.
        found_lba: u64,
    },
}

fn counted(problems: usize) -> String {
    if problems == 1 { "1 problem".to_owned() } else { format!("{problems} problems") }
}

fn listed(problems: &[TreeProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
