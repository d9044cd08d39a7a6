// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What the boot system leaves on a computer's disk: the state of a sequence, and what it takes along.

use std::path::{Path, PathBuf};

use platen_deploy::engine::carry::TakenAlong;
use platen_deploy::engine::machine::{FileSystem, Volume};
use platen_deploy::engine::software::{SEQUENCE, SOFTWARE};
use platen_deploy::engine::state::{FOLDER, State, Store};
use platen_media::policy::Software;
use platen_sequence::TaskSequence;
use platen_sequence::run::{KeptVariable, Origin, Run};
use platen_testkit::wine::{self, Computer};
use platen_windows::answer::setup_complete;
use serde_json::json;

/// A value that nobody may find afterwards.
pub const SECRET: &str = "PLANTED-deployment-secret";
/// A script that an image has for the end of Setup.
pub const IMAGES_OWN: &str = "@echo the image's own\r\n";

/// Where the disk of a Windows that was just installed is made.
fn model() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("wine")
}

/// With what the boot system leaves of this sequence; `software` are ids, what each depends on, and its command. None: this
/// machine may lack what it needs.
pub fn computer(sequence: &str, software: &[(&str, &[&str], &str)], files: &[(&str, &str)]) -> Option<Computer> {
    let computer = Computer::new(&model())?;
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
    let store = Store::new(&computer.path(FOLDER));
    store.keep(state, vec![variable("Word", SECRET, true, Origin::Medium)], None).expect("kept");
    store.keep_file(SEQUENCE, sequence.to_json().to_string().as_bytes()).expect("kept");
    let taken = serde_json::to_vec(&TakenAlong { applications, packages }).expect("JSON");
    store.keep_file(SOFTWARE, &taken).expect("kept");
    for (path, text) in files {
        let path = computer.in_folder("Packages").join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("makes");
        std::fs::write(&path, text.replace('\n', "\r\n")).expect("writes");
    }
    std::fs::copy(wine::program(&model())?, computer.in_folder("platen-deploy.exe")).expect("copies");
    // What is outside that folder: an answer file with a password, and the script, with the image's own beside it.
    let answers = format!("<unattend xmlns=\"urn:schemas-microsoft-com:unattend\"><!-- {SECRET} --></unattend>");
    for (path, text) in [
        ("windows/Panther/unattend/unattend.xml", &*answers),
        ("windows/Setup/Scripts/SetupComplete.cmd", &*setup_complete(true, false)),
        ("windows/Setup/Scripts/SetupComplete.image.cmd", IMAGES_OWN),
    ] {
        let path = computer.path(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("makes");
        std::fs::write(&path, text).expect("writes");
    }
    Some(computer)
}
