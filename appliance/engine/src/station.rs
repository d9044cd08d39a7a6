//! What all drives of a station share, and the two threads each drive has: one works, one watches it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use platen_events::{Code, Event, Outcome};

use crate::Clock;
use crate::context::Context;
use crate::drive::Drive;
use crate::job::{record_failure, work};
use crate::ledger::Ledger;
use crate::plan::WritePlan;
use crate::pulse::Pulse;
use crate::shared::Sources;

/// How often the watching thread looks.
const LOOK: Duration = Duration::from_millis(250);

/// What is expected of a drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A drive that does not answer for so long is given up. The kernel alone takes 30 s to notice a dead USB drive,
    /// and tries again.
    pub stall: Duration,
    /// A drive that is slower over 20 s is hopeless.
    pub floor_bytes_per_s: u64,
    /// How often a drive that failed is begun anew before it is given up; 1: not at all.
    pub attempts: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { stall: Duration::from_secs(120), floor_bytes_per_s: 1_000_000, attempts: 1 }
    }
}

/// See the module's documentation.
pub struct Station {
    /// For drive records and the ledger.
    pub name: String,
    pub clock: Box<dyn Clock + Send>,
    pub ledger: Ledger,
    pub sources: Sources,
    pub limits: Limits,
}

impl std::fmt::Debug for Station {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Station").field("name", &self.name).field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// A job that was started.
#[derive(Debug)]
pub struct Running(JoinHandle<Outcome>);

impl Running {
    /// Wait for its end, which comes in bounded time: a drive that hangs is given up, its thread is left behind.
    pub fn join(self) -> Outcome {
        self.0.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Station {
    /// Start a job. The report is called from the job's threads and ends with [`Event::Finished`]. Setting
    /// `cancelled` stops it.
    pub fn start(
        self: &Arc<Self>,
        plan: WritePlan,
        drive: Box<dyn Drive>,
        report: Arc<dyn Fn(Event) + Send + Sync>,
        cancelled: Arc<AtomicBool>,
    ) -> Running {
        let station = Arc::clone(self);
        Running(std::thread::spawn(move || station.watch(plan, drive, report, cancelled)))
    }

    /// Let another thread work, and see that the drive answers.
    fn watch(
        self: Arc<Self>,
        plan: WritePlan,
        drive: Box<dyn Drive>,
        report: Arc<dyn Fn(Event) + Send + Sync>,
        cancelled: Arc<AtomicBool>,
    ) -> Outcome {
        let (facts, started) = (drive.facts().clone(), self.clock.now());
        let (pulse, (say, said)) = (Arc::new(Pulse::default()), channel());
        {
            let (station, plan, report, pulse) =
                (Arc::clone(&self), plan.clone(), Arc::clone(&report), Arc::clone(&pulse));
            std::thread::spawn(move || {
                let mut drive = drive;
                let context = Context::new(drive.facts().drive.clone(), &station, &*report, &cancelled, pulse);
                let outcome = work(&plan, &mut *drive, &context);
                // Before the drive is let go: closing one that hangs may hang as well. Nobody listens any more if it
                // was given up.
                let _ = say.send(outcome);
            });
        }
        let (code, detail) = loop {
            match said.recv_timeout(LOOK) {
                Ok(outcome) => {
                    report(Event::Finished { drive: facts.drive, outcome: outcome.clone() });
                    return outcome;
                }
                Err(RecvTimeoutError::Timeout) => {
                    let silent = pulse.silent_for(self.clock.elapsed());
                    if silent >= self.limits.stall {
                        break (Code::Stalled, format!("no answer for {} s", silent.as_secs()));
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    break (Code::StationFault, "the thread that worked on the drive panicked".to_owned());
                }
            }
        };
        let outcome = if pulse.decide() {
            record_failure(&self, &plan, &facts, started, code, detail)
        } else {
            // It was being recorded as failed already, and hung while it was wiped.
            Outcome::Failed { code, detail }
        };
        report(Event::Finished { drive: facts.drive, outcome: outcome.clone() });
        outcome
    }

    /// The same on the calling thread, which waits as long as the drive lets it wait.
    pub fn run(
        &self,
        plan: &WritePlan,
        drive: &mut dyn Drive,
        report: &dyn Fn(Event),
        cancelled: &AtomicBool,
    ) -> Outcome {
        let drive_ref = drive.facts().drive.clone();
        let context = Context::new(drive_ref.clone(), self, report, cancelled, Arc::default());
        let outcome = work(plan, drive, &context);
        report(Event::Finished { drive: drive_ref, outcome: outcome.clone() });
        outcome
    }
}
