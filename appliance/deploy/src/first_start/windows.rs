// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The system that was installed is a Windows: its Setup starts this program once, a scheduled task from then on.

use std::path::Path;
use std::time::Duration;

use platen_deploy::engine::log::Level;
use platen_deploy::windows::task::{self, Begun};
use platen_deploy::windows::{self, RunningWindows};
use platen_media::chain;
use platen_sequence::run::{Computer, KeptVariable};

use super::{Start, note};

/// A page of Setup that nobody answers is not waited for longer.
const SETUP_ENDS_WITHIN: Duration = Duration::from_secs(30 * 60);

pub(super) fn prepare(folder: &Path) -> Start {
    if !task::is_made(folder)
        && let Err(error) = task::protect(folder)
    {
        note(folder, Level::Warning, &format!("{} stays as readable as it is: {}", folder.display(), chain(&error)));
    }
    let begun = std::env::current_exe()
        .map_err(|error| error.to_string())
        .and_then(|program| task::begin(folder, &program).map_err(|error| chain(&error)));
    match begun {
        Ok(Begun::ByTask) => {
            note(folder, Level::Information, &format!("the task \"{}\" goes on when Setup has ended", task::NAME));
            Start::Elsewhere
        }
        Ok(Begun::Here) => {
            if !task::wait_for_setup(SETUP_ENDS_WITHIN) {
                let limit_min = SETUP_ENDS_WITHIN.as_secs() / 60;
                note(folder, Level::Warning, &format!("Windows Setup has not ended within {limit_min} minutes"));
            }
            Start::Here
        }
        Err(reason) => {
            note(
                folder,
                Level::Warning,
                &format!("no task was started that goes on with the rest, so it is done at once: {reason}"),
            );
            Start::Here
        }
    }
}

pub(super) fn machine() -> RunningWindows {
    RunningWindows::look()
}

/// What Windows has not in its registry, as the boot system saw it on this same computer.
pub(super) fn with_kept_facts(computer: Computer, kept: &[KeptVariable]) -> Computer {
    let value = |name: &str| {
        let found = kept.iter().find(|variable| variable.name.eq_ignore_ascii_case(name));
        found.map(|variable| variable.value.clone()).unwrap_or_default()
    };
    Computer {
        serial_number: value("_SMSTSSerialNumber"),
        uuid: value("_SMSTSUUID"),
        asset_tag: value("_SMSTSAssetTag"),
        ..computer
    }
}

pub(super) fn restart() -> Result<(), String> {
    windows::restart().map_err(|error| chain(&error))
}

pub(super) fn leave(_: &Path) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|error| format!("this program's own path: {error}"))?;
    task::end(&program).map_err(|error| chain(&error))
}
