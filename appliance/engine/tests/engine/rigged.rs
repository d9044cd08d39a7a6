// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A drive with somebody in between who sees every operation, and may spoil it, hold it up, or let time pass.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use platen_engine::{Clock, Drive, DriveError, DriveFacts, Operation, ReadDrive, Trouble};
use platen_media::Timestamp;

use crate::bench::now;

/// What a drive is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Read,
    Write,
    Zero,
    Flush,
    /// Is it still the drive that was opened?
    Confirm,
    /// Does nobody else use it?
    Unshared,
}

/// One operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) kind: Kind,
    /// Which of its kind, from 1.
    pub(crate) nth: u64,
    pub(crate) offset_bytes: u64,
    pub(crate) len_bytes: u64,
}

/// What becomes of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Work,
    /// It is refused, and nothing is moved.
    Fail(Trouble),
    /// It is said to be done and is not.
    Pretend,
    /// Only its first half is done, which nobody is told.
    Half,
    /// One bit comes back wrong, or is stored wrong.
    Flip,
}

type Rule = Box<dyn FnMut(Asked) -> Act + Send>;

/// A drive that can be made to misbehave at any operation. The drive behind can be looked at while this one is with a station.
pub(crate) struct Rigged<D> {
    drive: Arc<Mutex<D>>,
    facts: DriveFacts,
    rule: Rule,
    counts: [u64; 6],
    /// Told when the station lets the drive go.
    gate: Option<Arc<Gate>>,
}

impl<D: Drive> Rigged<D> {
    pub(crate) fn new(drive: D, rule: impl FnMut(Asked) -> Act + Send + 'static) -> Self {
        let facts = drive.facts().clone();
        Self { drive: Arc::new(Mutex::new(drive)), facts, rule: Box::new(rule), counts: [0; 6], gate: None }
    }

    /// One of several drives, so that events and rows can be told apart.
    pub(crate) fn at_port(mut self, port: &str) -> Self {
        port.clone_into(&mut self.facts.drive.port);
        self
    }

    pub(crate) fn with_gate(mut self, gate: &Arc<Gate>) -> Self {
        self.gate = Some(Arc::clone(gate));
        self
    }

    pub(crate) fn behind(&self) -> Arc<Mutex<D>> {
        Arc::clone(&self.drive)
    }

    fn ask(&mut self, kind: Kind, offset_bytes: u64, len_bytes: u64) -> Result<Act, DriveError> {
        self.counts[kind as usize] += 1;
        let asked = Asked { kind, nth: self.counts[kind as usize], offset_bytes, len_bytes };
        match (self.rule)(asked) {
            Act::Fail(trouble) => {
                let operation = match kind {
                    Kind::Read => Operation::Read,
                    Kind::Write | Kind::Zero => Operation::Write,
                    Kind::Flush => Operation::Flush,
                    Kind::Confirm | Kind::Unshared => Operation::Confirm,
                };
                let source = io::Error::from_raw_os_error(5);
                Err(DriveError { operation, offset_bytes, len_bytes, trouble, source })
            }
            act => Ok(act),
        }
    }
}

/// A drive's own panic must not hide what the test is about.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<D> Drop for Rigged<D> {
    fn drop(&mut self) {
        if let Some(gate) = &self.gate {
            gate.let_go();
        }
    }
}

impl<D: Drive> ReadDrive for Rigged<D> {
    fn facts(&self) -> &DriveFacts {
        &self.facts
    }

    fn read_at(&mut self, offset_bytes: u64, bytes: &mut [u8]) -> Result<(), DriveError> {
        let act = self.ask(Kind::Read, offset_bytes, bytes.len() as u64)?;
        if act == Act::Pretend {
            return Ok(());
        }
        locked(&self.drive).read_at(offset_bytes, bytes)?;
        if act == Act::Flip {
            bytes[bytes.len() / 2] ^= 0x10;
        }
        Ok(())
    }
}

