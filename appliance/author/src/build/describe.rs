// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Manifests as people read and compare them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use platen_media::Moment;
use platen_media::manifest::{Content, FileRecord, Manifest};

use crate::DriveNeeds;

/// Several lines about a medium.
pub fn describe(manifest: &Manifest) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<14}{value}");
    };
    line("Medium", format!("{} revision {}", manifest.id, manifest.revision));
    line("Kind", manifest.kind.to_string());
    line("Name", manifest.name.clone());
    line("Version", manifest.version.clone());
    if !manifest.comment.is_empty() {
        line("Comment", manifest.comment.clone());
    }
    line("Label", manifest.label.to_string());
    line("Created", manifest.created.to_string());
    line("Valid from", moment(manifest.validity.from));
    line("Valid until", moment(manifest.validity.until));
    line("Unattended", yes_no(manifest.unattended));
    line("Password", yes_no(manifest.password_required));
    line("BIOS boot", yes_no(manifest.bios.is_some()));
    if let Some(limit) = manifest.size_limit_bytes {
        line("Media size", format!("at most {limit} bytes"));
    }
    if let Some(needs) = DriveNeeds::of(manifest) {
        line("Drive", needs.to_string());
    }
    match &manifest.image {
        Some(image) => {
            let stored: u64 = image.parts.iter().map(|part| part.size_bytes).sum();
            let (size, needed) = (image.size_bytes, image.needed_bytes());
            line("Image", format!("{size} bytes, {stored} of them not zero; a drive needs {needed}"));
        }
        None => {
            line("Files", format!("{} with {} bytes", manifest.files.len(), manifest.content_bytes()));
            if !manifest.folders.is_empty() {
                line("Empty folders", manifest.folders.len().to_string());
            }
        }
    }
    let _ = writeln!(text, "Contents");
    for (at, content) in manifest.contents.iter().enumerate() {
        let files = manifest.files.iter().filter(|file| file.content as usize == at).count();
        let _ = writeln!(
            text,
            "  {:<24}{:<34}{:<34}{files:>8} files {:>16} bytes",
            content.kind.to_string(),
            content.id,
            content.version,
            content.size_bytes
        );
    }
    text
}

fn moment(at: Option<Moment>) -> String {
    at.map_or("no limit".to_owned(), |at| at.to_string())
}

fn yes_no(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

/// What became different from `old` to `new`, one line each; empty when nothing did.
pub fn diff(old: &Manifest, new: &Manifest) -> Vec<String> {
    let mut lines = Vec::new();
    let mut field = |name: &str, old: String, new: String| {
        if old != new {
            lines.push(format!("{name}: {old} -> {new}"));
        }
    };
    field("id", old.id.clone(), new.id.clone());
    field("kind", old.kind.to_string(), new.kind.to_string());
    field("name", old.name.clone(), new.name.clone());
    field("version", old.version.clone(), new.version.clone());
    field("revision", old.revision.to_string(), new.revision.to_string());
    field("comment", old.comment.clone(), new.comment.clone());
    field("label", old.label.to_string(), new.label.to_string());
    field("created", old.created.to_string(), new.created.to_string());
    field("valid from", moment(old.validity.from), moment(new.validity.from));
    field("valid until", moment(old.validity.until), moment(new.validity.until));
    field("unattended", yes_no(old.unattended), yes_no(new.unattended));
    field("password", yes_no(old.password_required), yes_no(new.password_required));
    let size = |limit: Option<u64>| limit.map_or("no limit".to_owned(), |limit| format!("{limit} bytes"));
    let needs = |manifest: &Manifest| DriveNeeds::of(manifest).map_or("not said".to_owned(), |needs| needs.to_string());
    field("drive", needs(old), needs(new));
    field("media size", size(old.size_limit_bytes), size(new.size_limit_bytes));
    let boot = |manifest: &Manifest| match &manifest.bios {
        None => "none".to_owned(),
        Some(bios) => {
            let codes: Vec<_> = bios.records.iter().map(|record| record.core_blake3.to_string()).collect();
            codes.iter().map(|code| &code[..12]).collect::<Vec<_>>().join(", ")
        }
    };
    field("BIOS boot code", boot(old), boot(new));
    if old.image != new.image {
        let size = |manifest: &Manifest| manifest.image.as_ref().map_or(0, |image| image.size_bytes);
        lines.push(format!("disk image: changed ({} -> {} bytes)", size(old), size(new)));
    }
    contents(old, new, &mut lines);
    files(old, new, &mut lines);
    folders(old, new, &mut lines);
    lines
}

fn contents(old: &Manifest, new: &Manifest, lines: &mut Vec<String>) {
    let by_id = |manifest: &Manifest| -> BTreeMap<String, Content> {
        manifest.contents.iter().map(|content| (content.id.clone(), content.clone())).collect()
    };
    let (before, after) = (by_id(old), by_id(new));
    for (id, content) in &before {
        match after.get(id) {
            None => lines.push(format!("content removed: {} {id}", content.kind)),
            Some(now) if now != content => {
                let mut changes = Vec::new();
                if now.version != content.version {
                    changes.push(format!("version {:?} -> {:?}", content.version, now.version));
                }
                if now.name != content.name {
                    changes.push(format!("name {:?} -> {:?}", content.name, now.name));
                }
                if now.size_bytes != content.size_bytes {
                    changes.push(format!("{} -> {} bytes", content.size_bytes, now.size_bytes));
                }
                if now.kind != content.kind {
                    changes.push(format!("{} -> {}", content.kind, now.kind));
                }
                lines.push(format!("content changed: {} {id}: {}", content.kind, changes.join(", ")));
            }
            Some(_) => {}
        }
    }
    for (id, content) in after.iter().filter(|(id, _)| !before.contains_key(*id)) {
        lines.push(format!("content added: {} {id} ({} bytes)", content.kind, content.size_bytes));
    }
}

fn files(old: &Manifest, new: &Manifest, lines: &mut Vec<String>) {
    fn by_path(manifest: &Manifest) -> BTreeMap<&str, &FileRecord> {
        manifest.files.iter().map(|file| (file.path.as_str(), file)).collect()
    }
    let (before, after) = (by_path(old), by_path(new));
    for (path, file) in &before {
        match after.get(path) {
            None => lines.push(format!("file removed: {path}")),
            Some(now) if now.sha256 != file.sha256 => {
                lines.push(format!("file changed: {path} ({} -> {} bytes)", file.size_bytes, now.size_bytes));
            }
            Some(now) if now.modified != file.modified => {
                let (before, after) = (moment_of(file), moment_of(now));
                lines.push(format!("file's time changed: {path} ({before} -> {after})"));
            }
            Some(_) => {}
        }
    }
    for (path, file) in after.iter().filter(|(path, _)| !before.contains_key(*path)) {
        lines.push(format!("file added: {path} ({} bytes)", file.size_bytes));
    }
}

fn moment_of(file: &FileRecord) -> String {
    file.modified.map_or("that of the medium".to_owned(), |modified| modified.to_string())
}

fn folders(old: &Manifest, new: &Manifest, lines: &mut Vec<String>) {
    let removed = old.folders.iter().filter(|folder| !new.folders.contains(folder));
    lines.extend(removed.map(|folder| format!("empty folder removed: {folder}")));
    let added = new.folders.iter().filter(|folder| !old.folders.contains(folder));
    lines.extend(added.map(|folder| format!("empty folder added: {folder}")));
}
