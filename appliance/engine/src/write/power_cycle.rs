// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Between writing and reading back, the drive loses its power: what was only in its cache is gone.

use platen_events::Step;

use super::{WriteError, WrittenDrive};
use crate::content::check::Differs;
use crate::context::Context;
use crate::drive::{DriveError, Operation, Trouble};
use crate::plan::Purpose;

impl WrittenDrive<'_> {
    /// Cut the drive's power where that can be done, and see that the same drive came back: by the marks that were left
    /// where the seal will be. Only media have a seal, so only they can be known again.
    pub(crate) fn power_cycle(mut self, context: &Context<'_>) -> Result<Self, WriteError> {
        let unsealed = &mut self.unsealed;
        if !matches!(unsealed.plan.purpose(), Purpose::Medium(_)) || !unsealed.drive.has_power_switch() {
            return Ok(self);
        }
        let step = Step::PowerCycle;
        context.started(step, None);
        let failed = |source| WriteError::Drive { step, source };
        unsealed.drive.confirm().map_err(failed)?;
        let Some(returned) = unsealed.drive.power_cycle().map_err(failed)? else { return Ok(self) };
        let facts = unsealed.drive.facts();
        let (label, drive, has_serial) = (facts.label(), facts.id(), facts.serial.is_some());
        context.returned(label, drive, returned);
        if !unsealed.is_marked().map_err(failed)? {
            // It may be somebody else's, exchanged in that moment: nothing more is written to it, not even to wipe it.
            self.unsealed.leave();
            return Err(if has_serial { forgot() } else { failed(exchanged()) });
        }
        Ok(self)
    }
}

/// The same serial number in the same place: it is the drive, and it had not stored what it said it had.
fn forgot() -> WriteError {
    let name = "the mark that was left before the drive's power was cut".to_owned();
    WriteError::Differs { step: Step::PowerCycle, source: Differs { offset_bytes: 0, name } }
}

/// Without a serial number nobody can say which of the two it is.
fn exchanged() -> DriveError {
    let text = "the drive that came back is another one, or has forgotten what was written";
    let (source, trouble) = (std::io::Error::new(std::io::ErrorKind::NotFound, text), Trouble::Vanished);
    DriveError { operation: Operation::PowerCycle, offset_bytes: 0, len_bytes: 0, trouble, source }
}