impl<D: Drive> Drive for Rigged<D> {
    fn write_at(&mut self, offset_bytes: u64, bytes: &[u8]) -> Result<(), DriveError> {
        let act = self.ask(Kind::Write, offset_bytes, bytes.len() as u64)?;
        let mut drive = locked(&self.drive);
        match act {
            Act::Pretend => Ok(()),
            Act::Half if bytes.len() < 1024 => Ok(()),
            Act::Half => drive.write_at(offset_bytes, &bytes[..bytes.len() / 1024 * 512]),
            Act::Flip => {
                let mut wrong = platen_engine::AlignedBuffer::new(bytes.len());
                wrong.copy_from_slice(bytes);
                wrong[bytes.len() / 2] ^= 0x10;
                drive.write_at(offset_bytes, &wrong)
            }
            Act::Work | Act::Fail(_) => drive.write_at(offset_bytes, bytes),
        }
    }

    fn zero_at(&mut self, offset_bytes: u64, len_bytes: u64) -> Result<bool, DriveError> {
        match self.ask(Kind::Zero, offset_bytes, len_bytes)? {
            Act::Pretend => Ok(true),
            Act::Half => locked(&self.drive).zero_at(offset_bytes, len_bytes / 1024 * 512),
            _ => locked(&self.drive).zero_at(offset_bytes, len_bytes),
        }
    }

    fn flush(&mut self) -> Result<(), DriveError> {
        match self.ask(Kind::Flush, 0, 0)? {
            Act::Pretend => Ok(()),
            _ => locked(&self.drive).flush(),
        }
    }

    fn confirm(&mut self) -> Result<(), DriveError> {
        self.ask(Kind::Confirm, 0, 0)?;
        locked(&self.drive).confirm()
    }

    fn confirm_unshared(&mut self) -> Result<(), DriveError> {
        self.ask(Kind::Unshared, 0, 0)?;
        locked(&self.drive).confirm_unshared()
    }
}

/// Time that passes when the test says so.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ticks(Arc<AtomicU64>);

impl Ticks {
    pub(crate) fn pass(&self, time: Duration) {
        self.0.fetch_add(time.as_nanos() as u64, Ordering::SeqCst);
    }

    /// A stick of 30 MB/s writing, 90 MB/s reading, a millisecond for each command.
    pub(crate) fn pass_for(&self, asked: Asked) {
        let bytes_per_s = if asked.kind == Kind::Write { 30e6 } else { 90e6 };
        let moving = if asked.kind == Kind::Zero { 0.0 } else { asked.len_bytes as f64 / bytes_per_s };
        self.pass(Duration::from_millis(1) + Duration::from_secs_f64(moving));
    }
}

impl Clock for Ticks {
    fn now(&self) -> Timestamp {
        now()
    }
    fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::SeqCst))
    }
}

#[derive(Debug, Default)]
struct Passage {
    waiting: bool,
    open: bool,
    let_go: bool,
}

/// Where a drive hangs until the test opens it.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    passage: Mutex<Passage>,
    changed: Condvar,
}

/// Nothing a healthy machine does takes so long; only a test that fails waits it out.
const NEVER: Duration = Duration::from_secs(120);

impl Gate {
    /// For drives: hang here.
    pub(crate) fn hang(&self) {
        let mut passage = locked(&self.passage);
        passage.waiting = true;
        self.changed.notify_all();
        while !passage.open {
            passage = self.changed.wait(passage).unwrap_or_else(PoisonError::into_inner);
        }
        passage.waiting = false;
    }

    pub(crate) fn open(&self) {
        locked(&self.passage).open = true;
        self.changed.notify_all();
    }

    fn let_go(&self) {
        locked(&self.passage).let_go = true;
        self.changed.notify_all();
    }

    fn wait(&self, until: impl Fn(&Passage) -> bool) -> bool {
        let passage = locked(&self.passage);
        let (passage, _) = self
            .changed
            .wait_timeout_while(passage, NEVER, |passage| !until(passage))
            .unwrap_or_else(PoisonError::into_inner);
        assert!(until(&passage), "nothing happened");
        passage.waiting
    }

    /// Wait until the drive hangs or was let go by the station. True: it hangs.
    pub(crate) fn hangs(&self) -> bool {
        self.wait(|passage| passage.waiting || passage.let_go)
    }

    /// Wait until the station's thread has ended and closed the drive.
    pub(crate) fn wait_until_let_go(&self) {
        self.wait(|passage| passage.let_go);
    }
}
