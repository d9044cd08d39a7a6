// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A computer with a Windows that Wine plays, for `platen-deploy.exe`: real processes, exit codes, files and registry of a Windows
//! that others wrote. What the boot system leaves is laid on its disk by whoever tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::need;

/// The folder of a task sequence, at the root of the disk.
const FOLDER: &str = "_SMSTaskSequence";
/// Where the program notes that a restart was asked for; Wine's own `shutdown` does nothing at all.
const RESTARTS: &str = "restarts.txt";
const SHUTDOWN: &str = r#"
#include <stdio.h>
#include <windows.h>
int main(void) { FILE *f = fopen("C:\\restarts.txt", "a"); fprintf(f, "%s\n", GetCommandLineA()); return fclose(f); }
"#;

/// What all computers here are made of.
struct Made {
    /// The folder with Debian and Wine.
    builder: PathBuf,
    program: PathBuf,
    /// A disk of a Windows that was just installed.
    disk: PathBuf,
}

/// None: this machine may lack what it needs. Where it is made, whoever comes first says.
fn made(disk: &Path) -> Option<&'static Made> {
    static MADE: OnceLock<Result<Made, String>> = OnceLock::new();
    if std::env::var("PLATEN_BOOTS").is_ok_and(|word| word == "no") {
        need::skipped("boots");
        return None;
    }
    if !need::root() {
        return None;
    }
    let made = MADE.get_or_init(|| make(disk)).as_ref();
    let why_not = made.err().map_or("", String::as_str);
    if need::demand("wine", made.is_ok(), why_not) { made.ok() } else { None }
}

fn make(disk: &Path) -> Result<Made, String> {
    let target = disk.ancestors().nth(2).expect("a folder of cargo's for tests");
    let script = |name: &str, arguments: &[&str]| {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut command = Command::new(scripts.join(name));
        command.args(arguments).env("CARGO_TARGET_DIR", target).stdin(Stdio::null());
        said(command).map(|text| PathBuf::from(text.trim()))
    };
    let builder = script("windows-builder", &["wine"])?;
    let program = script("build-windows-program", &[])?;
    let _ = std::fs::remove_dir_all(disk);
    std::fs::create_dir_all(disk).expect("makes");
    std::fs::write(disk.join("shutdown.c"), SHUTDOWN).expect("writes");
    let build = "x86_64-w64-mingw32-gcc-posix -o /mnt/shutdown.exe /mnt/shutdown.c";
    said(inside(&builder, disk, &format!("{build} && wineboot -i && wineserver -w")))?;
    let shutdown = disk.join("drive_c/windows/system32/shutdown.exe");
    std::fs::remove_file(&shutdown).expect("Wine has one");
    std::fs::rename(disk.join("shutdown.exe"), &shutdown).expect("moves");
    Ok(Made { builder, program, disk: disk.to_owned() })
}

/// What a program said that ended well; or what it said.
fn said(mut command: Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(format!("{}\n{}{}", output.status, text(&output.stdout), text(&output.stderr))),
    }
}

/// Runs shell commands beside Wine, with `disk` as its disk. All that they leave behind ends with them, and they end with the
/// one who waits for them.
fn inside(builder: &Path, disk: &Path, commands: &str) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", "400", "unshare", "--mount", "--pid", "--fork", "--kill-child", "bash", "-euc"]);
    command.arg(
        "mount --bind \"$2\" \"$1/mnt\"; mount -t proc proc \"$1/proc\"; exec chroot \"$1\" /usr/bin/env -i \
         PATH=/usr/bin:/bin HOME=/mnt XDG_RUNTIME_DIR=/tmp WINEPREFIX=/mnt WINEDEBUG=-all \
         WINEDLLOVERRIDES='winemenubuilder.exe=;shutdown.exe=n' /bin/bash -c \"$3\"",
    );
    command.arg("bash").args([builder, disk]).arg(commands).stdin(Stdio::null());
    command
}

/// How a start of Windows went on.
#[derive(Debug)]
pub struct Started {
    /// The program's exit status.
    pub status: i32,
    /// What it said.
    pub said: String,
}

/// A computer, and the disk it has.
pub struct Computer {
    made: &'static Made,
    disk: tempfile::TempDir,
}

/// `platen-deploy.exe`, built from this source. None: this machine may lack what it needs. `model` is a folder in cargo's for
/// tests, where the disk is made that all computers of this process begin with.
pub fn program(model: &Path) -> Option<&'static Path> {
    made(model).map(|made| &*made.program)
}

impl Computer {
    /// None: this machine may lack what it needs; `model` as in [`program`].
    pub fn new(model: &Path) -> Option<Self> {
        let made = made(model)?;
        let disk = tempfile::tempdir_in(model.parent().expect("cargo's folder for tests")).expect("a folder");
        // Most of it is never changed. The registry is: a file with several links Wine writes in place.
        let copied = Command::new("cp").arg("-alT").args([&made.disk, disk.path()]).status().expect("cp");
        assert!(copied.success());
        for hive in ["system.reg", "user.reg", "userdef.reg"] {
            std::fs::remove_file(disk.path().join(hive)).expect("a link");
            std::fs::copy(made.disk.join(hive), disk.path().join(hive)).expect("a copy");
        }
        Some(Self { made, disk })
    }

