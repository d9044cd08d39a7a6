// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What was found on a drive, for people.

use std::fmt::Write as _;
use std::path::Path;

use platen_events::Code;
use platen_events::answer::DriveReport;

/// What a drive is, line by line, and the verdict.
pub fn text(path: &Path, good: bool, report: &DriveReport) -> String {
    let mut text = format!("{}\n", path.display());
    let mut line = |word: &str, line: std::fmt::Arguments<'_>| {
        let _ = writeln!(text, "{word:<10} {line}");
    };
    if let Some(medium) = &report.medium {
        let date = |date: &Option<String>| date.clone().unwrap_or_else(|| "any time".to_owned());
        line("medium", format_args!("{}-r{}  {:?}  {} media", medium.id, medium.revision, medium.name, medium.kind));
        line("version", format_args!("{}  made {}", medium.version, medium.created));
        line("valid", format_args!("from {} until {}", date(&medium.valid_from), date(&medium.valid_until)));
        line("signed by", format_args!("{}  manifest sha256:{}", medium.signed_by, medium.manifest_sha256));
        line("layout", format_args!("{}, label {:?}, {} files", medium.scheme, medium.label, medium.files));
        if let Some(record) = &medium.record {
            let (at, station, port) = (&record.verified_at, &record.station, &record.port);
            let vouched =
                medium.station_key.as_ref().map_or(String::new(), |key| format!(", says the station's key {key}"));
            line("written", format_args!("at {at} by {station} in port {port}{vouched}"));
        }
    }
    if let Some(image) = &report.image {
        line("image", format_args!("{image}, compared byte for byte"));
    }
    report.notes.iter().for_each(|note| line("note", format_args!("{note}")));
    report.problems.iter().for_each(|problem| line("problem", format_args!("{}  {}", problem.code, problem.text)));
    if report.more_problems > 0 {
        line("problem", format_args!("and {} more", report.more_problems));
    }
    if good {
        line("verdict", format_args!("READY: {} bytes checked, all as signed", report.checked_bytes));
    } else {
        let code = report.problems.first().and_then(|problem| problem.code.known()).unwrap_or(Code::NotAMedium);
        let entry = code.entry();
        line("verdict", format_args!("{}: {} {}", entry.advice, entry.what, entry.todo));
    }
    text.trim_end().to_owned()
}
