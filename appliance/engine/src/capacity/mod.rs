// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Whether a drive is as large as it claims.

pub(crate) mod probe;
mod report;

pub use self::probe::Fake;
pub use self::report::CapacityReport;
