// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Whatever is on a drive, looking at it ends, and what is wrong is said. (A panic would be contained by the process it
//! runs in; there is none.) Whether an accepted drive is read right is asked in `appliance/fuzz`.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use platen_examine::{Depth, examine};
use platen_media::manifest::Scheme;

use crate::bench::Bench;
use crate::media::noise;

const LONGEST: Duration = Duration::from_secs(20);

#[derive(Default, Debug)]
struct Seen {
    tried: u64,
    panics: u64,
    with_files: u64,
    with_problems: u64,
    longest: Duration,
}

impl Seen {
    fn look(&mut self, memory: &[u8], what: &dyn std::fmt::Debug) {
        for depth in [Depth::Content, Depth::Places] {
            self.look_at(memory, depth, &(what, depth));
        }
    }

    fn look_at(&mut self, memory: &[u8], depth: Depth, what: &dyn std::fmt::Debug) {
        let began = Instant::now();
        let answer =
            catch_unwind(AssertUnwindSafe(|| examine(Cursor::new(memory), memory.len() as u64, depth, &mut |_, _| {})));
        let took = began.elapsed();
        assert!(took < LONGEST, "{what:?} took {took:?}");
        self.longest = self.longest.max(took);
        self.tried += 1;
        match answer {
            Ok(found) => {
                self.with_files += u64::from(!found.files.is_empty());
                self.with_problems += u64::from(!found.problems.is_empty());
                let size = memory.len() as u64;
                let mut places = found.files.iter().filter_map(|file| file.offset_bytes);
                assert!(places.all(|at| (1 << 20..size).contains(&at)), "{what:?}");
            }
            Err(_) => self.panics += 1,
        }
    }
}

fn quietly(run: impl FnOnce(&mut Seen)) -> Seen {
    let mut seen = Seen::default();
    run(&mut seen);
    seen
}

#[test]
fn noise_and_short_drives() {
    let seen = quietly(|seen| {
        for size in [0, 1, 511, 512, 4096, 1 << 20, (1 << 20) + 511, (1 << 20) + 512, 3 << 20] {
            for seed in 0..6 {
                seen.look(&noise(seed, size), &(size, seed));
                let mut signed = noise(seed, size.max(512));
                signed[510..512].copy_from_slice(&[0x55, 0xaa]);
                seen.look(&signed, &(size, seed));
            }
        }
    });
    eprintln!("noise: {seen:?}");
    // Noise is nothing: neither a file nor a file system with a fault.
    assert_eq!((seen.panics, seen.with_files, seen.with_problems), (0, 0, 0), "{seen:?}");
}

#[test]
fn mutated_media() {
    let bench = Bench::files();
    for scheme in [Scheme::Mbr, Scheme::Gpt] {
        let golden = bench.golden(&bench.plan(scheme));
        // From the boot sector to the first folders: everything that is parsed.
        let parsed = (1 << 20)..(3 << 20);
        let mut memory = golden.clone();
        let seen = quietly(|seen| {
            for round in 0..1200_u64 {
                let random = noise(round + 7, 64);
                let word = |n: usize| usize::from_le_bytes(random[n * 8..n * 8 + 8].try_into().unwrap());
                let mut touched = Vec::new();
                for change in 0..1 + word(0) % 5 {
                    let within = match word(1) % 4 {
                        0 => (1 << 20)..(1 << 20) + 512,
                        1 => (2 << 20)..(2 << 20) + 8192,
                        _ => parsed.clone(),
                    };
                    let at = within.start + word(2 + change) % within.len();
                    let len = [1, 1, 2, 4, 32][word(7) % 5];
                    touched.push(at..at + len);
                    for (byte, with) in memory[at..at + len].iter_mut().zip(noise(round * 31 + change as u64, len)) {
                        *byte = if word(6) % 3 == 0 { 0xff } else { with };
                    }
                }
                seen.look(&memory, &(round, &touched));
                for range in touched {
                    memory[range.clone()].copy_from_slice(&golden[range]);
                }
            }
        });
        eprintln!("mutated {scheme}: {seen:?}");
        assert_eq!(seen.panics, 0, "{seen:?}");
        // Most changes are seen for what they are; of some only the rest of the drive can tell, and some are none.
        assert!(seen.with_problems > seen.tried / 4 && seen.with_problems < seen.tried, "{seen:?}");
        assert!(seen.with_files > seen.tried / 4, "{seen:?}");
    }
}

