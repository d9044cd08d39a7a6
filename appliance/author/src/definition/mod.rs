// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A definition with everything small it names: its task sequence and its secrets.

pub(crate) mod rules;
pub(crate) mod secrets;
pub(crate) mod sources;
pub(crate) mod times;

use std::path::{Path, PathBuf};

use platen_media::policy::MediaVariable;
use platen_media::spec::{MAX_ENVIRONMENT_BYTES, MAX_SPEC_BYTES, MediaSpec, ValueSource};
use platen_sequence::TaskSequence;

use self::secrets::{TextFile, read_text, secret};
use self::sources::Sources;
use self::times::Dated;
use crate::{AuthorError, BuildOptions};

/// Read and checked; secrets are in the clear here and are printed by nothing.
pub(crate) struct Definition {
    pub(crate) file: PathBuf,
    pub(crate) spec: MediaSpec,
    pub(crate) sequence: Option<TaskSequence>,
    pub(crate) variables: Vec<MediaVariable>,
    pub(crate) password: Option<String>,
    /// The files read here, but for the password's, whose time says nothing of the medium.
    pub(crate) dated: Vec<Dated>,
    /// The files read here, the password's among them.
    pub(crate) sources: Sources,
}

/// A sequence in Platen's own form, with its scripts, or in XML.
fn task_sequence(
    path: &Path,
    sources: &mut Sources,
    note: &mut impl FnMut(&str, &Path, i64),
) -> Result<TaskSequence, AuthorError> {
    const OF: &str = "task-sequence";
    let limit_bytes = platen_sequence::limits::MAX_XML_BYTES as u64;
    let TextFile { text, modified_s } = read_text(path, limit_bytes, OF, sources)?;
    note(OF, path, modified_s);
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut script = |name: &str| {
        let path = folder.join(name);
        let file = read_text(&path, limit_bytes, OF, sources).map_err(|error| error.to_string())?;
        note(OF, &path, file.modified_s);
        Ok(file.text)
    };
    let sequence = match path.extension() {
        Some(extension) if extension == "toml" => TaskSequence::from_toml(&text, &mut script),
        _ => TaskSequence::from_xml(&text),
    };
    sequence.map_err(|source| AuthorError::TaskSequence { path: path.to_owned(), source })
}

impl Definition {
    pub(crate) fn load(file: &Path, options: &BuildOptions) -> Result<Self, AuthorError> {
        let (mut dated, mut sources) = (Vec::new(), Sources::default());
        let mut note = |of: &str, path: &Path, modified_s| {
            dated.push(Dated { of: of.to_owned(), path: path.display().to_string(), modified_s });
        };
        let TextFile { text, modified_s } = read_text(file, MAX_SPEC_BYTES, "the definition", &mut sources)?;
        note("the definition", file, modified_s);
        let spec = MediaSpec::parse(&text, file).map_err(AuthorError::Spec)?;
        let sequence = match &spec.task_sequence {
            None => None,
            Some(path) => Some(task_sequence(path, &mut sources, &mut note)?),
        };
        let password = spec.password.as_ref();
        let password = password.map(|source| secrets::password(source, options, &mut sources)).transpose()?;
        let mut variables = Vec::new();
        for variable in &spec.variables {
            let what = format!("variable {}", variable.name);
            let (value, modified_s) = secrets::value(&what, &variable.value, options, &mut sources)?;
            if let (ValueSource::File(path), Some(modified_s)) = (&variable.value, modified_s) {
                note(&what, path, modified_s);
            }
            variables.push(MediaVariable { name: variable.name.clone(), value, secret: variable.secret });
        }
        let definition = Self { file: file.to_owned(), spec, sequence, variables, password, dated, sources };
        definition.check()?;
        Ok(definition)
    }

    /// What no single field shows.
    fn check(&self) -> Result<(), AuthorError> {
        let own: u64 = self.variables.iter().map(|it| (it.name.len() + it.value.len()) as u64).sum();
        let all = own + self.sequence.as_ref().map_or(0, TaskSequence::environment_bytes);
        if all > MAX_ENVIRONMENT_BYTES {
            let what = "variables of definition and task sequence".to_owned();
            return Err(secret(what, "at most 33554432 bytes of names and values", all.to_string()));
        }
        if self.password.is_some() {
            return Ok(());
        }
        let Some(sequence) = &self.sequence else { return Ok(()) };
        // One that is not marked is a finding of the rules, with all its fellows.
        match sequence.secrets().iter().find(|secret| secret.marked) {
            None => Ok(()),
            Some(found) => Err(secret(
                format!("task sequence: {}: secret variable {}", found.place, found.name),
                "a password for the medium, without which a secret would stand on it in clear",
                "no password".into(),
            )),
        }
    }
}
