//! Looking at what is on a drive that somebody inserted.
//!
//! Everything here trusts nothing and may panic or run out of memory on a hostile drive: it is meant to run in a
//! process of its own, without any rights, whose only way out is the [`Examination`] it prints (see
//! `platen_device::sandbox`). What it says is then judged by [`crate::report`] against the signed manifest.

use std::cell::Cell;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::rc::Rc;

use platen_disk::{READ_IDS_BYTES, Scheme, read_ids};
use platen_media::manifest::MAX_MANIFEST_BYTES;
use platen_media::{MAX_LEVELS, envelope};
use serde::{Deserialize, Serialize};

/// More files and folders than a full 2 TiB volume of the smallest real media would hold.
const MAX_ENTRIES: usize = 2_000_000;
/// What may be read besides the volume once over: allocation tables and folders are looked at again and again.
const OVERHEAD_BYTES: u64 = 256 << 20;
/// What may be read where only names and the files that carry the manifest are wanted.
const NAMES_BYTES: u64 = 1 << 30;

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
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Examination {
    /// None: not laid out as Platen does.
    pub ids: Option<SeenIds>,
    /// Without folders.
    pub files: Vec<SeenFile>,
    /// Folders with nothing in them.
    pub empty_folders: Vec<String>,
    /// What could not be read.
    pub problems: Vec<String>,
}

/// Examine a drive of `size_bytes` and print the answer as JSON.
pub fn run(drive: impl Read + Seek, size_bytes: u64, depth: Depth, out: &mut dyn Write) -> io::Result<()> {
    let examination = examine(drive, size_bytes, depth);
    serde_json::to_writer(&mut *out, &examination)?;
    out.flush()
}

/// Read partition table and file system, and hash every file.
pub fn examine(mut drive: impl Read + Seek, size_bytes: u64, depth: Depth) -> Examination {
    let mut found = Examination::default();
    let mut head = vec![0; READ_IDS_BYTES.min(usize::try_from(size_bytes).unwrap_or(READ_IDS_BYTES))];
    if let Err(error) = drive.seek(SeekFrom::Start(0)).and_then(|_| drive.read_exact(&mut head)) {
        found.problems.push(format!("reading the first sectors: {error}"));
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
    // A volume that says it is bigger than its drive ends with the drive.
    let len_bytes = record.volume_bytes.min(size_bytes.saturating_sub(platen_disk::ALIGN_BYTES));
    let all_bytes = len_bytes.saturating_add(len_bytes / 8).saturating_add(OVERHEAD_BYTES);
    let left_bytes = if depth == Depth::Content { all_bytes } else { all_bytes.min(NAMES_BYTES) };
    let probe = Rc::new(Probe::default());
    let volume = Volume {
        drive,
        start_bytes: platen_disk::ALIGN_BYTES,
        at_bytes: 0,
        len_bytes,
        left_bytes,
        probe: Rc::clone(&probe),
    };
    match fatfs::FileSystem::new(volume, fatfs::FsOptions::new()) {
        Ok(volume) => Walk { depth, found: &mut found, entries: 0, probe }.folder(&volume.root_dir(), "", 0),
        Err(error) => found.problems.push(format!("reading the file system: {error}")),
    }
    found.files.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

struct Walk<'a> {
    depth: Depth,
    found: &'a mut Examination,
    entries: usize,
    probe: Rc<Probe>,
}

impl Walk<'_> {
    fn folder<D: fatfs::ReadWriteSeek>(&mut self, folder: &fatfs::Dir<'_, D>, path: &str, level: usize) {
        if level > MAX_LEVELS {
            self.found.problems.push(format!("{path}: too deep; not followed"));
            return;
        }
        let before = self.entries;
        for entry in folder.iter() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.found.problems.push(format!("{path}/: {error}"));
                    return;
                }
            };
            let name = entry.file_name();
            if name == "." || name == ".." {
                continue;
            }
            self.entries += 1;
            if self.entries >= MAX_ENTRIES {
                if self.entries == MAX_ENTRIES {
                    self.found.problems.push(format!("{path}/: too many files; not followed"));
                }
                return;
            }
            let path = if path.is_empty() { name } else { format!("{path}/{name}") };
            if entry.is_dir() {
                self.folder(&entry.to_dir(), &path, level + 1);
            } else {
                self.file(&entry, path);
            }
        }
        if self.entries == before && !path.is_empty() {
            self.found.empty_folders.push(path.to_owned());
        }
    }

    fn file<D: fatfs::ReadWriteSeek>(&mut self, entry: &fatfs::DirEntry<'_, D>, path: String) {
        let size_bytes = entry.len();
        let keep = envelope::ALL.contains(&&*path) && size_bytes <= MAX_MANIFEST_BYTES;
        let offset_bytes = if self.depth == Depth::Places { self.probe.first_byte(entry.to_file()) } else { None };
        if self.depth != Depth::Content && !keep {
            self.found.files.push(SeenFile { path, size_bytes, blake3: None, text: None, offset_bytes });
            return;
        }
        match hash(entry.to_file(), keep) {
            Ok((blake3, read_bytes, text)) => {
                if read_bytes != size_bytes {
                    self.found.problems.push(format!("{path}: {read_bytes} of {size_bytes} bytes can be read"));
                }
                self.found.files.push(SeenFile { path, size_bytes, blake3: Some(blake3), text, offset_bytes });
            }
            Err(error) => self.found.problems.push(format!("{path}: {error}")),
        }
    }
}

