// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What Windows keeps on its disk, for a system that is applied from outside: drivers and which of them a machine needs,
//! the answer file, changes of the registry, the boot store, paths.
//!
//! Pure: bytes and texts go in, values come out. [`paths`] alone looks at folders. It links nothing of an operating
//! system and is compiled for Windows too, where the same engine goes on after the first start.
//!
//! What is here follows Microsoft's published documentation. None of it was tried on a running Windows.

pub mod answer;
pub mod bcd;
pub mod command_line;
pub mod drivers;
pub mod inf;
pub mod modalias;
pub mod paths;
pub mod registry;
mod system;

pub use system::{Architecture, ProductType, System};
