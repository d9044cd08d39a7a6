// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Extents as the pieces a drive is written and read in.
//!
//! Neighbouring extents form runs; a run is cut into pieces of at most [`PIECE_BYTES`]; a piece touches one or many
//! extents, and each touch is a span. Writing, hashing and comparing all walk the same spans.

use std::ops::Range;

use crate::PIECE_BYTES;
use crate::plan::{PlannedExtent, Source};

/// A part of the drive that is moved in one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) offset_bytes: u64,
    pub(crate) len: usize,
    /// The first extent it touches.
    first: usize,
}

impl Piece {
    /// Nothing but zeros by the plan. `extents` are those it was cut from.
    pub(crate) fn is_zero(self, extents: &[PlannedExtent]) -> bool {
        spans(extents, self).all(|span| extents[span.extent].source == Source::Zero)
    }

    /// The run of zeros that this piece of zeros is in; at least the piece itself.
    pub(crate) fn zero_run(self, extents: &[PlannedExtent]) -> Range<u64> {
        let extent = &extents[self.first];
        let end_bytes = (extent.offset_bytes + extent.len_bytes).max(self.offset_bytes + self.len as u64);
        extent.offset_bytes.min(self.offset_bytes)..end_bytes
    }
}

/// Where an extent and a piece meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    /// Index of the extent.
    pub(crate) extent: usize,
    /// From here in the extent.
    pub(crate) extent_offset_bytes: u64,
    /// These bytes of the piece.
    pub(crate) in_piece: Range<usize>,
}

/// Zeros of this length and more are pieces of their own: writing them can often be spared.
const LONE_ZEROS_BYTES: u64 = 64 << 10;

pub(crate) fn is_lone_zeros(extent: &PlannedExtent) -> bool {
    extent.source == Source::Zero && extent.len_bytes >= LONE_ZEROS_BYTES
}

/// All pieces, ascending. Extents are sorted and do not overlap.
pub(crate) fn pieces(extents: &[PlannedExtent]) -> impl Iterator<Item = Piece> + '_ {
    let mut index = 0;
    // Where in the extent at `index` the next piece begins.
    let mut at_bytes = extents.first().map_or(0, |extent| extent.offset_bytes);
    std::iter::from_fn(move || {
        let first = index;
        let offset_bytes = at_bytes;
        extents.get(first)?;
        let limit_bytes = offset_bytes + PIECE_BYTES as u64;
        while let Some(extent) = extents.get(index) {
            let cut = is_lone_zeros(extent) || is_lone_zeros(&extents[first]);
            if extent.offset_bytes > at_bytes || (index > first && cut) {
                break;
            }
            let end_bytes = extent.offset_bytes + extent.len_bytes;
            if end_bytes > limit_bytes {
                at_bytes = limit_bytes;
                break;
            }
            at_bytes = end_bytes;
            index += 1;
        }
        let len = (at_bytes - offset_bytes) as usize;
        if let Some(extent) = extents.get(index) {
            at_bytes = at_bytes.max(extent.offset_bytes);
        }
        Some(Piece { offset_bytes, len, first })
    })
}

/// The spans of one piece, ascending; together they cover it.
pub(crate) fn spans(extents: &[PlannedExtent], piece: Piece) -> impl Iterator<Item = Span> + '_ {
    let end_bytes = piece.offset_bytes + piece.len as u64;
    let touched = extents[piece.first..].iter().enumerate();
    touched.take_while(move |(_, extent)| extent.offset_bytes < end_bytes).map(move |(n, extent)| {
        let from = extent.offset_bytes.max(piece.offset_bytes);
        let to = (extent.offset_bytes + extent.len_bytes).min(end_bytes);
        Span {
            extent: piece.first + n,
            extent_offset_bytes: from - extent.offset_bytes,
            in_piece: (from - piece.offset_bytes) as usize..(to - piece.offset_bytes) as usize,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pieces_and_spans_cover_every_byte_once(sizes in prop::collection::vec((0u64..3, 1u64..20_000), 1..60)) {
            // (gap, length) in sectors; lengths well above and below a piece.
            let mut at = 0;
            let extents: Vec<_> = sizes.iter().map(|&(gap, sectors)| {
                let extent = PlannedExtent { offset_bytes: at + gap * 512, len_bytes: sectors * 512, source: Source::Zero };
                at = extent.offset_bytes + extent.len_bytes;
                extent
            }).collect();
            let mut covered = vec![0u64; extents.len()];
            let mut last = 0;
            for piece in pieces(&extents) {
                prop_assert!(piece.offset_bytes >= last && piece.len > 0 && piece.len <= PIECE_BYTES);
                last = piece.offset_bytes + piece.len as u64;
                let mut in_piece = 0;
                for span in spans(&extents, piece) {
                    prop_assert_eq!(span.in_piece.start, in_piece, "no hole inside a piece");
                    prop_assert_eq!(span.extent_offset_bytes, covered[span.extent]);
                    covered[span.extent] += span.in_piece.len() as u64;
                    in_piece = span.in_piece.end;
                }
                prop_assert_eq!(in_piece, piece.len);
            }
            for (extent, covered) in extents.iter().zip(covered) {
                prop_assert_eq!(extent.len_bytes, covered);
            }
        }
    }
}
