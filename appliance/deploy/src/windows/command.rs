// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Commands of the sequence, and Windows' own programs.

use std::os::windows::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use crate::child;
use crate::engine::machine::{Ended, MachineError, Order, TIMED_OUT};

/// The shell reads no longer lines (`CMD.EXE`'s own limit is 8,191 characters), with what is put around it here.
const MAX_LINE_CHARS: usize = 8_100;
/// Windows' own programs answer at once.
const ANSWERS_WITHIN: Duration = Duration::from_secs(120);
/// `CREATE_NO_WINDOW`: the system account has no desktop to show one on.
const NO_WINDOW: u32 = 0x0800_0000;
/// Exit codes of `shutdown` for a restart that an installer has begun: `ERROR_SHUTDOWN_IN_PROGRESS`,
/// `ERROR_SHUTDOWN_IS_SCHEDULED`.
const RESTARTS_ALREADY: [i64; 2] = [1115, 1190];

/// Runs a command to its end, or to its limit. The shell does it: lines may be scripts, pipes, or its own commands.
pub(super) fn run(order: &Order) -> Result<Ended, MachineError> {
    if order.line.chars().count() > MAX_LINE_CHARS || order.line.contains(['\r', '\n', '\0']) {
        return Err(MachineError::Unexpected {
            what: "command line".to_owned(),
            expected: format!("one line of at most {MAX_LINE_CHARS} characters"),
            found: format!("{} characters in {} lines", order.line.chars().count(), order.line.lines().count()),
        });
    }
    let mut command = Command::new(system_folder().join("cmd.exe"));
    // `/s`: only the outermost quotes are the shell's, whatever the line has in it. `/d`: nothing of a user's comes first.
    command.raw_arg(format!("/d /s /c \"{}\"", order.line));
    command.envs(&order.variables).creation_flags(NO_WINDOW);
    command.current_dir(order.folder.clone().unwrap_or_else(system_root));
    ended(command, order.limit, "cmd.exe")
}

/// Runs one of Windows' own programs, with its arguments.
pub fn own_program(name: &str, arguments: &[&str]) -> Result<Ended, MachineError> {
    let mut command = Command::new(system_folder().join(name));
    command.args(arguments).creation_flags(NO_WINDOW).current_dir(system_root());
    ended(command, Some(ANSWERS_WITHIN), name)
}

/// Windows ends what runs and starts anew. Who uses it is not asked.
pub fn restart() -> Result<(), MachineError> {
    let ended = own_program("shutdown.exe", &["/r", "/f", "/t", "0"])?;
    match ended.code == 0 || RESTARTS_ALREADY.contains(&ended.code) {
        true => Ok(()),
        false => Err(failed("shutdown.exe", format!("exit code {}: {}", ended.code, ended.output.trim()))),
    }
}

fn ended(command: Command, limit: Option<Duration>, name: &str) -> Result<Ended, MachineError> {
    let finished =
        child::finish(command, limit, end_tree).map_err(|error| failed(name, format!("can't be run: {error}")))?;
    // Windows' exit codes have no sign: 0x80070643 is one.
    let code = |status: ExitStatus| status.code().map_or(-1, |code| i64::from(code.cast_unsigned()));
    let output = String::from_utf8_lossy(&finished.output).into_owned();
    Ok(Ended { code: finished.status.map_or(TIMED_OUT, code), output })
}

/// With all that it has started.
fn end_tree(child: &mut Child) {
    let mut command = Command::new(system_folder().join("taskkill.exe"));
    command.args(["/f", "/t", "/pid", &child.id().to_string()]).creation_flags(NO_WINDOW);
    let _ = command.output();
    let _ = child.kill();
}

/// Deletes a file as soon as that can be done: it is of a program that runs, perhaps this one. Nobody waits for it.
pub(super) fn delete_later(path: &Path) -> std::io::Result<()> {
    let path = path.display();
    let mut command = Command::new(system_folder().join("cmd.exe"));
    // `ping` waits a second; `timeout` wants a keyboard.
    command.raw_arg(format!(
        "/d /s /c \"for /l %i in (1,1,300) do @(del /f /q \"{path}\" >nul 2>&1 & (if not exist \"{path}\" exit) & \
         ping -n 2 127.0.0.1 >nul)\""
    ));
    command.creation_flags(NO_WINDOW).current_dir(system_root()).spawn().map(drop)
}

pub(super) fn failed(name: &str, reason: String) -> MachineError {
    MachineError::Program { program: name.to_owned(), reason }
}

fn system_folder() -> PathBuf {
    let windows = std::env::var_os("SystemRoot").map_or_else(|| PathBuf::from("C:\\Windows"), PathBuf::from);
    windows.join("System32")
}

/// Where a command runs that names no folder.
fn system_root() -> PathBuf {
    let drive = std::env::var("SystemDrive").unwrap_or_else(|_| "C:".to_owned());
    PathBuf::from(drive + "\\")
}
