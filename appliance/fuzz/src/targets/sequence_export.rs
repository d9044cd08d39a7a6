// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Exports of Configuration Manager as archives.

use platen_sequence::{Export, Imported};

use crate::Answer;

/// An archive of stored entries, as APPNOTE 6.3 has it.
fn archive(entries: &[(&str, &str)]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in entries {
        let length = (content.len() as u32).to_le_bytes();
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        common.extend(crc32fast::hash(content.as_bytes()).to_le_bytes());
        common.extend([length, length].concat());
        common.extend([(name.len() as u16).to_le_bytes(), [0; 2]].concat());
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend((archive.len() as u32).to_le_bytes());
        directory.extend(name.as_bytes());
        archive.extend(b"PK\x03\x04");
        archive.extend(&common);
        archive.extend(name.as_bytes());
        archive.extend(content.as_bytes());
    }
    let (count, at, length) = (entries.len() as u16, archive.len() as u32, directory.len() as u32);
    archive.extend(directory);
    archive.extend(b"PK\x05\x06\0\0\0\0");
    archive.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
    archive.extend([length.to_le_bytes(), at.to_le_bytes()].concat());
    archive.extend([0; 2]);
    archive
}

pub(super) fn samples() -> Vec<Vec<u8>> {
    let object = |inside: &str| {
        format!(
            "<INSTANCE><PROPERTY NAME=\"Sequence\"><VALUE><![CDATA[<sequence version=\"3.10\">{inside}</sequence>]]></VALUE>\
             </PROPERTY></INSTANCE>"
        )
    };
    let parent = object(
        "<subtasksequence name=\"B\"><defaultVarList><variable name=\"T\" property=\"TsPackageID\">B</variable></defaultVarList>\
         </subtasksequence>",
    );
    let child = object("<step type=\"SMS_TaskSequence_RebootAction\" name=\"Restart\"/>");
    let manifest = "<L><Object Path=\"SMS_TaskSequencePackage.PackageID='A'\"/></L>";
    let (a, b) = ("SMS_TaskSequencePackage/A/object.xml", "SMS_TaskSequencePackage/B/object.xml");
    vec![archive(&[("Manifest.xml", manifest), (a, &parent), (b, &child)])]
}

pub(super) fn ask(bytes: &[u8]) -> Answer {
    let Ok(imported) = Export::from_bytes(bytes).and_then(Export::into_one) else { return Answer::Refused };
    assert_eq!(imported.sequence.problems(), [], "what is accepted is within the limits");
    let again = Imported::from_bytes(imported.sequence.to_xml().as_bytes()).unwrap();
    assert_eq!(again.sequence, imported.sequence, "what is written is read as the same");
    Answer::Accepted
}
