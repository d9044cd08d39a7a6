//! A definition with everything small it names: its task sequence and its secrets.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use platen_media::policy::Variable;
use platen_media::spec::{MAX_ENVIRONMENT_BYTES, MAX_SPEC_BYTES, MAX_VALUE, MediaSpec, SecretSource, ValueSource};
use platen_sequence::TaskSequence;

use crate::sources::{Sources, Stamp};
use crate::{AuthorError, BuildOptions};

/// Read and checked; secrets are in the clear here and are printed by nothing.
pub(crate) struct Definition {
    pub(crate) file: PathBuf,
    pub(crate) spec: MediaSpec,
    pub(crate) sequence: Option<TaskSequence>,
    pub(crate) variables: Vec<Variable>,
    pub(crate) password: Option<String>,
    /// Newest time of the files read here, but for the password's: seconds since 1970.
    pub(crate) newest_s: i64,
    /// The files read here.
    pub(crate) sources: Sources,
}

impl Definition {
    pub(crate) fn load(file: &Path, options: &BuildOptions) -> Result<Self, AuthorError> {
        let (mut newest_s, mut sources) = (0, Sources::default());
        let text = read_text(file, MAX_SPEC_BYTES, "the definition", &mut newest_s, &mut sources)?;
        let spec = MediaSpec::parse(&text, file).map_err(AuthorError::Spec)?;
        let sequence = match &spec.task_sequence {
            None => None,
            Some(path) => {
                let limit = platen_sequence::limits::MAX_XML_BYTES as u64;
                let text = read_text(path, limit, "task-sequence", &mut newest_s, &mut sources)?;
                let failed = |source| AuthorError::TaskSequence { path: path.clone(), source };
                Some(TaskSequence::from_xml(&text).map_err(failed)?)
            }
        };
        let password = match &spec.password {
            None => None,
            // Its time says nothing about the medium.
            Some(source) => Some(read_password(source, options, &mut sources)?),
        };
        let mut variables = Vec::new();
        for variable in &spec.variables {
            let what = format!("variable {}", variable.name);
            let value = match &variable.value {
                ValueSource::Inline(value) => value.clone(),
                ValueSource::Env(name) => from_environment(&what, name, options)?,
                ValueSource::File(path) => {
                    // Four bytes a character at most, and a newline.
                    let text = read_text(path, 4 * MAX_VALUE as u64 + 2, &what, &mut newest_s, &mut sources)?;
                    without_newline(&text).to_owned()
                }
            };
            let count = value.chars().count();
            if count > MAX_VALUE {
                return Err(secret(what, "at most 4000 characters", count.to_string()));
            }
            variables.push(Variable { name: variable.name.clone(), value, secret: variable.secret });
        }
        let definition = Self { file: file.to_owned(), spec, sequence, variables, password, newest_s, sources };
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
        let steps = sequence.steps();
        let of_steps = steps.iter().flat_map(|entry| entry.step.variables.iter().map(move |it| (&*entry.path, it)));
        let mut all = sequence.global_variables.iter().map(|it| ("sequence", it)).chain(of_steps);
        match all.find(|(_, variable)| variable.is_secret()) {
            None => Ok(()),
            Some((place, variable)) => Err(secret(
                format!("task sequence: {place}: hidden variable {}", variable.name),
                "a password for the medium, without which a secret would stand on it in clear",
                "no password".into(),
            )),
        }
    }
}

fn secret(what: String, expected: &'static str, found: String) -> AuthorError {
    AuthorError::Secret { what, expected, found }
}

fn read_password(source: &SecretSource, options: &BuildOptions, sources: &mut Sources) -> Result<String, AuthorError> {
    let text = match source {
        SecretSource::Env(name) => from_environment("password", name, options)?,
        SecretSource::File(path) => read_text(path, 4096, "password", &mut 0, sources)?,
    };
    let line = without_newline(&text);
    if line.is_empty() || line.contains(char::is_control) {
        let found = if line.is_empty() { "none" } else { "several lines or control characters" };
        return Err(secret("password".into(), "one line of text", found.into()));
    }
    Ok(line.to_owned())
}

fn from_environment(what: &str, name: &str, options: &BuildOptions) -> Result<String, AuthorError> {
    let found = || secret(what.to_owned(), "the environment variable it names", format!("no {name}"));
    options.environment.get(name).cloned().ok_or_else(found)
}

/// Less one newline at the end, as editors leave it.
fn without_newline(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

/// A text file of at most `limit` bytes. Never shows what is in it.
fn read_text(
    path: &Path,
    limit: u64,
    what: &str,
    newest_s: &mut i64,
    sources: &mut Sources,
) -> Result<String, AuthorError> {
    let problem = |found: String| AuthorError::Contents {
        problems: vec![format!("{what}: {}: expected a text file, found {found}", path.display())],
    };
    let unreadable = |error: std::io::Error| problem(reason(&error));
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(problem("something that is no file".into()));
    }
    *newest_s = (*newest_s).max(std::os::unix::fs::MetadataExt::mtime(&metadata));
    sources.add(path, Stamp::of(&metadata));
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > limit {
        return Err(problem(format!("more than {limit} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| problem("bytes that are not UTF-8".into()))
}

/// Why a file can't be read, in the words of the other problems.
pub(crate) fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "none".into(),
        std::io::ErrorKind::PermissionDenied => "one that may not be read".into(),
        _ => format!("one that can't be read ({error})"),
    }
}
