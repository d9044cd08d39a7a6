// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A computer with a Windows that Wine plays, as the boot system leaves it: the state of a sequence is on its disk.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use platen_deploy::engine::carry::TakenAlong;
use platen_deploy::engine::machine::{FileSystem, Volume};
use platen_deploy::engine::software::{SEQUENCE, SOFTWARE};
use platen_deploy::engine::state::{FOLDER, State, Store};
use platen_media::policy::Software;
use platen_sequence::TaskSequence;
use platen_sequence::run::{KeptVariable, Origin, Run};
use platen_testkit::need;
use platen_windows::answer::setup_complete;
use serde_json::json;

/// A value that nobody may find afterwards.
pub const SECRET: &str = "PLANTED-deployment-secret";
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

/// None: this machine may lack what it needs.
fn made() -> Option<&'static Made> {
    static MADE: OnceLock<Result<Made, String>> = OnceLock::new();
    if std::env::var("PLATEN_BOOTS").is_ok_and(|word| word == "no") {
        need::skipped("boots");
        return None;
    }
    if !need::root() {
        return None;
    }
    let made = MADE.get_or_init(make).as_ref();
    let why_not = made.err().map_or("", String::as_str);
    if need::demand("wine", made.is_ok(), why_not) { made.ok() } else { None }
}

fn make() -> Result<Made, String> {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let script = |name: &str, arguments: &[&str]| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut command = Command::new(root.join("appliance").join(name));
        command.args(arguments).env("CARGO_TARGET_DIR", kept.parent().expect("a folder")).stdin(Stdio::null());
        said(command).map(|text| PathBuf::from(text.trim()))
    };
    let builder = script("windows-builder", &["wine"])?;
    let program = script("build-windows-program", &[])?;
    let disk = kept.join("wine");
    let _ = std::fs::remove_dir_all(&disk);
    std::fs::create_dir_all(&disk).expect("makes");
    std::fs::write(disk.join("shutdown.c"), SHUTDOWN).expect("writes");
    let build = "x86_64-w64-mingw32-gcc-posix -o /mnt/shutdown.exe /mnt/shutdown.c";
    said(inside(&builder, &disk, &format!("{build} && wineboot -i && wineserver -w")))?;
    let shutdown = disk.join("drive_c/windows/system32/shutdown.exe");
    std::fs::remove_file(&shutdown).expect("Wine has one");
    std::fs::rename(disk.join("shutdown.exe"), &shutdown).expect("moves");
    Ok(Made { builder, program, disk })
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

/// A script that an image has for the end of Setup.
pub const IMAGES_OWN: &str = "@echo the image's own\r\n";

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

impl Computer {
    /// None: this machine may lack what it needs.
    pub fn new() -> Option<Self> {
        let made = made()?;
        let disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
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

    /// What the boot system leaves of this sequence; `software` are ids, what each depends on, and its command.
    pub fn lay(&self, sequence: &str, software: &[(&str, &[&str], &str)], files: &[(&str, &str)]) {
        let text = format!("schema = 1\n{sequence}");
        let sequence =
            TaskSequence::from_toml(&text, &mut |_| Err(String::new())).unwrap_or_else(|error| panic!("{error}"));
        let described = |&(id, depends_on, install): &(&str, &[&str], &str)| -> Software {
            let folder = format!("platen/content/{id}");
            let json = json!({"id": id, "name": id, "version": "1", "folder": folder, "install": install, "depends_on": depends_on});
            serde_json::from_value(json).expect("an application")
        };
        let all: Vec<Software> = software.iter().map(described).collect();
        let (packages, applications) = all.into_iter().partition(|software| software.id.starts_with("PKG"));
        let variable = |name: &str, value: &str, secret, origin| KeptVariable {
            name: name.to_owned(),
            value: value.to_owned(),
            secret,
            origin,
        };
        let system = Volume {
            disk: 0,
            partition: 1,
            file_system: FileSystem::Ntfs,
            size_bytes: 1 << 30,
            label: "Windows".to_owned(),
            letter: Some('C'),
            is_boot: true,
        };
        let state = State {
            schema: 1,
            media_id: "PLT00001".to_owned(),
            revision: 1,
            cursor: Run::new(&sequence).cursor().clone(),
            in_deployed: true,
            volumes: vec![system.clone()],
            system: Some(system),
            disks: Vec::new(),
            variables: vec![
                variable("_SMSTSInWinPE", "false", false, Origin::BuiltIn),
                variable("_SMSTSSerialNumber", "SN-0815", false, Origin::BuiltIn),
                variable("Token", "token-0815", false, Origin::Medium),
            ],
            sealed: None,
        };
        let store = Store::new(&self.path(FOLDER));
        store.keep(state, vec![variable("Word", SECRET, true, Origin::Medium)], None).expect("kept");
        store.keep_file(SEQUENCE, sequence.to_json().to_string().as_bytes()).expect("kept");
        let taken = serde_json::to_vec(&TakenAlong { applications, packages }).expect("JSON");
        store.keep_file(SOFTWARE, &taken).expect("kept");
        for (path, text) in files {
            let path = self.in_folder("Packages").join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("makes");
            std::fs::write(&path, text.replace('\n', "\r\n")).expect("writes");
        }
        std::fs::copy(&self.made.program, self.in_folder("platen-deploy.exe")).expect("copies");
        // What is outside that folder: an answer file with a password, and the script, with the image's own beside it.
        let answers = format!("<unattend xmlns=\"urn:schemas-microsoft-com:unattend\"><!-- {SECRET} --></unattend>");
        for (path, text) in [
            ("windows/Panther/unattend/unattend.xml", &*answers),
            ("windows/Setup/Scripts/SetupComplete.cmd", &*setup_complete(true, false)),
            ("windows/Setup/Scripts/SetupComplete.image.cmd", IMAGES_OWN),
        ] {
            let path = self.path(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("makes");
            std::fs::write(&path, text).expect("writes");
        }
    }

    /// Windows starts, and with it what Setup starts at first and the task later; `before` are shell commands.
    pub fn start_with(&self, before: &str) -> Started {
        // Wine's server ends when nobody has used it for some seconds, and forgets what is in memory only (HKLM\HARDWARE). So
        // somebody uses it all the time, until what it reads from has no writer any more.
        let commands = format!(
            "hold=$(mktemp -u) && mkfifo \"$hold\" && {{ wine cmd /c pause < \"$hold\" > /dev/null & }} && exec 9> \"$hold\"
             {{
             {before}
             wine 'C:\\_SMSTaskSequence\\platen-deploy.exe' first-start; status=$?
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
