// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! One row for each drive, and no medium without its row.

use std::sync::atomic::{AtomicBool, Ordering};

use platen_events::{Code, Event, JobKind, Moved, Step, Verdict};
use platen_ledger::Ledger;
use platen_media::manifest::Scheme;
use platen_testkit::mount::SmallDisk;

use crate::bench::{Bench, Recorded, code, faulty, is_ready, is_right, observe, recognisable};
use crate::fake::Fault;

#[test]
fn every_drive_has_its_row_whatever_became_of_it() {
    let bench = Bench::files();
    let plan = bench.plan(Scheme::Mbr);
    let faults = [
        (Fault::None, "READY", ""),
        (Fault::FailWrite(3), "NOT USABLE", "P-W-001"),
        (Fault::VanishAtOperation(4), "TRY AGAIN", "P-W-002"),
        (Fault::FailFlush(1), "NOT USABLE", "P-W-003"),
        (Fault::FlipRead(2), "NOT USABLE", "P-V-001"),
        (Fault::FailRead(1), "NOT USABLE", "P-V-002"),
        (Fault::ReadOnlyFrom(1), "TRY AGAIN", "P-D-002"),
    ];
    for (number, (fault, verdict, code)) in faults.into_iter().enumerate() {
        let mut drive = faulty(&plan, fault);
        let outcome = bench.write(&plan, &mut drive);
        let rows = bench.engine.ledger.entries().unwrap();
        assert_eq!(rows.len(), number + 1);
        let row = &rows[number].entry;
        assert_eq!((row.verdict.as_str(), row.code.as_str()), (verdict, code), "{fault:?}");
        assert_eq!((row.medium.as_str(), row.port.as_str()), ("PLT00001-r1", "2-1"));
        assert_eq!(row.manifest_sha256, bench.media.signed().manifest_digest().to_string());
        assert_eq!((row.serial.as_str(), row.vendor_product.as_str()), ("=FAKE,\"0001\"", "0781:5581"));
        match outcome.moved {
            Some(Moved { written_bytes, verified_bytes, .. }) => {
                assert_eq!((row.written_bytes, row.verified_bytes), (written_bytes, verified_bytes));
                // Zeros that the drive had already are not written.
                assert!(written_bytes <= plan.write_bytes() && written_bytes > plan.write_bytes() / 2);
                assert_eq!(verified_bytes, plan.write_bytes());
            }
            None => assert_eq!(row.detail, outcome.detail()),
        }
    }
    bench.engine.ledger.check(None).unwrap();
    let mut csv = Vec::new();
    bench.engine.ledger.export_csv(&mut csv).unwrap();
    assert!(String::from_utf8(csv).unwrap().contains("\"'=FAKE,\"\"0001\"\"\""), "no formula for a spreadsheet");
}

#[test]
fn what_is_written_ahead_of_its_dates_has_a_notice_in_events_and_row() {
    let (mut early, blobs) = crate::media::manifest("PLT00001", 1, &crate::bench::contents(1));
    early.validity.from = Some(platen_media::Timestamp::from_unix_s(crate::media::now().unix_s() + 50_000_000).into());
    let bench = Bench::with(&early, &blobs);
    let plan = bench.plan(Scheme::Mbr);
    let mut drive = faulty(&plan, Fault::None);
    let (outcome, events) = observe(&bench.engine, &plan, &mut drive, &AtomicBool::new(false));
    assert!(is_ready(&outcome), "{outcome:?}");
    let row = bench.engine.ledger.entries().unwrap().remove(0).entry;
    assert!(row.verdict == "READY" && row.detail.contains("not valid before"), "{row:?}");
    let notices = events.iter().filter(|event| matches!(event, Event::JobNotice { text, .. } if *text == row.detail));
    assert_eq!(notices.count(), 1);
}

/// A ledger that refuses rows.
fn refusing(bench: &Bench) -> Ledger {
    let path = bench.dir.path().join("refusing.db");
    let ledger = Ledger::open(&path).unwrap();
    let connection = rusqlite::Connection::open(&path).unwrap();
    let trigger = "CREATE TRIGGER full BEFORE INSERT ON drives BEGIN SELECT RAISE(ABORT, 'disk full'); END;";
    connection.execute_batch(trigger).unwrap();
    ledger
}

