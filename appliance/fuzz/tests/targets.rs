// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The fuzz targets for some seconds, with a seed that stays: mutated samples get deep, both answers are given, and what
//! is promised of them holds.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use platen_fuzz::{Answer, TARGETS, Target, run};

#[test]
fn every_target_holds_over_mutated_samples() {
    std::thread::scope(|scope| {
        for target in TARGETS {
            scope.spawn(move || println!("{}: {:?}", target.name, run(target, 0x706c_6174_656e)));
        }
    });
}

/// A reader that always says the same, and one that breaks its promise, are found.
#[test]
fn targets_that_hold_nothing_are_found() {
    let samples = || vec![b"sample".to_vec()];
    let blind = Target { name: "blind", samples, ask: |_| Answer::Accepted, rounds: 100, least: 1 };
    let broken = Target {
        name: "broken",
        samples,
        ask: |bytes| {
            assert!(bytes.len() != 5, "five bytes");
            if bytes.starts_with(b"s") { Answer::Accepted } else { Answer::Refused }
        },
        rounds: 1000,
        least: 1,
    };
    for (target, said) in [(&blind, "expected at least 1 of each answer"), (&broken, "five bytes")] {
        let failed = catch_unwind(AssertUnwindSafe(|| run(target, 1))).expect_err("found");
        let text = failed.downcast_ref::<String>().cloned();
        let text = text.or_else(|| failed.downcast_ref::<&str>().map(|text| (*text).to_owned())).expect("a message");
        assert!(text.contains(said), "{text}");
    }
}

/// cargo-fuzz finds each of them.
#[test]
fn every_target_has_its_file_for_cargo_fuzz() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let files: BTreeSet<String> = std::fs::read_dir(root.join("fuzz_targets"))
        .expect("lists")
        .map(|entry| entry.expect("lists").path().file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    let names: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(files, names);
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).expect("reads");
    for name in names {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name} is not in fuzz/Cargo.toml");
    }
}
