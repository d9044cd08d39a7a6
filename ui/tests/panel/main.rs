// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The panel as somebody sees and uses it: every screen at every size, in every language.

mod checks;
mod desk;
mod media;
mod pictures;
mod played;
mod png_file;
mod random;
mod reports;
mod scenes;
mod vision;
mod ways;
