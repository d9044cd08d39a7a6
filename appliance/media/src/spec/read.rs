// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! From TOML to a definition.

use std::path::Path;

use super::check;
use super::values::environment_name;
use super::{
    ApplicationSpec, ContentSpec, DEFAULT_MEMORY_MIB, ImageSpec, MAX_COMMENT, MAX_CREATED_BY, MAX_NAME, MAX_VALUE,
    MAX_VERSION, MediaSpec, OperatingSystemImageSpec, PackageSpec, PrestartSpec, SpecProblem, TreeSpec, ValueSource,
    VariableSpec, is_variable_name,
};
use crate::VolumeLabel;
use crate::fields::{self, Fields, Located, Report};
use crate::manifest::MediaKind;
use crate::policy::TargetDisk;

pub(super) fn parse(text: &str, file: &Path) -> Result<MediaSpec, Vec<SpecProblem>> {
    let base = file.parent().unwrap_or(Path::new(""));
    fields::read(text, |report, top| Reader { report, base }.document(top))
}

/// Fields that only media with a task sequence have.
const STAND_ALONE_ONLY: [&str; 14] = [
    "target-disk",
    "unattended",
    "password",
    "keyboard",
    "task-sequence",
    "boot-image",
    "operating-system-image",
    "operating-system-upgrade-package",
    "driver-package",
    "application",
    "include-application-dependencies",
    "package",
    "variable",
    "prestart",
];

pub(super) struct Reader<'r, 't> {
    pub(super) report: &'r Report<'t>,
    pub(super) base: &'r Path,
}

impl Reader<'_, '_> {
    fn document(&self, mut top: Fields<'_, '_, '_>) -> Option<MediaSpec> {
        let kind = self.kind(&mut top);
        if let Some(kind) = kind {
            refuse_fields_of_other_kinds(kind, &mut top);
        }
        let id = self.id(&mut top);
        let name = self.short(&mut top, "name", MAX_NAME, true);
        let version = self.short(&mut top, "version", MAX_VERSION, true);
        let revision = top.number("revision");
        if revision.is_none() {
            top.missing("revision", "a whole number that rises with every release");
        }
        let comment = self.short(&mut top, "comment", MAX_COMMENT, false);
        let created_by = self.short(&mut top, "created-by", MAX_CREATED_BY, false);
        let label = self.label(&mut top, id.as_ref(), name.as_ref());
        let created = self.moment(&mut top, "created").map(|at| at.value);
        let validity = self.validity(&mut top);
        let unattended = top.flag("unattended");
        let password = self.password(&mut top);
        let media_size_bytes = self.media_size(&mut top);
        let mut spec = MediaSpec {
            kind: kind.unwrap_or(MediaKind::StandAlone),
            id: text_of(id.as_ref()),
            name: text_of(name.as_ref()),
            version: text_of(version.as_ref()),
            revision: revision.map_or(1, |revision| revision.value),
            comment: text_of(comment.as_ref()),
            created_by: text_of(created_by.as_ref()),
            // Only when something was noted, so that nothing is ever made with it.
            label: label.unwrap_or_else(|| VolumeLabel::new("PLATEN").expect("a plain word")),
            created,
            validity,
            unattended: unattended.is_some_and(|flag| flag.value),
            password,
            keyboard: self.keyboard(&mut top),
            media_size_bytes,
            task_sequence: self.path(&mut top, "task-sequence"),
            boot_kit: self.path(&mut top, "boot-kit"),
            boot_image: None,
            operating_system_image: None,
            driver_packages: Vec::new(),
            applications: Vec::new(),
            include_application_dependencies: top
                .flag("include-application-dependencies")
                .is_none_or(|flag| flag.value),
            packages: Vec::new(),
            upgrade_packages: Vec::new(),
            variables: Vec::new(),
            target_disk: None,
            prestart: None,
            tree: self.tree(&mut top),
            image: self.image(&mut top),
            allow: self.allow(&mut top),
        };
        let mut ids = Vec::new();
        if let Some(mut table) = top.table("boot-image") {
            spec.boot_image = self.content(&mut table, &mut ids);
            table.finish();
        }
        if let Some(mut table) = top.table("operating-system-image") {
            let index = table.number("index").map_or(1, |index| index.value);
            let content = self.content(&mut table, &mut ids);
            spec.operating_system_image = content.map(|content| OperatingSystemImageSpec { content, index });
            check::image_name(&spec, &table);
            table.finish();
        }
        for mut table in top.tables("driver-package") {
            spec.driver_packages.extend(self.content(&mut table, &mut ids));
            table.finish();
        }
        let mut places = Vec::new();
        for mut table in top.tables("application") {
            places.push(table.line);
            let depends_on = self.ids(&mut table, "depends-on");
            let supersedes = self.ids(&mut table, "supersedes");
            let install = self.command(&mut table, "install");
            if let Some(content) = self.content(&mut table, &mut ids) {
                spec.applications.push(ApplicationSpec { content, install, depends_on, supersedes });
            }
            table.finish();
        }
        for mut table in top.tables("package") {
            let install = self.command(&mut table, "install");
            let content = self.content(&mut table, &mut ids);
            spec.packages.extend(content.map(|content| PackageSpec { content, install }));
            table.finish();
        }
        for mut table in top.tables("operating-system-upgrade-package") {
            spec.upgrade_packages.extend(self.content(&mut table, &mut ids));
            table.finish();
        }
        self.variables(&mut top, &mut spec);
        spec.target_disk = self.target_disk(&mut top);
        if let Some(mut table) = top.table("prestart") {
            let command = self.command(&mut table, "command");
            if command.is_none() {
                table.missing("command", "a command line");
            }
            let path = self.path(&mut table, "path");
            let links = self.links(&mut table);
            spec.prestart = command.map(|command| PrestartSpec { command, path, links });
            table.finish();
        }
        check::ids(self.report, &ids);
        check::needed(&spec, kind, &top);
        check::applications(self.report, &spec, &places);
        top.finish();
        Some(spec)
    }

