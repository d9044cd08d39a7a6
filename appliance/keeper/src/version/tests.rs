// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

use std::path::PathBuf;

use super::*;
use crate::cut_files::{CutFiles, FATES};

fn version(text: &str) -> Version {
    Version::parse(text).expect(text)
}

#[test]
fn versions_are_ordered_as_numbers_are() {
    let ordered = [
        "0.9.9",
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-beta",
        "1.0.0-rc.2",
        "1.0.0-rc.10",
        "1.0.0",
        "1.2.0",
        "1.10.0",
    ];
    for pair in ordered.windows(2) {
        assert!(version(pair[0]).is_older_than(&version(pair[1])), "{pair:?}");
        assert!(!version(pair[1]).is_older_than(&version(pair[0])), "{pair:?}");
    }
    assert_eq!(version("1.4.0+a").compare(&version("1.4.0+b")), Ordering::Equal);
    let long = format!("1.0.0-{}", "x".repeat(100));
    for text in
        ["", "1", "1.4", "1.4.0.1", "v1.4.0", "1.4.0 ", "01.4.0", "1.-4.0", "1.4.99999999999999999999", long.as_str()]
    {
        assert!(Version::parse(text).is_err(), "{text}");
    }
}

#[test]
fn the_floor_only_rises() {
    let path = PathBuf::from("/data/keeper/floor");
    let files = CutFiles::default();
    assert_eq!(read_floor(&files, &path), None);
    for (healthy, floor) in [("1.4.0", "1.4.0"), ("1.5.0", "1.5.0"), ("1.4.0", "1.5.0"), ("1.5.0-rc.1", "1.5.0")] {
        raise_floor(&files, &path, &version(healthy)).expect("kept");
        assert_eq!(read_floor(&files, &path), Some(version(floor)));
    }
    // One that can't be understood is none, and a healthy system makes it anew.
    for bytes in [b"".as_slice(), b"1.5", &[0xff; 200]] {
        let files = CutFiles::with(&path, bytes);
        assert_eq!(read_floor(&files, &path), None);
        raise_floor(&files, &path, &version("1.4.0")).expect("kept");
        assert_eq!(read_floor(&files, &path), Some(version("1.4.0")));
    }
}

#[test]
fn a_power_cut_leaves_the_old_floor_or_the_new_one() {
    let path = PathBuf::from("/data/keeper/floor");
    let mut tried = 0;
    for cut in 0..6 {
        for fate in FATES {
            let files = CutFiles::with(&path, b"1.4.0\n");
            files.cut_after(cut);
            let ended = raise_floor(&files, &path, &version("1.5.0"));
            let disk = files.after(fate);
            let found = String::from_utf8(disk[&path].clone()).expect("text");
            assert!(found == "1.4.0\n" || found == "1.5.0\n", "cut {cut}, {fate:?}: {found:?}");
            assert!(ended.is_err() || found == "1.5.0\n", "cut {cut}, {fate:?}: it was said to be kept");
            tried += 1;
        }
    }
    let steps = {
        let files = CutFiles::with(&path, b"1.4.0\n");
        raise_floor(&files, &path, &version("1.5.0")).expect("kept");
        files.steps()
    };
    assert!((steps, tried) == (4, 18), "{steps} steps, {tried} tried");
}
