// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A machine in a folder: a volume is a folder, an image is a tree, a command is looked up in a list. Stricter than life:
//! what a real machine would refuse is refused, and the power can be cut at any operation.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use platen_sequence::run::Computer;
use platen_windows::bcd::Partition;
use platen_windows::drivers::Device;
use platen_windows::registry::Change;

use crate::engine::checked::CheckedImage;
use crate::engine::machine::{
    BootSetup, Ended, FileSystem, Machine, MachineError, Order, Progress, TargetDisk, Volume,
};
use platen_sequence::layout::DiskLayout;

/// What the power cut is told by.
pub(crate) const POWER_CUT: &str = "the power was cut";

/// What everything hangs on: it can be cut before any operation, of the machine and of the screen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Power(Rc<Cell<(Option<usize>, usize)>>);

impl Power {
    /// It lasts for so many operations.
    pub(crate) fn lasting(operations: usize) -> Self {
        Self(Rc::new(Cell::new((Some(operations), 0))))
    }

    /// How many operations there were.
    pub(crate) fn used(&self) -> usize {
        self.0.get().1
    }

    pub(crate) fn on(&self) {
        let (left, used) = self.0.get();
        if left == Some(used) {
            std::panic::panic_any(POWER_CUT);
        }
        self.0.set((left, used + 1));
    }
}

