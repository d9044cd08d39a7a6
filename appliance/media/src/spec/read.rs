// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! From TOML to a definition.

use std::path::{Path, PathBuf};

use time::{Date, Month, PrimitiveDateTime, Time, UtcOffset};
use toml::de::{DeTable, DeValue};
use toml::value::{Datetime, Offset};

use super::check;
use super::fields::{Fields, Located, Report, kind};
use super::{
    ALLOWABLE, ApplicationSpec, ContentSpec, DEFAULT_MEMORY_MIB, ImageSpec, Links, MAX_COMMENT, MAX_CREATED_BY,
    MAX_NAME, MAX_VALUE, MAX_VERSION, MediaSpec, OperatingSystemImageSpec, PackageSpec, PrestartSpec, SecretSource,
    SpecProblem, TreeSpec, ValueSource, VariableSpec, is_variable_name,
};
use crate::keyboard::Keyboard;
use crate::manifest::{MediaKind, Validity, is_id, is_unprintable};
use crate::{Timestamp, VolumeLabel};

pub(super) fn parse(text: &str, file: &Path) -> Result<MediaSpec, Vec<SpecProblem>> {
    let report = Report::new(text);
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let line = report.line(error.span().map_or(0, |span| span.start));
        report.note(line, "TOML", "valid TOML", error.message());
    }
    if !errors.is_empty() {
        return Err(report.into_problems());
    }
    let base = file.parent().unwrap_or(Path::new(""));
    let reader = Reader { report: &report, base };
    let spec = reader.document(Fields::new(&report, document.get_ref(), 1, String::new()));
    match (spec, report.into_problems()) {
        (Some(spec), problems) if problems.is_empty() => Ok(spec),
        (_, problems) => Err(problems),
    }
}

/// Fields that only media with a task sequence have.
const STAND_ALONE_ONLY: [&str; 12] = [
    "unattended",
    "password",
    "keyboard",
    "task-sequence",
    "boot-image",
    "operating-system-image",
    "driver-package",
    "application",
    "include-application-dependencies",
    "package",
    "variable",
    "prestart",
];

pub(super) struct Reader<'r, 't> {
    pub(super) report: &'r Report<'t>,
    base: &'r Path,
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
        let created = self.moment(&mut top, "created", false).map(|at| at.value);
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
            variables: Vec::new(),
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
        self.variables(&mut top, &mut spec);
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

    fn id(&self, table: &mut Fields<'_, '_, '_>) -> Option<Located<String>> {
        const EXPECTED: &str = "1 to 32 of A-Z a-z 0-9 - _ . that make a file name";
        match table.text("id") {
            Some(id) if is_id(&id.value) => Some(id),
            Some(id) => {
                table.note(id.line, "id", EXPECTED, format!("{:?}", id.value));
                None
            }
            None => {
                table.missing("id", EXPECTED);
                None
            }
        }
    }

    fn keyboard(&self, top: &mut Fields<'_, '_, '_>) -> Keyboard {
        let Some(text) = top.text("keyboard") else { return Keyboard::default() };
        text.value.parse().unwrap_or_else(|_| {
            let names = Keyboard::ALL.map(|keyboard| format!("\"{keyboard}\"")).join(", ");
            top.note(text.line, "keyboard", format!("one of {names}"), format!("{:?}", text.value));
            Keyboard::default()
        })
    }

    /// A text on one line with a limit in characters.
    fn short(
        &self,
        table: &mut Fields<'_, '_, '_>,
        name: &'static str,
        limit: usize,
        needed: bool,
    ) -> Option<Located<String>> {
        let Some(text) = table.text(name) else {
            if needed {
                table.missing(name, &format!("a text of 1 to {limit} characters"));
            }
            return None;
        };
        let count = text.value.chars().count();
        if count > limit {
            table.note(text.line, name, format!("at most {limit} characters"), count.to_string());
        } else if text.value.contains(is_unprintable) {
            table.note(text.line, name, "one line of text", format!("{:?}", text.value));
        } else if needed && text.value.trim().is_empty() {
            table.note(text.line, name, format!("1 to {limit} characters"), "none");
        }
        Some(text)
    }

