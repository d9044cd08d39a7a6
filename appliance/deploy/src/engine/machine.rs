// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The machine that a sequence changes: its disks, its volumes, its programs.
//!
//! Everything the engine can't do on plain files goes through [`Machine`]. The real one is in `target`; the one in a
//! folder runs whole sequences in tests and on a developer's computer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use platen_sequence::layout::FileSystem;

use platen_sequence::layout::{DiskLayout, LayoutProblem};
use platen_sequence::run::Computer;
use platen_windows::bcd::Partition;
use platen_windows::drivers::Device;
use platen_windows::registry::Change;
use serde::{Deserialize, Serialize};

use super::checked::CheckedImage;

/// A disk of the computer that a system may be installed on. Never the medium's own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TargetDisk {
    /// What the machine calls it, such as `nvme0n1`.
    pub name: String,
    /// What its maker calls it.
    pub model: String,
    /// Empty where it says none.
    pub serial_number: String,
    /// `NVMe`, `SATA`, `SCSI`, `USB` …
    pub interface: String,
    /// Its capacity.
    pub size_bytes: u64,
    /// Of its logical sectors.
    pub sector_bytes: u32,
    /// Something stands on it: a partition table, a file system, or bytes other than zero where those would be.
    pub has_data: bool,
}

/// A volume of the target, formatted by this sequence or found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Number of its disk, from 0, as sequences count them.
    pub disk: usize,
    /// Number of its partition, from 1, as its table counts them.
    pub partition: u32,
    /// How it is formatted.
    pub file_system: FileSystem,
    /// Its size.
    pub size_bytes: u64,
    /// Its label.
    pub label: String,
    /// The drive letter that sequences call it by, in upper case without a colon; None for an EFI system partition.
    pub letter: Option<char>,
    /// It is what the firmware starts from: the EFI system partition, or the active one of an MBR.
    pub is_boot: bool,
}

/// The exit code of a command that its limit ended: `ERROR_TIMEOUT`, as sequences see it.
pub const TIMED_OUT: i64 = 0x8007_05B4;

/// A command of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The line as the shell of the system gets it. It may hold secrets.
    pub line: String,
    /// The folder it starts in; None: the root.
    pub folder: Option<PathBuf>,
    /// Added to its environment.
    pub variables: BTreeMap<String, String>,
    /// After this it is ended.
    pub limit: Option<Duration>,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code.
    pub code: i64,
    /// The end of what it printed, at most 64 KiB.
    pub output: String,
}

/// What the firmware starts next time without the medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootSetup {
    /// Number of the disk.
    pub disk: usize,
    /// The volume with the system.
    pub system: Volume,
    /// The volume the firmware starts from; with BIOS it may be the system's own.
    pub boot: Volume,
    /// What people see in the firmware's list.
    pub name: String,
    /// What starts there.
    pub starts: Starts,
}

/// What a disk starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Starts {
    /// A kernel, by GRUB.
    Linux(LinuxBoot),
    /// Windows' boot manager, whose files and boot store are on the boot volume already.
    Windows,
}

/// What GRUB starts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinuxBoot {
    /// Below the root, with `/` first.
    pub kernel: String,
    /// Below the root, with `/` first; None: the image has none.
    pub initrd: Option<String>,
    /// Added behind `root=`.
    pub arguments: String,
}

/// How far something long is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Done so far.
    pub done_bytes: u64,
    /// In all; 0 where nobody knows.
    pub total_bytes: u64,
}

/// Why the machine did not do something. The reason is said whole: what, where, expected, found.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum MachineError {
    #[error("there is no disk {index}: expected {expected}, found {found}")]
    NoDisk { index: usize, expected: String, found: String },
    #[error("disk {index}")]
    Layout { index: usize, source: LayoutProblem },
    #[error("{program}: {reason}")]
    Program { program: String, reason: String },
    #[error("{doing} {}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{what}: expected {expected}, found {found}")]
    Unexpected { what: String, expected: String, found: String },
}

/// The machine.
pub trait Machine {
    /// What conditions ask about.
    fn computer(&self) -> Computer;

    /// Its devices, by the ids under which Windows looks for their drivers.
    fn devices(&self) -> Vec<Device>;

    /// Its disks, in the order of their numbers.
    fn disks(&self) -> &[TargetDisk];

    /// Puts a new table on a disk and formats its volumes. What was on it is gone. The volumes have letters.
    fn partition(&mut self, disk: usize, layout: &DiskLayout) -> Result<Vec<Volume>, MachineError>;

    /// The formatted volumes that are known, by disk and partition.
    fn volumes(&self) -> Vec<Volume>;

    /// After a restart: these are the volumes that this sequence formatted before it.
    fn adopt(&mut self, volumes: &[Volume]);

    /// The folder in which a volume's files are, as long as the machine runs.
    fn root(&mut self, volume: &Volume) -> Result<PathBuf, MachineError>;

    /// Applies an image of a WIM to a volume. What the volume has is removed before, but for the sequence's own folder and
    /// the protected paths, which begin below its root.
    fn apply_image(
        &mut self,
        image: &CheckedImage,
        index: u32,
        volume: &Volume,
        protected: &[String],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), MachineError>;

    /// Makes all changes in a registry hive, or none.
    fn change_hive(&mut self, hive: &Path, changes: &[Change]) -> Result<(), MachineError>;

    /// By what a boot store knows the partition of a volume.
    fn boot_id(&self, volume: &Volume) -> Result<Partition, MachineError>;

    /// Bytes that nobody can guess.
    fn random(&mut self) -> Result<[u8; 32], MachineError>;

    /// Makes the firmware start the system on the disk from now on.
    fn make_bootable(&mut self, setup: &BootSetup, boot_files: &Path) -> Result<(), MachineError>;

    /// Runs a command to its end. A command that can't be started is an error; one that fails is not.
    fn run(&mut self, order: &Order) -> Result<Ended, MachineError>;

    /// Everything written so far is on its disk after this.
    fn sync(&mut self) -> Result<(), MachineError>;
}
