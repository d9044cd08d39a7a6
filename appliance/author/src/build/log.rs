// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The creation log: what went on a medium and how it went, for people, without any secret. The same medium gives
//! the same log.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use platen_media::manifest::Manifest;
use platen_media::policy::MASK;
use platen_media::{Moment, Sha256, Timestamp};
use platen_sequence::Finding;

use crate::content::wim::Split;
use crate::definition::Definition;
use crate::definition::rules::{is_secret, shows_secret};
use crate::{AuthorError, DriveNeeds};

/// Grows while a medium is made. It is written after a failure too.
pub(crate) struct Log {
    path: PathBuf,
    text: String,
    /// Masked wherever they may have got to.
    secrets: Vec<String>,
}

/// Shorter texts stand in a log for other reasons.
const SHORTEST_SECRET: usize = 4;

impl Log {
    pub(crate) fn new(out: &Path, definition: &Definition) -> Self {
        let spec = &definition.spec;
        let path = out.join(format!("{}-r{}.log", spec.id, spec.revision));
        let of_medium = definition.variables.iter().filter(|it| is_secret(it)).map(|it| it.value.clone());
        let mut secrets: Vec<String> = of_medium.chain(definition.password.clone()).collect();
        if let Some(sequence) = &definition.sequence {
            secrets.extend(sequence.secrets().into_iter().map(|secret| secret.value));
        }
        secrets.retain(|secret| secret.chars().count() >= SHORTEST_SECRET);
        // A secret that is part of another one goes after it.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self { path, text: String::new(), secrets }
    }

    fn line(&mut self, name: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.text, "{name:<18}{value}");
    }

    fn heading(&mut self, text: &str) {
        let _ = writeln!(self.text, "\n{text}");
    }

    fn item(&mut self, text: impl std::fmt::Display) {
        let _ = writeln!(self.text, "  {text}");
    }

    pub(crate) fn definition(&mut self, definition: &Definition) {
        let spec = &definition.spec;
        let _ = writeln!(self.text, "Creation log of {} revision {}\n", spec.id, spec.revision);
        self.line("Kind", spec.kind);
        self.line("Name", &spec.name);
        self.line("Version", &spec.version);
        self.line("Label", spec.label);
        if !spec.comment.is_empty() {
            self.line("Comment", &spec.comment);
        }
        if !spec.created_by.is_empty() {
            self.line("Created by", &spec.created_by);
        }
        let moment = |at: Option<Moment>| at.map_or("no limit".to_owned(), |at| at.to_string());
        self.line("Valid from", moment(spec.validity.from));
        self.line("Valid until", moment(spec.validity.until));
        if let Some(limit) = spec.media_size_bytes {
            self.line("Media size", format!("at most {limit} bytes"));
        }
        let Some(sequence) = &definition.sequence else { return };
        self.line("Unattended", if spec.unattended { "yes" } else { "no" });
        self.line("Password", if definition.password.is_some() { "yes" } else { "no" });
        if let Some(prestart) = &spec.prestart {
            let command = if shows_secret(&prestart.command) { MASK } else { &prestart.command };
            self.line("Prestart command", command);
        }
        self.heading("Variables");
        for variable in &definition.variables {
            let value = if is_secret(variable) { MASK } else { &variable.value };
            self.item(format!("{}={value:?}", variable.name));
        }
        if definition.variables.is_empty() {
            self.item("none");
        }
        self.heading("Task sequence");
        for line in sequence.outline().lines() {
            // Conditions compare with values; some of them are nobody's business.
            self.item(if shows_secret(line) { MASK } else { line });
        }
    }

    pub(crate) fn findings(&mut self, findings: &[Finding]) {
        self.heading("Rules");
        if findings.is_empty() {
            self.item("all kept");
        }
        for finding in findings {
            self.item(finding);
        }
    }

    pub(crate) fn findings_while_reading(&mut self, findings: &[Finding]) {
        if !findings.is_empty() {
            self.heading("Found while reading");
        }
        for finding in findings {
            self.item(finding);
        }
    }

    pub(crate) fn splits(&mut self, splits: &[Split]) {
        if splits.is_empty() {
            return;
        }
        self.heading("Split WIMs");
        for split in splits {
            let solid = if split.was_solid { ", exported from solid first" } else { "" };
            let parts = split.parts.len();
            self.item(format!("{}: {} bytes, {parts} parts{solid}", split.place, split.size_bytes));
            for (place, size_bytes) in &split.parts {
                self.item(format!("  {place}: {size_bytes} bytes"));
            }
        }
    }

    pub(crate) fn contents(&mut self, manifest: &Manifest) {
        self.heading("Contents");
        for (at, content) in manifest.contents.iter().enumerate() {
            let files = manifest.files.iter().filter(|file| file.content as usize == at).count();
            let version = if content.version.is_empty() { "" } else { " version " };
            let what = match &manifest.image {
                Some(image) => format!("{} parts", image.parts.len()),
                None => format!("{files} files"),
            };
            self.item(format!(
                "{} {}{version}{} ({}): {what}, {} bytes",
                content.kind, content.id, content.version, content.name, content.size_bytes
            ));
        }
        self.item(format!("all: {} bytes in {} blobs", manifest.content_bytes(), manifest.blobs.len()));
        if let Some(needs) = DriveNeeds::of(manifest) {
            self.item(format!("all: {needs}"));
        }
    }

    pub(crate) fn signed(&mut self, created: Timestamp, digest: Sha256, key_id: &str) {
        self.heading("Result");
        self.item(format!("created         {created}"));
        self.item(format!("manifest        sha256:{digest}"));
        self.item(format!("signed by key   {key_id}"));
    }

    pub(crate) fn failed(&mut self, error: &AuthorError) {
        self.heading("Failed");
        self.item(error.chain());
        self.item("nothing was published");
    }

    /// Replaces an earlier log of the same revision.
    pub(crate) fn write(&self) -> Result<PathBuf, AuthorError> {
        let failed = AuthorError::io("writing", &self.path);
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let text = self.secrets.iter().fold(self.text.clone(), |text, secret| text.replace(&**secret, MASK));
        let write = || -> std::io::Result<()> {
            use std::io::Write as _;
            use std::os::unix::fs::PermissionsExt;
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(text.as_bytes())?;
            file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
            file.as_file().sync_all()?;
            file.persist(&self.path).map_err(|error| error.error)?;
            Ok(())
        };
        write().map_err(failed)?;
        Ok(self.path.clone())
    }
}
