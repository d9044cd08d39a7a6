// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The real machine where the system that was installed is a Windows: it runs commands, and its disks are left alone.
//!
//! Everything is asked of Windows' own programs (`reg`, `schtasks`, `shutdown`, …) in its system folder, so nothing here
//! needs more than the standard library.

mod command;
mod facts;
pub mod task;

use std::path::{Path, PathBuf};

use platen_sequence::run::Computer;
use platen_windows::bcd::Partition;
use platen_windows::drivers::Device;
use platen_windows::registry::Change;

pub use self::command::{own_program, restart};

use crate::engine::checked::CheckedImage;
use crate::engine::machine::{BootSetup, Ended, Machine, MachineError, Order, Progress, TargetDisk, Volume};
use platen_sequence::layout::DiskLayout;

/// This computer, which runs the Windows that was installed on it.
#[derive(Debug)]
pub struct RunningWindows {
    computer: Computer,
}

impl RunningWindows {
    /// Looks at the computer.
    pub fn look() -> Self {
        Self { computer: facts::computer() }
    }
}

/// What only the boot system does.
fn runs_already(what: &str) -> MachineError {
    MachineError::Unexpected {
        what: what.to_owned(),
        expected: "the boot system".to_owned(),
        found: "the Windows that is on the disk, which runs; move the step before Setup Windows and ConfigMgr"
            .to_owned(),
    }
}

impl Machine for RunningWindows {
    fn computer(&self) -> Computer {
        self.computer.clone()
    }

    /// Windows finds drivers for its devices itself.
    fn devices(&self) -> Vec<Device> {
        Vec::new()
    }

    fn disks(&self) -> &[TargetDisk] {
        &[]
    }

    fn partition(&mut self, _: usize, _: &DiskLayout) -> Result<Vec<Volume>, MachineError> {
        Err(runs_already("partitioning a disk"))
    }

    fn volumes(&self) -> Vec<Volume> {
        Vec::new()
    }

    /// Windows gives letters of its own.
    fn adopt(&mut self, _: &[Volume]) {}

    fn root(&mut self, _: &Volume) -> Result<PathBuf, MachineError> {
        Err(runs_already("a volume that was formatted"))
    }

    fn apply_image(
        &mut self,
        _: &CheckedImage,
        _: u32,
        _: &Volume,
        _: &[String],
        _: &mut dyn FnMut(Progress),
    ) -> Result<(), MachineError> {
        Err(runs_already("applying an image"))
    }

    fn change_hive(&mut self, _: &Path, _: &[Change]) -> Result<(), MachineError> {
        Err(runs_already("changing a registry from outside"))
    }

    fn boot_id(&self, _: &Volume) -> Result<Partition, MachineError> {
        Err(runs_already("writing a boot store"))
    }

    fn random(&mut self) -> Result<[u8; 32], MachineError> {
        Err(runs_already("making a password"))
    }

    fn make_bootable(&mut self, _: &BootSetup, _: &Path) -> Result<(), MachineError> {
        Err(runs_already("making the disk start"))
    }

    fn run(&mut self, order: &Order) -> Result<Ended, MachineError> {
        command::run(order)
    }

    /// The state flushes its own files, and a restart of Windows flushes all others.
    fn sync(&mut self) -> Result<(), MachineError> {
        Ok(())
    }
}
