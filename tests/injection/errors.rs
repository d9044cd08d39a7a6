// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! System calls on the bad drive that fail or lie, each at its first, second, third... place until the drive is
//! written before the fault strikes.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use crate::bench::{After, Bench, LIMIT, SWEPT, Said, WIDE};
use crate::direct;
use crate::judge::Medium;
use crate::lanes::{Blow, Tried, lane};
use crate::process;
use crate::strace::{self, FLUSH, READ, WRITE, ZERO};
use crate::table::{Kind, Lane, Seen};

/// What drives and kernels answer.
const ERRNOS: &[&str] = &["EIO", "ETIMEDOUT"];

/// The faults for the Nth place; None when there is no such place.
type Faults = Box<dyn Fn(&Medium, u64) -> Option<Vec<String>> + Send>;

/// All media, and on a full run both things that may have been on the drive before.
pub fn lanes(full: bool, make: impl Fn(usize, Option<usize>) -> Lane) -> Vec<Lane> {
    let befores: &[Option<usize>] = if full { &[Some(0), Some(1)] } else { &[None] };
    (0..SWEPT).flat_map(|medium| befores.iter().map(move |&before| (medium, before))).map(|(m, b)| make(m, b)).collect()
}

/// The Nth place to try: on a full run every one, every second over each of the things that may have been on the drive;
/// on a short one every sixth, each medium beginning at another.
pub fn place(n: u64, medium: usize, before: Option<usize>) -> u64 {
    match before {
        Some(before) => (n - 1) * 2 + 1 + before as u64,
        None => (n - 1) * 6 + 1 + medium as u64 * 2 % 6,
    }
}

/// Each place in turn. Without a `before`, which is a short run, places take turns with what was on the drive.
pub fn sweep(index: usize, before: Option<usize>, after: After, faults: Faults) -> Lane {
    lane(index, before, None, move |bench, at| {
        let Some(faults) = faults(at.medium, place(at.n, index, before)) else { return Tried::End };
        let bad = at.file(bench);
        let (attempt, struck) = bench.with_faults(at.medium, &faults);
        if !struck {
            assert_eq!(attempt.bad, Said::Ready, "{faults:?} did not strike: {}", attempt.ended.stderr);
            return Tried::End;
        }
        Tried::Struck(Blow { what: faults.join(" and "), attempt, bad, after, code: None })
    })
}

/// A blind writer under the same faults: is there one whose drive the judge calls wrong?
pub fn blind_write(bench: &mut Bench, faults: impl Fn(u64) -> Vec<String>) -> Seen {
    blind(bench, "blind-write", 0, faults)
}

fn blind(bench: &mut Bench, verb: &str, medium: usize, faults: impl Fn(u64) -> Vec<String>) -> Seen {
    let setting = Arc::clone(&bench.setting);
    let (medium, bad) = (setting.medium(medium), bench.bad());
    let mut seen = Seen { tried: 0, wrong: 0 };
    for n in [1, 2, 4] {
        bench.prepare(&bad, medium, 1);
        let blind = bench.blind(verb, medium, &bad);
        let ended = process::run(&mut strace::wrap(&blind, &[&bad], &faults(n), &bench.log()), LIMIT);
        let passed = ended.status == Some(0) && strace::struck(&bench.log());
        seen.tried += 1;
        seen.wrong += u64::from(passed && bench.sees_wrong(medium, &bad));
    }
    seen
}

