//! Compares what a drive gives back with what its plan says.

use platen_media::Blake3;

use crate::markers;
use crate::plan::{PlannedExtent, Source, WritePlan};
use crate::spans::{Piece, spans};

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
    hasher: blake3::Hasher,
}

impl<'a> ReadBackCheck<'a> {
    pub(crate) fn new(plan: &'a WritePlan, extents: &'a [PlannedExtent], record: &'a [u8]) -> Self {
        Self { plan, extents, record, hasher: blake3::Hasher::new() }
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
                    if span.extent_offset_bytes == 0 {
                        self.hasher.reset();
                    }
                    self.hasher.update(part);
                    let complete = span.extent_offset_bytes + part.len() as u64 == extent.len_bytes;
                    let right =
                        !complete || Blake3(*self.hasher.finalize().as_bytes()) == self.plan.content(*content).blake3;
                    if right {
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
