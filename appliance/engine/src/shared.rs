//! One reading of the content for all drives that keep up, and a drive that does not harms only itself.
//!
//! Drives that get the same payload (same medium, size, scheme and places) tap one [`Stream`]. A thread of its own reads
//! pieces a little ahead of the fastest drive and keeps the last few in memory. Nobody ever waits for a slower drive:
//! when the window has moved past a drive's place, that drive reads its pieces itself (from the page cache, as a
//! rule) and is back in the window as soon as it has caught up. Memory is bounded by the window and one piece for
//! each drive, whatever their number.
//!
//! The stream hashes each piece once. That digest is what a piece read by a straggler is checked against, and what
//! every drive's read-back is compared with.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

use platen_media::{Blake3, Sha256};

use crate::buffer::AlignedBuffer;
use crate::plan::{DriveShape, WritePlan};
use crate::source::{PlanReader, SourceError};
use crate::spans::{Piece, pieces};
use platen_media::manifest::Scheme;

/// Pieces kept in memory for drives that are a little slower than the fastest.
const WINDOW_PIECES: usize = 6;
/// Pieces read before the fastest drive asks for them.
const AHEAD_PIECES: usize = 2;

/// A piece of the payload as it must stand on the drive.
pub(crate) struct Loaded {
    pub(crate) piece: Piece,
    buffer: AlignedBuffer,
}

impl Loaded {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.piece.len]
    }
}

/// What plans with equal payloads have in common. Drives that are updated may have the same files in other places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    manifest: Sha256,
    shape: DriveShape,
    scheme: Option<Scheme>,
}

/// The streams of one station. Drives may come at any time.
#[derive(Default)]
pub struct Sources {
    streams: Mutex<Vec<(Key, Weak<Stream>)>>,
}

impl Sources {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Take part in a stream that is still at its beginning, or start one.
    pub(crate) fn tap(&self, plan: &WritePlan) -> Tap {
        let key = Key { manifest: plan.media().signed().manifest_digest(), shape: plan.shape(), scheme: plan.scheme() };
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.retain(|(_, stream)| stream.strong_count() > 0);
        let known = streams.iter().filter(|(other, _)| *other == key).filter_map(|(_, stream)| stream.upgrade());
        let joined = known.into_iter().find_map(|stream| stream.join(plan).then_some(stream));
        let stream = joined.unwrap_or_else(|| {
            let stream = Arc::new(Stream::new(plan));
            streams.push((key, Arc::downgrade(&stream)));
            let feeding = Arc::clone(&stream);
            std::thread::spawn(move || feeding.feed());
            stream
        });
        Tap { stream, private: None }
    }
}

struct State {
    /// Pieces `first..first + window.len()` of the payload.
    window: VecDeque<Arc<Loaded>>,
    first: usize,
    /// Of every piece read so far.
    digests: Vec<Blake3>,
    /// One more than the highest piece any drive has asked for.
    wanted: usize,
    taps: usize,
    failed: Option<Arc<SourceError>>,
}

/// One reading of one payload.
pub(crate) struct Stream {
    plan: WritePlan,
    pieces: Vec<Piece>,
    state: Mutex<State>,
    changed: Condvar,
}

enum Answer {
    Loaded(Arc<Loaded>),
    /// The window has moved on.
    Behind,
}

