// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Which parts of a foreign drive are in use.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use platen_device::Candidate;
use platen_engine::{Drive, DriveFacts, ReadDrive, chain};
use platen_events::Code;
use platen_media::allocation::Allocation;

use crate::attend::{Attended, Signs, attend};
use crate::exit::Exit;
use crate::failure::{Failure, open_failure, stopped};
use crate::look::look_for_use;
use crate::order::handle_of;

/// Which parts of a drive must be copied, so that the copy behaves as the drive does.
pub fn in_use(path: &Path, stop: &Arc<AtomicBool>, stall_limit: Duration) -> Result<(DriveFacts, Allocation), Failure> {
    let name = path.to_owned();
    let failed = |code: Code, text: String| Failure::new(Exit::Drive, text).coded(code);
    let look = move |signs: &Signs| -> Result<(DriveFacts, Allocation), Failure> {
        let mut drive = Candidate::find(&name).and_then(Candidate::for_reading).map_err(open_failure)?;
        let handle = handle_of(&mut drive)?;
        let used = look_for_use(handle, drive.facts(), signs)?;
        // What was read of a drive that is no longer there, or holds another medium by now, counts for nothing.
        drive.confirm().map_err(|gone| failed(Code::Vanished, chain(&gone)))?;
        let used = used.map_err(|why| failed(Code::ReadFailed, format!("{}: {why}", name.display())))?;
        Ok((drive.facts().clone(), used))
    };
    match attend(stop, stall_limit, look).map_err(|error| Failure::new(Exit::Machine, error))? {
        Attended::Done(done) => done,
        Attended::Stopped => Err(stopped()),
        Attended::Stalled(silent) => {
            let text = format!("{}: no answer for {} s", path.display(), silent.as_secs());
            Err(failed(Code::Stalled, text))
        }
    }
}
