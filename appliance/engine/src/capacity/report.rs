// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What a tested drive gives back, sector by sector.

use crate::content::markers::{Found, MARKER_BYTES, look};

/// If nothing is right from some place to the end, and that is more than this, the drive really ends at that place.
const BAD_END_BYTES: u64 = 64 << 10;

/// How much of a drive holds what was written. Made only when some of it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, thiserror::Error)]
#[error(
    "{good_bytes} of {size_bytes} bytes hold what was written, {repeated_bytes} repeat other addresses, {lost_bytes} \
     were not stored, {damaged_bytes} have wrong bits; the first wrong one is at {first_wrong_bytes:#x}"
)]
pub struct CapacityReport {
    /// What the drive says it holds, in bytes.
    pub size_bytes: u64,
    /// How much came back right, in bytes.
    pub good_bytes: u64,
    /// Sectors that show what was written elsewhere.
    pub repeated_bytes: u64,
    /// Sectors that show neither.
    pub lost_bytes: u64,
    /// Sectors that show what was written there, with some bits wrong.
    pub damaged_bytes: u64,
    /// Where the first wrong byte is; `None`: nowhere.
    pub first_wrong_bytes: u64,
}

impl CapacityReport {
    pub(crate) fn add(&mut self, nonce: u64, at_bytes: u64, bytes: &[u8]) {
        for (number, sector) in bytes.chunks_exact(MARKER_BYTES).enumerate() {
            let address = at_bytes + (number * MARKER_BYTES) as u64;
            let found = look(nonce, address, sector);
            if found != Found::Own && self.is_good() {
                self.first_wrong_bytes = address;
            }
            *match found {
                Found::Own => &mut self.good_bytes,
                Found::Of(_) => &mut self.repeated_bytes,
                Found::Damaged => &mut self.damaged_bytes,
                Found::Other => &mut self.lost_bytes,
            } += MARKER_BYTES as u64;
            self.size_bytes += MARKER_BYTES as u64;
        }
    }

    pub(crate) fn is_good(&self) -> bool {
        self.good_bytes == self.size_bytes
    }

    /// The drive has less than it claims, rather than a few bad places.
    pub(crate) fn is_fake(&self) -> bool {
        let ends_early = self.good_bytes == self.first_wrong_bytes && self.lost_bytes > BAD_END_BYTES;
        self.repeated_bytes > 0 || ends_early || self.lost_bytes > self.size_bytes / 64
    }
}
