// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! An opened drive: whole-sector reads and writes past the page cache.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, PosixFadviseAdvice, fallocate, posix_fadvise};
use nix::libc;
use platen_engine::{Drive, DriveError, DriveFacts, Operation, ReadDrive, Trouble};

use crate::block::BlockDevice;
use crate::guard::reopen;
use crate::ioctl::read_partition_table;
use crate::machine::Machine;
use crate::users::of_device;

/// A drive that is open for one job. Only [`crate::Candidate`] makes one. Dropping it releases the drive.
#[derive(Debug)]
pub struct OpenedDrive {
    file: File,
    facts: DriveFacts,
    direct: bool,
    /// None for regular files, and for partitions (which are only looked at).
    medium: Option<Medium>,
    /// Let the kernel read the partition table when the job is finished.
    rescan: bool,
}

/// The medium that was in a block device when it was opened.
///
/// A card changed in its reader leaves the disk, its number and every open handle as they were. What changes is the disk
/// sequence number, as soon as the kernel has asked the reader.
#[derive(Debug)]
pub(crate) struct Medium {
    device: BlockDevice,
    /// The attribute in sysfs, which says the present number each time it is read.
    sequence: File,
    expected: u64,
}

impl Medium {
    pub(crate) fn new(device: BlockDevice, expected: u64) -> io::Result<Self> {
        Ok(Self { sequence: device.open_disk_sequence()?, device, expected })
    }

    /// The disk sequence number is still the expected one. Costs a microsecond; the kernel may not know of a change yet.
    fn is_same(&self) -> bool {
        let mut text = [0; 32];
        let read = self.sequence.read_at(&mut text, 0);
        let number = read.ok().and_then(|len| std::str::from_utf8(&text[..len]).ok()?.trim().parse().ok());
        number == Some(self.expected)
    }
}

impl OpenedDrive {
    pub(crate) fn new(file: File, facts: DriveFacts, direct: bool, medium: Option<Medium>) -> Self {
        Self { file, facts, direct, medium, rescan: false }
    }

    /// A second handle on the same drive, for the process that examines it: it can't be written through.
    pub fn read_only_handle(&self) -> io::Result<File> {
        reopen(&self.file, false, 0).map(|(file, _)| file)
    }

    /// When the job is finished, let the kernel read the partition table that was written. Not done unless asked for: a
    /// desktop would mount what it finds, and write to it.
    pub fn rescan_when_finished(&mut self) {
        self.rescan = true;
    }

    /// The drive that was opened is still there, with the medium that was in it.
    fn is_present(&self) -> bool {
        match &self.medium {
            Some(medium) => medium.is_same(),
            None => self.file.metadata().is_ok_and(|metadata| {
                metadata.file_type().is_block_device()
                    || metadata.nlink() > 0 && metadata.len() == self.facts.size_bytes
            }),
        }
    }

    /// The same, after the drive itself was asked. The kernel asks a drive with exchangeable media each time it is opened
    /// (`disk_check_media_change`), not only when its poll is due, which may be seconds apart or off.
    fn is_present_now(&self) -> bool {
        if self.medium.is_some() {
            let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
            // It need not succeed: a reader without a card answers in any case.
            let _ = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
        }
        self.is_present()
    }

    fn gone(&self, operation: Operation, offset_bytes: u64, len: usize) -> DriveError {
        let source = io::Error::new(io::ErrorKind::NotFound, "the drive or its medium is gone");
        DriveError { operation, offset_bytes, len_bytes: len as u64, trouble: Trouble::Vanished, source }
    }

    /// Before anything is changed on it.
    fn check_medium(&self, operation: Operation, offset_bytes: u64, len: usize) -> Result<(), DriveError> {
        let same = self.medium.as_ref().is_none_or(Medium::is_same);
        if same { Ok(()) } else { Err(self.gone(operation, offset_bytes, len)) }
    }

