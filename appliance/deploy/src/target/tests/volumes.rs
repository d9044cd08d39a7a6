// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Partitions and their file systems, by the programs that check them.

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use platen_sequence::layout::LayoutProblem;
use platen_testkit::need;

use super::bench::{Bench, of_bios, of_uefi, put, said};
use crate::engine::machine::{Machine, MachineError};
use crate::engine::state::{FOLDER, Store};
use crate::target::partition::writes;

const SIZE_BYTES: u64 = 600 << 20;

#[test]
fn every_kind_of_volume_is_what_its_own_program_calls_clean() {
    let judges = ["sgdisk", "fsck.fat", "ntfsfix", "ntfsinfo", "e2fsck", "dumpe2fs", "grub-fstest"];
    if !judges.iter().all(|name| need::program(name)) {
        return;
    }
    let Some(mut bench) = Bench::new(SIZE_BYTES, true) else { return };
    let mut machine = bench.machine(&of_uefi());
    assert!(!machine.disks()[0].has_data);
    let volumes = machine.partition(0, &of_uefi()).unwrap_or_else(|error| panic!("{error}"));
    let shown: Vec<_> = volumes.iter().map(|one| (one.partition, &*one.label, one.letter, one.is_boot)).collect();
    let expected = [
        (1, "SYSTEM", None, true),
        (3, "Windows", Some('C'), false),
        (4, "Windows RE tools", None, false),
        (5, "linux", Some('D'), false),
    ];
    assert_eq!(shown, expected);

    let verdict = said(Command::new("sgdisk").arg("--verify").arg(bench.image()));
    assert!(verdict.contains("No problems found"), "{verdict}");
    said(Command::new("fsck.fat").arg("-n").arg(bench.partition(1)));
    for (number, label) in [(3, "Windows"), (4, "Windows RE tools")] {
        said(Command::new("ntfsfix").arg("--no-action").arg(bench.partition(number)));
        let info = said(Command::new("ntfsinfo").arg("--mft").arg(bench.partition(number)));
        assert!(info.contains(&format!("Volume Name: {label}\n")), "{info}");
    }
    said(Command::new("e2fsck").arg("-fn").arg(bench.partition(5)));
    let features = said(Command::new("dumpe2fs").arg("-h").arg(bench.partition(5)));
    assert!(features.contains("metadata_csum ") || features.contains("metadata_csum\n"), "{features}");
    assert!(!features.contains("metadata_csum_seed") && !features.contains("orphan_file"), "{features}");
    // Where Windows' own code in the boot sector looks for its volume: hidden sectors, heads, sectors per track.
    let mut sector = [0; 32];
    std::fs::File::open(bench.partition(3)).and_then(|file| file.read_exact_at(&mut sector, 0)).expect("read");
    let first_lba = (1 + 64 + 16) * 2048_u32;
    assert_eq!((&sector[0x18..0x1c], &sector[0x1c..0x20]), (&[63, 0, 255, 0][..], &first_lba.to_le_bytes()[..]));

    // The numbers by which GRUB and Linux look for them, as another program reads them.
    for volume in &volumes {
        let device = bench.partition(volume.partition);
        let uuid =
            said(Command::new("blkid").args(["--probe", "--output", "value", "--match-tag", "UUID"]).arg(device));
        assert_eq!(machine.superblock(volume).expect("read").uuid, uuid.trim(), "partition {}", volume.partition);
    }

    // After a restart they are found again, and the letters are those that the sequence knows.
    let mut found = bench.look();
    assert!(found.disks()[0].has_data);
    let again: Vec<_> = found.volumes().iter().map(|one| (one.partition, one.letter, one.is_boot)).collect();
    assert_eq!(again, expected.map(|(partition, _, letter, is_boot)| (partition, letter, is_boot)));
    let mut kept = volumes.clone();
    kept[1].letter = Some('E');
    found.adopt(&kept);
    assert_eq!(found.volumes(), kept);
}

#[test]
fn grub_reads_what_was_formatted_and_an_old_volume_is_gone() {
    if !["sfdisk", "grub-fstest", "e2fsck", "ntfsfix", "mkfs.fat"].iter().all(|name| need::program(name)) {
        return;
    }
    let Some(mut bench) = Bench::new(SIZE_BYTES, false) else { return };
    // A drive that was one volume as a whole, and has a GPT's second copy at its end.
    said(Command::new("sgdisk").args(["--new=1:2048:0"]).arg(bench.image()));
    said(Command::new("mkfs.fat").args(["-I", "-F", "32"]).arg(bench.disk()));
    let mut machine = bench.machine(&of_bios());
    assert!(machine.disks()[0].has_data);
    let volumes = machine.partition(0, &of_bios()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        volumes.iter().map(|one| (one.letter, one.is_boot)).collect::<Vec<_>>(),
        [(Some('C'), true), (Some('D'), false)]
    );
    let dump = said(Command::new("sfdisk").arg("--dump").arg(bench.image()));
    assert!(dump.contains("label: dos") && dump.contains("type=83, bootable") && dump.contains("type=7"), "{dump}");
    said(Command::new("e2fsck").arg("-fn").arg(bench.partition(1)));
    said(Command::new("ntfsfix").arg("--no-action").arg(bench.partition(2)));
    let listed = said(Command::new("grub-fstest").arg(bench.image()).args(["ls", "(loop0,msdos1)/"]));
    assert!(listed.contains("lost+found/"), "{listed}");
    let signatures = said(Command::new("wipefs").arg("--no-act").arg(bench.image()));
    assert!(!signatures.contains("gpt") && !signatures.contains("vfat"), "{signatures}");
}

