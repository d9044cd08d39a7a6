// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The appliance's own operating system: its two slots, the update that waits, the disk with the station's data. The program
//! that keeps it (`platen-keeper`) says so in lines of JSON, a [`SystemState`] each, whenever something of it changes and to
//! whoever connects; it is asked by lines with a [`SystemRequest`]. There are no other answers.

use serde::{Deserialize, Serialize};

use crate::any_code::AnyCode;

/// The largest update that the station brings in from a drive, and that its system takes from it. It holds a kernel and a
/// root file system; a tenth of this is a large one.
pub const MAX_UPDATE_BYTES: u64 = 1 << 30;

/// What the system is, and what is to be known about it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SystemState {
    /// The board it was built for, as `board/` names it.
    pub board: String,
    /// The release that runs.
    pub version: String,
    /// The slot it runs from: `a` or `b`.
    pub slot: String,
    /// The release in the other slot, if one is there that may be started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_version: Option<String>,
    /// The disk with cache, ledger and memory.
    pub data: DataState,
    /// The update that was brought last.
    pub update: UpdateState,
}

/// How the file system with the station's data is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum DataState {
    /// It is in use.
    #[default]
    Good,
    /// It can't be read or repaired. The station runs without, and keeps nothing.
    Broken,
    /// Of a newer version.
    #[serde(other)]
    #[cfg_attr(test, schemars(skip))]
    Unknown,
}

/// What became of an update.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum UpdateState {
    /// There is none.
    #[default]
    None,
    /// It is signed and for this board, and waits to be installed.
    Offered {
        /// The release it brings.
        version: String,
        /// It is older than what was in use here; an administrator may install it.
        is_older: bool,
    },
    /// It is not taken, or came to nothing.
    Refused {
        /// Why, in a word for people and for the manual.
        code: AnyCode,
        /// What, where, expected, found.
        text: String,
    },
    /// It is being written to the other slot.
    Installing {
        /// The release it brings.
        version: String,
        /// From 0 to 100.
        percent: u8,
    },
    /// It is in the other slot, which the machine starts from next.
    Installed {
        /// The release it brings.
        version: String,
    },
    /// Of a newer version.
    #[serde(other)]
    #[cfg_attr(test, schemars(skip))]
    Unknown,
}

/// What the station asks of its system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
pub enum SystemRequest {
    /// Look at what was brought into the folder for updates.
    Look,
    /// Install the update that is offered, if it is this release.
    Install {
        /// As it was offered.
        version: String,
        /// Somebody who may has allowed that it is older.
        older: bool,
    },
    /// Start the machine anew.
    Restart,
    /// Switch it off.
    PowerOff,
    /// Make the file system for data anew. What was on it is lost.
    MakeDataAnew,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_documented() {
        let state = SystemState {
            board: "qemu_x86_64".to_owned(),
            version: "1.4.0".to_owned(),
            slot: "a".to_owned(),
            other_version: Some("1.3.2".to_owned()),
            data: DataState::Good,
            update: UpdateState::Offered { version: "1.5.0".to_owned(), is_older: false },
        };
        let line = concat!(
            r#"{"board":"qemu_x86_64","version":"1.4.0","slot":"a","other_version":"1.3.2","data":"good","#,
            r#""update":{"is":"offered","version":"1.5.0","is_older":false}}"#
        );
        assert_eq!(serde_json::to_string(&state).expect("JSON"), line);
        assert_eq!(serde_json::from_str::<SystemState>(line).expect("read"), state);
        let asked = SystemRequest::Install { version: "1.5.0".to_owned(), older: false };
        let line = r#"{"request":"install","version":"1.5.0","older":false}"#;
        assert_eq!(serde_json::to_string(&asked).expect("JSON"), line);
        assert_eq!(serde_json::from_str::<SystemRequest>(line).expect("read"), asked);
        let newer = line.replace("older", "force");
        assert!(serde_json::from_str::<SystemRequest>(&newer).is_err_and(|error| error.to_string().contains("force")));
    }

    #[test]
    fn what_a_newer_keeper_says_is_read() {
        let line =
            r#"{"board":"b","version":"2","slot":"b","data":"worn","update":{"is":"queued","at":3},"colour":"red"}"#;
        let state: SystemState = serde_json::from_str(line).expect("read");
        assert_eq!((state.data, state.update), (DataState::Unknown, UpdateState::Unknown));
    }
}
