// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Does the drive have what it claims? Asked before anything is written, in a few seconds.
//!
//! Fakes answer addresses they do not have in one of two ways: nothing is stored there ("limbo"), or the address is
//! taken modulo the real size and something else is overwritten. Both are looked for:
//!
//! 1. A few sectors are marked all over the drive. Then a stretch at its end is marked, unless the medium itself will
//!    write much there: it pushes the first marks out of a cache that pretends to be storage. Then a stretch at its
//!    beginning, the *window*, from its first to its last sector.
//! 2. The marks are read back: what was never stored is missing.
//! 3. The second half of the drive is read in steps as long as the window. Whatever the real size, one of these
//!    addresses comes down in the window, and its marker says so. Reading is enough, so it wears nothing.
//!
//! Time grows with the root of the size, because window and steps share the work. It is not proof: what is read back
//! after writing decides. It spares the hour until then.

use std::ops::Range;
use std::time::Duration;

use crate::PIECE_BYTES;
use crate::content::markers::{Found, MARKER_BYTES, fill, look};
use crate::context::Context;
use crate::drive::{AlignedBuffer, Drive, DriveError};

/// Neither step may take longer; what could not be asked by then is left to the read-back.
const FILL_TIME: Duration = Duration::from_millis(1200);
const STEPS_TIME: Duration = Duration::from_millis(1500);
/// One read or write of a mark: a sector of any drive.
const MARK_BYTES: u64 = 4096;
const WINDOW_MIN_BYTES: u64 = 1 << 20;
const WINDOW_MAX_BYTES: u64 = 64 << 20;
/// Smaller drives are read back in no time.
const DRIVE_MIN_BYTES: u64 = 16 << 20;
const CHUNK_BYTES: u64 = 1 << 20;

/// The drive does not give back what it was given for a try.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fake {
    /// Writing there is not storing there.
    #[error(
        "{missing} of {marks} marks are not stored, the first at {at_bytes:#x}; the drive claims {claimed_bytes} bytes"
    )]
    NotStored {
        /// The first marker that is missing, in bytes from the start of the drive.
        at_bytes: u64,
        /// How many markers are missing.
        missing: usize,
        /// How many were written.
        marks: usize,
        /// None of the marks from there to the end of the drive is stored, and they are several.
        to_the_end: bool,
        /// What the drive says it holds, in bytes.
        claimed_bytes: u64,
    },
    /// It stores, and gives back wrong bits.
    #[error("{damaged} of {marks} marks come back with wrong bits, the first at {at_bytes:#x}")]
    Damaged {
        /// The first damaged marker, in bytes from the start of the drive.
        at_bytes: u64,
        /// How many markers are damaged.
        damaged: usize,
        /// How many were written.
        marks: usize,
    },
    /// Two addresses are one place.
    #[error(
        "{at_bytes:#x} and {same_as_bytes:#x} are the same place: the drive has {} bytes or a part of that and \
         claims {claimed_bytes}", at_bytes.abs_diff(*same_as_bytes)
    )]
    Repeats {
        /// Where something else's marker was found, in bytes from the start of the drive.
        at_bytes: u64,
        /// Whose marker it is, in bytes from the start of the drive.
        same_as_bytes: u64,
        /// What the drive says it holds, in bytes.
        claimed_bytes: u64,
    },
}

/// What the drive answered.
pub(crate) enum Probed {
    /// Nothing speaks against it. These places are full of marks.
    Good {
        marked: [Range<u64>; 2],
    },
    Fake(Fake),
}

impl Fake {
    /// It has less than it claims; otherwise a place or two are broken.
    pub fn is_fake(&self) -> bool {
        match self {
            Self::NotStored { missing, marks, to_the_end, .. } => *to_the_end || missing * 8 >= *marks,
            Self::Damaged { .. } => false,
            Self::Repeats { .. } => true,
        }
    }
}

/// Ask whether the drive is as big as it claims. Destroys what is on it. `stretch_bytes` are marked at its end.
pub(crate) fn probe(drive: &mut dyn Drive, stretch_bytes: u64, context: &Context<'_>) -> Result<Probed, DriveError> {
    // Marks of an earlier probe must not be taken for those of this one; the address alone tells most of them apart.
    let nonce = getrandom::u64().unwrap_or_default();
    let size_bytes = drive.facts().size_bytes / MARK_BYTES * MARK_BYTES;
    if size_bytes < DRIVE_MIN_BYTES {
        return Ok(Probed::Good { marked: [0..0, 0..0] });
    }
    // Of a whole piece's size, although chunks are shorter: the kernel pins a huge page in one step.
    Probe { drive, nonce, size_bytes, buffer: AlignedBuffer::new(PIECE_BYTES) }.run(stretch_bytes, context)
}

struct Probe<'a> {
    drive: &'a mut dyn Drive,
    nonce: u64,
    size_bytes: u64,
    buffer: AlignedBuffer,
}

