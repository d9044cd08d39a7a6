// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A drive from plan to row: the threads, what they share, and what is recorded.

mod check;
mod engine;
mod handle;
mod journal;
mod queue;
mod recorder;
mod row;
mod work;

pub use self::engine::{Engine, Job, Limits, Task, reserve_memory};
pub use self::handle::JobHandle;
pub use self::journal::{Conclusion, Journal, NewEntry, Subject, Unrecorded};
pub use self::queue::{EventReceiver, EventSender, event_queue};
