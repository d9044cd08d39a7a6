// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Text files as they come from Windows and Macs: keys, passwords, and what lies beside them.

use crate::common::Station;

fn windows(text: &str) -> Vec<u8> {
    format!("\u{feff}{}", text.replace('\n', "\r\n")).into_bytes()
}

#[test]
fn strays_beside_the_trusted_keys_stop_no_verb() {
    let station = Station::with_medium();
    let key = std::fs::read_to_string(station.path("trusted/test-insecure.pub")).expect("there");
    std::fs::write(station.path("trusted/test-insecure.pub"), windows(&key)).expect("writes");
    station.files("trusted", &[("._test-insecure.pub", b"\0\x05\x16\x07\0\x02"), (".DS_Store", b"\0\0\0\x01Bud1")]);
    let drive = station.drive("drive.img", 64);
    let quiet = station.platen(&["write", "TREE", &drive]).expect(0);
    assert!(!quiet.stderr.contains("warning"), "files with a dot are nobody's keys: {}", quiet.stderr);

    station.files("trusted", &[("broken.pub", b"not a key")]);
    for args in
        [&["verify", &*drive][..], &["inspect", &drive], &["cache", "show", "TREE"], &["cache", "import", "layout"]]
    {
        let ran = station.platen(args).expect(0);
        assert!(ran.stderr.contains("broken.pub: expected a minisign public key"), "{}", ran.stderr);
    }
    std::fs::remove_file(station.path("trusted/test-insecure.pub")).expect("removes");
    station.platen(&["verify", &drive]).refused(4, &["no trusted key", "broken.pub"]);
}

#[test]
fn a_keys_password_is_the_same_from_any_editor() {
    let station = Station::new();
    station.sample_tree();
    let utf16: Vec<u8> = "\u{feff}correct hörse\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    station.files("", &[("mac.txt", "correct ho\u{308}rse".as_bytes()), ("linux.txt", "correct hörse\n".as_bytes())]);
    station.files("", &[("notepad.txt", &windows("correct hörse\n")), ("powershell.txt", &utf16)]);
    station.files("", &[("wrong.txt", b"correct horse"), ("ansi.txt", b"correct h\xf6rse")]);
    station.files("", &[("blank.txt", b"correct horse "), ("several.txt", b"correct\nhorse\n")]);
    station.platen(&["key", "new", "sealed", "--password-file", "powershell.txt"]).expect(0);
    let definition = station.define("TREE", 1, "");
    let definition = definition.to_str().expect("UTF-8");
    let build = |password: &str| {
        let key = ["--key", "sealed.key", "--key-password-file", password, "--out", "layout"];
        station.platen(&[&["media", "build", definition][..], &key].concat())
    };
    for password in ["mac.txt", "linux.txt", "notepad.txt", "powershell.txt"] {
        build(password).expect(0);
    }
    build("wrong.txt").refused(3, &["expected its password, found another one"]);
    build("ansi.txt").refused(2, &["ansi.txt", "0xf6 at byte 9"]);
    build("several.txt").refused(2, &["several.txt", "several lines"]);
    let blank = station.platen(&["key", "new", "blank", "--password-file", "blank.txt"]).expect(0);
    assert!(blank.stderr.contains("ends with U+0020, which can't be seen"), "{}", blank.stderr);
}
