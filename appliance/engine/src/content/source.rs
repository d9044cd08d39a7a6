// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The bytes of a plan, composed piece by piece from the store.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use platen_cache::CacheError;
use platen_media::Sha256;

use crate::content::byte_ranges::{Piece, spans};
use crate::content::markers;
use crate::plan::{PlannedExtent, Source, StoredContent, WritePlan};

/// Why content can't be streamed. This is the station's fault, not the drive's.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum SourceError {
    /// A blob can't be opened.
    #[error("opening {name}")]
    Open { name: String, source: CacheError },
    /// A blob can't be read, or is shorter than it was.
    #[error("reading {name} from the cache")]
    Read { name: String, source: io::Error },
    /// The bytes read are not those that were signed.
    #[error("{name} in the cache is damaged: its digest is not the signed one; scrub the cache")]
    Damaged { name: String },
    /// Whoever wanted it was stopped meanwhile.
    #[error("stopped while content was waited for")]
    Stopped,
}

/// Reads pieces of a plan, unchecked; [`super::check`] has the checks.
pub(crate) struct PlanReader<'a> {
    plan: &'a WritePlan,
    extents: &'a [PlannedExtent],
    /// The blob read last; content is sorted by blob, so one is enough.
    open: Option<(Sha256, File)>,
}

impl<'a> PlanReader<'a> {
    /// Of `extents`, which are the plan's payload or seal.
    pub(crate) fn new(plan: &'a WritePlan, extents: &'a [PlannedExtent]) -> Self {
        Self { plan, extents, open: None }
    }

    /// Fill `buffer` with the bytes of `piece`. `record` stands where the drive's own record belongs. Returns how many
    /// bytes came from the store.
    pub(crate) fn read(&mut self, piece: Piece, buffer: &mut [u8], record: &[u8]) -> Result<u64, SourceError> {
        let mut stored_bytes = 0;
        for span in spans(self.extents, piece) {
            let extent = &self.extents[span.extent];
            let part = &mut buffer[span.in_piece];
            match &extent.source {
                Source::Zero => part.fill(0),
                Source::Record => copy_record(record, span.extent_offset_bytes, part),
                Source::Bytes(bytes) => {
                    let from = span.extent_offset_bytes as usize;
                    part.copy_from_slice(&bytes[from..from + part.len()]);
                }
                Source::Markers(nonce) => {
                    markers::fill(*nonce, extent.offset_bytes + span.extent_offset_bytes, part);
                }
                Source::Content(content) => {
                    let StoredContent { blob, offset_bytes, .. } = self.plan.content(*content);
                    let name = || self.plan.name_of(&extent.source);
                    let file = match &mut self.open {
                        Some((digest, file)) if *digest == blob => file,
                        other => {
                            let opened = self.plan.stored().open_blob(blob);
                            let file = opened.map_err(|source| SourceError::Open { name: name(), source })?;
                            &mut other.insert((blob, file)).1
                        }
                    };
                    let at = offset_bytes + span.extent_offset_bytes;
                    file.read_exact_at(part, at).map_err(|source| SourceError::Read { name: name(), source })?;
                    stored_bytes += part.len() as u64;
                }
            }
        }
        Ok(stored_bytes)
    }
}

/// The part of the record that falls into a span; what is left of its last cluster is zeros already in the plan.
pub(crate) fn copy_record(record: &[u8], from_bytes: u64, part: &mut [u8]) {
    let from = from_bytes as usize;
    part.copy_from_slice(&record[from..from + part.len()]);
}
