//! An opened drive: whole-sector reads and writes past the page cache.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, PosixFadviseAdvice, fallocate, posix_fadvise};
use nix::libc;
use platen_engine::{Drive, DriveError, DriveFacts, Operation, ReadDrive, Trouble};

use crate::sysfs::BlockDevice;

/// See [`crate::open_for_writing`] and [`crate::open_for_reading`], the only ways to get one. Dropping it lets go of
/// the drive.
#[derive(Debug)]
pub struct OpenedDrive {
    file: File,
    facts: DriveFacts,
    direct: bool,
    /// Device number; None for regular files.
    number: Option<u64>,
}

impl OpenedDrive {
    pub(crate) fn new(file: File, facts: DriveFacts, direct: bool, number: Option<u64>) -> Self {
        Self { file, facts, direct, number }
    }

    /// A second handle on the same drive, for the process that examines it: it can't be written through.
    pub fn read_only_handle(&self) -> io::Result<File> {
        // proc(5): opens what the descriptor refers to, whatever the path leads to by now.
        let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        OpenOptions::new().read(true).custom_flags(if self.direct { libc::O_DIRECT } else { 0 }).open(path)
    }

    /// The drive that was opened is still there, and no other has taken its place.
    fn is_present(&self) -> bool {
        match self.number {
            Some(number) => {
                BlockDevice::by_number(number).is_some_and(|device| device.disk_sequence() == self.facts.disk_sequence)
            }
            None => self
                .file
                .metadata()
                .is_ok_and(|metadata| metadata.nlink() > 0 && metadata.len() == self.facts.size_bytes),
        }
    }

    fn error(&self, operation: Operation, offset_bytes: u64, len: usize, source: io::Error) -> DriveError {
        let errno = source.raw_os_error().map(Errno::from_raw);
        let trouble = match errno {
            Some(Errno::ENODEV | Errno::ENXIO | Errno::ENOMEDIUM | Errno::ESHUTDOWN) => Trouble::Vanished,
            _ if !self.is_present() => Trouble::Vanished,
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
        self.file
            .write_all_at(bytes, offset_bytes)
            .map_err(|source| self.error(Operation::Write, offset_bytes, bytes.len(), source))
    }

    fn zero_at(&mut self, offset_bytes: u64, len_bytes: u64) -> Result<bool, DriveError> {
        // Of a block device this asks for zeros by a command of the device (fallocate(2), block/fops.c: no fallback to
        // writing), of a file for a hole. Plain discarding promises nothing and is never asked for.
        let how = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        match fallocate(&self.file, how, offset_bytes as i64, len_bytes as i64) {
            Ok(()) => Ok(true),
            // Whatever it is that does not work, plain writing will tell.
            Err(_) if self.is_present() => Ok(false),
            Err(errno) => Err(self.error(Operation::Write, offset_bytes, len_bytes as usize, errno.into())),
        }
    }

    fn flush(&mut self) -> Result<(), DriveError> {
        self.file.sync_data().map_err(|source| self.error(Operation::Flush, 0, 0, source))?;
        if self.is_present() {
            return Ok(());
        }
        Err(self.error(Operation::Flush, 0, 0, io::Error::new(io::ErrorKind::NotFound, "the drive is gone")))
    }
}
