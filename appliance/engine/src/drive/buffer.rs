// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Memory that O_DIRECT accepts.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

use memmap2::{Advice, MmapMut};

use crate::PIECE_BYTES;

/// Direct I/O wants buffers aligned to the device's logical sector; no device of this century has a larger one.
pub const MEMORY_ALIGN_BYTES: usize = 4096;

/// Buffers of a piece that were let go. Fresh memory is cleared by the kernel and, on a virtual machine, found by its host
/// first: for a job that goes through several steps that is more work than all its hashing.
static SPARE: Mutex<Vec<MmapMut>> = Mutex::new(Vec::new());
/// Enough for one job that goes from step to step; more would be memory that an idle station keeps.
const SPARE_BUFFERS: usize = 2;
/// Smaller ones are not worth a piece's memory.
const SPARE_LEAST_BYTES: usize = PIECE_BYTES / 2;

/// A zeroed byte buffer whose first byte is aligned to [`MEMORY_ALIGN_BYTES`].
pub struct AlignedBuffer {
    /// Of a whole piece where it may be used again. There until this is dropped.
    memory: Option<MmapMut>,
    len: usize,
}

impl AlignedBuffer {
    /// A buffer of `len` bytes. Panics where there is no memory; before a drive is touched it is asked for with
    /// [`Self::try_new`].
    pub fn new(len: usize) -> Self {
        Self::try_new(len).expect("memory was there when the job began")
    }

    /// A buffer of `len` bytes, if there is memory for it.
    pub fn try_new(len: usize) -> std::io::Result<Self> {
        let is_piece = (SPARE_LEAST_BYTES..=PIECE_BYTES).contains(&len);
        if is_piece && let Some(mut memory) = SPARE.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            memory[..len].fill(0);
            return Ok(Self { memory: Some(memory), len });
        }
        let memory = MmapMut::map_anon(if is_piece { PIECE_BYTES } else { len.max(1) })?;
        // The kernel pins a huge page in one step instead of 512. Where it has none, nothing is lost.
        let _ = memory.advise(Advice::HugePage);
        Ok(Self { memory: Some(memory), len })
    }
}

impl Drop for AlignedBuffer {
    fn drop(&mut self) {
        let memory = self.memory.take().filter(|memory| memory.len() == PIECE_BYTES);
        let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE_BUFFERS {
            spare.extend(memory);
        }
    }
}

impl Deref for AlignedBuffer {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.memory.as_deref().expect("there until it is dropped")[..self.len]
    }
}

impl DerefMut for AlignedBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory.as_deref_mut().expect("there until it is dropped")[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_aligned_and_has_its_length() {
        for len in [0, 1, 512, 4096, 1 << 20, PIECE_BYTES, PIECE_BYTES + 1] {
            let buffer = AlignedBuffer::new(len);
            assert_eq!((buffer.as_ptr() as usize % MEMORY_ALIGN_BYTES, buffer.len()), (0, len));
        }
    }

    #[test]
    fn what_was_used_before_is_zeros_again() {
        for _ in 0..2 * SPARE_BUFFERS {
            let mut buffers: Vec<AlignedBuffer> =
                [PIECE_BYTES, SPARE_LEAST_BYTES, PIECE_BYTES - 1].map(AlignedBuffer::new).into();
            for buffer in &mut buffers {
                assert!(buffer.iter().all(|&byte| byte == 0));
                buffer.fill(0xff);
            }
        }
        assert!(SPARE.lock().expect("nobody panicked").len() <= SPARE_BUFFERS);
    }
}
