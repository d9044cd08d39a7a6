// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What goes on when Windows runs: this program beside the state, and the script with which Setup starts it.

use std::fs;
use std::path::Path;

use platen_windows::answer::{IMAGES_SETUP_COMPLETE, SETUP_COMPLETE, is_setup_complete, setup_complete};

use super::answer_file::DISABLE_ADMINISTRATOR;
use super::{Carrier, StepError, destination, existing, place, read, said};

/// This program for Windows, in the state's folder.
const RUNNER: &str = "platen-deploy.exe";
/// Command files are short.
const MAX_SCRIPT_BYTES: u64 = 1 << 20;

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
