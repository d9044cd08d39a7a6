//! Tells of one job: it begins, goes on and ends once, and its drive is released after that, whichever of the job's threads
//! is first to say so.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use platen_events::{DriveId, Event, JobEnd, JobId};

/// Where a job's events go.
pub(crate) struct Teller<'a> {
    job: JobId,
    drive: DriveId,
    report: Box<dyn Fn(Event) + Send + Sync + 'a>,
    told: Mutex<Told>,
    released: Condvar,
}

/// What was told, or is to be told as soon as its turn comes.
#[derive(Default)]
struct Told {
    ended: bool,
    released: bool,
}

impl<'a> Teller<'a> {
    pub(crate) fn new(job: JobId, drive: DriveId, report: impl Fn(Event) + Send + Sync + 'a) -> Self {
        Self { job, drive, report: Box::new(report), told: Mutex::default(), released: Condvar::new() }
    }

    pub(crate) fn job(&self) -> JobId {
        self.job
    }

    pub(crate) fn drive(&self) -> &DriveId {
        &self.drive
    }

    /// Nothing is told of a job that has ended.
    pub(crate) fn tell(&self, event: Event) {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if !told.ended {
            (self.report)(event);
        }
    }

    /// The job's end; only the first counts.
    pub(crate) fn end(&self, end: &JobEnd) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.ended {
            return;
        }
        told.ended = true;
        (self.report)(Event::JobEnded { job: self.job, end: end.clone() });
        if told.released {
            (self.report)(Event::DriveReleased { drive: self.drive.clone() });
        }
    }

    /// The drive was closed. That is told after the job's end, which may still come.
    pub(crate) fn release(&self) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.released = true;
        if told.ended {
            (self.report)(Event::DriveReleased { drive: self.drive.clone() });
        }
        self.released.notify_all();
    }

    /// Wait until the drive is closed, but no longer than `limit`: closing one that hangs may hang as well.
    pub(crate) fn wait_for_release(&self, limit: Duration) {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
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
        let teller = Teller::new(JobId(3), drive, |event| {
            list.lock().expect("no panic").push(match event {
                Event::JobEnded { end, .. } if end.verdict.code() == Some(Code::Stalled) => "stalled",
                Event::JobEnded { .. } => "ended",
                Event::DriveReleased { .. } => "released",
                _ => "other",
            });
        });
        calls.iter().for_each(|call| call(&teller));
        drop(teller);
        list.into_inner().expect("no panic")
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
}
