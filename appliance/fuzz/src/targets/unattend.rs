// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Answer files into which settings are put.

use platen_windows::Architecture;
use platen_windows::answer::{AnswerFile, NetworkSettings, WindowsSettings};

use crate::Answer;

pub(super) fn samples() -> Vec<Vec<u8>> {
    let full: &[u8] = include_bytes!("../../../sequence/tests/samples/unattend-packer-win10.xml");
    let template: &[u8] = include_bytes!("../../../sequence/tests/samples/unattend-mdt-x64.xml");
    vec![full.to_vec(), template.to_vec()]
}

pub(super) fn ask(bytes: &[u8]) -> Answer {
    let Ok(before) = AnswerFile::parse(bytes, Architecture::Amd64) else { return Answer::Refused };
    let mut expanded = before.clone();
    expanded.expand(&|_| None).unwrap();
    assert!(expanded == before, "unknown names are left");

    let get = |name: &str| {
        let value = match name {
            "OSDComputerName" => "FUZZ-1",
            "OSDTimeZone" => "a <b> & \"c\"",
            "OSDWorkgroupName" => "W",
            "OSDAdapter0EnableDHCP" => "true",
            "OSDAdapter0Name" => "N",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let windows = WindowsSettings::from_variables(&get, String::new).unwrap();
    let network = NetworkSettings::from_variables(&get, &[]).unwrap();
    let apply = |mut file: AnswerFile| {
        file.apply_windows(&windows).unwrap();
        file.apply_network(&network).unwrap();
        file
    };
    let once = apply(before);
    let text = once.clone().finish().unwrap().text;
    assert!(text.contains("<ComputerName>FUZZ-1</ComputerName>") || text.contains(">FUZZ-1</ComputerName>"));
    assert!(apply(once).finish().unwrap().text == text, "a second time changes nothing");
    AnswerFile::parse(text.as_bytes(), Architecture::Amd64).unwrap();
    Answer::Accepted
}
