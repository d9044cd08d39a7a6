// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! GRUB on a deployed computer's disk: the boot kit's core image finds the marked partition of the disk that BIOS started,
//! and never another disk's.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use platen_author::boot_kit::DISK_MARKER;
use platen_disk::Scheme;
use platen_disk::grub::{BOOT_CODE_BYTES, core_lba, patch};

use super::{Firmware, Machine, Options, wanted};
use crate::boot_drives::station;
use crate::common::tool;

const MIB: u64 = 1 << 20;

/// A disk of this scheme with two ext4 volumes, each with a configuration that says its name; the second may be marked.
fn disk(folder: &Path, name: &str, scheme: Scheme, marked: bool) -> PathBuf {
    let path = folder.join(format!("{name}.img"));
    let file = std::fs::File::create_new(&path).expect("made");
    file.set_len(40 * MIB).expect("as long");
    let text = path.to_str().expect("UTF-8");
    let table = match scheme {
        Scheme::Mbr => "label: dos\n2048,32768,83,*\n34816,32768,83\n",
        // The core image has a partition of its own in front.
        Scheme::Gpt => {
            "label: gpt\nfirst-lba: 34\n2048,32768,L\n34816,32768,L\n34,2014,21686148-6449-6E6F-744E-656564454649\n"
        }
    };
    tool("bash", &["-c", &format!("printf '{table}' | PATH=$PATH:/usr/sbin:/sbin sfdisk --quiet {text}")]).expect(0);
    for (at, volume) in [(MIB, "first"), (17 * MIB, "second")] {
        let tree = folder.join(format!("{name}-{volume}"));
        std::fs::create_dir_all(tree.join("boot/grub")).expect("made");
        let configuration = format!(
            "serial --unit=0 --speed=115200\nterminal_output serial\necho \"STARTED {name} {volume}, $root END\"\nhalt\n"
        );
        std::fs::write(tree.join("boot/grub/grub.cfg"), configuration).expect("written");
        if volume == "second" && marked {
            std::fs::write(tree.join(DISK_MARKER), b"").expect("written");
        }
        let image = folder.join(format!("{name}-{volume}.ext4"));
        std::fs::File::create(&image).expect("made").set_len(16 * MIB).expect("as long");
        let (tree, image_text) = (tree.to_str().expect("UTF-8"), image.to_str().expect("UTF-8"));
        tool("mke2fs", &["-q", "-F", "-t", "ext4", "-d", tree, image_text]).expect(0);
        file.write_all_at(&std::fs::read(&image).expect("there"), at).expect("written");
    }
    let kit = |name: &str| std::fs::read(station().path("boot-kit/bios").join(name)).expect("there");
    let records = patch(&kit("boot.img"), &kit("disk-core.img"), scheme).expect("it fits in front of the partitions");
    assert_eq!(records.boot_code.len(), BOOT_CODE_BYTES);
    file.write_all_at(&records.boot_code, 0).expect("written");
    file.write_all_at(&records.core, core_lba(scheme) * 512).expect("written");
    path
}

/// What a computer says that has these disks and starts from the first.
fn started(first: &Path, second: &Path) -> String {
    let mut options = Options::new(Firmware::SeaBios, first);
    options.disk = Some(second);
    Machine::start(&options).wait_for_one_of(&[" END", "turn this computer off"])
}

#[test]
fn the_marked_partition_of_the_boot_disk_is_started_and_no_other_disks() {
    if !wanted() {
        return;
    }
    let folder = tempfile::tempdir().expect("temporary folder");
    for (scheme, table) in [(Scheme::Mbr, "msdos"), (Scheme::Gpt, "gpt")] {
        let one = disk(folder.path(), &format!("one-{table}"), scheme, true);
        let other = disk(folder.path(), &format!("other-{table}"), scheme, true);
        let bare = disk(folder.path(), &format!("bare-{table}"), scheme, false);
        let said = started(&one, &other);
        assert!(said.contains(&format!("STARTED one-{table} second, hd0,{table}2 END")), "{said}");
        let said = started(&other, &one);
        assert!(said.contains(&format!("STARTED other-{table} second, hd0,{table}2 END")), "the control: {said}");
        let said = started(&bare, &one);
        assert!(said.contains("No partition of the disk hd0 has the file boot/grub/platen-target"), "{said}");
        assert!(!said.contains("STARTED"), "another disk's is not taken: {said}");
    }
}