impl Stream {
    fn new(plan: &WritePlan) -> Self {
        let pieces: Vec<Piece> = pieces(plan.payload()).collect();
        let state = State { window: VecDeque::new(), first: 0, digests: Vec::new(), wanted: 0, taps: 1, failed: None };
        Self { plan: plan.clone(), pieces, state: Mutex::new(state), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more drive, unless it gets another payload or the beginning is gone already.
    fn join(&self, plan: &WritePlan) -> bool {
        if self.plan.payload() != plan.payload() {
            return false;
        }
        let mut state = self.lock();
        let joins = state.first == 0 && state.taps > 0 && state.failed.is_none();
        state.taps += usize::from(joins);
        joins
    }

    /// The reading thread: stays a little ahead of the fastest drive, ends with the last one.
    fn feed(&self) {
        let _wake = WakeOnPanic(self);
        let mut reader = PlanReader::new(&self.plan, self.plan.payload());
        let mut spare: Option<AlignedBuffer> = None;
        for (index, &piece) in self.pieces.iter().enumerate() {
            {
                let mut state = self.lock();
                while state.taps > 0 && index >= state.wanted + AHEAD_PIECES {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                if state.taps == 0 {
                    return;
                }
            }
            let mut buffer = spare.take().unwrap_or_else(|| AlignedBuffer::new(crate::PIECE_BYTES));
            let read = reader.read(piece, &mut buffer[..piece.len], &[]);
            let digest = Blake3::of(&buffer[..piece.len]);
            let mut state = self.lock();
            match read {
                Ok(()) => {
                    state.digests.push(digest);
                    state.window.push_back(Arc::new(Loaded { piece, buffer }));
                    if state.window.len() > WINDOW_PIECES {
                        state.first += 1;
                        // A drive that still writes this piece keeps it; its memory is freed by that drive.
                        spare = state.window.pop_front().and_then(Arc::into_inner).map(|loaded| loaded.buffer);
                    }
                }
                Err(error) => state.failed = Some(Arc::new(error)),
            }
            let failed = state.failed.is_some();
            drop(state);
            self.changed.notify_all();
            if failed {
                return;
            }
        }
    }

    fn ask(&self, index: usize) -> Result<Answer, Arc<SourceError>> {
        let mut state = self.lock();
        if state.wanted <= index {
            state.wanted = index + 1;
            self.changed.notify_all();
        }
        loop {
            if index < state.first {
                return Ok(Answer::Behind);
            }
            if let Some(loaded) = state.window.get(index - state.first) {
                return Ok(Answer::Loaded(Arc::clone(loaded)));
            }
            if let Some(error) = &state.failed {
                return Err(Arc::clone(error));
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A reading thread that panics must not leave its drives waiting for it.
struct WakeOnPanic<'a>(&'a Stream);

impl Drop for WakeOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let source = std::io::Error::other("the reading thread failed");
            let failed = SourceError::Read { name: "the content".to_owned(), source };
            self.0.lock().failed = Some(Arc::new(failed));
            self.0.changed.notify_all();
        }
    }
}

/// One drive's part in a stream. Pieces are asked for in ascending order.
pub(crate) struct Tap {
    stream: Arc<Stream>,
    /// The buffer of a drive that fell behind.
    private: Option<Arc<Loaded>>,
}

impl Tap {
    /// How many pieces the payload has.
    pub(crate) fn len(&self) -> usize {
        self.stream.pieces.len()
    }

    /// The piece's place on the drive.
    pub(crate) fn piece(&self, index: usize) -> Piece {
        self.stream.pieces[index]
    }

    /// The piece's bytes, checked against the signed manifest.
    pub(crate) fn load(&mut self, index: usize) -> Result<Arc<Loaded>, Arc<SourceError>> {
        match self.stream.ask(index)? {
            Answer::Loaded(loaded) => {
                self.private = None;
                Ok(loaded)
            }
            Answer::Behind => self.load_alone(index),
        }
    }

    fn load_alone(&mut self, index: usize) -> Result<Arc<Loaded>, Arc<SourceError>> {
        let (stream, piece) = (&self.stream, self.piece(index));
        let old = self.private.take().and_then(Arc::into_inner).map(|loaded| loaded.buffer);
        let mut buffer = old.unwrap_or_else(|| AlignedBuffer::new(crate::PIECE_BYTES));
        PlanReader::unchecked(&stream.plan, stream.plan.payload()).read(piece, &mut buffer[..piece.len], &[])?;
        if Blake3::of(&buffer[..piece.len]) != self.digest(index) {
            let name = stream.plan.name_at(piece.offset_bytes);
            return Err(Arc::new(SourceError::Damaged { name }));
        }
        let loaded = Arc::new(Loaded { piece, buffer });
        self.private = Some(Arc::clone(&loaded));
        Ok(loaded)
    }

    /// What the piece's bytes hash to. Only of pieces that were loaded.
    pub(crate) fn digest(&self, index: usize) -> Blake3 {
        self.stream.lock().digests[index]
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.stream.lock().taps -= 1;
        self.stream.changed.notify_all();
    }
}
