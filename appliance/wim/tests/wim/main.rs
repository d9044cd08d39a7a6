// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! platen-wim against `wimlib-imagex`, and against damage.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping")]

mod damage;
mod make;
mod support;
