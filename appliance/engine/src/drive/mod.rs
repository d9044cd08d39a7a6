// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What the engine needs of a drive, and what it is told about one.

mod buffer;
pub(crate) mod heartbeat;
mod watch;

use std::io;

pub use self::buffer::{AlignedBuffer, MEMORY_ALIGN_BYTES};
pub use self::watch::Watch;

use platen_events::{Code, DriveId, DriveLabel};
use serde::{Deserialize, Serialize};

/// How a drive is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DriveKind {
    /// A regular file.
    File,
    /// A loop device.
    Loop,
    /// A whole removable USB disk.
    Usb,
    /// Any other block device; refused unless it was named as allowed.
    Other,
}

/// What a drive is called, and where it was opened.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DriveRef {
    /// What people call the place it is inserted in: the label of a station's port, elsewhere a sysfs port path such as
    /// `2-3.1`, or the file's name for image files.
    pub port: String,
    /// Where it was opened.
    pub path: String,
}

/// What is known of a drive before it is touched. None of the texts is ever used as a path or a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriveFacts {
    /// Where it is, and how it is reached.
    pub drive: DriveRef,
    /// How it is attached.
    pub kind: DriveKind,
    /// Its capacity in bytes.
    pub size_bytes: u64,
    /// Logical sector size: 512 or 4096.
    pub sector_bytes: u32,
    /// As the drive says it; may be empty, repeated or hostile.
    pub serial: Option<String>,
    /// Vendor and product as the drive says them; the same holds for these.
    pub model: Option<String>,
    /// USB vendor and product number.
    pub vendor_product: Option<(u16, u16)>,
    /// Counts every insertion of every disk since the station started (Linux `diskseq`).
    pub disk_sequence: Option<u64>,
    /// Which cache the read-back passes by, for the report.
    pub read_back: String,
    /// What a station calls it since it saw it inserted. None: it goes by its port and disk sequence number.
    pub inserted: Option<DriveId>,
}

impl DriveFacts {
    /// What it is known by in the record. An image file is not inserted anywhere: its place is its path.
    pub fn id(&self) -> DriveId {
        if let Some(inserted) = &self.inserted {
            return inserted.clone();
        }
        let place = if self.kind == DriveKind::File { &self.drive.path } else { &self.drive.port };
        DriveId { place: place.clone(), disk_sequence: self.disk_sequence }
    }

    /// What people call it.
    pub fn label(&self) -> DriveLabel {
        DriveLabel {
            port: self.drive.port.clone(),
            path: self.drive.path.clone(),
            serial: self.serial.clone(),
            vendor_product: self.vendor_product.map(|(vendor, product)| format!("{vendor:04x}:{product:04x}")),
            model: self.model.clone(),
            size_bytes: Some(self.size_bytes),
        }
    }
}

/// What was being done to a drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Bytes were asked of it.
    Read,
    /// Bytes, or zeros, were sent to it.
    Write,
    /// It was told to save what it was sent.
    Flush,
    /// Asking whether it is still the drive that was opened.
    Confirm,
    /// Its power was cut, and it was waited for.
    PowerCycle,
}

/// What is wrong with a drive that refused an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It is there and can't do it.
    Broken,
    /// It is gone.
    Vanished,
    /// It turned read-only.
    ReadOnly,
    /// It does it, but below the speed floor.
    TooSlow,
    /// Somebody else has begun to use it.
    InUse,
    /// Its power was to be cut, and was not as far as anybody knows.
    PowerKept,
}

/// A drive's failure.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.doing())]
#[allow(missing_docs, reason = "its messages name every field")]
pub struct DriveError {
    pub operation: Operation,
    pub offset_bytes: u64,
    pub len_bytes: u64,
    pub trouble: Trouble,
    pub source: io::Error,
}

impl DriveError {
    fn doing(&self) -> String {
        let Self { len_bytes, offset_bytes, .. } = self;
        match self.operation {
            Operation::Read => format!("reading {len_bytes} bytes at {offset_bytes:#x}"),
            Operation::Write => format!("writing {len_bytes} bytes at {offset_bytes:#x}"),
            Operation::Flush => "flushing what was written".to_owned(),
            Operation::Confirm => "looking whether it is still the drive that was opened".to_owned(),
            Operation::PowerCycle => "cutting its power and waiting for it to come back".to_owned(),
        }
    }

    /// What the operator is told.
    pub fn code(&self) -> Code {
        match (self.trouble, self.operation) {
            (Trouble::Vanished, _) => Code::Vanished,
            (Trouble::ReadOnly, _) => Code::ReadOnly,
            (Trouble::TooSlow, _) => Code::TooSlow,
            (Trouble::InUse, _) => Code::Busy,
            (Trouble::PowerKept, _) => Code::PowerKept,
            (Trouble::Broken, Operation::Read | Operation::Confirm | Operation::PowerCycle) => Code::ReadFailed,
            (Trouble::Broken, Operation::Write) => Code::WriteFailed,
            (Trouble::Broken, Operation::Flush) => Code::FlushFailed,
        }
    }
}

/// A drive that is back after its port's power was cut. Its facts are new ones: another disk sequence number, maybe another
/// path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Returned {
    /// It said that it was started anew (the unit attention condition 29h of SPC-4, 5.14). Otherwise it was disconnected,
    /// and nobody knows whether it lost its power.
    pub powered_on: bool,
}

/// A drive that can be looked at.
///
/// Offsets and lengths are multiples of the sector, buffers are aligned to [`crate::MEMORY_ALIGN_BYTES`]. All bytes
/// are moved or the call fails: short reads and writes are the implementation's business.
pub trait ReadDrive: Send {
    /// What is known of it.
    fn facts(&self) -> &DriveFacts;
    /// Fill `bytes` from the device itself, past the kernel's page cache.
    fn read_at(&mut self, offset_bytes: u64, bytes: &mut [u8]) -> Result<(), DriveError>;
}

/// A drive that was opened for writing, for this job alone.
pub trait Drive: ReadDrive {
    /// Write all of `bytes`. Not durable before [`Drive::flush`].
    fn write_at(&mut self, offset_bytes: u64, bytes: &[u8]) -> Result<(), DriveError>;
    /// Make a range read as zeros without sending zeros, where the drive has a command for that whose result is
    /// certain. False: it has none, and nothing was changed. What it did is read back like everything else.
    fn zero_at(&mut self, offset_bytes: u64, len_bytes: u64) -> Result<bool, DriveError>;
    /// Make everything written survive a loss of power, the drive's own cache included.
    fn flush(&mut self) -> Result<(), DriveError>;
    /// See that this is still the drive that was opened, with the same medium in it. The drive itself is asked,
    /// since the kernel may notice a changed medium seconds later.
    fn confirm(&mut self) -> Result<(), DriveError>;
    /// See that nobody else has begun to use the drive since it was opened.
    fn confirm_unshared(&mut self) -> Result<(), DriveError>;
    /// Its power can be cut here, as far as anybody knows.
    fn has_power_switch(&self) -> bool {
        false
    }
    /// Cut its power and wait until it is back, so that nothing is left in its cache. None: its port has a switch that
    /// does nothing, and it was there all the time. What came back has the same place, serial number and size; whether
    /// it is the same drive, only what was written to it says.
    fn power_cycle(&mut self) -> Result<Option<Returned>, DriveError> {
        Ok(None)
    }
    /// It is finished and recorded: let the rest of the system see what is on it, where that was asked for.
    fn publish(&mut self) {}
}
