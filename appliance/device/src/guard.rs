// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The target guard: which drives may be opened, and for what.
//!
//! What is judged is what is opened. A name is followed once, to a handle; everything is asked of that handle, and it is
//! opened again through itself, never through the name. While a handle is open the kernel gives its device number to no
//! other disk.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use platen_engine::{DriveFacts, DriveKind, DriveRef};

use crate::block::BlockDevice;
use crate::direct::{Medium, OpenedDrive};
use crate::error::OpenError;
use crate::judge::{Described, judge, list};
use crate::machine::Machine;
use crate::own::{OwnFiles, is_layout_blob};
use crate::users::{User, of_device, of_file};

/// What makes a drive the very one: two paths with equal identities are one drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Identity {
    /// Device number and disk sequence number.
    Device {
        /// The kernel's major and minor number as one.
        number: u64,
        /// The kernel's count of insertions; 0 for partitions.
        disk_sequence: u64,
    },
    /// Device number of its file system, and inode.
    File {
        /// The device number of the file system it is on.
        device: u64,
        /// Its number in that file system.
        inode: u64,
    },
}

/// The drive that somebody asked for. The guard opens this one or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Where it is inserted.
    pub port: String,
    /// Which insertion it is; None for image files.
    pub disk_sequence: Option<u64>,
    /// Its capacity in bytes.
    pub size_bytes: u64,
}

impl Expected {
    /// The drive that was found.
    pub fn of(facts: &DriveFacts) -> Self {
        Self { port: facts.drive.port.clone(), disk_sequence: facts.disk_sequence, size_bytes: facts.size_bytes }
    }
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes in port {}", self.size_bytes, self.port)?;
        self.disk_sequence.map_or(Ok(()), |sequence| write!(f, ", disk sequence number {sequence}"))
    }
}

/// Which drives may be written to besides removable USB drives and image files, and which files never.
#[derive(Debug, Clone, Default)]
pub struct TargetPolicy {
    allowed: Vec<Identity>,
    own: OwnFiles,
}

impl TargetPolicy {
    /// `allowed` are block devices, each followed to its device now and not again.
    pub fn new(allowed: &[PathBuf], own: OwnFiles) -> Result<Self, OpenError> {
        let devices = allowed.iter().map(|path| Ok(Candidate::find(path)?.identity()));
        Ok(Self { allowed: devices.collect::<Result<_, OpenError>>()?, own })
    }

    /// This drive may be written to as well.
    pub fn allowing(mut self, drive: Identity) -> Self {
        self.allowed.push(drive);
        self
    }
}

/// A drive that was found under a name. It is open for reading, so that it stays what it is.
#[derive(Debug)]
pub struct Candidate {
    path: PathBuf,
    file: File,
    direct: bool,
    identity: Identity,
    facts: DriveFacts,
    device: Option<BlockDevice>,
}

