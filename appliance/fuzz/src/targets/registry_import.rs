// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Files of the registry editor, and the changes as they go to the program that makes them.

use platen_windows::registry::{Action, Change, MAX_DATA_BYTES, MAX_KEY_CHARACTERS, MAX_NAME_CHARACTERS, import};

use crate::Answer;

pub(super) fn samples() -> Vec<Vec<u8>> {
    let new = "Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\A\\B]\r\n@=\"x \\\"y\\\" C:\\\\z\"\r\n\
               \"d\"=dword:0000000a\r\n\"b\"=hex:00,ff,\\\r\n  01\r\n\"e\"=hex(2):25,00,61,00,00,00\r\n\"gone\"=-\r\n\r\n\
               [-HKEY_USERS\\.DEFAULT\\Control Panel]\r\n";
    let old = "REGEDIT4\n; a comment\n[HKEY_CLASSES_ROOT\\.x]\n\"m\"=hex(7):61,00,62,00,00\n";
    vec![new.as_bytes().to_vec(), old.as_bytes().to_vec()]
}

pub(super) fn ask(bytes: &[u8]) -> Answer {
    let Ok(found) = import(bytes) else { return Answer::Refused };
    let changes: Vec<Change> = found.into_iter().map(|it| it.change).collect();
    for change in &changes {
        assert!(change.key.split('\\').all(|name| name.encode_utf16().count() <= MAX_KEY_CHARACTERS));
        if let Action::SetValue { name, data } = &change.action {
            assert!(name.encode_utf16().count() <= MAX_NAME_CHARACTERS && data.bytes.len() <= MAX_DATA_BYTES);
        }
    }
    let json = serde_json::to_vec(&changes).unwrap();
    assert_eq!(serde_json::from_slice::<Vec<Change>>(&json).unwrap(), changes);
    if changes.is_empty() { Answer::Refused } else { Answer::Accepted }
}
