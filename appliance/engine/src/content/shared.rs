// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! One reading of the content for all drives that keep up, and a drive that does not harms only itself.
//!
//! Drives that get the same payload (same medium, size and scheme) subscribe to one [`Stream`]. A thread of its own reads
//! pieces at the [`ReadAhead`] of the fastest drive and keeps the last few in memory; a drive that is behind, or began
//! later, reads its pieces itself (from the page cache, as a rule). Memory is bounded by the window and one piece for
//! each drive, whatever their number.
//!
//! The stream checks the content once, against the signed manifest. The fingerprint it then takes of each piece is what
//! a piece read by a laggard is checked against, and what every drive's read-back is compared with.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use crate::PIECE_BYTES;
use crate::content::byte_ranges::{Piece, pieces};
use crate::content::check::ContentCheck;
use crate::content::fingerprint::{Fingerprint, Fingerprints};
use crate::content::read_ahead::{ReadAhead, Taken};
use crate::content::source::{PlanReader, SourceError};
use crate::drive::AlignedBuffer;
use crate::plan::{PlannedExtent, WritePlan};

/// Pieces kept in memory for drives that are a little slower than the fastest.
const WINDOW_PIECES: usize = 6;
/// Pieces read before the fastest drive asks for them.
const AHEAD_PIECES: usize = 2;

static ZEROS: LazyLock<AlignedBuffer> = LazyLock::new(|| AlignedBuffer::new(PIECE_BYTES));

/// A piece of the payload as it must stand on the drive.
pub(crate) struct Loaded {
    pub(crate) piece: Piece,
    /// None: zeros.
    buffer: Option<AlignedBuffer>,
}

impl Loaded {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer.as_ref().unwrap_or(&ZEROS)[..self.piece.len]
    }

    /// Nothing but zeros by the plan, not by chance.
    pub(crate) fn is_zero(&self) -> bool {
        self.buffer.is_none()
    }
}

/// The streams of one station. Drives may come at any time.
#[derive(Default)]
pub struct Sources {
    streams: Mutex<Vec<Weak<Stream>>>,
    payloads: Mutex<Vec<Weak<[PlannedExtent]>>>,
    read_bytes: Arc<AtomicU64>,
}

impl Sources {
    /// Without any stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes of content read from the cache so far: by streams, by laggards, and for each drive's seal.
    pub fn read_bytes(&self) -> u64 {
        self.read_bytes.load(Ordering::Relaxed)
    }

    /// Keep one list of extents for all drives that get the same; for many small files it is what takes the memory.
    pub(crate) fn share_payload(&self, plan: &mut WritePlan) {
        let mut payloads = self.payloads.lock().unwrap_or_else(PoisonError::into_inner);
        payloads.retain(|payload| payload.strong_count() > 0);
        match payloads.iter().filter_map(Weak::upgrade).find(|known| **known == *plan.payload) {
            Some(known) => plan.payload = known,
            None => payloads.push(Arc::downgrade(&plan.payload)),
        }
    }

    pub(crate) fn count(&self, read_bytes: u64) {
        self.read_bytes.fetch_add(read_bytes, Ordering::Relaxed);
    }

    /// Take part in a stream that is running, or start one.
    pub(crate) fn subscription(&self, plan: &WritePlan) -> Subscription {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.retain(|stream| stream.strong_count() > 0);
        let known = streams.iter().filter_map(Weak::upgrade).filter(|stream| stream.plan.has_same_payload(plan));
        let joined = known.into_iter().find(|stream| stream.read_ahead.join());
        let stream = joined.unwrap_or_else(|| {
            let stream = Arc::new(Stream::new(plan, Arc::clone(&self.read_bytes)));
            streams.push(Arc::downgrade(&stream));
            let feeding = Arc::clone(&stream);
            if let Err(source) = std::thread::Builder::new().spawn(move || feeding.feed()) {
                stream
                    .read_ahead
                    .fail(SourceError::Read { name: "the content (no thread can be started)".to_owned(), source });
            }
            stream
        });
        Subscription { stream, private: None, resting: false }
    }
}

/// One reading of one payload.
struct Stream {
    plan: WritePlan,
    pieces: Vec<Piece>,
    read_ahead: ReadAhead<Loaded, Fingerprint, SourceError>,
    fingerprints: Fingerprints,
    read_bytes: Arc<AtomicU64>,
}

impl Stream {
    fn new(plan: &WritePlan, read_bytes: Arc<AtomicU64>) -> Self {
        let pieces: Vec<Piece> = pieces(plan.payload()).collect();
        let read_ahead = ReadAhead::new(WINDOW_PIECES, AHEAD_PIECES);
        Self { plan: plan.clone(), pieces, read_ahead, fingerprints: Fingerprints::new(), read_bytes }
    }

