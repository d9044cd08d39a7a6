//! Hashing the content once, though two things are asked of it: is each content what was signed, and is each piece on
//! the drive what was sent there?
//!
//! BLAKE3 is a tree of which a piece that begins at a multiple of [`PIECE_BYTES`] in its content is a branch. So the
//! digest of the branch serves both: it is compared with what the drive gives back, and the branches together give the
//! digest of the content (BLAKE3 specification, 2.1 and 5.1). Pieces of several small contents are hashed twice.

use blake3::Hasher;
use blake3::hazmat::{ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};
use platen_media::Blake3;

use crate::PIECE_BYTES;
use crate::plan::{PlannedExtent, Source, WritePlan};
use crate::source::SourceError;
use crate::spans::{Piece, is_cut_by_itself, spans};

/// By this the bytes of a piece are known again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fingerprint {
    /// Nothing but zeros.
    Zeros,
    /// Any bytes.
    Bytes(Blake3),
    /// The branch of a content that begins at this offset in it.
    Branch { offset_bytes: u64, value: ChainingValue },
}

impl Fingerprint {
    /// These bytes are it.
    pub(crate) fn is_of(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Zeros => is_zero(bytes),
            Self::Bytes(digest) => Blake3::of(bytes) == *digest,
            Self::Branch { offset_bytes, value } => branch(*offset_bytes, bytes) == *value,
        }
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    // Compared with itself, one word further on: the fastest there is without a second buffer.
    bytes.len() < 8 || (bytes[..8] == [0; 8] && bytes[..bytes.len() - 8] == bytes[8..])
}

fn branch(offset_bytes: u64, bytes: &[u8]) -> ChainingValue {
    Hasher::new().set_input_offset(offset_bytes).update(bytes).finalize_non_root()
}

/// Is fed with every piece of a plan in ascending order, and finds content that is not what was signed.
pub(crate) struct ContentCheck<'a> {
    plan: &'a WritePlan,
    extents: &'a [PlannedExtent],
    /// Of the long content that is under way.
    branches: Branches,
    /// Of the short one.
    hasher: Hasher,
}

impl<'a> ContentCheck<'a> {
    /// Of `extents`, which are the plan's payload or seal.
    pub(crate) fn new(plan: &'a WritePlan, extents: &'a [PlannedExtent]) -> Self {
        Self { plan, extents, branches: Branches::default(), hasher: Hasher::new() }
    }

    /// Check what of contents ends in this piece.
    pub(crate) fn check(&mut self, piece: Piece, bytes: &[u8]) -> Result<Fingerprint, SourceError> {
        let mut whole = None;
        for span in spans(self.extents, piece) {
            let extent = &self.extents[span.extent];
            let Source::Content(content) = &extent.source else { continue };
            let part = &bytes[span.in_piece.clone()];
            let offset_bytes = span.extent_offset_bytes;
            let complete = offset_bytes + part.len() as u64 == extent.len_bytes;
            let digest = if is_cut_by_itself(extent) {
                let value = branch(offset_bytes, part);
                if part.len() == piece.len {
                    whole = Some(Fingerprint::Branch { offset_bytes, value });
                }
                self.branches.push(offset_bytes / PIECE_BYTES as u64, value);
                complete.then(|| self.branches.root())
            } else {
                if offset_bytes == 0 {
                    self.hasher.reset();
                }
                self.hasher.update(part);
                complete.then(|| Blake3(*self.hasher.finalize().as_bytes()))
            };
            if digest.is_some_and(|digest| digest != self.plan.content(*content).blake3) {
                return Err(SourceError::Damaged { name: self.plan.name_of(&extent.source) });
            }
        }
        Ok(whole.unwrap_or_else(|| Fingerprint::Bytes(Blake3::of(bytes))))
    }
}

/// Of a content longer than a piece: complete branches from left to right, each bigger than the next.
#[derive(Default)]
struct Branches(Vec<ChainingValue>);

impl Branches {
    /// The next branch; `number` came before it.
    fn push(&mut self, number: u64, value: ChainingValue) {
        if number == 0 {
            self.0.clear();
        }
        // Those before it are as many as the number has binary ones: equal branches were joined. The last one is joined
        // only when another follows, because the root is hashed in a way of its own.
        while self.0.len() > number.count_ones() as usize {
            let right = self.0.pop().expect("more than one");
            let left = self.0.pop().expect("more than one");
            self.0.push(merge_subtrees_non_root(&left, &right, Mode::Hash));
        }
        self.0.push(value);
    }

    /// The digest of the content. It has two branches at least.
    fn root(&mut self) -> Blake3 {
        let mut right = self.0.pop().expect("a long content has many");
        while self.0.len() > 1 {
            let left = self.0.pop().expect("more than one");
            right = merge_subtrees_non_root(&left, &right, Mode::Hash);
        }
        let left = self.0.pop().expect("a long content has more than one");
        Blake3(*merge_subtrees_root(&left, &right, Mode::Hash).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_give_the_digest_of_the_whole() {
        let bytes: Vec<u8> =
            (0..9 * PIECE_BYTES as u32 + 77).map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
        for pieces in 1..=9 {
            for more in [1, 77, 1023, 1024, 1025, PIECE_BYTES - 1, PIECE_BYTES] {
                let Some(content) = bytes.get(..pieces * PIECE_BYTES + more) else { continue };
                let mut branches = Branches::default();
                for (number, piece) in content.chunks(PIECE_BYTES).enumerate() {
                    branches.push(number as u64, branch((number * PIECE_BYTES) as u64, piece));
                }
                assert!(branches.root() == Blake3::of(content), "{pieces} pieces and {more} bytes");
            }
        }
    }

    #[test]
    fn one_bit_makes_another_fingerprint() {
        let mut bytes = vec![0; 4096];
        let right = [
            Fingerprint::Zeros,
            Fingerprint::Bytes(Blake3::of(&bytes)),
            Fingerprint::Branch { offset_bytes: PIECE_BYTES as u64, value: branch(PIECE_BYTES as u64, &bytes) },
        ];
        assert!(right.iter().all(|fingerprint| fingerprint.is_of(&bytes)));
        for at in [0, 7, 8, 9, 2048, 4088, 4095] {
            bytes[at] = 1;
            assert!(right.iter().all(|fingerprint| !fingerprint.is_of(&bytes)), "byte {at}");
            bytes[at] = 0;
        }
        assert!(!Fingerprint::Branch { offset_bytes: 0, value: branch(PIECE_BYTES as u64, &bytes) }.is_of(&bytes));
    }
}
