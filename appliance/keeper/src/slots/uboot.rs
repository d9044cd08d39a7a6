// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What U-Boot knows, in its environment: the same variables, each with `BOOT_` before its name. `fw_printenv` and
//! `fw_setenv` know where that is (`/etc/fw_env.config`); with two copies of it one of them is always whole.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use super::{BootState, Store};
use crate::error::KeeperError;
use crate::program::{self, Stdin};

const PREFIX: &str = "BOOT_";
const PATIENCE: Duration = Duration::from_secs(30);

/// U-Boot's environment.
pub struct Uboot {
    /// Held while it is changed.
    pub lock: PathBuf,
}

impl Store for Uboot {
    fn lock(&self) -> Result<File, KeeperError> {
        super::lock(&self.lock)
    }

    fn read(&self) -> Result<BootState, KeeperError> {
        let printed = program::run("fw_printenv", &[], Stdin::Nothing, PATIENCE)?.successful()?;
        Ok(BootState::from_variables(&parse(&printed)))
    }

    fn write(&self, state: &BootState) -> Result<(), KeeperError> {
        program::run("fw_setenv", &["--script", "-"], Stdin::Text(&script(state)), PATIENCE)?.successful().map(drop)
    }
}

fn parse(printed: &str) -> BTreeMap<String, String> {
    let named = printed.lines().filter_map(|line| line.strip_prefix(PREFIX)?.split_once('='));
    named.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// A line each; a name alone takes the variable away. All of them are written at once.
fn script(state: &BootState) -> String {
    let lines = state.variables().into_iter().map(|(name, value)| format!("{PREFIX}{name} {value}\n"));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::super::Slot;
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        let mut state = BootState::default();
        state.set_primary(Slot::B);
        state.set_version(Slot::B, "1.5.0");
        let printed = script(&state).lines().map(|line| line.replacen(' ', "=", 1) + "\n").collect::<String>();
        assert!(printed.contains("BOOT_ORDER=B A\n") && printed.contains("BOOT_TRIAL=B\n"), "{printed}");
        assert_eq!(BootState::from_variables(&parse(&format!("baudrate=115200\n{printed}"))), state);
    }
}
