// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The digest by which a piece is recognised when it is read again, from a drive or from the cache.
//!
//! That the content is what was signed is checked once, by BLAKE3, while it is streamed ([`crate::content::check::ContentCheck`]).
//! What is left to ask is whether these are the same bytes again. XXH3 answers that at two to four times the speed of
//! HighwayHash and ten times that of BLAKE3, and with every drive reading back at once that is most of the processor's
//! work. Its secret is random, never leaves memory, and ends with the stream: a drive that gives back other bytes would
//! have to guess what they must be, and it is asked once. It is no signature and protects nothing that is stored.

use twox_hash::XxHash3_128;

/// Longer than a stripe of the hash needs; the reference implementation's own secret is as long.
const SECRET_BYTES: usize = 192;

/// The digest of one piece. It means nothing without the [`Fingerprints`] that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fingerprint {
    /// Nothing but zeros.
    Zeros,
    /// Any bytes.
    Bytes(u128),
}

/// Takes fingerprints under a secret of its own.
pub(crate) struct Fingerprints {
    secret: [u8; SECRET_BYTES],
}

impl Fingerprints {
    pub(crate) fn new() -> Self {
        let mut secret = std::array::from_fn(|at| at as u8 ^ 0xa5);
        // Without random numbers (no such Linux) it still tells every accident.
        let _ = getrandom::fill(&mut secret);
        Self { secret }
    }

    pub(crate) fn of(&self, bytes: &[u8]) -> Fingerprint {
        let digest = XxHash3_128::oneshot_with_secret(&self.secret, bytes);
        Fingerprint::Bytes(digest.expect("the secret is longer than the least"))
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

    /// What drives do wrong: a sector in another's place, two that changed places, one that is there twice, one of before.
    #[test]
    fn sectors_in_the_wrong_place_make_another_fingerprint() {
        let fingerprints = Fingerprints::new();
        let sectors = 64;
        let right: Vec<u8> = (0..sectors * 512_usize).map(|at| (at / 512 + at % 7) as u8).collect();
        let fingerprint = fingerprints.of(&right);
        for one in 0..sectors {
            for other in 0..sectors {
                let mut copied = right.clone();
                copied.copy_within(one * 512..(one + 1) * 512, other * 512);
                let mut swapped = copied.clone();
                swapped[one * 512..(one + 1) * 512].copy_from_slice(&right[other * 512..(other + 1) * 512]);
                for wrong in [copied, swapped] {
                    assert_eq!(fingerprints.match_bytes(fingerprint, &wrong), one == other, "{one} and {other}");
                }
            }
        }
    }
}
