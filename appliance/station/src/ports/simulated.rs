// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A station without hardware: a file that appears in a folder is an inserted drive, one that is removed was pulled. A text
//! file beside it, `NAME.toml`, says what kind of drive it is and how it misbehaves.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use platen_device::{Candidate, Identity};
use platen_engine::{Drive, DriveError, DriveFacts, Operation, ReadDrive, Returned, Trouble};
use platen_events::{DriveId, DriveLabel};
use serde::Deserialize;

use super::{Ports, Seen};
use crate::config::DriveClass;
use crate::core::Inserted;
use crate::seat::SeatedDrive;

/// How often the folder is looked at. Nobody reads events of it, so that it may be on any file system.
const LOOK: Duration = Duration::from_millis(50);

/// What the text file beside a drive says. Every field may be absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Traits {
    /// The socket it is in; otherwise its file's name.
    socket: Option<String>,
    /// What it says of itself.
    serial: Option<String>,
    /// What kind of drive it is; otherwise a stick.
    class: Option<DriveClass>,
    /// It is gone once so many MiB were written to it, until its file is replaced.
    vanish_at_mib: Option<u64>,
    /// It does not answer for so long once so many MiB were written to it.
    hang_at_mib: Option<u64>,
    /// How long a drive that hangs does not answer.
    hang_s: Option<u64>,
    /// Each MiB that is written or read takes so long.
    slow_ms_per_mib: Option<u64>,
    /// It gives back wrong bits at this place, in MiB from its start.
    wrong_at_mib: Option<u64>,
    /// It refuses to write at this place, in MiB from its start.
    broken_at_mib: Option<u64>,
    /// What becomes of it when its port's power is cut. Absent: its port has no switch.
    power: Option<Power>,
    /// What was written from this place on, in MiB from its start, is gone once its power was cut.
    forgets_from_mib: Option<u64>,
    /// What it says of itself once its power was cut: it was exchanged meanwhile.
    serial_after_power: Option<String>,
}

/// What becomes of a drive when its port's power is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Power {
    /// It comes back, and says that it was started anew.
    Cut,
    /// It comes back, and says nothing.
    Disconnected,
    /// It stays away.
    Away,
}

/// How a file that stands for a drive behaves.
#[derive(Debug)]
pub struct Script {
    path: PathBuf,
    file: FileId,
    traits: Traits,
    written_bytes: AtomicU64,
    /// Which insertion it is, and of which the next one will be.
    disk_sequence: AtomicU64,
    last_sequence: Arc<AtomicU64>,
    /// It has no power.
    is_off: AtomicBool,
    /// Its power was cut.
    was_cut: AtomicBool,
}

/// Which file it is: a name that leads to another one leads to another drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
    size_bytes: u64,
    /// A number of an inode is given again soon after it is free.
    born: Option<std::time::SystemTime>,
}

impl FileId {
    fn of(metadata: &Metadata) -> Self {
        let (device, inode, size_bytes) = (metadata.dev(), metadata.ino(), metadata.len());
        Self { device, inode, size_bytes, born: metadata.created().ok() }
    }
}

/// The folder.
#[derive(Debug)]
pub struct SimulatedPorts {
    folder: PathBuf,
    last_sequence: Arc<AtomicU64>,
    known: BTreeMap<PathBuf, Seen>,
}

impl SimulatedPorts {
    /// Drives are the files in this folder.
    pub fn new(folder: &Path) -> io::Result<Self> {
        let folder = fs::canonicalize(folder)?;
        fs::read_dir(&folder)?;
        Ok(Self { folder, last_sequence: Arc::default(), known: BTreeMap::new() })
    }

    fn seen(&mut self, path: &Path, metadata: &Metadata) -> io::Result<Seen> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let file = FileId::of(metadata);
        if let Some(known) = self.known.get(path)
            && let Some(script) = known.script.as_ref().filter(|script| script.file == file)
        {
            let mut seen = known.clone();
            seen.inserted.drive.disk_sequence = Some(script.disk_sequence.load(Ordering::SeqCst));
            seen.inserted.label.serial = script.serial();
            return Ok(seen);
        }
        let traits = Traits::read(&path.with_file_name(format!("{name}.toml")))?;
        let sequence = self.last_sequence.fetch_add(1, Ordering::SeqCst) + 1;
        let socket = traits.socket.clone().unwrap_or_else(|| name.clone());
        let inserted = Inserted {
            drive: DriveId { place: socket.clone(), disk_sequence: Some(sequence) },
            socket,
            class: traits.class.unwrap_or(DriveClass::UsbRemovable),
            label: DriveLabel {
                port: name,
                path: path.display().to_string(),
                serial: traits.serial.clone(),
                size_bytes: Some(metadata.len()),
                ..DriveLabel::default()
            },
            size_bytes: metadata.len(),
            is_in_reader: false,
        };
        let script = Script {
            path: path.to_owned(),
            file,
            traits,
            written_bytes: AtomicU64::new(0),
            disk_sequence: AtomicU64::new(sequence),
            last_sequence: Arc::clone(&self.last_sequence),
            is_off: AtomicBool::new(false),
            was_cut: AtomicBool::new(false),
        };
        Ok(Seen { inserted, script: Some(Arc::new(script)) })
    }
}