/// A blind checker under the same faults, on a drive that is spoilt just where the fault strikes.
pub fn blind_check(bench: &mut Bench, run: impl Fn(&Bench, Command, &Path, u64) -> Option<i32>) -> Seen {
    let setting = Arc::clone(&bench.setting);
    let (medium, bad) = (setting.medium(0), bench.bad());
    let mut seen = Seen { tried: 0, wrong: 0 };
    for n in [1, 3, 5] {
        bench.prepare(&bad, medium, 1);
        let mut spoilt = medium.golden.clone();
        // In the second half of the piece, which a read that moves half of it does not reach.
        let spoil = direct::pieces(&medium.regions).nth(n as usize - 1).expect("a piece");
        let places = (spoil.0..spoil.0 + spoil.1 as u64).rev();
        let at = places.map(|at| at as usize).find(|&at| medium.is_planned(at)).expect("a byte that is planned");
        spoilt[at] ^= 1;
        direct::write(&bad, &medium.regions, &spoilt);
        let healthy = process::run(&mut bench.blind("blind-check", medium, &bad), LIMIT);
        assert_eq!(healthy.status, Some(1), "without a fault even the blind checker sees it");
        let passed = run(bench, bench.blind("blind-check", medium, &bad), &bad, n) == Some(0);
        seen.tried += 1;
        seen.wrong += u64::from(passed && bench.sees_wrong(medium, &bad));
    }
    seen
}

fn blind_check_strace(bench: &mut Bench, fault: impl Fn(u64) -> String) -> Seen {
    blind_check(bench, |bench, command, bad, n| {
        process::run(&mut strace::wrap(&command, &[bad], &[fault(n)], &bench.log()), LIMIT).status
    })
}

fn errors(full: bool, call: &'static str) -> Vec<Lane> {
    let errnos = if full { ERRNOS } else { &ERRNOS[..1] };
    let lane = |errno: &'static str| {
        lanes(full, move |medium, before| {
            let faults = move |_: &Medium, n| Some(vec![format!("{call}:error={errno}:when={n}")]);
            sweep(medium, before, After::Writable, Box::new(faults))
        })
    };
    errnos.iter().flat_map(|errno| lane(errno)).collect()
}

/// The call claims to have moved this part of what was asked, and moved nothing.
fn lies(full: bool, call: &'static str, parts: u64) -> Vec<Lane> {
    lanes(full, move |medium, before| {
        let faults = move |medium: &Medium, n: u64| {
            let calls = if call == WRITE { &medium.calls.writes } else { &medium.calls.reads };
            let asked = *calls.get(n as usize - 1)?;
            let claimed = (asked / parts / 512 * 512).max(asked.min(512));
            Some(vec![format!("{call}:retval={claimed}:when={n}")])
        };
        sweep(medium, before, After::Writable, Box::new(faults))
    })
}

/// From the Nth write on.
fn read_only(full: bool) -> Vec<Lane> {
    let errnos: &[&'static str] = if full { &["EROFS", "EPERM"] } else { &["EROFS"] };
    let lane = |errno: &'static str| {
        lanes(full, move |medium, before| {
            let faults = move |_: &Medium, n| Some(vec![format!("{WRITE}:error={errno}:when={n}+")]);
            sweep(medium, before, After::Unwritable, Box::new(faults))
        })
    };
    errnos.iter().flat_map(|errno| lane(errno)).collect()
}

/// A flush fails because the drive lost what it had in its cache: each write, with each flush after it.
fn lost_in_cache(full: bool) -> Vec<Lane> {
    let step = if full { 2 } else { 5 };
    lanes(full, move |medium, before| {
        let faults = move |medium: &Medium, n: u64| {
            let calls = &medium.calls;
            let before = |(flush, &before): (usize, &usize)| (0..before).map(move |write| (write, flush));
            let (write, flush) = calls.flushes.iter().enumerate().flat_map(before).nth((n as usize - 1) * step)?;
            let drop = format!("{WRITE}:retval={}:when={}", calls.writes[write], write + 1);
            Some(vec![drop, format!("{FLUSH}:error=EIO:when={}", flush + 1)])
        };
        sweep(medium, before, After::Writable, Box::new(faults))
    })
}

/// A write is dropped, and another call fails too; only on a full run.
fn pairs() -> Vec<Lane> {
    let others = [(READ, 1), (READ, 4), (READ, 9), (FLUSH, 1), (FLUSH, 2), (FLUSH, 3)];
    let lane = |(call, when): (&'static str, u64)| {
        (0..SWEPT).map(move |medium| {
            let faults = move |medium: &Medium, n: u64| {
                let asked = medium.calls.writes.get(n as usize - 1)?;
                Some(vec![format!("{WRITE}:retval={asked}:when={n}"), format!("{call}:error=EIO:when={when}")])
            };
            sweep(medium, Some(1), After::Writable, Box::new(faults))
        })
    };
    others.into_iter().flat_map(lane).collect()
}

