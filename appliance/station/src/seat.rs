// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A drive in a port of the station: the one that was seen there, under the port's label, and no other.

use std::path::Path;
use std::sync::Arc;

use platen_device::{Candidate, OpenError, OpenedDrive};
use platen_engine::{Drive, DriveError, DriveFacts, ReadDrive};
use platen_events::DriveId;

use crate::ports::Script;

/// A drive as it was seen in its port.
#[derive(Debug, Clone)]
pub struct Seat {
    /// The port's label.
    pub(crate) port: String,
    /// Which drive.
    pub(crate) drive: DriveId,
    /// The port takes disks: what is no removable USB drive may be written to as well.
    pub(crate) takes_disks: bool,
    /// How a file that stands for a drive behaves.
    pub(crate) script: Option<Arc<Script>>,
}

impl Seat {
    /// The drive under this name, if it is still the one.
    pub(crate) fn find(&self, path: &Path) -> Result<Candidate, OpenError> {
        let candidate = Candidate::find(path)?;
        let is_it = match &self.script {
            Some(script) => script.is_of(&candidate),
            None => candidate.facts().id() == self.drive,
        };
        if is_it { Ok(candidate) } else { Err(OpenError::Gone { path: path.to_owned() }) }
    }

    /// The drive, under its port's label.
    pub(crate) fn seated(&self, drive: OpenedDrive) -> Box<dyn Drive> {
        let mut facts = drive.facts().clone();
        facts.drive.port.clone_from(&self.port);
        facts.inserted = Some(self.drive.clone());
        match &self.script {
            None => Box::new(SeatedDrive { drive, facts }),
            Some(script) => script.played(SeatedDrive { drive, facts }),
        }
    }
}

/// A drive that goes by the label of its port.
pub(crate) struct SeatedDrive {
    drive: OpenedDrive,
    pub(crate) facts: DriveFacts,
}

impl ReadDrive for SeatedDrive {
    fn facts(&self) -> &DriveFacts {
        &self.facts
    }

    fn read_at(&mut self, offset_bytes: u64, bytes: &mut [u8]) -> Result<(), DriveError> {
        self.drive.read_at(offset_bytes, bytes)
    }
}

impl Drive for SeatedDrive {
    fn write_at(&mut self, offset_bytes: u64, bytes: &[u8]) -> Result<(), DriveError> {
        self.drive.write_at(offset_bytes, bytes)
    }

    fn zero_at(&mut self, offset_bytes: u64, len_bytes: u64) -> Result<bool, DriveError> {
        self.drive.zero_at(offset_bytes, len_bytes)
    }

    fn flush(&mut self) -> Result<(), DriveError> {
        self.drive.flush()
    }

    fn confirm(&mut self) -> Result<(), DriveError> {
        self.drive.confirm()
    }

    fn confirm_unshared(&mut self) -> Result<(), DriveError> {
        self.drive.confirm_unshared()
    }

    fn publish(&mut self) {
        self.drive.publish();
    }
}
