// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What the work on one drive is given from outside, and how it tells how far it is.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use platen_events::{DriveId, DriveLabel, Event, Step};

use crate::Clock;
use crate::content::shared::Sources;
use crate::drive::Returned;
use crate::drive::heartbeat::{Heartbeat, Waiting};
use crate::teller::Teller;

/// What a job is given besides plan and drive.
pub(crate) struct Context<'a> {
    pub(crate) clock: &'a dyn Clock,
    pub(crate) sources: &'a Sources,
    pub(crate) heartbeat: Arc<Heartbeat>,
    pub(crate) teller: &'a Teller<'a>,
    pub(crate) cancelled: &'a AtomicBool,
    last_report: Cell<Option<Duration>>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(
        teller: &'a Teller<'a>,
        clock: &'a dyn Clock,
        sources: &'a Sources,
        cancelled: &'a AtomicBool,
        heartbeat: Arc<Heartbeat>,
    ) -> Self {
        Self { clock, sources, teller, cancelled, heartbeat, last_report: Cell::new(None) }
    }

    /// Wait for something that is not the drive, and may never answer.
    pub(crate) fn wait_for<T>(&self, what: Waiting, act: impl FnOnce() -> T) -> T {
        self.heartbeat.begin(what, self.clock.elapsed());
        let answer = act();
        self.heartbeat.end();
        answer
    }

    /// Somebody stopped the job, or it is no longer waited for.
    pub(crate) fn is_stopped(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed) || self.heartbeat.is_decided()
    }

    /// `total_bytes` is what the step will move, if that is known.
    pub(crate) fn started(&self, step: Step, total_bytes: Option<u64>) {
        self.last_report.set(None);
        self.tell(Event::StepStarted { job: self.teller.job(), step, total_bytes });
    }

    /// At most ten a second, and always the last one.
    pub(crate) fn progress(&self, done_bytes: u64, total_bytes: u64) {
        let now = self.clock.elapsed();
        let due = self.last_report.get().is_none_or(|last| now - last >= Duration::from_millis(100));
        if due || done_bytes == total_bytes {
            self.last_report.set(Some(now));
            self.tell(Event::Progress { job: self.teller.job(), done_bytes });
        }
    }

    /// The drive is back after its power was cut.
    pub(crate) fn returned(&self, label: DriveLabel, drive: DriveId, returned: Returned) {
        if !self.heartbeat.is_decided() {
            self.teller.returned(label, drive, returned.powered_on);
        }
    }

    /// A thread that was given up and comes back has nothing to say any more.
    pub(crate) fn tell(&self, event: Event) {
        if !self.heartbeat.is_decided() {
            self.teller.tell(event);
        }
    }
}
