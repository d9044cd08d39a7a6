// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Drives of any claimed size that hold only what was written, and lie about how much they can hold.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use platen_engine::plan::{Source, WritePlan};
use platen_engine::{AlignedBuffer, Drive, DriveError, DriveFacts, DriveKind, DriveRef, ReadDrive};

pub(crate) use crate::sparse::Blank;
use crate::sparse::{BLOCK, Sparse};

/// What comes back from where nothing is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Zeros,
    Ones,
    Noise,
    /// The sector that was moved last.
    Stale,
}

/// How it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lie {
    Honest,
    /// Addresses are taken modulo the real size.
    Wrap {
        real: u64,
    },
    /// The first `low` bytes are what they should be, those behind repeat.
    WrapAbove {
        low: u64,
        real: u64,
    },
    /// Nothing is stored from `real` on, but for the last `tail` bytes.
    Limbo {
        real: u64,
        tail: u64,
        answer: Answer,
    },
}

/// In bytes; `first_wrong` is an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) good: u64,
    pub(crate) repeated: u64,
    pub(crate) lost: u64,
    pub(crate) first_wrong: u64,
}

pub(crate) struct Liar {
    facts: DriveFacts,
    memory: Sparse,
    lie: Lie,
    last_moved: [u8; 512],
    /// What was written last is answered from here, whether it is stored or not.
    cache: HashMap<u64, (Box<[u8; BLOCK]>, bool)>,
    cache_order: VecDeque<u64>,
    cache_blocks: usize,
    pub(crate) has_zero_command: bool,
    /// While this is set, a drive that does not lie answers.
    honest_for_now: Option<(Arc<AtomicBool>, Sparse)>,
}

impl Liar {
    pub(crate) fn new(size_bytes: u64, lie: Lie, blank: Blank) -> Self {
        let facts = DriveFacts {
            drive: DriveRef { port: "2-1".to_owned(), path: "/dev/liar".to_owned() },
            kind: DriveKind::Usb,
            size_bytes,
            sector_bytes: 512,
            serial: None,
            model: None,
            vendor_product: None,
            disk_sequence: Some(9),
            read_back: "memory".to_owned(),
            inserted: None,
        };
        Self {
            facts,
            memory: Sparse::new(blank),
            lie,
            last_moved: [0x77; 512],
            cache: HashMap::new(),
            cache_order: VecDeque::new(),
            cache_blocks: 0,
            has_zero_command: false,
            honest_for_now: None,
        }
    }

    pub(crate) fn with_cache(mut self, cache_bytes: usize) -> Self {
        self.cache_blocks = cache_bytes / BLOCK;
        self
    }

    pub(crate) fn honest_while(mut self, flag: &Arc<AtomicBool>) -> Self {
        self.honest_for_now = Some((Arc::clone(flag), Sparse::new(self.memory.blank)));
        self
    }

    /// Where an address is stored, and for how many bytes that goes on.
    fn place(&self, at: u64) -> (Option<u64>, u64) {
        let size = self.facts.size_bytes;
        match self.lie {
            Lie::Honest => (Some(at), size - at),
            Lie::Wrap { real } => (Some(at % real), real - at % real),
            Lie::WrapAbove { low, .. } if at < low => (Some(at), low - at),
            Lie::WrapAbove { low, real } => {
                let over = (at - low) % (real - low);
                (Some(low + over), real - low - over)
            }
            Lie::Limbo { real, .. } if at < real => (Some(at), real - at),
            Lie::Limbo { tail, .. } if at >= size - tail => (Some(at), size - at),
            Lie::Limbo { tail, .. } => (None, size - tail - at),
        }
    }

    /// As much of a block as there is: the last one may be cut short.
    fn inside(&self, offset_bytes: u64, len: usize) -> usize {
        (self.facts.size_bytes - offset_bytes).min(len as u64) as usize
    }

    fn read_stored(&self, offset_bytes: u64, bytes: &mut [u8]) {
        let len = self.inside(offset_bytes, bytes.len());
        let (bytes, mut done) = (&mut bytes[..len], 0);
        while done < bytes.len() {
            let at = offset_bytes + done as u64;
            let (place, len) = self.place(at);
            let part = &mut bytes[done..];
            let len = (part.len() as u64).min(len) as usize;
            let part = &mut part[..len];
            match (place, self.lie) {
                (Some(place), _) => self.memory.read(place, part),
                (None, Lie::Limbo { answer: Answer::Ones, .. }) => part.fill(0xff),
                (None, Lie::Limbo { answer: Answer::Noise, .. }) => Blank::Noise(at ^ 0x55).fill(at, part),
                (None, Lie::Limbo { answer: Answer::Stale, .. }) => {
                    part.chunks_mut(512).for_each(|sector| sector.copy_from_slice(&self.last_moved[..sector.len()]));
                }
                (None, _) => part.fill(0),
            }
            done += len;
        }
    }

    fn store(&mut self, offset_bytes: u64, bytes: &[u8]) {
        let len = self.inside(offset_bytes, bytes.len());
        let (bytes, mut done) = (&bytes[..len], 0);
        while done < bytes.len() {
            let (place, len) = self.place(offset_bytes + done as u64);
            let len = ((bytes.len() - done) as u64).min(len) as usize;
            if let Some(place) = place {
                self.memory.write(place, &bytes[done..done + len]);
            }
            done += len;
        }
    }

