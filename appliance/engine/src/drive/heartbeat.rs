// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Is the drive answering, and fast enough? A drive that hangs can't be interrupted: the thread that waits for it is
//! lost until the kernel lets it go. So every operation is stamped here, and somebody else looks at the stamp.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::Clock;
use crate::drive::{Drive, DriveError, DriveFacts, Operation, ReadDrive, Returned, Trouble};

/// The speed is judged once the drive was waited for this long; time spent on anything else does not count.
const SPEED_WINDOW: Duration = Duration::from_secs(20);
/// It is judged over at least this many operations: a single one may have met a reset, which says nothing about speed.
const SPEED_OPERATIONS: u32 = 4;
/// Only transfers of at least this size count: small ones measure latency, not speed.
const SPEED_TRANSFER_BYTES: usize = 256 << 10;

/// Whether the drive is still the same is asked this often while it is written to, besides at every step.
const CONFIRM_EVERY: Duration = Duration::from_secs(1);

/// What a job is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiting {
    Drive,
    /// The cache's disk.
    Content,
}

/// Shared by the thread that works on a drive and the one that watches it.
#[derive(Debug, Default)]
pub(crate) struct Heartbeat {
    /// When the running operation began, in milliseconds of the clock, times four, and what is waited for, from one; 0
    /// while there is none.
    busy: AtomicU64,
    decided: AtomicBool,
}

impl Heartbeat {
    /// An operation that may never end begins.
    pub(crate) fn begin(&self, what: Waiting, now: Duration) {
        self.busy.store((now.as_millis() as u64) << 2 | (what as u64 + 1), Ordering::Release);
    }

    /// It has ended.
    pub(crate) fn end(&self) {
        self.busy.store(0, Ordering::Release);
    }

    /// What has not answered, and for how long.
    pub(crate) fn silent_for(&self, now: Duration) -> (Waiting, Duration) {
        let busy = self.busy.load(Ordering::Acquire);
        let silent = || now.saturating_sub(Duration::from_millis(busy >> 2));
        match busy & 3 {
            0 => (Waiting::Drive, Duration::ZERO),
            1 => (Waiting::Drive, silent()),
            _ => (Waiting::Content, silent()),
        }
    }

    /// Say how the job ends. True for the first who does: only that one records it.
    pub(crate) fn decide(&self) -> bool {
        !self.decided.swap(true, Ordering::AcqRel)
    }

    /// Somebody said how the job ends.
    pub(crate) fn is_decided(&self) -> bool {
        self.decided.load(Ordering::Acquire)
    }
}

/// A drive whose every operation is stamped and measured.
pub(crate) struct WatchedDrive<'a> {
    drive: &'a mut dyn Drive,
    heartbeat: &'a Heartbeat,
    clock: &'a dyn Clock,
    minimum_bytes_per_s: u64,
    moved_bytes: u64,
    waited: Duration,
    operations: u32,
    confirmed: Duration,
}

impl<'a> WatchedDrive<'a> {
    pub(crate) fn new(
        drive: &'a mut dyn Drive,
        heartbeat: &'a Heartbeat,
        clock: &'a dyn Clock,
        minimum_bytes_per_s: u64,
    ) -> Self {
        let (waited, confirmed) = (Duration::ZERO, clock.elapsed());
        Self { drive, heartbeat, clock, minimum_bytes_per_s, moved_bytes: 0, waited, operations: 0, confirmed }
    }

    fn stamped<T>(
        &mut self,
        operate: impl FnOnce(&mut dyn Drive) -> Result<T, DriveError>,
    ) -> (Result<T, DriveError>, Duration) {
        let begun = self.clock.elapsed();
        self.heartbeat.begin(Waiting::Drive, begun);
        let answer = operate(self.drive);
        self.heartbeat.end();
        (answer, self.clock.elapsed().saturating_sub(begun))
    }

    /// Before something is changed: ask now and then whether this is still the drive that was opened.
    fn confirm_if_due(&mut self) -> Result<(), DriveError> {
        let due = self.clock.elapsed().saturating_sub(self.confirmed) >= CONFIRM_EVERY;
        if due { self.confirm() } else { Ok(()) }
    }

    /// A transfer; flushes are no measure of speed, they wait for what was moved before.
    fn transfer(
        &mut self,
        operation: Operation,
        offset_bytes: u64,
        len: usize,
        operate: impl FnOnce(&mut dyn Drive) -> Result<(), DriveError>,
    ) -> Result<(), DriveError> {
        let (answer, took) = self.stamped(operate);
        answer?;
        if len < SPEED_TRANSFER_BYTES {
            return Ok(());
        }
        self.moved_bytes += len as u64;
        self.waited += took;
        self.operations += 1;
        if self.waited < SPEED_WINDOW || self.operations < SPEED_OPERATIONS {
            return Ok(());
        }
        let bytes_per_s = (self.moved_bytes as f64 / self.waited.as_secs_f64()) as u64;
        (self.moved_bytes, self.waited, self.operations) = (0, Duration::ZERO, 0);
        if bytes_per_s >= self.minimum_bytes_per_s {
            return Ok(());
        }
        let (kb_per_s, minimum_kb) = (bytes_per_s / 1000, self.minimum_bytes_per_s / 1000);
        let text = format!("{kb_per_s} kB/s over {} s, at least {minimum_kb} are expected", SPEED_WINDOW.as_secs());
        let (trouble, source) = (Trouble::TooSlow, std::io::Error::other(text));
        Err(DriveError { operation, offset_bytes, len_bytes: len as u64, trouble, source })
    }
}

impl ReadDrive for WatchedDrive<'_> {
    fn facts(&self) -> &DriveFacts {
        self.drive.facts()
    }

    fn read_at(&mut self, offset_bytes: u64, bytes: &mut [u8]) -> Result<(), DriveError> {
        self.transfer(Operation::Read, offset_bytes, bytes.len(), |drive| drive.read_at(offset_bytes, bytes))
    }
}

impl Drive for WatchedDrive<'_> {
    fn write_at(&mut self, offset_bytes: u64, bytes: &[u8]) -> Result<(), DriveError> {
        self.confirm_if_due()?;
        self.transfer(Operation::Write, offset_bytes, bytes.len(), |drive| drive.write_at(offset_bytes, bytes))
    }

    fn zero_at(&mut self, offset_bytes: u64, len_bytes: u64) -> Result<bool, DriveError> {
        self.confirm_if_due()?;
        self.stamped(|drive| drive.zero_at(offset_bytes, len_bytes)).0
    }

    fn flush(&mut self) -> Result<(), DriveError> {
        self.stamped(|drive| drive.flush()).0
    }

    fn confirm(&mut self) -> Result<(), DriveError> {
        self.confirmed = self.clock.elapsed();
        self.stamped(|drive| drive.confirm()).0
    }

    fn confirm_unshared(&mut self) -> Result<(), DriveError> {
        self.stamped(|drive| drive.confirm_unshared()).0
    }

    fn has_power_switch(&self) -> bool {
        self.drive.has_power_switch()
    }

    fn power_cycle(&mut self) -> Result<Option<Returned>, DriveError> {
        self.stamped(|drive| drive.power_cycle()).0
    }

    fn publish(&mut self) {
        self.drive.publish();
    }
}
