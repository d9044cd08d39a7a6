// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! FAT by mkfs.fat, filled by mtools, judged by fsck.fat.

use std::path::{Path, PathBuf};

use crate::copy::{Change, Volume, allocation, judge_alone, region};
use crate::tools::{Files, Sources, blank, difference, finds_nothing, folder, number_after, read_files, shell, text};

/// Make a volume and fill it.
pub(crate) fn make(folder: &Path, name: &str, size_bytes: u64, options: &str, sources: &Sources) -> PathBuf {
    let volume = folder.join(name);
    blank(&volume, size_bytes);
    sources.write(folder);
    let turns = sources.in_turn().join(" ");
    let line = format!(
        "mkfs.fat {options} {name} && for file in {turns}; do mcopy -i {name} $file ::/ ; done && \
         mdel -i {name} '::/R*.BIN' && mcopy -i {name} late/* ::/ && mmd -i {name} ::/FOLDER && mcopy -i {name} kept/K07.bin ::/FOLDER"
    );
    shell(folder, &line).expect(0);
    volume
}

pub(crate) fn judge(volume: &Path, expected: &Files) -> Result<(), String> {
    let folder = folder();
    finds_nothing(&shell(folder.path(), &format!("fsck.fat -n '{}'", text(volume))))?;
    let out = folder.path().join("out");
    std::fs::create_dir(&out).unwrap();
    // Its exit status means nothing; what came off is compared.
    shell(
        &out,
        &format!(
            "mcopy -n -i '{}' '::/*.bin' . ; mcopy -n -i '{}' ::/FOLDER/K07.bin again",
            text(volume),
            text(volume)
        ),
    );
    let mut expected = expected.clone();
    expected.insert("again".to_owned(), expected["K07.bin"].clone());
    difference(&expected, &read_files(&out))
}

/// What fsck.fat counts, and what lies before the first cluster.
fn counted_bytes(volume: &Path) -> u64 {
    let said = shell(Path::new("/"), &format!("fsck.fat -nv '{}'", text(volume))).expect(0).stdout;
    let clusters = said.lines().rfind(|line| line.ends_with(" clusters")).unwrap();
    let used = clusters.rsplit_once(", ").unwrap().1.split('/').next().unwrap().parse::<u64>().unwrap();
    let cluster_bytes = number_before(&said, " bytes per cluster");
    number_after(&said, "Data area starts at byte") + used * cluster_bytes
}

fn number_before(said: &str, words: &str) -> u64 {
    let (before, _) = said.split_once(words).unwrap();
    before.rsplit(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

#[test]
fn fat_of_each_kind_is_copied_by_its_table() {
    for (kind, size_bytes, options, content) in [
        ("floppy", 1440 << 10, "-F 12", "FAT12"),
        ("16", 32 << 20, "-F 16", "FAT16"),
        ("32", 64 << 20, "-F 32 -s 1", "FAT32"),
        ("one table", 32 << 20, "-F 16 -f 1", "FAT16"),
        ("large sectors", 64 << 20, "-F 16 -S 4096", "FAT16"),
    ] {
        let (folder, sources) = (folder(), Sources::new(size_bytes, size_bytes as usize / 3));
        let path = make(folder.path(), "volume.img", size_bytes, options, &sources);
        let expected = sources.there();
        let counted_bytes = counted_bytes(&path);
        println!("{kind}");
        // The sectors behind the last cluster.
        let allowance_bytes = 16 << 10;
        let judge = |volume: &Path| judge(volume, &expected);
        judge_alone(&Volume { path, content, counted_bytes, allowance_bytes, judge: &judge }, &sources);
    }
}

/// A table that is not to be believed: all of the volume is copied, and said why.
#[test]
fn a_fat_that_was_not_left_in_order_is_copied_whole() {
    let (folder, sources) = (folder(), Sources::new(9, 4 << 20));
    let path = make(folder.path(), "volume.img", 64 << 20, "-F 32 -s 1", &sources);
    let good = std::fs::read(&path).unwrap();
    let table = 512 * u64::from(u16::from_le_bytes([good[14], good[15]])) as usize;
    let tables = [table, table + 512 * u32::from_le_bytes(good[36..40].try_into().unwrap()) as usize];
    let next = |cluster: usize| u32::from_le_bytes(good[table + cluster * 4..][..4].try_into().unwrap()) as usize;
    let chained = (3..).find(|cluster| next(cluster - 1) == *cluster).unwrap();
    let changes: [Change<'_>; 7] = [
        ("unmounted", &|bytes| bytes[65] |= 1),
        ("unmounted", &|bytes| tables.into_iter().for_each(|table| bytes[table + 7] &= !0x08)),
        // The root folder's cluster, and the second of a file's.
        ("said to be free", &|bytes| tables.into_iter().for_each(|table| bytes[table + 8..table + 12].fill(0))),
        ("said to be free", &|bytes| tables.into_iter().for_each(|table| bytes[table + chained * 4..][..4].fill(0))),
        ("differ", &|bytes| bytes[table + 41] ^= 1),
        ("larger than its partition", &|bytes| bytes.truncate(60 << 20)),
        ("not kept alike", &|bytes| bytes[40] |= 0x80),
    ];
    for (why, change) in changes {
        let mut bytes = good.clone();
        change(&mut bytes);
        std::fs::write(&path, &bytes).unwrap();
        let used = allocation(&path);
        let region = region(&used, "the whole drive");
        assert!(region.whole_because.as_ref().is_some_and(|said| said.contains(why)), "{why}: {region:?}");
        assert_eq!(used.used_bytes(), bytes.len() as u64);
    }
    // As many EFI system partitions are: mtools takes it for FAT16, fsck.fat for FAT32.
    blank(&path, 48 << 20);
    shell(folder.path(), "mkfs.fat -F 32 -s 4 volume.img").expect(0);
    let used = allocation(&path);
    assert!(region(&used, "the whole drive").whole_because.as_ref().unwrap().contains("disagree"), "{used:?}");
    // Nobody goes by the count in FSInfo; and clusters that are marked as bad are not read.
    let mut bytes = good.clone();
    bytes[512 + 488..512 + 492].copy_from_slice(&[1, 0, 0, 0]);
    let total = (bytes.len() - table) / 512;
    for table in tables {
        let entry = table + (total - 4000) * 4;
        bytes[entry..entry + 4].copy_from_slice(&[0xf7, 0xff, 0xff, 0x0f]);
    }
    std::fs::write(&path, &bytes).unwrap();
    let (used, before) = (allocation(&path), bytes.len() as u64 / 2);
    assert_eq!(region(&used, "the whole drive").bad_bytes, 512);
    assert!(used.used_bytes() < before, "{:?}", used.regions);
}
