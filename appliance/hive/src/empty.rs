// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A hive with a root and nothing else, for a boot store where an image has no template.
//!
//! Fields by the name that the published descriptions of the format use (base block, bin, cell, nk, sk).

/// Offsets within the one bin, whose header has 32 bytes.
const ROOT: usize = 0x20;
const BIN_BYTES: usize = 0x1000;
/// No such cell.
const NONE: u32 = u32::MAX;

/// Its bytes. `root` is the root's name; all keys that are made in it have its security: the system and administrators
/// may do everything, and nobody else anything.
pub fn empty_hive(root: &str) -> Vec<u8> {
    // As ASCII; others become question marks, which is the root's name only.
    let name: Vec<u8> = root.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).take(255).collect();
    let root_bytes = cell_bytes(0x4c + name.len());
    let security = ROOT + root_bytes;
    let descriptor = descriptor();
    let security_bytes = cell_bytes(0x14 + descriptor.len());

    let mut bin = Bytes(vec![0; BIN_BYTES]);
    bin.put(0x00, b"hbin");
    bin.number(0x08, BIN_BYTES);

    bin.cell(ROOT, root_bytes);
    let nk = ROOT + 4;
    bin.put(nk, b"nk");
    // The root of a hive, not to be deleted, its name in one byte a character.
    bin.put(nk + 0x02, &0x2c_u16.to_le_bytes());
    for none in [0x10, 0x1c, 0x20, 0x28, 0x30] {
        bin.put(nk + none, &NONE.to_le_bytes());
    }
    bin.number(nk + 0x2c, security);
    bin.put(nk + 0x48, &u16::try_from(name.len()).unwrap_or(0).to_le_bytes());
    bin.put(nk + 0x4c, &name);

    bin.cell(security, security_bytes);
    let sk = security + 4;
    bin.put(sk, b"sk");
    // A ring of one, used by one key.
    bin.number(sk + 0x04, security);
    bin.number(sk + 0x08, security);
    bin.number(sk + 0x0c, 1);
    bin.number(sk + 0x10, descriptor.len());
    bin.put(sk + 0x14, &descriptor);

    let free = security + security_bytes;
    bin.number(free, BIN_BYTES - free);

    let mut base = Bytes(vec![0; 0x1000]);
    base.put(0x00, b"regf");
    for (at, number) in
        [(0x04, 1), (0x08, 1), (0x14, 1), (0x18, 3), (0x20, 1), (0x24, ROOT), (0x28, BIN_BYTES), (0x2c, 1)]
    {
        base.number(at, number);
    }
    let words = base.0[..0x1fc].chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
    // The checksum is never 0 or all ones.
    let sum = match words.fold(0, |sum, word| sum ^ word) {
        0 => 1,
        u32::MAX => u32::MAX - 1,
        sum => sum,
    };
    base.put(0x1fc, &sum.to_le_bytes());
    [base.0, bin.0].concat()
}

/// Bytes of a cell with its size, in multiples of 8.
fn cell_bytes(content_bytes: usize) -> usize {
    (4 + content_bytes).next_multiple_of(8)
}

struct Bytes(Vec<u8>);

impl Bytes {
    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// 32 bits; everything here is below 8 KiB.
    fn number(&mut self, at: usize, number: usize) {
        self.put(at, &u32::try_from(number).unwrap_or(0).to_le_bytes());
    }

    /// A cell in use has its size as a negative number.
    fn cell(&mut self, at: usize, bytes: usize) {
        self.put(at, &(i32::try_from(bytes).unwrap_or(0)).wrapping_neg().to_le_bytes());
    }
}

/// A security descriptor, self-relative (MS-DTYP 2.4.6): owner and group administrators; all rights on keys
/// (`KEY_ALL_ACCESS`), handed down, for administrators and the system.
fn descriptor() -> Vec<u8> {
    const ADMINISTRATORS: [u8; 16] = [1, 2, 0, 0, 0, 0, 0, 5, 0x20, 0, 0, 0, 0x20, 2, 0, 0];
    const SYSTEM: [u8; 12] = [1, 1, 0, 0, 0, 0, 0, 5, 0x12, 0, 0, 0];
    let entry = |sid: &[u8]| {
        let bytes = u8::try_from(8 + sid.len()).unwrap_or(0);
        // Allowed; for keys below too; size; KEY_ALL_ACCESS.
        [&[0, 2, bytes, 0], &0x000f_003f_u32.to_le_bytes()[..], sid].concat()
    };
    let entries = [entry(&ADMINISTRATORS), entry(&SYSTEM)].concat();
    let list_bytes = u8::try_from(8 + entries.len()).unwrap_or(0);
    let list = [&[2, 0, list_bytes, 0, 2, 0, 0, 0], &entries[..]].concat();
    let owner = u8::try_from(20 + list.len()).unwrap_or(0);
    let group = owner + 16;
    // Revision 1; a discretionary list is there, and the descriptor is self-relative.
    let head = [1, 0, 0x04, 0x80, owner, 0, 0, 0, group, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0];
    [&head[..], &list, &ADMINISTRATORS, &ADMINISTRATORS].concat()
}
