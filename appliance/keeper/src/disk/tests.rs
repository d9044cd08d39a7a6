// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

use std::path::PathBuf;

use super::*;

/// Sysfs with two disks; each has partitions of the names that an appliance's has.
struct Played {
    folder: tempfile::TempDir,
    places: Places,
}

const NAMES: [&str; 7] = ["bios-boot", "PLATEN-BOOT", "kernel-a", "root-a", "kernel-b", "root-b", "data"];

impl Played {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let places = Places::below(folder.path());
        let new = Self { folder, places };
        // An inserted drive, which comes first.
        new.disk("sda", "sda");
        new.disk("nvme0n1", "nvme0n1p");
        new.put("sys/block/nvme0n1/size", "2097152\n");
        let map = new.folder.path().join("sys/block/dm-0/slaves");
        fs::create_dir_all(&map).expect("made");
        symlink("../../nvme0n1/nvme0n1p4", map.join("nvme0n1p4")).expect("linked");
        new
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }

    fn disk(&self, name: &str, prefix: &str) {
        self.put(&format!("sys/block/{name}/uevent"), &format!("DEVNAME={name}\nDEVTYPE=disk\n"));
        for (at, part) in NAMES.iter().enumerate() {
            let (number, own) = (at + 1, format!("{prefix}{}", at + 1));
            let sys = format!("sys/block/{name}/{own}");
            self.put(&format!("{sys}/partition"), &format!("{number}\n"));
            self.put(&format!("{sys}/start"), &format!("{}\n", number * 2048));
            self.put(&format!("{sys}/size"), "2048\n");
            let uevent = format!("DEVNAME={own}\nDEVTYPE=partition\nPARTN={number}\nPARTNAME={part}\n");
            self.put(&format!("{sys}/uevent"), &uevent);
        }
    }

    fn below(&self, device: &str) -> Disk {
        Disk::below(&self.places, &self.folder.path().join("sys/block").join(device)).expect("a disk")
    }

    fn dev(&self, name: &str) -> PathBuf {
        self.folder.path().join("dev").join(name)
    }
}

#[test]
fn partitions_are_those_of_the_disk_below_the_root() {
    let played = Played::new();
    for root in ["dm-0", "nvme0n1/nvme0n1p4", "nvme0n1"] {
        let disk = played.below(root);
        assert_eq!(disk.device().expect("known"), played.dev("nvme0n1"), "{root}");
        let data = disk.partition("data").expect("there");
        assert_eq!((data.number, &data.device), (7, &played.dev("nvme0n1p7")), "{root}");
        assert_eq!(disk.size_bytes(&data).expect("known"), 1024 * 1024);
        assert_eq!(disk.free_behind(&data).expect("known"), 1024 * 1024 * 1024 - 8 * 1024 * 1024);
    }
    // The control: below the other disk it would be the other's.
    assert_eq!(played.below("sda").partition("data").expect("there").device, played.dev("sda7"));
}

#[test]
fn links_are_made_anew_and_lead_to_this_disk() {
    let played = Played::new();
    let folder = played.places.disk();
    fs::create_dir_all(&folder).expect("made");
    symlink("/dev/sda6", folder.join("root-b")).expect("linked");
    played.below("dm-0").link(&folder).expect("linked");
    for (link, device) in
        [("boot", "nvme0n1p2"), ("kernel-a", "nvme0n1p3"), ("root-b", "nvme0n1p6"), ("data", "nvme0n1p7")]
    {
        assert_eq!(fs::read_link(folder.join(link)).expect("a link"), played.dev(device));
    }
}

#[test]
fn a_partition_that_is_missing_is_named() {
    let played = Played::new();
    played.put("sys/block/nvme0n1/nvme0n1p7/uevent", "DEVNAME=nvme0n1p7\nPARTN=7\nPARTNAME=date\n");
    let error = played.below("dm-0").partition("data").expect_err("missing").to_string();
    assert!(error.contains("called data"), "{error}");
    // The others have their links all the same, and a stale one is gone.
    let folder = played.places.disk();
    fs::create_dir_all(&folder).expect("made");
    symlink("/dev/sda7", folder.join("data")).expect("linked");
    played.below("dm-0").link(&folder).expect("linked");
    assert!(folder.join("root-a").is_symlink() && !folder.join("data").is_symlink());
}
