// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Foreign drives whose used parts are looked for: volumes made by the programs that make them, and partition tables
//! around two. Whatever is changed, the answer is about this drive, and what is left out was proven to be free.

use std::io::Cursor;
use std::ops::Range;
use std::path::Path;
use std::sync::{LazyLock, Mutex, PoisonError};

use platen_examine::{allocation, find_layout};
use platen_testkit::station::tool;

use super::drive::Patches;
use crate::Answer;

const MIB: u64 = 1 << 20;
/// What is parsed lies in blocks that are not empty; so many of them are changed.
const BLOCK_BYTES: usize = 512;
const MAX_BLOCKS: usize = 256;

/// One line for each drive, which makes the file `drive`.
const LINES: [&str; 8] = [
    "truncate -s 4M drive && mkfs.fat -F 12 drive",
    "truncate -s 12M drive && mkfs.fat -F 16 drive",
    "truncate -s 36M drive && mkfs.fat -F 32 -s 1 drive",
    "truncate -s 8M drive && mkfs.exfat drive",
    "truncate -s 8M drive && mkntfs -q -F drive",
    "truncate -s 8M drive && mke2fs -q -t ext2 -b 1024 -g 1024 drive",
    "truncate -s 12M v && mkfs.fat -F 16 v && truncate -s 32M drive && sgdisk -n 1:1M:+12M -n 2:0:+12M drive && \
     dd if=v of=drive bs=1M seek=1 conv=notrunc && dd if=v of=drive bs=1M seek=13 conv=notrunc",
    "truncate -s 4M v && mkfs.fat -F 12 v && truncate -s 32M drive && \
     printf '2048,8192\\n16384,,5\\n18432,8192\\n' | sfdisk -q drive && \
     dd if=v of=drive bs=1M seek=1 conv=notrunc && dd if=v of=drive bs=1M seek=9 conv=notrunc",
];

/// Its place among them.
const EXFAT: u8 = 3;

struct Drive {
    memory: Vec<u8>,
    blocks: Vec<Range<usize>>,
}

static DRIVES: LazyLock<Vec<Mutex<Drive>>> =
    LazyLock::new(|| LINES.iter().map(|line| Mutex::new(drive(line))).collect());

fn drive(line: &str) -> Drive {
    let folder = tempfile::tempdir().unwrap();
    let line = format!("cd '{}' && export PATH=$PATH:/usr/sbin:/sbin && {{ {line} ; }}", folder.path().display());
    tool("bash", &["-c", &line]).expect(0);
    read(&folder.path().join("drive"))
}

fn read(path: &Path) -> Drive {
    let memory = std::fs::read(path).unwrap();
    let starts = (0..memory.len()).step_by(BLOCK_BYTES);
    let blocks =
        starts.map(|at| at..at + BLOCK_BYTES).filter(|block| memory[block.clone()].iter().any(|&byte| byte != 0));
    let blocks = blocks.take(MAX_BLOCKS).collect();
    Drive { memory, blocks }
}

pub(super) fn samples() -> Vec<Vec<u8>> {
    // Each of them as it is, and with bytes changed that nobody goes by: boot code, and where ext2 was mounted last. exFAT
    // has a checksum over its boot code.
    let changes: Vec<(u8, usize, &[u8])> = (0..12).map(|n| (0, 144 + 4 * n, &[1, 2, 0x80, 0xff][..])).collect();
    let plain = (0..LINES.len() as u8).map(|which| vec![which]);
    let changed = (0..LINES.len() as u8).filter(|which| *which != EXFAT);
    let changed = changed.map(|which| [vec![which], Patches::encode(&changes)].concat());
    plain.chain(changed).collect()
}

pub(super) fn ask(bytes: &[u8]) -> Answer {
    let (which, patches) = bytes.split_first().map_or((0, bytes), |(first, rest)| (*first, rest));
    let mut drive = DRIVES[usize::from(which) % LINES.len()].lock().unwrap_or_else(PoisonError::into_inner);
    let Drive { memory, blocks } = &mut *drive;
    let before = Patches::of(patches).apply(memory, blocks);
    let answer = judge(memory);
    for (at, bytes) in before.into_iter().rev() {
        memory[at..at + bytes.len()].copy_from_slice(&bytes);
    }
    answer
}

fn judge(memory: &[u8]) -> Answer {
    let size_bytes = memory.len() as u64;
    let used = allocation(Cursor::new(memory), size_bytes, 512).unwrap();
    assert!(used.is_sound(size_bytes), "extents that this drive can't have");
    let first = used.extents.first().map(|extent| extent.offset_bytes);
    assert_eq!(first, Some(0), "the first sector is in use");
    let sectors = used.extents.iter().all(|extent| extent.offset_bytes % 512 == 0 && extent.len_bytes % 512 == 0);
    assert!(sectors, "only whole sectors are copied");
    for region in &used.regions {
        assert!(region.used_bytes <= region.len_bytes, "{region:?}");
        let is_whole = region.used_bytes == region.len_bytes;
        assert!(is_whole || region.whole_because.is_none(), "copied whole, and not: {region:?}");
    }
    // The other question about foreign drives: where a layout lies.
    if let Ok(found) = find_layout(Cursor::new(memory), size_bytes, 512).unwrap() {
        assert!(found.is_sound(size_bytes, 512), "files where this drive can't have them");
    }
    let is_partitioned = used.regions.len() > 1;
    let end = used.extents.last().map_or(0, |extent| extent.offset_bytes + extent.len_bytes);
    assert!(!is_partitioned || end == size_bytes, "what is at the very end of a drive is copied");
    assert!(!is_partitioned || used.used_bytes() >= MIB.min(size_bytes));
    if used.used_bytes() < size_bytes { Answer::Accepted } else { Answer::Refused }
}
