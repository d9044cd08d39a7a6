// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Partition tables by sfdisk and sgdisk.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use platen_media::allocation::Allocation;
use platen_testkit::files::noise;

use crate::copy::{Change, allocation, copy, region};
use crate::tools::{Sources, blank, folder, shell, text};
use crate::{ext, fat, ntfs};

pub(crate) const MIB: u64 = 1 << 20;

/// A drive with this table; `with` is the program that reads the script.
pub(crate) fn drive(folder: &Path, name: &str, size_bytes: u64, line: &str) -> PathBuf {
    let drive = folder.join(name);
    blank(&drive, size_bytes);
    shell(folder, line).expect(0);
    drive
}

/// Put bytes on a drive.
pub(crate) fn put(drive: &Path, offset_bytes: u64, bytes: &[u8]) {
    File::options().write(true).open(drive).unwrap().write_all_at(bytes, offset_bytes).unwrap();
}

/// Put a volume on a drive.
pub(crate) fn put_volume(drive: &Path, offset_bytes: u64, volume: &Path) {
    put(drive, offset_bytes, &std::fs::read(volume).unwrap());
}

pub(crate) fn get(drive: &Path, offset_bytes: u64, len: u64) -> Vec<u8> {
    let mut bytes = vec![0; len as usize];
    File::open(drive).unwrap().read_exact_at(&mut bytes, offset_bytes).unwrap();
    bytes
}

/// A copy of a drive by what is listed of it.
pub(crate) fn copied(drive: &Path) -> (PathBuf, Allocation) {
    let used = allocation(drive);
    let to = drive.with_extension("copy");
    copy(drive, &to, &used.extents);
    (to, used)
}

/// One partition of a drive as a file of its own.
pub(crate) fn part(drive: &Path, offset_bytes: u64, len: u64) -> PathBuf {
    let path = drive.with_extension(format!("part{offset_bytes}"));
    std::fs::write(&path, get(drive, offset_bytes, len)).unwrap();
    path
}

/// GPT with what an installed system has: EFI system partition, BIOS boot partition, Linux, Windows, and one more that
/// nobody knows.
#[test]
fn a_drive_with_a_gpt_is_copied_with_all_that_starts_it() {
    let folder = folder();
    let drive = drive(
        folder.path(),
        "drive.img",
        160 * MIB,
        "sgdisk -n 1:1M:+40M -t 1:ef00 -n 2:0:+1M -t 2:ef02 -n 3:0:+40M -t 3:8300 -n 4:0:+30M -t 4:0700 -n 5:0:+4M drive.img",
    );
    let starts = [MIB, 41 * MIB, 42 * MIB, 82 * MIB, 112 * MIB];
    let sources = [1, 2, 3].map(|seed| Sources::new(seed, 6 << 20));
    let [one, two, three] = ["esp", "linux", "windows"].map(|name| folder.path().join(name));
    [&one, &two, &three].into_iter().for_each(|folder| std::fs::create_dir(folder).unwrap());
    put_volume(&drive, starts[0], &fat::make(&one, "v", 40 * MIB, "-F 16 -h 2048", &sources[0]));
    put(&drive, starts[1], &noise(4, 1 << 20));
    put_volume(&drive, starts[2], &ext::make(&two, "v", 40 * MIB, "-t ext4", &sources[1]));
    put_volume(&drive, starts[3], &ntfs::make(&three, "v", 30 * MIB, "", &sources[2]));
    put(&drive, starts[4], &noise(5, 4 << 20));
    put(&drive, 0, &noise(6, 440));
    let (to, used) = copied(&drive);
    for program in ["sgdisk -v", "sfdisk --verify"] {
        let said = shell(folder.path(), &format!("{program} '{}'", text(&to))).expect(0);
        assert!(said.stdout.contains("No problems found") || said.stdout.contains("No errors detected"), "{said:?}");
    }
    for (start, len) in [(0, MIB), (starts[1], MIB), (starts[4], 4 * MIB), (159 * MIB, MIB)] {
        assert!(get(&to, start, len) == get(&drive, start, len), "{len} bytes at {start}");
    }
    fat::judge(&part(&to, starts[0], 40 * MIB), &sources[0].there()).unwrap();
    ext::judge(&part(&to, starts[2], 40 * MIB), &sources[1].there()).unwrap();
    ntfs::judge(&part(&to, starts[3], 30 * MIB), &sources[2].there()).unwrap();
    let contents: Vec<(&str, &str)> = used.regions.iter().map(|r| (&*r.name, &*r.content)).collect();
    assert_eq!(
        contents,
        [
            ("before the first partition", "boot code or not known"),
            ("partition 1", "FAT16"),
            ("partition 2", "not recognised"),
            ("partition 3", "ext4"),
            ("partition 4", "NTFS"),
            ("partition 5", "not recognised"),
            ("behind the last partition", "in no partition"),
        ]
    );
    assert!(used.used_bytes() < 60 * MIB, "{:?}", used.regions);
    // Controls: a judge sees when the table's copy is missing.
    let without: Vec<_> = used.extents[..used.extents.len() - 1].to_vec();
    copy(&drive, &to, &without);
    let said = shell(folder.path(), &format!("sgdisk -v '{}'", text(&to)));
    assert!(!said.stdout.contains("No problems found"), "{said:?}");
}