    fn error(&self, operation: Operation, offset_bytes: u64, len: usize, source: io::Error) -> DriveError {
        let errno = source.raw_os_error().map(Errno::from_raw);
        let trouble = match errno {
            Some(Errno::ENODEV | Errno::ENXIO | Errno::ENOMEDIUM | Errno::ESHUTDOWN) => Trouble::Vanished,
            _ if !self.is_present_now() => Trouble::Vanished,
            Some(Errno::EROFS | Errno::EPERM) => Trouble::ReadOnly,
            _ => Trouble::Broken,
        };
        DriveError { operation, offset_bytes, len_bytes: len as u64, trouble, source }
    }
}

impl ReadDrive for OpenedDrive {
    fn facts(&self) -> &DriveFacts {
        &self.facts
    }

    fn read_at(&mut self, offset_bytes: u64, bytes: &mut [u8]) -> Result<(), DriveError> {
        if !self.direct {
            // Without O_DIRECT this is what takes the pages away, once they are on disk (`flush` came before).
            let (offset, len) = (offset_bytes as i64, bytes.len() as i64);
            let advised = posix_fadvise(&self.file, offset, len, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
            advised.map_err(|errno| self.error(Operation::Read, offset_bytes, bytes.len(), errno.into()))?;
        }
        let len = bytes.len();
        // Loops over short reads; the end of the drive is an error, never fewer bytes.
        self.file
            .read_exact_at(bytes, offset_bytes)
            .map_err(|source| self.error(Operation::Read, offset_bytes, len, source))
    }
}

impl Drive for OpenedDrive {
    fn write_at(&mut self, offset_bytes: u64, bytes: &[u8]) -> Result<(), DriveError> {
        let end_bytes = offset_bytes + bytes.len() as u64;
        if end_bytes > self.facts.size_bytes {
            // A regular file would grow.
            let source = io::Error::new(io::ErrorKind::InvalidInput, "the plan goes past the end of the drive");
            return Err(self.error(Operation::Write, offset_bytes, bytes.len(), source));
        }
        self.check_medium(Operation::Write, offset_bytes, bytes.len())?;
        self.file
            .write_all_at(bytes, offset_bytes)
            .map_err(|source| self.error(Operation::Write, offset_bytes, bytes.len(), source))
    }

    fn zero_at(&mut self, offset_bytes: u64, len_bytes: u64) -> Result<bool, DriveError> {
        // Of a block device this asks for zeros by a command of the device (fallocate(2), block/fops.c: no fallback to
        // writing), of a file for a hole. Plain discarding promises nothing and is never asked for.
        self.check_medium(Operation::Write, offset_bytes, len_bytes as usize)?;
        let how = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        match fallocate(&self.file, how, offset_bytes as i64, len_bytes as i64) {
            Ok(()) => Ok(true),
            // Whatever it is that does not work, plain writing will tell.
            Err(_) if self.is_present_now() => Ok(false),
            Err(errno) => Err(self.error(Operation::Write, offset_bytes, len_bytes as usize, errno.into())),
        }
    }

    fn flush(&mut self) -> Result<(), DriveError> {
        self.file.sync_data().map_err(|source| self.error(Operation::Flush, 0, 0, source))?;
        if self.is_present() { Ok(()) } else { Err(self.gone(Operation::Flush, 0, 0)) }
    }

    fn confirm(&mut self) -> Result<(), DriveError> {
        if self.is_present_now() { Ok(()) } else { Err(self.gone(Operation::Confirm, 0, 0)) }
    }

    fn confirm_unshared(&mut self) -> Result<(), DriveError> {
        let Some(medium) = &self.medium else { return Ok(()) };
        let in_use = |source| DriveError {
            operation: Operation::Confirm,
            offset_bytes: 0,
            len_bytes: 0,
            trouble: Trouble::InUse,
            source,
        };
        let users = of_device(&Machine::real(), &medium.device).map_err(in_use)?;
        if users.is_empty() {
            return Ok(());
        }
        let users: Vec<String> = users.into_iter().map(|user| user.what).collect();
        Err(in_use(io::Error::new(io::ErrorKind::ResourceBusy, users.join(", "))))
    }

    fn publish(&mut self) {
        if self.rescan
            && self.medium.is_some()
            && let Err(error) = read_partition_table(&self.file)
        {
            tracing::warn!(port = %self.facts.drive.port, %error, "the kernel did not read the new partition table");
        }
    }
}
