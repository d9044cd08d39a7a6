// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Single values of a definition: texts, paths, times, secrets and labels, each within its limits.

use std::path::PathBuf;

use time::{Date, Month, PrimitiveDateTime, Time, UtcOffset};
use toml::de::DeValue;
use toml::value::{Datetime, Offset};

use super::read::Reader;
use super::{ALLOWABLE, Links, SecretSource};
use crate::fields::{Fields, Located, kind};
use crate::keyboard::Keyboard;
use crate::manifest::{Validity, is_id, is_unprintable};
use crate::{Moment, Timestamp, VolumeLabel};

impl Reader<'_, '_> {
    pub(super) fn id(&self, table: &mut Fields<'_, '_, '_>) -> Option<Located<String>> {
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

    pub(super) fn keyboard(&self, top: &mut Fields<'_, '_, '_>) -> Keyboard {
        let Some(text) = top.text("keyboard") else { return Keyboard::default() };
        text.value.parse().unwrap_or_else(|_| {
            let names = Keyboard::ALL.map(|keyboard| format!("\"{keyboard}\"")).join(", ");
            top.note(text.line, "keyboard", format!("one of {names}"), format!("{:?}", text.value));
            Keyboard::default()
        })
    }

    /// A text on one line with a limit in characters.
    pub(super) fn short(
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

    pub(super) fn command(&self, table: &mut Fields<'_, '_, '_>, name: &'static str) -> Option<String> {
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

    pub(super) fn ids(&self, table: &mut Fields<'_, '_, '_>, name: &'static str) -> Vec<String> {
        let texts = table.texts(name);
        for text in &texts {
            if !is_id(&text.value) {
                table.note(text.line, name, "ids of applications", format!("{:?}", text.value));
            }
        }
        texts.into_iter().map(|text| text.value).collect()
    }

    pub(super) fn join(&self, table: &Fields<'_, '_, '_>, name: &str, text: &Located<String>) -> Option<PathBuf> {
        if text.value.is_empty() || text.value.contains('\0') {
            table.note(text.line, name, "a path", format!("{:?}", text.value));
            return None;
        }
        Some(self.base.join(&text.value))
    }

    pub(super) fn path(&self, table: &mut Fields<'_, '_, '_>, name: &'static str) -> Option<PathBuf> {
        let text = table.text(name)?;
        self.join(table, name, &text)
    }

    pub(super) fn needed_path(&self, table: &mut Fields<'_, '_, '_>) -> Option<PathBuf> {
        let path = self.path(table, "path");
        if path.is_none() {
            table.missing("path", "a path");
        }
        path
    }

    pub(super) fn links(&self, table: &mut Fields<'_, '_, '_>) -> Links {
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

    pub(super) fn allow(&self, top: &mut Fields<'_, '_, '_>) -> Vec<String> {
        let names = top.texts("allow");
        for name in names.iter().filter(|name| !ALLOWABLE.contains(&&*name.value)) {
            let expected = format!("names of findings that may be allowed ({})", ALLOWABLE.join(", "));
            top.note(name.line, "allow", expected, format!("{:?}", name.value));
        }
        names.into_iter().map(|name| name.value).collect()
    }

    pub(super) fn label(
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

    /// A date or a time.
    pub(super) fn moment(&self, top: &mut Fields<'_, '_, '_>, name: &'static str) -> Option<Located<Timestamp>> {
        let taken = top.take(name)?;
        let found = moment(taken.value, false);
        if found.is_none() {
            top.note(taken.line, name, MOMENT, shown(taken.value));
        }
        found.map(|found| taken.with(found))
    }

    /// A date or a time, or either with `local` behind it: what the clock shows of the computer that uses the medium.
    fn end(&self, top: &mut Fields<'_, '_, '_>, name: &'static str, is_end: bool) -> Option<Located<Moment>> {
        const LOCAL: &str = "a date and perhaps a time without an offset before \"local\", such as \"2026-11-21 local\" or \
                             \"2026-11-21T09:30:00 local\"";
        let taken = top.take(name)?;
        let local = taken.value.as_str().and_then(|text| text.trim_end().strip_suffix("local"));
        let (found, expected) = match local {
            Some(shown) => (local_time(shown.trim_end(), is_end).map(Moment::Local), LOCAL),
            None => (moment(taken.value, is_end).map(Moment::Utc), MOMENT),
        };
        if found.is_none() {
            top.note(taken.line, name, expected, shown(taken.value));
        }
        found.map(|found| taken.with(found))
    }

    pub(super) fn validity(&self, top: &mut Fields<'_, '_, '_>) -> Validity {
        let from = self.end(top, "valid-from", false);
        let until = self.end(top, "valid-until", true);
        if let (Some(from), Some(until)) = (&from, &until)
            && from.value.is_after(until.value)
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

    pub(super) fn password(&self, top: &mut Fields<'_, '_, '_>) -> Option<SecretSource> {
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

    pub(super) fn media_size(&self, top: &mut Fields<'_, '_, '_>) -> Option<u64> {
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
}

pub(super) fn environment_name(table: &Fields<'_, '_, '_>, text: &Located<String>) -> Option<String> {
    if text.value.is_empty() || text.value.contains(['=', '\0']) {
        let name = text.field.rsplit('.').next().unwrap_or_default();
        table.note(text.line, name, "the name of an environment variable", "none");
        return None;
    }
    Some(text.value.clone())
}

const MOMENT: &str = "a date such as 2026-11-21 or a time such as 2026-11-21T09:30:00Z";

/// A date alone is its first second, or its last one for ends.
fn moment(value: &DeValue<'_>, is_end: bool) -> Option<Timestamp> {
    match value {
        DeValue::Datetime(datetime) => timestamp(datetime, is_end),
        DeValue::String(text) => text.parse().ok().or_else(|| timestamp(&text.parse().ok()?, is_end)),
        _ => None,
    }
}

fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::Datetime(datetime) => datetime.to_string(),
        DeValue::String(text) => format!("{text:?}"),
        other => kind(other),
    }
}

/// What a clock on the wall shows.
fn local_time(text: &str, is_end: bool) -> Option<Timestamp> {
    let mut datetime: Datetime = text.parse().ok()?;
    if datetime.offset.is_some() {
        return None;
    }
    datetime.offset = datetime.time.is_some().then_some(Offset::Z);
    timestamp(&datetime, is_end)
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
