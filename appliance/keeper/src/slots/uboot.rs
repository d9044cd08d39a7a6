// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What U-Boot knows, in its environment: the same variables, each with `BOOT_` before its name. libubootenv's `fw_printenv`
//! and `fw_setenv` read and write it; with two copies of it one of them is always whole.

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
    /// Says where the environment is (`fw_env.config`).
    pub config: PathBuf,
}

impl Uboot {
    fn run(&self, program: &str, arguments: &[&str], stdin: Stdin<'_>) -> Result<String, KeeperError> {
        let config = self.config.to_string_lossy();
        let arguments: Vec<&str> = ["--config", &*config].iter().chain(arguments).copied().collect();
        program::run(program, &arguments, stdin, PATIENCE)?.successful()
    }
}

impl Store for Uboot {
    fn lock(&self) -> Result<File, KeeperError> {
        super::lock(&self.lock)
    }

    fn read(&self) -> Result<BootState, KeeperError> {
        Ok(BootState::from_variables(&parse(&self.run("fw_printenv", &[], Stdin::Nothing)?)))
    }

    fn write(&self, state: &BootState) -> Result<(), KeeperError> {
        self.run("fw_setenv", &["--script", "-"], Stdin::Text(&script(state)))?;
        // It passes over what it does not understand, and ends as well as ever.
        let found = self.read()?;
        if found != *state {
            let (path, expected) = (self.config.clone(), "an environment that keeps what is written to it");
            return Err(KeeperError::Content { path, expected, found: script(&found).replace('\n', " ") });
        }
        Ok(())
    }
}

fn parse(printed: &str) -> BTreeMap<String, String> {
    let named = printed.lines().filter_map(|line| line.strip_prefix(PREFIX)?.split_once('='));
    named.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// A line each; one without a value takes the variable away. All of them are written at once.
fn script(state: &BootState) -> String {
    let lines = state.variables().into_iter().map(|(name, value)| format!("{PREFIX}{name}={value}\n"));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use platen_testkit::need;

    use super::super::Slot;
    use super::*;

    /// By libubootenv's own programs, in two copies as a board has them.
    #[test]
    fn what_is_written_is_what_is_read() {
        if !["fw_printenv", "fw_setenv", "mkenvimage"].into_iter().all(need::program) {
            return;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::write(at("variables"), "baudrate=115200\nBOOT_A_LEFT=2\nBOOT_ORDER=A B\n").expect("writes");
        let (image, variables) = (at("card").display().to_string(), at("variables").display().to_string());
        let made =
            program::run("mkenvimage", &["-r", "-s", "0x4000", "-o", &image, &variables], Stdin::Nothing, PATIENCE);
        made.expect("runs").successful().expect("made");
        fs::write(at("fw_env.config"), format!("{image} 0 0x4000\n{image} 0x4000 0x4000\n")).expect("writes");
        File::options().write(true).open(at("card")).and_then(|card| card.set_len(0x8000)).expect("longer");
        let store = Uboot { lock: at("lock"), config: at("fw_env.config") };

        let mut state = store.read().expect("reads");
        assert_eq!((state.first, state.slot(Slot::A).starts_left), (Slot::A, 2));
        state.set_primary(Slot::B);
        state.set_version(Slot::B, "1.5.0");
        store.write(&state).expect("writes");
        assert_eq!(store.read().expect("reads"), state);
        // U-Boot's own variables stay, and what is nothing is no variable.
        state.set_healthy(Slot::B, "1.5.0");
        store.write(&state).expect("writes");
        let printed = store.run("fw_printenv", &[], Stdin::Nothing).expect("prints");
        assert!(printed.contains("baudrate=115200\n") && printed.contains("BOOT_ORDER=B A\n"), "{printed}");
        assert!(!printed.contains("BOOT_TRIAL"), "{printed}");
    }
}
