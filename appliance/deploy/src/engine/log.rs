// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The log of a sequence, in the form that Configuration Manager's log viewer reads: one entry is
//! `<![LOG[text]LOG]!><time="…" date="…" component="…" context="" type="1" thread="" file="">`.
//!
//! Secrets are masked by whoever hands a text in; a text can't end its entry early.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use platen_media::Timestamp;

/// Below the state's folder.
pub const LOG: &str = "Logs/smsts.log";
/// When it is larger, it becomes `smsts-old.log` and a new one begins.
const MAX_BYTES: u64 = 4 << 20;

/// How bad an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Information = 1,
    /// Something was passed over or forgiven.
    Warning = 2,
    /// A step failed.
    Error = 3,
}

/// Adds an entry to the log in a state's folder.
pub fn add(folder: &Path, at: Timestamp, level: Level, text: &str) -> io::Result<()> {
    let path = folder.join(LOG);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    if std::fs::metadata(&path).is_ok_and(|log| log.len() > MAX_BYTES) {
        std::fs::rename(&path, path.with_file_name("smsts-old.log"))?;
    }
    let mut file: File = OpenOptions::new().create(true).append(true).open(&path)?;
    file.write_all(entry(at, level, text).as_bytes())
}

fn entry(at: Timestamp, level: Level, text: &str) -> String {
    let text = text.replace("]LOG]", "]LOG ]").replace(['\r', '\0'], "");
    let at = at.to_string();
    let (date, time) = at.trim_end_matches('Z').split_once('T').unwrap_or((&at, "00:00:00"));
    let mut parts = date.split('-');
    let (year, month, day) =
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    format!(
        "<![LOG[{text}]LOG]!><time=\"{time}.000+000\" date=\"{month}-{day}-{year}\" component=\"TSManager\" \
         context=\"\" type=\"{}\" thread=\"1\" file=\"platen-deploy\">\r\n",
        level as u8
    )
}

/// The last entries' texts, for an error screen.
pub fn last(folder: &Path, count: usize) -> Vec<String> {
    let log = std::fs::read(folder.join(LOG)).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let texts: Vec<&str> =
        log.split("<![LOG[").skip(1).filter_map(|entry| entry.split_once("]LOG]!>").map(|(text, _)| text)).collect();
    texts[texts.len().saturating_sub(count)..].iter().map(|text| (*text).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_what_the_viewer_reads_and_can_not_be_forged() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = Timestamp::from_unix_s(1_790_000_000);
        add(folder.path(), at, Level::Information, "one").expect("writes");
        add(folder.path(), at, Level::Error, "two]LOG]!><![LOG[three").expect("writes");
        let text = std::fs::read_to_string(folder.path().join(LOG)).expect("a log");
        let (first, _) = text.split_once("\r\n").expect("a line");
        assert_eq!(
            first,
            "<![LOG[one]LOG]!><time=\"14:13:20.000+000\" date=\"09-21-2026\" component=\"TSManager\" context=\"\" \
             type=\"1\" thread=\"1\" file=\"platen-deploy\">"
        );
        assert_eq!(text.matches("]LOG]!>").count(), 2);
        assert_eq!(last(folder.path(), 1), ["three"]);
        assert_eq!(last(&folder.path().join("none"), 3), Vec::<String>::new());
    }

    #[test]
    fn a_long_log_begins_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let long = "x".repeat(1 << 20);
        for _ in 0..6 {
            add(folder.path(), Timestamp::from_unix_s(0), Level::Warning, &long).expect("writes");
        }
        let length = |name: &str| std::fs::metadata(folder.path().join("Logs").join(name)).expect("a log").len();
        assert!(length("smsts.log") < 3 << 20, "{}", length("smsts.log"));
        assert!(length("smsts-old.log") > 4 << 20);
    }
}
