// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Task sequences as other programs write them: from the file's bytes to the model, with a report of what was changed.
//!
//! Taken are a bare `<sequence>` (Configuration Manager, or `ts.xml` of MDT), `<SmsTaskSequencePackage>` (MDT's templates
//! for Configuration Manager) and the `object.xml` of an export, in which the sequence is a text within the XML.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use roxmltree::Document;
use serde::Serialize;

use crate::export::property;
use crate::read::{Manner, child_named, parse, read};
use crate::{SequenceError, TaskSequence};

/// What kind of thing was done to a place to take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// Kept whole, though nobody here knows what it means.
    Unknown,
    /// Not taken.
    Left,
    /// Cut to a limit.
    Shortened,
    /// Taken as what it means.
    Translated,
}

impl ChangeKind {
    /// As it begins a line of the report.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown, kept",
            Self::Left => "left out",
            Self::Shortened => "shortened",
            Self::Translated => "translated",
        }
    }
}

/// One place that was not taken just as it stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What was done.
    pub kind: ChangeKind,
    /// `line:column` of the sequence's XML, both from 1.
    pub place: String,
    /// Names of the groups and the step it is in, `A / B / Step`; empty when it is in none.
    pub path: String,
    /// To what, and to what it was made. Never a value of a variable.
    pub what: String,
}

/// The form a sequence came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// `<sequence>` alone.
    Bare,
    /// `<SmsTaskSequencePackage>`.
    Package,
    /// `object.xml` of an export of Configuration Manager.
    Object,
}

/// A sequence that came in, with what its file said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Within all limits.
    pub sequence: TaskSequence,
    /// How it came.
    pub form: Form,
    /// Its id at the site it comes from; empty when its file has none.
    pub package_id: String,
    /// Id of the boot image it was made for; empty when its file has none.
    pub boot_image_id: String,
    /// In the order of the file.
    pub changes: Vec<Change>,
    /// Ids that were made shorter, with what they were: see [`Imported::shorten_ids`].
    pub aliases: BTreeMap<String, String>,
}

impl Imported {
    /// Takes the bytes of an XML file. What no reader can understand is an error; everything else is in
    /// [`Imported::changes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SequenceError> {
        Self::from_text(&decode(bytes)?)
    }

    pub(crate) fn from_text(text: &str) -> Result<Self, SequenceError> {
        let document = parse(text)?;
        let root = document.root_element();
        match root.tag_name().name() {
            "SmsTaskSequencePackage" => Self::from_package(&document),
            "INSTANCE" => Self::from_object(&document),
            _ => Self::from_sequence(&document, Form::Bare, Facts::default()),
        }
    }

    fn from_package(document: &Document<'_>) -> Result<Self, SequenceError> {
        let root = document.root_element();
        let text = |name| child_named(root, name).and_then(|node| node.text()).unwrap_or_default().trim().to_owned();
        let facts = Facts {
            package_id: text("PackageID"),
            boot_image_id: text("BootImageID"),
            name: text("Name"),
            description: text("Description"),
        };
        Self::from_sequence(document, Form::Package, facts)
    }

    /// The properties of an instance as CIM writes them in XML; one of them is the XML of the sequence.
    fn from_object(document: &Document<'_>) -> Result<Self, SequenceError> {
        let text = |name: &str| property(document.root_element(), name).into_owned();
        let sequence = property(document.root_element(), "Sequence");
        if sequence.trim().is_empty() {
            let expected = "PROPERTY NAME=\"Sequence\"";
            return Err(SequenceError::NoSequence { root: "INSTANCE".into(), expected });
        }
        let facts = Facts {
            package_id: text("PackageID"),
            boot_image_id: text("BootImageID"),
            name: text("Name"),
            description: text("Description"),
        };
        Self::from_sequence(&parse(sequence.trim_start())?, Form::Object, facts)
    }

    fn from_sequence(document: &Document<'_>, form: Form, facts: Facts) -> Result<Self, SequenceError> {
        let root = document.root_element();
        let node = match form {
            Form::Package => {
                child_named(root, "SequenceData").and_then(|data| child_named(data, "sequence")).ok_or_else(|| {
                    SequenceError::NoSequence { root: root.tag_name().name().to_owned(), expected: "sequence" }
                })?
            }
            Form::Bare | Form::Object => root,
        };
        let (mut sequence, changes) = read(document, node, Manner::Tolerant)?;
        let Facts { package_id, boot_image_id, name, description } = facts;
        // What stands in the sequence itself was checked by its reader; names of packages may be longer.
        let cut = |text: String, most: usize| text.chars().take(most).collect::<String>().trim().to_owned();
        if sequence.name.is_empty() {
            sequence.name = cut(name.replace(char::is_control, " "), crate::limits::MAX_NAME);
        }
        if sequence.description.is_empty() {
            sequence.description = cut(description, crate::limits::MAX_DESCRIPTION);
        }
        Ok(Self { sequence, form, package_id, boot_image_id, changes, aliases: BTreeMap::new() })
    }

    /// For people: what was done, by kind, with counts and the first places.
    pub fn report(&self) -> String {
        const PLACES: usize = 3;
        let steps = self.sequence.steps();
        let disabled = steps.iter().filter(|entry| entry.disabled).count();
        let mut text = format!("taken: {} steps, of which {disabled} disabled\n", steps.len());
        let mut groups: Vec<(ChangeKind, &str, Vec<&Change>)> = Vec::new();
        for change in &self.changes {
            match groups.iter_mut().find(|(kind, what, _)| (*kind, *what) == (change.kind, &*change.what)) {
                Some((_, _, changes)) => changes.push(change),
                None => groups.push((change.kind, &change.what, vec![change])),
            }
        }
        groups.sort_by_key(|(kind, _, changes)| (*kind, std::cmp::Reverse(changes.len())));
        for (kind, what, changes) in groups {
            let plural = if changes.len() == 1 { "" } else { "s" };
            let _ = writeln!(text, "{}: {what} ({} place{plural})", kind.word(), changes.len());
            for change in changes.iter().take(PLACES) {
                let path = if change.path.is_empty() { "sequence" } else { &change.path };
                let _ = writeln!(text, "  {} {path}", change.place);
            }
            if changes.len() > PLACES {
                let _ = writeln!(text, "  and {} more", changes.len() - PLACES);
            }
        }
        text
    }
}

/// What a package says of its sequence.
#[derive(Default)]
struct Facts {
    package_id: String,
    boot_image_id: String,
    name: String,
    description: String,
}

/// Text of a file: UTF-16 when its mark says so, otherwise UTF-8, which is taken as it stands: exports are megabytes.
pub(crate) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, SequenceError> {
    let limit = 2 * crate::limits::MAX_XML_BYTES;
    if bytes.len() > limit {
        return Err(SequenceError::TooLarge { found_bytes: bytes.len() });
    }
    let read: fn([u8; 2]) -> u16 = match bytes {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => {
            let text = std::str::from_utf8(bytes);
            return text.map(Cow::Borrowed).map_err(|error| SequenceError::Encoding { at_byte: error.valid_up_to() });
        }
    };
    let (pairs, rest) = bytes[2..].as_chunks::<2>();
    if !rest.is_empty() {
        return Err(SequenceError::Encoding { at_byte: bytes.len() - 1 });
    }
    let mut text = String::new();
    for unit in char::decode_utf16(pairs.iter().map(|&pair| read(pair))) {
        // A lone surrogate: the length so far is near enough to find it.
        text.push(unit.map_err(|_| SequenceError::Encoding { at_byte: 2 + 2 * text.encode_utf16().count() })?);
    }
    Ok(Cow::Owned(text))
}
