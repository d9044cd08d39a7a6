// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Updating, erasing and testing drives, as an operator does it.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;

use platen_events::Verdict;

use crate::common::{Station, assert_no_medium, tool};
use crate::judges::{copy_off, read_tree};

/// Rows of the ledger: job, verdict, code.
fn rows(station: &Station) -> Vec<(String, String, String)> {
    let exported = station.platen(&["ledger", "export", "--format", "json"]).expect(0);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&exported.stdout).expect("JSON");
    let text = |row: &serde_json::Value, name: &str| row[name].as_str().expect("text").to_owned();
    rows.iter().map(|row| (text(row, "job"), text(row, "verdict"), text(row, "code"))).collect()
}

/// A station whose medium has a second revision, in which a few files are different.
fn two_revisions() -> (Station, String) {
    let station = Station::with_medium();
    let drive = station.drive("updated.img", 64);
    station.platen(&["write", "TREE", &drive]).expect(0);
    station.files("tree", &[("readme.txt", b"hello again, at more length\n"), ("new/added.bin", &[3; 300_000])]);
    std::fs::remove_file(station.path("tree/empty")).expect("removes");
    station.build(&station.define("TREE", 2, "")).expect(0);
    station.import().expect(0);
    (station, drive)
}

#[test]
fn an_update_writes_what_changed_and_every_judge_agrees() {
    let (station, drive) = two_revisions();
    let end = station.platen(&["write", "TREE", &drive, "--update", "--json"]).expect(0).end();
    let moved = end.moved.expect("it ended well");
    let (written, verified) = (moved.written_bytes, moved.verified_bytes);
    assert_eq!(end.verdict, Verdict::Ready);
    // 300,000 bytes are new; the big file of 9 MB stays where it is.
    assert!((300_000..2_000_000).contains(&written) && verified > 9_000_000, "{written} of {verified}");

    let volume = station.text("volume.fat");
    let bytes = std::fs::read(&drive).expect("reads");
    std::fs::write(&volume, &bytes[1 << 20..63 << 20]).expect("writes");
    let fsck = tool("fsck.fat", &["-n", "-v", &volume]);
    assert_eq!(fsck.status, 0, "{}{}", fsck.stdout, fsck.stderr);
    let off = station.path("off");
    copy_off(&drive, &off);
    let mut found = read_tree(&off);
    for (name, bytes) in read_tree(&station.path("tree")) {
        assert!(found.remove(&name).as_ref() == Some(&bytes), "{name} came off differently");
    }
    assert!(!found.contains_key("empty"), "what the new revision does not have is gone");
    tool("sh", &["-c", &format!("cd '{}' && sha256sum --quiet -c SHA256SUMS", off.display())]).expect(0);
    station.platen(&["verify", &drive]).expect(0);
    let told = |job: &str, verdict: &str| (job.to_owned(), verdict.to_owned(), String::new());
    assert_eq!(rows(&station)[1..], [told("update", "READY"), told("verify", "VERIFIED")]);
}

#[test]
fn an_update_finds_content_that_is_not_what_it_was() {
    let (station, drive) = two_revisions();
    let big = std::fs::read(station.path("tree/sources/big.bin")).expect("reads");
    let bytes = std::fs::read(&drive).expect("reads");
    let at = bytes.windows(64).position(|window| *window == big[4096..4160]).expect("the big file is on the drive");
    let file = OpenOptions::new().write(true).open(&drive).expect("opens");
    file.write_all_at(&[bytes[at] ^ 1], at as u64).expect("writes");

    station.platen(&["write", "TREE", &drive, "--update"]).expect(0);
    station.platen(&["verify", &drive]).expect(0);
    let told = |row: (&str, &str, &str)| (row.0.to_owned(), row.1.to_owned(), row.2.to_owned());
    let expected =
        [("write", "READY", ""), ("update", "RETRIED", "P-V-004"), ("update", "READY", ""), ("verify", "VERIFIED", "")]
            .map(told);
    assert_eq!(rows(&station), expected);
}

#[test]
fn an_update_of_something_else_is_refused_and_touches_nothing() {
    let (station, drive) = two_revisions();
    let before = std::fs::read(&drive).expect("reads");
    let blank = station.drive("blank.img", 64);
    station.platen(&["write", "TREE", &blank, "--update"]).refused(2, &["P-D-009", "blank.img", "TREE-r2"]);
    // One that could be updated beside one that can't: neither is.
    station.platen(&["write", "TREE", &drive, &blank, "--update"]).refused(2, &["P-D-009"]);

    station.build(&station.define("OTHER", 1, "")).expect(0);
    station.platen(&["cache", "import", "layout", "OTHER"]).expect(0);
    station.platen(&["write", "OTHER", &drive, "--update"]).refused(2, &["P-D-009", "TREE-r1"]);
    assert!(before == std::fs::read(&drive).expect("reads"), "the drive was changed");
    assert_eq!(rows(&station).len(), 1);
}

