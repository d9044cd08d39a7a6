// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Who may do what.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::words::{Word, words};

words! {
    /// Who is at the station. Each may do what those before it may.
    Role {
        /// Writes drives: runs what was armed.
        Technician = "technician",
        /// Answers for a batch: says what is written.
        Operator = "operator",
        /// Decides what the station may do.
        Administrator = "administrator",
    }
}

words! {
    /// What somebody may be allowed to do.
    Action {
        /// Write a drive with what is armed.
        Start = "start",
        /// Judge a drive that was written before.
        Verify = "verify",
        /// Stop a job.
        Cancel = "cancel",
        /// Say which medium a port's drives get.
        Arm = "arm",
        /// Find out how big a drive really is.
        Test = "test",
        /// Erase a drive.
        Erase = "erase",
        /// Let the station begin nothing for a while, and go on.
        Pause = "pause",
        /// Bring media into the cache, and remove them.
        Import = "import",
        /// Copy a drive that is no medium of a trusted author.
        DuplicateForeign = "duplicate-foreign",
        /// Say whose signatures are trusted.
        Keys = "keys",
        /// Say which socket has which label.
        Map = "map",
        /// Set the clock.
        Clock = "clock",
        /// Change this policy.
        Policy = "policy",
        /// Cut and restore the power of a port.
        Power = "power",
        /// Look at the ledger.
        History = "history",
        /// Export what helps others to find a fault.
        Diagnostics = "diagnostics",
        /// Shut the station down, or start it anew.
        ShutDown = "shut-down",
        /// Install an update of the appliance's own system.
        UpdateSystem = "update-system",
        /// Install one that is older than what was in use.
        OlderSystem = "older-system",
        /// Make the disk for the station's data anew, when it can't be read or repaired.
        DataAnew = "data-anew",
    }
}

impl Action {
    /// Who may do it at least, where `station.toml` says nothing else.
    pub fn default_role(self) -> Role {
        match self {
            Self::Start | Self::Verify | Self::Cancel | Self::History => Role::Technician,
            Self::Arm | Self::Pause | Self::Test | Self::Erase | Self::Power => Role::Operator,
            Self::Import
            | Self::DuplicateForeign
            | Self::Keys
            | Self::Map
            | Self::Clock
            | Self::Policy
            | Self::Diagnostics
            | Self::ShutDown
            | Self::UpdateSystem
            | Self::OlderSystem
            | Self::DataAnew => Role::Administrator,
        }
    }
}

/// For each action the lowest role that may do it. There is one for each, so that none can be given to nobody: a station
/// whose keys nobody may change would have to be opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, Role>", into = "BTreeMap<Action, Role>")]
pub struct Roles(BTreeMap<Action, Role>);

impl Roles {
    /// Whether somebody of this role may do this.
    pub fn may(&self, role: Role, action: Action) -> bool {
        role >= self.lowest(action)
    }

    /// The lowest role that may do this.
    pub fn lowest(&self, action: Action) -> Role {
        self.0.get(&action).copied().unwrap_or_else(|| action.default_role())
    }

    /// From this role on it may be done.
    pub fn give(&mut self, action: Action, lowest: Role) {
        self.0.insert(action, lowest);
    }
}

impl Default for Roles {
    fn default() -> Self {
        Self(Action::ALL.iter().map(|&action| (action, action.default_role())).collect())
    }
}

/// From what another release stored: actions it did not know have their defaults, those that only it knew are nobody's
/// business here.
impl From<BTreeMap<String, Role>> for Roles {
    fn from(stored: BTreeMap<String, Role>) -> Self {
        let mut roles = Self::default();
        for (word, role) in stored {
            if let Some(action) = Action::of(&word) {
                roles.give(action, role);
            }
        }
        roles
    }
}

impl From<Roles> for BTreeMap<Action, Role> {
    fn from(roles: Roles) -> Self {
        roles.0
    }
}
