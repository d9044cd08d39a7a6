// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Tells of one job: it begins, goes on and ends once, and its drive is released after that, whichever of the job's threads
//! is first to say so.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use platen_events::{DriveId, DriveLabel, Event, JobEnd, JobId};

/// Drives that were given up and are still held: the kernel lets go of one that hangs when it answers or is pulled.
#[derive(Debug, Clone, Default)]
pub struct GivenUp(Arc<AtomicUsize>);

impl GivenUp {
    /// How many there are now.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn remove(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Where a job's events go.
pub(crate) struct Teller<'a> {
    job: JobId,
    given_up: GivenUp,
    report: Box<dyn Fn(Event) + Send + Sync + 'a>,
    told: Mutex<Told>,
    released: Condvar,
}

/// What was told, or is to be told as soon as its turn comes.
struct Told {
    /// What the job's drive is known by.
    drive: DriveId,
    ended: bool,
    /// It ended because its drive was no longer waited for.
    given_up: bool,
    released: bool,
}

impl<'a> Teller<'a> {
    pub(crate) fn new(
        job: JobId,
        drive: DriveId,
        given_up: GivenUp,
        report: impl Fn(Event) + Send + Sync + 'a,
    ) -> Self {
        let told = Mutex::new(Told { drive, ended: false, given_up: false, released: false });
        Self { job, given_up, report: Box::new(report), told, released: Condvar::new() }
    }

    pub(crate) fn job(&self) -> JobId {
        self.job
    }

    pub(crate) fn drive(&self) -> DriveId {
        self.told().drive.clone()
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The drive is back, and is known by another number from here on.
    pub(crate) fn returned(&self, label: DriveLabel, drive: DriveId, powered_on: bool) {
        let mut told = self.told();
        if !told.ended {
            told.drive.clone_from(&drive);
            (self.report)(Event::DriveReturned { job: self.job, drive, label, powered_on });
        }
    }

    /// Nothing is told of a job that has ended.
    pub(crate) fn tell(&self, event: Event) {
        let told = self.told();
        if !told.ended {
            (self.report)(event);
        }
    }

    /// The job's end; only the first counts.
    pub(crate) fn end(&self, end: &JobEnd) {
        self.end_with(end, false);
    }

    /// The same of a job whose drive is no longer waited for: it is counted until it is closed.
    pub(crate) fn give_up(&self, end: &JobEnd) {
        self.end_with(end, true);
    }

    fn end_with(&self, end: &JobEnd, given_up: bool) {
        let mut told = self.told();
        if told.ended {
            return;
        }
        told.ended = true;
        (self.report)(Event::JobEnded { job: self.job, end: end.clone() });
        if told.released {
            (self.report)(Event::DriveReleased { drive: told.drive.clone() });
        } else if given_up {
            told.given_up = true;
            self.given_up.add();
        }
    }

    /// The drive was closed. That is told after the job's end, which may still come.
    pub(crate) fn release(&self) {
        let mut told = self.told();
        told.released = true;
        if told.ended {
            (self.report)(Event::DriveReleased { drive: told.drive.clone() });
        }
        if std::mem::take(&mut told.given_up) {
            self.given_up.remove();
        }
        self.released.notify_all();
    }

    /// Wait until the drive is closed, but no longer than `limit`: closing one that hangs may hang as well.
    pub(crate) fn wait_for_release(&self, limit: Duration) {
        let told = self.told();
        drop(self.released.wait_timeout_while(told, limit, |told| !told.released));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use platen_events::Code;

    /// What is told when these are called in this order.
    fn told(calls: &[fn(&Teller<'_>)]) -> Vec<&'static str> {
        let list = Mutex::new(Vec::new());
        let drive = DriveId { place: "2-1".to_owned(), disk_sequence: Some(7) };
        let teller = Teller::new(JobId(3), drive, GivenUp::default(), |event| {
            list.lock().expect("nobody panicked").push(match event {
                Event::JobEnded { end, .. } if end.verdict.code() == Some(Code::Stalled) => "stalled",
                Event::JobEnded { .. } => "ended",
                Event::DriveReleased { .. } => "released",
                _ => "other",
            });
        });
        calls.iter().for_each(|call| call(&teller));
        drop(teller);
        list.into_inner().expect("nobody panicked")
    }

    #[test]
    fn a_job_ends_once_and_its_drive_is_released_after_that() {
        let tell: fn(&Teller<'_>) = |teller| teller.tell(Event::JobNotice { job: teller.job(), text: String::new() });
        let end: fn(&Teller<'_>) = |teller| teller.end(&JobEnd::failed(Code::WriteFailed, ""));
        let stall: fn(&Teller<'_>) = |teller| teller.end(&JobEnd::failed(Code::Stalled, ""));
        let release: fn(&Teller<'_>) = |teller| teller.release();
        assert_eq!(told(&[tell, end, release]), ["other", "ended", "released"]);
        assert_eq!(told(&[tell, release, end]), ["other", "ended", "released"]);
        // Given up, it comes back, and has nothing to say but that it lets go.
        assert_eq!(told(&[stall, tell, end, release, tell]), ["stalled", "released"]);
        assert_eq!(told(&[release]), Vec::<&str>::new());
    }

    #[test]
    fn a_drive_that_was_given_up_is_counted_until_it_is_closed() {
        let (given_up, drive) = (GivenUp::default(), DriveId { place: "2-1".to_owned(), disk_sequence: Some(7) });
        let teller = || Teller::new(JobId(1), drive.clone(), given_up.clone(), |_| {});
        let stalled = JobEnd::failed(Code::Stalled, "");
        let (one, other, good) = (teller(), teller(), teller());
        one.give_up(&stalled);
        other.give_up(&stalled);
        good.end(&stalled);
        assert_eq!(given_up.count(), 2);
        good.release();
        one.release();
        assert_eq!(given_up.count(), 1);
        other.release();
        // What was closed before nobody waited any more is not counted.
        let late = teller();
        late.release();
        late.give_up(&stalled);
        assert_eq!(given_up.count(), 0);
    }
}
