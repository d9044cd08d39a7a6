// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What every test of the programs needs: a station in a temporary folder, and the programs to drive it with.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// How a program ended and what it said.
#[derive(Debug)]
pub struct Ran {
    /// The exit status; -1 when a signal ended it.
    pub status: i32,
    /// What it printed.
    pub stdout: String,
    /// What it said to people.
    pub stderr: String,
    command: String,
}

impl Ran {
    /// What came of a command that was run to its end.
    pub fn new(command: &Command, output: Output) -> Self {
        Self {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            command: format!("{command:?}"),
        }
    }

    /// Panics with everything that was said unless the exit status is this one.
    #[track_caller]
    pub fn expect(self, status: i32) -> Self {
        assert_eq!(
            self.status, status,
            "exit status of {}\n--- stdout\n{}\n--- stderr\n{}",
            self.command, self.stdout, self.stderr
        );
        self
    }

    /// Refused with this exit status and a message that names the culprit.
    #[track_caller]
    pub fn refused(self, status: i32, culprits: &[&str]) -> Self {
        let ran = self.expect(status);
        for culprit in culprits {
            assert!(ran.stderr.contains(culprit), "{:?} is not named in:\n{}", culprit, ran.stderr);
        }
        ran
    }
}

/// Run a tool that judges. A missing tool is a failure, not a reason to skip.
#[track_caller]
pub fn tool(program: &str, args: &[&str]) -> Ran {
    // fsck.fat 4.2 runs for ever on some damaged tables: no judge gets more than five minutes.
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", "300", program]).args(args).stdin(Stdio::null());
    let output = command.output().expect("timeout is part of every Debian");
    let ran = Ran::new(&command, output);
    assert!(
        ![124, 126, 127, 137].contains(&ran.status),
        "{program} is missing (appliance/install-packages test) or hung: {ran:?}"
    );
    ran
}

/// The program under test. Cargo puts programs beside the folder of the tests that use them.
pub fn program() -> PathBuf {
    let test = std::env::current_exe().expect("this program");
    test.ancestors().nth(2).expect("two folders above it").join("platen")
}

/// A station with keys, a cache and a ledger, all its own.
pub struct Station {
    /// Where everything is; removed when this is dropped.
    pub dir: TempDir,
}

impl Station {
    /// With a signing key pair `test-insecure` that is trusted.
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("platen-test-").tempdir_in("/var/tmp").expect("temporary folder");
        let station = Self { dir };
        std::fs::create_dir(station.path("trusted")).expect("folder");
        station.platen(&["key", "new", "test-insecure", "--out", &station.text("")]).expect(0);
        std::fs::copy(station.path("test-insecure.pub"), station.path("trusted/test-insecure.pub")).expect("copies");
        station
    }

    /// `name` inside the station's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The same as text.
    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("UTF-8").to_owned()
    }

    /// The tool with this station's places, not yet started.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .args(args)
            .env("PLATEN_CACHE", self.path("cache"))
            .env("PLATEN_TRUST", self.path("trusted"))
            .env("PLATEN_LEDGER", self.path("ledger.db"))
            .env("PLATEN_STATION", "test")
            .current_dir(self.dir.path())
            .stdin(Stdio::null());
        command
    }

    /// Run the tool on this station.
    #[track_caller]
    pub fn platen(&self, args: &[&str]) -> Ran {
        let mut command = self.command(args);
        let output = command.output().expect("platen runs");
        Ran::new(&command, output)
    }

    /// Write files below `folder`.
    pub fn files(&self, folder: &str, files: &[(&str, &[u8])]) {
        for (name, bytes) in files {
            let path = self.path(folder).join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
            std::fs::write(path, bytes).expect("writes");
        }
    }

    /// A definition of kind `tree` over the folder `tree`; `more` are further lines for its top.
    pub fn define(&self, id: &str, revision: u32, more: &str) -> PathBuf {
        let text = format!(
            "kind = \"tree\"\nid = \"{id}\"\nname = \"Test tree\"\nversion = \"{revision}.0\"\nrevision = {revision}\n\
             label = \"TESTTREE\"\nallow = [\"BOOT-LOADER\"]\ncreated = \"2026-11-01T12:00:00Z\"\n{more}\n[tree]\npath = \"tree\"\n"
        );
        let path = self.path(&format!("{id}-{revision}.toml"));
        std::fs::write(&path, text).expect("writes");
        path
    }

    /// Build a medium into the layout.
    #[track_caller]
    pub fn build(&self, definition: &Path) -> Ran {
        let definition = definition.to_str().expect("UTF-8");
        self.platen(&["media", "build", definition, "--key", "test-insecure.key", "--out", "layout"])
    }

    /// Import the layout into the cache.
    #[track_caller]
    pub fn import(&self) -> Ran {
        self.platen(&["cache", "import", "layout"])
    }

    /// A small tree with folders, long names, an empty file and one big enough for a blob of its own; built and
    /// imported as medium `TREE`.
    pub fn with_medium() -> Self {
        let station = Self::new();
        station.sample_tree();
        station.build(&station.define("TREE", 1, "")).expect(0);
        station.import().expect(0);
        station
    }

    /// The files of [`Self::with_medium`], in the folder `tree`.
    pub fn sample_tree(&self) {
        let big: Vec<u8> = (0..9_000_001u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        self.files(
            "tree",
            &[
                ("readme.txt", b"hello\n"),
                ("empty", b""),
                ("Folder with a long name/Another one/file.dat", &[7; 70_000]),
                ("Folder with a long name/드라이버.inf", "[Version]\n".as_bytes()),
                ("sources/big.bin", &big),
            ],
        );
    }

    /// An image file to be used as a drive, filled with a pattern so that stale bytes are noticed.
    pub fn drive(&self, name: &str, mib: usize) -> String {
        std::fs::write(self.path(name), vec![0xd1; mib << 20]).expect("writes");
        self.text(name)
    }
}

/// No partition table, no FAT boot sector, no GPT: nothing that starts or mounts.
#[track_caller]
pub fn assert_no_medium(drive: &str) {
    let bytes = std::fs::read(drive).expect("reads");
    assert_ne!(&bytes[510..512], &[0x55, 0xaa], "LBA 0 of {drive} has a boot signature");
    let boot_sector = &bytes[1 << 20..(1 << 20) + 512];
    assert_ne!(&boot_sector[510..512], &[0x55, 0xaa], "{drive} has a FAT boot sector");
    assert_ne!(&bytes[512..520], b"EFI PART", "{drive} has a GPT");
    let last = bytes.len() - 512;
    assert_ne!(&bytes[last..last + 8], b"EFI PART", "{drive} has a backup GPT");
}
