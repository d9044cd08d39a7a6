// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Tables of several partitions, by the programs that partition disks.

use std::os::unix::fs::FileExt;

use platen_disk::table::{LIST_BYTES, Partition, PartitionId, PartitionKind, PartitionTable, list};
use platen_disk::{LayoutError, Scheme};
use tempfile::NamedTempFile;

use crate::tools::{self, run};

const SIZE_BYTES: u64 = 64 << 20;

fn partition(kind: PartitionKind, first_lba: u64, sectors: u64, number: u8) -> Partition {
    Partition { kind, first_lba, sectors, active: number == 2, guid: [number; 16], name: "a partition" }
}

fn table(scheme: Scheme, sector_bytes: u32, partitions: Vec<Partition>) -> PartitionTable {
    let disk_guid = [0x5a; 16];
    PartitionTable { size_bytes: SIZE_BYTES, sector_bytes, scheme, disk_signature: 0xdead_beef, disk_guid, partitions }
}

fn render(table: &PartitionTable) -> NamedTempFile {
    let image = NamedTempFile::new().unwrap();
    image.as_file().set_len(table.size_bytes).unwrap();
    for (offset_bytes, bytes) in table.sectors(&[]).unwrap() {
        image.as_file().write_all_at(&bytes, offset_bytes).unwrap();
    }
    image
}

/// First and last sector of each partition, as `sfdisk --json` gives them, with its type.
fn listed(image: &NamedTempFile) -> Vec<(u64, u64, String)> {
    let output = run("sfdisk", "fdisk", &["--json", image.path().to_str().unwrap()]);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = json["partitiontable"]["partitions"].as_array().unwrap().iter();
    rows.map(|row| {
        let (start, size) = (row["start"].as_u64().unwrap(), row["size"].as_u64().unwrap());
        (start, start + size - 1, row["type"].as_str().unwrap().to_ascii_lowercase())
    })
    .collect()
}

#[test]
fn several_partitions_are_listed_as_they_were_given() {
    use PartitionKind::{BiosBoot, EfiSystem, Fat32};
    // Not in the order of their places, with gaps, and one that ends where the drive or the backup begins.
    let end = SIZE_BYTES / 512;
    let mbr = table(
        Scheme::Mbr,
        512,
        vec![
            partition(EfiSystem, 40_960, 2048, 1),
            partition(Fat32, 1, 63, 2),
            partition(Fat32, 2048, 1, 3),
            partition(Fat32, 65_536, end - 65_536, 4),
        ],
    );
    let image = render(&mbr);
    tools::sfdisk(image.path()).unwrap();
    let expected = [(40_960, 43_007, "ef"), (1, 63, "c"), (2048, 2048, "c"), (65_536, end - 1, "c")];
    assert_eq!(listed(&image), expected.map(|(first, last, kind)| (first, last, kind.to_owned())));

    let gpt = table(
        Scheme::Gpt,
        512,
        vec![
            partition(EfiSystem, 4096, 4096, 1),
            partition(BiosBoot, 34, 100, 2),
            partition(Fat32, 8192, 8, 3),
            partition(Fat32, 65_536, end - 33 - 65_536, 4),
            partition(Fat32, 9000, 1000, 5),
        ],
    );
    let image = render(&gpt);
    tools::sgdisk(image.path()).unwrap();
    let (efi, bios, basic) = (
        "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
        "21686148-6449-6e6f-744e-656564454649",
        "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7",
    );
    let expected =
        [(4096, 8191, efi), (34, 133, bios), (8192, 8199, basic), (65_536, end - 34, basic), (9000, 9999, basic)];
    assert_eq!(listed(&image), expected.map(|(first, last, kind)| (first, last, kind.to_owned())));

    // Sectors of 4096 bytes: nobody's sgdisk can be told about them in a file, but the numbers are where they belong.
    let large = table(Scheme::Gpt, 4096, vec![partition(EfiSystem, 6, 1, 1), partition(Fat32, 7, 16_372, 2)]);
    let output =
        run("fdisk", "fdisk", &["-b", "4096", "-o", "Start,End", "-l", render(&large).path().to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let rows: Vec<_> = said.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
    assert!(output.stderr.is_empty() && rows.contains(&vec!["6", "6"]) && rows.contains(&vec!["7", "16378"]), "{said}");
}

#[test]
fn what_is_listed_is_what_was_given() {
    use PartitionKind::{EfiSystem, Linux, Recovery, Windows};
    for (scheme, sector_bytes) in [(Scheme::Mbr, 512), (Scheme::Gpt, 512), (Scheme::Gpt, 4096)] {
        let first = 32 << 10;
        let kinds = [EfiSystem, Windows, Linux, Recovery];
        let partitions: Vec<_> = kinds
            .into_iter()
            .zip(0u8..)
            .map(|(kind, n)| partition(kind, first / 8 + u64::from(n) * 64, 64, n))
            .collect();
        let given = table(scheme, sector_bytes, partitions.clone());
        let image = render(&given);
        let mut head = vec![0; LIST_BYTES];
        std::fs::File::open(image.path()).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut head)).unwrap();
        let (found_scheme, listed) = list(&head, sector_bytes).expect("a table");
        assert_eq!((found_scheme, listed.len()), (scheme, 4));
        for ((found, given), number) in listed.iter().zip(&partitions).zip(1..) {
            assert_eq!((found.number, found.first_lba, found.sectors), (number, given.first_lba, given.sectors));
            if scheme == Scheme::Gpt {
                assert_eq!(found.id, PartitionId::Guid(given.guid));
                assert_eq!(found.is_boot, given.kind == EfiSystem);
            }
        }
    }
}

