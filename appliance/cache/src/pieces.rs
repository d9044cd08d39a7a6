// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! One stream, several digests: the bytes are read once, in pieces, and each digest is computed on a thread of its own
//! while the next pieces are read and written.
//!
//! There is a fixed number of buffers. A reader that is ahead of the slowest digest waits for a buffer, so memory is
//! bounded whatever the speeds are.

use std::io::{self, Read};
use std::ops::{Deref, Range};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

use platen_media::read_piece;

/// A good length for most streams: it stays in the processor's cache, and threads are seldom woken.
pub const PIECE_BYTES: usize = 1 << 20;
/// Enough buffers that threads seldom wait for each other.
const PIECES: usize = 8;
/// Pieces begin at a multiple of this in memory, as writing past the page cache wants it.
pub(crate) const ALIGN_BYTES: usize = 4096;

/// The buffers of one stream or of several in a row.
pub struct Pieces {
    free: Receiver<Vec<u8>>,
    piece_bytes: usize,
    home: Sender<Vec<u8>>,
}

/// The next bytes of a stream. Its buffer is used again once nobody holds it.
pub struct Piece {
    buffer: Vec<u8>,
    /// Where in the buffer they are.
    place: Range<usize>,
    home: Sender<Vec<u8>>,
}

impl Pieces {
    /// Buffers of this length.
    pub fn new(piece_bytes: usize) -> Self {
        let (home, free) = channel();
        for _ in 0..PIECES {
            home.send(vec![0; piece_bytes + ALIGN_BYTES]).expect("the receiver is here");
        }
        Self { free, home, piece_bytes }
    }

    /// The next bytes of a reader: as many as a buffer holds, fewer only at the end, none behind it.
    pub fn read(&self, reader: &mut impl Read) -> io::Result<Arc<Piece>> {
        self.fill(|buffer| read_piece(reader, buffer).map(|piece| piece.len()))
    }

    /// A piece of what `fill` puts into a buffer; it says how many bytes that is.
    pub fn fill<E>(&self, fill: impl FnOnce(&mut [u8]) -> Result<usize, E>) -> Result<Arc<Piece>, E> {
        let buffer = self.free.recv().expect("a sender is here");
        // Where it can't be said, the bytes are written the other way.
        let start = buffer.as_ptr().align_offset(ALIGN_BYTES).min(ALIGN_BYTES);
        let mut piece = Piece { buffer, place: start..start, home: self.home.clone() };
        piece.place.end += fill(&mut piece.buffer[start..start + self.piece_bytes])?;
        Ok(Arc::new(piece))
    }
}

impl Deref for Piece {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.buffer[self.place.clone()]
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        // Where the other end is gone, the stream is over.
        let _ = self.home.send(std::mem::take(&mut self.buffer));
    }
}

/// Computes something over the pieces of a stream, in their order, on a thread of its own. Dropped without
/// [`Self::finish`], the thread ends by itself.
pub struct Beside<T, M = Arc<Piece>> {
    pieces: Sender<M>,
    thread: JoinHandle<T>,
}

impl<T: Send + 'static, M: Send + 'static> Beside<T, M> {
    /// Start with `state`, which `update` changes with every piece.
    pub fn start(mut state: T, update: impl Fn(&mut T, M) + Send + 'static) -> io::Result<Self> {
        let (pieces, given) = channel();
        let thread = Builder::new().name("digest".to_owned()).spawn(move || {
            for piece in given {
                update(&mut state, piece);
            }
            state
        })?;
        Ok(Self { pieces, thread })
    }

    /// The next piece.
    pub fn give(&self, piece: M) {
        // A thread that is gone has panicked, which `finish` passes on.
        let _ = self.pieces.send(piece);
    }

    /// Wait until every piece was taken in.
    pub fn finish(self) -> T {
        drop(self.pieces);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thread_gets_every_byte_in_order() {
        let bytes: Vec<u8> = (0..(PIECES + 5) * PIECE_BYTES + 77).map(|n| (n * 7 % 253) as u8).collect();
        let pieces = Pieces::new(PIECE_BYTES);
        for _ in 0..2 {
            let append = |all: &mut Vec<u8>, piece: Arc<Piece>| all.extend_from_slice(&piece);
            let threads = [(), ()].map(|()| Beside::start(Vec::new(), append).expect("starts"));
            let mut reader = &bytes[..];
            let mut count = 0;
            loop {
                let piece = pieces.read(&mut reader).expect("reads");
                if piece.is_empty() {
                    break;
                }
                count += 1;
                threads.iter().for_each(|thread| thread.give(Arc::clone(&piece)));
            }
            assert_eq!(count, PIECES + 6, "whole pieces, and the rest");
            for thread in threads {
                assert!(thread.finish() == bytes);
            }
        }
    }

    #[test]
    fn a_reader_waits_for_the_slowest_thread_so_memory_is_bounded() {
        let pieces = Pieces::new(PIECE_BYTES);
        let (open, gate) = channel::<()>();
        let slow = Beside::start(0, move |count, _: Arc<Piece>| {
            let _ = gate.recv();
            *count += 1;
        });
        let slow = slow.expect("starts");
        for _ in 0..PIECES {
            slow.give(pieces.read(&mut io::repeat(1)).expect("reads"));
        }
        assert!(pieces.free.try_recv().is_err(), "all buffers are in use");
        open.send(()).expect("it waits");
        slow.give(pieces.read(&mut io::repeat(1)).expect("one came home"));
        drop(open);
        assert_eq!(slow.finish(), PIECES + 1);
    }

    #[test]
    fn a_read_error_leaves_no_buffer_behind_and_a_panic_is_passed_on() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::ConnectionReset.into())
            }
        }
        let pieces = Pieces::new(PIECE_BYTES);
        for _ in 0..PIECES + 1 {
            let error = pieces.read(&mut Broken).err().expect("broken");
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        }
        let thread = Beside::start((), |(), _: Arc<Piece>| panic!("on purpose")).expect("starts");
        for _ in 0..2 * PIECES {
            thread.give(pieces.read(&mut io::repeat(1)).expect("buffers come home all the same"));
        }
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| thread.finish()));
        assert_eq!(panicked.expect_err("passed on").downcast_ref(), Some(&"on purpose"));
    }
}
