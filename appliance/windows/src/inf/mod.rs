// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! INF files: what a driver package says of itself. By Microsoft's documentation, "Summary of INF Sections".
//!
//! Not every INF is a driver: security templates, autorun files, templates of a build. Those are [`NotADriver`], which is
//! a note and no failure. What a driver's INF does on installation is Windows' business and is not read.

mod decoration;
mod text;

use std::collections::{HashMap, HashSet};

pub use self::decoration::Decoration;
use self::text::{Line, Sections};
use crate::System;

/// Bigger files are no INF; the biggest seen are a few MiB.
pub const MAX_INF_BYTES: usize = 8 << 20;

/// What an INF says of the driver package it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriverPackage {
    /// The file's name.
    pub name: String,
    /// Of the devices; empty when it is not given.
    pub class: String,
    /// In braces and small letters; empty when it is not given.
    pub class_guid: String,
    /// What it is to other packages.
    pub kind: PackageKind,
    /// Who gives it out.
    pub provider: String,
    /// Which of two releases is newer.
    pub release: Release,
    /// The catalogs that sign it, with the decoration in the name of the entry: `CatalogFile.NTamd64`.
    pub catalogs: Vec<String>,
    /// By manufacturer.
    pub manufacturers: Vec<Manufacturer>,
    /// In-box INF files it refers to.
    pub includes: Vec<String>,
    /// Files it installs, with their folder below the package.
    pub source_files: Vec<String>,
    /// Ids of the software devices that it makes, without `SWC\`.
    pub component_ids: Vec<String>,
}

/// What a package is to other packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PackageKind {
    /// The driver of a device: there is one for each.
    Base,
    /// Goes on top of it: one for each extension id.
    Extension {
        /// `ExtensionId`, in small letters.
        id: String,
    },
}

/// `DriverVer`: date, then version. The greater is newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Release {
    /// Year, month, day; zeros when it is not given.
    pub date: (u16, u8, u8),
    /// Four parts; zeros when it is not given.
    pub version: [u16; 4],
}

/// A line of `[Manufacturer]`: lists of models for several systems, of which Windows uses one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manufacturer {
    /// For people.
    pub name: String,
    /// Those that stand in the file.
    pub lists: Vec<ModelList>,
}

/// A section of models. It may be empty, which keeps a package away from a system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelList {
    /// None for the section without one.
    pub decoration: Option<Decoration>,
    /// In the order of the file.
    pub models: Vec<Model>,
}

/// A device that the package drives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// For people.
    pub description: String,
    /// The section that installs it, undecorated.
    pub section: String,
    /// The first is the hardware id, the others are compatible ids; as the file writes them.
    pub ids: Vec<String>,
    /// `FeatureScore`; the less, the better.
    pub feature_score: u8,
}

/// Why an INF file is no driver.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotADriver {
    /// Over [`MAX_INF_BYTES`].
    #[error("not read: {size_bytes} bytes, the limit for an INF file is {}", MAX_INF_BYTES)]
    TooLarge {
        /// Of the file.
        size_bytes: usize,
    },
    /// Input of a build that stamps it (`.inx`, `$ARCH$`).
    #[error("a template of a driver's build ($ARCH$), not a finished INF file; take it from the built package")]
    BuildInput,
    /// Autorun files, security templates.
    #[error("no [Version] section: not an INF file of a driver")]
    NoVersion,
    /// Printer or installer INF files without devices.
    #[error("no [Manufacturer] section: it installs no device")]
    NoManufacturer,
    /// Manufacturers without a single id.
    #[error("its [Manufacturer] section leads to no device id")]
    NoModels,
}

/// Reads a file; `name` is for people, and gives a template away.
pub fn read(name: &str, bytes: &[u8]) -> Result<DriverPackage, NotADriver> {
    if bytes.len() > MAX_INF_BYTES {
        return Err(NotADriver::TooLarge { size_bytes: bytes.len() });
    }
    let text = text::decode(bytes);
    let sections = Sections::read(&text);
    if !sections.has("Version") {
        return Err(NotADriver::NoVersion);
    }
    if !sections.has("Manufacturer") {
        return Err(NotADriver::NoManufacturer);
    }
    let is_template = |line: Line| line.fields.iter().any(|field| field.to_uppercase().contains("$ARCH$"));
    if name.to_lowercase().ends_with(".inx") || sections.lines("Manufacturer").any(is_template) {
        return Err(NotADriver::BuildInput);
    }
    let manufacturers = manufacturers(&sections);
    if !manufacturers.iter().any(|of| of.lists.iter().any(|list| !list.models.is_empty())) {
        return Err(NotADriver::NoModels);
    }
    let version = |key: &str| sections.value("Version", key).unwrap_or_default();
    let class = version("Class");
    let kind = match class.eq_ignore_ascii_case("Extension") {
        true => PackageKind::Extension { id: version("ExtensionId").to_lowercase() },
        false => PackageKind::Base,
    };
    Ok(DriverPackage {
        name: name.to_owned(),
        class,
        class_guid: version("ClassGuid").to_lowercase(),
        kind,
        provider: version("Provider"),
        release: release(&sections),
        catalogs: catalogs(&sections),
        manufacturers,
        includes: values_of(&sections, "Include"),
        source_files: source_files(&sections),
        component_ids: values_of(&sections, "ComponentIDs"),
    })
}

