// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What goes on a medium, and where: names, sizes and kinds, before anything is read as a whole.

pub(crate) mod bootable;
pub(crate) mod clear_text;
pub(crate) mod gather;
pub(crate) mod grub;
pub(crate) mod item;
pub(crate) mod notes;
pub(crate) mod policy;
pub(crate) mod walk;
pub(crate) mod wim;
mod wim_search;
