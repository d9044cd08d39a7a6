// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Task sequences in Platen's own form.

use platen_sequence::TaskSequence;

use crate::Answer;

pub(super) fn samples() -> Vec<Vec<u8>> {
    let refresh: &[u8] = include_bytes!("../../../sequence/data/stand-alone.toml");
    let capture: &[u8] = include_bytes!("../../../sequence/data/build-and-capture.toml");
    vec![refresh.to_vec(), capture.to_vec()]
}

pub(super) fn ask(bytes: &[u8]) -> Answer {
    let Ok(text) = std::str::from_utf8(bytes) else { return Answer::Refused };
    let mut none = |_: &str| Err("no files here".to_owned());
    let Ok(sequence) = TaskSequence::from_toml(text, &mut none) else { return Answer::Refused };
    assert_eq!(sequence.problems(), [], "what is accepted is within the limits");
    let written = sequence.to_toml();
    let mut file = |path: &str| written.files.get(path).cloned().ok_or_else(String::new);
    assert_eq!(
        TaskSequence::from_toml(&written.toml, &mut file).unwrap(),
        sequence,
        "what is written is read as the same"
    );
    Answer::Accepted
}
