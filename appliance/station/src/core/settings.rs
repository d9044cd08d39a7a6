// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What a station was told about its ports, and about what it may do.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::{Policy, PortMap, Roles};

/// All that a station decides by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The board's ports.
    pub map: PortMap,
    /// Labels of the ports that are armed until somebody says otherwise.
    pub armed: BTreeSet<String>,
    /// What is done and what is not.
    pub policy: Policy,
    /// Who may do what.
    pub roles: Roles,
}

impl Settings {
    /// A drive that is silent for so long is given up.
    pub(super) fn stall_limit(&self) -> Duration {
        Duration::from_secs(self.policy.stall_limit_s.into())
    }
}
