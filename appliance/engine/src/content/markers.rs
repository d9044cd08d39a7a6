// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Markers: sectors that contain their own address. They reveal drives that are smaller than they claim.
//!
//! Each sector of 512 bytes holds a magic number, the job's own number and its address, and is filled up with noise
//! made of both: a sector found at another address than its own, or of an earlier job, tells where it came from.

/// The unit of marking. On drives with larger sectors several stand in one.
pub(crate) const MARKER_BYTES: usize = 512;
const MAGIC: [u8; 8] = *b"PlatenMk";

/// What was found in a sector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// What was written here.
    Own,
    /// What was written at this address: the drive has fewer sectors than addresses.
    Of(u64),
    /// What was written here, with some bits wrong: it was stored, on cells that are worn out.
    Damaged,
    /// Anything else: never stored.
    Other,
}

/// Of the 4096 bits of a marker. Other content differs in about half of them.
const DAMAGED_BITS: u32 = 1024;

/// Fill `bytes` with the markers of the addresses from `offset_bytes` on; both are multiples of [`MARKER_BYTES`].
pub(crate) fn fill(nonce: u64, offset_bytes: u64, bytes: &mut [u8]) {
    for (number, sector) in bytes.chunks_exact_mut(MARKER_BYTES).enumerate() {
        mark(nonce, offset_bytes + (number * MARKER_BYTES) as u64, sector);
    }
}

fn mark(nonce: u64, address: u64, sector: &mut [u8]) {
    sector[..8].copy_from_slice(&MAGIC);
    sector[8..16].copy_from_slice(&nonce.to_le_bytes());
    sector[16..24].copy_from_slice(&address.to_le_bytes());
    // SplitMix64 (Steele, Lea and Flood 2014): no controller can compress it away.
    let mut state = nonce ^ address.rotate_left(32);
    for word in sector[24..].chunks_exact_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word.copy_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes());
    }
    // Firmware takes 55 AA here for a boot sector.
    sector[510..].copy_from_slice(&[0, 0]);
}

/// What the sector read at `address` is.
pub(crate) fn look(nonce: u64, address: u64, sector: &[u8]) -> Found {
    let mut expected = [0; MARKER_BYTES];
    mark(nonce, address, &mut expected);
    if sector == expected {
        return Found::Own;
    }
    if differing_bits(sector, &expected) <= DAMAGED_BITS {
        return Found::Damaged;
    }
    let claimed = u64::from_le_bytes(sector[16..24].try_into().expect("eight bytes"));
    mark(nonce, claimed, &mut expected);
    if claimed != address && sector == expected { Found::Of(claimed) } else { Found::Other }
}

fn differing_bits(one: &[u8], other: &[u8]) -> u32 {
    one.iter().zip(other).map(|(a, b)| (a ^ b).count_ones()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sector_is_known_by_its_address_and_job() {
        let mut bytes = [0; 2 * MARKER_BYTES];
        fill(7, 1024, &mut bytes);
        let second = &bytes[MARKER_BYTES..];
        assert_eq!(look(7, 1536, second), Found::Own);
        assert_eq!(look(7, 1024, second), Found::Of(1536));
        assert_eq!(look(8, 1536, second), Found::Other);
        for at in 0..MARKER_BYTES {
            let mut wrong = [0; MARKER_BYTES];
            wrong.copy_from_slice(second);
            wrong[at] ^= 1;
            assert_eq!(look(7, 1536, &wrong), Found::Damaged, "byte {at}");
        }
        for (other, found) in [([0; 512], Found::Other), ([0xff; 512], Found::Other)] {
            assert_eq!(look(7, 1536, &other), found);
        }
        let stuck: Vec<u8> = second.iter().map(|byte| byte | 0x10).collect();
        assert_eq!(look(7, 1536, &stuck), Found::Damaged, "one data line is stuck");
        assert_ne!(&second[510..], &[0x55, 0xaa]);
    }
}
