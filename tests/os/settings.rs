// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The image's own settings, and what its files name: each by who reads it, each name by who brings it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{ROOT, defconfigs, read};
use crate::common::{program, tool};

const COMMON: &str = "board/common";

#[test]
fn the_station_takes_the_image_s_settings_on_every_board() {
    let platend = program().with_file_name("platend");
    let settings = read("board/common/station.toml");
    for board in defconfigs().keys() {
        // As the keeper lays them out at the first start: what post-build.sh took, where the station keeps it.
        let own = Path::new(ROOT).join(format!("board/{board}/ports.toml"));
        let ports = if own.exists() { own } else { Path::new(ROOT).join("appliance/packaging/ports.toml") };
        let there = "\"/data/platen/ports.toml\"";
        assert!(settings.contains(there), "{settings}");
        let check = |settings: &str| {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("station.toml");
            fs::write(&path, settings.replace(there, &format!("{ports:?}"))).expect("writes");
            let board = format!("{ROOT}/board/{board}/board.toml");
            let path = path.to_str().expect("UTF-8");
            tool(platend.to_str().expect("UTF-8"), &["--config", path, "--board", &board, "check-config"])
        };
        let said = check(&settings).expect(0).stdout;
        assert_eq!(said.matches(": good; ").count(), 2, "{board}: {said}");
        // The control.
        check(&settings.replace("keeper =", "keper =")).refused(2, &["keper"]);
    }
}

/// Programs, and what of every board's configuration brings them.
const BROUGHT: [(&str, &[&str]); 7] = [
    ("BR2_PACKAGE_PLATEN", &["/usr/bin/platend", "/usr/sbin/platen-keeper"]),
    ("BR2_PACKAGE_RAUC", &["rauc"]),
    ("BR2_ROOTFS_DEVICE_CREATION_DYNAMIC_EUDEV", &["udevadm", "udevd"]),
    ("BR2_PACKAGE_E2FSPROGS", &["e2fsck", "mke2fs"]),
    ("BR2_PACKAGE_E2FSPROGS_RESIZE2FS", &["resize2fs"]),
    ("BR2_PACKAGE_UTIL_LINUX_BINARIES", &["sfdisk"]),
    ("BR2_PACKAGE_UTIL_LINUX_PARTX", &["partx"]),
];
/// Applets of BusyBox that Buildroot's own configuration has; `busybox.config` may not take them away.
const APPLETS: [&str; 8] = ["/bin/sh", "/bin/chgrp", "/bin/chmod", "killall", "mount", "pidof", "sleep", "umount"];
/// What is there once the system has started: the kernel's and Buildroot's own folders, those that rcS mounts, and what the
/// keeper makes (`appliance/keeper/src/places.rs`), RAUC and the station.
const MADE: [&str; 18] = [
    "/data",
    "/data/incoming",
    "/data/platen",
    "/data/rauc",
    "/dev",
    "/dev/null",
    "/proc",
    "/run",
    "/run/platen",
    "/run/platen-boot",
    "/run/platen-config",
    "/run/platen-disk",
    "/run/platen-keeper.sock",
    "/run/rauc",
    "/sys",
    "/tmp",
    "/usr/bin",
    "/usr/sbin",
];

/// The words of a file that are paths, without comments.
fn paths_in(text: &str) -> BTreeSet<String> {
    let lines =
        text.lines().map(|line| line.trim_start()).filter(|line| !line.starts_with('#') || line.starts_with("#!"));
    let words = lines.flat_map(|line| line.split(|letter: char| letter.is_whitespace() || "\"'=:;#!".contains(letter)));
    let paths = words.filter(|word| word.starts_with('/') && word.len() > 1 && !word.contains('$'));
    paths.map(|word| word.trim_end_matches('/').to_owned()).collect()
}