    fn kind(&self, top: &mut Fields<'_, '_, '_>) -> Option<MediaKind> {
        const EXPECTED: &str = "\"stand-alone\", \"tree\" or \"raw\"";
        let Some(text) = top.text("kind") else {
            top.missing("kind", EXPECTED);
            return None;
        };
        match &*text.value {
            "stand-alone" => Some(MediaKind::StandAlone),
            "tree" => Some(MediaKind::Tree),
            "raw" => Some(MediaKind::Raw),
            other => {
                top.note(text.line, "kind", EXPECTED, format!("{other:?}"));
                None
            }
        }
    }

    fn target_disk(&self, top: &mut Fields<'_, '_, '_>) -> Option<TargetDisk> {
        const INTERFACES: [&str; 6] = ["NVMe", "SATA", "SCSI", "USB", "MMC", "virtio"];
        let mut table = top.table("target-disk")?;
        let gigabytes = |table: &mut Fields<'_, '_, '_>, name| {
            table
                .number_within(name, 1..=u32::MAX, " of gigabytes")
                .map(|number| (number.line, u64::from(number.value)))
        };
        let (smallest, largest) = (gigabytes(&mut table, "smallest-gb"), gigabytes(&mut table, "largest-gb"));
        if let (Some((_, smallest)), Some((line, largest))) = (smallest, largest)
            && largest < smallest
        {
            table.note(line, "largest-gb", format!("at least smallest-gb, {smallest}"), largest.to_string());
        }
        let interfaces = table.texts("interfaces");
        for unknown in interfaces.iter().filter(|found| !INTERFACES.contains(&&*found.value)) {
            let expected = format!("of {}", INTERFACES.map(|word| format!("{word:?}")).join(", "));
            table.note(unknown.line, "interfaces", expected, format!("{:?}", unknown.value));
        }
        let rule = TargetDisk {
            erase: table.flag("erase").is_some_and(|flag| flag.value),
            interfaces: interfaces.into_iter().map(|found| found.value).collect(),
            smallest_bytes: smallest.map_or(0, |(_, gigabytes)| gigabytes * 1_000_000_000),
            largest_bytes: largest.map_or(0, |(_, gigabytes)| gigabytes * 1_000_000_000),
            serial_numbers: table.texts("serial-numbers").into_iter().map(|found| found.value).collect(),
        };
        table.finish();
        Some(rule)
    }

    fn tree(&self, top: &mut Fields<'_, '_, '_>) -> Option<TreeSpec> {
        let mut table = top.table("tree")?;
        let (path, links) = (self.needed_path(&mut table), self.links(&mut table));
        table.finish();
        Some(TreeSpec { path: path?, links })
    }

    fn image(&self, top: &mut Fields<'_, '_, '_>) -> Option<ImageSpec> {
        let mut table = top.table("image")?;
        let path = self.needed_path(&mut table);
        let memory_mib = table.number("memory-mib").map_or(DEFAULT_MEMORY_MIB, |number| number.value);
        let grow = table.flag("grow").is_some_and(|flag| flag.value);
        table.finish();
        Some(ImageSpec { path: path?, memory_mib, grow })
    }

    fn content(&self, table: &mut Fields<'_, '_, '_>, ids: &mut Vec<Located<String>>) -> Option<ContentSpec> {
        let id = self.id(table);
        ids.extend(id.clone());
        let name = self.short(table, "name", MAX_NAME, false);
        let version = self.short(table, "version", MAX_VERSION, false);
        let (path, links) = (self.needed_path(table), self.links(table));
        let id = id?.value;
        let name = name.map(|name| name.value).filter(|name| !name.trim().is_empty()).unwrap_or_else(|| id.clone());
        Some(ContentSpec { id, name, version: text_of(version.as_ref()), path: path?, links })
    }

    fn variables(&self, top: &mut Fields<'_, '_, '_>, spec: &mut MediaSpec) {
        let mut names: Vec<String> = Vec::new();
        let mut environment_bytes = 0;
        for mut table in top.tables("variable") {
            let name = table.text("name");
            match &name {
                None => table.missing("name", "a variable's name"),
                Some(name) if name.value.starts_with('_') => {
                    let expected = "a name without a leading '_' (those are built in and read-only)";
                    table.note(name.line, "name", expected, format!("{:?}", name.value));
                }
                Some(name) if !is_variable_name(&name.value) => {
                    let expected = "a letter, then up to 255 of A-Z a-z 0-9 _ -";
                    table.note(name.line, "name", expected, format!("{:?}", name.value));
                }
                Some(name) => {
                    let folded = name.value.to_ascii_lowercase();
                    if names.contains(&folded) {
                        table.note(
                            name.line,
                            "name",
                            "each name once (case does not count)",
                            format!("{:?}", name.value),
                        );
                    }
                    names.push(folded);
                }
            }
            let secret = table.flag("secret");
            if secret.as_ref().is_some_and(|secret| secret.value)
                && spec.password.is_none()
                && !self.report.has("password")
            {
                let expected = "a password for the medium, without which a secret would stand on it in clear";
                table.note(table.line, "secret", expected, "no password");
            }
            let (inline, file, env) = (table.text("value"), table.text("value-file"), table.text("value-env"));
            if let Some(text) = &inline {
                let count = text.value.chars().count();
                if count > MAX_VALUE {
                    table.note(text.line, "value", format!("at most {MAX_VALUE} characters"), count.to_string());
                }
                environment_bytes += text.value.len() as u64;
            }
            let given = [&inline, &file, &env].iter().filter(|source| source.is_some()).count();
            if given != 1 {
                let found = if given == 0 { "none" } else { "several" };
                table.note(table.line, "value", "exactly one of value, value-file, value-env", found);
            }
            let value = match (inline, file, env) {
                (Some(text), ..) => Some(ValueSource::Inline(text.value)),
                (_, Some(file), _) => self.join(&table, "value-file", &file).map(ValueSource::File),
                (.., Some(env)) => environment_name(&table, &env).map(ValueSource::Env),
                _ => None,
            };
            if let (Some(name), Some(value)) = (name, value) {
                environment_bytes += name.value.len() as u64;
                let secret = secret.is_some_and(|secret| secret.value);
                spec.variables.push(VariableSpec { name: name.value, value, secret });
            }
            table.finish();
        }
        check::environment(top, environment_bytes);
    }
}

fn text_of(text: Option<&Located<String>>) -> String {
    text.map(|text| text.value.clone()).unwrap_or_default()
}

fn refuse_fields_of_other_kinds(kind: MediaKind, top: &mut Fields<'_, '_, '_>) {
    let refused: Vec<&'static str> = match kind {
        MediaKind::StandAlone => vec!["tree", "image"],
        MediaKind::Tree => STAND_ALONE_ONLY.into_iter().chain(["image"]).collect(),
        MediaKind::Raw => STAND_ALONE_ONLY.into_iter().chain(["tree", "boot-kit"]).collect(),
    };
    for name in refused {
        if let Some(taken) = top.take(name) {
            top.note(taken.line, name, format!("no such field for kind \"{kind}\""), "one");
        }
    }
}
