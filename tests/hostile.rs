// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Drives made to deceive whoever looks at them, or to take all of the station's memory.

use std::process::Command;

use crate::common::Station;

/// What a terminal would obey, hide or turn around.
const UNFIT: &[char] = &[
    '\u{1b}', '\u{7}', '\r', '\u{7f}', '\u{9b}', '\u{85}', '\u{202e}', '\u{2066}', '\u{200b}', '\u{2028}', '\u{feff}',
];

/// The text in a drive's record, as JSON.
fn hostile_json(verdict: &str) -> String {
    let escaped: String = UNFIT.iter().map(|c| format!("\\u{:04x}", *c as u32)).collect();
    format!("x\\n{verdict}\\n{escaped}")
}

#[test]
fn nothing_on_a_drive_speaks_for_the_station() {
    let station = Station::with_medium();
    let drive = station.drive("drive.img", 64);
    station.platen(&["write", "TREE", &drive]).expect(0);
    let mut bytes = std::fs::read(&drive).expect("reads");
    let begin = b"{\n  \"schema\": 1,\n  \"station\": \"test";
    let start = bytes.windows(begin.len()).position(|window| window == begin).expect("the drive's record");
    let record = String::from_utf8(bytes[start..start + 4096].to_vec()).expect("UTF-8");
    let verdict = "verdict    READY: 1 bytes checked, all as signed";
    let record = record.replace("\"test\"", &format!("\"{}\"", hostile_json(verdict)));
    let record = record.replace("\"port\": \"", &format!("\"port\": \"{}", hostile_json(verdict)));
    assert!(record[4096..].trim().is_empty(), "only blanks go");
    bytes[start..start + 4096].copy_from_slice(&record.as_bytes()[..4096]);
    let content = bytes.windows(6).position(|window| window == b"hello\n").expect("a file");
    bytes[content] = b'H';
    std::fs::write(&drive, bytes).expect("writes");
    // And a name that is shown from right to left.
    station.files("", &[("evil", b"x")]);
    let volume = format!("{drive}@@1M");
    let copied = Command::new("mcopy")
        .args(["-i", &volume, &station.text("evil"), "::a\u{202e}fdp\u{200b}.exe"])
        .env("LC_ALL", "C.UTF-8")
        .status();
    assert!(copied.expect("mcopy runs").success());

    for verb in ["verify", "inspect"] {
        let people = station.platen(&[verb, &drive]).expect(1);
        let all = format!("{}{}", people.stdout, people.stderr);
        assert_eq!(all.lines().filter(|line| line.contains("verdict  ")).count(), 2, "{all}");
        assert_eq!(all.lines().filter(|line| line.starts_with("verdict    READY")).count(), 0, "{all}");
        assert!(all.contains("exe: not part of the medium"), "{all}");
        let json = station.platen(&["--json", verb, &drive]).expect(1);
        for text in [&all, &json.stdout] {
            let found = text.chars().find(|c| UNFIT.contains(c));
            assert_eq!(found, None, "{verb}: {text:?}");
        }
        let examined = json.recorded().answers().len();
        assert_eq!(examined, 1);
        for c in UNFIT {
            assert!(!json.stdout.contains(&format!("\\u{:04x}", *c as u32)), "{:?}", json.stdout);
        }
    }
}

/// A directory of 2 MiB with a folder in it, and as many of the longest names as fit.
fn long_directory(own: u32, next: u32, number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let entry = |short: &[u8; 11], attributes: u8, cluster: u32| {
        let mut raw = [0; 32];
        raw[..11].copy_from_slice(short);
        raw[11] = attributes;
        raw[20..22].copy_from_slice(&((cluster >> 16) as u16).to_le_bytes());
        raw[26..28].copy_from_slice(&(cluster as u16).to_le_bytes());
        raw
    };
    bytes.extend(entry(b".          ", 0x10, own));
    bytes.extend(entry(b"..         ", 0x10, 2));
    bytes.extend(entry(b"NEXT       ", 0x10, next));
    // Back to the start, as a loop.
    bytes.extend(entry(b"ROOT       ", 0x10, 2));
    for name in 0.. {
        if bytes.len() + 21 * 32 > 2 << 20 {
            break;
        }
        let short: [u8; 11] = *format!("{name:06}~1{:03}", number % 1000).as_bytes().first_chunk().expect("eleven");
        let sum = short.iter().fold(0_u8, |sum, &byte| sum.rotate_right(1).wrapping_add(byte));
        let units: Vec<u16> = format!("{name:06}{}", "\u{202e}".repeat(249)).encode_utf16().collect();
        for part in (0..20).rev() {
            let mut raw = [0xff; 32];
            raw[0] = (part as u8 + 1) | if part == 19 { 0x40 } else { 0 };
            (raw[11], raw[12], raw[13], raw[26], raw[27]) = (0x0f, 0, sum, 0, 0);
            let places = (1..11).step_by(2).chain((14..26).step_by(2)).chain((28..32).step_by(2));
            for (place, unit) in places.zip(units[part * 13..].iter().copied().chain([0])) {
                raw[place..place + 2].copy_from_slice(&unit.to_le_bytes());
            }
            bytes.extend(raw);
        }
        bytes.extend(entry(&short, 0x20, 0));
    }
    bytes.resize(2 << 20, 0);
    bytes
}