/// Whether anybody brings this path into the image.
fn is_there(path: &str) -> bool {
    let is_laid_over = Path::new(ROOT).join(COMMON).join("overlay").join(&path[1..]).exists();
    let is_installed = read("board/common/post-build.sh").contains(&format!("\"$target{path}\""));
    // Or a file in a folder of the keeper's, the station's or RAUC's.
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let is_in_own = ["/data/", "/run/"].iter().any(|of| folder.starts_with(of)) && MADE.contains(&folder);
    let is_made = MADE.contains(&path) || is_in_own;
    let mut programs = BROUGHT.iter().flat_map(|(_, names)| names.iter()).chain(&APPLETS);
    is_laid_over || is_installed || is_made || programs.any(|name| *name == path)
}

#[test]
fn what_the_image_s_files_name_is_in_the_image() {
    let overlay = format!("{COMMON}/overlay");
    let listed = tool("git", &["-C", ROOT, "ls-files", &overlay]).expect(0).stdout;
    let others = ["rauc.conf", "station.toml"].map(|name| format!("{COMMON}/{name}"));
    let rules = "appliance/packaging/59-platen.rules".to_owned();
    let mut count = 0;
    for file in listed.lines().map(str::to_owned).chain(others).chain([rules]) {
        // What udev matches devices by is no path of the image.
        let text = read(&file).replace("DEVPATH==\"/devices/", "");
        for path in paths_in(&text) {
            count += 1;
            assert!(is_there(&path), "{file}: nothing brings {path}");
        }
    }
    assert!(count > 20, "{count}");
    // The updater's slots are partitions of the disk, by the names that the image gives them.
    let disk = read("board/common/x86_64/genimage.cfg");
    for line in read("board/common/rauc.conf").lines().filter_map(|line| line.strip_prefix("device=")) {
        let name = line.strip_prefix("/run/platen-disk/").expect("a link of the keeper's");
        assert!(disk.contains(&format!("partition {name} {{")), "{line}: {disk}");
    }
    // The controls.
    for path in ["/usr/bin/mount.ntfs", "/etc/rauc/keyring", "/data/x", "/run/x", "/bin/bash"] {
        assert!(!is_there(path), "{path}");
    }
}

#[test]
fn the_programs_that_are_called_are_brought_by_every_board() {
    let (busybox, kept) = (read("board/common/busybox.config"), read("board/common/programs"));
    // What is not listed is taken out of the image.
    let is_kept = |name: &str| kept.lines().any(|line| line == name);
    for applet in APPLETS {
        let name = applet.rsplit('/').next().unwrap_or_default();
        assert!(is_kept(name), "board/common/programs: {applet}");
        let name = name.to_uppercase();
        assert!(!busybox.contains(&format!("# CONFIG_{name} is not set")), "{applet}");
    }
    for (board, settings) in defconfigs() {
        for (symbol, programs) in BROUGHT {
            let is_on = settings.iter().any(|(name, value)| name == symbol && value == "y");
            assert!(is_on, "{board}: {symbol} brings {programs:?}");
        }
    }
    // What the keeper starts by name; its tests start others.
    let sources = tool("git", &["-C", ROOT, "ls-files", "appliance/keeper/src/*.rs"]).expect(0).stdout;
    let mut called = BTreeSet::new();
    for file in sources.lines().filter(|file| !file.ends_with("tests.rs")) {
        let text = read(file);
        let program = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        called.extend(program.split("run(\"").skip(1).filter_map(|call| Some(call.split_once('"')?.0.to_owned())));
    }
    assert!(called.len() >= 7 && called.contains("fw_setenv"), "{called:?}");
    for name in called {
        // U-Boot's variables, on the one board that has it.
        let is_uboot = name.starts_with("fw_");
        let brought = BROUGHT.iter().any(|(_, names)| names.contains(&name.as_str()));
        assert!(brought || is_uboot, "nothing brings {name}");
        assert!(is_kept(&name), "board/common/programs: {name}");
        if is_uboot {
            let symbol = ("BR2_PACKAGE_LIBUBOOTENV".to_owned(), "y".to_owned());
            assert!(defconfigs()["raspberrypi4_64"].contains(&symbol), "{name}");
        }
    }
}
