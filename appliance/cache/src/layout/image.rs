// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The parts of a disk image that are stored: runs of blocks that are not all zeros, one behind the other in one blob.

use std::io;
use std::sync::Arc;

use platen_media::Blake3;
use platen_media::manifest::{Blob, ImagePart, Location};

use super::{BlobStream, Layout};
use crate::CacheError;
use crate::pieces::{Beside, Piece, Pieces};

/// Longest part: what a writer holds a digest for.
const MAX_PART_BYTES: u64 = 64 << 20;

/// Takes an image block by block and stores what is in it.
pub struct ImageParts<'a> {
    layout: &'a Layout,
    pieces: Pieces,
    stored: Option<Stored>,
    stored_bytes: u64,
    open: Option<Part>,
    closed: Vec<Part>,
}

/// Where the bytes of all parts go.
struct Stored {
    stream: BlobStream,
    /// Gets the pieces of each part, then `None`.
    digests: Beside<PartDigests, Option<Arc<Piece>>>,
}

#[derive(Default)]
struct PartDigests {
    open: blake3::Hasher,
    done: Vec<Blake3>,
}

impl PartDigests {
    fn update(&mut self, piece: Option<Arc<Piece>>) {
        match piece {
            Some(piece) => {
                self.open.update(&piece);
            }
            None => {
                self.done.push(Blake3(*self.open.finalize().as_bytes()));
                self.open.reset();
            }
        }
    }
}

/// A part whose digest is not known yet.
#[derive(Clone, Copy)]
struct Part {
    offset_bytes: u64,
    size_bytes: u64,
    stored_at: u64,
}

impl<'a> ImageParts<'a> {
    /// What is zeros for this long, in bytes, on this grid, is left out.
    pub const BLOCK_BYTES: usize = 1 << 20;

    /// Nothing is made in the layout before something is to be stored.
    pub fn new(layout: &'a Layout) -> Self {
        let pieces = Pieces::new(Self::BLOCK_BYTES);
        Self { layout, pieces, stored: None, stored_bytes: 0, open: None, closed: Vec::new() }
    }

    /// The next block of the image that is not a hole, at a place of the image in bytes. `read` puts it into a buffer of
    /// [`Self::BLOCK_BYTES`] and says how long it is; what can't be stored is made an error by `failed`.
    pub fn block<E: From<CacheError>>(
        &mut self,
        offset_bytes: u64,
        read: impl FnOnce(&mut [u8]) -> Result<usize, E>,
        failed: impl FnOnce(io::Error, u64) -> E,
    ) -> Result<(), E> {
        let block = self.pieces.fill(read)?;
        if is_zero(&block) {
            self.close();
            return Ok(());
        }
        let size = block.len() as u64;
        let follows = |open: Part| {
            // The part at the beginning is what makes an image start; each drive gets it last and by itself, so it is
            // one block.
            let has_room = open.offset_bytes > 0 && open.size_bytes + size <= MAX_PART_BYTES;
            open.offset_bytes + open.size_bytes == offset_bytes && has_room
        };
        if !self.open.is_some_and(follows) {
            self.close();
        }
        let stored_at = self.stored_bytes;
        let open = self.open.get_or_insert(Part { offset_bytes, size_bytes: 0, stored_at });
        open.size_bytes += size;
        self.stored_bytes += size;
        let stored = match &mut self.stored {
            Some(stored) => stored,
            None => {
                let doing = "starting a thread that digests what goes into";
                let digests = Beside::start(PartDigests::default(), PartDigests::update)
                    .map_err(CacheError::io(doing, self.layout.dir()))?;
                self.stored.insert(Stored { stream: self.layout.blob_stream()?, digests })
            }
        };
        stored.digests.give(Some(Arc::clone(&block)));
        stored.stream.write(&block).map_err(|error| failed(error, size))
    }

    /// The part ends here, if one is open.
    fn close(&mut self) {
        let (Some(open), Some(stored)) = (self.open.take(), &self.stored) else { return };
        stored.digests.give(None);
        self.closed.push(open);
    }

    /// All parts, and the blob they are in; none if all of it was zeros.
    pub fn finish(mut self) -> Result<(Vec<ImagePart>, Option<Blob>), CacheError> {
        self.close();
        let Some(Stored { stream, digests }) = self.stored else { return Ok((Vec::new(), None)) };
        let (sha256, size_bytes) = stream.finish()?;
        let part = |(part, blake3): (Part, Blake3)| {
            let at = Location { blob: 0, offset_bytes: part.stored_at };
            ImagePart { offset_bytes: part.offset_bytes, size_bytes: part.size_bytes, blake3, at }
        };
        let parts = self.closed.into_iter().zip(digests.finish().done).map(part).collect();
        Ok((parts, Some(Blob { sha256, size_bytes })))
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    // A digest of zeros would be slower than looking; 16 bytes at a time is what the compiler makes of this.
    bytes.iter().fold(0, |all, byte| all | byte) == 0
}
