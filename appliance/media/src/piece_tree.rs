// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A file's BLAKE3 in pieces, so that each piece can be checked by itself, on its way to use.
//!
//! BLAKE3 is the root of a tree over the file's chunks of 1,024 bytes. The nodes that stand for whole pieces of
//! [`PIECE_BYTES`] are kept; whoever has them computes the root, which must be the BLAKE3 that is signed, and can then say of
//! each piece whether it is the signed one. `docs/formats/tree.md` has the file in which a medium carries them.

use blake3::hazmat::{ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};
use blake3::{Hasher, OUT_LEN};

use crate::manifest::MAX_FAT_FILE_BYTES;
use crate::{Blake3, MediaPath};

/// The length of each piece but the last. A power of two of BLAKE3's chunks, so that a piece is a node of its tree.
pub const PIECE_BYTES: usize = 1 << 20;
/// Where a medium has the trees of its files, each under the file's BLAKE3.
pub const FOLDER: &str = "platen/trees";
/// How a tree's file begins: the form's name and number, and the length of pieces.
const HEAD: &[u8; 32] = b"platen-tree 1 pieces of 1048576\n";
/// The longest tree: of the longest file that FAT32 holds.
pub const MAX_TREE_BYTES: u64 = HEAD.len() as u64 + MAX_FAT_FILE_BYTES.div_ceil(PIECE_BYTES as u64) * OUT_LEN as u64;

/// What each piece of a file must come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PieceTree {
    size_bytes: u64,
    /// One for each piece. Of a file that is one piece (an empty one is, too) it is the root.
    values: Vec<ChainingValue>,
}

/// Why bytes are not the tree of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum TreeError {
    /// Not in the form that this version knows.
    #[error("expected a tree of pieces of {PIECE_BYTES} bytes, in form 1, found another form")]
    Form,
    #[error("expected {expected_bytes} bytes, found {found_bytes}")]
    Length { expected_bytes: u64, found_bytes: u64 },
    /// What it says of the pieces does not come to what was signed of the file.
    #[error("expected the root {expected}, found {found}")]
    Root { expected: Blake3, found: Blake3 },
}

impl PieceTree {
    /// Of a file that is here.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = PieceHasher::new();
        hasher.update(bytes);
        hasher.finish()
    }

    /// Where a medium has the tree of a file with this BLAKE3; None for a file of one piece, which needs none.
    pub fn path(size_bytes: u64, blake3: Blake3) -> Option<MediaPath> {
        let path = || MediaPath::new(&format!("{FOLDER}/{blake3}")).expect("plain words and digits");
        (count(size_bytes) > 1).then(path)
    }

    /// Of a file of one piece, from what is signed of it; None where it has more.
    pub fn of_one_piece(size_bytes: u64, blake3: Blake3) -> Option<Self> {
        (count(size_bytes) == 1).then(|| Self { size_bytes, values: vec![blake3.0] })
    }

    /// From the bytes that a medium has, if they come to what is signed of the file.
    pub fn read(bytes: &[u8], size_bytes: u64, blake3: Blake3) -> Result<Self, TreeError> {
        let values = bytes.strip_prefix(HEAD).ok_or(TreeError::Form)?;
        let expected_bytes = count(size_bytes).saturating_mul(OUT_LEN as u64);
        let found_bytes = values.len() as u64;
        if found_bytes != expected_bytes {
            return Err(TreeError::Length { expected_bytes, found_bytes });
        }
        let tree = Self { size_bytes, values: values.as_chunks().0.to_vec() };
        let found = tree.root();
        if found == blake3 { Ok(tree) } else { Err(TreeError::Root { expected: blake3, found }) }
    }

    /// The bytes that a medium has.
    pub fn to_bytes(&self) -> Vec<u8> {
        [HEAD.as_slice(), self.values.as_flattened()].concat()
    }

    /// The file's length.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The file's BLAKE3.
    pub fn root(&self) -> Blake3 {
        match &*self.values {
            [root] => Blake3(*root),
            values => {
                let (left, right) = values.split_at(left(values.len()));
                Blake3(*merge_subtrees_root(&merged(left), &merged(right), Mode::Hash).as_bytes())
            }
        }
    }

    /// Where the piece with this number begins, and how long it is; None behind the last.
    pub fn place(&self, number: usize) -> Option<(u64, usize)> {
        let offset_bytes = (number as u64).checked_mul(PIECE_BYTES as u64)?;
        let left_bytes = self.size_bytes.checked_sub(offset_bytes)?;
        (number < self.values.len()).then(|| (offset_bytes, left_bytes.min(PIECE_BYTES as u64) as usize))
    }

    /// Whether these are the bytes of the piece with this number.
    pub fn holds(&self, number: usize, piece: &[u8]) -> bool {
        let Some((offset_bytes, size)) = self.place(number) else { return false };
        let found = || match self.values.len() {
            1 => *blake3::hash(piece).as_bytes(),
            _ => Hasher::new().set_input_offset(offset_bytes).update(piece).finalize_non_root(),
        };
        piece.len() == size && self.values[number] == found()
    }
}

