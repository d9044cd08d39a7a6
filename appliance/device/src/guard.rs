//! The target guard: which paths may be opened as drives, and for what.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::libc;
use platen_engine::{DriveFacts, DriveKind};
use platen_events::DriveRef;

use crate::OpenedDrive;
use crate::error::OpenError;
use crate::sysfs::{BlockDevice, is_system_mount, loop_device_of};

/// Open a drive for one job. Block devices must be whole, unused, and either removable USB drives or named in
/// `allowed`; a system disk is refused even then. Regular files are accepted as they are. Nothing is ever created.
pub fn open_for_writing(path: &Path, allowed: &[PathBuf]) -> Result<OpenedDrive, OpenError> {
    let metadata = stat(path)?;
    if metadata.file_type().is_block_device() {
        let device = block_device(path, &metadata)?;
        if let Some(whole) = device.whole() {
            return Err(OpenError::Partition { path: path.to_owned(), whole });
        }
        let users = device.users();
        let (system, others): (Vec<String>, Vec<String>) = users.into_iter().partition(|user| is_system_mount(user));
        if !system.is_empty() {
            return Err(OpenError::SystemDisk { path: path.to_owned(), holds: system.join(", ") });
        }
        if device.kind() != DriveKind::Usb && !allowed.iter().any(|allowed| same_device(allowed, &metadata)) {
            return Err(OpenError::NotAllowed { path: path.to_owned(), found: device.describe() });
        }
        if !others.is_empty() {
            return Err(OpenError::Busy { path: path.to_owned(), users: others.join(", ") });
        }
        if device.is_read_only() {
            return Err(OpenError::ReadOnly { path: path.to_owned(), found: "the drive says so".to_owned() });
        }
        // O_EXCL without O_CREAT on a block device: refused while anybody has it mounted or opened the same way.
        let (file, direct) = open(path, true, libc::O_EXCL)?;
        let facts = block_facts(path, &file, &device, direct)?;
        return Ok(OpenedDrive::new(file, facts, direct, Some(metadata.rdev())));
    }
    if let Some(device) = loop_device_of(&metadata) {
        return Err(OpenError::Busy { path: path.to_owned(), users: format!("it is attached to {device}") });
    }
    let (file, direct) = open(path, true, 0)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let users = "another program has it locked".to_owned();
            return Err(OpenError::Busy { path: path.to_owned(), users });
        }
        Err(TryLockError::Error(source)) => {
            return Err(OpenError::Io { doing: "locking", path: path.to_owned(), source });
        }
    }
    let facts = file_facts(path, &metadata, direct);
    Ok(OpenedDrive::new(file, facts, direct, None))
}

/// Open a drive to look at it. Any drive may be looked at, also one in use.
pub fn open_for_reading(path: &Path) -> Result<OpenedDrive, OpenError> {
    let metadata = stat(path)?;
    let (file, direct) = open(path, false, 0)?;
    if metadata.file_type().is_block_device() {
        let device = block_device(path, &metadata)?;
        let facts = block_facts(path, &file, &device, direct)?;
        return Ok(OpenedDrive::new(file, facts, direct, Some(metadata.rdev())));
    }
    Ok(OpenedDrive::new(file, file_facts(path, &metadata, direct), direct, None))
}

fn stat(path: &Path) -> Result<Metadata, OpenError> {
    let not_a_drive = |found: &str| OpenError::NotADrive { path: path.to_owned(), found: found.to_owned() };
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(not_a_drive("nothing of that name")),
        Err(source) => return Err(OpenError::Io { doing: "looking at", path: path.to_owned(), source }),
    };
    let kind = metadata.file_type();
    match () {
        () if kind.is_file() || kind.is_block_device() => Ok(metadata),
        () if kind.is_dir() => Err(not_a_drive("a folder")),
        () if kind.is_char_device() => Err(not_a_drive("a character device")),
        () => Err(not_a_drive("a pipe or socket")),
    }
}

fn block_device(path: &Path, metadata: &Metadata) -> Result<BlockDevice, OpenError> {
    let number = metadata.rdev();
    let missing = || OpenError::NotADrive {
        path: path.to_owned(),
        found: "a block device the kernel knows nothing about".to_owned(),
    };
    BlockDevice::by_number(number).ok_or_else(missing)
}

fn same_device(allowed: &Path, metadata: &Metadata) -> bool {
    fs::metadata(allowed).is_ok_and(|other| other.file_type().is_block_device() && other.rdev() == metadata.rdev())
}

/// Open with O_DIRECT, without it where the file system has none (then the page cache is dropped before reading).
fn open(path: &Path, write: bool, flags: i32) -> Result<(File, bool), OpenError> {
    let attempt = |extra: i32| OpenOptions::new().read(true).write(write).custom_flags(flags | extra).open(path);
    let opened = match attempt(libc::O_DIRECT) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => attempt(0).map(|file| (file, false)),
        other => other.map(|file| (file, true)),
    };
    opened.map_err(|source| match source.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EBUSY) => {
            OpenError::Busy { path: path.to_owned(), users: "another program has it open or mounted".to_owned() }
        }
        Some(Errno::EROFS | Errno::EACCES | Errno::EPERM | Errno::ETXTBSY) if write => {
            OpenError::ReadOnly { path: path.to_owned(), found: source.to_string() }
        }
        Some(Errno::ENOMEDIUM | Errno::ENXIO) => {
            OpenError::NotADrive { path: path.to_owned(), found: "an empty drive bay".to_owned() }
        }
        _ => OpenError::Io { doing: "opening", path: path.to_owned(), source },
    })
}

fn read_back(direct: bool) -> String {
    let how =
        if direct { "O_DIRECT, past the page cache" } else { "page cache dropped before reading (no O_DIRECT here)" };
    how.to_owned()
}

fn block_facts(path: &Path, mut file: &File, device: &BlockDevice, direct: bool) -> Result<DriveFacts, OpenError> {
    let io = |source| OpenError::Io { doing: "asking the size of", path: path.to_owned(), source };
    let size_bytes = file.seek(SeekFrom::End(0)).map_err(io)?;
    let usb = device.usb();
    let own_name = || path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(DriveFacts {
        drive: DriveRef {
            port: usb.as_ref().map_or_else(own_name, |usb| usb.port.clone()),
            path: path.display().to_string(),
        },
        kind: device.kind(),
        size_bytes,
        sector_bytes: device.sector_bytes().unwrap_or(512),
        serial: usb.as_ref().and_then(|usb| usb.serial.clone()),
        vendor_product: usb.and_then(|usb| usb.vendor_product),
        disk_sequence: device.disk_sequence(),
        read_back: read_back(direct),
    })
}

fn file_facts(path: &Path, metadata: &Metadata, direct: bool) -> DriveFacts {
    DriveFacts {
        drive: DriveRef {
            port: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            path: path.display().to_string(),
        },
        kind: DriveKind::File,
        size_bytes: metadata.len(),
        sector_bytes: 512,
        serial: None,
        vendor_product: None,
        disk_sequence: None,
        read_back: read_back(direct),
    }
}
