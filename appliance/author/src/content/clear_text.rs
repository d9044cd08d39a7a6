// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! CONTENT-SECRET, CONTENT-UNREAD: passwords in scripts and answer files among the contents. They stand on every drive in clear,
//! also where the policy is encrypted.

use std::fs::File;

use platen_media::manifest::ContentKind;
use platen_media::read_at_most;
use platen_sequence::SequenceError;
use platen_sequence::lint::{find_in_answer_file, find_secrets};

use super::item::{Item, Planned};
use super::notes::Notes;
use super::walk::SourceFile;

/// Endings of texts that people write passwords into.
const ENDINGS: [&str; 12] = ["bat", "cmd", "ini", "js", "ps1", "psd1", "psm1", "reg", "sh", "vbs", "wsf", "xml"];
/// Where Windows Setup has the keys that it chooses an edition by.
const PRODUCT_KEYS: &str = "sources/product.ini";
/// Longest file that is looked into: scripts are some kilobytes.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// Most files that are looked into; a medium's scripts are some hundreds.
const MAX_FILES: usize = 10_000;
/// Most bytes that are looked into.
const MAX_BYTES: u64 = 256 << 20;

/// Looks into every script and answer file. What is too long or too much is said, for nobody knows what is in it.
pub(crate) fn check(contents: &[Planned], notes: &mut Notes) {
    let (mut files, mut bytes, mut left_out) = (0, 0, 0);
    for content in contents.iter().filter(|content| is_of_people(content.kind)) {
        for item in &content.items {
            let Item::File(file) = item else { continue };
            if !is_text(file.place.as_str()) || is_of_windows_setup(file.place.as_str()) || file.size_bytes() == 0 {
                continue;
            }
            if file.size_bytes() > MAX_FILE_BYTES || files == MAX_FILES || bytes + file.size_bytes() > MAX_BYTES {
                left_out += 1;
                continue;
            }
            (files, bytes) = (files + 1, bytes + file.size_bytes());
            let hints = match hints(file) {
                Ok(hints) => hints,
                Err(error) => {
                    let reason = platen_media::chain(&error);
                    let text = format!(
                        "the answer file was not looked into for secrets, and Windows Setup will refuse it: {reason}"
                    );
                    notes.warning("CONTENT-UNREAD", file.place.as_str(), text);
                    continue;
                }
            };
            for hint in hints {
                let text = format!(
                    "the file has {hint}, which stands on the medium in clear; take it out, or use a variable with \
                     secret = true in a step"
                );
                notes.error("CONTENT-SECRET", file.place.as_str(), text);
            }
        }
    }
    if left_out > 0 {
        let text = format!(
            "{left_out} script(s) were not looked into for secrets: they are longer than {MAX_FILE_BYTES} bytes, or there \
             are more than {MAX_FILES} files or {MAX_BYTES} bytes of them"
        );
        notes.warning("CONTENT-UNREAD", "contents", text);
    }
}

/// What else is on a medium comes from distributions or is made here.
fn is_of_people(kind: ContentKind) -> bool {
    matches!(
        kind,
        ContentKind::Application
            | ContentKind::DriverPackage
            | ContentKind::Package
            | ContentKind::Prestart
            | ContentKind::Tree
    )
}

fn is_text(place: &str) -> bool {
    let ending = place.rsplit_once('.').map_or("", |(_, ending)| ending);
    ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known))
}

/// Windows' own media carry the keys of its editions that activate nothing.
fn is_of_windows_setup(place: &str) -> bool {
    let place = place.to_ascii_lowercase();
    place == PRODUCT_KEYS || place.ends_with(&format!("/{PRODUCT_KEYS}"))
}

fn hints(file: &SourceFile) -> Result<Vec<String>, SequenceError> {
    // A file that can't be read, or that grew, is named when it is read as a whole.
    let Ok(Some(bytes)) = File::open(&file.path).and_then(|open| read_at_most(open, MAX_FILE_BYTES)) else {
        return Ok(Vec::new());
    };
    let text = decoded(&bytes);
    find_in_answer_file(&text).unwrap_or_else(|| Ok(find_secrets(&text)))
}

/// UTF-16 by its mark, as the registry's exports and old scripts are; otherwise UTF-8, of which ANSI spoils some letters only.
fn decoded(bytes: &[u8]) -> String {
    let read: fn([u8; 2]) -> u16 = match bytes {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => return String::from_utf8_lossy(bytes).trim_start_matches('\u{feff}').to_owned(),
    };
    let units: Vec<u16> = bytes[2..].as_chunks::<2>().0.iter().map(|&pair| read(pair)).collect();
    String::from_utf16_lossy(&units)
}