/// Makes a tree of bytes that come one after the other.
#[derive(Debug, Default)]
pub struct PieceHasher {
    /// Of the piece that is not whole yet, or not known to have one behind it.
    piece: Hasher,
    piece_bytes: usize,
    values: Vec<ChainingValue>,
}

impl PieceHasher {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.piece_bytes == PIECE_BYTES {
                self.values.push(self.piece.finalize_non_root());
                // `reset` would leave the offset of the last piece.
                self.piece = Hasher::new();
                self.piece.set_input_offset(self.values.len() as u64 * PIECE_BYTES as u64);
                self.piece_bytes = 0;
            }
            let (now, later) = bytes.split_at(bytes.len().min(PIECE_BYTES - self.piece_bytes));
            self.piece.update(now);
            self.piece_bytes += now.len();
            bytes = later;
        }
    }

    /// Nothing follows.
    pub fn finish(mut self) -> PieceTree {
        let size_bytes = self.values.len() as u64 * PIECE_BYTES as u64 + self.piece_bytes as u64;
        let last = match &*self.values {
            [] => *self.piece.finalize().as_bytes(),
            _ => self.piece.finalize_non_root(),
        };
        self.values.push(last);
        PieceTree { size_bytes, values: self.values }
    }
}

/// Of how many pieces a file is.
fn count(size_bytes: u64) -> u64 {
    size_bytes.div_ceil(PIECE_BYTES as u64).max(1)
}

/// How many of a node's pieces are below its left child: the largest power of two that leaves some for the right one
/// (BLAKE3 2.1).
fn left(pieces: usize) -> usize {
    pieces.next_power_of_two() / 2
}

