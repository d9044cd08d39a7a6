// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What the program says of a board's file.

use std::path::Path;
use std::process::{Command, Stdio};

use platen_station::config::PortMap;
use platen_testkit::daemon::Daemon;

use crate::common::Station;

/// With two ports, and this file.
fn platend(board: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let station = Station::new();
    // The first start writes the configuration.
    Daemon::new(&station, 2, "").stop();
    if !board.is_empty() {
        std::fs::write(station.path("board.toml"), board).expect("writes");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_platend"));
    command.args(["--config", &station.text("station.toml"), "--board", &station.text("board.toml")]);
    let output = command.args(arguments).stdin(Stdio::null()).output().expect("platend runs");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.code(), said.replace(&station.text(""), ""))
}

const BOARD: &str =
    "name = \"bench\"\n[panel]\nkind = \"drm\"\nsize = [480, 800]\nrotation = 90\nmillimetres = [54, 90]\n";

#[test]
fn a_board_is_checked_with_the_configuration() {
    let light = |port: &str| format!("{BOARD}[[light]]\nport = \"{port}\"\nlamp = {{ led = \"a\" }}\n");
    let (status, said) = platend(&light("2"), &["check-config"]);
    assert_eq!(
        (status, said.lines().last()),
        (Some(0), Some("board.toml: good; bench, 800 x 480 on 54 x 90 mm")),
        "{said}"
    );

    let (status, said) = platend(&light("3"), &["check-config"]);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("board.toml: light: expected a port of ports.toml, found \"3\""), "{said}");

    // A station without a display has no such file.
    let (status, said) = platend("", &["check-config"]);
    assert_eq!((status, said.contains("board")), (Some(0), false), "{said}");
}

#[test]
fn a_station_does_not_start_with_a_board_that_is_wrong() {
    for arguments in [&["check-config"][..], &["--panel", "board"]] {
        let (status, said) = platend(&BOARD.replace("drm", "spy"), arguments);
        assert_eq!(status, Some(2), "{said}");
        let expected =
            "board.toml: line 3: panel.kind: expected one of drm, spi, i2c, found \"spy\"; did you mean spi?";
        assert!(said.contains(expected), "{said}");
    }
    let (status, said) = platend("", &["--panel", "board"]);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("board.toml: expected a board's file that can be read: No such file"), "{said}");
    let (status, said) = platend(BOARD, &["--panel", "bord"]);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("--panel: expected board, terminal or png:DIR"), "{said}");
}

/// What the boards of this project say of their sockets. A test of `platen-panel` reads what else they say.
#[test]
fn the_boards_ports_are_maps() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("board");
    let files =
        std::fs::read_dir(folder).expect("the boards").map(|entry| entry.expect("lists").path().join("ports.toml"));
    let maps: Vec<PortMap> = files
        .filter(|file| file.exists())
        .map(|file| PortMap::load(&file).unwrap_or_else(|error| panic!("{error}")))
        .collect();
    assert!(maps.iter().any(|map| map.ports().len() == 4), "{maps:?}");
}