    fn command(&self, table: &mut Fields<'_, '_, '_>, name: &'static str) -> Option<String> {
        let text = table.text(name)?;
        if text.value.trim().is_empty() || text.value.contains(['\n', '\r', '\0']) {
            table.note(
                text.line,
                name,
                "a command on one line",
                if text.value.is_empty() { "none" } else { "another" },
            );
        }
        if text.value.chars().count() > 32_767 {
            table.note(text.line, name, "at most 32767 characters", text.value.chars().count().to_string());
        }
        Some(text.value)
    }

    fn ids(&self, table: &mut Fields<'_, '_, '_>, name: &'static str) -> Vec<String> {
        let texts = table.texts(name);
        for text in &texts {
            if !is_id(&text.value) {
                table.note(text.line, name, "ids of applications", format!("{:?}", text.value));
            }
        }
        texts.into_iter().map(|text| text.value).collect()
    }

    fn join(&self, table: &Fields<'_, '_, '_>, name: &str, text: &Located<String>) -> Option<PathBuf> {
        if text.value.is_empty() || text.value.contains('\0') {
            table.note(text.line, name, "a path", format!("{:?}", text.value));
            return None;
        }
        Some(self.base.join(&text.value))
    }

    fn path(&self, table: &mut Fields<'_, '_, '_>, name: &'static str) -> Option<PathBuf> {
        let text = table.text(name)?;
        self.join(table, name, &text)
    }

