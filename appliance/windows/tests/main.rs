// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What other programs say of the same files.

#[path = "windows/answer.rs"]
mod answer;
#[path = "windows/drivers.rs"]
mod drivers;
#[path = "windows/generator.rs"]
mod generator;