#[test]
fn erasing_leaves_zeros_and_a_row_that_proves_it() {
    let station = Station::with_medium();
    let drive = station.drive("drive.img", 64);
    station.platen(&["write", "TREE", &drive]).expect(0);

    station.platen(&["erase", &drive]).expect(0);
    assert_no_medium(&drive);
    station.platen(&["verify", &drive]).expect(1);
    let bytes = std::fs::read(&drive).expect("reads");
    assert!(bytes.iter().any(|&byte| byte != 0), "control: a quick erase leaves content");

    let end = station.platen(&["erase", "--full", &drive, "--json"]).expect(0).end();
    assert_eq!(end.verdict, Verdict::Erased);
    assert!(std::fs::read(&drive).expect("reads").iter().all(|&byte| byte == 0));
    assert_eq!(end.moved.map(|moved| moved.verified_bytes), Some(64 << 20));
    let told: Vec<String> = rows(&station).into_iter().map(|(job, verdict, _)| format!("{job} {verdict}")).collect();
    assert_eq!(told, ["write READY", "erase-quick ERASED", "verify TRY AGAIN", "erase-full ERASED"]);
    assert!(File::open(&drive).expect("opens").metadata().expect("metadata").len() == 64 << 20);
}

#[test]
fn a_tested_drive_is_good_and_can_be_written_afterwards() {
    let station = Station::with_medium();
    let drive = station.drive("drive.img", 64);
    let end = station.platen(&["test", &drive, "--json"]).expect(0).end();
    assert_eq!((end.verdict, end.moved.map(|moved| moved.verified_bytes)), (Verdict::Good, Some(64 << 20)));
    assert_no_medium(&drive);
    station.platen(&["verify", &drive]).expect(1);
    station.platen(&["write", "TREE", &drive]).expect(0);
    station.platen(&["verify", &drive]).expect(0);
    assert_eq!(rows(&station)[0], ("test".to_owned(), "GOOD".to_owned(), String::new()));
}

/// What the station signed, made without Platen, and what becomes of it elsewhere.
#[test]
fn a_drive_proves_which_station_wrote_it() {
    let station = Station::with_medium();
    let drive = station.drive("a.img", 64);
    station.platen(&["write", "TREE", &drive]).expect(0);
    let public = station.text("office.pub");
    station.platen(&["ledger", "export", "--public-key", &public]).expect(0);

    // Judged by minisign, over what Python's JSON makes of the file.
    let record = station.text("drive.json");
    tool("mcopy", &["-i", &format!("{drive}@@1M"), "::/platen/drive.json", &record]).expect(0);
    let signed = station.text("record");
    let parts = "import json, sys\n\
                 record = json.load(open(sys.argv[1]))\n\
                 open(sys.argv[2] + '.minisig', 'w').write(record.pop('signature'))\n\
                 json.dump(record, open(sys.argv[2], 'w'), sort_keys=True, separators=(',', ':'), ensure_ascii=False)\n";
    tool("python3", &["-c", parts, &record, &signed]).expect(0);
    tool("minisign", &["-Vm", &signed, "-p", &public]).expect(0);

    let verify = |drive: &str, stations: &str| station.platen(&["verify", drive, "--stations", stations]);
    let said = verify(&drive, &public).expect(0).stdout;
    assert!(said.contains("says the station's key"), "{said}");

    // Another station's key; a file that is no key; a record somebody changed; a drive of another size; no signature.
    let stranger = Station::with_medium();
    let other = stranger.drive("b.img", 64);
    stranger.platen(&["write", "TREE", &other]).expect(0);
    let strange = stranger.text("strange.pub");
    stranger.platen(&["ledger", "export", "--public-key", &strange]).expect(0);
    let unproven = |drive: &str, stations: &str, why: &str| {
        let said = verify(drive, stations).expect(1).stdout;
        assert!(said.contains("P-V-007") && said.contains(why), "{said}");
    };
    unproven(&drive, &strange, "signed by key");
    verify(&drive, &record).refused(2, &["expected a minisign public key"]);
    let changed = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = std::fs::read(&drive).expect("reads");
        change(&mut bytes);
        let path = station.path(name);
        std::fs::write(&path, bytes).expect("writes");
        path.to_str().expect("UTF-8").to_owned()
    };
    let at = |bytes: &[u8], text: &str| {
        bytes.windows(text.len()).position(|window| window == text.as_bytes()).expect("it is there")
    };
    let forged = changed("forged.img", &|bytes| {
        let at = at(bytes, "\"port\": \"a.img\"");
        bytes[at + 9] = b'b';
    });
    unproven(&forged, &public, "does not match");
    let unsigned = changed("unsigned.img", &|bytes| {
        let at = at(bytes, "\"signature\":");
        bytes[at + 1] = b'x';
    });
    unproven(&unsigned, &public, "without a signature");
    let bigger = changed("bigger.img", &|bytes| bytes.resize(80 << 20, 0));
    unproven(&bigger, &public, "size: this drive has 83886080 bytes");
    // Nobody asked: they are media all the same.
    for drive in [&forged, &unsigned] {
        station.platen(&["verify", drive]).expect(0);
    }
}
