// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! NTFS by mkntfs, filled by ntfscp, judged by ntfsfix, ntfsinfo and ntfscluster.

use std::path::{Path, PathBuf};

use crate::copy::{Change, Volume, allocation, judge_alone, region};
use crate::tools::{Files, Sources, blank, difference, finds_nothing, folder, number_after, read_files, shell, text};

/// Make a volume and fill it. Nothing can be removed here, but files can be made longer once others are behind them.
pub(crate) fn make(folder: &Path, name: &str, size_bytes: u64, options: &str, sources: &Sources) -> PathBuf {
    let volume = folder.join(name);
    blank(&volume, size_bytes);
    sources.write(folder);
    std::fs::create_dir(folder.join("short")).unwrap();
    for (name, bytes) in &sources.late {
        std::fs::write(folder.join("short").join(name), &bytes[..bytes.len() / 3]).unwrap();
    }
    let line = format!(
        "mkntfs -q -F {options} {name} && for file in short/* kept/* late/*; do ntfscp -f {name} $file ${{file#*/}} || exit 9; done"
    );
    shell(folder, &line).expect(0);
    volume
}

pub(crate) fn judge(volume: &Path, expected: &Files) -> Result<(), String> {
    let folder = folder();
    finds_nothing(&shell(folder.path(), &format!("ntfsfix -n '{}'", text(volume))))?;
    // The consistency check of a resize looks at every cluster of every file against the bitmap.
    finds_nothing(&shell(folder.path(), &format!("ntfsresize -fi '{}'", text(volume))))?;
    let names: Vec<&str> = expected.keys().map(String::as_str).collect();
    let names = names.join(" ");
    shell(folder.path(), &format!("for name in {names}; do ntfscat -f '{}' $name > $name; done", text(volume)));
    difference(expected, &read_files(folder.path()))
}

fn counted_bytes(volume: &Path) -> u64 {
    let said = shell(Path::new("/"), &format!("ntfsinfo -m '{}'", text(volume))).expect(0).stdout;
    let number = |words| number_after(&said, words);
    (number("Volume Size in Clusters:") - number("Free Clusters:")) * number("Cluster Size:")
}

/// The volume itself, which says how large it is; and the copy of its boot sector behind it.
#[test]
fn ntfs_is_copied_by_its_bitmap() {
    for options in ["", "-c 512", "-c 65536", "-s 4096 -c 4096", "-I -p 2048"] {
        println!("{options}");
        let (folder, sources) = (folder(), Sources::new(options.len() as u64, 8 << 20));
        let path = make(folder.path(), "volume.img", (48 << 20) + 7 * 4096, options, &sources);
        let (expected, counted_bytes) = (sources.there(), counted_bytes(&path));
        let judge = |volume: &Path| judge(volume, &expected);
        let volume = Volume { path, content: "NTFS", counted_bytes, allowance_bytes: 64 << 10, judge: &judge };
        judge_alone(&volume, &sources);
        let used = allocation(&volume.path);
        let last = used.extents.last().unwrap();
        let size_bytes = volume.path.metadata().unwrap().len();
        assert_eq!(last.offset_bytes + last.len_bytes, size_bytes, "the copy of the boot sector");
    }
}

#[test]
fn an_ntfs_that_was_not_left_in_order_is_copied_whole() {
    let (folder, sources) = (folder(), Sources::new(5, 4 << 20));
    let path = make(folder.path(), "volume.img", 48 << 20, "-c 4096", &sources);
    let good = std::fs::read(&path).unwrap();
    assert!(allocation(&path).used_bytes() < good.len() as u64 / 2, "control");
    let number = |at: usize| u64::from_le_bytes(good[at..at + 8].try_into().unwrap()) as usize;
    let (table, mirror) = (number(48) * 4096, number(56) * 4096);
    // Dirty: the flags in the third record, and in the mirror of it.
    let flags = {
        let record = &good[table + 3 * 1024..][..1024];
        let mut at = usize::from(record[0x14]);
        while record[at] != 0x70 {
            at += u32::from_le_bytes(record[at + 4..at + 8].try_into().unwrap()) as usize;
        }
        3 * 1024 + at + usize::from(record[at + 0x14]) + 10
    };
    let log = find(&good, &[0xff; 8192]);
    let changes: [Change<'_>; 7] = [
        ("unmounted", &|bytes| [table, mirror].into_iter().for_each(|at| bytes[at + flags] |= 1)),
        ("mirror", &|bytes| bytes[table + flags] |= 1),
        ("not written to its end", &|bytes| bytes[table + 6 * 1024 + 510] ^= 1),
        ("log is open", &|bytes| bytes[log..log + 8192].copy_from_slice(&restart_pages(0, 0))),
        ("log can't be read", &|bytes| bytes[log..log + 8192].fill(0)),
        ("larger than its partition", &|bytes| bytes.truncate(47 << 20)),
        ("larger than its partition", &|bytes| bytes[13] = 3),
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
    // A log that was closed, in either way, is as good as an empty one.
    for (in_use, flags) in [(0xffff, 0), (0, 2)] {
        let mut bytes = good.clone();
        bytes[log..log + 8192].copy_from_slice(&restart_pages(in_use, flags));
        std::fs::write(&path, &bytes).unwrap();
        assert!(allocation(&path).used_bytes() < good.len() as u64 / 2, "{:?}", allocation(&path).regions);
    }
}

fn find(bytes: &[u8], needle: &[u8]) -> usize {
    (0..bytes.len()).step_by(4096).find(|at| bytes[*at..].starts_with(needle)).unwrap()
}

/// Two restart pages of a log, of which the second is the newer.
pub(crate) fn restart_pages(in_use: u16, flags: u16) -> Vec<u8> {
    let page = |number: u64, in_use: u16, flags: u16| {
        let mut page = vec![0_u8; 4096];
        page[..8].copy_from_slice(b"RSTR\x1e\0\x09\0");
        page[0x10..0x14].copy_from_slice(&4096_u32.to_le_bytes());
        page[0x14..0x18].copy_from_slice(&4096_u32.to_le_bytes());
        page[0x18..0x1e].copy_from_slice(&[0x30, 0, 1, 0, 1, 0]);
        page[0x30..0x38].copy_from_slice(&number.to_le_bytes());
        page[0x3c..0x3e].copy_from_slice(&in_use.to_le_bytes());
        page[0x3e..0x40].copy_from_slice(&flags.to_le_bytes());
        // The number of this writing, at the end of each 512 bytes.
        page[0x1e] = 7;
        (1..=8).for_each(|stride| page[stride * 512 - 2] = 7);
        page
    };
    [page(1, 0xffff, 2), page(2, in_use, flags)].concat()
}