impl Traits {
    fn read(path: &Path) -> io::Result<Self> {
        match fs::read_to_string(path) {
            Ok(text) => toml::from_str(&text)
                .map_err(|error| io::Error::new(ErrorKind::InvalidData, format!("{}: {error}", path.display()))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }
}

impl Ports for SimulatedPorts {
    fn wait(&mut self, patience: Duration) -> io::Result<()> {
        std::thread::sleep(patience.min(LOOK));
        Ok(())
    }

    fn scan(&mut self) -> io::Result<Vec<Seen>> {
        let mut now = BTreeMap::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let is_text = path.extension().is_some_and(|extension| extension == "toml");
            // What is pulled between the listing and here is not there.
            let Ok(metadata) = path.symlink_metadata() else { continue };
            // A file that is being made has no size yet, as a reader's empty slot.
            if is_text || !metadata.is_file() || metadata.len() == 0 {
                continue;
            }
            match self.seen(&path, &metadata) {
                Ok(seen) => {
                    now.insert(path, seen);
                }
                Err(error) => tracing::warn!(%error, "a simulated drive is left out"),
            }
        }
        self.known = now;
        // What vanished by itself is not inserted again as long as its file is the same.
        let is_there = |seen: &&Seen| seen.script.as_ref().is_none_or(|script| !script.is_gone());
        Ok(self.known.values().filter(is_there).cloned().collect())
    }
}

impl Script {
    /// The file that was opened is the one that was seen.
    pub(crate) fn is_of(&self, candidate: &Candidate) -> bool {
        let Identity::File { device, inode } = candidate.identity() else { return false };
        (device, inode) == (self.file.device, self.file.inode) && !self.is_gone()
    }

    /// What it says of itself now.
    pub(crate) fn serial(&self) -> Option<String> {
        let after = self.traits.serial_after_power.as_ref().filter(|_| self.was_cut.load(Ordering::SeqCst));
        after.or(self.traits.serial.as_ref()).cloned()
    }

    /// Its port's power can be cut.
    pub(crate) fn switch(self: Arc<Self>) -> io::Result<Arc<Self>> {
        match self.traits.power {
            Some(_) => Ok(self),
            None => Err(io::Error::new(ErrorKind::Unsupported, "this simulated port has no switch")),
        }
    }

    /// Cut its power. Gives what it is known by afterwards, and whether it says that it was started anew.
    pub(crate) fn cycle(&self, before: &DriveFacts) -> io::Result<(DriveId, bool)> {
        self.is_off.store(true, Ordering::SeqCst);
        // Long enough for the folder to be looked at.
        std::thread::sleep(4 * LOOK);
        if self.traits.power == Some(Power::Away) {
            return Err(io::Error::new(ErrorKind::NotFound, "it did not come back"));
        }
        let sequence = self.last_sequence.fetch_add(1, Ordering::SeqCst) + 1;
        self.disk_sequence.store(sequence, Ordering::SeqCst);
        self.was_cut.store(true, Ordering::SeqCst);
        self.is_off.store(false, Ordering::SeqCst);
        std::thread::sleep(4 * LOOK);
        if self.serial() != before.serial {
            let text = "another drive was put in its place while it had no power";
            return Err(io::Error::new(ErrorKind::NotFound, text));
        }
        let place = before.id().place;
        Ok((DriveId { place, disk_sequence: Some(sequence) }, self.traits.power == Some(Power::Cut)))
    }

    /// It was pulled, or vanished by itself.
    fn is_gone(&self) -> bool {
        if self.is_off.load(Ordering::SeqCst) {
            return true;
        }
        let limit = self.traits.vanish_at_mib.map(|mib| mib << 20);
        if limit.is_some_and(|limit| self.written_bytes.load(Ordering::Relaxed) >= limit) {
            return true;
        }
        fs::symlink_metadata(&self.path).map(|metadata| FileId::of(&metadata)).ok() != Some(self.file)
    }

