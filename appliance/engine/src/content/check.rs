// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Compares contents, and what a drive gives back, with what the plan says.

use platen_media::Blake3;

use crate::content::byte_ranges::{Piece, Span, spans};
use crate::content::markers;
use crate::content::source::SourceError;
use crate::plan::{PlannedExtent, Source, WritePlan};

/// The content that is under way.
struct ContentHasher(blake3::Hasher);

impl ContentHasher {
    fn new() -> Self {
        Self(blake3::Hasher::new())
    }

    /// Take the next bytes of a content, `span` of `extent`. Once it is complete: its digest.
    fn add(&mut self, extent: &PlannedExtent, span: &Span, part: &[u8]) -> Option<Blake3> {
        if span.extent_offset_bytes == 0 {
            self.0.reset();
        }
        self.0.update(part);
        let complete = span.extent_offset_bytes + part.len() as u64 == extent.len_bytes;
        complete.then(|| Blake3(*self.0.finalize().as_bytes()))
    }
}

/// Is fed with every piece of a plan, ascending, and finds content that is not what was signed.
pub(crate) struct ContentCheck<'a> {
    plan: &'a WritePlan,
    extents: &'a [PlannedExtent],
    hasher: ContentHasher,
}

impl<'a> ContentCheck<'a> {
    /// Of `extents`, which are the plan's payload or seal.
    pub(crate) fn new(plan: &'a WritePlan, extents: &'a [PlannedExtent]) -> Self {
        Self { plan, extents, hasher: ContentHasher::new() }
    }

    /// Check what of contents ends in this piece.
    pub(crate) fn check(&mut self, piece: Piece, bytes: &[u8]) -> Result<(), SourceError> {
        for span in spans(self.extents, piece) {
            let extent = &self.extents[span.extent];
            let Source::Content(content) = &extent.source else { continue };
            let digest = self.hasher.add(extent, &span, &bytes[span.in_piece.clone()]);
            if digest.is_some_and(|digest| !self.plan.is_content(*content, digest)) {
                return Err(SourceError::Damaged { name: self.plan.name_of(&extent.source) });
            }
        }
        Ok(())
    }
}

/// Bytes on the drive are not those that were written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} differs at {offset_bytes:#x}")]
pub struct Differs {
    /// First byte known to differ, or the start of a content whose digest differs.
    pub offset_bytes: u64,
    pub name: String,
}

/// Fed with every piece, ascending.
pub(crate) struct ReadBackCheck<'a> {
    plan: &'a WritePlan,
    extents: &'a [PlannedExtent],
    record: &'a [u8],
    hasher: ContentHasher,
}

impl<'a> ReadBackCheck<'a> {
    pub(crate) fn new(plan: &'a WritePlan, extents: &'a [PlannedExtent], record: &'a [u8]) -> Self {
        Self { plan, extents, record, hasher: ContentHasher::new() }
    }

    /// Compare one piece.
    pub(crate) fn check(&mut self, piece: Piece, found: &[u8]) -> Result<(), Differs> {
        for span in spans(self.extents, piece) {
            let extent = &self.extents[span.extent];
            let part = &found[span.in_piece.clone()];
            let from = span.extent_offset_bytes as usize;
            let offset_bytes = match &extent.source {
                Source::Zero => first_difference(part, std::iter::repeat(&0), part.iter().all(|&b| b == 0)),
                Source::Bytes(bytes) => {
                    let expected = &bytes[from..from + part.len()];
                    first_difference(part, expected, part == expected)
                }
                Source::Record => {
                    let expected = &self.record[from..from + part.len()];
                    first_difference(part, expected, part == expected)
                }
                Source::Markers(nonce) => {
                    let mut expected = vec![0; part.len()];
                    markers::fill(*nonce, extent.offset_bytes + span.extent_offset_bytes, &mut expected);
                    first_difference(part, &expected, part == expected)
                }
                Source::Content(content) => {
                    let digest = self.hasher.add(extent, &span, part);
                    if digest.is_none_or(|digest| self.plan.is_content(*content, digest)) {
                        continue;
                    }
                    let name = self.plan.name_of(&extent.source);
                    return Err(Differs { offset_bytes: extent.offset_bytes, name });
                }
            };
            if let Some(at) = offset_bytes {
                let offset_bytes = piece.offset_bytes + (span.in_piece.start + at) as u64;
                return Err(Differs { offset_bytes, name: self.plan.name_of(&extent.source) });
            }
        }
        Ok(())
    }
}

fn first_difference<'b>(found: &[u8], expected: impl IntoIterator<Item = &'b u8>, equal: bool) -> Option<usize> {
    if equal {
        return None;
    }
    found.iter().zip(expected).position(|(a, b)| a != b)
}
