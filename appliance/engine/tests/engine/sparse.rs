// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The memory of a drive of any size, of which only what was written takes room.

use std::collections::HashMap;

pub(crate) const BLOCK: usize = 4096;

/// What stands where nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blank {
    Zeros,
    Ones,
    Noise(u64),
}

impl Blank {
    pub(crate) fn fill(self, at_bytes: u64, bytes: &mut [u8]) {
        match self {
            Self::Zeros => bytes.fill(0),
            Self::Ones => bytes.fill(0xff),
            Self::Noise(seed) => {
                for (number, word) in bytes.chunks_mut(8).enumerate() {
                    let mixed = (at_bytes / 8 + number as u64 + seed).wrapping_mul(0xd6e8_feb8_6659_fd93);
                    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
                    word.copy_from_slice(&mixed.to_le_bytes()[..word.len()]);
                }
            }
        }
    }
}

/// Memory of which only the written blocks exist.
pub(crate) struct Sparse {
    blocks: HashMap<u64, Box<[u8; BLOCK]>>,
    pub(crate) blank: Blank,
}

impl Sparse {
    pub(crate) fn new(blank: Blank) -> Self {
        Self { blocks: HashMap::new(), blank }
    }

    /// The parts of a range block by block: number of the block, where in it, where in the range.
    pub(crate) fn parts(at_bytes: u64, len: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
        let mut done = 0;
        std::iter::from_fn(move || {
            (done < len).then(|| {
                let at = at_bytes + done as u64;
                let inside = (at % BLOCK as u64) as usize;
                let range = done..len.min(done + BLOCK - inside);
                done = range.end;
                (at / BLOCK as u64, inside, range)
            })
        })
    }

    pub(crate) fn read(&self, at_bytes: u64, bytes: &mut [u8]) {
        for (block, inside, range) in Self::parts(at_bytes, bytes.len()) {
            let part = &mut bytes[range];
            match self.blocks.get(&block) {
                Some(stored) => part.copy_from_slice(&stored[inside..inside + part.len()]),
                None => self.blank.fill(block * BLOCK as u64 + inside as u64, part),
            }
        }
    }

    pub(crate) fn write(&mut self, at_bytes: u64, bytes: &[u8]) {
        let blank = self.blank;
        for (block, inside, range) in Self::parts(at_bytes, bytes.len()) {
            let stored = self.blocks.entry(block).or_insert_with(|| {
                let mut fresh = Box::new([0; BLOCK]);
                blank.fill(block * BLOCK as u64, &mut *fresh);
                fresh
            });
            stored[inside..inside + range.len()].copy_from_slice(&bytes[range]);
        }
    }
}
