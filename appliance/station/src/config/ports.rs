// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Which sockets a board has, what they are called, and what may be put into them.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::ConfigError;
use super::read::{expected_shown, is_shown};
use super::words::words;
use super::{error, ports_file};
use crate::replace::replace;

/// Longest label of a port or bank, in characters: what is painted beside a socket.
pub(super) const MAX_LABEL: usize = 8;
/// Longest name of a socket, in bytes.
const MAX_SOCKET_BYTES: usize = 255;
/// The greatest row and column.
pub(super) const MAX_PLACE: u32 = 99;

words! {
    /// What kind of drive the kernel says something is.
    DriveClass {
        /// A USB drive that says its medium can be taken out: a stick.
        UsbRemovable = "usb-removable",
        /// A USB drive that says it can't: an external disk, a SATA disk in a USB adapter.
        UsbFixed = "usb-fixed",
        /// A disk at a SATA port.
        Sata = "sata",
        /// A disk at an NVMe slot.
        Nvme = "nvme",
        /// A card in a card reader.
        Card = "card",
    }
}

/// What a port takes. Never nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeSet<DriveClass>")]
pub struct Accepts(BTreeSet<DriveClass>);

impl Accepts {
    /// None if there is nothing in it.
    pub fn new(classes: impl IntoIterator<Item = DriveClass>) -> Option<Self> {
        Some(Self(classes.into_iter().collect())).filter(|accepts| !accepts.0.is_empty())
    }

    /// Whether a drive of this kind is taken.
    pub fn takes(&self, class: DriveClass) -> bool {
        self.0.contains(&class)
    }

    /// All that are taken, in their order.
    pub fn classes(&self) -> impl Iterator<Item = DriveClass> + '_ {
        self.0.iter().copied()
    }
}

impl Default for Accepts {
    /// What people carry in their hands; disks only where a board says so.
    fn default() -> Self {
        Self(BTreeSet::from([DriveClass::UsbRemovable, DriveClass::Card]))
    }
}

impl TryFrom<BTreeSet<DriveClass>> for Accepts {
    type Error = &'static str;

    fn try_from(classes: BTreeSet<DriveClass>) -> Result<Self, Self::Error> {
        Self::new(classes).ok_or("expected at least one kind of drive, found none")
    }
}

/// One socket of the board.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// What is painted beside it: 1 to 8 printable characters, unique (case does not count).
    pub label: String,
    /// The kernel's name of the socket (`ID_PATH` up to the USB port), unique. It stays what it is whatever is put in.
    pub socket: String,
    /// What may be put in.
    #[serde(default)]
    pub accepts: Accepts,
    /// From the top, for the display: 1 to 99. Row and column are given together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<u32>,
    /// From the left, for the display: 1 to 99.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// Which of several rows of sockets that stand apart: 1 to 8 printable characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bank: Option<String>,
}

/// Why ports are no map.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("port {}: {field}: expected {expected}, found {found}", index + 1)]
pub struct PortProblem {
    /// Its place in the list, from 0.
    pub index: usize,
    /// As the file calls it.
    pub field: &'static str,
    /// What would be right.
    pub expected: String,
    /// What is there.
    pub found: String,
}

/// All sockets that have a label. A label leads to one socket, and a socket to one label.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<Port>", into = "Vec<Port>")]
pub struct PortMap {
    ports: Vec<Port>,
}

impl PortMap {
    /// From its ports, in the order in which they are shown and written.
    pub fn new(ports: Vec<Port>) -> Result<Self, PortProblem> {
        match problems(&ports).into_iter().next() {
            None => Ok(Self { ports }),
            Some(problem) => Err(problem),
        }
    }

    /// Reads the file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::parse(&error::text_of(path)?, path)
    }

    /// Reads the text of the file `path`.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let ports =
            ports_file::read(text).map_err(|problems| ConfigError::Problems { path: path.to_owned(), problems })?;
        Ok(Self { ports })
    }

    /// Writes the file, whole or not at all; what stood in it is gone, comments too.
    pub fn save(&self, path: &Path) -> Result<(), ConfigError> {
        replace(path, self.to_toml().as_bytes(), 0o644)
            .map_err(|source| ConfigError::Write { path: path.to_owned(), source })
    }

    /// The text of the file: the same map always makes the same text.
    pub fn to_toml(&self) -> String {
        ports_file::write(&self.ports)
    }

    /// All ports, in their order.
    pub fn ports(&self) -> &[Port] {
        &self.ports
    }

    /// The port that the kernel calls so.
    pub fn by_socket(&self, socket: &str) -> Option<&Port> {
        self.ports.iter().find(|port| port.socket == socket)
    }

    /// The port with this label.
    pub fn by_label(&self, label: &str) -> Option<&Port> {
        self.ports.iter().find(|port| port.label == label)
    }
}

impl TryFrom<Vec<Port>> for PortMap {
    type Error = PortProblem;

    fn try_from(ports: Vec<Port>) -> Result<Self, PortProblem> {
        Self::new(ports)
    }
}

impl From<PortMap> for Vec<Port> {
    fn from(map: PortMap) -> Self {
        map.ports
    }
}

/// Everything by which ports are no map, whether they were read or made.
pub(super) fn problems(ports: &[Port]) -> Vec<PortProblem> {
    let mut found = Vec::new();
    for (index, port) in ports.iter().enumerate() {
        let before = &ports[..index];
        let mut note = |field, expected: &str, text: String| {
            found.push(PortProblem { index, field, expected: expected.to_owned(), found: text });
        };
        if !is_shown(&port.label, MAX_LABEL) {
            note("label", &expected_shown(MAX_LABEL), format!("{:?}", port.label));
        }
        let folded = port.label.to_lowercase();
        if let Some(other) = before.iter().find(|other| other.label.to_lowercase() == folded) {
            let found = format!("{:?} again (also at socket {:?})", port.label, other.socket);
            note("label", "a label of its own (case does not count)", found);
        }
        if !is_socket(&port.socket) {
            let expected = format!("1 to {MAX_SOCKET_BYTES} ASCII characters without blanks");
            note("socket", &expected, format!("{:?}", port.socket));
        }
        if let Some(other) = before.iter().find(|other| other.socket == port.socket) {
            let found = format!("{:?} again (also port {:?})", port.socket, other.label);
            note("socket", "a socket of its own", found);
        }
        if let Some(bank) = port.bank.as_ref().filter(|bank| !is_shown(bank, MAX_LABEL)) {
            note("bank", &expected_shown(MAX_LABEL), format!("{bank:?}"));
        }
        match (port.row, port.column) {
            (None, None) => {}
            (Some(_), None) => note("row", "a column with it", "none".to_owned()),
            (None, Some(_)) => note("column", "a row with it", "none".to_owned()),
            (Some(row), Some(column)) => {
                for (field, value) in [("row", row), ("column", column)] {
                    if !(1..=MAX_PLACE).contains(&value) {
                        note(field, &format!("a whole number from 1 to {MAX_PLACE}"), value.to_string());
                    }
                }
                let place = |port: &Port| (port.bank.clone(), port.row, port.column);
                if let Some(other) = before.iter().find(|other| place(other) == place(port)) {
                    let found = format!("row {row}, column {column} again (also port {:?})", other.label);
                    note("row", "a place of its own", found);
                }
            }
        }
    }
    found
}

fn is_socket(text: &str) -> bool {
    (1..=MAX_SOCKET_BYTES).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}