    pub(crate) fn played(self: &Arc<Self>, drive: SeatedDrive) -> Box<dyn Drive> {
        let mut drive = drive;
        drive.facts.serial = self.serial();
        Box::new(PlayedDrive { drive, script: Arc::clone(self) })
    }
}

/// A file that behaves as its script says.
struct PlayedDrive {
    drive: SeatedDrive,
    script: Arc<Script>,
}

impl PlayedDrive {
    fn error(&self, operation: Operation, offset_bytes: u64, len: usize, trouble: Trouble) -> DriveError {
        let source = io::Error::from(match trouble {
            Trouble::Vanished => ErrorKind::NotFound,
            _ => ErrorKind::Other,
        });
        DriveError { operation, offset_bytes, len_bytes: len as u64, trouble, source }
    }

    fn check(&self, operation: Operation, offset_bytes: u64, len: usize) -> Result<(), DriveError> {
        match self.script.is_gone() {
            true => Err(self.error(operation, offset_bytes, len, Trouble::Vanished)),
            false => Ok(()),
        }
    }

    fn take_time(&self, len: usize) {
        let traits = &self.script.traits;
        if let Some(ms) = traits.slow_ms_per_mib {
            std::thread::sleep(Duration::from_micros((ms * 1000 * len as u64) >> 20));
        }
        let limit = traits.hang_at_mib.map(|mib| mib << 20);
        if limit.is_some_and(|limit| self.script.written_bytes.load(Ordering::Relaxed) >= limit) {
            let (begun, limit) = (Instant::now(), Duration::from_secs(traits.hang_s.unwrap_or(3600)));
            // One that is pulled answers with an error, as a real one does.
            while begun.elapsed() < limit && !self.script.is_gone() {
                std::thread::sleep(LOOK);
            }
        }
    }

    fn is_at(place_mib: Option<u64>, offset_bytes: u64, len: usize) -> bool {
        place_mib.is_some_and(|mib| (offset_bytes..offset_bytes + len as u64).contains(&(mib << 20)))
    }
}

impl ReadDrive for PlayedDrive {
    fn facts(&self) -> &DriveFacts {
        self.drive.facts()
    }

    fn read_at(&mut self, offset_bytes: u64, bytes: &mut [u8]) -> Result<(), DriveError> {
        self.take_time(bytes.len());
        self.check(Operation::Read, offset_bytes, bytes.len())?;
        self.drive.read_at(offset_bytes, bytes)?;
        let wrong = self.script.traits.wrong_at_mib;
        if Self::is_at(wrong, offset_bytes, bytes.len()) {
            bytes[(wrong.unwrap_or(0) << 20).abs_diff(offset_bytes) as usize] ^= 1;
        }
        if let Some(from) = self.script.traits.forgets_from_mib.filter(|_| self.script.was_cut.load(Ordering::SeqCst)) {
            let kept = (from << 20).saturating_sub(offset_bytes).min(bytes.len() as u64) as usize;
            bytes[kept..].fill(0xff);
        }
        Ok(())
    }
}

impl Drive for PlayedDrive {
    fn write_at(&mut self, offset_bytes: u64, bytes: &[u8]) -> Result<(), DriveError> {
        self.take_time(bytes.len());
        self.check(Operation::Write, offset_bytes, bytes.len())?;
        if Self::is_at(self.script.traits.broken_at_mib, offset_bytes, bytes.len()) {
            return Err(self.error(Operation::Write, offset_bytes, bytes.len(), Trouble::Broken));
        }
        self.drive.write_at(offset_bytes, bytes)?;
        self.script.written_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    fn zero_at(&mut self, offset_bytes: u64, len_bytes: u64) -> Result<bool, DriveError> {
        self.check(Operation::Write, offset_bytes, len_bytes as usize)?;
        self.drive.zero_at(offset_bytes, len_bytes)
    }

    fn flush(&mut self) -> Result<(), DriveError> {
        self.check(Operation::Flush, 0, 0)?;
        self.drive.flush()
    }

    fn confirm(&mut self) -> Result<(), DriveError> {
        self.check(Operation::Confirm, 0, 0)?;
        self.drive.confirm()
    }

    fn confirm_unshared(&mut self) -> Result<(), DriveError> {
        self.drive.confirm_unshared()
    }

    fn has_power_switch(&self) -> bool {
        self.drive.has_power_switch()
    }

    fn power_cycle(&mut self) -> Result<Option<Returned>, DriveError> {
        self.check(Operation::PowerCycle, 0, 0)?;
        self.drive.power_cycle()
    }
}