impl Candidate {
    /// Follow a name to what is behind it. Any drive may be looked at, also one in use. Nothing is ever created.
    pub fn find(path: &Path) -> Result<Self, OpenError> {
        let machine = Machine::real();
        // Opening some devices does something (tapes, watchdogs); O_PATH only follows the name.
        let place = OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(path);
        let place = place.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound if path.starts_with("/dev") => OpenError::Gone { path: path.to_owned() },
            io::ErrorKind::NotFound => not_a_drive(path, "nothing of that name"),
            _ => OpenError::Io { doing: "looking at", path: path.to_owned(), source: error },
        })?;
        let metadata = place.metadata().map_err(io_error("looking at", path))?;
        let kind = metadata.file_type();
        if !kind.is_file() && !kind.is_block_device() {
            return Err(not_a_drive(
                path,
                match () {
                    () if kind.is_dir() => "a folder",
                    () if kind.is_char_device() => "a character device",
                    () => "a pipe or socket",
                },
            ));
        }
        let (file, direct) = reopen(&place, false, 0).map_err(|error| match runs_from(&machine, &metadata) {
            // A system may keep its own disk from being opened; then that is what is said.
            Some(holds) => OpenError::SystemDisk { path: path.to_owned(), holds },
            None => refused(path, false, error),
        })?;
        if kind.is_block_device() {
            Self::device(&machine, path, file, direct, metadata.rdev())
        } else {
            Self::file(path, file, direct)
        }
    }

    fn device(machine: &Machine, path: &Path, file: File, direct: bool, number: u64) -> Result<Self, OpenError> {
        let metadata = file.metadata().map_err(io_error("looking at", path))?;
        let described = Described::read(machine, path, metadata.rdev())?;
        let Described { device, kind, disk_sequence } = described;
        if metadata.rdev() != number || names_another(machine, path, &device) {
            let path = path.to_owned();
            // The name goes with its drive.
            let gone = is_gone(&file);
            return Err(if gone {
                OpenError::Gone { path }
            } else {
                OpenError::OtherName { path, device: device.name }
            });
        }
        let size_bytes = (&file).seek(SeekFrom::End(0)).map_err(io_error("asking the size of", path))?;
        let facts = device.facts(path, kind, size_bytes, disk_sequence, read_back(direct));
        let identity = Identity::Device { number, disk_sequence: disk_sequence.unwrap_or(0) };
        Ok(Self { path: path.to_owned(), file, direct, identity, facts, device: Some(device) })
    }

    fn file(path: &Path, file: File, direct: bool) -> Result<Self, OpenError> {
        let metadata = file.metadata().map_err(io_error("looking at", path))?;
        let facts = DriveFacts {
            drive: DriveRef {
                port: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                path: path.display().to_string(),
            },
            kind: DriveKind::File,
            size_bytes: metadata.len(),
            sector_bytes: 512,
            serial: None,
            vendor_product: None,
            model: None,
            disk_sequence: None,
            read_back: read_back(direct),
            inserted: None,
        };
        let identity = Identity::File { device: metadata.dev(), inode: metadata.ino() };
        Ok(Self { path: path.to_owned(), file, direct, identity, facts, device: None })
    }

    /// Whether two names lead to one drive.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// What is known of it.
    pub fn facts(&self) -> &DriveFacts {
        &self.facts
    }

    /// To look at it only.
    pub fn for_reading(self) -> Result<OpenedDrive, OpenError> {
        let medium = self.medium()?;
        Ok(OpenedDrive::new(self.file, self.facts, self.direct, medium))
    }

    /// To write to it, for one job. Block devices must be whole, unused, and either removable USB drives or allowed by
    /// name; a system disk is refused even then. The station's own files are refused; other files are accepted.
    pub fn for_writing(self, expected: &Expected, policy: &TargetPolicy) -> Result<OpenedDrive, OpenError> {
        let opened = self.open_for_writing(expected, policy);
        // A drive that is pulled makes one question or another fail, whichever came next.
        opened.map_err(|error| if self.is_gone() { OpenError::Gone { path: self.path } } else { error })
    }

    fn open_for_writing(&self, expected: &Expected, policy: &TargetPolicy) -> Result<OpenedDrive, OpenError> {
        let path = &self.path;
        let found = Expected::of(&self.facts);
        if found != *expected {
            let (expected, found) = (expected.to_string(), found.to_string());
            return Err(OpenError::Replaced { path: path.clone(), expected, found });
        }
        match &self.device {
            Some(device) => {
                let may_be_written = self.facts.kind == DriveKind::Usb || policy.allowed.contains(&self.identity);
                judge(&Machine::real(), path, device, may_be_written)?;
            }
            None => self.judge_file(policy)?,
        }
        // O_EXCL without O_CREAT on a block device: refused while anybody has it mounted or opened the same way.
        let exclusive = if self.device.is_some() { libc::O_EXCL } else { 0 };
        let (file, direct) = reopen(&self.file, true, exclusive).map_err(|error| refused(path, true, error))?;
        if self.device.is_none() {
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let users = "another program has it locked".to_owned();
                    return Err(OpenError::Busy { path: path.clone(), users });
                }
                Err(TryLockError::Error(source)) => return Err(io_error("locking", path)(source)),
            }
        }
        let medium = self.medium()?;
        if !leads_here_to_stay(path, &self.file) {
            return Err(OpenError::Renamed { path: path.clone() });
        }
        // Since the name was followed, time has passed, and a reader's medium may have been changed.
        let mut drive = OpenedDrive::new(file, self.facts.clone(), direct, medium);
        platen_engine::Drive::confirm(&mut drive).map_err(|_| OpenError::Gone { path: path.clone() })?;
        Ok(drive)
    }

    /// It was pulled, or its medium changed, since it was found.
    fn is_gone(&self) -> bool {
        let Some(device) = &self.device else { return false };
        let is_other = |sequence| Some(sequence) != self.facts.disk_sequence;
        is_gone(&self.file) || device.whole().is_none() && device.disk_sequence().is_ok_and(is_other)
    }

    fn medium(&self) -> Result<Option<Medium>, OpenError> {
        let (Some(device), Some(disk_sequence)) = (&self.device, self.facts.disk_sequence) else { return Ok(None) };
        let gone = |_| OpenError::Gone { path: self.path.clone() };
        Ok(Some(Medium::new(device.clone(), disk_sequence).map_err(gone)?))
    }

    fn judge_file(&self, policy: &TargetPolicy) -> Result<(), OpenError> {
        let path = self.path.clone();
        let metadata = self.file.metadata().map_err(io_error("looking at", &path))?;
        let unknown = |source| OpenError::Unknown { path: self.path.clone(), source };
        let users = of_file(&Machine::real(), &metadata).map_err(unknown)?;
        if !users.is_empty() {
            return Err(OpenError::Busy { path, users: list(&users) });
        }
        // Read without O_DIRECT: a few bytes are wanted, not a sector.
        let handle = self.handle_path();
        let plain = File::open(&handle).map_err(unknown)?;
        let own = policy.own.find(&plain, &metadata).map_err(unknown)?;
        let real = fs::read_link(&handle).map_err(unknown)?;
        let own = own.or_else(|| is_layout_blob(&real).then(|| "content of a layout".to_owned()));
        if let Some(what) = own {
            return Err(OpenError::OwnFile { path, what });
        }
        let size_bytes = metadata.len();
        if size_bytes == 0 || !size_bytes.is_multiple_of(512) {
            let found = format!("a file of {size_bytes} bytes; a drive has whole sectors of 512 bytes");
            return Err(OpenError::NotADrive { path, found });
        }
        Ok(())
    }

    fn handle_path(&self) -> PathBuf {
        handle_path(&self.file)
    }
}