impl Probe<'_> {
    fn run(&mut self, stretch_bytes: u64, context: &Context<'_>) -> Result<Probed, DriveError> {
        let wanted = window_bytes(self.size_bytes);
        let end = self.size_bytes / CHUNK_BYTES * CHUNK_BYTES;
        let stretch = end - stretch_bytes / CHUNK_BYTES * CHUNK_BYTES;
        let marks = marks(self.size_bytes, wanted);
        for &at in &marks {
            self.write(at, MARK_BYTES)?;
        }
        let stretch = stretch..self.fill(stretch..end, context)?;
        let window = self.fill(0..wanted, context)?;
        self.drive.flush()?;

        let (mut missing, mut damaged) = (Vec::new(), Vec::new());
        for &at in &marks {
            match self.read(at)? {
                (_, Found::Own) => {}
                (sector, Found::Of(address)) => return Ok(Probed::Fake(self.repeats(sector, address))),
                (_, Found::Damaged) => damaged.push(at),
                (_, Found::Other) => missing.push(at),
            }
        }
        if let Some(&at_bytes) = missing.last() {
            let to_the_end = missing.len() > 1 && marks.starts_with(&missing);
            let (missing, marks, claimed_bytes) = (missing.len(), marks.len(), self.size_bytes);
            let fake = Fake::NotStored { at_bytes, missing, marks, to_the_end, claimed_bytes };
            return Ok(Probed::Fake(fake));
        }
        if let Some(&at_bytes) = damaged.last() {
            let fake = Fake::Damaged { at_bytes, damaged: damaged.len(), marks: marks.len() };
            return Ok(Probed::Fake(fake));
        }
        let begun = context.clock.elapsed();
        // Every real size of at least a window has a multiple among these addresses, give or take a window.
        let mut at = self.size_bytes / 2 / window * window;
        while at < self.size_bytes && context.clock.elapsed() - begun < STEPS_TIME {
            // Never marked: only what comes from elsewhere counts.
            if let (sector, Found::Of(address)) = self.read(at)? {
                return Ok(Probed::Fake(self.repeats(sector, address)));
            }
            at += window;
        }
        // Left there, they would stand where a new drive has zeros, which then could not be spared. Window and stretch are
        // larger: the caller knows where zeros are wanted.
        self.buffer.fill(0);
        for &at in &marks {
            self.drive.write_at(at, &self.buffer[..MARK_BYTES as usize])?;
        }
        Ok(Probed::Good { marked: [0..window, stretch] })
    }

    /// Mark every sector as far as there is time, one piece at least if there is any. Returns where it ends.
    fn fill(&mut self, range: Range<u64>, context: &Context<'_>) -> Result<u64, DriveError> {
        let begun = context.clock.elapsed();
        let mut at = range.start;
        while at < range.end && (at == range.start || context.clock.elapsed() - begun < FILL_TIME) {
            self.write(at, CHUNK_BYTES)?;
            at += CHUNK_BYTES;
        }
        Ok(at)
    }

    fn write(&mut self, at_bytes: u64, len_bytes: u64) -> Result<(), DriveError> {
        let bytes = &mut self.buffer[..len_bytes as usize];
        fill(self.nonce, at_bytes, bytes);
        self.drive.write_at(at_bytes, bytes)
    }

    /// Read a mark's place: the address of its most telling sector, and what that is.
    fn read(&mut self, at_bytes: u64) -> Result<(u64, Found), DriveError> {
        let bytes = &mut self.buffer[..MARK_BYTES as usize];
        bytes.fill(0);
        self.drive.read_at(at_bytes, bytes)?;
        let mut answer = (at_bytes, Found::Own);
        for (number, sector) in bytes.chunks_exact(MARKER_BYTES).enumerate() {
            let address = at_bytes + (number * MARKER_BYTES) as u64;
            match look(self.nonce, address, sector) {
                Found::Own => {}
                wrong @ (Found::Damaged | Found::Other) => answer = (address, wrong),
                elsewhere @ Found::Of(_) => return Ok((address, elsewhere)),
            }
        }
        Ok(answer)
    }

    fn repeats(&self, at_bytes: u64, same_as_bytes: u64) -> Fake {
        Fake::Repeats { at_bytes, same_as_bytes, claimed_bytes: self.size_bytes }
    }
}

/// As long as the steps through the second half are many: a sector takes about as long to read as 4 KiB to write.
fn window_bytes(size_bytes: u64) -> u64 {
    let balanced = (size_bytes * MARK_BYTES).isqrt().next_multiple_of(CHUNK_BYTES);
    balanced.clamp(WINDOW_MIN_BYTES, WINDOW_MAX_BYTES)
}

/// Powers of two and eighths of the size, just before and after, behind the window; and the very end, twice, so that
/// one bad place there is not taken for a drive that ends before it.
fn marks(size_bytes: u64, window_bytes: u64) -> Vec<u64> {
    let powers = (0..64).map(|power| 1_u64 << power).take_while(|&power| power < size_bytes);
    let eighths = (1..=8).map(|number| size_bytes / 8 * number);
    let around = |at: u64| [at.saturating_sub(MARK_BYTES), at];
    let end = size_bytes.saturating_sub(MARK_BYTES);
    let mut marks: Vec<u64> =
        powers.chain(eighths).chain([end]).flat_map(around).map(|at| at / MARK_BYTES * MARK_BYTES).collect();
    marks.retain(|&at| at >= window_bytes && at + MARK_BYTES <= size_bytes);
    // The highest addresses first: a cache that keeps the last writes must not be left with just these.
    marks.sort_unstable_by(|a, b| b.cmp(a));
    marks.dedup();
    marks
}
