// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Queries of WMI conditions.

use platen_sequence::run::wql::{Query, Value};

use crate::Answer;

pub(super) fn samples() -> Vec<Vec<u8>> {
    let texts = [
        "SELECT * FROM Win32_ComputerSystem WHERE Model LIKE '%Latitude [0-9]_' OR NOT (Manufacturer <> \"Dell\" AND Size >= 10)",
        "select Name, Version from Win32_BIOS where SMBIOSBIOSVersion = 'A\\\\1' and Present is not null",
    ];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}

pub(super) fn ask(bytes: &[u8]) -> Answer {
    let Ok(text) = std::str::from_utf8(bytes) else { return Answer::Refused };
    match Query::parse(text) {
        Err(error) => {
            let characters = text.chars().count();
            assert!((1..=characters + 1).contains(&error.at), "the place is in the text: {error}");
            Answer::Refused
        }
        Ok(query) => {
            assert!(!query.class.is_empty() && !query.select.is_empty());
            let nothing = query.takes(&|_| None);
            let something = query.takes(&|name| Some(Value::Text(name.to_owned())));
            // White space counts for nothing.
            let spaced = Query::parse(&format!(" {text}\n")).unwrap();
            assert_eq!(spaced.takes(&|_| None), nothing);
            assert_eq!(spaced.takes(&|name| Some(Value::Text(name.to_owned()))), something);
            Answer::Accepted
        }
    }
}
