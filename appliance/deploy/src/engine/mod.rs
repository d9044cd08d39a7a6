// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Carries a task sequence out.

pub mod layout;
pub mod machine;
