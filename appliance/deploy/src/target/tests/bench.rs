// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A machine whose disks are image files behind loop devices.
//!
//! Not every kernel that tests run on reads partition tables. So each partition has a loop device of its own, where the table
//! will say that it is, and a link of the name it would have.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use platen_media::Scheme;
use platen_testkit::need;

use crate::engine::machine::FileSystem;
use crate::target::{Places, RealMachine};
use platen_sequence::layout::{DiskLayout, PartitionUse, PartitionWish, Size};

pub(super) struct Bench {
    folder: tempfile::TempDir,
    loops: Vec<PathBuf>,
}

impl Bench {
    /// One disk, `sda`. None: it may be skipped here.
    #[track_caller]
    pub(super) fn new(size_bytes: u64, is_uefi: bool) -> Option<Self> {
        let needed = ["losetup", "busybox", "mkfs.fat", "mkntfs", "ntfs-3g", "mke2fs"];
        if !need::root() || !needed.iter().all(|name| need::program(name)) {
            return None;
        }
        let mut bench = Self { folder: tempfile::tempdir().expect("a folder"), loops: Vec::new() };
        let image = bench.image();
        fs::File::create(&image).and_then(|file| file.set_len(size_bytes)).expect("an image");
        fs::create_dir_all(bench.folder.path().join("dev")).expect("made");
        let device = bench.attach(&[]);
        symlink(&device, bench.disk()).expect("linked");
        symlink("/dev/fuse", bench.folder.path().join("dev/fuse")).expect("linked");
        put(bench.folder.path(), "sys/devices/pci0/ata1/block/sda/size", &(size_bytes / 512).to_string());
        put(bench.folder.path(), "sys/devices/pci0/ata1/block/sda/queue/logical_block_size", "512");
        fs::create_dir_all(bench.folder.path().join("sys/block")).expect("made");
        symlink("../devices/pci0/ata1/block/sda", bench.folder.path().join("sys/block/sda")).expect("linked");
        if is_uefi {
            fs::create_dir_all(bench.variables()).expect("made");
            put(&bench.variables(), "BootOrder-8be4df61-93ca-11d2-aa0d-00e098032b8c", "\x07\0\0\0\x03\0");
        }
        Some(bench)
    }

    /// The disk's file.
    pub(super) fn image(&self) -> PathBuf {
        self.folder.path().join("disk.img")
    }

    /// The disk's device.
    pub(super) fn disk(&self) -> PathBuf {
        self.folder.path().join("dev/sda")
    }

    /// The device of a partition.
    pub(super) fn partition(&self, number: u32) -> PathBuf {
        self.folder.path().join(format!("dev/sda{number}"))
    }

    pub(super) fn variables(&self) -> PathBuf {
        self.folder.path().join("sys/firmware/efi/efivars")
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The machine, on which the layout's partitions will have devices.
    pub(super) fn machine(&mut self, layout: &DiskLayout) -> RealMachine {
        let size_bytes = fs::metadata(self.image()).expect("an image").len();
        let table = layout.place(size_bytes, 512).expect("fits");
        for (partition, number) in table.partitions.iter().zip(1..) {
            let (offset, size) = (partition.first_lba * 512, partition.sectors * 512);
            let device = self.attach(&[&format!("--offset={offset}"), &format!("--sizelimit={size}")]);
            symlink(&device, self.partition(number)).expect("linked");
        }
        self.look()
    }

    /// The machine as it is found, after a restart.
    pub(super) fn look(&self) -> RealMachine {
        let host = Places::default();
        RealMachine::look(Places { programs: host.programs, ..Places::below(self.folder.path()) }, None)
    }

    fn attach(&mut self, options: &[&str]) -> PathBuf {
        let output =
            Command::new("losetup").args(["--find", "--show", "--partscan"]).args(options).arg(self.image()).output();
        let output = output.expect("losetup starts");
        assert!(output.status.success(), "{output:?}");
        let device = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        self.loops.push(device.clone());
        device
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        for device in &self.loops {
            let _ = Command::new("losetup").arg("--detach").arg(device).status();
        }
    }
}

pub(super) fn put(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(path, text).expect("written");
}

pub(super) fn wish(purpose: PartitionUse, size: Size, file_system: Option<FileSystem>, label: &str) -> PartitionWish {
    PartitionWish {
        purpose,
        size,
        file_system,
        is_quick: true,
        is_boot: purpose == PartitionUse::Efi,
        label: label.to_owned(),
        has_letter: purpose == PartitionUse::Primary,
        letter_variable: None,
    }
}

/// All kinds of volumes that a UEFI computer gets.
pub(super) fn of_uefi() -> DiskLayout {
    DiskLayout {
        scheme: Scheme::Gpt,
        partitions: vec![
            wish(PartitionUse::Efi, Size::Mib(64), Some(FileSystem::Fat32), "SYSTEM"),
            wish(PartitionUse::MicrosoftReserved, Size::Mib(16), None, ""),
            wish(PartitionUse::Primary, Size::PercentOfRemaining(50), Some(FileSystem::Ntfs), "Windows"),
            wish(PartitionUse::Recovery, Size::Mib(32), Some(FileSystem::Ntfs), "Windows RE tools"),
            wish(PartitionUse::Primary, Size::PercentOfRemaining(100), Some(FileSystem::Ext4), "linux"),
        ],
    }
}

/// The same for a BIOS, by an MBR.
pub(super) fn of_bios() -> DiskLayout {
    let mut linux = wish(PartitionUse::Primary, Size::PercentOfRemaining(50), Some(FileSystem::Ext4), "linux");
    linux.is_boot = true;
    linux.is_quick = false;
    let data = wish(PartitionUse::Primary, Size::PercentOfRemaining(100), Some(FileSystem::Ntfs), "data");
    DiskLayout { scheme: Scheme::Mbr, partitions: vec![linux, data] }
}

/// What another program says; it must not fail.
#[track_caller]
pub(super) fn said(command: &mut Command) -> String {
    let output = command.env("LC_ALL", "C").output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{command:?}: {text}");
    text
}