#[test]
fn a_power_cut_leaves_no_table_or_the_whole_one() {
    if !["sfdisk", "sgdisk"].iter().all(|name| need::program(name)) {
        return;
    }
    for layout in [of_uefi(), of_bios()] {
        let table = layout.place(SIZE_BYTES, 512).expect("fits");
        let sectors = table.sectors(&[]).expect("a table");
        let image = tempfile::NamedTempFile::new().expect("a file");
        image.as_file().set_len(SIZE_BYTES).expect("sized");
        // What was there before: another table. The control: it is seen.
        said(Command::new("sgdisk").args(["--new=1:2048:0"]).arg(image.path()));
        let table_of = || {
            let output = Command::new("sfdisk").arg("--json").arg(image.path()).output().expect("sfdisk starts");
            output.status.success().then(|| String::from_utf8_lossy(&output.stdout).matches("\"start\":").count())
        };
        assert_eq!(table_of(), Some(1));
        let all: Vec<_> = writes(&table, &sectors).collect();
        let last = all.len() - 1;
        for (at, bytes) in &all[..last] {
            image.as_file().write_all_at(bytes, *at).expect("written");
            // A power cut here: no kernel finds a table without sector 0's.
            assert_eq!(table_of(), None, "after a write at {at}");
        }
        image.as_file().write_all_at(&all[last].1, all[last].0).expect("written");
        assert_eq!(table_of(), Some(layout.partitions.len()));
    }
}

#[test]
fn what_stops_a_partitioning_is_named() {
    let Some(mut bench) = Bench::new(20 << 20, true) else { return };
    let mut machine = bench.look();
    match machine.partition(0, &of_uefi()) {
        Err(MachineError::Layout { index: 0, source: LayoutProblem::SmallDisk { expected_bytes, found_bytes } }) => {
            assert_eq!(found_bytes, 20 << 20);
            assert!(expected_bytes > 100 << 20);
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(machine.partition(1, &of_uefi()), Err(MachineError::NoDisk { index: 1, .. })));
    // A program that the boot image lacks.
    let small = of_bios();
    let mut machine = bench.machine(&small);
    machine.places.programs = vec![bench.path().join("empty")];
    let error = machine.partition(0, &small).expect_err("no program").to_string();
    assert!(error.starts_with("busybox: not in the boot image"), "{error}");
}

/// What ntfssecaudit reads of a file's security descriptor: its owner, and who may do what.
fn access(device: &Path, path: &str) -> Vec<String> {
    let all = said(Command::new("ntfssecaudit").arg("-vv").arg(device).arg(path));
    let said = |line: &&str| {
        ["Access ", "dec ", "O:dec ", "Acc rgts ", "DACL cannot"].iter().any(|word| line.starts_with(word))
    };
    all.lines().map(str::trim).filter(said).map(str::to_owned).collect()
}

#[test]
fn on_ntfs_only_administrators_read_what_holds_secrets() {
    if !["ntfssecaudit", "ntfs-3g"].iter().all(|name| need::program(name)) {
        return;
    }
    let Some(mut bench) = Bench::new(SIZE_BYTES, true) else { return };
    let mut machine = bench.machine(&of_uefi());
    let volumes = machine.partition(0, &of_uefi()).unwrap_or_else(|error| panic!("{error}"));
    let root = machine.root(&volumes[1]).unwrap_or_else(|error| panic!("{error}"));
    let store = Store::new(&root.join(FOLDER));
    for text in ["first", "second"] {
        store.keep_file("secrets.json", text.as_bytes()).expect("kept");
    }
    put(&root, "_SMSTaskSequence/control", "anybody's");
    machine.unmount_all().unwrap_or_else(|error| panic!("{error}"));
    let device = bench.partition(3);
    let (system, administrators) = ("dec S-1-5-18", "dec S-1-5-32-544");
    let expected = [
        "DACL cannot be modified by inheritable ACEs",
        &format!("O:{administrators}"),
        "Access allowed",
        "Acc rgts 0x1f01ff",
        system,
        "Access allowed",
        "Acc rgts 0x1f01ff",
        administrators,
    ];
    assert_eq!(access(&device, "/_SMSTaskSequence/secrets.json"), expected);
    let anybodys = access(&device, "/_SMSTaskSequence/control");
    assert!(anybodys.iter().any(|line| line == "dec S-1-1-0"), "the control: {anybodys:?}");
    said(Command::new("ntfsfix").arg("--no-action").arg(&device));
}
