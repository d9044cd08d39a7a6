//! Plain data that every part may speak: which drive and port, which step, how far, how it ended, and the codes an
//! operator reads out on the phone. Nothing here does anything but make text from outside fit to be shown ([`clean()`]).

mod clean;
pub mod code;
mod event;

pub use clean::{clean, is_plain};
pub use code::{Code, Entry, Verdict};
pub use event::{DriveRef, Event, Outcome, Step};
