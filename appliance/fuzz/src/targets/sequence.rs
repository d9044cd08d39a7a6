// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Task sequences as XML.

use platen_sequence::{LintContext, TaskSequence, lint};

use crate::Answer;

pub(super) fn samples() -> Vec<Vec<u8>> {
    let documentation: &[u8] = include_bytes!("../../../sequence/data/stand-alone.xml");
    let example: &[u8] = include_bytes!("../../../example/task-sequence.xml");
    vec![documentation.to_vec(), example.to_vec()]
}

pub(super) fn ask(bytes: &[u8]) -> Answer {
    let Ok(text) = std::str::from_utf8(bytes) else { return Answer::Refused };
    let Ok(sequence) = TaskSequence::from_xml(text) else { return Answer::Refused };
    assert_eq!(sequence.problems(), [], "what is accepted is within the limits");
    let written = sequence.to_json();
    assert_eq!(TaskSequence::from_json(&written).unwrap(), sequence, "what is written is read as the same");
    assert!(sequence.outline().lines().count() >= sequence.steps().len(), "every step has its line");
    // Any sequence can be looked at by the rules.
    for finding in lint(&sequence, &LintContext::default()) {
        assert!(!finding.to_string().contains('\0'));
    }
    Answer::Accepted
}
