// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Memory that O_DIRECT accepts.

use memmap2::{Advice, MmapMut};

/// Direct I/O wants buffers aligned to the device's logical sector; no device of this century has a larger one.
pub const MEMORY_ALIGN_BYTES: usize = 4096;

/// A zeroed byte buffer whose first byte is aligned to [`MEMORY_ALIGN_BYTES`].
pub struct AlignedBuffer {
    memory: MmapMut,
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
        let memory = MmapMut::map_anon(len.max(1))?;
        // The kernel pins a huge page in one step instead of 512. Where it has none, nothing is lost.
        let _ = memory.advise(Advice::HugePage);
        Ok(Self { memory, len })
    }
}

impl std::ops::Deref for AlignedBuffer {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.memory[..self.len]
    }
}

impl std::ops::DerefMut for AlignedBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_aligned_and_has_its_length() {
        for len in [0, 1, 512, 4096, 1 << 20] {
            let buffer = AlignedBuffer::new(len);
            assert_eq!((buffer.as_ptr() as usize % MEMORY_ALIGN_BYTES, buffer.len()), (0, len));
        }
    }
}