/// Folders and files that lead to themselves: without a limit on what is read there is no end.
#[test]
fn loops_end() {
    let bench = Bench::files();
    let golden = bench.golden(&bench.plan(Scheme::Mbr));
    let boot = 1 << 20;
    let word = |at: usize, len: usize| {
        golden[at..at + len].iter().rev().fold(0_usize, |all, byte| (all << 8) | usize::from(*byte))
    };
    let reserved = word(boot + 14, 2) * 512;
    let fat_bytes = word(boot + 36, 4) * 512;
    let cluster_bytes = word(boot + 13, 1) * 512;
    let data = boot + reserved + 2 * fat_bytes;
    let link = |memory: &mut Vec<u8>, cluster: usize, to: u32| {
        for fat in 0..2 {
            let at = boot + reserved + fat * fat_bytes + cluster * 4;
            memory[at..at + 4].copy_from_slice(&to.to_le_bytes());
        }
    };
    let folder = |name: &[u8; 11], cluster: u32| {
        let mut entry = [0; 32];
        entry[..11].copy_from_slice(name);
        entry[11] = 0x10;
        entry[20..22].copy_from_slice(&((cluster >> 16) as u16).to_le_bytes());
        entry[26..28].copy_from_slice(&(cluster as u16).to_le_bytes());
        entry
    };
    let file = |name: &[u8; 11], cluster: u32, size: u32| {
        let mut entry = folder(name, cluster);
        entry[11] = 0x20;
        entry[28..32].copy_from_slice(&size.to_le_bytes());
        entry
    };
    let put = |memory: &mut Vec<u8>, entries: &[[u8; 32]]| {
        let bytes = entries.concat();
        memory[data..data + bytes.len()].copy_from_slice(&bytes);
        memory[data + bytes.len()..data + cluster_bytes].fill(0);
    };
    let names: Vec<[u8; 11]> = (0..15).map(|n| *format!("{n:<11}").as_bytes().first_chunk().unwrap()).collect();
    let mut seen = Seen::default();

    // The root's chain leads back to itself; all entries deleted, so that there is nothing to count.
    let mut memory = golden.clone();
    put(&mut memory, &[]);
    memory[data..data + cluster_bytes].fill(0xe5);
    link(&mut memory, 2, 2);
    seen.look(&memory, &"a root of deleted entries without end");

    // Fifteen folders, each of them the root again: 15^64 of them.
    let mut memory = golden.clone();
    put(&mut memory, &names.iter().map(|name| folder(name, 2)).collect::<Vec<_>>());
    link(&mut memory, 2, 0x0fff_ffff);
    seen.look(&memory, &"folders in themselves");

    // Many files of 4 GiB on one cluster.
    let mut memory = golden.clone();
    put(&mut memory, &names.iter().map(|name| file(name, 5, u32::MAX)).collect::<Vec<_>>());
    link(&mut memory, 2, 0x0fff_ffff);
    link(&mut memory, 5, 5);
    seen.look(&memory, &"files bigger than the drive");

    // Both at once: a root without end, of files without end.
    link(&mut memory, 2, 2);
    memory[data + 480..data + 512].copy_from_slice(&file(b"AAAAAAAAAAA", 5, u32::MAX));
    seen.look(&memory, &"a root without end of files without end");
    eprintln!("loops: {seen:?}");
    assert_eq!((seen.panics, seen.with_problems), (0, seen.tried), "{seen:?}");
}