impl DriverPackage {
    /// The models for a system: of each manufacturer the list that is closest to it.
    pub fn models_for(&self, system: &System) -> impl Iterator<Item = &Model> {
        let plain = Decoration::default();
        self.manufacturers.iter().flat_map(move |of| {
            let fitting = of.lists.iter().filter(|list| list.decoration.unwrap_or(plain).fits(system));
            // The list that names a Windows at all is closer than the one that does not.
            let closest = fitting.max_by_key(|list| list.decoration.map(|decoration| decoration.closeness()));
            closest.into_iter().flat_map(|list| &list.models)
        })
    }

    /// Whether a catalog is named. Whether Windows trusts it is seen there only.
    pub fn has_catalog(&self) -> bool {
        !self.catalogs.is_empty()
    }
}

fn manufacturers(sections: &Sections<'_>) -> Vec<Manufacturer> {
    // A section is read once, however often a hostile file names it.
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for line in sections.lines("Manufacturer") {
        // `name` alone is `name = name`.
        let (name, base) =
            if line.key.is_empty() { (line.field(0), line.field(0)) } else { (&*line.key, line.field(0)) };
        let decorations = line.fields.iter().skip(1).filter_map(|field| Some((field, Decoration::parse(field)?)));
        let decorated = decorations.map(|(field, decoration)| (format!("{base}.{}", field.trim()), Some(decoration)));
        let lists = std::iter::once((base.to_owned(), None)).chain(decorated);
        let lists: Vec<ModelList> = lists
            .filter(|(section, _)| sections.has(section) && seen.insert(section.to_lowercase()))
            .map(|(section, decoration)| ModelList { decoration, models: models(sections, &section) })
            .collect();
        if !lists.is_empty() {
            found.push(Manufacturer { name: name.to_owned(), lists });
        }
    }
    found
}

/// `description = install section, hardware id, compatible ids …` ("INF Models section").
fn models(sections: &Sections<'_>, section: &str) -> Vec<Model> {
    let mut scores: HashMap<String, u8> = HashMap::new();
    let lines = sections.lines(section).filter(|line| !line.key.is_empty());
    lines
        .filter_map(|line| {
            let Line { key: description, fields } = line;
            let mut fields = fields.into_iter();
            let section = fields.next()?;
            let ids: Vec<String> = fields.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()).collect();
            let feature_score = match scores.get(&section) {
                Some(score) => *score,
                None => *scores.entry(section.clone()).or_insert_with(|| feature_score(sections, &section)),
            };
            (!ids.is_empty()).then_some(Model { description, section, ids, feature_score })
        })
        .collect()
}

/// Without `FeatureScore` a driver has the worst ("Feature Score").
fn feature_score(sections: &Sections<'_>, install: &str) -> u8 {
    const NONE: u8 = 0xff;
    let platforms = ["", ".NT", ".NTamd64", ".NTx86", ".NTarm64"];
    let given = platforms.iter().find_map(|platform| sections.value(&format!("{install}{platform}"), "FeatureScore"));
    given.and_then(|text| u8::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok()).unwrap_or(NONE)
}

/// `DriverVer = mm/dd/yyyy[, w.x.y.z]`; some files have dashes in the date.
fn release(sections: &Sections<'_>) -> Release {
    let Some(line) = sections.entries("Version", "DriverVer").next() else {
        return Release::default();
    };
    let numbers = |text: &str, apart: &[char]| -> Vec<u16> {
        text.split(apart).map(|part| part.trim().parse().unwrap_or(0)).collect()
    };
    let date = match *numbers(line.field(0), &['/', '-']) {
        [month @ 1..=12, day @ 1..=31, year] => (year, month as u8, day as u8),
        _ => (0, 0, 0),
    };
    let mut version = [0; 4];
    version.iter_mut().zip(numbers(line.field(1), &['.'])).for_each(|(part, number)| *part = number);
    Release { date, version }
}

fn catalogs(sections: &Sections<'_>) -> Vec<String> {
    let is_catalog = |key: &str| key.split('.').next().is_some_and(|key| key.eq_ignore_ascii_case("CatalogFile"));
    let named = sections.lines("Version").filter(|line| is_catalog(&line.key)).map(|line| line.field(0).to_owned());
    named.filter(|name| !name.is_empty()).collect()
}

/// All values of a key, in whatever section, sorted and once each.
fn values_of(sections: &Sections<'_>, key: &str) -> Vec<String> {
    let mut values = Vec::new();
    for section in sections.names().filter(|name| *name != "strings") {
        let lines = sections.entries(section, key);
        values.extend(lines.flat_map(|line| line.fields).filter(|value| !value.is_empty()));
    }
    values.sort();
    values.dedup();
    values
}

/// `file = disk id[, folder]` of `[SourceDisksFiles]` and those for one platform.
fn source_files(sections: &Sections<'_>) -> Vec<String> {
    let mut files = Vec::new();
    for section in sections.names().filter(|name| name.split('.').next() == Some("sourcedisksfiles")) {
        files.extend(sections.lines(section).filter(|line| !line.key.is_empty()).map(|line| {
            match line.field(1).trim_matches(['\\', ' ']) {
                "" => line.key,
                folder => format!("{folder}\\{}", line.key),
            }
        }));
    }
    files.sort();
    files.dedup();
    files
}

#[cfg(test)]
mod tests;
