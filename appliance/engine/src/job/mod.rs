//! A drive from plan to row: the threads, what they share, and what is recorded.

mod engine;
mod journal;
mod recorder;
mod work;

pub use self::engine::{Engine, Job, Limits, Running, reserve_memory};
pub use self::journal::{Journal, NewEntry, Unrecorded};
