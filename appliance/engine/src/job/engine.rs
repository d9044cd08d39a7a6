// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What all drives of a station share, and the two threads each drive has: one works, one watches it.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use platen_events::{Code, Event, JobEnd, JobId};
use platen_media::Timestamp;

use super::check::check;
use super::row::{About, record_failure};
use super::work::work;
use super::{EventSender, JobHandle, Journal};
use crate::Clock;
use crate::content::shared::Sources;
use crate::context::Context;
use crate::drive::heartbeat::{Heartbeat, Waiting};
use crate::drive::{AlignedBuffer, Drive, DriveFacts};
use crate::plan::WritePlan;
use crate::teller::{GivenUp, Teller};
use crate::verify::Check;

/// How often the watching thread looks.
pub(super) const LOOK: Duration = Duration::from_millis(250);
/// How long a job that was stopped still waits for an answer.
pub(super) const CANCEL_LIMIT: Duration = Duration::from_secs(10);
/// How long the end of a job waits for its drive to be closed.
const RELEASE_LIMIT: Duration = Duration::from_secs(2);
/// Pieces of memory that each job needs at most at one time: for reading back, marks, wiping, and its own reading.
const JOB_BUFFERS: usize = 4;
/// What one reading for all drives takes, and everything else that is not counted.
const SHARED_BUFFERS: usize = 24;

/// What is expected of a drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A drive that does not answer for so long is given up. The kernel alone takes 30 s to notice a dead USB drive,
    /// and tries again.
    pub stall: Duration,
    /// A drive that is slower over 20 s is hopeless.
    pub minimum_bytes_per_s: u64,
    /// How often a drive that failed is begun anew before it is given up; 1: not at all.
    pub attempts: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { stall: Duration::from_secs(120), minimum_bytes_per_s: 1_000_000, attempts: 1 }
    }
}

/// Carries out plans on drives, each job on threads of its own.
pub struct Engine {
    /// For drive records and the ledger.
    pub name: String,
    /// Dates and durations are taken from it.
    pub clock: Box<dyn Clock + Send>,
    /// Where every job's end is recorded.
    pub journal: Arc<dyn Journal>,
    /// The streams that drives with the same payload share.
    pub sources: Sources,
    /// When a drive is given up or tried again.
    pub limits: Limits,
    /// Drives that are no longer waited for.
    pub given_up: GivenUp,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("name", &self.name).field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// What a job does with its drive.
pub enum Task {
    /// The drive is written and read back.
    Plan(Box<WritePlan>),
    /// The drive is judged, and left as it is.
    Check(Box<dyn Check>),
}

/// One drive and what is to be done with it.
pub struct Job {
    /// Its number in the record.
    pub id: JobId,
    /// What is written, or otherwise done.
    pub task: Task,
    /// The drive it is done with; released when the job ends.
    pub drive: Box<dyn Drive>,
    /// Told from [`Event::JobStarted`] to [`Event::JobEnded`] and, when the drive is closed, [`Event::DriveReleased`].
    pub events: EventSender,
}

/// A drive that tells when it is closed, also by a thread that was left behind or panicked.
struct HeldDrive {
    /// Always there but while it is closed.
    drive: Option<Box<dyn Drive>>,
    teller: Arc<Teller<'static>>,
}

impl Drop for HeldDrive {
    fn drop(&mut self) {
        drop(self.drive.take());
        self.teller.release();
    }
}

/// Where the threads of several jobs wait until all of them are there.
#[derive(Default)]
struct Gate {
    /// None: wait. False: there is nothing to do after all.
    open: Mutex<Option<bool>>,
    changed: Condvar,
}

impl Gate {
    fn open(&self, open: bool) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(open);
        self.changed.notify_all();
    }

    fn pass(&self) -> bool {
        let state = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = self.changed.wait_while(state, |open| open.is_none());
        wait.unwrap_or_else(PoisonError::into_inner).unwrap_or(false)
    }
}

/// See that there is memory for so many jobs; what was had is given back. Threads that are still to be started take about
/// as much for their stacks as a job takes for its pieces.
pub fn reserve_memory(jobs: usize) -> io::Result<()> {
    let pieces = (0..2 * JOB_BUFFERS * jobs + SHARED_BUFFERS).map(|_| AlignedBuffer::try_new(crate::PIECE_BYTES));
    pieces.collect::<io::Result<Vec<_>>>().map(drop)
}

impl Engine {
    /// Start a job. An error means that the machine has no threads or memory for it; then nothing was touched.
    pub fn start(self: &Arc<Self>, job: Job) -> io::Result<JobHandle> {
        let mut running = self.start_all(vec![job])?;
        Ok(running.pop().expect("one job was started"))
    }

