// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Times: when a medium was made, and source files whose times can't be right.

use platen_media::Timestamp;
use platen_media::spec::MediaSpec;
use platen_sequence::{Finding, Severity};

use crate::BuildOptions;

/// Clocks of file servers differ by seconds.
const TOLERANCE_S: i64 = 60;
/// Files that are named; the rest is counted.
const MAX_NAMED: usize = 3;

/// A source file and when it was last changed.
#[derive(Debug, Clone)]
pub(crate) struct Dated {
    /// What it is part of, as findings name places.
    pub(crate) of: String,
    pub(crate) path: String,
    pub(crate) modified_s: i64,
}

/// When the medium is made: what the definition says, else `SOURCE_DATE_EPOCH`, else now. Never what its files say.
pub(crate) fn made(spec: &MediaSpec, options: &BuildOptions) -> Timestamp {
    let given = options.source_date_epoch.map(Timestamp::from_unix_s);
    spec.created.or(given).unwrap_or(Timestamp::from_unix_s(options.now_s))
}

/// Whatever is dated later than this computer's clock. A medium made in the future is refused by every computer with a
/// right clock; a file from there shows that its clock or this one is wrong.
pub(crate) fn findings(spec: &MediaSpec, options: &BuildOptions, files: &[Dated]) -> Vec<Finding> {
    let now = Timestamp::from_unix_s(options.now_s);
    let finding =
        |rule, severity, place: &str, text| Finding { rule, severity, place: place.to_owned(), text, fix: None };
    let mut found = Vec::new();
    let made = made(spec, options);
    if made > now {
        let place = if spec.created.is_some() { "created" } else { "SOURCE_DATE_EPOCH" };
        let text = format!("{made} is later than this computer's clock ({now}); correct it, or set the clock");
        found.push(finding("DEF-TIME", Severity::Error, place, text));
    }
    let late: Vec<&Dated> = files.iter().filter(|file| file.modified_s > options.now_s + TOLERANCE_S).collect();
    for of_one in late.chunk_by(|a, b| a.of == b.of) {
        let named = |file: &&Dated| format!("{} ({})", file.path, Timestamp::from_unix_s(file.modified_s));
        let mut names: Vec<String> = of_one.iter().take(MAX_NAMED).map(named).collect();
        if of_one.len() > MAX_NAMED {
            names.push(format!("and {} more", of_one.len() - MAX_NAMED));
        }
        let text = format!(
            "{} file(s) dated later than this computer's clock ({now}): {}; one of the clocks was wrong, or on local time",
            of_one.len(),
            names.join(", ")
        );
        found.push(finding("DEF-TIME", Severity::Warning, &of_one[0].of, text));
    }
    found
}
