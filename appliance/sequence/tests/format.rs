// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Platen's own form of a sequence: whatever the model holds is written and read as the same, and what is wrong is named.

#![allow(clippy::unwrap_used)]

mod common;

use std::process::Command;

use platen_sequence::{Imported, Node, Problem, SequenceError, TaskSequence, Written};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use common::any_sequence;

const STAND_ALONE: &str = include_str!("../data/stand-alone.toml");
const BUILD_AND_CAPTURE: &str = include_str!("../data/build-and-capture.toml");

fn read(written: &Written) -> Result<TaskSequence, SequenceError> {
    let mut file = |path: &str| written.files.get(path).cloned().ok_or_else(|| "no such file".to_owned());
    TaskSequence::from_toml(&written.toml, &mut file)
}

fn alone(toml: &str) -> Result<TaskSequence, SequenceError> {
    TaskSequence::from_toml(toml, &mut |_| Err("no files here".to_owned()))
}

fn problems(toml: &str) -> Vec<Problem> {
    match alone(toml) {
        Err(SequenceError::Problems { problems }) => problems,
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn everything_survives_toml_xml_and_json(sequence in any_sequence()) {
        prop_assert_eq!(sequence.problems(), []);
        let written = sequence.to_toml();
        prop_assert_eq!(&read(&written).unwrap(), &sequence, "{}", written.toml);
        let xml = sequence.to_xml();
        let imported = Imported::from_bytes(xml.as_bytes()).unwrap_or_else(|error| panic!("{error}: {xml}"));
        prop_assert_eq!(&imported.sequence, &sequence, "{}", xml);
        prop_assert_eq!(&TaskSequence::from_json(&sequence.to_json()).unwrap(), &sequence);
    }
}

#[test]
fn the_examples_are_what_the_documentation_describes() {
    let sample = TaskSequence::from_xml(include_str!("../data/stand-alone.xml")).unwrap();
    assert_eq!(alone(STAND_ALONE).unwrap(), sample);
    let capture = alone(BUILD_AND_CAPTURE).unwrap();
    let groups = capture.nodes.iter().map(|node| match node {
        Node::Group(group) => (&*group.name, group.nodes.len()),
        Node::Step(step) => (&*step.name, 0),
    });
    assert_eq!(groups.collect::<Vec<_>>(), [("Build the Reference Machine", 10), ("Capture the Reference Machine", 3)]);
    // What is written is what people wrote, but for their comments.
    for (text, sequence) in [(STAND_ALONE, sample), (BUILD_AND_CAPTURE, capture)] {
        let without_comments: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(sequence.to_toml().toml.trim(), without_comments.join("\n").trim());
    }
}

#[test]
fn other_programs_read_what_is_written() {
    if !["python3", "xmllint"].into_iter().all(platen_testkit::need::program) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for number in 0..40 {
        let sequence = any_sequence().new_tree(&mut runner).unwrap().current();
        let toml = sequence.to_toml().toml;
        std::fs::write(folder.path().join(format!("{number}.toml")), &toml).unwrap();
        std::fs::write(folder.path().join(format!("{number}.xml")), sequence.to_xml()).unwrap();
        let ours: serde_json::Value = toml::from_str(&toml).unwrap();
        std::fs::write(folder.path().join(format!("{number}.json")), ours.to_string()).unwrap();
    }
    let judge = "import json, tomllib\nfor n in range(40):\n    \
                 assert tomllib.load(open(f'{n}.toml', 'rb')) == json.load(open(f'{n}.json')), n";
    platen_testkit::files::run(Command::new("python3").args(["-c", judge]).current_dir(folder.path()));
    let xml = (0..40).map(|number| format!("{number}.xml"));
    platen_testkit::files::run(Command::new("xmllint").arg("--noout").args(xml).current_dir(folder.path()));
}

#[test]
fn every_field_that_is_wrong_is_named_with_its_line() {
    let good = "schema = 1\n[[do]]\nstep = \"S\"\ntype = \"Run Command Line\"\n";
    alone(good).expect("the control");
    let long = "x".repeat(51);
    let text = format!(
        "schema = 2\nname = {long:?}\ndescription = 1\nxml-version = \"4\"\ncontents = [{{ program = \"*\" }}]\n\
         variables = [{{ name = \"_A\", value = \"1\" }}]\nnaem = \"x\"\n\
         [[do]]\ngroup = \"\"\ndisabled = 1\ncontinue-on-error = \"yes\"\ncondition = {{ all = [] }}\n\
         [[do]]\nstep = \"S\"\ntype = \"Run Comand Line\"\nclass = \"C\"\nrun-in = \"winpe\"\nsuccess-codes = [0, \"x\"]\n\
         start-in = 1\nretries = 100\ntimeout-s = 0\nrun-from-net = 1\ncommand = true\n\
         variables = [{{ property = \"a b\", value = \"1\" }}, {{ name = \"V\", value = \"1\", value-file = \"f\" }}, \
         {{ name = \"W\", value-file = \"../f\" }}, {{ name = \"X\", value-file = \"f\" }}]\n\
         condition = {{ variable = \"X\", operator = \"equal\" }}\n\
         [[do]]\nstep = \"T\"\n[[do]]\ntype = \"Run Command Line\"\n\
         [[do]]\nstep = \"U\"\ntype = \"unknown step type\"\ncondition = {{ wmi = \"\", file = \"x\" }}\n"
    );
    let found: Vec<String> = problems(&text).iter().map(ToString::to_string).collect();
    let expected = [
        "line 1: schema: expected a whole number, the number of the format, from 1 to 1, found 2",
        "line 2: name: expected at most 50 characters, found 51",
        "line 3: description: expected a text in quotes, found a whole number",
        "line 4: xml-version: expected \"3.10\" or \"3.00\", found \"4\"",
        "line 5: contents[1].package: expected a text, found none",
        "line 6: variables[1].name: expected a name without a leading '_' (those are built in and read-only), found \"_A\"",
        "line 7: naem: expected one of the fields contents, description, do, name, schema, variables, xml-version, found an unknown field; did you mean name?",
        "line 9: do[1].group: expected 1 to 50 characters, found none",
        "line 10: do[1].disabled: expected true or false, found a whole number",
        "line 11: do[1].continue-on-error: expected true or false, found a text",
        "line 12: do[1].condition.all: expected at least one condition, found none",
        "line 15: do[2].type: expected a step's name in the editor, found \"Run Comand Line\"; did you mean \"Run Command Line\"?",
        "line 17: do[2].run-in: expected \"WinPE\" or \"FullOS\"; without it, both, found \"winpe\"",
        "line 18: do[2].success-codes: expected a list of exit codes such as [0, 3010], found a text in it",
        "line 19: do[2].start-in: expected a text in quotes, found a whole number",
        "line 20: do[2].retries: expected a whole number from 0 to 99, found 100",
        "line 21: do[2].timeout-s: expected a whole number of seconds from 1 to 604800, found 0",
        "line 22: do[2].run-from-net: expected true or false, found a whole number",
        "line 23: do[2].command: expected a text in quotes, found true or false",
        "line 24: do[2].variables[1].property: expected a variable name: a letter, then up to 255 of A-Z a-z 0-9 _ -, found \"a b\"",
        "line 24: do[2].variables[2].value: expected exactly one of value, value-file, found both",
        "line 24: do[2].variables[3].value-file: expected a path within the sequence's folder, with / between folders, found \"../f\"",
        "line 24: do[2].variables[4].value-file: expected a file of text, found \"f\": no files here",
        "line 25: do[2].condition.operator: expected one of exists, notExists, equals, notEquals, greater, greaterEqual, less, lessEqual, like, notLike, found \"equal\"; did you mean \"equals\"?",
        "line 26: do[3].type: expected what the step does, such as \"Run Command Line\", found none",
        "line 28: do[4].step: expected the name of a step, or group = with that of a group, found none",
        "line 30: do[5].class: expected the type as its export has it, for a step of an unknown type, found none",
        "line 33: do[5].condition.wmi: expected one of the fields all, any, none, variable, wmi, file, folder, registry, software, operating-system, make-model, other, found wmi and file",
    ];
    assert_eq!(found, expected, "{found:#?}");
}

#[test]
fn groups_and_conditions_nest_as_deep_as_the_limit_and_no_deeper() {
    let groups = |depth: usize| {
        let header = |level: usize| format!("[[{}]]\ngroup = \"G\"\n", vec!["do"; level].join("."));
        format!("schema = 1\n{}", (1..=depth).map(header).collect::<String>())
    };
    alone(&groups(32)).expect("32 levels");
    let found = problems(&groups(33));
    assert_eq!((found.len(), &*found[0].expected), (1, "at most 32 levels of groups"), "{found:?}");
    let conditions = |depth: usize| {
        let (open, close) = ("{ all = [".repeat(depth), "] }".repeat(depth));
        format!(
            "schema = 1\n[[do]]\ngroup = \"G\"\ncondition = {open}{{ variable = \"A\", operator = \"exists\" }}{close}"
        )
    };
    alone(&conditions(32)).expect("32 levels");
    let found = problems(&conditions(33));
    assert_eq!((found.len(), &*found[0].expected), (1, "at most 32 levels of operators"), "{found:?}");
    // Far too deep for anybody's stack.
    let found = problems(&conditions(100_000));
    assert_eq!(&*found[0].what, "TOML", "{found:?}");
}

#[test]
fn a_sequence_has_a_limit_of_groups_and_steps() {
    let step = "[[do]]\nstep = \"S\"\ntype = \"Restart Computer\"\ncommand = \"smsboot.exe\"\n";
    let steps = |count| format!("schema = 1\n{}", step.repeat(count));
    assert_eq!(alone(&steps(20_000)).unwrap().nodes.len(), 20_000);
    let found = problems(&steps(100_000));
    assert_eq!((found.len(), &*found[0].expected), (1, "at most 20000 groups and steps"), "{found:?}");
    let xml = |count| format!("<sequence version=\"3.00\">{}</sequence>", "<step name=\"S\"/>".repeat(count));
    let imported = Imported::from_bytes(xml(20_000).as_bytes()).unwrap();
    // On one long line: places are found without counting through it each time.
    assert_eq!((imported.changes.len(), &*imported.changes[19_999].place), (20_000, "1:320010"));
    let error = Imported::from_bytes(xml(100_000).as_bytes()).unwrap_err();
    assert!(error.to_string().contains("<sequence>: expected at most 20000 groups and steps, found more"), "{error}");
}