#[test]
fn a_table_that_cannot_be_is_refused() {
    use PartitionKind::{BiosBoot, Fat32, MicrosoftReserved};
    let fat = |first_lba, sectors| partition(Fat32, first_lba, sectors, 1);
    let end = SIZE_BYTES / 512;
    let cases = [
        (Scheme::Mbr, vec![fat(0, 10)], "partition 1: expected sectors 1 to 131071, found 10 from sector 0 on"),
        (Scheme::Mbr, vec![fat(1, 0)], "found 0 from sector 1 on"),
        (Scheme::Mbr, vec![fat(1, end)], "found 131072 from sector 1 on"),
        (Scheme::Mbr, vec![fat(u64::MAX, 2)], "from sector 18446744073709551615 on"),
        (Scheme::Mbr, vec![fat(1, 10), fat(10, 10)], "partition 2 is in another one"),
        (Scheme::Mbr, vec![fat(100, 10), fat(1, 1), fat(50, 500)], "partition 3 is in another one"),
        (Scheme::Mbr, (1..6).map(|n| fat(n, 1)).collect(), "expected at most 4 partitions, found 5"),
        (Scheme::Mbr, vec![partition(BiosBoot, 34, 10, 1)], "no type for a BIOS boot partition"),
        (
            Scheme::Mbr,
            vec![partition(MicrosoftReserved, 34, 10, 1)],
            "partition 1: an MBR has no type for a Microsoft reserved partition",
        ),
        (Scheme::Gpt, vec![fat(33, 10)], "expected sectors 34 to 131038, found 10 from sector 33 on"),
        (Scheme::Gpt, vec![fat(34, end - 33 - 33)], "from sector 34 on"),
        (Scheme::Gpt, (0..129).map(|n| fat(34 + n, 1)).collect(), "expected at most 128 partitions, found 129"),
    ];
    for (scheme, partitions, expected) in cases {
        match table(scheme, 512, partitions).sectors(&[]) {
            Err(LayoutError::PartitionTable { reason }) => assert!(reason.contains(expected), "{reason}"),
            other => panic!("{expected}: {other:?}"),
        }
    }
    table(Scheme::Gpt, 512, vec![fat(34, end - 33 - 34)]).sectors(&[]).expect("the control: up to the last sector");
}
