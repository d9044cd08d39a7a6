// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The digest by which a piece is recognised when it is read again, from a drive or from the cache.
//!
//! That the content is what was signed is checked once, by BLAKE3, while it is streamed ([`crate::content::check::ContentCheck`]).
//! What is left to ask is whether these are the same bytes again. HighwayHash answers that at more than twice the speed
//! of BLAKE3. It is keyed: nobody can look for other bytes with the same fingerprint without the key (so its authors,
//! Alakuijala, Cox and Wassenberg, arXiv:1612.06257), which is random, never leaves memory, and ends with the stream.

use highway::{HighwayHash, HighwayHasher, Key};

/// The digest of one piece. It means nothing without the [`Fingerprints`] that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fingerprint {
    /// Nothing but zeros.
    Zeros,
    /// Any bytes.
    Bytes([u64; 2]),
}

/// Takes fingerprints under a key of its own.
pub(crate) struct Fingerprints {
    key: Key,
}

impl Fingerprints {
    pub(crate) fn new() -> Self {
        // Without random numbers (no such Linux) it still tells every accident.
        Self { key: Key(std::array::from_fn(|_| getrandom::u64().unwrap_or_default())) }
    }

    pub(crate) fn of(&self, bytes: &[u8]) -> Fingerprint {
        Fingerprint::Bytes(HighwayHasher::new(self.key).hash128(bytes))
    }

    /// These bytes have this fingerprint.
    pub(crate) fn match_bytes(&self, fingerprint: Fingerprint, bytes: &[u8]) -> bool {
        match fingerprint {
            Fingerprint::Zeros => is_zero(bytes),
            Fingerprint::Bytes(_) => self.of(bytes) == fingerprint,
        }
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    // Compared with itself, one word further on: the fastest there is without a second buffer.
    bytes.len() < 8 || (bytes[..8] == [0; 8] && bytes[..bytes.len() - 8] == bytes[8..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bit_makes_another_fingerprint() {
        let fingerprints = Fingerprints::new();
        let mut bytes = vec![0; 4096];
        let right = [Fingerprint::Zeros, fingerprints.of(&bytes)];
        assert!(right.iter().all(|fingerprint| fingerprints.match_bytes(*fingerprint, &bytes)));
        for bit in 0..8 * bytes.len() {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(right.iter().all(|fingerprint| !fingerprints.match_bytes(*fingerprint, &bytes)), "bit {bit}");
            bytes[bit / 8] = 0;
        }
    }

    #[test]
    fn a_fingerprint_means_nothing_under_another_key() {
        let bytes = [7; 512];
        assert!(!Fingerprints::new().match_bytes(Fingerprints::new().of(&bytes), &bytes));
    }
}
