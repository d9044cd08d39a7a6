// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What other programs export as XML, taken in with a report.

use std::collections::BTreeMap;

use platen_sequence::run::{Computer, DryRun};
use platen_sequence::{Imported, LintContext, TaskSequence, lint};

use crate::Answer;

pub(super) fn samples() -> Vec<Vec<u8>> {
    let share: &[u8] = include_bytes!("../../../sequence/tests/samples/mdt-psd-client.xml");
    let object: &[u8] = include_bytes!("../../../sequence/tests/samples/cm-export-modular-child-object.xml");
    vec![share.to_vec(), object.to_vec()]
}

pub(super) fn ask(bytes: &[u8]) -> Answer {
    let Ok(mut imported) = Imported::from_bytes(bytes) else { return Answer::Refused };
    imported.shorten_ids();
    assert!(imported.report().lines().count() > imported.changes.len().min(1), "every kind of change has its line");
    let sequence = &imported.sequence;
    assert_eq!(sequence.problems(), [], "what is accepted is within the limits");
    let written = sequence.to_toml();
    let mut file = |path: &str| written.files.get(path).cloned().ok_or_else(String::new);
    assert_eq!(
        &TaskSequence::from_toml(&written.toml, &mut file).unwrap(),
        sequence,
        "what is written is read as the same"
    );
    assert!(!imported.definition(&BTreeMap::new(), &[]).is_empty());
    lint(sequence, &LintContext::complete(sequence));
    // It ends, whatever its conditions ask.
    let _ = DryRun::of(sequence, &Computer::default(), &[]);
    Answer::Accepted
}