    /// A path on its disk C:.
    pub fn path(&self, path: &str) -> PathBuf {
        self.disk.path().join("drive_c").join(path)
    }

    /// A path in the folder of the sequence.
    pub fn in_folder(&self, path: &str) -> PathBuf {
        self.path(FOLDER).join(path)
    }

    /// The text of a file on its disk; empty where there is none.
    pub fn text(&self, path: &str) -> String {
        String::from_utf8_lossy(&std::fs::read(self.path(path)).unwrap_or_default()).replace('\r', "")
    }

    /// How often a restart was asked for, with the words of each.
    pub fn restarts(&self) -> Vec<String> {
        self.text(RESTARTS).lines().map(str::to_owned).collect()
    }

    /// Lays a tree over the disk, where names are alike in capitals and small letters. A file that Wine has stays Wine's, for
    /// its programs are Windows here; these are named.
    pub fn lay_tree(&self, tree: &Path) -> Vec<String> {
        let mut kept = Vec::new();
        let mut open = vec![(tree.to_owned(), self.path(""))];
        while let Some((from, to)) = open.pop() {
            let entries =
                |folder: &Path| std::fs::read_dir(folder).expect("lists").map(|entry| entry.expect("an entry"));
            let there: Vec<PathBuf> = entries(&to).map(|entry| entry.path()).collect();
            for entry in entries(&from) {
                let name = entry.file_name();
                let is_it = |path: &&PathBuf| path.file_name().is_some_and(|it| it.eq_ignore_ascii_case(&name));
                let found = there.iter().find(is_it);
                let target = found.cloned().unwrap_or_else(|| to.join(&name));
                match (entry.file_type().expect("a kind").is_dir(), found) {
                    (true, None) => {
                        std::fs::create_dir(&target).expect("makes");
                        open.push((entry.path(), target));
                    }
                    (true, Some(_)) => open.push((entry.path(), target)),
                    (false, Some(_)) => {
                        kept.push(entry.path().strip_prefix(tree).expect("below").display().to_string())
                    }
                    (false, None) => drop(std::fs::copy(entry.path(), &target).expect("copies")),
                }
            }
        }
        kept.sort();
        kept
    }

    /// Windows Setup comes to its end, and starts the script that it looks for there.
    pub fn end_setup(&self) -> Started {
        self.run("", r"wine cmd /c 'C:\Windows\Setup\Scripts\SetupComplete.cmd'")
    }

    /// Windows starts, and with it what the script starts at first and the task later; `before` are shell commands.
    pub fn start_with(&self, before: &str) -> Started {
        self.run(before, r"wine 'C:\_SMSTaskSequence\platen-deploy.exe' first-start")
    }

    fn run(&self, before: &str, command: &str) -> Started {
        // Wine's server ends when nobody has used it for some seconds, and forgets what is in memory only (HKLM\HARDWARE). So
        // somebody uses it all the time, until what it reads from has no writer any more.
        let commands = format!(
            "hold=$(mktemp -u) && mkfifo \"$hold\" && {{ wine cmd /c pause < \"$hold\" > /dev/null & }} && exec 9> \"$hold\"
             {{
             {before}
             {command}; status=$?
             }} 9>&-
             exec 9>&-; timeout 60 wineserver -w || timeout 20 wineserver -k; rm \"$hold\"; exit $status"
        );
        let output = inside(&self.made.builder, self.disk.path(), &commands).output().expect("it starts");
        let words = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&words).replace('\r', "");
        Started { status: output.status.code().unwrap_or(-1), said }
    }

    /// The same with nothing before it.
    pub fn start(&self) -> Started {
        self.start_with("")
    }

    /// The same, and the power is cut as soon as `is_time`.
    pub fn start_until(&self, is_time: impl Fn() -> bool) {
        let commands = "wine 'C:\\_SMSTaskSequence\\platen-deploy.exe' first-start; sleep 300";
        let mut command = inside(&self.made.builder, self.disk.path(), commands);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        while !is_time() && child.try_wait().expect("it can be waited for").is_none() {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        // `timeout` gives it on to `unshare`, with which everything inside ends at once.
        let ended = Command::new("kill").arg(child.id().to_string()).status().expect("kill");
        assert!(ended.success() && is_time());
        child.wait().expect("it ends");
    }

    /// Every file of the disk that has this text in it, in either of Windows' encodings.
    pub fn files_with(&self, text: &str) -> Vec<PathBuf> {
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut found = Vec::new();
        let mut open = vec![self.disk.path().to_owned()];
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).expect("lists").flatten() {
                let kind = entry.file_type().expect("a kind");
                // What is older is Wine's own.
                let is_old = self.made.disk.join(entry.path().strip_prefix(self.disk.path()).expect("below")).is_file();
                if kind.is_dir() {
                    open.push(entry.path());
                } else if kind.is_file() && (!is_old || entry.path().extension().is_some_and(|it| it == "reg")) {
                    let bytes = std::fs::read(entry.path()).expect("reads");
                    let has = |wanted: &[u8]| bytes.windows(wanted.len()).any(|window| window == wanted);
                    if has(text.as_bytes()) || has(&wide) {
                        found.push(entry.path());
                    }
                }
            }
        }
        found
    }

    /// What is left in the folder of the sequence.
    pub fn left(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(FOLDER)).expect("lists").flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}
