// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The thin edge to the machine. Only here are drives opened and the machine's own description of them read.
//!
//! A [`Candidate`] is what stands behind a name. [`Candidate::for_writing`] is the target guard: it decides whether that
//! may be written to at all, and holds the drive so that nobody else writes to it meanwhile. Nothing here looks at what
//! is *on* a drive; that happens in a process of its own ([`sandbox`]).

mod block;
mod boot;
mod direct;
mod error;
mod guard;
mod ioctl;
mod judge;
mod machine;
mod own;
pub mod ports;
pub mod process;
pub mod sandbox;
pub mod signals;
mod users;
mod window;

pub use boot::{boot_id, since_boot};
pub use direct::OpenedDrive;
pub use error::OpenError;
pub use guard::{Candidate, Expected, Identity, TargetPolicy};
pub use own::OwnFiles;
pub use window::WindowReader;