    fn keep_in_cache(&mut self, offset_bytes: u64, bytes: &[u8]) {
        for (block, inside, range) in Sparse::parts(offset_bytes, bytes.len()) {
            if !self.cache.contains_key(&block) {
                let mut fresh = Box::new([0; BLOCK]);
                self.read_stored(block * BLOCK as u64, &mut *fresh);
                self.cache.insert(block, (fresh, false));
                self.cache_order.push_back(block);
            }
            let (cached, dirty) = self.cache.get_mut(&block).unwrap();
            cached[inside..inside + range.len()].copy_from_slice(&bytes[range]);
            *dirty = true;
            if self.cache_order.len() > self.cache_blocks {
                let oldest = self.cache_order.pop_front().unwrap();
                if let Some((cached, true)) = self.cache.remove(&oldest) {
                    self.store(oldest * BLOCK as u64, &cached[..]);
                }
            }
        }
    }

    /// Pulled and inserted again: what was only in its cache is gone.
    pub(crate) fn power_cycle(&mut self) {
        self.cache.clear();
        self.cache_order.clear();
    }

    /// What it can hold of as many different sectors as it claims, given to it in ascending order. Written without a
    /// thought for how the engine counts.
    pub(crate) fn can_hold(&self) -> Held {
        let size = self.facts.size_bytes;
        let held = |good, repeated, first_wrong| Held { good, repeated, lost: size - good - repeated, first_wrong };
        match self.lie {
            Lie::Honest => held(size, 0, size),
            Lie::Wrap { real } => held(real, size - real, 0),
            Lie::WrapAbove { low, real } => held(real, size - real, low),
            Lie::Limbo { real, tail, answer } => {
                let good = real + tail + (self.cache_blocks * BLOCK) as u64;
                // What was moved last is a sector of the test, at another address.
                held(good, if answer == Answer::Stale { size - good } else { 0 }, real)
            }
        }
    }

    /// The drive gives back what another one does, wherever the plan puts something; but for its own record, which
    /// says where it was inserted.
    pub(crate) fn is_like(&mut self, golden: &mut Liar, plan: &WritePlan) -> bool {
        let (mut found, mut expected) = (AlignedBuffer::new(1 << 20), AlignedBuffer::new(1 << 20));
        let extents = plan.payload().iter().chain(plan.seal());
        for extent in extents.filter(|extent| extent.source != Source::Record) {
            let (start, end) = (extent.offset_bytes, extent.offset_bytes + extent.len_bytes);
            let mut at = start / 512 * 512;
            while at < end {
                let len = (end.next_multiple_of(512) - at).min(1 << 20) as usize;
                self.read_at(at, &mut found[..len]).unwrap();
                let planned = start.saturating_sub(at) as usize..len.min((end - at) as usize);
                let right = if extent.source == Source::Zero {
                    found[planned].iter().all(|&byte| byte == 0)
                } else {
                    golden.read_at(at, &mut expected[..len]).unwrap();
                    found[planned.clone()] == expected[planned]
                };
                if !right {
                    return false;
                }
                at += len as u64;
            }
        }
        true
    }
}

impl ReadDrive for Liar {
    fn facts(&self) -> &DriveFacts {
        &self.facts
    }

    fn read_at(&mut self, offset_bytes: u64, bytes: &mut [u8]) -> Result<(), DriveError> {
        assert!(offset_bytes + bytes.len() as u64 <= self.facts.size_bytes, "past the end of the drive");
        if let Some((flag, honest)) = &self.honest_for_now
            && flag.load(Ordering::SeqCst)
        {
            honest.read(offset_bytes, bytes);
            return Ok(());
        }
        self.read_stored(offset_bytes, bytes);
        if !self.cache.is_empty() {
            for (block, inside, range) in Sparse::parts(offset_bytes, bytes.len()) {
                if let Some((cached, _)) = self.cache.get(&block) {
                    let part = &mut bytes[range];
                    part.copy_from_slice(&cached[inside..inside + part.len()]);
                }
            }
        }
        let last = bytes.len() - 512;
        self.last_moved.copy_from_slice(&bytes[last..]);
        Ok(())
    }
}

impl Drive for Liar {
    fn write_at(&mut self, offset_bytes: u64, bytes: &[u8]) -> Result<(), DriveError> {
        assert!(offset_bytes + bytes.len() as u64 <= self.facts.size_bytes, "past the end of the drive");
        if let Some((flag, honest)) = &mut self.honest_for_now
            && flag.load(Ordering::SeqCst)
        {
            honest.write(offset_bytes, bytes);
        }
        if self.cache_blocks == 0 {
            self.store(offset_bytes, bytes);
        } else {
            self.keep_in_cache(offset_bytes, bytes);
        }
        self.last_moved.copy_from_slice(&bytes[bytes.len() - 512..]);
        Ok(())
    }

    fn zero_at(&mut self, offset_bytes: u64, len_bytes: u64) -> Result<bool, DriveError> {
        if self.has_zero_command {
            self.store(offset_bytes, &vec![0; len_bytes as usize]);
        }
        Ok(self.has_zero_command)
    }

    fn flush(&mut self) -> Result<(), DriveError> {
        for block in self.cache_order.clone() {
            let (cached, dirty) = self.cache.get_mut(&block).unwrap();
            if std::mem::take(dirty) {
                let cached = cached.clone();
                self.store(block * BLOCK as u64, &cached[..]);
            }
        }
        Ok(())
    }

    fn confirm(&mut self) -> Result<(), DriveError> {
        Ok(())
    }

    fn confirm_unshared(&mut self) -> Result<(), DriveError> {
        Ok(())
    }
}
