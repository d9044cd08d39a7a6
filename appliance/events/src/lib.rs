// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Plain data that every part may speak: the record of a station, and the codes an operator reads out on the phone.
//!
//! A stream begins with a [`Hello`], then has one [`Record`] for each [`Event`]. [`StationState`] is what a reader knows
//! after it, and [`Replay`] follows a stream line by line. The command line's `--json` is such a stream;
//! `docs/formats/events.md` describes it for readers written by others.
//!
//! Nothing here does anything but keep account, and make text from outside fit to be shown ([`clean()`]).

pub mod answer;
mod any_code;
mod clean;
pub mod code;
mod event;
mod identity;
mod port;
mod record;
mod replay;
#[cfg(test)]
mod schema;
mod state;
#[cfg(test)]
mod state_tests;
mod system;
mod verdict;

pub use answer::Answer;
pub use any_code::AnyCode;
pub use clean::{clean, is_plain};
pub use code::{Advice, Code, Entry};
pub use event::{Action, Event, Step};
pub use identity::{DriveId, DriveLabel, JobId};
pub use port::{BatchId, PortMode, PortUse, Work};
pub use record::{Hello, Line, Record, SCHEMA, Stamper};
pub use replay::{Broken, Replay};
pub use state::{ActionState, BatchState, DriveState, Illegal, JobState, Refused, Retry, StationState, StepState};
pub use system::{DataState, MAX_UPDATE_BYTES, SystemRequest, SystemState, UpdateState};
pub use verdict::{JobEnd, JobKind, Moved, Verdict};