/// A drive of 4096-byte sectors; and the same one behind a bridge that says 512, where nothing is where it seems to be.
#[test]
fn a_table_in_large_sectors_is_read_in_large_sectors() {
    let folder = folder();
    let line = "printf 'g\\nn\\n1\\n256\\n+10239\\nw\\n' | fdisk -b 4096 drive.img";
    let path = drive(folder.path(), "drive.img", 64 * MIB, line);
    std::fs::create_dir(folder.path().join("v")).unwrap();
    let sources = Sources::new(4096, 4 << 20);
    put_volume(&path, MIB, &fat::make(&folder.path().join("v"), "v", 40 * MIB, "-F 16 -S 4096 -s 1", &sources));
    let used = platen_examine::allocation(File::open(&path).unwrap(), 64 * MIB, 4096).unwrap();
    assert!(used.extents.iter().all(|extent| extent.offset_bytes % 4096 == 0 && extent.len_bytes % 4096 == 0));
    assert!(used.used_bytes() < 16 * MIB, "{:?}", used.regions);
    let to = folder.path().join("copy.img");
    copy(&path, &to, &used.extents);
    fat::judge(&part(&to, MIB, 40 * MIB), &sources.there()).unwrap();
    assert_eq!(allocation(&path).used_bytes(), 64 * MIB, "{:?}", allocation(&path).regions);
    // A boot record says of no sector size: what it points to is not there, and then nothing is believed.
    let line = "printf 'o\\nn\\np\\n1\\n256\\n+10239\\nw\\n' | fdisk -b 4096 record.img";
    let record = drive(folder.path(), "record.img", 64 * MIB, line);
    put_volume(&record, MIB, &part(&path, MIB, 40 * MIB));
    assert!(platen_examine::allocation(File::open(&record).unwrap(), 64 * MIB, 4096).unwrap().used_bytes() < 16 * MIB);
    assert_eq!(allocation(&record).used_bytes(), 64 * MIB, "{:?}", allocation(&record).regions);
}

/// Systems choose among tables that contradict each other, each in its own way: nothing is left out then.
#[test]
fn tables_that_contradict_themselves_are_copied_with_everything() {
    let folder = folder();
    let line = "sgdisk -n 1:1M:+20M -n 2:0:+20M drive.img";
    let path = drive(folder.path(), "drive.img", 64 * MIB, line);
    std::fs::create_dir(folder.path().join("v")).unwrap();
    let volume = fat::make(&folder.path().join("v"), "v", 20 * MIB, "-F 16", &Sources::new(1, 4 << 20));
    put_volume(&path, MIB, &volume);
    put_volume(&path, 21 * MIB, &volume);
    let good = std::fs::read(&path).unwrap();
    assert!(allocation(&path).used_bytes() < 20 * MIB, "control: {:?}", allocation(&path).regions);
    let last = good.len() - 512;
    let changes: [(u64, Change<'_>); 6] = [
        (64, ("damaged", &|bytes| bytes[512 + 60] ^= 1)),
        (64, ("damaged", &|bytes| bytes[1024 + 32] ^= 1)),
        (64, ("not there", &|bytes| bytes[512] ^= 1)),
        // The copy alone is damaged: all systems go by the first.
        (20, ("", &|bytes| bytes[last + 60] ^= 1)),
        (30, ("ends behind the end", &|bytes| bytes.truncate(30 << 20))),
        (24, ("", &|bytes| bytes.truncate(60 << 20))),
    ];
    for (most_mib, (why, change)) in changes {
        let mut bytes = good.clone();
        change(&mut bytes);
        std::fs::write(&path, &bytes).unwrap();
        let used = allocation(&path);
        let said = used.regions.iter().find_map(|region| region.whole_because.clone()).unwrap_or_default();
        assert!(said.contains(why) && (said.is_empty() == why.is_empty()), "{why}: {said}");
        assert!(used.used_bytes() <= most_mib * MIB, "{why}: {:?}", used.regions);
        assert_eq!(!why.is_empty(), used.used_bytes() == bytes.len() as u64, "{why}: {:?}", used.regions);
    }
    // Overlapping partitions: what one calls free may be the other's.
    std::fs::write(&path, &good).unwrap();
    shell(folder.path(), "sgdisk -Z drive.img; echo 2048,40960 | sfdisk -q drive.img").expect(0);
    put(&path, 446 + 16, &entry(0x83, 20_000, 40_000));
    let used = allocation(&path);
    for name in ["partition 1", "partition 2"] {
        assert!(region(&used, name).whole_because.as_ref().unwrap().contains("overlaps"), "{:?}", used.regions);
        assert_eq!(region(&used, name).used_bytes, region(&used, name).len_bytes);
    }
}

/// An entry of a boot record.
pub(crate) fn entry(kind: u8, start: u32, sectors: u32) -> Vec<u8> {
    [&[0, 0, 0, 0, kind, 0, 0, 0][..], &start.to_le_bytes(), &sectors.to_le_bytes()].concat()
}

/// A boot sector that is a boot record too.
#[test]
fn a_volume_that_has_a_table_around_itself_is_copied_by_its_own() {
    let folder = folder();
    let path = drive(folder.path(), "drive.img", 64 * MIB, "mkfs.fat -F 32 -s 1 --mbr=y drive.img");
    let (to, used) = copied(&path);
    assert_eq!(region(&used, "partition 1").content, "FAT32");
    assert!(used.used_bytes() < 2 * MIB, "{:?}", used.regions);
    shell(folder.path(), &format!("fsck.fat -n '{}'", text(&to))).expect(0);
    // The same with a partition that begins elsewhere: who knows what this is?
    let mut head = std::fs::read(&path).unwrap();
    head[446 + 8..446 + 12].copy_from_slice(&2048_u32.to_le_bytes());
    head[446 + 12..446 + 16].copy_from_slice(&4096_u32.to_le_bytes());
    std::fs::write(&path, &head).unwrap();
    let used = allocation(&path);
    assert_eq!(used.used_bytes(), 64 * MIB);
    assert!(region(&used, "the whole drive").whole_because.as_ref().unwrap().contains("FAT"), "{:?}", used.regions);
}
