// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A drive that is judged, and left as it is.

use std::cell::Cell;

use platen_events::{Answer, Code, Event, JobEnd, Moved, Step};

use super::row::{About, entry, record_failure};
use super::work::stopped;
use super::{Conclusion, Engine, Unrecorded};
use crate::chain;
use crate::context::Context;
use crate::drive::heartbeat::{Waiting, WatchedDrive};
use crate::drive::{Drive, ReadDrive, Watch};
use crate::verify::{Check, Report};

/// Judge, tell what was found, record.
pub(super) fn check(engine: &Engine, check: &mut dyn Check, drive: &mut dyn Drive, context: &Context<'_>) -> JobEnd {
    let heartbeat = &context.heartbeat;
    let drive = &mut WatchedDrive::new(drive, heartbeat, &*engine.clock, engine.limits.minimum_bytes_per_s);
    let (facts, job, id) = (drive.facts().clone(), context.teller.job(), context.teller.drive());
    let kind = check.kind();
    let about = About::check(kind, check.medium());
    context.tell(Event::JobStarted { job, kind, drive: id.clone(), medium: about.medium() });
    let (started, begun) = (engine.clock.now(), engine.clock.elapsed());

    let watch = Watching { context, told: Cell::new(None) };
    let report = check.check(drive, &watch);
    heartbeat.end();
    // What was read of a drive that is no longer there, or holds another medium by now, counts for nothing.
    let report = match drive.confirm() {
        Ok(()) if context.is_stopped() => Report::of_problem(Code::Cancelled, "stopped before all of it was read"),
        Ok(()) if report.is_good() => check.keep(report, &watch),
        Ok(()) => report,
        Err(gone) => Report::of_problem(Code::Vanished, &chain(&gone)),
    };
    heartbeat.end();
    if !heartbeat.decide() {
        return stopped();
    }
    let answer =
        Answer::DriveExamined { drive: id, job: Some(job), good: report.is_good(), report: Box::new((&report).into()) };
    context.teller.tell(Event::Answer(Box::new(answer)));

    let about = about.found(&report);
    if !report.is_good() {
        let (code, detail) = report.first_problem();
        return record_failure(engine, &about, &facts, started, (code, detail), context.cancelled);
    }
    let verify_ms = (engine.clock.elapsed() - begun).as_millis() as u64;
    let moved = Moved { verified_bytes: report.checked_bytes, verify_ms, ..Moved::default() };
    let mut entry = entry(engine, &about, &facts, started);
    (entry.verified_bytes, entry.verify_ms) = (moved.verified_bytes, moved.verify_ms);
    entry.conclude(Conclusion::Ended(&kind.success()));
    match engine.record(&entry, context.cancelled) {
        Ok(()) => JobEnd::success(kind, moved),
        Err(Unrecorded { code, detail }) => JobEnd::failed(code, detail),
    }
}

/// Tells how far it is. Whoever looks may be another process that is not trusted: what is told never goes back, nor over
/// the total, and the total is said once.
struct Watching<'c> {
    context: &'c Context<'c>,
    /// Of how many bytes how many were told.
    told: Cell<Option<(u64, u64)>>,
}

impl Watch for Watching<'_> {
    fn is_wanted(&self) -> bool {
        !self.context.is_stopped()
    }

    fn heard(&self) {
        self.context.heartbeat.begin(Waiting::Drive, self.context.clock.elapsed());
    }

    fn is_over(&self) {
        self.context.heartbeat.end();
    }

    fn progress(&self, done_bytes: u64, total_bytes: u64) {
        let (total_bytes, before_bytes) = self.told.get().unwrap_or_else(|| {
            self.context.started(Step::Verify, Some(total_bytes));
            (total_bytes, 0)
        });
        let done_bytes = done_bytes.clamp(before_bytes, total_bytes);
        self.told.set(Some((total_bytes, done_bytes)));
        if done_bytes > before_bytes {
            self.context.progress(done_bytes, total_bytes);
        }
    }
}