pub(crate) struct FolderMachine {
    folder: PathBuf,
    computer: Computer,
    disks: Vec<TargetDisk>,
    volumes: Vec<Volume>,
    /// What an image holds, by index.
    pub(crate) image: Vec<(&'static str, String)>,
    /// Of an image that is not of texts.
    pub(crate) tree: Option<PathBuf>,
    /// A link in the image, and where it leads.
    pub(crate) link: Option<(&'static str, PathBuf)>,
    /// Exit codes of the next commands; 0 when there are no more.
    pub(crate) codes: VecDeque<i64>,
    pub(crate) output: String,
    pub(crate) devices: Vec<Device>,
    /// Lines of the commands that ran, with the last part of their folder.
    pub(crate) ran: Vec<String>,
    /// Of images, from the medium.
    pub(crate) read_bytes: u64,
    /// None: the disk does not start.
    pub(crate) boots: Option<BootSetup>,
    power: Power,
}

impl FolderMachine {
    pub(crate) fn new(folder: &Path, computer: Computer, power: Power) -> Self {
        let disks = computer
            .disks
            .iter()
            .zip(0..)
            .map(|(disk, number)| TargetDisk {
                name: format!("disk{number}"),
                model: disk.model.clone(),
                interface: disk.interface.clone(),
                size_bytes: disk.size_bytes,
                sector_bytes: 512,
                ..TargetDisk::default()
            })
            .collect();
        let (volumes, image) = (Vec::new(), vec![("etc/os-release", "ID=tiny\n".to_owned())]);
        let (ran, codes, output, devices) = (Vec::new(), VecDeque::new(), String::new(), Vec::new());
        let (boots, link, tree, folder) = (None, None, None, folder.to_owned());
        let read_bytes = 0;
        Self {
            link,
            tree,
            folder,
            computer,
            disks,
            volumes,
            image,
            codes,
            output,
            devices,
            ran,
            read_bytes,
            boots,
            power,
        }
    }

    /// A volume that was there before.
    pub(crate) fn with_volume(&mut self, partition: u32, letter: Option<char>, is_boot: bool) -> PathBuf {
        let (disk, file_system, label) = (0, FileSystem::Ext4, String::new());
        let volume = Volume { disk, partition, file_system, size_bytes: 20 << 30, label, letter, is_boot };
        let folder = self.folder_of(&volume);
        fs::create_dir_all(&folder).expect("makes");
        self.volumes.push(volume);
        folder
    }

    pub(crate) fn folder_of(&self, volume: &Volume) -> PathBuf {
        self.folder.join(format!("disk{}-{}", volume.disk, volume.partition))
    }
}

impl Machine for FolderMachine {
    fn computer(&self) -> Computer {
        self.computer.clone()
    }

    fn disks(&self) -> &[TargetDisk] {
        &self.disks
    }

    fn partition(&mut self, disk: usize, layout: &DiskLayout) -> Result<Vec<Volume>, MachineError> {
        self.power.on();
        let Some(found) = self.disks.get(disk) else {
            let (expected, found) = ("a disk of this computer".to_owned(), format!("{} disks", self.disks.len()));
            return Err(MachineError::NoDisk { index: disk, expected, found });
        };
        let size_bytes = found.size_bytes;
        layout.place(size_bytes, found.sector_bytes).map_err(|source| MachineError::Layout { index: disk, source })?;
        self.boots = None;
        self.volumes.retain(|volume| volume.disk != disk);
        for entry in fs::read_dir(&self.folder).expect("the machine's folder").flatten() {
            if entry.file_name().to_string_lossy().starts_with(&format!("disk{disk}-")) {
                fs::remove_dir_all(entry.path()).expect("removes");
            }
        }
        self.power.on();
        let mut letters = 'C'..='W';
        for (wish, partition) in layout.partitions.iter().zip(1..) {
            let Some(file_system) = wish.file_system else { continue };
            let letter = if wish.has_letter { letters.next() } else { None };
            let (label, is_boot) = (wish.label.clone(), wish.is_boot);
            let size_bytes = if letter.is_some() { size_bytes / 2 } else { 100 << 20 };
            let volume = Volume { disk, partition, file_system, size_bytes, label, letter, is_boot };
            fs::create_dir(self.folder_of(&volume)).expect("makes");
            self.volumes.push(volume);
        }
        Ok(self.volumes.iter().filter(|volume| volume.disk == disk).cloned().collect())
    }

    fn volumes(&self) -> Vec<Volume> {
        self.volumes.clone()
    }

    fn adopt(&mut self, volumes: &[Volume]) {
        let is_made =
            |known: &Volume| volumes.iter().any(|it| (it.disk, it.partition) == (known.disk, known.partition));
        self.volumes.retain(|known| !is_made(known));
        self.volumes.extend(volumes.iter().cloned());
    }

    fn root(&mut self, volume: &Volume) -> Result<PathBuf, MachineError> {
        let folder = self.folder_of(volume);
        if !self.volumes.contains(volume) || !folder.is_dir() {
            let what = format!("disk {} partition {}", volume.disk, volume.partition);
            let (expected, found) = ("a formatted volume".to_owned(), "none".to_owned());
            return Err(MachineError::Unexpected { what, expected, found });
        }
        Ok(folder)
    }

    fn apply_image(
        &mut self,
        image: &CheckedImage,
        index: u32,
        volume: &Volume,
        protected: &[String],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), MachineError> {
        for (number, file) in image.files().iter().enumerate() {
            let read = image.read(number, 0, usize::MAX);
            let found = read.map_err(|source| {
                let (doing, path) = ("reading", PathBuf::from(file.name()));
                MachineError::Io { doing, path, source }
            })?;
            assert_eq!(found.len() as u64, file.size_bytes());
        }
        self.read_bytes += image.read_bytes();
        if index != 1 {
            let (expected, found) = ("an image from 1 to 1".to_owned(), index.to_string());
            return Err(MachineError::Unexpected { what: "image index".to_owned(), expected, found });
        }
        let root = self.root(volume)?;
        for entry in fs::read_dir(&root).expect("lists").flatten() {
            let is_protected = protected.iter().any(|path| Path::new(path).starts_with(entry.file_name()));
            if entry.file_name() != crate::engine::state::FOLDER && !is_protected {
                let path = entry.path();
                let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
            }
        }
        let total_bytes = self.image.len() as u64;
        for (done, (path, text)) in (1..).zip(self.image.clone()) {
            self.power.on();
            let to = root.join(path);
            fs::create_dir_all(to.parent().expect("a folder")).expect("makes");
            fs::write(to, text).expect("writes");
            progress(Progress { done_bytes: done, total_bytes });
        }
        if let Some(tree) = &self.tree {
            self.power.on();
            let copied = std::process::Command::new("cp").arg("-rT").args([tree, &root]).status();
            assert!(copied.expect("cp").success());
            return Ok(());
        }
        let letter = if volume.file_system == FileSystem::Ext4 { "boot/vmlinuz-6.1" } else { "vmlinuz" };
        if let Some((name, target)) = &self.link {
            std::os::unix::fs::symlink(target, root.join(name)).expect("links");
        }
        fs::create_dir_all(root.join("boot")).expect("makes");
        fs::write(root.join(letter), "kernel").expect("writes");
        Ok(())
    }

    fn devices(&self) -> Vec<Device> {
        self.devices.clone()
    }

    fn change_hive(&mut self, hive: &Path, changes: &[Change]) -> Result<(), MachineError> {
        self.power.on();
        let applied = platen_hive::apply(hive, changes);
        self.power.on();
        let reason = |error| MachineError::Program { program: "hive".to_owned(), reason: platen_media::chain(&error) };
        applied.map(drop).map_err(reason)
    }

    fn boot_id(&self, volume: &Volume) -> Result<Partition, MachineError> {
        let (disk, partition) = (u8::try_from(volume.disk), u8::try_from(volume.partition));
        Ok(Partition::Gpt { disk: [disk.expect("few"); 16], partition: [partition.expect("few"); 16] })
    }

    fn random(&mut self) -> Result<[u8; 32], MachineError> {
        Ok(std::array::from_fn(|at| at as u8))
    }

    fn make_bootable(&mut self, setup: &BootSetup, _: &Path) -> Result<(), MachineError> {
        self.power.on();
        self.boots = Some(setup.clone());
        self.power.on();
        Ok(())
    }

    fn run(&mut self, order: &Order) -> Result<Ended, MachineError> {
        self.power.on();
        let folder = order.folder.as_deref().and_then(Path::file_name);
        let folder = folder.map(|name| format!("{}> ", name.to_string_lossy())).unwrap_or_default();
        self.ran.push(format!("{folder}{}", order.line));
        self.power.on();
        Ok(Ended { code: self.codes.pop_front().unwrap_or(0), output: self.output.clone() })
    }

    fn sync(&mut self) -> Result<(), MachineError> {
        self.power.on();
        Ok(())
    }
}
