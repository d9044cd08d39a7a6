// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What a staging centre states of its station (`station.toml`), and what sockets a board has (`ports.toml`).
//!
//! Both are read strictly, with everything that is wrong in them at once: a setting that is mistyped or stands in the
//! wrong table is refused, never passed over, since the station would silently do something else than what is written
//! there. What is read is plain data, which goes into journals; reading and writing files is all this room does with the
//! machine.
//!
//! `appliance/example/station.toml` and `appliance/example/ports.toml` say every setting with its default.

mod error;
mod policy;
mod ports;
mod ports_file;
mod read;
mod roles;
mod sizes;
#[cfg(test)]
mod tests;
mod words;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use self::error::ConfigError;
pub use self::policy::{Policy, PowerCycle, SetAside, UnmappedPorts};
pub use self::ports::{Accepts, DriveClass, Port, PortMap, PortProblem};
pub use self::roles::{Action, Role, Roles};
use self::words::words;
use crate::paths::Paths;

/// Longest name of a station or group, in characters.
pub const MAX_NAME: usize = 32;

words! {
    /// What happens when a drive is put into a port.
    StartMode {
        /// Somebody at the station is asked what to do with it.
        Kiosk = "kiosk",
        /// It is written at once with the medium that the port is armed with.
        Armed = "armed",
    }
}

/// Ports that are used alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Unique; case does not count.
    pub name: String,
    /// Labels. A port is in one group at most.
    pub ports: Vec<String>,
    /// How its ports begin when the station starts.
    pub mode: StartMode,
}

/// Where a station keeps its things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StationPaths {
    /// The folder of the content store.
    pub cache: PathBuf,
    /// The folder of trusted public keys, or one such key.
    pub trust: PathBuf,
    /// The ledger's database.
    pub ledger: PathBuf,
    /// The folder of what the station remembers: its journal, its PINs.
    pub state: PathBuf,
    /// The socket at which programs of this machine ask the station.
    pub socket: PathBuf,
    /// The map of ports.
    pub ports: PathBuf,
}

impl Default for StationPaths {
    fn default() -> Self {
        Self {
            cache: "/var/lib/platen/cache".into(),
            trust: "/etc/platen/keys".into(),
            ledger: "/var/lib/platen/ledger.db".into(),
            state: "/var/lib/platen/state".into(),
            socket: "/run/platen/station.sock".into(),
            ports: "/etc/platen/ports.toml".into(),
        }
    }
}

/// The program that keeps the station's own operating system, on an appliance (`docs/formats/appliance.md`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemPaths {
    /// Its socket.
    pub keeper: PathBuf,
    /// The folder in which it looks for updates.
    pub updates: PathBuf,
}

/// Everything that `station.toml` states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StationConfig {
    /// What the station is called in records: 1 to 32 printable characters. It has no default, since the rows of several
    /// stations come together in one place.
    pub name: String,
    /// Where things are.
    #[serde(default)]
    pub paths: StationPaths,
    /// Absent: the station runs on a system that somebody else keeps.
    #[serde(default)]
    pub system: Option<SystemPaths>,
    /// What is done and what is not.
    #[serde(default)]
    pub policy: Policy,
    /// Who may do what.
    #[serde(default)]
    pub roles: Roles,
    /// Ports that are used alike; those in no group are in kiosk mode.
    #[serde(default)]
    pub groups: Vec<Group>,
}

impl StationConfig {
    /// A station of this name with every setting at its default.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            paths: StationPaths::default(),
            system: None,
            policy: Policy::default(),
            roles: Roles::default(),
            groups: Vec::new(),
        }
    }

    /// Reads the file; relative paths in it start at its folder.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::parse(&error::text_of(path)?, path)
    }

    /// Reads the text of the file `path`.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        read::station(text, path).map_err(|problems| ConfigError::Problems { path: path.to_owned(), problems })
    }

    /// How the port of this label begins.
    pub fn mode_of(&self, label: &str) -> StartMode {
        let group = self.groups.iter().find(|group| group.ports.iter().any(|port| port == label));
        group.map_or(StartMode::Kiosk, |group| group.mode)
    }

    /// Groups that name a label which no port of the map has, and that label. A map changes without this file, so it is
    /// something to be told, and no reason not to start.
    pub fn groups_without_port<'c>(&'c self, map: &PortMap) -> Vec<(&'c str, &'c str)> {
        let named = |group: &'c Group| group.ports.iter().map(move |label| (&*group.name, &**label));
        self.groups.iter().flat_map(named).filter(|(_, label)| map.by_label(label).is_none()).collect()
    }

    /// The files of the jobs.
    pub fn job_paths(&self) -> Paths {
        let StationPaths { cache, trust, ledger, .. } = self.paths.clone();
        let updates = self.system.as_ref().map(|system| system.updates.clone());
        Paths { cache, trust, ledger, updates, station: self.name.clone() }
    }
}
