// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! "Checksums": CRC-32C and CRC-16 without a final inversion, so that one can go on from another.

/// Of each byte, by the reversed polynomial.
const fn table(polynomial: u32) -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut sum, mut bit) = (byte as u32, 0);
        while bit < 8 {
            sum = if sum & 1 != 0 { sum >> 1 ^ polynomial } else { sum >> 1 };
            bit += 1;
        }
        table[byte] = sum;
        byte += 1;
    }
    table
}

const CRC32C: [u32; 256] = table(0x82f6_3b78);
const CRC16: [u32; 256] = table(0xa001);

pub(super) fn crc32c(start: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(start, |sum, byte| sum >> 8 ^ CRC32C[usize::from(sum as u8 ^ byte)])
}

pub(super) fn crc16(start: u16, bytes: &[u8]) -> u16 {
    bytes.iter().fold(start, |sum, byte| sum >> 8 ^ CRC16[usize::from(sum as u8 ^ byte)] as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values of the catalogues: CRC-32/ISCSI (inverted at the end) and CRC-16/MODBUS.
    #[test]
    fn the_check_values_come_out() {
        assert_eq!(!crc32c(u32::MAX, b"123456789"), 0xe306_9283);
        assert_eq!(crc16(0xffff, b"123456789"), 0x4b37);
        assert_eq!(crc32c(crc32c(7, b"1234"), b"56789"), crc32c(7, b"123456789"));
    }
}
