// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Passwords, product keys and commands in answer files of Windows Setup.

use roxmltree::Node;

use super::{MAX_HINTS, SecretHint, find, is_literal, names_secret, shown};
use crate::SequenceError;
use crate::read::parse;

/// Namespace of answer files.
const UNATTEND: &str = "urn:schemas-microsoft-com:unattend";

/// Everything in an answer file that looks like a literal secret, or why nobody can read it; None when the text is none. What is only encoded (`<PlainText>false</PlainText>`) is in clear for everybody who knows how.
pub fn find_in_answer_file(text: &str) -> Option<Result<Vec<SecretHint>, SequenceError>> {
    if !text.contains(UNATTEND) {
        return None;
    }
    let document = match parse(text) {
        Ok(document) => document,
        Err(error) => return Some(Err(error)),
    };
    let root = document.root_element();
    if root.tag_name().name() != "unattend" || root.tag_name().namespace() != Some(UNATTEND) {
        return None;
    }
    let mut found: Vec<SecretHint> = Vec::new();
    for node in root.descendants() {
        let Some(text) = node.text().map(str::trim).filter(|text| !text.is_empty()) else { continue };
        let hints = match (node.is_comment(), node.parent_element().filter(|_| node.is_text())) {
            // What somebody took out of use is on the medium all the same.
            (true, _) => find(text).into_iter().map(|hint| format!("a comment with {hint}")).collect(),
            (false, Some(of)) if names_secret(named(of)) && is_literal(text) => {
                vec![format!("a value of {:?}", shown(named(of)))]
            }
            // Commands, and everything else that somebody may have put one in.
            (false, Some(of)) => {
                find(text).into_iter().map(|hint| format!("{:?} with {hint}", shown(of.tag_name().name()))).collect()
            }
            (false, None) => Vec::new(),
        };
        for hint in hints {
            if found.len() < MAX_HINTS && !found.contains(&hint) {
                found.push(hint);
            }
        }
    }
    Some(Ok(found))
}

/// The element that says what a text is: `AdministratorPassword` of its `Value`.
fn named<'d>(node: Node<'d, '_>) -> &'d str {
    let name = node.tag_name().name();
    match (name, node.parent_element()) {
        ("Value" | "Key", Some(parent)) => parent.tag_name().name(),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(inside: &str) -> Option<Result<Vec<SecretHint>, SequenceError>> {
        find_in_answer_file(&format!(
            "<?xml version=\"1.0\"?>\r\n<unattend xmlns=\"{UNATTEND}\"><settings pass=\"oobeSystem\"><component \
             name=\"Microsoft-Windows-Shell-Setup\">{inside}</component></settings></unattend>"
        ))
    }

    #[test]
    fn secrets_are_found_and_never_shown() {
        for (inside, hint) in [
            (
                "<UserAccounts><AdministratorPassword><Value>PLANTED</Value><PlainText>true</PlainText></AdministratorPassword></UserAccounts>",
                "a value of \"AdministratorPassword\"",
            ),
            (
                "<AutoLogon><Password><Value>UABMAEEATgBUAEUARAA=</Value><PlainText>false</PlainText></Password></AutoLogon>",
                "a value of \"Password\"",
            ),
            (
                "<Identification><Credentials><Password>PLANTED</Password></Credentials></Identification>",
                "a value of \"Password\"",
            ),
            (
                "<Identification><MachinePassword>PLANTED</MachinePassword></Identification>",
                "a value of \"MachinePassword\"",
            ),
            ("<ProductKey>AAAAA-BBBBB-CCCCC-DDDDD-EEEEE</ProductKey>", "a value of \"ProductKey\""),
            (
                "<UserData><ProductKey><Key>AAAAA-BBBBB-CCCCC-DDDDD-EEEEE</Key></ProductKey></UserData>",
                "a value of \"ProductKey\"",
            ),
            (
                "<FirstLogonCommands><SynchronousCommand><CommandLine>net user me PLANTED /add</CommandLine></SynchronousCommand></FirstLogonCommands>",
                "\"CommandLine\" with a password after \"net user\"",
            ),
            ("<!-- setup.exe /password:PLANTED -->", "a comment with a value of \"password\""),
        ] {
            let found = of(inside).expect("an answer file").expect("well-formed");
            assert_eq!(found, [hint], "{inside}");
        }
    }

    #[test]
    fn places_to_be_filled_and_switches_are_none() {
        for inside in [
            "<AutoLogon><Password><Value></Value><PlainText>true</PlainText></Password></AutoLogon>",
            "<AutoLogon><Password><Value>%AdminPassword%</Value></Password></AutoLogon>",
            "<ProductKey></ProductKey>",
            "<ProductKey><WillShowUI>OnError</WillShowUI></ProductKey>",
            "<HidePasswordPage>PLANTED</HidePasswordPage>",
            "<CommandLine>cmd /c ver</CommandLine>",
        ] {
            let found = of(inside).expect("an answer file").expect("well-formed");
            assert_eq!(found, [""; 0], "{inside}");
        }
        for other in ["", "password=PLANTED", "<unattend/>", "<x xmlns=\"urn:schemas-microsoft-com:unattend\"/>"] {
            assert!(find_in_answer_file(other).is_none(), "{other}");
        }
        // mttaggart/seclab #24: a password whose signs were not escaped.
        let broken =
            of("<Password><Value>a&b<c</Value></Password>").expect("an answer file").expect_err("not well-formed");
        assert!(matches!(broken, SequenceError::Xml(_)), "{broken}");
    }
}
