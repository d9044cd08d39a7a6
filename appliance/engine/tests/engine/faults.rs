// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Each kind of fault at its first, second, third ... place, until the drive is written before it strikes.
//!
//! The oracle is not the engine: a drive is right when every byte of the plan stands on it, as on a drive without
//! faults. Each kind has a control, the same sweep with the engine's checks made blind, which must see wrong drives
//! called ready: so the sweep can see.

use platen_engine::plan::WritePlan;
use platen_events::Code;
use platen_media::manifest::Scheme;

use crate::bench::{Bench, code, copy, faulty, is_ready, is_right, recognisable, used};
use crate::fake::{Fake, Fault};
use crate::updating::updating;

/// A write, and the drive it begins with.
pub(crate) struct Case {
    pub(crate) bench: Bench,
    pub(crate) plan: WritePlan,
    pub(crate) before: Vec<u8>,
}

impl Case {
    fn new(bench: Bench, scheme: Scheme) -> Self {
        let plan = bench.plan(scheme);
        Self { before: used(&plan), plan, bench }
    }

    fn drive(&self, fault: Fault) -> Fake {
        let mut drive = Fake::new(copy(&self.before), self.plan.shape().sector_bytes);
        drive.fault = fault;
        drive
    }

    fn name(&self) -> String {
        let scheme = self.plan.scheme().map_or("raw".to_owned(), |scheme| scheme.to_string());
        format!("{} {scheme}", self.plan.kind())
    }
}

/// Both schemes and an image, each onto a used drive; and a medium onto one with its older release.
fn cases() -> [Case; 4] {
    let (mbr, gpt) = (Case::new(Bench::files(), Scheme::Mbr), Case::new(Bench::files(), Scheme::Gpt));
    [mbr, gpt, Case::new(Bench::raw(), Scheme::Mbr), updating(Scheme::Gpt)]
}

#[derive(Debug, Default)]
struct Swept {
    injected: u64,
    /// Wrong, and called ready.
    false_ready: u64,
    /// The fault made no difference: what it spoiled was written again, or was the same.
    harmless: u64,
}

const DIFFERS: &[Code] = &[Code::ReadBackDiffers, Code::SealFailed, Code::Fake];

fn run(case: &Case, golden: &[u8], fault: Fault, codes: &[Code], swept: &mut Swept) -> bool {
    let Case { bench, plan, before } = case;
    let mut drive = case.drive(fault);
    let outcome = bench.write(plan, &mut drive);
    if !drive.struck {
        assert!(is_ready(&outcome) && is_right(plan, &drive.memory, golden), "{fault:?} did not strike: {outcome:?}");
        return false;
    }
    swept.injected += 1;
    match code(&outcome) {
        None if is_right(plan, &drive.memory, golden) => swept.harmless += 1,
        None => swept.false_ready += 1,
        Some(code) => {
            assert!(codes.contains(&code), "{fault:?}: {code} {}, expected {codes:?}", outcome.detail());
            let sector = plan.shape().sector_bytes as usize;
            match recognisable(&drive.memory, sector) {
                Some(what) if !fault.refuses_afterwards() => panic!("{fault:?}: {what} is left"),
                // Nobody can wipe it any more. At least it must not be a mixture.
                Some(_) if crate::bench::is_armed(&drive.memory) && drive.writes > 0 => {
                    let untouched = drive.memory[..512] == before[..512];
                    assert!(untouched || is_right(plan, &drive.memory, golden), "{fault:?}: armed and incomplete");
                }
                _ => {}
            }
            let mut again = drive.repaired();
            let outcome = bench.write(plan, &mut again);
            assert!(is_ready(&outcome) && is_right(plan, &again.memory, golden), "after {fault:?}: {outcome:?}");
        }
    }
    true
}

/// The same with a drive without faults answering in its place.
fn run_blind(case: &Case, golden: &[u8], fault: Fault) -> (bool, bool) {
    let mut drive = case.drive(fault);
    drive.blind = Some(copy(&drive.memory));
    let outcome = case.bench.write(&case.plan, &mut drive);
    (drive.struck, is_ready(&outcome) && !is_right(&case.plan, &drive.memory, golden))
}

fn sweep(name: &str, kind: impl Fn(u64) -> Fault, codes: &[Code], reads_only: bool) {
    for case in cases() {
        let mut healthy = case.drive(Fault::None);
        assert!(is_ready(&case.bench.write(&case.plan, &mut healthy)));
        let golden = std::mem::take(&mut healthy.memory);
        let mut swept = Swept::default();
        for n in 1.. {
            if !run(&case, &golden, kind(n), codes, &mut swept) {
                break;
            }
        }
        // A fault of reading spoils no drive: seeing it is all there is to see.
        let mut seen = 0;
        for n in 1..=swept.injected {
            let (struck, wrong) = run_blind(&case, &golden, kind(n));
            assert!(struck, "{name} {n}");
            seen += u64::from(wrong);
        }
        let ledger = &case.bench.engine.ledger;
        let rows = ledger.entries().unwrap();
        let ready = rows.iter().filter(|row| row.entry.verdict == "READY").count();
        ledger.check(None).unwrap();
        eprintln!(
            "{name}, {}: {} injected, {} false READY, {} harmless; control: {seen} wrong drives called ready; \
             {} ledger rows, {ready} READY",
            case.name(),
            swept.injected,
            swept.false_ready,
            swept.harmless,
            rows.len(),
        );
        assert!(swept.injected >= 2, "{name}");
        assert_eq!(swept.false_ready, 0, "{name}");
        assert!(reads_only || seen > 0, "{name}: the sweep sees nothing");
    }
}