    /// The reading thread.
    fn feed(&self) {
        let _wake = WakeOnPanic(self);
        let payload = self.plan.payload();
        let mut reader = PlanReader::new(&self.plan, payload);
        let mut check = ContentCheck::new(&self.plan, payload);
        let mut spare: Option<AlignedBuffer> = None;
        for (index, &piece) in self.pieces.iter().enumerate() {
            if !self.read_ahead.wait_to_read(index) {
                return;
            }
            let left = if piece.is_zero(payload) {
                self.read_ahead.publish(Loaded { piece, buffer: None }, Fingerprint::Zeros)
            } else {
                let mut buffer = spare.take().unwrap_or_else(|| AlignedBuffer::new(PIECE_BYTES));
                let read = self.read(&mut reader, piece, &mut buffer);
                match read.and_then(|()| check.check(piece, &buffer[..piece.len])) {
                    Ok(()) => {
                        let fingerprint = self.fingerprints.of(&buffer[..piece.len]);
                        self.read_ahead.publish(Loaded { piece, buffer: Some(buffer) }, fingerprint)
                    }
                    Err(error) => {
                        self.read_ahead.fail(error);
                        return;
                    }
                }
            };
            spare = left.and_then(|loaded| loaded.buffer).or(spare);
        }
    }

    fn read(&self, reader: &mut PlanReader<'_>, piece: Piece, buffer: &mut [u8]) -> Result<(), SourceError> {
        let content_bytes = reader.read(piece, &mut buffer[..piece.len], &[])?;
        self.read_bytes.fetch_add(content_bytes, Ordering::Relaxed);
        Ok(())
    }
}

/// A reading thread that panics must not leave its drives waiting for it.
struct WakeOnPanic<'a>(&'a Stream);

impl Drop for WakeOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let source = std::io::Error::other("the reading thread failed");
            self.0.read_ahead.fail(SourceError::Read { name: "the content".to_owned(), source });
        }
    }
}

/// One drive's part in a stream. Pieces are asked for in ascending order.
pub(crate) struct Subscription {
    stream: Arc<Stream>,
    /// The last piece of a drive that fell behind, for its buffer.
    private: Option<Arc<Loaded>>,
    resting: bool,
}

impl Subscription {
    /// How many pieces the payload has.
    pub(crate) fn len(&self) -> usize {
        self.stream.pieces.len()
    }

    /// The piece's place on the drive.
    pub(crate) fn piece(&self, index: usize) -> Piece {
        self.stream.pieces[index]
    }

    /// The piece's bytes, checked against the signed manifest; an error soon after `is_stopped`.
    pub(crate) fn load(
        &mut self,
        index: usize,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<Arc<Loaded>, Arc<SourceError>> {
        match self.stream.read_ahead.take(index, is_stopped) {
            Taken::Piece(loaded) => {
                self.private = None;
                Ok(loaded)
            }
            Taken::Behind => self.load_alone(index),
            Taken::Failed(error) => Err(error),
            Taken::Stopped => Err(Arc::new(SourceError::Stopped)),
        }
    }

    /// All pieces were loaded once: what is kept in memory for this drive may go.
    pub(crate) fn rest(&mut self) {
        self.private = None;
        if !std::mem::replace(&mut self.resting, true) {
            self.stream.read_ahead.rest();
        }
    }

    fn load_alone(&mut self, index: usize) -> Result<Arc<Loaded>, Arc<SourceError>> {
        let (stream, piece) = (&self.stream, self.piece(index));
        if self.fingerprint(index) == Fingerprint::Zeros {
            return Ok(Arc::new(Loaded { piece, buffer: None }));
        }
        let old = self.private.take().and_then(Arc::into_inner).and_then(|loaded| loaded.buffer);
        let mut buffer = old.unwrap_or_else(|| AlignedBuffer::new(PIECE_BYTES));
        stream.read(&mut PlanReader::new(&stream.plan, stream.plan.payload()), piece, &mut buffer)?;
        if !self.is_known(index, &buffer[..piece.len]) {
            let name = stream.plan.name_at(piece.offset_bytes);
            return Err(Arc::new(SourceError::Damaged { name }));
        }
        let loaded = Arc::new(Loaded { piece, buffer: Some(buffer) });
        self.private = Some(Arc::clone(&loaded));
        Ok(loaded)
    }

    /// These are the piece's bytes. Only of pieces that were loaded before.
    pub(crate) fn is_known(&self, index: usize, bytes: &[u8]) -> bool {
        self.stream.fingerprints.match_bytes(self.fingerprint(index), bytes)
    }

    fn fingerprint(&self, index: usize) -> Fingerprint {
        self.stream.read_ahead.mark(index).expect("pieces are loaded before they are compared")
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.stream.read_ahead.leave(self.resting);
    }
}
