// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Devices that lie: about what they stored, about what they read, about how much they hold.

use std::sync::Arc;

use crate::bench::{After, Bench, LIMIT, Said, WIDE};
use crate::device::{self, DEVICE_MIB, Fill, Lie, Model};
use crate::direct::{self, Random};
use crate::judge::Medium;
use crate::lanes::{Tried, lane};
use crate::process;
use crate::table::{Kind, Lane, Seen};

const MIB: u64 = 1 << 20;
const SIZE: u64 = DEVICE_MIB as u64 * MIB;

/// A lie for the Nth injection.
type Chosen = fn(&mut Random, u64) -> Lie;

/// Whether the drive is still like this after the write; other lies are told once.
fn stays(lie: Lie) -> bool {
    !matches!(lie.model, Model::FlipRead | Model::FlipWrite | Model::Misplace | Model::Stale | Model::DropFromByte)
}

fn lies(medium: usize, times: u64, choose: Chosen) -> Lane {
    lane(medium, None, Some(times), move |bench, at| {
        let lie = choose(&mut bench.random, at.n);
        bench.device().lie(Lie::HONEST);
        bench.device().prepare(at.medium, at.before);
        bench.device().lie(lie);
        let bad = bench.device().path();
        let command = bench.command(at.medium, &bad);
        let attempt = bench.run(command, &bad, |_, _| {});
        let struck = bench.device().struck();
        // Plugged in again: whatever was in its cache only is lost.
        bench.device().lie(if stays(lie) { lie } else { Lie::HONEST });
        if struck == 0 {
            assert_eq!(attempt.bad, Said::Ready, "{lie:?}: {}", attempt.ended.stderr);
            return Tried::Missed;
        }
        let after = match lie.model {
            Model::Stale | Model::DropFromByte => After::Unwritable,
            _ => After::Writable,
        };
        let what = at.named(&format!("{lie:?}"));
        let injection = bench.judge(what, at.medium, &attempt, &bad, after, at.before);
        bench.device().lie(Lie::HONEST);
        Tried::Judged(bad, injection)
    })
}

fn blind_write(bench: &mut Bench, choose: Chosen) -> Seen {
    let setting = Arc::clone(&bench.setting);
    let medium = setting.medium(WIDE);
    let mut seen = Seen { tried: 0, wrong: 0 };
    for n in 1..=3 {
        let lie = choose(&mut bench.random, n);
        bench.device().lie(Lie::HONEST);
        bench.device().prepare(medium, 1);
        bench.device().lie(lie);
        let path = bench.device().path();
        let ended = process::run(&mut bench.blind("blind-write", medium, &path), LIMIT);
        bench.device().lie(if stays(lie) { lie } else { Lie::HONEST });
        seen.tried += 1;
        seen.wrong += u64::from(ended.status == Some(0) && bench.sees_wrong(medium, &path));
    }
    bench.device().lie(Lie::HONEST);
    seen
}

/// A wrong bit that one read turns right: whoever reads once believes it. If another program of this machine looks at the
/// device at that moment, its read is the first.
fn blind_check(bench: &mut Bench) -> Seen {
    let setting = Arc::clone(&bench.setting);
    let medium: &Medium = setting.medium(0);
    let path = bench.device().path();
    let mut spoilt = medium.golden.clone();
    spoilt[100] ^= 1;
    let mut seen = Seen { tried: 0, wrong: 0 };
    while seen.wrong == 0 && seen.tried < 3 {
        bench.device().lie(Lie::HONEST);
        direct::write(&path, &medium.regions, &spoilt);
        bench.device().lie(Lie { nth: 1, argument: 800, ..Lie::new(Model::FlipRead) });
        let ended = process::run(&mut bench.blind("blind-check", medium, &path), LIMIT);
        bench.device().lie(Lie::HONEST);
        seen.tried += 1;
        seen.wrong += u64::from(ended.status == Some(0) && bench.sees_wrong(medium, &path));
    }
    seen
}

/// The same for a drive with a cache: what it lacks is more than the cache holds, or it lacks nothing that could be seen.
fn real_behind_cache(random: &mut Random) -> u64 {
    random.within(2 * MIB / 512..SIZE / 4 * 3 / 512) * 512
}

/// Some whole sectors of real memory.
fn real(random: &mut Random) -> u64 {
    random.within(2 * MIB / 512..(SIZE - 2 * MIB) / 512) * 512
}

/// Among the first requests; a write of the small media is twenty to forty.
fn request(random: &mut Random) -> u64 {
    random.within(1..32)
}