/// What this computer runs from on a block device that may not even be opened.
fn runs_from(machine: &Machine, metadata: &Metadata) -> Option<String> {
    let device = BlockDevice::by_number(machine, metadata.rdev()).ok()?;
    let system: Vec<User> = of_device(machine, &device).ok()?.into_iter().filter(|user| user.is_system).collect();
    (!system.is_empty()).then(|| list(&system))
}

/// The file name of the path is the name of another block device than the one behind it.
fn names_another(machine: &Machine, path: &Path, device: &BlockDevice) -> bool {
    let Ok(real) = fs::canonicalize(path) else { return true };
    let name = real.file_name().unwrap_or_default();
    BlockDevice::in_folder(&machine.sys("class/block").join(name)).is_ok_and(|named| named.number != device.number)
}

/// How often, and how far apart, a name is followed again before its drive is written to.
const FOLLOWED: (u32, Duration) = (16, Duration::from_micros(500));

/// The name still leads to the drive that was opened, and does so every time. Somebody who moves names about while drives
/// are chosen by them can't know which drive he chose.
fn leads_here_to_stay(path: &Path, file: &File) -> bool {
    let identity = |metadata: Metadata| (metadata.dev(), metadata.ino(), metadata.rdev());
    let Ok(here) = file.metadata().map(identity) else { return false };
    (0..FOLLOWED.0).all(|_| {
        std::thread::sleep(FOLLOWED.1);
        fs::metadata(path).map(identity).is_ok_and(|there| there == here)
    })
}

/// proc(5): opens what the descriptor refers to, whatever the name leads to by now.
fn handle_path(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// Open with O_DIRECT, without it where the file system has none (then the page cache is dropped before reading).
pub(crate) fn reopen(file: &File, write: bool, flags: i32) -> io::Result<(File, bool)> {
    let path = handle_path(file);
    let attempt = |extra: i32| OpenOptions::new().read(true).write(write).custom_flags(flags | extra).open(&path);
    match attempt(libc::O_DIRECT) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => attempt(0).map(|file| (file, false)),
        other => other.map(|file| (file, true)),
    }
}

/// Nothing is behind the handle of a block device any more.
fn is_gone(file: &File) -> bool {
    reopen(file, false, 0).is_err_and(|error| says_gone(&error))
}

fn says_gone(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::ENOMEDIUM | Errno::ENXIO | Errno::ENODEV))
}

fn refused(path: &Path, write: bool, source: io::Error) -> OpenError {
    let path = path.to_owned();
    match source.raw_os_error().map(Errno::from_raw) {
        _ if says_gone(&source) => OpenError::Gone { path },
        Some(Errno::EBUSY) => OpenError::Busy { path, users: "another program has it open or mounted".to_owned() },
        Some(Errno::EROFS | Errno::EACCES | Errno::EPERM | Errno::ETXTBSY) if write => {
            OpenError::ReadOnly { path, found: source.to_string() }
        }
        // The handle is open, so the file is there: it is /proc that is not.
        Some(Errno::ENOENT | Errno::ENOTDIR) => OpenError::Unknown { path, source },
        _ => OpenError::Io { doing: "opening", path, source },
    }
}

fn not_a_drive(path: &Path, found: &str) -> OpenError {
    OpenError::NotADrive { path: path.to_owned(), found: found.to_owned() }
}

fn io_error(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> OpenError {
    move |source| OpenError::Io { doing, path: path.to_owned(), source }
}

fn read_back(direct: bool) -> String {
    let how =
        if direct { "O_DIRECT, past the page cache" } else { "page cache dropped before reading (no O_DIRECT here)" };
    how.to_owned()
}
