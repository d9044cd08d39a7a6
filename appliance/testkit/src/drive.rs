// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A drive in memory that is stricter than real ones, and fails on request.

use std::io;
use std::sync::Mutex;

use platen_engine::{
    AlignedBuffer, Drive, DriveError, DriveFacts, DriveKind, DriveRef, MEMORY_ALIGN_BYTES, Operation, ReadDrive,
    Trouble,
};

/// What goes wrong. Operations of a kind are counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: a drive in order.
    None,
    /// The n-th write fails; a part of it may have arrived.
    FailWrite(u64),
    /// The n-th read fails.
    FailRead(u64),
    /// The n-th flush fails.
    FailFlush(u64),
    /// The n-th write is said to be done and is not.
    DropWrite(u64),
    /// Only the first half of the n-th write arrives.
    TearWrite(u64),
    /// One bit of the n-th write is stored wrong.
    FlipWrite(u64),
    /// One bit of the n-th read comes back wrong.
    FlipRead(u64),
    /// The n-th read moves nothing and says it did.
    EmptyRead(u64),
    /// The n-th write goes to another place.
    Misplace(u64, i64),
    /// From the n-th write on nothing is stored any more.
    StaleFrom(u64),
    /// Write-protected from the n-th write on.
    ReadOnlyFrom(u64),
    /// Pulled when so many bytes were written in all.
    VanishAtByte(u64),
    /// Pulled at the n-th operation of any kind.
    VanishAtOperation(u64),
    /// Claims its size and has only so much: addresses repeat.
    Wrap(u64),
}

impl Fault {
    /// The drive takes no more writes once it struck, so it can't be wiped either.
    pub fn refuses_afterwards(self) -> bool {
        matches!(self, Self::StaleFrom(_) | Self::ReadOnlyFrom(_) | Self::VanishAtByte(_) | Self::VanishAtOperation(_))
    }
}

/// A drive in memory, with one fault. Everything about it can be looked at.
pub struct Fake {
    /// What it holds.
    pub memory: Vec<u8>,
    /// What goes wrong with it.
    pub fault: Fault,
    /// The fault made a difference at least once.
    pub struck: bool,
    /// Writes that were asked for.
    pub writes: u64,
    /// Reads that were asked for.
    pub reads: u64,
    /// Flushes that were asked for.
    pub flushes: u64,
    /// Bytes in all writes that were asked for.
    pub written_bytes: u64,
    /// A drive without faults that answers in the place of this one: the engine's checks made blind.
    pub blind: Option<Vec<u8>>,
    /// A write cache: writes that a loss of power may undo, with what was there before.
    pub unflushed: Option<Vec<(usize, Vec<u8>)>>,
    /// It can be told to make zeros; that counts as a write.
    pub has_zero_command: bool,
    gone: bool,
    facts: DriveFacts,
}

impl Fake {
    /// Filled with what is no zeros, with old tables on top.
    pub fn new(memory: Vec<u8>, sector_bytes: u32) -> Self {
        let facts = DriveFacts {
            drive: DriveRef { port: "2-1".to_owned(), path: "/dev/fake".to_owned() },
            kind: DriveKind::Usb,
            size_bytes: memory.len() as u64,
            sector_bytes,
            serial: Some("=FAKE,\"0001\"".to_owned()),
            model: None,
            vendor_product: Some((0x0781, 0x5581)),
            disk_sequence: Some(7),
            read_back: "memory".to_owned(),
            inserted: None,
        };
        Self {
            memory,
            fault: Fault::None,
            struck: false,
            writes: 0,
            reads: 0,
            flushes: 0,
            written_bytes: 0,
            blind: None,
            unflushed: None,
            has_zero_command: false,
            gone: false,
            facts,
        }
    }

    /// The same drive after it was inserted again, in order.
    pub fn repaired(mut self) -> Self {
        Self::new(std::mem::take(&mut self.memory), self.facts.sector_bytes)
    }

    fn check(&self, offset_bytes: u64, bytes: &[u8]) {
        let sector = u64::from(self.facts.sector_bytes);
        assert!(offset_bytes.is_multiple_of(sector), "offset {offset_bytes:#x} is not a whole sector");
        assert!((bytes.len() as u64).is_multiple_of(sector) && !bytes.is_empty(), "length {}", bytes.len());
        assert!((bytes.as_ptr() as usize).is_multiple_of(MEMORY_ALIGN_BYTES), "memory is not aligned");
        assert!(offset_bytes + bytes.len() as u64 <= self.facts.size_bytes, "past the end of the drive");
    }

