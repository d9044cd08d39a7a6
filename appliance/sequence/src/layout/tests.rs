// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

use std::io::{Seek, SeekFrom, Write};
use std::process::Command;

use platen_media::Scheme;
use platen_testkit::need;

use super::{DiskLayout, FileSystem, LayoutProblem, PartitionUse, Size};
use crate::run::{Environment, Origin};
use crate::{Imported, Step, StepKind, TaskSequence, Variable};

const GIB: u64 = 1 << 30;

fn sample(name: &str) -> Vec<Step> {
    let path = format!("{}/tests/samples/{name}", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(path).expect("a sample");
    let import = Imported::from_bytes(&bytes).expect("an export");
    let steps = import.sequence.steps().into_iter().map(|entry| entry.step);
    steps.filter(|step| step.kind == StepKind::FormatAndPartitionDisk).cloned().collect()
}

/// A step with the partitions that rows like `EFI FAT32 100 MB` say.
fn step(style: &str, rows: &[&str]) -> Step {
    let mut pairs = vec![("PartitionStyle".to_owned(), style), ("Partitions".to_owned(), "")];
    for (index, row) in rows.iter().enumerate() {
        let names = ["Type", "FileSystem", "Size", "SizeUnits"];
        pairs.extend(names.iter().zip(row.split(' ')).map(|(name, value)| (format!("Partitions{index}{name}"), value)));
    }
    let count = rows.len().to_string();
    pairs[1].1 = &count;
    with(&pairs.iter().map(|(name, value)| (&**name, *value)).collect::<Vec<_>>())
}

fn with(pairs: &[(&str, &str)]) -> Step {
    let xml = r#"<sequence version="3.10"><step type="SMS_TaskSequence_PartitionDiskAction" name="Disk"/></sequence>"#;
    let mut step = TaskSequence::from_xml(xml).expect("valid").steps()[0].step.clone();
    step.variables = pairs
        .iter()
        .map(|(property, value)| Variable {
            name: format!("OSD{property}"),
            property: Some((*property).to_owned()),
            hidden: false,
            value: (*value).to_owned(),
        })
        .collect();
    step
}

fn layout(step: &Step, is_uefi: bool) -> DiskLayout {
    DiskLayout::of_step(step, &Environment::default(), is_uefi).unwrap_or_else(|error| panic!("{error}")).1
}

fn refused(step: &Step, is_uefi: bool) -> String {
    DiskLayout::of_step(step, &Environment::default(), is_uefi).expect_err("must be refused").to_string()
}

/// The table in a sparse file of the disk's size.
fn image(layout: &DiskLayout, size_bytes: u64, sector_bytes: u32) -> tempfile::NamedTempFile {
    let mut table = layout.place(size_bytes, sector_bytes).unwrap_or_else(|error| panic!("{error}"));
    table.disk_signature = 0x1234_5678;
    table.disk_guid = [7; 16];
    for (partition, number) in table.partitions.iter_mut().zip(1..) {
        partition.guid = [number; 16];
    }
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.as_file().set_len(size_bytes).expect("sized");
    for (at, bytes) in table.sectors(&[]).unwrap_or_else(|error| panic!("{error}")) {
        file.seek(SeekFrom::Start(at)).and_then(|_| file.write_all(&bytes)).expect("written");
    }
    file
}

fn said(program: &str, arguments: &[&str], file: &tempfile::NamedTempFile) -> String {
    let output = Command::new(program).args(arguments).arg(file.path()).output().expect("a judge starts");
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{program}: {text}");
    text
}

/// What sfdisk reads: first sector, sectors, and the rest of its words.
fn dumped(file: &tempfile::NamedTempFile) -> Vec<(u64, u64, String)> {
    let dump = said("sfdisk", &["--dump"], file);
    let rows = dump.lines().filter_map(|line| line.split_once(" : ")).map(|(_, row)| {
        let mut fields = row.split(", ").flat_map(|field| field.split(','));
        let mut number = || {
            let field = fields.next().and_then(|field| field.split_once('='));
            field.and_then(|(_, value)| value.trim().parse().ok()).unwrap_or_else(|| panic!("{row}"))
        };
        let (start, size) = (number(), number());
        let words = fields.filter(|field| !field.trim().starts_with("uuid=")).map(str::trim).collect::<Vec<_>>();
        (start, size, words.join(" "))
    });
    rows.collect()
}

const ESP: &str = "type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B name=\"EFI system partition\"";
const MSR: &str = "type=E3C9E316-0B5C-4DB8-817D-F92DF00215AE name=\"Microsoft reserved partition\"";
const DATA: &str = "type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7 name=\"Basic data partition\"";
const LINUX: &str = "type=0FC63DAF-8483-4772-8E79-3D69D8477DE4 name=\"Linux filesystem\"";
const BIOS: &str = "type=21686148-6449-6E6F-744E-656564454649 name=\"BIOS boot partition\"";
const RECOVERY: &str =
    "type=DE94BBA4-06D1-4D40-A16A-BFD50179D6AC name=\"Recovery\" attrs=\"RequiredPartition GUID:63\"";

/// What sfdisk says must be, and sgdisk finds no problem.
fn judged(layout: &DiskLayout, size_bytes: u64, expected: &[(u64, u64, &str)]) {
    let file = image(layout, size_bytes, 512);
    let found = dumped(&file);
    let found: Vec<(u64, u64, &str)> = found.iter().map(|(start, size, words)| (*start, *size, &**words)).collect();
    assert_eq!(found, expected);
    if layout.scheme == Scheme::Gpt {
        let verdict = said("sgdisk", &["--verify"], &file);
        assert!(verdict.contains("No problems found"), "{verdict}");
    }
}

#[test]
fn exported_steps_lie_where_sfdisk_and_sgdisk_expect_them() {
    if !need::program("sfdisk") || !need::program("sgdisk") {
        return;
    }
    let mib = |mib: u64| mib * 2048;
    // Configuration Manager's: recovery, EFI, MSR, rest; and system and rest.
    let steps = sample("cm-export-modular-parent-object.xml");
    assert_eq!(steps.len(), 2);
    let uefi = layout(&steps[0], true);
    // 64 GiB less the first MiB, 1664 MiB of fixed sizes, and the one that the second table is in.
    let rest = 65536 - 1 - 1664 - 1;
    judged(
        &uefi,
        64 * GIB,
        &[
            (mib(1), mib(1024), RECOVERY),
            (mib(1025), mib(512), ESP),
            (mib(1537), mib(128), MSR),
            (mib(1665), mib(rest), DATA),
        ],
    );
    let system = &uefi.partitions[3];
    assert_eq!(
        (&*system.label, system.has_letter, system.letter_variable.as_deref()),
        ("OSDisk", true, Some("OSDisk"))
    );
    assert_eq!(uefi.partitions.iter().map(|one| one.is_boot).collect::<Vec<_>>(), [false, true, false, false]);
    judged(
        &layout(&steps[1], false),
        64 * GIB,
        &[(mib(1), mib(1024), "type=7 bootable"), (mib(1025), mib(65536 - 1025), "type=7")],
    );
    // MDT's: 99 percent and then all of what that left.
    let steps = sample("mdt-lti-client-full.xml");
    let (bios, uefi) = (layout(&steps[0], false), layout(&steps[1], true));
    let shared = 102_400 - 1 - 499;
    let system = shared * 99 / 100;
    judged(
        &bios,
        100 * GIB,
        &[
            (mib(1), mib(499), "type=7 bootable"),
            (mib(500), mib(system), "type=7"),
            (mib(500 + system), mib(shared - system), "type=27"),
        ],
    );
    let shared = 102_400 - 1 - 499 - 128 - 1;
    let system = shared * 99 / 100;
    judged(
        &uefi,
        100 * GIB,
        &[
            (mib(1), mib(499), ESP),
            (mib(500), mib(128), MSR),
            (mib(628), mib(system), DATA),
            (mib(628 + system), mib(shared - system), RECOVERY),
        ],
    );
}

#[test]
fn a_step_without_a_list_has_the_layout_of_its_firmware() {
    if !need::program("sfdisk") || !need::program("sgdisk") {
        return;
    }
    let mib = |mib: u64| mib * 2048;
    let plain = with(&[("DiskNumber", "1")]);
    let (disk, uefi) = DiskLayout::of_step(&plain, &Environment::default(), true).expect("a layout");
    assert_eq!(disk, 1);
    judged(&uefi, 8 * GIB, &[(mib(1), mib(500), ESP), (mib(501), mib(16), MSR), (mib(517), mib(8192 - 518), DATA)]);
    judged(
        &layout(&plain, false),
        8 * GIB,
        &[(mib(1), mib(500), "type=7 bootable"), (mib(501), mib(8192 - 501), "type=7")],
    );
    // A GPT that a BIOS starts from: GRUB's place is behind the entries, and the other numbers stay as they are.
    judged(
        &layout(&step("GPT", &["Primary EXT4 100 Percent"]), false),
        GIB,
        &[(mib(1), mib(1022), LINUX), (34, 2014, BIOS)],
    );
}

#[test]
fn shares_are_of_what_those_before_left_and_fixed_sizes_come_first() {
    let of = |rows: &[&str]| {
        let table = layout(&step("GPT", rows), true).place(10 * GIB + (2 << 20), 512).expect("fits");
        table.partitions.iter().map(|one| one.sectors / 2048).collect::<Vec<_>>()
    };
    // 10 GiB are left beside the first and the last MiB.
    assert_eq!(of(&["Primary NTFS 50 %", "Primary NTFS 50 %", "Primary NTFS 240 MB"]), [5000, 2500, 240]);
    assert_eq!(of(&["Primary NTFS 25 percent", "primary ntfs 1 gb", "RECOVERY NTFS 100 PERCENT"]), [2304, 1024, 6912]);
}

#[test]
fn sectors_of_4096_bytes_have_their_table_too() {
    if !need::program("fdisk") {
        return;
    }
    let layout = layout(&step("GPT", &["EFI FAT32 300 MB", "Primary EXT4 100 %"]), true);
    let file = image(&layout, 4 * GIB, 4096);
    let listed = said("fdisk", &["-b", "4096", "-o", "Start,Sectors,Type", "-l"], &file);
    let rows: Vec<String> = listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for expected in ["256 76800 EFI System", "77056 971264 Linux filesystem"] {
        assert!(rows.iter().any(|row| row == expected), "{listed}");
    }
    // FAT32 has no smaller volume with such sectors.
    let small = super::tests::layout(&step("GPT", &["EFI FAT32 200 MB"]), true).place(4 * GIB, 4096);
    assert!(
        matches!(small, Err(LayoutProblem::SmallPartition { number: 1, found_bytes: 209_715_200, .. })),
        "{small:?}"
    );
}

#[test]
fn too_small_a_disk_is_named_with_what_would_do() {
    let layout =
        layout(&step("GPT", &["EFI FAT32 500 MB", "MSR - 16 MB", "Primary NTFS 60 %", "Primary NTFS 10 %"]), true);
    let Err(LayoutProblem::SmallDisk { expected_bytes, found_bytes: 1_000_000 }) = layout.place(1_000_000, 512) else {
        panic!("must be refused");
    };
    // The last one has 8 MiB by a tenth of what is left.
    let refused = layout.place(expected_bytes - 512, 512).expect_err("a sector too small");
    assert!(matches!(refused, LayoutProblem::SmallDisk { .. }), "{refused}");
    let table = layout.place(expected_bytes, 512).expect("this one does");
    assert!(table.partitions.iter().all(|one| one.sectors >= 8 * 2048), "{table:?}");
    table.sectors(&[]).expect("a table");
}

#[test]
fn what_is_beyond_the_numbers_of_an_mbr_stays_free() {
    let table = layout(&step("MBR", &["Primary NTFS 100 %"]), false).place(4096 * GIB, 512).expect("fits");
    assert_eq!(table.partitions[0].sectors, u64::from(u32::MAX) / 2048 * 2048 - 2048);
    table.sectors(&[]).expect("a table");
}

#[test]
fn variables_of_the_sequence_count_before_the_step() {
    let mut environment = Environment::default();
    for (name, value) in [("OSDDiskIndex", "2"), ("OSDPartitions0Size", "64"), ("Root", "data")] {
        environment.set(name, value, false, Origin::Step).expect("set");
    }
    let mut step = step("GPT", &["Primary EXT4 1 GB"]);
    step.variables.push(Variable {
        name: "OSDPartitions0VolumeName".to_owned(),
        property: Some("Partitions0VolumeName".to_owned()),
        hidden: false,
        value: "%root%-1".to_owned(),
    });
    let (disk, layout) = DiskLayout::of_step(&step, &environment, true).expect("a layout");
    let partition = &layout.partitions[0];
    assert_eq!((disk, partition.size, &*partition.label), (2, Size::Mib(64 << 10), "data-1"));
    assert_eq!((partition.purpose, partition.file_system), (PartitionUse::Primary, Some(FileSystem::Ext4)));
}

#[test]
fn what_cannot_be_done_is_named() {
    let five = ["Primary NTFS 1 GB"; 5];
    for (step, expected) in [
        (
            step("MBR", &["Logical NTFS 1 GB"]),
            "OSDPartitions0Type: expected Primary, Hidden, Recovery or EFI, at most four",
        ),
        (step("MBR", &["MSR NTFS 1 GB"]), "found \"MSR\""),
        (step("MBR", &five), "OSDPartitions: expected a whole number up to 4, found \"5\""),
        (step("RAW", &[]), "OSDPartitionStyle: expected MBR or GPT, found \"RAW\""),
        (step("GPT", &["Primary REFS 1 GB"]), "OSDPartitions0FileSystem: expected NTFS, FAT32 or EXT4, found \"REFS\""),
        (
            step("GPT", &["Primary NTFS 101 %"]),
            "OSDPartitions0Size: expected a whole number of 1 to 100, found \"101\"",
        ),
        (step("GPT", &["Primary NTFS 0 MB"]), "OSDPartitions0Size: expected a whole number of 1 to 1073741824"),
        (step("GPT", &["Primary NTFS 18446744073709551615 GB"]), "1 to 1048576, found \"18446744073709551615\""),
        (step("GPT", &["Primary NTFS 1 TB"]), "OSDPartitions0SizeUnits: expected MB, GB or PERCENT, found \"TB\""),
        (
            step("GPT", &["Primary NTFS 100 %", "Recovery NTFS 1 GB", "Primary NTFS 5 %"]),
            "OSDPartitions0Size: expected less than 100 percent",
        ),
        (with(&[("DiskIndex", "-1")]), "OSDDiskIndex: expected a whole number up to 255, found \"-1\""),
        (with(&[("DiskType", "Dynamic")]), "OSDDiskType: expected BASIC"),
        (
            with(&[
                ("Partitions", "1"),
                ("Partitions0Type", "EFI"),
                ("Partitions0Size", "500"),
                ("Partitions0VolumeName", "Windows RE Tools"),
            ]),
            "OSDPartitions0VolumeName: expected a FAT label",
        ),
        (
            with(&[
                ("Partitions", "2"),
                ("Partitions0Size", "500"),
                ("Partitions0Bootable", "true"),
                ("Partitions1Size", "500"),
                ("Partitions1Bootable", "TRUE"),
            ]),
            "OSDPartitions1Bootable: expected one partition to start from",
        ),
        (with(&[("Partitions", "1"), ("Partitions0Bootable", "maybe")]), "OSDPartitions0"),
    ] {
        let error = refused(&step, false);
        assert!(error.contains(expected), "{error}");
    }
    // The control: the same rows with what is expected.
    layout(&step("MBR", &five[..4]), false);
    layout(&step("GPT", &["Primary NTFS 95 %", "Recovery NTFS 1 GB", "Primary NTFS 100 %"]), false);
}
