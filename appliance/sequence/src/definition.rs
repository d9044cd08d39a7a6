// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The definition of a medium for a sequence that came in: a table for each content it needs, whose path is to be filled.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::format::quoted;
use crate::import::{Change, ChangeKind, Imported};
use crate::limits::MAX_NAME;
use crate::reference::{is_reference, reference_kind};
use crate::{NamedReference, Node, ReferenceKind, TaskSequence, Variable};

/// A content that a sequence needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Needed {
    /// What it is.
    pub kind: ReferenceKind,
    /// As the sequence and the definition name it.
    pub id: String,
    /// As its export names it, where that can be no id of a definition.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub source_id: String,
    /// For people; empty where the export has none.
    pub name: String,
    /// As its author counts; may be empty.
    pub version: String,
    /// Paths of the enabled steps that name it.
    pub used_by: Vec<String>,
}

impl Needed {
    /// Everything the enabled steps of a sequence need, once each, by kind and id.
    pub fn of(sequence: &TaskSequence) -> Vec<Self> {
        Self::list(sequence, &BTreeMap::new(), &BTreeMap::new())
    }

    fn list(
        sequence: &TaskSequence,
        aliases: &BTreeMap<String, String>,
        names: &BTreeMap<String, NamedReference>,
    ) -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        for reference in sequence.references() {
            let source_id = aliases.get(&reference.id).cloned().unwrap_or_default();
            let named = names.get(if source_id.is_empty() { &reference.id } else { &source_id });
            let text = |of: fn(&NamedReference) -> &String| named.map(of).cloned().unwrap_or_default();
            let kind = named.and_then(|named| kind_of(&named.package_type)).unwrap_or(reference.kind);
            match found.iter_mut().find(|other| (other.kind, &other.id) == (kind, &reference.id)) {
                Some(other) => other.used_by.push(reference.place),
                None => found.push(Self {
                    kind,
                    source_id,
                    name: text(|named| &named.name),
                    version: text(|named| &named.version),
                    id: reference.id,
                    used_by: vec![reference.place],
                }),
            }
        }
        found.sort();
        found
    }
}

