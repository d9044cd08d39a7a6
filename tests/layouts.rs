// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What is accepted while authoring is accepted by everything after it: the plan for every kind of drive, the writer, our own
//! check and an outside one. Trees of hostile names and sizes are drawn; what is refused is refused by lint and build alike.

use std::cell::Cell;

use platen_events::Answer;
use platen_events::answer::DocumentFormat;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::common::{Station, tool};

/// Letters that one rule takes for the same and another for two, and characters that no name may have.
const LETTERS: [&str; 40] = [
    "a", "A", "k", "K", "\u{212a}", "s", "S", "ſ", "ß", "ẞ", "ss", "SS", "i", "I", "ı", "İ", "ﬁ", "FI", "ǆ", "ǅ", "Ǆ",
    "σ", "ς", "Σ", "ä", "Ä", "a\u{308}", "ÿ", "Ÿ", "ᾳ", "ᾼ", "𐐀", "𐐨", "한", "~1", " ", ".", "?", "\u{fdd0}", "\u{1}",
];

fn name() -> impl Strategy<Value = String> {
    // The last few are what no name may have, or may not end with; most trees have none of them.
    let letter = prop_oneof![140 => 0..34usize, 6 => 34..37usize, 1 => 37..40usize].prop_map(|at| LETTERS[at]);
    let short = prop::collection::vec(letter, 2..6).prop_map(|letters| letters.concat());
    (short, prop_oneof![12 => Just(0usize), 1 => 60..80usize]).prop_map(|(name, more)| name + &"x".repeat(more))
}

fn tree() -> impl Strategy<Value = Vec<(Vec<String>, usize)>> {
    let size = prop_oneof![Just(0), 1..2000usize, 4095..4098usize, (1 << 20) - 1..(1 << 20) + 2usize];
    prop::collection::vec((prop::collection::vec(name(), 1..4), size), 1..12)
}

/// How often each end was seen.
#[derive(Debug, Default)]
struct Seen {
    accepted: Cell<u32>,
    refused: Cell<u32>,
}

fn judge(tree: &[(Vec<String>, usize)], seen: &Seen) {
    let station = Station::new();
    for (at, (names, size)) in tree.iter().enumerate() {
        let path = station.path("tree").join(names.join("/"));
        // What this machine's own file system can't hold is no case: a file where a folder is, a name of two dots.
        let folders = names.iter().all(|name| name != "." && name != "..");
        if folders && std::fs::create_dir_all(path.parent().expect("below")).is_ok() {
            let _ = std::fs::write(path, vec![at as u8; *size]);
        }
    }
    std::fs::create_dir_all(station.path("tree")).expect("folder");
    let definition = station.define("TREE", 1, "");
    let lint = station.platen(&["media", "lint", definition.to_str().expect("UTF-8")]);
    let built = station.build(&definition);
    assert_eq!(lint.status, built.status, "{tree:?}\n{lint:?}\n{built:?}");
    if built.status == 2 {
        seen.refused.set(seen.refused.get() + 1);
        assert!(
            !station.path("layout/index.json").exists()
                || station.platen(&["media", "show", "layout"]).stdout.is_empty()
        );
        return;
    }
    built.expect(0);
    seen.accepted.set(seen.accepted.get() + 1);
    station.import().expect(0);
    let shown = station.platen(&["--json", "media", "show", "layout"]).expect(0);
    let shown = shown.recorded();
    let [Answer::Document { format: DocumentFormat::Manifest, text, .. }] = shown.answers()[..] else {
        panic!("one manifest: {shown:?}")
    };
    let manifest: serde_json::Value = serde_json::from_str(text).expect("a manifest");
    for (field, sector_bytes) in [("needs_drive_bytes", 512), ("needs_drive_4096_bytes", 4096)] {
        let needed = manifest[field].as_u64().expect(field);
        for scheme in ["mbr", "gpt"] {
            let plan = |size_bytes: u64| {
                let (size, sector) = (size_bytes.to_string(), sector_bytes.to_string());
                station.platen(&["plan", "TREE", "--size", &size, "--sector-size", &sector, "--scheme", scheme])
            };
            plan(needed).expect(0);
            plan(needed - sector_bytes).refused(2, &["drive too small"]);
        }
    }
    for scheme in ["mbr", "gpt"] {
        let drive = station.path(scheme);
        let size_bytes = manifest["needs_drive_bytes"].as_u64().expect("a number");
        std::fs::File::create(&drive).and_then(|file| file.set_len(size_bytes)).expect("makes a drive");
        let drive = drive.to_str().expect("UTF-8");
        station.platen(&["write", "TREE", drive, "--scheme", scheme]).expect(0);
        station.platen(&["verify", drive]).expect(0);
        let volume = station.text("volume");
        let bytes = std::fs::read(drive).expect("reads");
        std::fs::write(&volume, &bytes[1 << 20..(size_bytes as usize - 1) >> 20 << 20]).expect("writes");
        let fsck = tool("fsck.fat", &["-n", &volume]);
        assert_eq!(fsck.status, 0, "{tree:?}\n{fsck:?}");
    }
}

#[test]
fn what_is_accepted_while_authoring_is_accepted_by_everything_after_it() {
    let number = |name: &str, otherwise: u64| std::env::var(name).map_or(otherwise, |v| v.parse().expect("a number"));
    let cases = (number("PLATEN_TREES", 64) / 8).max(1) as u32;
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 30, ..Config::default() };
    let mut seed = [7; 32];
    seed[..8].copy_from_slice(&number("PLATEN_SEED", 20_261_129).to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let seen = Seen::default();
    let result = runner.run(&tree(), |tree| {
        judge(&tree, &seen);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    println!("{cases} trees: {seen:?}");
    assert!(cases < 8 || (seen.accepted.get() > 0 && seen.refused.get() > 0), "both ends must be seen: {seen:?}");
}
