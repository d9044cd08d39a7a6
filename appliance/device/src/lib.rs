//! The thin edge to the machine. Only here are drives opened and the machine's own description of them read.
//!
//! [`open_for_writing`] is the target guard: it decides whether a path may be written to at all, and holds the drive
//! so that nobody else writes to it meanwhile. Nothing here looks at what is *on* a drive; that happens in a process
//! of its own ([`sandbox`]).

mod direct;
mod error;
mod guard;
pub mod sandbox;
pub mod signals;
mod sysfs;
mod umask;
mod window;

pub use direct::OpenedDrive;
pub use error::OpenError;
pub use guard::{open_for_reading, open_for_writing};
pub use umask::let_only_the_owner_write;
pub use window::WindowReader;
