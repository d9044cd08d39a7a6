// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Scripts and answer files among a medium's contents, in which secrets are looked for.

use platen_sequence::lint::{find_in_answer_file, find_secrets};

use crate::Answer;

pub(super) fn samples() -> Vec<Vec<u8>> {
    let full: &[u8] = include_bytes!("../../../sequence/tests/samples/unattend-packer-win10.xml");
    let template: &[u8] = include_bytes!("../../../sequence/tests/samples/unattend-mdt-x64.xml");
    vec![full.to_vec(), template.to_vec()]
}

pub(super) fn ask(bytes: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(bytes);
    let in_script = find_secrets(&text);
    let found = find_in_answer_file(&text);
    let in_file = found.iter().flatten().flatten();
    assert!(
        in_script.iter().chain(in_file).all(|hint| hint.chars().count() < 1000),
        "whatever it is, it is said in few words"
    );
    match found {
        Some(Ok(_)) => Answer::Accepted,
        Some(Err(_)) | None => Answer::Refused,
    }
}
