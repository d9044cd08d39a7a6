// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The scheduler under every kind of interleaving: `src/content/read_ahead.rs` is compiled here a second time, with locks whose
//! order a model checker chooses. Join, falling behind, catching up, cancelling and vanishing, a reader that fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;

mod sync {
    pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard};
    pub(crate) use std::sync::PoisonError;
}
#[path = "../../src/content/read_ahead.rs"]
mod read_ahead;
use read_ahead::{ReadAhead, Taken};

const PIECES: usize = 7;
const WINDOW: usize = 2;
const AHEAD: usize = 1;
const ITERATIONS: usize = 20_000;

/// A piece that knows how many of its kind are in memory.
struct Counted {
    number: usize,
    alive: Arc<AtomicUsize>,
}

impl Counted {
    fn new(number: usize, alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Ordering::Relaxed);
        Self { number, alive: Arc::clone(alive) }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

type Shared = Arc<ReadAhead<Counted, usize, usize>>;

/// What happened in all interleavings together: a model in which nothing ever falls behind proves nothing.
#[derive(Default)]
struct Seen {
    behind: AtomicU64,
    caught_up: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    cut_short: AtomicU64,
}

/// The reader, as `content/shared.rs` has it. Returns how many pieces it read.
fn read(read_ahead: &Shared, alive: &Arc<AtomicUsize>, fails_at: usize) -> usize {
    for number in 0..PIECES {
        if !read_ahead.wait_to_read(number) {
            return number;
        }
        if number == fails_at {
            read_ahead.fail(number);
            return number;
        }
        drop(read_ahead.publish(Counted::new(number, alive), number * 10));
    }
    PIECES
}

/// A drive: takes pieces in order, is cancelled or pulled at some point, or gets all and then looks at marks.
fn take(read_ahead: &Shared, ends_at: usize, fails_at: usize, seen: &Seen) {
    let mut was_behind = false;
    for number in 0..PIECES {
        if number == ends_at {
            seen.cut_short.fetch_add(1, Ordering::Relaxed);
            read_ahead.leave(false);
            return;
        }
        match read_ahead.take(number, &|| false) {
            Taken::Piece(piece) => {
                assert_eq!(piece.number, number);
                seen.caught_up.fetch_add(u64::from(std::mem::take(&mut was_behind)), Ordering::Relaxed);
            }
            Taken::Behind => {
                was_behind = true;
                seen.behind.fetch_add(1, Ordering::Relaxed);
                assert_eq!(read_ahead.mark(number), Some(number * 10), "what it reads alone can be checked");
            }
            Taken::Failed(at) => {
                assert_eq!(*at, fails_at);
                assert!(number >= fails_at, "pieces before the failed one are served");
                seen.failed.fetch_add(1, Ordering::Relaxed);
                read_ahead.leave(false);
                return;
            }
            Taken::Stopped => unreachable!("nobody stops it"),
        }
        // A slow drive.
        for _ in 0..thread_rng().gen_range(0..3) {
            thread::yield_now();
        }
    }
    read_ahead.rest();
    for number in 0..PIECES {
        assert_eq!(read_ahead.mark(number), Some(number * 10), "every read-back can be compared");
    }
    read_ahead.leave(true);
}

fn model(seen: &Arc<Seen>) {
    let alive = Arc::new(AtomicUsize::new(0));
    let read_ahead: Shared = Arc::new(ReadAhead::new(WINDOW, AHEAD));
    let fails_at = if thread_rng().gen_bool(0.2) { thread_rng().gen_range(0..PIECES) } else { PIECES };
    let reader = {
        let (read_ahead, alive) = (Arc::clone(&read_ahead), Arc::clone(&alive));
        thread::spawn(move || read(&read_ahead, &alive, fails_at))
    };
    let drives: Vec<_> = (0..3)
        .map(|number| {
            let (read_ahead, alive, seen) = (Arc::clone(&read_ahead), Arc::clone(&alive), Arc::clone(seen));
            let ends_at = if thread_rng().gen_bool(0.3) { thread_rng().gen_range(0..PIECES) } else { PIECES };
            // The first was there when the stream was made; the others are inserted some time later.
            thread::spawn(move || {
                if number == 0 || read_ahead.join() {
                    take(&read_ahead, ends_at, fails_at, &seen);
                } else {
                    seen.refused.fetch_add(1, Ordering::Relaxed);
                }
                assert!(alive.load(Ordering::Relaxed) <= WINDOW + 1 + 3, "memory is bounded by window and drives");
            })
        })
        .collect();
    for drive in drives {
        drive.join().unwrap();
    }
    // Ends by itself: nobody is left, or everything was read.
    let read = reader.join().unwrap();
    assert!(read <= PIECES);
    drop(read_ahead);
    assert_eq!(alive.load(Ordering::Relaxed), 0);
}

fn check(how: &str, run: impl FnOnce(Arc<Seen>)) {
    let seen = Arc::new(Seen::default());
    run(Arc::clone(&seen));
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    eprintln!(
        "{how}: {ITERATIONS} schedules; fell behind {}, caught up {}, came too late {}, reading failed for {}, cut \
         short {}",
        count(&seen.behind),
        count(&seen.caught_up),
        count(&seen.refused),
        count(&seen.failed),
        count(&seen.cut_short)
    );
    for counter in [&seen.behind, &seen.caught_up, &seen.refused, &seen.failed, &seen.cut_short] {
        assert!(count(counter) > 0, "the model never gets there");
    }
}

#[test]
fn no_schedule_blocks_starves_or_mixes_up_a_drive() {
    check("random schedules", |seen| shuttle::check_random(move || model(&seen), ITERATIONS));
    check("schedules with few preemptions (PCT)", |seen| shuttle::check_pct(move || model(&seen), ITERATIONS, 3));
}

/// Of many drives those that rest have memory of their own.
#[test]
fn little_is_kept_for_the_last_few_of_many() {
    shuttle::check_random(
        || {
            let alive = Arc::new(AtomicUsize::new(0));
            let read_ahead: Shared = Arc::new(ReadAhead::new(WINDOW, AHEAD));
            assert!(read_ahead.join() && read_ahead.join());
            for number in 0..PIECES {
                drop(read_ahead.publish(Counted::new(number, &alive), number * 10));
            }
            let kept = [WINDOW, 1, 0].map(|kept| {
                read_ahead.rest();
                (alive.load(Ordering::Relaxed), kept)
            });
            assert!(kept.iter().all(|(found, expected)| found == expected), "{kept:?}");
            (0..3).for_each(|_| read_ahead.leave(true));
        },
        1,
    );
}

/// The model can see: a reader that forgets to wake its drives is found.
#[test]
fn a_lost_wakeup_would_be_found() {
    let blocked = std::panic::catch_unwind(|| {
        shuttle::check_random(
            || {
                let read_ahead: Shared = Arc::new(ReadAhead::new(WINDOW, AHEAD));
                let taking = {
                    let read_ahead = Arc::clone(&read_ahead);
                    thread::spawn(move || assert!(matches!(read_ahead.take(0, &|| false), Taken::Piece(_))))
                };
                // A reader that ends without a word.
                read_ahead.wait_to_read(0);
                taking.join().unwrap();
            },
            100,
        );
    });
    let said = blocked.unwrap_err().downcast::<String>().unwrap();
    assert!(said.contains("deadlock"), "{said}");
}