#[test]
fn writes_that_fail() {
    sweep("write fails", Fault::FailWrite, &[Code::WriteFailed], false);
}

#[test]
fn reads_that_fail() {
    sweep("read fails", Fault::FailRead, &[Code::ReadFailed], true);
}

#[test]
fn flushes_that_fail() {
    sweep("flush fails", Fault::FailFlush, &[Code::FlushFailed], true);
}

#[test]
fn writes_that_are_dropped() {
    sweep("write dropped", Fault::DropWrite, DIFFERS, false);
}

#[test]
fn writes_that_are_torn() {
    sweep("write torn", Fault::TearWrite, DIFFERS, false);
}

#[test]
fn writes_stored_with_a_wrong_bit() {
    sweep("bit flipped in a write", Fault::FlipWrite, DIFFERS, false);
}

#[test]
fn reads_with_a_wrong_bit() {
    sweep("bit flipped in a read", Fault::FlipRead, DIFFERS, true);
}

#[test]
fn reads_that_move_nothing() {
    sweep("read moves nothing", Fault::EmptyRead, DIFFERS, true);
}

#[test]
fn writes_that_go_elsewhere() {
    for by in [512, -512, 1 << 20, 8 << 20] {
        sweep(&format!("write misplaced by {by}"), |n| Fault::Misplace(n, by), DIFFERS, false);
    }
}

#[test]
fn drives_that_stop_storing() {
    sweep("stale", Fault::StaleFrom, DIFFERS, false);
}

#[test]
fn drives_that_turn_read_only() {
    sweep("read-only", Fault::ReadOnlyFrom, &[Code::ReadOnly], false);
}

#[test]
fn drives_pulled_at_every_operation() {
    sweep("pulled at an operation", Fault::VanishAtOperation, &[Code::Vanished], false);
}

#[test]
fn drives_pulled_at_a_byte() {
    sweep("pulled at a byte", |n| Fault::VanishAtByte((n - 1) * 177_777), &[Code::Vanished], false);
}

/// Fake drives that claim more than they have. Addresses repeat, so a later write spoils an earlier one.
#[test]
fn drives_smaller_than_they_claim() {
    for (bench, scheme) in [(Bench::files(), Scheme::Mbr), (Bench::files(), Scheme::Gpt), (Bench::raw(), Scheme::Mbr)] {
        let plan = bench.plan(scheme);
        let golden = bench.golden(&plan);
        let (mut wrong, mut harmless, mut control) = (0, 0, 0);
        let size = plan.shape().size_bytes;
        // Real sizes of all kinds, and around each content's end: where the tables at the drive's end would fall.
        let mut sizes: Vec<u64> = (1..40).map(|n| (n << 20) + 512 * (n * n % 61)).collect();
        for extent in plan.payload() {
            let end = (extent.offset_bytes + extent.len_bytes).next_multiple_of(512);
            for more in [0, 512, 8 << 10, 16 << 10, 33 << 9, 1 << 20] {
                // The drive's last byte falls on end + more.
                sizes.extend((1..=4).map(|times| size.saturating_sub(end + more) / times / 512 * 512));
            }
        }
        // Those on which content falls on each place of the seal.
        for (extent, sealed) in plan.payload().iter().flat_map(|one| plan.seal().iter().map(move |other| (one, other)))
        {
            let middle = (extent.offset_bytes + extent.len_bytes / 2) / 512 * 512;
            sizes.extend((1..=3).map(|times| middle.saturating_sub(sealed.offset_bytes) / times / 512 * 512));
        }
        // And where one of an image's parts falls on another.
        sizes.extend((8..36).map(|quarter| quarter << 18));
        sizes.retain(|real| (2 << 20..size).contains(real));
        sizes.sort_unstable();
        sizes.dedup();
        for &real in &sizes {
            let mut drive = faulty(&plan, Fault::Wrap(real));
            let outcome = bench.write(&plan, &mut drive);
            assert!(drive.struck);
            // What the drive gives back is what counts.
            let seen = |drive: &Fake| {
                let mut seen = Vec::with_capacity(size as usize);
                while seen.len() < size as usize {
                    seen.extend_from_slice(&drive.memory[..(size as usize - seen.len()).min(real as usize)]);
                }
                seen
            };
            match code(&outcome) {
                None if is_right(&plan, &seen(&drive), &golden) => harmless += 1,
                None => panic!("{scheme}: ready, though a drive of {real} bytes lost content"),
                Some(code) => {
                    assert!(DIFFERS.contains(&code), "{code}");
                    wrong += 1;
                }
            }
            if control == 0 {
                let mut drive = faulty(&plan, Fault::Wrap(real));
                drive.blind = Some(copy(&drive.memory));
                let ready = is_ready(&bench.write(&plan, &mut drive));
                control += u64::from(ready && !is_right(&plan, &seen(&drive), &golden));
            }
        }
        eprintln!(
            "smaller than claimed, {scheme} {}: {} sizes, {wrong} refused, {harmless} hold it all, 0 false READY",
            plan.title(),
            sizes.len()
        );
        assert!(wrong > 10 && control > 0);
    }
}
