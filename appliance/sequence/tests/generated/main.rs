// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Two thousand sequences in the shapes of real ones: none is refused, none is lost, and the engine does with each of them
//! what a small model of the rules does.

#![allow(clippy::unwrap_used)]

mod model;
mod shapes;

use std::collections::BTreeSet;
use std::collections::HashMap;

use platen_sequence::run::{After, Computer, DryRun, Environment, Next, OldWindows, Run, World};
use platen_sequence::{Imported, LintContext, TaskSequence, lint};

use model::{Log, Model};
use shapes::Random;

const SEQUENCES: u64 = 2000;

fn computer() -> Computer {
    Computer::from_toml(include_str!("../../../example/computers/bios-desktop.toml")).unwrap()
}

fn imported(seed: u64) -> Imported {
    let xml = shapes::sequence(&mut Random(seed));
    Imported::from_bytes(xml.as_bytes()).unwrap_or_else(|error| panic!("{seed}: {error}\n{xml}"))
}

#[test]
fn none_is_refused_and_all_survive_the_way_through_toml_and_xml() {
    let mut kinds = BTreeSet::new();
    for seed in 0..SEQUENCES {
        let mut imported = imported(seed);
        imported.shorten_ids();
        let sequence = &imported.sequence;
        assert_eq!(sequence.problems(), [], "{seed}");
        kinds.extend(sequence.steps().iter().map(|entry| entry.step.label().to_owned()));
        let written = sequence.to_toml();
        let mut file = |path: &str| written.files.get(path).cloned().ok_or_else(String::new);
        let read = TaskSequence::from_toml(&written.toml, &mut file).unwrap_or_else(|error| panic!("{seed}: {error}"));
        assert_eq!(&read, sequence, "{seed}");
        let again = Imported::from_bytes(sequence.to_xml().as_bytes()).unwrap();
        assert_eq!(&again.sequence, sequence, "{seed}");
        // Whatever comes in can be checked, tried out and described.
        for finding in lint(sequence, &LintContext::complete(sequence)) {
            assert!(!finding.text.is_empty());
        }
        let dry = DryRun::of(sequence, &computer(), &[]).unwrap();
        assert!(dry.report().lines().count() > dry.steps.len());
        assert!(imported.definition(&Default::default(), &[]).contains("task-sequence = \"sequence.toml\""));
    }
    assert!(kinds.len() > 45, "the shapes are rich: {kinds:?}");
}

/// What step number `number` ends with.
fn code(seed: u64, number: usize) -> i64 {
    [0, 0, 0, 0, 0, 3010, 1, 2][Random(seed ^ ((number as u64) << 32)).below(8)]
}

/// The engine's log; after every step that `stops` says, it is begun anew from its cursor.
fn engine(sequence: &TaskSequence, seed: u64, stops: impl Fn(usize) -> bool) -> (Log, bool) {
    let (computer, mut environment) = (computer(), Environment::default());
    computer.built_in(&mut environment).unwrap();
    let (mut run, mut log, mut number) = (Run::new(sequence), Log::new(), 0);
    loop {
        match run.next(World { environment: &environment, computer: &computer, windows: OldWindows::Unknown }) {
            Next::Over(result) => return (log, result.is_ok()),
            Next::Skipped { path, .. } => log.push(format!("skip {}", last(&path))),
            Next::Step { step, path, .. } => {
                assert_eq!(last(&path), step.name);
                let code = code(seed, number);
                number += 1;
                log.push(format!("run {} -> {code}", step.name));
                let after = run.ended(code, &mut environment).unwrap();
                if stops(number) && after != After::Failed {
                    let cursor = serde_json::to_string(run.cursor()).unwrap();
                    run = Run::resume(sequence, serde_json::from_str(&cursor).unwrap()).unwrap();
                }
            }
        }
    }
}

fn last(path: &str) -> &str {
    path.rsplit(" / ").next().unwrap()
}

#[test]
fn the_engine_does_what_the_rules_say_with_and_without_restarts() {
    let (mut failed, mut skipped, mut retried, mut forgiven) = (0, 0, 0, 0);
    for seed in 0..SEQUENCES {
        let sequence = imported(seed).sequence;
        let computer = computer();
        let mut environment = Environment::default();
        computer.built_in(&mut environment).unwrap();
        let variables = environment.shown().map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        // Of the queries that the shapes have, these two are true of the desktop.
        let queries = |namespace: &str, query: &str| {
            namespace == r"root\cimv2"
                && (query.contains("Win32_ComputerSystem") || query.contains("Win32_DiskPartition"))
        };
        let code_of = |number: usize| code(seed, number);
        let mut model = Model {
            variables,
            make: &computer.make,
            model: &computer.model,
            queries: &queries,
            code: &code_of,
            ended: 0,
            log: Vec::new(),
        };
        let expected_end = model.run(&sequence);
        let (log, end) = engine(&sequence, seed, |_| false);
        assert_eq!(log, model.log, "{seed}");
        assert_eq!(end, expected_end, "{seed}");
        // A restart after any step changes nothing, for all that counts is kept.
        assert_eq!(engine(&sequence, seed, |number| number % 3 != 1), (log, end), "{seed}");
        failed += u32::from(!end);
        skipped += model.log.iter().filter(|line| line.starts_with("skip")).count();
        let mut seen: HashMap<&str, usize> = HashMap::new();
        model.log.iter().for_each(|line| *seen.entry(line).or_default() += 1);
        retried += seen.values().filter(|&&count| count > 1).count();
        forgiven += u32::from(end && model.log.iter().any(|line| line.ends_with("-> 1")));
    }
    // The control: all of it happened.
    assert!(failed > 100 && skipped > 1000 && retried > 10 && forgiven > 20, "{failed} {skipped} {retried} {forgiven}");
}
