// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What starts a computer from a medium: the distribution's signed boot programs, and the system they start.

mod cpio;
mod elf;
pub mod image;
pub mod kit;
