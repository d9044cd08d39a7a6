// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Real sequences: what is said of each is in a file that somebody read.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;

use platen_sequence::lint::{find_in_answer_file, report};
use platen_sequence::run::{Computer, DryRun};
use platen_sequence::{Imported, LintContext, Problem, SequenceError, StepKind, TaskSequence, lint};

const SAMPLES: [&str; 8] = [
    "cm-export-language-module-object",
    "cm-export-modular-child-object",
    "cm-export-modular-parent-object",
    "cm-export-upgrade-object",
    "cm-hub-gather-light",
    "mdt-bios-settings",
    "mdt-lti-client-full",
    "mdt-psd-client",
];

/// The examples of this repository: no finding, and what a dry run says with and without users' files that are kept.
const EXAMPLES: [&str; 2] = ["build-and-capture", "refresh"];

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/samples"))
}

fn imported(name: &str) -> Imported {
    let bytes = std::fs::read(folder().join(name).with_extension("xml")).unwrap();
    let mut imported = Imported::from_bytes(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    imported.shorten_ids();
    imported
}

fn computers() -> [Computer; 3] {
    [
        include_str!("../../../example/computers/bios-desktop.toml"),
        include_str!("../../../example/computers/uefi-laptop.toml"),
        include_str!("../../../example/computers/virtual-machine.toml"),
    ]
    .map(|text| Computer::from_toml(text).unwrap())
}

#[test]
fn what_is_said_of_each_is_what_somebody_read() {
    for name in SAMPLES {
        let imported = imported(name);
        let sequence = &imported.sequence;
        let findings = lint(sequence, &LintContext::complete(sequence));
        let mut said = format!("# import\n{}\n# rules\n{}", imported.report(), report(&findings));
        for computer in computers() {
            let dry = DryRun::of(sequence, &computer, &[]).unwrap();
            said += &format!("\n# dry run on {}\n{}", computer.name, dry.report());
        }
        said += &format!("\n# definition\n{}", imported.definition(&BTreeMap::new(), &[]));
        is_as_read(name, &said);
    }
}

/// What somebody read is in a file of that name.
fn is_as_read(name: &str, said: &str) {
    let golden = folder().join("golden").join(name).with_extension("txt");
    if std::env::var_os("PLATEN_WRITE_GOLDEN").is_some() {
        std::fs::write(&golden, said).unwrap();
    }
    assert_eq!(said, std::fs::read_to_string(&golden).unwrap(), "{name}");
}

#[test]
fn the_examples_have_no_findings_and_run_to_their_end() {
    for name in EXAMPLES {
        let path = folder().join("../../../example/sequences").join(name).with_extension("toml");
        let text = std::fs::read_to_string(path).unwrap();
        let sequence = TaskSequence::from_toml(&text, &mut |_| Err(String::new())).unwrap();
        let findings = lint(&sequence, &LintContext::complete(&sequence));
        assert!(findings.is_empty(), "{name}: {}", report(&findings));
        let mut said = String::new();
        for computer in computers() {
            for keeps in ["", "true"] {
                let variables = [("KeepUserState".to_owned(), keeps.to_owned(), false)];
                let dry = DryRun::of(&sequence, &computer, &variables).unwrap();
                // Only of a Windows the users' files can't be kept here.
                let fails = (keeps == "true" && computer.windows.is_some() && name == "refresh").then_some("fails");
                assert_eq!(dry.failed.as_deref().map(|_| "fails"), fails, "{name} on {}", computer.name);
                if keeps.is_empty() || name == "refresh" {
                    let title = if keeps.is_empty() { "" } else { " with KeepUserState" };
                    said += &format!("# dry run on {}{title}\n{}\n", computer.name, dry.report());
                }
            }
        }
        is_as_read(&format!("example-{name}"), &said);
    }
}

#[test]
fn what_is_no_sequence_is_called_what_it_is() {
    for (name, found) in [("unattend-mdt-x64", "<unattend>"), ("unattend-packer-win10", "<unattend>")] {
        let bytes = std::fs::read(folder().join(name).with_extension("xml")).unwrap();
        let error = Imported::from_bytes(&bytes).unwrap_err();
        let SequenceError::Problems { problems } = &error else { panic!("{name}: {error}") };
        let Problem { what, expected, found: was, .. } = &problems[0];
        assert_eq!((&**what, was.contains(found)), ("root element", true), "{name}: {error}");
        assert!(expected.contains("<sequence"), "{error}");
    }
    // A driver's INF, and an INX in UTF-16.
    let utf_16: Vec<u8> = "\u{feff}[Version]\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [b"; a driver\r\n[Version]\r\nSignature=\"$WINDOWS NT$\"\r\n".to_vec(), utf_16] {
        let error = Imported::from_bytes(&bytes).unwrap_err();
        assert!(matches!(error, SequenceError::Xml(_)), "{error}");
    }
}

#[test]
fn secrets_in_real_answer_files_are_found() {
    let of = |name: &str| {
        let text = std::fs::read_to_string(folder().join(name).with_extension("xml")).unwrap();
        find_in_answer_file(text.trim_start_matches('\u{feff}')).unwrap().unwrap()
    };
    // Looked at one by one: the empty elements of the template, its switches and its commands are none.
    assert_eq!(of("unattend-mdt-x64"), ["a value of \"AdministratorPassword\"", "a value of \"Password\""]);
    assert_eq!(
        of("unattend-packer-win10"),
        [
            "a value of \"ProductKey\"",
            "a value of \"AdministratorPassword\"",
            "a value of \"Password\"",
            "\"CommandLine\" with a value of \"DefaultPassword\"",
        ]
    );
}

#[test]
fn nothing_is_lost_on_the_way_through_toml_and_xml() {
    for name in SAMPLES {
        let sequence = imported(name).sequence;
        let written = sequence.to_toml();
        let mut file = |path: &str| written.files.get(path).cloned().ok_or_else(String::new);
        assert_eq!(TaskSequence::from_toml(&written.toml, &mut file).unwrap(), sequence, "{name}");
        assert_eq!(Imported::from_bytes(sequence.to_xml().as_bytes()).unwrap().sequence, sequence, "{name}");
    }
}

#[test]
fn every_unknown_is_named() {
    let mut seen = 0;
    for name in SAMPLES {
        let imported = imported(name);
        let unknown = imported.sequence.steps().iter().filter(|entry| entry.step.kind == StepKind::Unknown).count();
        assert_eq!(unknown, 0, "{name}: all step types of the samples are known");
        seen += imported.sequence.steps().len();
    }
    assert_eq!(seen, 152, "the control: so many steps");
}