    /// Start several jobs. All threads are started and all memory was had once before the first byte is erased anywhere.
    pub fn start_all(self: &Arc<Self>, jobs: Vec<Job>) -> io::Result<Vec<JobHandle>> {
        let gate = Arc::new(Gate::default());
        let count = jobs.len();
        reserve_memory(count)?;
        let started = jobs.into_iter().map(|job| self.start_at(&gate, job)).collect::<io::Result<Vec<_>>>();
        let spare = started.and_then(|running| {
            // Each of them may need two more threads, for its reading and its row.
            let spare = (0..2 * count).map(|_| {
                let gate = Arc::clone(&gate);
                thread::Builder::new().spawn(move || gate.pass()).map(drop)
            });
            spare.collect::<io::Result<Vec<()>>>()?;
            reserve_memory(count).map(|()| running)
        });
        gate.open(spare.is_ok());
        spare
    }

    fn start_at(self: &Arc<Self>, gate: &Arc<Gate>, job: Job) -> io::Result<JobHandle> {
        let Job { id, mut task, drive, events } = job;
        let about = match &mut task {
            Task::Plan(plan) => {
                self.sources.share_payload(plan);
                About::plan(plan)
            }
            Task::Check(check) => About::check(check.kind(), check.medium()),
        };
        let cancelled = Arc::new(AtomicBool::new(false));
        let (facts, started) = (drive.facts().clone(), self.clock.now());
        let teller = Arc::new(Teller::new(id, facts.id(), self.given_up.clone(), move |event| events.send(event)));
        let (heartbeat, (say, said)) = (Arc::new(Heartbeat::default()), channel());
        {
            let (engine, teller, heartbeat, gate, cancelled) = (
                Arc::clone(self),
                Arc::clone(&teller),
                Arc::clone(&heartbeat),
                Arc::clone(gate),
                Arc::clone(&cancelled),
            );
            thread::Builder::new().spawn(move || {
                if !gate.pass() {
                    return;
                }
                let mut held = HeldDrive { drive: Some(drive), teller: Arc::clone(&teller) };
                let drive = held.drive.as_mut().expect("it is not closed yet");
                let context = engine.context(&teller, &cancelled, heartbeat);
                let end = match &mut task {
                    Task::Plan(plan) => work(&engine, plan, &mut **drive, &context),
                    Task::Check(judge) => check(&engine, &mut **judge, &mut **drive, &context),
                };
                // Before the drive is let go: closing one that hangs may hang as well. Nobody listens any more if it
                // was given up.
                let _ = say.send(end);
            })?;
        }
        let (engine, gate, stop) = (Arc::clone(self), Arc::clone(gate), Arc::clone(&cancelled));
        let watching = thread::Builder::new().spawn(move || {
            if !gate.pass() {
                return JobEnd::failed(Code::Cancelled, "it was never begun");
            }
            engine.watch(&about, &facts, started, &teller, &stop, &heartbeat, &said)
        })?;
        Ok(JobHandle::new(id, cancelled, watching))
    }

    fn context<'a>(
        &'a self,
        teller: &'a Teller<'a>,
        cancelled: &'a AtomicBool,
        heartbeat: Arc<Heartbeat>,
    ) -> Context<'a> {
        Context::new(teller, &*self.clock, &self.sources, cancelled, heartbeat)
    }

    /// While another thread works, see that it gets on.
    #[expect(clippy::too_many_arguments)]
    fn watch(
        &self,
        about: &About,
        facts: &DriveFacts,
        started: Timestamp,
        teller: &Teller<'_>,
        cancelled: &AtomicBool,
        heartbeat: &Heartbeat,
        said: &Receiver<JobEnd>,
    ) -> JobEnd {
        let (code, detail) = loop {
            match said.recv_timeout(LOOK) {
                Ok(end) => {
                    teller.end(&end);
                    teller.wait_for_release(RELEASE_LIMIT);
                    return end;
                }
                Err(RecvTimeoutError::Timeout) => {
                    let (what, silent) = heartbeat.silent_for(self.clock.elapsed());
                    let detail = format!("no answer for {} s", silent.as_secs());
                    if silent >= self.limits.stall {
                        break (what.code(), detail);
                    }
                    // Whoever stops a job does not wait for what hangs.
                    if cancelled.load(Ordering::Relaxed) && silent >= CANCEL_LIMIT {
                        break (Code::Cancelled, detail);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    break (Code::StationFault, "the thread that worked on the drive panicked".to_owned());
                }
            }
        };
        let end = if heartbeat.decide() {
            record_failure(self, about, facts, started, (code, detail), cancelled)
        } else {
            // Its end was not recorded because the ledger failed, and then it hung while it was wiped.
            JobEnd::failed(code, detail)
        };
        teller.give_up(&end);
        end
    }

    /// The same on the calling thread, which waits as long as the drive lets it wait, and keeps the drive. It is told as
    /// job 1.
    pub fn run(
        &self,
        plan: &WritePlan,
        drive: &mut dyn Drive,
        report: &(dyn Fn(Event) + Send + Sync),
        cancelled: &AtomicBool,
    ) -> JobEnd {
        let teller = Teller::new(JobId(1), drive.facts().id(), self.given_up.clone(), report);
        let end = work(self, plan, drive, &self.context(&teller, cancelled, Arc::default()));
        teller.end(&end);
        end
    }
}

impl Waiting {
    fn code(self) -> Code {
        match self {
            Self::Drive => Code::Stalled,
            Self::Content => Code::CacheStalled,
        }
    }
}
