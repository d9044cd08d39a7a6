// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Waiting for drives and disks that may never answer: each is asked on a thread of its own, which is left behind when
//! nobody waits for it any more.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use platen_engine::{DriveError, DriveFacts, ReadDrive, Watch};
use platen_events::Code;

use crate::exit::Exit;
use crate::failure::{Failure, stopped};

/// How often it is looked whether an answer is still waited for.
pub(crate) const LOOK: Duration = Duration::from_millis(100);

/// What came of waiting.
#[derive(Debug)]
pub(crate) enum Attended<T> {
    Done(T),
    /// There was no sign of life for so long.
    Stalled(Duration),
    /// Somebody asked this program to stop.
    Stopped,
}

/// The last sign of life, and until when more are waited for.
#[derive(Debug, Clone)]
pub(crate) struct Signs {
    last_ms: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    stall_limit: Duration,
}

/// Ask, on a thread of its own, and wait for as long as there are signs of life. Setting `stop` ends the waiting. A thread
/// that is no longer waited for is left to itself, with everything it was given.
pub(crate) fn attend<T: Send + 'static>(
    stop: &Arc<AtomicBool>,
    stall_limit: Duration,
    ask: impl FnOnce(&Signs) -> T + Send + 'static,
) -> std::io::Result<Attended<T>> {
    let (signs, (say, said)) = (Signs::new(Arc::clone(stop), stall_limit), channel());
    let own = signs.clone();
    std::thread::Builder::new().spawn(move || {
        // Nobody listens any more if it was given up.
        let _ = say.send(ask(&own));
    })?;
    loop {
        let answer = said.recv_timeout(LOOK);
        // What ends because it was given up may say anything.
        if let Some(given_up) = signs.given_up() {
            return Ok(given_up);
        }
        match answer {
            Ok(answer) => return Ok(Attended::Done(answer)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(std::io::Error::other("a thread that waited for an answer panicked"));
            }
        }
    }
}

/// Wait for an answer of the station's own disk, which may hang as well as a drive may.
pub fn answer_of<T: Send + 'static>(
    stop: &Arc<AtomicBool>,
    stall_limit: Duration,
    code: Code,
    ask: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    match attend(stop, stall_limit, |_| ask()).map_err(|error| Failure::new(Exit::Machine, error))? {
        Attended::Done(answer) => answer,
        Attended::Stopped => Err(stopped()),
        Attended::Stalled(_) => {
            let entry = code.entry();
            Err(Failure::new(Exit::Machine, format!("{} {}", entry.what, entry.todo)).coded(code))
        }
    }
}

impl Signs {
    /// The first sign is now.
    pub(crate) fn new(stop: Arc<AtomicBool>, stall_limit: Duration) -> Self {
        Self { last_ms: Arc::new(AtomicU64::new(now_ms())), stop, stall_limit }
    }

    /// It has answered.
    pub(crate) fn alive(&self) {
        self.last_ms.store(now_ms(), Ordering::Relaxed);
    }

    /// How long it has not.
    pub(crate) fn silent_for(&self) -> Duration {
        Duration::from_millis(now_ms().saturating_sub(self.last_ms.load(Ordering::Relaxed)))
    }

    /// Nobody waits any more.
    pub(crate) fn give_up(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    fn given_up<T>(&self) -> Option<Attended<T>> {
        if self.stop.load(Ordering::Relaxed) {
            return Some(Attended::Stopped);
        }
        let silent = self.silent_for();
        (silent >= self.stall_limit).then_some(Attended::Stalled(silent))
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

fn now_ms() -> u64 {
    static BEGUN: OnceLock<Instant> = OnceLock::new();
    BEGUN.get_or_init(Instant::now).elapsed().as_millis() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hangs_is_not_waited_for() {
        let attended = attend(&Arc::default(), Duration::from_millis(300), |_| {
            std::thread::sleep(Duration::from_secs(3600));
        });
        assert!(matches!(attended.expect("a thread"), Attended::Stalled(_)));
        let attended = attend(&Arc::default(), Duration::from_millis(300), |_| 7);
        assert!(matches!(attended.expect("a thread"), Attended::Done(7)), "control");
    }

    #[test]
    fn signs_of_life_are_waited_for_and_stopping_ends_it() {
        let stop = Arc::new(AtomicBool::new(false));
        let (say, said) = channel();
        let setting = Arc::clone(&stop);
        let stopping = std::thread::spawn(move || {
            let _ = said.recv();
            setting.store(true, Ordering::Relaxed);
        });
        let attended = attend(&stop, Duration::from_secs(600), move |signs| {
            say.send(()).expect("somebody stops");
            while signs.is_wanted() {
                signs.alive();
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        assert!(matches!(attended.expect("a thread"), Attended::Stopped));
        stopping.join().expect("ends");
    }

    #[test]
    fn what_ends_because_it_was_given_up_says_nothing() {
        let attended = attend(&Arc::default(), Duration::from_millis(50), |signs| {
            while signs.is_wanted() {
                std::thread::yield_now();
            }
        });
        assert!(matches!(attended.expect("a thread"), Attended::Stalled(_)));
    }
}