    fn error(&self, operation: Operation, offset_bytes: u64, len: usize) -> DriveError {
        let trouble = match self.fault {
            _ if self.gone => Trouble::Vanished,
            Fault::ReadOnlyFrom(_) if operation == Operation::Write => Trouble::ReadOnly,
            _ => Trouble::Broken,
        };
        let source = io::Error::from_raw_os_error(if self.gone { 19 } else { 5 });
        DriveError { operation, offset_bytes, len_bytes: len as u64, trouble, source }
    }

    fn operate(&mut self) {
        if self.fault == Fault::VanishAtOperation(self.reads + self.writes + self.flushes) {
            self.gone = true;
            self.struck = true;
        }
    }

    fn hit(&mut self, n: u64, count: u64) -> bool {
        let hit = n == count;
        self.struck |= hit;
        hit
    }

    fn store(&mut self, offset_bytes: u64, bytes: &[u8]) {
        let at = offset_bytes as usize;
        if let Some(unflushed) = &mut self.unflushed {
            unflushed.push((at, self.memory[at..at + bytes.len()].to_vec()));
        }
        if let Fault::Wrap(real_bytes) = self.fault {
            let mut at = offset_bytes;
            for sector in bytes.chunks(512) {
                let to = (at % real_bytes) as usize;
                self.struck |= at >= real_bytes;
                self.memory[to..to + sector.len()].copy_from_slice(sector);
                at += sector.len() as u64;
            }
        } else {
            self.memory[at..at + bytes.len()].copy_from_slice(bytes);
        }
    }

    fn try_write(&mut self, offset_bytes: u64, bytes: &[u8]) -> Result<(), DriveError> {
        self.writes += 1;
        self.operate();
        let fail = |fake: &Self| Err(fake.error(Operation::Write, offset_bytes, bytes.len()));
        if self.gone {
            return fail(self);
        }
        let before = self.written_bytes;
        self.written_bytes += bytes.len() as u64;
        let half = bytes.len() / 1024 * 512;
        let fault = self.fault;
        match fault {
            Fault::FailWrite(n) if self.hit(n, self.writes) => {
                self.store(offset_bytes, &bytes[..half]);
                return fail(self);
            }
            Fault::DropWrite(n) if self.hit(n, self.writes) => {}
            Fault::TearWrite(n) if self.hit(n, self.writes) => self.store(offset_bytes, &bytes[..half]),
            Fault::FlipWrite(n) if self.hit(n, self.writes) => {
                let mut wrong = bytes.to_vec();
                let at = wrong.len() / 3;
                wrong[at] ^= 0x20;
                self.store(offset_bytes, &wrong);
            }
            Fault::Misplace(n, by) if self.hit(n, self.writes) => {
                let last = self.facts.size_bytes - bytes.len() as u64;
                self.store(offset_bytes.saturating_add_signed(by).min(last), bytes);
            }
            Fault::StaleFrom(n) if self.writes >= n => self.struck = true,
            Fault::ReadOnlyFrom(n) if self.writes >= n => {
                self.struck = true;
                return fail(self);
            }
            Fault::VanishAtByte(limit) if before + bytes.len() as u64 > limit => {
                (self.gone, self.struck) = (true, true);
                let arrived = (limit - before) as usize / 512 * 512;
                self.store(offset_bytes, &bytes[..arrived]);
                return fail(self);
            }
            _ => self.store(offset_bytes, bytes),
        }
        Ok(())
    }

    fn try_read(&mut self, offset_bytes: u64, bytes: &mut [u8]) -> Result<(), DriveError> {
        self.reads += 1;
        self.operate();
        if self.gone {
            return Err(self.error(Operation::Read, offset_bytes, bytes.len()));
        }
        let fault = self.fault;
        match fault {
            Fault::FailRead(n) if self.hit(n, self.reads) => {
                return Err(self.error(Operation::Read, offset_bytes, bytes.len()));
            }
            Fault::EmptyRead(n) if self.hit(n, self.reads) => return Ok(()),
            Fault::Wrap(real_bytes) => {
                let mut at = offset_bytes;
                for sector in bytes.chunks_mut(512) {
                    let from = (at % real_bytes) as usize;
                    sector.copy_from_slice(&self.memory[from..from + sector.len()]);
                    at += sector.len() as u64;
                }
                return Ok(());
            }
            _ => {}
        }
        let at = offset_bytes as usize;
        bytes.copy_from_slice(&self.memory[at..at + bytes.len()]);
        if let Fault::FlipRead(n) = self.fault
            && self.hit(n, self.reads)
        {
            let at = bytes.len() * 2 / 3;
            bytes[at] ^= 0x04;
        }
        Ok(())
    }

