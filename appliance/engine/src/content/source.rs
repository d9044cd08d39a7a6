// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The bytes of a plan, composed piece by piece from the store.

use std::io;

use platen_cache::{BlobReader, CacheError, ContentId};
use platen_media::Sha256;

use crate::content::byte_ranges::{Piece, spans};
use crate::content::markers;
use crate::plan::{PlannedExtent, Source, WritePlan};

/// Why content can't be streamed. This is the station's fault, not the drive's.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum SourceError {
    /// A blob can't be opened.
    #[error("opening {name}")]
    Open { name: String, source: CacheError },
    /// The plan names a content that is not in its list.
    #[error("the plan has no content {position}")]
    NotInPlan { position: usize },
    /// A blob can't be read, or is shorter than it was.
    #[error("reading {name} from the cache")]
    Read { name: String, source: io::Error },
    /// The bytes read are not those that were signed.
    #[error("{name} in the cache is damaged: its digest is not the signed one; scrub the cache")]
    Damaged { name: String },
    /// The job that waited for it was stopped.
    #[error("stopped while content was waited for")]
    Stopped,
}

/// Reads pieces of a plan, unchecked; [`super::check`] has the checks.
pub(crate) struct PlanReader<'a> {
    plan: &'a WritePlan,
    extents: &'a [PlannedExtent],
    /// The blob read last; content is sorted by blob, so one is enough.
    open: Option<(Sha256, Box<dyn BlobReader>)>,
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
                    self.read_content(*content, span.extent_offset_bytes, part)?;
                    stored_bytes += part.len() as u64;
                }
            }
        }
        Ok(stored_bytes)
    }

    /// Fill `part` with what a content has from `from_bytes` on.
    fn read_content(&mut self, id: ContentId, from_bytes: u64, part: &mut [u8]) -> Result<(), SourceError> {
        let (Some(content), Some(contents)) = (self.plan.content(id), &self.plan.contents) else {
            return Err(SourceError::NotInPlan { position: id.position() });
        };
        let name = || content.name.clone();
        let reader = match &mut self.open {
            Some((digest, reader)) if *digest == content.blob => reader,
            other => {
                let opened = contents.store.open(content.blob);
                let reader = opened.map_err(|source| SourceError::Open { name: name(), source })?;
                &mut other.insert((content.blob, reader)).1
            }
        };
        let at = content.offset_bytes + from_bytes;
        reader.read_exact_at(part, at).map_err(|source| SourceError::Read { name: name(), source })
    }
}

/// The part of the record that falls into a span; what is left of its last cluster is zeros already in the plan.
pub(crate) fn copy_record(record: &[u8], from_bytes: u64, part: &mut [u8]) {
    let from = from_bytes as usize;
    part.copy_from_slice(&record[from..from + part.len()]);
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use platen_cache::{BlobStore, StoredContent};
    use platen_media::Blake3;

    use super::*;
    use crate::content::byte_ranges::pieces;
    use crate::content::check::ContentCheck;
    use crate::plan::{Contents, DriveShape, plan_test};

    /// Blobs in memory: no cache, no medium.
    #[derive(Debug)]
    struct Memory(HashMap<Sha256, Vec<u8>>);

    struct Blob(Vec<u8>);

    impl BlobReader for Blob {
        fn read_exact_at(&self, buffer: &mut [u8], offset_bytes: u64) -> io::Result<()> {
            let from = offset_bytes as usize;
            let bytes = self.0.get(from..from + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
            buffer.copy_from_slice(bytes);
            Ok(())
        }
    }

    impl BlobStore for Memory {
        fn open(&self, digest: Sha256) -> Result<Box<dyn BlobReader>, CacheError> {
            let not_found = || CacheError::Io {
                doing: "opening",
                path: digest.to_string().into(),
                source: io::ErrorKind::NotFound.into(),
            };
            Ok(Box::new(Blob(self.0.get(&digest).ok_or_else(not_found)?.clone())))
        }
    }

    /// Two contents in one blob, then a third that is not in the plan's list.
    fn plan_over(blobs: HashMap<Sha256, Vec<u8>>, blob: Sha256, whole: &[u8]) -> WritePlan {
        let content = |range: std::ops::Range<usize>, name: &str| StoredContent {
            blob,
            offset_bytes: range.start as u64,
            blake3: Blake3::of(&whole[range]),
            name: name.to_owned(),
        };
        let list = Arc::from([content(1000..3000, "second"), content(0..1000, "first")]);
        let mut plan = plan_test(DriveShape { size_bytes: 1 << 20, sector_bytes: 512 }, 1);
        plan.contents = Some(Contents { list, store: Arc::new(Memory(blobs)) });
        let extent = |offset_bytes, len_bytes, position| PlannedExtent {
            offset_bytes,
            len_bytes,
            source: Source::Content(ContentId::new(position)),
        };
        plan.payload = Arc::from([extent(0, 1000, 1), extent(1000, 2000, 0), extent(1 << 19, 10, 7)]);
        plan
    }

    #[test]
    fn a_plan_reads_its_contents_from_any_store() {
        let whole: Vec<u8> = (0..3000_u32).map(|n| (n % 251) as u8).collect();
        let blob = Sha256::of(&whole);
        let read = |blobs| {
            let plan = plan_over(blobs, blob, &whole);
            let mut reader = PlanReader::new(&plan, plan.payload());
            let mut check = ContentCheck::new(&plan, plan.payload());
            let mut found = Vec::new();
            for piece in pieces(plan.payload()).take(1) {
                found.resize(piece.len, 0);
                reader.read(piece, &mut found, &[])?;
                check.check(piece, &found)?;
            }
            Ok::<_, SourceError>(found)
        };
        assert_eq!(read(HashMap::from([(blob, whole.clone())])).expect("reads"), whole);
        let mut damaged = whole.clone();
        damaged[1500] ^= 1;
        let said = read(HashMap::from([(blob, damaged)])).expect_err("damaged").to_string();
        assert!(said.contains("second in the cache is damaged"), "{said}");
        let short = read(HashMap::from([(blob, whole[..2000].to_vec())])).expect_err("short");
        assert!(matches!(&short, SourceError::Read { name, .. } if name == "second"), "{short}");
        let missing = read(HashMap::new()).expect_err("missing");
        assert!(matches!(&missing, SourceError::Open { name, .. } if name == "first"), "{missing}");
    }

    #[test]
    fn a_content_that_is_not_in_the_plan_is_an_error() {
        let whole = vec![7; 3000];
        let blob = Sha256::of(&whole);
        let mut plan = plan_over(HashMap::from([(blob, whole.clone())]), blob, &whole);
        for has_contents in [true, false] {
            let last = pieces(plan.payload()).last().expect("a piece");
            let error = PlanReader::new(&plan, plan.payload()).read(last, &mut vec![0; last.len], &[]);
            assert!(matches!(error, Err(SourceError::NotInPlan { position: 7 })), "{has_contents}: {error:?}");
            assert_eq!(plan.name_at(last.offset_bytes), "");
            plan.contents = None;
        }
    }
}
