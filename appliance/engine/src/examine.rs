//! Looking at what is on a drive that somebody inserted.
//!
//! Everything here trusts nothing and may panic or run out of memory on a hostile drive: it is meant to run in a
//! process of its own, without any rights, whose only way out is the [`Examination`] it prints (see
//! `platen_device::sandbox`). What it says is then judged by [`crate::report`] against the signed manifest.

mod volume;
mod walk;

use std::io::{self, Read, Seek, SeekFrom, Write};

use platen_disk::{ALIGN_BYTES, READ_IDS_BYTES, Scheme, read_ids, read_volume};
use serde::{Deserialize, Serialize};

use self::volume::Volume;
use self::walk::Walk;

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Names, sizes, and the files that carry the manifest and its signatures.
    Names,
    /// The same, and where on the drive each file begins. Nothing more is read for it.
    Places,
    /// Every file is hashed.
    Content,
}

/// A file as found on the drive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenFile {
    pub path: String,
    pub size_bytes: u64,
    /// The short name as stored, each byte as the character of the same number.
    pub short: String,
    /// As stored.
    pub attributes: u8,
    /// Hexadecimal; None where the content was not asked for.
    pub blake3: Option<String>,
    /// The text of the small files that carry the manifest and its signatures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Where its first byte is, in bytes from the start of the drive. The rest need not follow it, and nobody has looked
    /// whether the place is in use otherwise. None where places were not asked for, and for files without bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset_bytes: Option<u64>,
}

/// A folder as found on the drive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenFolder {
    pub path: String,
    /// As of files.
    pub short: String,
    /// As stored.
    pub attributes: u8,
}

/// What a drive says of itself at fixed places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenIds {
    pub gpt: bool,
    pub sector_bytes: u32,
    pub label: String,
    pub disk_signature: u32,
    pub volume_serial: u32,
    pub disk_guid: [u8; 16],
    pub esp_guid: [u8; 16],
    pub bios_boot_guid: [u8; 16],
}

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examination {
    /// None: not laid out as Platen does.
    pub ids: Option<SeenIds>,
    /// Without folders, and without what operating systems made.
    pub files: Vec<SeenFile>,
    /// Without the root, and without what operating systems made.
    pub folders: Vec<SeenFolder>,
    /// Folders with nothing in them.
    pub empty_folders: Vec<String>,
    /// Files and folders that operating systems leave on every drive. What is in such folders is not listed.
    pub made_by_systems: Vec<String>,
    /// Entries of files that were deleted.
    pub deleted_entries: usize,
    /// The file allocation tables say that an operating system had the volume mounted and did not unmount it.
    pub is_dirty: bool,
    /// False: there was more than any medium has, and not all of it was looked at.
    pub is_whole: bool,
    /// What could not be read, or would be read differently by different systems.
    pub problems: Vec<String>,
    /// Problems that were found besides, when there were too many.
    pub more_problems: usize,
}

/// Whoever reads them has seen enough.
const MAX_PROBLEMS: usize = 100;
/// Characters of one.
const MAX_PROBLEM_CHARS: usize = 1000;

impl Default for Examination {
    fn default() -> Self {
        Self {
            ids: None,
            files: Vec::new(),
            folders: Vec::new(),
            empty_folders: Vec::new(),
            made_by_systems: Vec::new(),
            deleted_entries: 0,
            is_dirty: false,
            is_whole: true,
            problems: Vec::new(),
            more_problems: 0,
        }
    }
}

impl Examination {
    fn problem(&mut self, text: String) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(text.chars().take(MAX_PROBLEM_CHARS).collect());
        } else {
            self.more_problems += 1;
        }
    }
}

/// Examine a drive of `size_bytes` and print the answer as JSON.
pub fn run(drive: impl Read + Seek, size_bytes: u64, depth: Depth, out: &mut dyn Write) -> io::Result<()> {
    let examination = examine(drive, size_bytes, depth);
    serde_json::to_writer(&mut *out, &examination)?;
    out.flush()
}

/// Read partition table and file system; with [`Depth::Content`] everything that any system reads of them.
pub fn examine(mut drive: impl Read + Seek, size_bytes: u64, depth: Depth) -> Examination {
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
        Some(shape) => Walk::new(Volume::new(drive, shape), depth, &mut found).run(),
        None => found.problem("the boot sector describes a file system that can't be there".to_owned()),
    }
    found.files.sort_by(|a, b| a.path.cmp(&b.path));
    found
}
