// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! How this program is started: by Windows Setup once, and by a scheduled task from then on.
//!
//! Setup runs `SetupComplete.cmd` when it is nearly done, and Microsoft warns of a restart from it: Windows would be left in
//! a bad state ("Add a Custom Script to Windows Setup"). So all that is done then is to make a task of the system account
//! that Windows starts with; it is started at once, waits until Setup has ended, and carries the sequence out.

use std::path::Path;
use std::time::{Duration, Instant};

use super::command::{delete_later, failed, own_program};
use super::facts::number;
use crate::engine::machine::MachineError;

/// What people see in the list of tasks.
pub const NAME: &str = "Platen deployment";
/// In the state's folder: the task as it was registered. Where it is, there is a task.
const DEFINITION: &str = "task.xml";
/// Its `SystemSetupInProgress` is 1 until the last page of Setup was answered, by a person or by the answer file.
const SETUP: &str = r"HKLM\SYSTEM\Setup";
/// How often Setup is asked after.
const ASKED_EVERY: Duration = Duration::from_secs(2);

/// Who may read the state's folder: the system account and administrators. By their SIDs: their names are others in other
/// languages.
const READERS: [&str; 2] = ["*S-1-5-18:(OI)(CI)F", "*S-1-5-32-544:(OI)(CI)F"];

/// What a start of this program is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// Carry the sequence out: it is the task.
    Here,
    /// Nothing: the task does it.
    ByTask,
}

/// Makes the task that starts `program`, unless it was made before, and starts it.
pub fn begin(folder: &Path, program: &Path) -> Result<Begun, MachineError> {
    if is_made(folder) {
        return Ok(Begun::Here);
    }
    let new = folder.join("task.xml.new");
    let io = |doing| {
        let path = new.clone();
        move |source| MachineError::Io { doing, path, source }
    };
    let text = definition_of(program);
    // As Windows itself writes them: UTF-16 with its mark.
    let bytes: Vec<u8> = std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    std::fs::write(&new, bytes).map_err(io("writing"))?;
    schtasks(&["/create", "/tn", NAME, "/xml", &new.display().to_string(), "/f"])?;
    std::fs::rename(&new, folder.join(DEFINITION)).map_err(io("renaming"))?;
    schtasks(&["/run", "/tn", NAME])?;
    Ok(Begun::ByTask)
}

/// Whether the task was made.
pub fn is_made(folder: &Path) -> bool {
    folder.join(DEFINITION).is_file()
}

/// Takes the state's folder, and all that is in it, from those who are no administrators: what the boot system writes is
/// everybody's.
pub fn protect(folder: &Path) -> Result<(), MachineError> {
    let (all, folder) = (folder.join("*").display().to_string(), folder.display().to_string());
    asked("icacls.exe", &[&folder, "/inheritance:r", "/grant:r", READERS[0], READERS[1]])?;
    asked("icacls.exe", &[&all, "/reset", "/t", "/c", "/q"])
}

/// Waits until Windows Setup has ended; whether it has, within the limit.
pub fn wait_for_setup(limit: Duration) -> bool {
    let began = Instant::now();
    while number(SETUP, "SystemSetupInProgress") == Some(1) {
        if began.elapsed() >= limit {
            return false;
        }
        std::thread::sleep(ASKED_EVERY);
    }
    true
}

/// Takes the task away, and this program as soon as it has ended.
pub fn end(program: &Path) -> Result<(), MachineError> {
    delete_later(program).map_err(|source| {
        let (doing, path) = ("having somebody delete", program.to_owned());
        MachineError::Io { doing, path, source }
    })?;
    schtasks(&["/delete", "/tn", NAME, "/f"])
}

fn schtasks(arguments: &[&str]) -> Result<(), MachineError> {
    asked("schtasks.exe", arguments)
}

/// One of Windows' own programs that does something; anything but success is an error with its words.
fn asked(name: &str, arguments: &[&str]) -> Result<(), MachineError> {
    let ended = own_program(name, arguments)?;
    match ended.code {
        0 => Ok(()),
        code => Err(failed(name, format!("{}: exit code {code}: {}", arguments.join(" "), ended.output.trim()))),
    }
}

/// `schtasks` has no options for most of this, and what it makes without them does not start on battery, is ended after
/// three days, and runs below all else.
fn definition_of(program: &Path) -> String {
    let program = program.display().to_string();
    let program = program.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!(
        r#"<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <Triggers>
    <BootTrigger><Enabled>true</Enabled></BootTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author"><UserId>S-1-5-18</UserId><RunLevel>HighestAvailable</RunLevel></Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <Priority>5</Priority>
    <Enabled>true</Enabled>
  </Settings>
  <Actions Context="Author">
    <Exec><Command>{program}</Command><Arguments>first-start</Arguments></Exec>
  </Actions>
</Task>
"#
    )
}
