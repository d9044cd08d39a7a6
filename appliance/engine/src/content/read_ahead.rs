// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! One reading and its consumers: which pieces are in memory, who waits for whom, who fell behind.
//!
//! One reader publishes pieces in ascending order, a little ahead of the fastest consumer. The last few stay in memory.
//! Nobody ever waits for a slower consumer: one whose piece has left the memory is told that it is behind, gets the
//! piece elsewhere, and is served again as soon as it has caught up. Consumers may come and go at any time; the reader
//! ends with the last of them.
//!
//! Nothing here reads or writes anything, so that all interleavings can be tried: the same file is compiled into the
//! tests with other locks (`tests/engine/scheduler.rs`).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// How often a consumer that waits looks whether it was stopped.
const LOOK: Duration = Duration::from_millis(100);

/// What a consumer gets.
#[derive(Debug)]
pub(crate) enum Taken<T, E> {
    Piece(Arc<T>),
    /// It was published, and is no longer in memory.
    Behind,
    /// It can't be read any more.
    Failed(Arc<E>),
    /// The consumer does not want it any more.
    Stopped,
}

struct State<T, M, E> {
    /// Pieces `first..first + window.len()`.
    window: VecDeque<Arc<T>>,
    first: usize,
    /// Of every piece published so far.
    marks: Vec<M>,
    /// One more than the highest piece anybody asked for.
    wanted: usize,
    /// Who may still look at marks.
    members: usize,
    /// Members that still take pieces.
    consumers: usize,
    failed: Option<Arc<E>>,
}

/// `T` is a piece, `M` the mark that is kept of each one, `E` why reading failed.
pub(crate) struct ReadAhead<T, M, E> {
    state: Mutex<State<T, M, E>>,
    changed: Condvar,
    window: usize,
    ahead: usize,
}

impl<T, M: Copy, E> ReadAhead<T, M, E> {
    /// With one consumer. `window` pieces stay in memory, `ahead` are read before they are asked for.
    pub(crate) fn new(window: usize, ahead: usize) -> Self {
        let state = State {
            window: VecDeque::new(),
            first: 0,
            marks: Vec::new(),
            wanted: 0,
            members: 1,
            consumers: 1,
            failed: None,
        };
        Self { state: Mutex::new(state), changed: Condvar::new(), window, ahead }
    }

    fn lock(&self) -> MutexGuard<'_, State<T, M, E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more consumer. False: the reader has ended or failed.
    pub(crate) fn join(&self) -> bool {
        let mut state = self.lock();
        let joins = state.members > 0 && state.failed.is_none();
        state.members += usize::from(joins);
        state.consumers += usize::from(joins);
        joins
    }

    /// A consumer has all pieces and will only look at marks from now on. The reader is at its end then, so the window can
    /// only shrink: of many consumers the resting ones need memory of their own, and little is kept for the last few.
    pub(crate) fn rest(&self) {
        let mut state = self.lock();
        state.consumers -= 1;
        let kept = match state.consumers {
            0 => 0,
            consumers if state.members > self.window => consumers,
            _ => self.window,
        };
        let dropped = state.window.len().saturating_sub(kept);
        state.window.drain(..dropped);
        state.first += dropped;
    }

    /// A member goes; `resting` if it said so before.
    pub(crate) fn leave(&self, resting: bool) {
        let mut state = self.lock();
        state.members -= 1;
        state.consumers -= usize::from(!resting);
        drop(state);
        self.changed.notify_all();
    }

    /// For the reader: wait until piece `index` should be read. False: nobody is left to read for.
    pub(crate) fn wait_to_read(&self, index: usize) -> bool {
        let mut state = self.lock();
        while state.members > 0 && index >= state.wanted + self.ahead {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.members > 0
    }

    /// For the reader: the next piece. Returns one that left the memory, if nobody uses it any more.
    pub(crate) fn publish(&self, piece: T, mark: M) -> Option<T> {
        let mut state = self.lock();
        state.marks.push(mark);
        state.window.push_back(Arc::new(piece));
        let mut left = None;
        if state.window.len() > self.window {
            state.first += 1;
            left = state.window.pop_front().and_then(Arc::into_inner);
        }
        drop(state);
        self.changed.notify_all();
        left
    }

    /// For the reader: there will be no more pieces.
    pub(crate) fn fail(&self, error: E) {
        self.lock().failed = Some(Arc::new(error));
        self.changed.notify_all();
    }

    /// For consumers: piece `index`. Waits until it is published, never for another consumer, and not when `is_stopped`.
    pub(crate) fn take(&self, index: usize, is_stopped: &dyn Fn() -> bool) -> Taken<T, E> {
        let mut state = self.lock();
        if state.wanted <= index {
            state.wanted = index + 1;
            self.changed.notify_all();
        }
        loop {
            if index < state.first {
                return Taken::Behind;
            }
            if let Some(piece) = state.window.get(index - state.first) {
                return Taken::Piece(Arc::clone(piece));
            }
            if let Some(error) = &state.failed {
                return Taken::Failed(Arc::clone(error));
            }
            if is_stopped() {
                return Taken::Stopped;
            }
            state = self.changed.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The mark of a piece; None before it is published.
    pub(crate) fn mark(&self, index: usize) -> Option<M> {
        self.lock().marks.get(index).copied()
    }
}
