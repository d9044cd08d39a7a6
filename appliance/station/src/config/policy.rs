// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What a staging centre states of its work.

use std::collections::BTreeSet;
use std::time::Duration;

use platen_engine::Limits;
use serde::{Deserialize, Serialize};

use super::words::words;

words! {
    /// What is done with a drive that the ledger knows as NOT USABLE, when it comes back.
    SetAside {
        /// It is refused, with the code it had.
        Refuse = "refuse",
        /// It is written like any other: the shelf for such drives is trusted more than the ledger.
        Allow = "allow",
    }
}

words! {
    /// How a drive's own cache is got out of the way before it is read back.
    PowerCycle {
        /// Its port's power is cut where the hub can; elsewhere more is pushed through the cache than it holds.
        Auto = "auto",
        /// Its port's power is cut; a port that can't is not written to.
        Require = "require",
        /// Power is never cut: for hubs that say they can and take the neighbours down too.
        Never = "never",
    }
}

words! {
    /// What is done with a drive in a socket that has no label.
    UnmappedPorts {
        /// Nothing: who can't say where a drive is can't say which drive is ready.
        Refuse = "refuse",
        /// It is written, under the socket's own name.
        Accept = "accept",
    }
}

/// What a station does and does not do, whoever asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// How often a job is begun: 1 to 3. It is begun anew when a drive was pulled, stalled or refused an operation, never
    /// after wrong data or a false size.
    pub attempts: u32,
    /// Drives that failed for good before.
    pub set_aside: SetAside,
    /// How a drive's cache is got out of the way.
    pub power_cycle: PowerCycle,
    /// A drive that is slower over a while is given up.
    pub minimum_bytes_per_s: u64,
    /// A drive that does not answer for so long is given up: 10 to 3600.
    pub stall_limit_s: u32,
    /// What must be free on the disks of cache, ledger and state. With less, no job is begun: one that can't be
    /// recorded would be for nothing.
    pub lowest_free_bytes: u64,
    /// Smaller drives are refused. None: no drive is too small but by what is written to it.
    pub smallest_drive_bytes: Option<u64>,
    /// Larger drives are refused: most likely they are somebody's disk. None: no drive is too large.
    pub largest_drive_bytes: Option<u64>,
    /// Ids of the media that may be written. None: all that are in the cache.
    pub media: Option<BTreeSet<String>>,
    /// Sockets without a label.
    pub unmapped_ports: UnmappedPorts,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            attempts: 2,
            set_aside: SetAside::Refuse,
            power_cycle: PowerCycle::Auto,
            minimum_bytes_per_s: 1_000_000,
            stall_limit_s: 120,
            lowest_free_bytes: 1 << 30,
            smallest_drive_bytes: None,
            // Not 2 TB: a drive that is sold as that has 2,000,398,934,016 bytes.
            largest_drive_bytes: Some(2 << 40),
            media: None,
            unmapped_ports: UnmappedPorts::Refuse,
        }
    }
}

impl Policy {
    /// When the engine gives a drive up or begins anew.
    pub fn limits(&self) -> Limits {
        Limits {
            stall: Duration::from_secs(self.stall_limit_s.into()),
            minimum_bytes_per_s: self.minimum_bytes_per_s,
            attempts: self.attempts,
        }
    }

    /// Whether the medium with this id may be written.
    pub fn may_write(&self, medium: &str) -> bool {
        self.media.as_ref().is_none_or(|media| media.contains(medium))
    }
}
