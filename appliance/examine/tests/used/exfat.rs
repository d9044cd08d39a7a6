// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! exFAT by mkfs.exfat (exfatprogs), filled and read by exfat-fuse, which is another implementation, judged by
//! fsck.exfat. Many kernels have no exFAT of their own.

use std::path::{Path, PathBuf};

use platen_testkit::need;
use platen_testkit::station::Ran;

use crate::copy::{Change, Volume, allocation, judge_alone, region};
use crate::tools::{Files, Sources, blank, difference, finds_nothing, folder, number_after, read_files, shell, text};

/// What mounting needs. False: it may be skipped here.
pub(crate) fn can_mount() -> bool {
    need::root() && need::demand("fuse", Path::new("/dev/fuse").exists(), "no /dev/fuse; load the kernel module fuse")
}

/// Mount through a loop device, do something in it, and unmount.
fn mounted(folder: &Path, volume: &str, options: &str, line: &str) -> Ran {
    let line = format!(
        "mkdir -p mnt && loop=$(losetup --find --show {options} '{volume}') && \
         {{ mount.exfat-fuse -o {flags} $loop mnt > /dev/null && {{ {line} ; }} ; status=$? ; umount mnt ; losetup -d $loop ; exit $status ; }}",
        flags = if options.is_empty() { "rw" } else { "ro" },
    );
    shell(folder, &line)
}

pub(crate) fn make(folder: &Path, name: &str, size_bytes: u64, options: &str, sources: &Sources) -> PathBuf {
    let volume = folder.join(name);
    blank(&volume, size_bytes);
    sources.write(folder);
    let turns = sources.in_turn().join(" ");
    shell(folder, &format!("mkfs.exfat {options} {name}")).expect(0);
    let line = format!("cp {turns} mnt/ && rm mnt/R*.bin && cp late/* mnt/");
    mounted(folder, name, "", &line).expect(0);
    shell(folder, &format!("fsck.exfat -n {name}")).expect(0);
    volume
}

/// Do something in the folder `mnt`.
pub(crate) fn fill(folder: &Path, name: &str, line: &str) -> Ran {
    mounted(folder, name, "", line)
}

pub(crate) fn judge(volume: &Path, expected: &Files) -> Result<(), String> {
    let folder = folder();
    finds_nothing(&shell(folder.path(), &format!("fsck.exfat -n '{}'", text(volume))))?;
    finds_nothing(&mounted(folder.path(), text(volume), "--read-only", "cp mnt/*.bin ."))?;
    difference(expected, &read_files(folder.path()))
}

fn counted_bytes(volume: &Path) -> u64 {
    let said = shell(Path::new("/"), &format!("dump.exfat '{}'", text(volume))).expect(0).stdout;
    let number = |words| number_after(&said, words);
    let before = number("Cluster Heap Offset (sector offset):") << number("Sector Size Bits:");
    before + (number("Total Clusters:") - number("Free Clusters:")) * number("Cluster size:")
}

#[test]
fn exfat_is_copied_by_its_bitmap() {
    if !can_mount() {
        return;
    }
    for options in ["", "-c 512", "-c 128K"] {
        println!("{options}");
        let (folder, sources) = (folder(), Sources::new(options.len() as u64, 8 << 20));
        let path = make(folder.path(), "volume.img", (40 << 20) + 5 * 512, options, &sources);
        let (expected, counted_bytes) = (sources.there(), counted_bytes(&path));
        let judge = |volume: &Path| judge(volume, &expected);
        // What is behind the last cluster.
        let allowance_bytes = 128 << 10;
        judge_alone(&Volume { path, content: "exFAT", counted_bytes, allowance_bytes, judge: &judge }, &sources);
    }
}

#[test]
fn an_exfat_that_was_not_left_in_order_is_copied_whole() {
    if !can_mount() {
        return;
    }
    let (folder, sources) = (folder(), Sources::new(5, 4 << 20));
    let path = make(folder.path(), "volume.img", 40 << 20, "-c 4096", &sources);
    let good = std::fs::read(&path).unwrap();
    assert!(allocation(&path).used_bytes() < good.len() as u64 / 2, "control");
    let number = |at: usize| u32::from_le_bytes(good[at..at + 4].try_into().unwrap()) as usize;
    let (table, heap, root) = (number(80) * 512, number(88) * 512, number(96));
    let root_at = heap + (root - 2) * 4096;
    let bitmap = (0..4096).step_by(32).map(|at| root_at + at).find(|at| good[*at] == 0x81).unwrap();
    let bitmap_at = heap + (number(bitmap + 20) - 2) * 4096;
    let changes: [Change<'_>; 7] = [
        ("unmounted", &|bytes| bytes[106] |= 2),
        ("checksum", &|bytes| bytes[200] ^= 1),
        ("checksum", &|bytes| bytes[11 * 512 + 100] ^= 1),
        ("0 allocation bitmaps", &|bytes| bytes[bitmap] = 0x01),
        ("not as long", &|bytes| bytes[bitmap + 24] -= 1),
        ("more clusters than it needs", &|bytes| bytes[table + number(bitmap + 20) * 4..][..4].fill(1)),
        ("belongs to something", &|bytes| bytes[bitmap_at] &= !1),
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
}