/// Ids of definitions: 1 to 32 of `A-Z a-z 0-9 - _ .`, beginning with a letter or digit.
fn is_id(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// A short id for a long one: what it is, and the beginning of its last GUID.
fn alias(kind: ReferenceKind, id: &str, taken: &BTreeMap<String, String>) -> String {
    let word = match kind {
        ReferenceKind::OperatingSystemImage => "OS",
        ReferenceKind::DriverPackage => "DRV",
        ReferenceKind::Application => "APP",
        ReferenceKind::Package => "PKG",
        ReferenceKind::OperatingSystemUpgradePackage => "UPG",
        ReferenceKind::TaskSequence => "TS",
    };
    let last = id.rsplit(['/', '_', '{']).next().unwrap_or(id);
    let hex: String = last.chars().filter(char::is_ascii_hexdigit).take(8).collect();
    let stem = format!("{word}-{}", hex.to_ascii_uppercase());
    let names = (1..).map(|n| if n == 1 { stem.clone() } else { format!("{stem}-{n}") });
    let free = |name: &String| !taken.values().any(|other| other == name);
    names.into_iter().find(free).unwrap_or(stem)
}

impl Imported {
    /// Gives every content whose id no definition can hold a short one, in all steps that name it.
    pub fn shorten_ids(&mut self) {
        let mut aliases: BTreeMap<String, String> = BTreeMap::new();
        for reference in self.sequence.references() {
            if !is_id(&reference.id) && !aliases.contains_key(&reference.id) {
                let alias = alias(reference.kind, &reference.id, &aliases);
                let what = format!("id {} to {alias}", reference.id);
                let (kind, place) = (ChangeKind::Translated, reference.kind.label().to_owned());
                self.changes.push(Change { kind, place, path: reference.place, what });
                aliases.insert(reference.id, alias);
            }
        }
        rename(&mut self.sequence.nodes, &aliases);
        let system = |variable: &&mut Variable| variable.name.eq_ignore_ascii_case("OSGUID");
        for variable in self.sequence.global_variables.iter_mut().filter(system) {
            if let Some(alias) = aliases.get(&variable.value) {
                variable.value.clone_from(alias);
            }
        }
        self.aliases = aliases.into_iter().map(|(id, alias)| (alias, id)).collect();
    }

    /// Everything the enabled steps need, once each, by kind and id; `names` is what the export says of ids.
    pub fn needed(&self, names: &BTreeMap<String, NamedReference>) -> Vec<Needed> {
        Needed::list(&self.sequence, &self.aliases, names)
    }

    /// A definition in TOML that is whole but for its paths.
    pub fn definition(&self, names: &BTreeMap<String, NamedReference>, variables: &[(String, String)]) -> String {
        let mut text = String::from(
            "# Made from what the sequence's export names. Fill in every path, then try: platen media lint FILE\n",
        );
        let mut line = |line: String| text.push_str(&(line + "\n"));
        let id = if is_id(&self.package_id) { &*self.package_id } else { "NEW00001" };
        let name = if self.sequence.name.is_empty() { "New medium" } else { &*self.sequence.name };
        line(format!("kind = \"stand-alone\"\nid = {}\nname = {}", quoted(id), quoted(name)));
        line("version = \"1\"\nrevision = 1\ntask-sequence = \"sequence.toml\"".to_owned());
        line("boot-kit = \"\"                       # platen boot-kit collect --out ...".to_owned());
        let boot = if is_id(&self.boot_image_id) { &*self.boot_image_id } else { "PLTBOOT" };
        line(format!("\n[boot-image]\nid = {}", quoted(boot)));
        line("path = \"\"                           # platen boot-image build --out ...".to_owned());
        let mut has_system = false;
        for needed in self.needed(names) {
            // There is one image on a medium; what else the sequence could apply is for people to see.
            let is_second = needed.kind == ReferenceKind::OperatingSystemImage && has_system;
            has_system |= needed.kind == ReferenceKind::OperatingSystemImage;
            let table = table(&needed, self.system_index());
            let prefix = if is_second { "# " } else { "" };
            line(String::new());
            table.lines().for_each(|row| line(format!("{prefix}{row}")));
        }
        for (name, value) in variables {
            line(format!("\n[[variable]]\nname = {}\nvalue = {}", quoted(name), quoted(value)));
        }
        text
    }

    /// Which image of the WIM the sequence applies first.
    fn system_index(&self) -> u32 {
        let steps = self.sequence.steps();
        let index = |name| steps.iter().find_map(|entry| entry.step.property(name)?.parse().ok());
        index("ImageIndex").or_else(|| index("InstallEditionIndex")).unwrap_or(1)
    }
}

fn table(needed: &Needed, index: u32) -> String {
    let header = match needed.kind {
        ReferenceKind::OperatingSystemImage => "[operating-system-image]",
        ReferenceKind::DriverPackage => "[[driver-package]]",
        ReferenceKind::Application => "[[application]]",
        ReferenceKind::Package => "[[package]]",
        ReferenceKind::OperatingSystemUpgradePackage => "[[operating-system-upgrade-package]]",
        ReferenceKind::TaskSequence => return format!("# task sequence {} is not in the export", needed.id),
    };
    let mut text = String::new();
    if !needed.source_id.is_empty() {
        let _ = writeln!(text, "# {}", needed.source_id.replace(char::is_control, " "));
    }
    let uses = match needed.used_by.len() {
        1 => "1 step".to_owned(),
        count => format!("{count} steps"),
    };
    let _ = writeln!(text, "# used by {uses}, the first is {}", needed.used_by[0].replace(char::is_control, " "));
    let _ = writeln!(text, "{header}\nid = {}", quoted(&needed.id));
    let short = |text: &str, most| text.replace(char::is_control, " ").chars().take(most).collect::<String>();
    if !needed.name.is_empty() {
        let _ = writeln!(text, "name = {}", quoted(short(&needed.name, MAX_NAME).trim()));
    }
    if !needed.version.is_empty() {
        let _ = writeln!(text, "version = {}", quoted(short(&needed.version, 32).trim()));
    }
    let _ = writeln!(text, "path = \"\"");
    if needed.kind == ReferenceKind::OperatingSystemImage {
        let _ = writeln!(text, "index = {index}");
    }
    text
}

/// Configuration Manager's numbers for kinds of packages.
fn kind_of(package_type: &str) -> Option<ReferenceKind> {
    match package_type {
        "0" => Some(ReferenceKind::Package),
        "3" => Some(ReferenceKind::DriverPackage),
        "4" => Some(ReferenceKind::TaskSequence),
        "257" => Some(ReferenceKind::OperatingSystemImage),
        "259" => Some(ReferenceKind::OperatingSystemUpgradePackage),
        "512" => Some(ReferenceKind::Application),
        _ => None,
    }
}

fn rename(nodes: &mut [Node], aliases: &BTreeMap<String, String>) {
    for node in nodes {
        match node {
            Node::Group(group) => rename(&mut group.nodes, aliases),
            Node::Step(step) => {
                let kind = step.kind;
                for variable in &mut step.variables {
                    let property = variable.property.as_deref().unwrap_or(&variable.name);
                    if reference_kind(kind, property).is_none() {
                        continue;
                    }
                    let renamed = |id: &str| aliases.get(id).cloned().unwrap_or_else(|| id.to_owned());
                    if variable.value.split([',', ' ']).any(|id| is_reference(id) && aliases.contains_key(id)) {
                        let ids: Vec<String> = variable.value.split([',', ' ']).map(renamed).collect();
                        variable.value = ids.join(",");
                    }
                }
            }
        }
    }
}
