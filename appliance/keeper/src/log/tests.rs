// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

use super::*;

fn text(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap_or_default()
}

#[test]
fn what_was_said_before_there_was_a_disk_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = Log::default();
    log.line("platen-keeper", "before");
    log.open(folder.path()).expect("opened");
    log.line("platend", "after\n");
    // Its disk is taken away, and comes back.
    log.close();
    log.line("platen-keeper", "between");
    log.open(folder.path()).expect("opened");
    let lines = text(folder.path(), "platen.log");
    let said: Vec<&str> = lines.lines().filter_map(|line| line.split_once("Z ")).map(|(_, said)| said).collect();
    assert_eq!(said, ["platen-keeper: before", "platend: after", "platen-keeper: between"]);
}

#[test]
fn it_does_not_grow_without_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = Log::default();
    log.open(folder.path()).expect("opened");
    let line = "x".repeat(4000);
    for _ in 0..3 * MAX_FILE_BYTES / 4000 {
        log.line("platend", &line);
    }
    let sizes = ["platen.log", "platen.1.log"].map(|name| fs::metadata(folder.path().join(name)).expect("there").len());
    assert!(sizes.iter().all(|&size| size <= MAX_FILE_BYTES && size > 0), "{sizes:?}");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2);
}

#[test]
fn before_there_is_a_disk_it_does_not_either() {
    let log = Log::default();
    for _ in 0..1000 {
        log.line("platend", &"x".repeat(4000));
    }
    assert!(log.inner.lock().expect("unpoisoned").waiting.len() <= MAX_WAITING_BYTES);
}

#[test]
fn a_line_is_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = Log::default();
    log.open(folder.path()).expect("opened");
    log.line("platend", "a drive called x\n2026-01-01T00:00:00Z platen-keeper: all is well\r\0");
    assert_eq!(text(folder.path(), "platen.log").lines().count(), 1);
}