/// One-time faults of what is stored and read.
const FAULTS: &[(&str, Chosen)] = &[
    ("bit flips in a read", |random, _| Lie {
        nth: request(random),
        argument: random.next() >> 8,
        ..Lie::new(Model::FlipRead)
    }),
    ("bit flips in a write", |random, _| Lie {
        nth: request(random),
        argument: random.next() >> 8,
        ..Lie::new(Model::FlipWrite)
    }),
    ("write goes elsewhere", |random, n| {
        let by = [512, 512u64.wrapping_neg(), MIB, MIB.wrapping_neg(), 4096, 8 * MIB][n as usize % 6];
        Lie { nth: request(random), argument: by, ..Lie::new(Model::Misplace) }
    }),
    // Smaller than the media: a drive that keeps all it was ever given in memory is known only by pulling it.
    ("stale cache", |_, n| Lie { cache_bytes: MIB << (n % 3), ..Lie::new(Model::Stale) }),
    ("drops from a byte on", |random, _| Lie { argument: random.within(0..9 * MIB), ..Lie::new(Model::DropFromByte) }),
];

/// Fakes that claim more than they have. Behind a cache of more than a quarter of the claim such a drive shows only when
/// it was pulled; the README says so.
const FAKES: &[(&str, Chosen)] = &[
    ("fake: wraps, power of two", |_, n| Lie { real_bytes: MIB << (1 + n % 5), ..Lie::new(Model::Wrap) }),
    ("fake: wraps, any size", |random, _| Lie { real_bytes: real(random), ..Lie::new(Model::Wrap) }),
    ("fake: wraps, just short", |random, _| Lie {
        real_bytes: SIZE - random.within(1..2048) * 512,
        ..Lie::new(Model::Wrap)
    }),
    ("fake: wraps, with a cache", |random, n| Lie {
        real_bytes: real_behind_cache(random),
        cache_bytes: [1, 4, 8][n as usize % 3] * MIB,
        ..Lie::new(Model::Wrap)
    }),
    ("fake: upper half wraps", |_, _| Lie::new(Model::UpperHalf)),
    ("fake: limbo reads zeros", |random, _| Lie { real_bytes: real(random), ..Lie::new(Model::Limbo) }),
    ("fake: limbo reads 0xff", |random, _| Lie {
        real_bytes: real(random),
        fill: Fill::Ones,
        ..Lie::new(Model::Limbo)
    }),
    ("fake: limbo reads noise", |random, _| Lie {
        real_bytes: real(random),
        fill: Fill::Noise,
        ..Lie::new(Model::Limbo)
    }),
    ("fake: limbo, cache 1 MiB", |random, _| Lie {
        real_bytes: real_behind_cache(random),
        cache_bytes: MIB,
        ..Lie::new(Model::Limbo)
    }),
    ("fake: limbo, cache 4 MiB", |random, _| Lie {
        real_bytes: real_behind_cache(random),
        cache_bytes: 4 * MIB,
        ..Lie::new(Model::Limbo)
    }),
    ("fake: limbo, cache 8 MiB", |random, _| Lie {
        real_bytes: real_behind_cache(random),
        cache_bytes: 8 * MIB,
        ..Lie::new(Model::Limbo)
    }),
    ("fake: limbo, last MiB real", |random, _| Lie { real_bytes: real(random), ..Lie::new(Model::LimboLastMib) }),
    ("fake: hole in the middle", |random, _| {
        let start = real(random);
        Lie { real_bytes: start, argument: random.within(MIB..SIZE - start) / 512 * 512, ..Lie::new(Model::Hole) }
    }),
    ("fake: every Nth sector lost", |random, n| Lie {
        real_bytes: real(random),
        argument: [2, 7, 64, 1000][n as usize % 4],
        ..Lie::new(Model::NthLost)
    }),
];

pub fn kinds(full: bool) -> Vec<Kind> {
    let can_be_had = device::can_be_had();
    let kind = |name: &str, choose: Chosen, media: &[usize], times: u64| {
        if !can_be_had {
            return Kind::skipped(name);
        }
        let lanes = media.iter().map(|&medium| lies(medium, times, choose)).collect();
        match choose(&mut Random(0), 1).model {
            Model::FlipRead => Kind::new(name, lanes, blind_check),
            _ => Kind::new(name, lanes, move |bench| blind_write(bench, choose)),
        }
    };
    let (faults, fakes) = if full { (80, 60) } else { (6, 3) };
    let faults = FAULTS.iter().map(|&(name, choose)| kind(name, choose, &[0, 1, 2], faults));
    faults.chain(FAKES.iter().map(|&(name, choose)| kind(name, choose, &[0, WIDE], fakes))).collect()
}
