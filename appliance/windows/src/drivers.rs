// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Which drivers a machine needs, as Windows would choose ("How Windows Ranks Drivers").
//!
//! A rank is a number `0xSSGGTHHH`, the less the better: signature, feature score, kind of match, positions of the
//! matching ids. Between equal ranks the newer date decides, then the higher version. Which list of a package's models
//! counts is decided before, by the system ([`DriverPackage::models_for`]).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::System;
use crate::inf::{DriverPackage, Model, PackageKind, Release};

/// A device by its ids, from the most to the least specific.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Device {
    /// Hardware ids.
    pub hardware_ids: Vec<String>,
    /// Compatible ids.
    pub compatible_ids: Vec<String>,
}

/// `0xSSGGTHHH`; the less, the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank(pub u32);

/// A driver for a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match<'p> {
    /// Its package, by its position among those given.
    pub package: usize,
    /// The device as the package describes it.
    pub model: &'p Model,
    /// The id that both have.
    pub id: String,
    /// How well it fits.
    pub rank: Rank,
    /// Decides between equal ranks.
    pub release: Release,
}

/// What a machine needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection<'p> {
    /// For each device, in their order: its driver, or none, and the extensions on top of it.
    pub devices: Vec<Chosen<'p>>,
    /// The packages to copy, each once, by their position among those given.
    pub packages: BTreeSet<usize>,
}

/// What is chosen for a device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chosen<'p> {
    /// The best driver.
    pub driver: Option<Match<'p>>,
    /// The best of each extension id, in the order of the ids.
    pub extensions: Vec<Match<'p>>,
}

/// Driver packages, by the ids they are for.
#[derive(Debug)]
pub struct DriverIndex<'p> {
    packages: &'p [DriverPackage],
    /// By an id in small letters: package, model, the id's position in the model.
    by_id: HashMap<String, Vec<(usize, &'p Model, usize)>>,
}

impl<'p> DriverIndex<'p> {
    /// Of the models that are for a system.
    pub fn new(packages: &'p [DriverPackage], system: &System) -> Self {
        let mut by_id: HashMap<String, Vec<(usize, &Model, usize)>> = HashMap::new();
        for (package, of) in packages.iter().enumerate() {
            for model in of.models_for(system) {
                for (position, id) in model.ids.iter().enumerate() {
                    by_id.entry(id.to_lowercase()).or_default().push((package, model, position));
                }
            }
        }
        Self { packages, by_id }
    }

    /// All drivers for a device, the best first.
    pub fn matches(&self, device: &Device) -> Vec<Match<'p>> {
        let hardware = device.hardware_ids.iter().enumerate().map(|(position, id)| (id, position, false));
        let compatible = device.compatible_ids.iter().enumerate().map(|(position, id)| (id, position, true));
        let mut found: Vec<Match<'p>> = Vec::new();
        for (id, position, is_compatible) in hardware.chain(compatible) {
            for &(package, model, at) in self.by_id.get(&id.to_lowercase()).into_iter().flatten() {
                let of = &self.packages[package];
                let rank = rank(of.has_catalog(), model.feature_score, (is_compatible, position), at);
                found.push(Match { package, model, id: id.clone(), rank, release: of.release });
            }
        }
        found.sort_by_key(|it| (it.rank, Reverse(it.release), it.package));
        found
    }

    /// What a machine with these devices needs. Software devices that the chosen packages make are devices too.
    pub fn select(&self, devices: &[Device]) -> Selection<'p> {
        let chosen: Vec<Chosen<'p>> = devices.iter().map(|device| self.choose(device)).collect();
        let mut packages: BTreeSet<usize> = chosen.iter().flat_map(Chosen::packages).collect();
        let mut open: Vec<usize> = packages.iter().copied().collect();
        while let Some(package) = open.pop() {
            for id in &self.packages[package].component_ids {
                let component = Device { hardware_ids: vec![format!("SWC\\{id}")], ..Device::default() };
                let more =
                    self.choose(&component).packages().filter(|&package| packages.insert(package)).collect::<Vec<_>>();
                open.extend(more);
            }
        }
        Selection { devices: chosen, packages }
    }

    fn choose(&self, device: &Device) -> Chosen<'p> {
        let mut driver = None;
        let mut extensions = BTreeMap::new();
        for it in self.matches(device) {
            match &self.packages[it.package].kind {
                PackageKind::Base => _ = driver.get_or_insert(it),
                PackageKind::Extension { id } => _ = extensions.entry(id.as_str()).or_insert(it),
            }
        }
        Chosen { driver, extensions: extensions.into_values().collect() }
    }
}

impl Chosen<'_> {
    fn packages(&self) -> impl Iterator<Item = usize> {
        self.driver.iter().chain(&self.extensions).map(|it| it.package)
    }
}

/// `device` is whether its id is a compatible one, and its position; `position` is that of the id in the INF's model, of
/// which 0 is the hardware id ("Identifier Score", "Feature Score", "Signature Score").
fn rank(is_signed: bool, feature_score: u8, device: (bool, usize), position: usize) -> Rank {
    // Without a trusted signature, for Windows as it is set up ordinarily.
    const UNSIGNED: u32 = 0x8000_0000;
    let signature = if is_signed { 0 } else { UNSIGNED };
    let (is_compatible, device_position) = device;
    let device_position = u32::try_from(device_position.min(0xff)).unwrap_or(0xff);
    let matched = match (is_compatible, position) {
        (false, 0) => 0x0000,
        (false, _) => 0x1000,
        (true, 0) => 0x2000,
        (true, position) => 0x3000 + 0x100 * u32::try_from((position - 1).min(0xf)).unwrap_or(0xf),
    };
    Rank(signature + (u32::from(feature_score) << 16) + matched + device_position)
}

#[cfg(test)]
mod tests;
