// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Waiting for drives that may never answer: each is looked at on a thread of its own, so that one that hangs stops
//! only itself, and all of it can be stopped.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use platen_engine::{DriveError, DriveFacts, ReadDrive, Watch};
use platen_events::Code;

use crate::exit::Exit;
use crate::failure::{Failure, stopped};

/// How often it is looked whether a drive is still waited for.
pub(crate) const LOOK: Duration = Duration::from_millis(100);

/// Until when a drive is waited for.
#[derive(Debug, Clone)]
pub(crate) struct Patience {
    stop: Arc<AtomicBool>,
    stall_limit: Duration,
}

/// What came of the work on one drive.
#[derive(Debug)]
pub(crate) enum Attended<T> {
    Done(T),
    /// It gave no sign of life for so long.
    Stalled(Duration),
    /// Somebody asked this program to stop.
    Stopped,
}

/// The last sign of life of one drive.
#[derive(Debug, Clone)]
pub(crate) struct Signs {
    last_ms: Arc<AtomicU64>,
    patience: Patience,
}

impl Patience {
    /// Setting `stop` ends all waiting.
    pub(crate) fn new(stop: &Arc<AtomicBool>, stall_limit: Duration) -> Self {
        Self { stop: Arc::clone(stop), stall_limit }
    }

    /// Work on all of `items` side by side, and wait for each as long as it gives signs of life. A thread that is no
    /// longer waited for is left to itself, with everything it was given.
    pub(crate) fn side_by_side<I: Send + 'static, T: Send + 'static>(
        &self,
        items: Vec<I>,
        work: impl Fn(I, &Signs) -> T + Send + Sync + 'static,
    ) -> std::io::Result<Vec<Attended<T>>> {
        let (work, (say, said)) = (Arc::new(work), channel());
        let mut signs = Vec::with_capacity(items.len());
        for (number, item) in items.into_iter().enumerate() {
            let own = Signs::new(self);
            signs.push(own.clone());
            let (work, say) = (Arc::clone(&work), say.clone());
            std::thread::Builder::new().spawn(move || {
                // Nobody listens any more if it was given up.
                let _ = say.send((number, work(item, &own)));
            })?;
        }
        drop(say);
        let mut results: Vec<Option<Attended<T>>> = signs.iter().map(|_| None).collect();
        while results.iter().any(Option::is_none) {
            match said.recv_timeout(LOOK) {
                Ok((number, result)) => {
                    // Work that was given up may end because of that; then what it says does not count.
                    let given_up = signs[number].given_up();
                    results[number].get_or_insert(given_up.unwrap_or(Attended::Done(result)));
                }
                Err(RecvTimeoutError::Timeout) => {}
                // A thread panicked; what it would have said can't be had.
                Err(RecvTimeoutError::Disconnected) => break,
            }
            for (result, signs) in results.iter_mut().zip(&signs).filter(|(result, _)| result.is_none()) {
                if let Some(given_up) = signs.given_up() {
                    *result = Some(given_up);
                }
            }
        }
        let ended = std::io::Error::other("a thread that looked at a drive panicked");
        results.into_iter().collect::<Option<Vec<_>>>().ok_or(ended)
    }
}

impl Signs {
    pub(crate) fn new(patience: &Patience) -> Self {
        Self { last_ms: Arc::new(AtomicU64::new(now_ms())), patience: patience.clone() }
    }

    /// The drive has answered.
    pub(crate) fn alive(&self) {
        self.last_ms.store(now_ms(), Ordering::Relaxed);
    }

    /// How long it has not.
    pub(crate) fn silent_for(&self) -> Duration {
        Duration::from_millis(now_ms().saturating_sub(self.last_ms.load(Ordering::Relaxed)))
    }

    /// Nobody waits any more.
    pub(crate) fn give_up(&self) {
        self.patience.stop.store(true, Ordering::Relaxed);
    }

    fn given_up<T>(&self) -> Option<Attended<T>> {
        if self.patience.stop.load(Ordering::Relaxed) {
            return Some(Attended::Stopped);
        }
        let silent = self.silent_for();
        (silent >= self.patience.stall_limit).then_some(Attended::Stalled(silent))
    }
}

impl Watch for Signs {
    fn is_wanted(&self) -> bool {
        self.given_up::<()>().is_none()
    }

    fn heard(&self) {
        self.alive();
    }

    fn is_over(&self) {
        self.alive();
    }

    fn progress(&self, _done_bytes: u64, _total_bytes: u64) {
        self.alive();
    }
}

/// A drive each of whose answers is a sign of life.
pub(crate) struct Answering<'a, D> {
    pub(crate) drive: &'a mut D,
    pub(crate) signs: &'a Signs,
}

impl<D: ReadDrive> ReadDrive for Answering<'_, D> {
    fn facts(&self) -> &DriveFacts {
        self.drive.facts()
    }

    fn read_at(&mut self, offset_bytes: u64, bytes: &mut [u8]) -> Result<(), DriveError> {
        let answer = self.drive.read_at(offset_bytes, bytes);
        self.signs.alive();
        answer
    }
}

/// Wait for an answer of the station's own disk, which may hang as well as a drive may.
pub fn answer_of<T: Send + 'static>(
    stop: &Arc<AtomicBool>,
    stall_limit: Duration,
    code: Code,
    ask: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let patience = Patience::new(stop, stall_limit);
    let asked = patience.side_by_side(vec![ask], |ask, _| ask());
    match asked.map_err(|error| Failure::new(Exit::Machine, error))?.pop() {
        Some(Attended::Done(answer)) => answer,
        Some(Attended::Stopped) => Err(stopped()),
        Some(Attended::Stalled(_)) | None => {
            let entry = code.entry();
            Err(Failure::new(Exit::Machine, format!("{} {}", entry.what, entry.todo)).coded(code))
        }
    }
}

fn now_ms() -> u64 {
    static BEGUN: OnceLock<Instant> = OnceLock::new();
    BEGUN.get_or_init(Instant::now).elapsed().as_millis() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patience(limit_ms: u64) -> (Arc<AtomicBool>, Patience) {
        let stop = Arc::new(AtomicBool::new(false));
        (Arc::clone(&stop), Patience::new(&stop, Duration::from_millis(limit_ms)))
    }

    #[test]
    fn one_that_hangs_stops_only_itself() {
        let (_, patience) = patience(300);
        let results = patience.side_by_side(vec![0, 1, 2], |number, _| {
            if number == 1 {
                std::thread::sleep(Duration::from_secs(3600));
            }
            number * 10
        });
        let results = results.expect("threads");
        assert!(matches!(results[..], [Attended::Done(0), Attended::Stalled(_), Attended::Done(20)]), "{results:?}");
    }

    #[test]
    fn signs_of_life_are_waited_for_and_stopping_ends_it() {
        let (stop, patience) = patience(600_000);
        let (say, said) = channel();
        let stopping = std::thread::spawn(move || {
            let _ = said.recv();
            stop.store(true, Ordering::Relaxed);
        });
        let results = patience.side_by_side(vec![say], |say, signs| {
            say.send(()).expect("somebody stops");
            while {
                signs.alive();
                signs.is_wanted()
            } {
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        assert!(matches!(results.expect("threads")[..], [Attended::Stopped]));
        stopping.join().expect("ends");
    }

    #[test]
    fn work_that_ends_because_it_was_given_up_says_nothing() {
        let (_, patience) = patience(50);
        let results = patience.side_by_side(vec![()], |(), signs| {
            while signs.is_wanted() {
                std::thread::yield_now();
            }
        });
        assert!(matches!(results.expect("threads")[..], [Attended::Stalled(_)]));
    }
}