/// The value of the node over these pieces, which is not the root.
fn merged(values: &[ChainingValue]) -> ChainingValue {
    match values {
        [value] => *value,
        values => {
            let (left, right) = values.split_at(left(values.len()));
            merge_subtrees_non_root(&merged(left), &merged(right), Mode::Hash)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(size: usize) -> Vec<u8> {
        let mut bytes = vec![0; size];
        Hasher::new().finalize_xof().fill(&mut bytes);
        bytes
    }

    /// Lengths at which something changes in the tree.
    const SIZES: [usize; 12] = [
        0,
        1,
        1024,
        PIECE_BYTES - 1,
        PIECE_BYTES,
        PIECE_BYTES + 1,
        2 * PIECE_BYTES,
        2 * PIECE_BYTES + 1024,
        3 * PIECE_BYTES,
        4 * PIECE_BYTES + 1,
        5 * PIECE_BYTES - 77,
        7 * PIECE_BYTES,
    ];

    #[test]
    fn its_root_is_the_files_blake3_however_the_bytes_come() {
        let bytes = noise(7 * PIECE_BYTES);
        for size in SIZES {
            let bytes = &bytes[..size];
            let tree = PieceTree::of(bytes);
            assert_eq!(tree.root(), Blake3::of(bytes), "{size}");
            assert_eq!(tree.size_bytes(), size as u64);
            for step in [PIECE_BYTES / 3, PIECE_BYTES, PIECE_BYTES + 5] {
                let mut hasher = PieceHasher::new();
                bytes.chunks(step).for_each(|some| hasher.update(some));
                assert_eq!(hasher.finish(), tree, "{size} in steps of {step}");
            }
        }
    }

    #[test]
    fn each_piece_is_known_and_a_changed_one_is_not() {
        let bytes = noise(7 * PIECE_BYTES);
        for size in SIZES {
            let bytes = &bytes[..size];
            let tree = PieceTree::of(bytes);
            let again = match PieceTree::path(size as u64, tree.root()) {
                Some(_) => PieceTree::read(&tree.to_bytes(), size as u64, tree.root()),
                None => Ok(PieceTree::of_one_piece(size as u64, tree.root()).expect("one piece")),
            };
            assert_eq!(again.as_ref(), Ok(&tree), "{size}");
            let mut end_bytes = 0;
            for number in 0..tree.values.len() {
                let (offset_bytes, length) = tree.place(number).expect("a piece");
                assert_eq!(offset_bytes, end_bytes);
                end_bytes += length as u64;
                let piece = &bytes[offset_bytes as usize..][..length];
                assert!(tree.holds(number, piece), "{size}: {number}");
                assert!(!tree.holds(number + 1, piece), "{size}: it stands elsewhere");
                if length == 0 {
                    continue;
                }
                assert!(!tree.holds(number, &piece[..length - 1]));
                let mut changed = piece.to_vec();
                changed[length / 2] ^= 1;
                assert!(!tree.holds(number, &changed), "{size}: {number}");
            }
            assert_eq!(end_bytes, size as u64);
            assert_eq!(tree.place(tree.values.len()), None);
            assert_eq!(tree.place(usize::MAX), None);
        }
    }

    #[test]
    fn what_does_not_come_to_the_signed_root_is_no_tree() {
        let bytes = noise(5 * PIECE_BYTES + 9);
        let (tree, size_bytes) = (PieceTree::of(&bytes), bytes.len() as u64);
        let (good, root) = (tree.to_bytes(), tree.root());
        assert_eq!(good.len(), 32 + 6 * 32);
        for at in 0..good.len() {
            let mut changed = good.clone();
            changed[at] ^= 0x40;
            let error = PieceTree::read(&changed, size_bytes, root).expect_err("changed");
            assert_eq!(at < HEAD.len(), error == TreeError::Form, "{at}: {error}");
            assert_eq!(at >= HEAD.len(), matches!(error, TreeError::Root { expected, .. } if expected == root), "{at}");
        }
        for length in 0..good.len() {
            let error = PieceTree::read(&good[..length], size_bytes, root).expect_err("too short");
            assert!(matches!(error, TreeError::Form | TreeError::Length { expected_bytes: 192, .. }), "{error}");
        }
        // A length that no file has makes nothing of that length.
        assert!(matches!(PieceTree::read(&good, u64::MAX, root), Err(TreeError::Length { .. })));
        // Pieces of another order come to another root.
        let mut swapped = good.clone();
        swapped.copy_within(32..64, 64);
        assert!(matches!(PieceTree::read(&swapped, size_bytes, root), Err(TreeError::Root { .. })));
    }

    #[test]
    fn the_longest_tree_is_small() {
        assert_eq!(MAX_TREE_BYTES, 32 + 4096 * 32);
        assert_eq!(PieceTree::path(PIECE_BYTES as u64, Blake3([0xab; 32])), None);
        let path = PieceTree::path(PIECE_BYTES as u64 + 1, Blake3([0xab; 32])).expect("two pieces");
        assert_eq!(path.as_str(), format!("platen/trees/{}", "ab".repeat(32)));
    }
}