    fn try_flush(&mut self) -> Result<(), DriveError> {
        self.flushes += 1;
        self.operate();
        let fault = self.fault;
        if self.gone || matches!(fault, Fault::FailFlush(n) if self.hit(n, self.flushes)) {
            return Err(self.error(Operation::Flush, 0, 0));
        }
        if let Some(unflushed) = &mut self.unflushed {
            unflushed.clear();
        }
        Ok(())
    }

    /// The power fails: any of the writes that were not flushed may be lost, in any order, sector by sector.
    pub fn lose_power(&mut self, mut random: impl FnMut() -> u32) {
        let unflushed = self.unflushed.take().unwrap_or_default();
        for (at, before) in unflushed.into_iter().rev() {
            // All of it, none of it, or some sectors.
            let how = random() % 3;
            for (number, sector) in before.chunks(512).enumerate() {
                if how == 0 || (how == 1 && random().is_multiple_of(2)) {
                    let at = at + number * 512;
                    self.memory[at..at + sector.len()].copy_from_slice(sector);
                }
            }
        }
    }
}

/// Memory of drives that are gone. Thousands of drives are made, and new memory costs more than all else.
static POOL: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Empty, with room for a drive if there is one.
pub fn pooled() -> Vec<u8> {
    POOL.lock().unwrap().pop().unwrap_or_default()
}

impl Drop for Fake {
    fn drop(&mut self) {
        let memories = [Some(std::mem::take(&mut self.memory)), self.blind.take()];
        if let Ok(mut pool) = POOL.lock() {
            for mut memory in memories.into_iter().flatten() {
                if memory.capacity() >= 8 << 20 && pool.len() < 8 {
                    memory.clear();
                    pool.push(memory);
                }
            }
        }
    }
}

impl ReadDrive for Fake {
    fn facts(&self) -> &DriveFacts {
        &self.facts
    }

    fn read_at(&mut self, offset_bytes: u64, bytes: &mut [u8]) -> Result<(), DriveError> {
        self.check(offset_bytes, bytes);
        let answer = self.try_read(offset_bytes, bytes);
        if let Some(right) = &self.blind {
            bytes.copy_from_slice(&right[offset_bytes as usize..][..bytes.len()]);
            return Ok(());
        }
        answer
    }
}

impl Drive for Fake {
    fn write_at(&mut self, offset_bytes: u64, bytes: &[u8]) -> Result<(), DriveError> {
        self.check(offset_bytes, bytes);
        let answer = self.try_write(offset_bytes, bytes);
        if let Some(right) = &mut self.blind {
            right[offset_bytes as usize..][..bytes.len()].copy_from_slice(bytes);
            return Ok(());
        }
        answer
    }

    fn zero_at(&mut self, offset_bytes: u64, len_bytes: u64) -> Result<bool, DriveError> {
        let zeros = AlignedBuffer::new(len_bytes as usize);
        self.check(offset_bytes, &zeros);
        if !self.has_zero_command {
            return Ok(false);
        }
        let answer = self.try_write(offset_bytes, &zeros);
        if let Some(right) = &mut self.blind {
            right[offset_bytes as usize..][..len_bytes as usize].fill(0);
            return Ok(true);
        }
        answer.map(|()| true)
    }

    fn flush(&mut self) -> Result<(), DriveError> {
        let answer = self.try_flush();
        if self.blind.is_some() { Ok(()) } else { answer }
    }

    fn confirm(&mut self) -> Result<(), DriveError> {
        if self.gone && self.blind.is_none() { Err(self.error(Operation::Confirm, 0, 0)) } else { Ok(()) }
    }

    fn confirm_unshared(&mut self) -> Result<(), DriveError> {
        Ok(())
    }
}
