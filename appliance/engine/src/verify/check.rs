// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What a job needs that judges a drive.

use platen_events::JobKind;

use super::Report;
use crate::drive::{ReadDrive, Watch};

/// Judges a drive by looking at it only. What is on it may have to be parsed, which the engine never does; so this is
/// given to it.
pub trait Check: Send {
    /// What kind of job it is: one that leaves the drive as it is.
    fn kind(&self) -> JobKind {
        JobKind::Verify
    }
    /// The medium the drive should carry, `<id>-r<revision>`; None: whatever it carries.
    fn medium(&self) -> Option<&str>;
    /// Look at the drive. Everything that goes wrong is a problem in the report.
    fn check(&mut self, drive: &mut dyn ReadDrive, watch: &dyn Watch) -> Report;
    /// The report is good, and the drive was still there, with the same medium in it, when all of it was read: now something
    /// may be made of it. What that comes to is the report that counts.
    fn keep(&mut self, report: Report, _watch: &dyn Watch) -> Report {
        report
    }
}