    fn needed_path(&self, table: &mut Fields<'_, '_, '_>) -> Option<PathBuf> {
        let path = self.path(table, "path");
        if path.is_none() {
            table.missing("path", "a path");
        }
        path
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

    fn links(&self, table: &mut Fields<'_, '_, '_>) -> Links {
        let Some(text) = table.text("links") else { return Links::Refuse };
        match &*text.value {
            "follow" => Links::Follow,
            "skip" => Links::Skip,
            other => {
                table.note(text.line, "links", "\"follow\" or \"skip\"", format!("{other:?}"));
                Links::Refuse
            }
        }
    }

    fn allow(&self, top: &mut Fields<'_, '_, '_>) -> Vec<String> {
        let names = top.texts("allow");
        for name in names.iter().filter(|name| !ALLOWABLE.contains(&&*name.value)) {
            let expected = format!("names of findings that may be allowed ({})", ALLOWABLE.join(", "));
            top.note(name.line, "allow", expected, format!("{:?}", name.value));
        }
        names.into_iter().map(|name| name.value).collect()
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

    fn label(
        &self,
        top: &mut Fields<'_, '_, '_>,
        id: Option<&Located<String>>,
        name: Option<&Located<String>>,
    ) -> Option<VolumeLabel> {
        if let Some(text) = top.text("label") {
            return match VolumeLabel::new(&text.value) {
                Ok(label) => Some(label),
                Err(_) => {
                    let expected =
                        "1 to 11 of A-Z 0-9 space - _ ! # $ % & ' ( ) @ ^ ` { } ~, no space first, and not NO NAME";
                    top.note(text.line, "label", expected, format!("{:?}", text.value));
                    None
                }
            };
        }
        let whole = |text: Option<&Located<String>>| VolumeLabel::new(&text?.value).ok();
        let cut = |id: &str| id.chars().map(|c| if c == '.' { '_' } else { c }).take(11).collect::<String>();
        // Ids have no spaces, so what is cut off is a label.
        whole(name).or_else(|| whole(id)).or_else(|| VolumeLabel::new(&cut(&id?.value)).ok())
    }

    /// A date or a time. A date alone is its first second, or its last one for ends.
    fn moment(&self, top: &mut Fields<'_, '_, '_>, name: &'static str, end: bool) -> Option<Located<Timestamp>> {
        const EXPECTED: &str = "a date such as 2026-11-21 or a time such as 2026-11-21T09:30:00Z";
        let taken = top.take(name)?;
        let found = match taken.value {
            DeValue::Datetime(datetime) => timestamp(datetime, end),
            DeValue::String(text) => text.parse().ok().or_else(|| timestamp(&text.parse().ok()?, end)),
            _ => None,
        };
        if found.is_none() {
            let found = match taken.value {
                DeValue::Datetime(datetime) => datetime.to_string(),
                DeValue::String(text) => format!("{text:?}"),
                other => kind(other),
            };
            top.note(taken.line, name, EXPECTED, found);
        }
        found.map(|found| taken.with(found))
    }

    fn validity(&self, top: &mut Fields<'_, '_, '_>) -> Validity {
        let from = self.moment(top, "valid-from", false);
        let until = self.moment(top, "valid-until", true);
        if let (Some(from), Some(until)) = (&from, &until)
            && from.value > until.value
        {
            top.note(
                until.line,
                "valid-until",
                format!("a time after valid-from ({})", from.value),
                until.value.to_string(),
            );
        }
        Validity { from: from.map(|from| from.value), until: until.map(|until| until.value) }
    }

    fn password(&self, top: &mut Fields<'_, '_, '_>) -> Option<SecretSource> {
        const EXPECTED: &str =
            "{ file = \"...\" } or { env = \"...\" } (a password never stands in the definition itself)";
        let taken = top.take("password")?;
        let Some(table) = taken.value.as_table() else {
            top.note(taken.line, "password", EXPECTED, kind(taken.value));
            return None;
        };
        let mut table = Fields::new(self.report, table, taken.line, "password".into());
        let (file, env) = (table.text("file"), table.text("env"));
        let source = match (&file, &env) {
            (Some(file), None) => self.join(&table, "file", file).map(SecretSource::File),
            (None, Some(env)) => environment_name(&table, env).map(SecretSource::Env),
            (None, None) => {
                top.note(taken.line, "password", EXPECTED, "neither");
                None
            }
            (Some(_), Some(_)) => {
                top.note(taken.line, "password", EXPECTED, "both");
                None
            }
        };
        table.finish();
        source
    }

    fn media_size(&self, top: &mut Fields<'_, '_, '_>) -> Option<u64> {
        let text = top.text("media-size")?;
        match &*text.value {
            "none" | "unlimited" => None,
            // As discs are sold: powers of ten.
            "650MB" => Some(650_000_000),
            "4GB" => Some(4_000_000_000),
            "8GB" => Some(8_000_000_000),
            other => {
                let expected = "\"none\", \"650MB\", \"4GB\", \"8GB\" or \"unlimited\"";
                top.note(text.line, "media-size", expected, format!("{other:?}"));
                None
            }
        }
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

fn environment_name(table: &Fields<'_, '_, '_>, text: &Located<String>) -> Option<String> {
    if text.value.is_empty() || text.value.contains(['=', '\0']) {
        let name = text.field.rsplit('.').next().unwrap_or_default();
        table.note(text.line, name, "the name of an environment variable", "none");
        return None;
    }
    Some(text.value.clone())
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

fn timestamp(datetime: &Datetime, end: bool) -> Option<Timestamp> {
    let date = datetime.date?;
    let date = Date::from_calendar_date(date.year.into(), Month::try_from(date.month).ok()?, date.day).ok()?;
    let (clock, offset) = match (datetime.time, datetime.offset) {
        (None, _) if end => (Time::from_hms(23, 59, 59).ok()?, UtcOffset::UTC),
        (None, _) => (Time::MIDNIGHT, UtcOffset::UTC),
        // A time without an offset is a different one in every place.
        (Some(_), None) => return None,
        (Some(clock), Some(offset)) => {
            let minutes = match offset {
                Offset::Z => 0,
                Offset::Custom { minutes } => minutes,
            };
            let offset = UtcOffset::from_whole_seconds(i32::from(minutes) * 60).ok()?;
            (Time::from_hms(clock.hour, clock.minute, clock.second.unwrap_or(0)).ok()?, offset)
        }
    };
    let seconds = PrimitiveDateTime::new(date, clock).assume_offset(offset).unix_timestamp();
    let found = Timestamp::from_unix_s(seconds);
    (found.unix_s() == seconds).then_some(found)
}
