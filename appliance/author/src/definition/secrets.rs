// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Reading the small text files a definition or command line names: passwords, values, definitions. One way for all.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use platen_media::spec::{MAX_VALUE, SecretSource, ValueSource};
use platen_media::{read_at_most, text};

use crate::definition::sources::reason;
use crate::definition::sources::{Sources, Stamp};
use crate::{AuthorError, BuildOptions};

/// Nobody types more than this.
const MAX_PASSWORD_FILE_BYTES: u64 = 4096;
/// Four bytes a character at most, a byte-order mark, and a newline.
const MAX_VALUE_FILE_BYTES: u64 = 4 * MAX_VALUE as u64 + 8;

/// A text file's content, and when it was last changed.
pub(crate) struct TextFile {
    pub(crate) text: String,
    pub(crate) modified_s: i64,
}

/// The password in a file: its one line, whichever system's editor wrote it.
pub fn read_password_file(path: &Path) -> Result<String, AuthorError> {
    let file = read_text(path, MAX_PASSWORD_FILE_BYTES, "password", &mut Sources::default())?;
    one_line(format!("password file {}", path.display()), &file.text)
}

/// The medium's password.
pub(crate) fn password(
    source: &SecretSource,
    options: &BuildOptions,
    sources: &mut Sources,
) -> Result<String, AuthorError> {
    let text = match source {
        SecretSource::File(path) => read_text(path, MAX_PASSWORD_FILE_BYTES, "password", sources)?.text,
        SecretSource::Env(name) => from_environment("password", name, options)?,
    };
    one_line("password".to_owned(), &text)
}

fn one_line(what: String, text: &str) -> Result<String, AuthorError> {
    text::password(text).map_err(|error| secret(what, "one line of text", error.to_string()))
}

/// A variable's value, and when its file was last changed if it is from one. Less one newline at its end.
pub(crate) fn value(
    what: &str,
    source: &ValueSource,
    options: &BuildOptions,
    sources: &mut Sources,
) -> Result<(String, Option<i64>), AuthorError> {
    let (value, modified_s) = match source {
        ValueSource::Inline(value) => (value.clone(), None),
        ValueSource::Env(name) => {
            let found = from_environment(what, name, options)?;
            (text::without_newline(found.trim_start_matches('\u{feff}')).to_owned(), None)
        }
        ValueSource::File(path) => {
            let file = read_text(path, MAX_VALUE_FILE_BYTES, what, sources)?;
            (text::without_newline(&file.text).to_owned(), Some(file.modified_s))
        }
    };
    match value.chars().count() {
        count if count > MAX_VALUE => Err(secret(what.to_owned(), "at most 4000 characters", count.to_string())),
        _ => Ok((value, modified_s)),
    }
}

pub(crate) fn secret(what: String, expected: &'static str, found: String) -> AuthorError {
    AuthorError::Secret { what, expected, found }
}

fn from_environment(what: &str, name: &str, options: &BuildOptions) -> Result<String, AuthorError> {
    let none = || secret(what.to_owned(), "the environment variable it names", format!("no {name}"));
    options.environment.get(name).cloned().ok_or_else(none)
}

/// A text file of at most `limit_bytes`, which is noted in `sources`. Never shows what is in it.
pub(crate) fn read_text(
    path: &Path,
    limit_bytes: u64,
    what: &str,
    sources: &mut Sources,
) -> Result<TextFile, AuthorError> {
    let problem = |found: String| AuthorError::Contents {
        problems: vec![format!("{what}: {}: expected a text file, found {found}", path.display())],
    };
    let unreadable = |error: std::io::Error| problem(reason(&error));
    // Before it is opened: opening a pipe would wait for ever.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(problem("something that is no file".into()));
    }
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    sources.add(path, Stamp::of(&metadata));
    let bytes = read_at_most(file, limit_bytes).map_err(unreadable)?;
    let bytes = bytes.ok_or_else(|| problem(format!("more than {limit_bytes} bytes")))?;
    let text = text::decode(&bytes).map_err(|error| problem(error.to_string()))?;
    Ok(TextFile { text, modified_s: metadata.mtime() })
}