#[test]
fn what_cannot_be_recorded_is_disarmed() {
    for (bench, scheme) in [(Bench::files(), Scheme::Mbr), (Bench::files(), Scheme::Gpt), (Bench::raw(), Scheme::Mbr)] {
        let plan = bench.plan(scheme);
        let golden = bench.golden(&plan);
        let refusing = Recorded::still(refusing(&bench));
        let mut drive = faulty(&plan, Fault::None);
        let (outcome, events) = observe(&refusing, &plan, &mut drive, &AtomicBool::new(false));
        assert_eq!(code(&outcome), Some(Code::LedgerFailed), "{outcome:?}");
        assert_eq!(recognisable(&drive.memory, 512), None);
        assert_eq!(refusing.ledger.entries().unwrap().len(), 0);
        assert!(matches!(events.last(), Some(Event::JobEnded { end, .. }) if *end == outcome));
        // A drive that failed anyway keeps its own code.
        let mut drive = faulty(&plan, Fault::FailWrite(2));
        let (outcome, _) = observe(&refusing, &plan, &mut drive, &AtomicBool::new(false));
        assert_eq!(code(&outcome), Some(Code::WriteFailed), "{outcome:?}");
        assert!(outcome.detail().contains("not recorded"), "{outcome:?}");
        let mut again = drive.repaired();
        assert!(is_ready(&bench.write(&plan, &mut again)) && is_right(&plan, &again.memory, &golden));
    }
}

#[test]
fn a_full_disk_under_the_ledger_disarms_too() {
    let bench = Bench::files();
    let at = bench.dir.path().join("small");
    let Some(disk) = SmallDisk::mount(&at, "256k") else { return };
    let full = Recorded::still(Ledger::open(&at.join("ledger.db")).unwrap());
    disk.fill();
    let plan = bench.plan(Scheme::Mbr);
    let mut drive = faulty(&plan, Fault::None);
    let (outcome, _) = observe(&full, &plan, &mut drive, &AtomicBool::new(false));
    let rows = full.ledger.entries().map(|rows| rows.len());
    assert_eq!(code(&outcome), Some(Code::LedgerFailed), "{outcome:?}");
    assert_eq!(recognisable(&drive.memory, 512), None);
    assert_eq!(rows.unwrap_or(0), 0);
}

#[test]
fn a_stopped_job_leaves_a_wiped_drive() {
    let bench = Bench::files();
    let plan = bench.plan(Scheme::Gpt);
    let cancelled = AtomicBool::new(false);
    cancelled.store(true, Ordering::Relaxed);
    let mut drive = faulty(&plan, Fault::None);
    let (outcome, events) = observe(&bench.engine, &plan, &mut drive, &cancelled);
    assert_eq!(outcome.verdict, Verdict::Cancelled, "{outcome:?}");
    assert_eq!(recognisable(&drive.memory, 512), None);
    assert!(matches!(events[1], Event::StepStarted { step: Step::Prepare, .. }), "{events:?}");
}

#[test]
fn events_tell_the_whole_story_in_order() {
    let bench = Bench::files();
    let plan = bench.plan(Scheme::Mbr);
    let mut drive = faulty(&plan, Fault::None);
    let (_, events) = observe(&bench.engine, &plan, &mut drive, &AtomicBool::new(false));
    assert!(
        matches!(&events[0], Event::JobStarted { kind: JobKind::Write, medium: Some(medium), .. } if medium == "PLT00001-r1")
    );
    assert!(matches!(events.last(), Some(Event::JobEnded { end, .. }) if end.verdict == Verdict::Ready));
    // Each step, what it was to move, and how far it came.
    let mut steps: Vec<(Step, Option<u64>, u64)> = Vec::new();
    for event in &events {
        match event {
            Event::StepStarted { step, total_bytes, .. } => steps.push((*step, *total_bytes, 0)),
            Event::Progress { done_bytes, .. } => steps.last_mut().unwrap().2 = *done_bytes,
            _ => {}
        }
    }
    let payload_bytes = plan.payload().iter().map(|extent| extent.len_bytes).sum();
    let seal_bytes = plan.seal().iter().map(|extent| extent.len_bytes).sum();
    let whole = |step, bytes| (step, Some(bytes), bytes);
    let expected = [
        // Nobody knows how much the probe will move.
        (Step::Prepare, None, 0),
        whole(Step::Write, payload_bytes),
        whole(Step::Verify, payload_bytes),
        whole(Step::Seal, seal_bytes),
    ];
    assert_eq!(steps, expected);
}