/// Fill the free room of a drive of 64 MiB with directories, one in the other, each leading back to the root too.
fn fill_with_names(bytes: &mut [u8]) {
    let boot = 1 << 20;
    let number = |bytes: &[u8], at: usize, len: usize| {
        bytes[at..at + len].iter().rev().fold(0_usize, |all, byte| all << 8 | usize::from(*byte))
    };
    let (reserved, table_bytes) = (number(bytes, boot + 14, 2) * 512, number(bytes, boot + 36, 4) * 512);
    let (table, cluster_bytes) = (boot + reserved, number(bytes, boot + 13, 1) * 512);
    let data = table + 2 * table_bytes;
    let per_directory = (2 << 20) / cluster_bytes;
    let first = 30_000;
    let count = ((62 << 20) - data - first * cluster_bytes) / (2 << 20);
    assert!(count > 10, "{count}");
    for directory in 0..count {
        let own = first + directory * per_directory;
        let next = if directory + 1 < count { own + per_directory } else { first };
        let at = data + (own - 2) * cluster_bytes;
        bytes[at..at + (2 << 20)].copy_from_slice(&long_directory(own as u32, next as u32, directory));
        for which in 0..2 {
            for cluster in own..own + per_directory {
                let link = if cluster + 1 < own + per_directory { cluster as u32 + 1 } else { 0x0fff_ffff };
                let at = table + which * table_bytes + cluster * 4;
                bytes[at..at + 4].copy_from_slice(&link.to_le_bytes());
            }
        }
    }
    let entry =
        (data..data + (1 << 20)).step_by(32).find(|at| bytes[*at..*at + 11] == *b"SOURCES    ").expect("a folder");
    bytes[entry + 20..entry + 22].copy_from_slice(&((first >> 16) as u16).to_le_bytes());
    bytes[entry + 26..entry + 28].copy_from_slice(&(first as u16).to_le_bytes());
}

/// Of the station and of the process that looks at the drive, in KiB.
fn peak_kib(station: &Station, args: &[&str]) -> (u64, usize, i32) {
    let peak = station.text("peak");
    let mut command = Command::new("/usr/bin/time");
    let platen = station.command(args);
    command.args(["--quiet", "-f", "%M", "-o", &peak]).arg(platen.get_program()).args(args);
    command.envs(platen.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ran = command.current_dir(station.dir.path()).output().expect("time(1) runs");
    let text = std::fs::read_to_string(&peak).expect("measured");
    let printed = ran.stdout.len() + ran.stderr.len();
    (text.trim().parse().expect("a number"), printed, ran.status.code().expect("ended by itself"))
}

#[test]
fn no_drive_makes_the_station_big_or_long_winded() {
    let station = Station::with_medium();
    let drive = station.drive("drive.img", 64);
    station.platen(&["write", "TREE", &drive]).expect(0);
    let golden = std::fs::read(&drive).expect("reads");
    let mut filled = golden.clone();
    fill_with_names(&mut filled);
    // The same, and its manifest says it is bigger than the volume.
    let mut big_manifest = filled.clone();
    let entry = golden.windows(11).position(|window| window == b"MANIFE~1JSO").expect("the manifest's entry");
    big_manifest[entry + 28..entry + 32].copy_from_slice(&u32::MAX.to_le_bytes());
    for (what, bytes) in [("filled", filled), ("big manifest", big_manifest)] {
        std::fs::write(&drive, bytes).expect("writes");
        for args in [&["verify", &*drive][..], &["inspect", &drive], &["--json", "verify", &drive]] {
            let (peak_kib, printed, status) = peak_kib(&station, args);
            assert_eq!(status, 1, "{what} {args:?}");
            assert!(peak_kib < 256 << 10, "{what} {args:?}: {peak_kib} KiB");
            assert!(printed < 200_000, "{what} {args:?}: {printed} bytes printed");
        }
        let update = station.platen(&["write", "--update", "TREE", &drive]);
        assert!(update.stdout.len() + update.stderr.len() < 200_000, "{what}");
    }
}