fn hash(mut file: impl Read, keep: bool) -> io::Result<(String, u64, Option<String>)> {
    let mut hasher = blake3::Hasher::new();
    let mut piece = vec![0; 128 << 10];
    let mut kept = Vec::new();
    let mut read_bytes = 0;
    loop {
        let n = match file.read(&mut piece) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(&piece[..n]);
        read_bytes += n as u64;
        if keep {
            kept.extend_from_slice(&piece[..n]);
        }
    }
    let text = if keep { String::from_utf8(kept).ok() } else { None };
    Ok((hasher.finalize().to_hex().to_string(), read_bytes, text))
}

/// Finds out where files begin. `fatfs` knows and doesn't tell; but where it reads their first byte, there it is. While
/// the probe waits, the volume answers for the drive, so that 60,000 places cost nothing.
#[derive(Default)]
struct Probe {
    waiting: Cell<bool>,
    /// In bytes from the start of the drive.
    at_bytes: Cell<Option<u64>>,
}

impl Probe {
    /// How much is asked for. Entries of the allocation table are longer: those are read from the drive.
    const BYTES: usize = 1;

    fn first_byte(&self, mut file: impl Read) -> Option<u64> {
        self.waiting.set(true);
        let read = file.read(&mut [0; Self::BYTES]);
        self.waiting.set(false);
        self.at_bytes.take().filter(|_| matches!(read, Ok(Self::BYTES)))
    }

    /// True: this is what is waited for, and was noted.
    fn notes(&self, at_bytes: u64, len: usize) -> bool {
        let noted = len == Self::BYTES && self.waiting.take();
        if noted {
            self.at_bytes.set(Some(at_bytes));
        }
        noted
    }
}

/// The FAT volume inside the drive. Nothing is ever written: `fatfs` only wants to be able to.
struct Volume<D> {
    drive: D,
    start_bytes: u64,
    at_bytes: u64,
    len_bytes: u64,
    /// Chains of clusters and folders may lead in circles: who has read more than there is has to stop.
    left_bytes: u64,
    probe: Rc<Probe>,
}

impl<D: Read + Seek> Read for Volume<D> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.left_bytes = self.left_bytes.saturating_sub(bytes.len() as u64);
        if self.left_bytes == 0 {
            return Err(io::Error::other("more is listed than the volume can hold: it leads in circles"));
        }
        let left = usize::try_from(self.len_bytes.saturating_sub(self.at_bytes)).unwrap_or(usize::MAX);
        let len = bytes.len().min(left);
        let at_bytes = self.start_bytes.checked_add(self.at_bytes).ok_or(io::ErrorKind::InvalidInput)?;
        if left > 0 && self.probe.notes(at_bytes, bytes.len()) {
            self.at_bytes += Probe::BYTES as u64;
            return Ok(Probe::BYTES);
        }
        self.drive.seek(SeekFrom::Start(at_bytes))?;
        let read = self.drive.read(&mut bytes[..len])?;
        self.at_bytes += read as u64;
        Ok(read)
    }
}

impl<D> Write for Volume<D> {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<D> Seek for Volume<D> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.len_bytes.checked_add_signed(by),
            SeekFrom::Current(by) => self.at_bytes.checked_add_signed(by),
        };
        self.at_bytes = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at_bytes)
    }
}
