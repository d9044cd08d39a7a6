// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What is wrong only when fields are seen together.

use std::collections::HashMap;

use super::{MAX_ENVIRONMENT_BYTES, MediaSpec, software};
use crate::MediaPath;
use crate::fields::{Fields, Located, Report};
use crate::manifest::MediaKind;

/// Folders and contents that authoring itself makes.
const RESERVED_IDS: [&str; 7] = ["prestart", "grub", "boot-kit", "policy", "generated", "tree", "image"];

/// Ids become folder names on FAT, so they must differ in more than case.
pub(super) fn ids(report: &Report<'_>, ids: &[Located<String>]) {
    let mut seen: HashMap<String, &str> = HashMap::new();
    for id in ids {
        let folded = id.value.to_ascii_lowercase();
        if RESERVED_IDS.contains(&&*folded) {
            report.note(id.line, &id.field, "an id that is not reserved", format!("{:?}", id.value));
        }
        if let Some(other) = seen.insert(folded, &id.field) {
            let found = format!("{:?} again (also {other})", id.value);
            report.note(id.line, &id.field, "an id of its own (case does not count)", found);
        }
    }
}

/// The WIM's name on the medium.
pub(super) fn image_name(spec: &MediaSpec, table: &Fields<'_, '_, '_>) {
    let Some(image) = &spec.operating_system_image else { return };
    let path = format!("{}999.swm", image.content.name);
    if path.contains('/') || MediaPath::new(&path).is_err() {
        table.note(table.line, "name", "a name that makes a file name", format!("{:?}", image.content.name));
    }
}

/// What a kind can't do without. A missing boot image is left to the rules for task sequences (SA-35).
pub(super) fn needed(spec: &MediaSpec, kind: Option<MediaKind>, top: &Fields<'_, '_, '_>) {
    let need = |is_there: bool, name: &str, expected: &str| {
        if !is_there {
            top.missing(name, expected);
        }
    };
    match kind {
        Some(MediaKind::StandAlone) => {
            need(spec.task_sequence.is_some(), "task-sequence", "the task sequence's XML file");
            need(spec.boot_kit.is_some(), "boot-kit", "the boot kit's folder");
        }
        Some(MediaKind::Tree) => need(spec.tree.is_some(), "tree", "a table [tree] with the tree's path"),
        Some(MediaKind::Raw) => need(spec.image.is_some(), "image", "a table [image] with the image's path"),
        None => {}
    }
}

/// Dependencies and supersedence.
pub(super) fn applications(report: &Report<'_>, spec: &MediaSpec, lines: &[usize]) {
    let (_, problems) = software::resolve(&spec.applications, spec.include_application_dependencies);
    for problem in problems {
        let line = lines.get(problem.application).copied().unwrap_or(1);
        let field = format!("application[{}].{}", problem.application + 1, problem.field);
        report.note(line, &field, problem.expected, problem.found);
    }
}

/// Inline values; what comes from files and the environment is added while authoring.
pub(super) fn environment(top: &Fields<'_, '_, '_>, found_bytes: u64) {
    if found_bytes > MAX_ENVIRONMENT_BYTES {
        let expected = format!("at most {MAX_ENVIRONMENT_BYTES} bytes of names and values");
        top.note(top.line, "variable", expected, found_bytes.to_string());
    }
}
