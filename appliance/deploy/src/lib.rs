// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What runs on the computer that a medium was made for: the engine that carries a task sequence out, and the machine
//! it works on.

#[cfg(target_os = "linux")]
pub mod archive;
mod child;
pub mod engine;
#[cfg(target_os = "linux")]
pub mod target;
#[cfg(windows)]
pub mod windows;