/// Every Nth write fails from the Nth on, so that the wiping afterwards may fail as well.
fn again_and_again() -> Vec<Lane> {
    let lane = |every: u64| {
        (0..SWEPT).map(move |medium| {
            let faults = move |_: &Medium, n| Some(vec![format!("{WRITE}:error=EIO:when={n}+{every}")]);
            sweep(medium, Some(0), After::Unwritable, Box::new(faults))
        })
    };
    (1..=4).flat_map(lane).collect()
}

/// The system is asked to zero a stretch, and says no, or says yes and does nothing. Only where it is asked at all.
fn zeroing(full: bool) -> Vec<Kind> {
    let nothing = |n| vec![format!("{ZERO}:retval=0:when={n}")];
    let errnos = if full { &["EIO", "EOPNOTSUPP", "ENOSPC", "EINTR"][..] } else { &["EIO"] };
    let lane = |fault: String| {
        lanes(full, move |medium, before| {
            let fault = fault.clone();
            let faults = move |_: &Medium, n| Some(vec![format!("{ZERO}:{fault}:when={n}")]);
            sweep(medium, before, After::Writable, Box::new(faults))
        })
    };
    vec![
        Kind::new(
            "zeroing fails",
            errnos.iter().flat_map(|errno| lane(format!("error={errno}"))).collect(),
            move |bench| blind(bench, "blind-zero", WIDE, |n| vec![format!("{ZERO}:error=EIO:when={n}")]),
        ),
        Kind::new("zeroing does nothing", lane("retval=0".to_owned()), move |bench| {
            blind(bench, "blind-zero", WIDE, nothing)
        }),
    ]
}

pub fn kinds(full: bool) -> Vec<Kind> {
    let error = |call: &'static str| move |n| vec![format!("{call}:error=EIO:when={n}")];
    let dropped = |n| format!("{WRITE}:retval={}:when={n}", direct::PIECE_BYTES);
    let mut kinds = vec![
        Kind::new("write fails", errors(full, WRITE), move |bench| blind_write(bench, error(WRITE))),
        Kind::new("read fails", errors(full, READ), |bench| {
            blind_check_strace(bench, |n| format!("{READ}:error=EIO:when={n}"))
        }),
        Kind::new("flush fails", errors(full, FLUSH), move |bench| {
            blind_write(bench, |n| vec![dropped(n), format!("{FLUSH}:error=EIO:when=1")])
        }),
        Kind::new("flush fails, cache lost", lost_in_cache(full), move |bench| {
            blind_write(bench, |n| vec![dropped(n), format!("{FLUSH}:error=EIO:when=1")])
        }),
        Kind::new("write dropped", lies(full, WRITE, 1), move |bench| blind_write(bench, |n| vec![dropped(n)])),
        Kind::new("write claims half", lies(full, WRITE, 2), move |bench| blind_write(bench, |n| vec![dropped(n)])),
        Kind::new("read moves nothing", lies(full, READ, 1), |bench| {
            blind_check_strace(bench, |n| format!("{READ}:retval={}:when={n}", direct::PIECE_BYTES))
        }),
        Kind::new("read claims half", lies(full, READ, 2), |bench| {
            blind_check_strace(bench, |n| format!("{READ}:retval={}:when={n}", direct::PIECE_BYTES / 2))
        }),
        Kind::new("turns read-only", read_only(full), |bench| {
            blind_write(bench, |n| vec![format!("{WRITE}:error=EROFS:when={n}+")])
        }),
    ];
    kinds.extend(zeroing(full));
    if full {
        let control = move |bench: &mut Bench| blind_write(bench, |n| vec![dropped(n)]);
        kinds.push(Kind::new("write dropped, call fails", pairs(), control));
        kinds.push(Kind::new("write fails, wipe fails", again_and_again(), move |bench| {
            blind_write(bench, error(WRITE))
        }));
    }
    kinds
}
