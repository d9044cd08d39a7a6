// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What goes on when Windows runs: this program beside the state, and the script with which Setup starts it.

use std::fs;
use std::path::Path;

use platen_windows::answer::{IMAGES_SETUP_COMPLETE, SETUP_COMPLETE, is_setup_complete, setup_complete};

use super::answer_file::{ANSWER_FILE, DISABLE_ADMINISTRATOR};
use super::{Carrier, StepError, destination, existing, place, read, said};

/// This program for Windows, in the state's folder.
const RUNNER: &str = "platen-deploy.exe";
/// Command files are short.
const MAX_SCRIPT_BYTES: u64 = 1 << 20;

/// Takes away what the boot system left outside the state's folder: the answer file, which may hold passwords, and the script.
/// The image's own script gets its name back. `root` is the volume of the Windows that runs.
pub fn remove_first_start(root: &Path) -> Result<(), String> {
    let text = |error: StepError| platen_media::chain(&error);
    let remove = |path: &Path| fs::remove_file(path).map_err(|error| format!("removing {}: {error}", path.display()));
    if let Some(answers) = existing(root, ANSWER_FILE).map_err(text)? {
        remove(&answers)?;
    }
    if let Some(script) = existing(root, SETUP_COMPLETE).map_err(text)?
        && is_setup_complete(&read(&script, MAX_SCRIPT_BYTES).map_err(text)?)
    {
        remove(&script)?;
        if let Some(own) = existing(root, IMAGES_SETUP_COMPLETE).map_err(text)? {
            fs::rename(&own, &script).map_err(|error| format!("renaming {}: {error}", own.display()))?;
        }
    }
    Ok(())
}

impl Carrier<'_> {
    /// `runner` is where the boot system has the program for Windows.
    pub(in crate::engine) fn hand_over_windows(&mut self, root: &Path, runner: &Path) -> Result<(), StepError> {
        if !runner.is_file() {
            return Err(said(format!(
                "the boot image has no program that goes on in Windows: expected {}, found none; build it anew with \
                 {RUNNER}",
                runner.display()
            )));
        }
        let to = self.store.folder().join(RUNNER);
        fs::copy(runner, &to).map_err(|error| said(format!("copying {RUNNER} to the disk: {error}")))?;
        if let Some(own) = existing(root, SETUP_COMPLETE)?
            && !is_setup_complete(&read(&own, MAX_SCRIPT_BYTES)?)
        {
            let kept = destination(root, IMAGES_SETUP_COMPLETE)?;
            fs::rename(&own, kept).map_err(|error| said(format!("renaming {SETUP_COMPLETE}: {error}")))?;
        }
        let has_images_own = existing(root, IMAGES_SETUP_COMPLETE)?.is_some();
        let disables = self.surroundings.environment.get(DISABLE_ADMINISTRATOR).is_some();
        place(root, SETUP_COMPLETE, setup_complete(has_images_own, disables).as_bytes())
    }
}
