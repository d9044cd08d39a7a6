//! What the work on one drive is given from outside, and how it tells how far it is.

use std::cell::Cell;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use platen_events::{DriveRef, Event, Step};

use crate::Clock;
use crate::shared::Sources;

/// What a job is given besides plan and drive.
pub struct Context<'a> {
    pub clock: &'a dyn Clock,
    /// Receives every event of this drive.
    pub report: &'a dyn Fn(Event),
    /// Set to stop as soon as possible.
    pub cancelled: &'a AtomicBool,
    /// Where drives that get the same content share its reading.
    pub sources: &'a Sources,
    /// This station's name, for drive record and ledger.
    pub station: &'a str,
    drive: DriveRef,
    last_report: Cell<Option<Duration>>,
}

impl<'a> Context<'a> {
    /// For one drive.
    pub fn new(
        drive: DriveRef,
        station: &'a str,
        clock: &'a dyn Clock,
        report: &'a dyn Fn(Event),
        cancelled: &'a AtomicBool,
        sources: &'a Sources,
    ) -> Self {
        Self { clock, report, cancelled, sources, station, drive, last_report: Cell::new(None) }
    }

    pub(crate) fn started(&self, step: Step, total_bytes: u64) {
        self.last_report.set(None);
        (self.report)(Event::Started { drive: self.drive.clone(), step, total_bytes });
    }

    /// At most ten a second, and always the last one.
    pub(crate) fn progress(&self, step: Step, done_bytes: u64, total_bytes: u64) {
        let now = self.clock.elapsed();
        let due = self.last_report.get().is_none_or(|last| now - last >= Duration::from_millis(100));
        if due || done_bytes == total_bytes {
            self.last_report.set(Some(now));
            (self.report)(Event::Progress { drive: self.drive.clone(), step, done_bytes, total_bytes });
        }
    }
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("drive", &self.drive).field("station", &self.station).finish_non_exhaustive()
    }
}
