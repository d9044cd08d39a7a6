// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Changes of the registry of a Windows that is not running: what `reg add`, `reg delete` and a `.reg` file would do, as
//! changes of hive files. Who carries them out is somebody else.

mod command;
mod import;
mod root;

use serde::{Deserialize, Serialize};

pub use self::command::{Command, command};
pub use self::import::{MAX_IMPORT_BYTES, import};

/// Most characters of a key's name ("Registry element size limits").
pub const MAX_KEY_CHARACTERS: usize = 255;
/// Most levels of keys (the same).
pub const MAX_KEY_LEVELS: usize = 512;
/// Most characters of a value's name (the same).
pub const MAX_NAME_CHARACTERS: usize = 16_383;
/// Most bytes of a value. Windows takes more, but keeps what is longer in pieces, which hivex can't write.
pub const MAX_DATA_BYTES: usize = 16_344;

/// A file that is a part of the registry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hive {
    /// `HKLM\SOFTWARE`.
    Software,
    /// `HKLM\SYSTEM`.
    System,
    /// `HKLM\SAM`.
    Sam,
    /// `HKLM\SECURITY`.
    Security,
    /// `HKU\.DEFAULT`: what the system itself uses before anybody logs on.
    Default,
    /// What `reg load` gave this name, in small letters with its root: `hklm\offline`.
    Loaded(String),
}

impl Hive {
    /// Its file, below the volume of Windows; none for a loaded one, which [`Command::Load`] said.
    pub fn file(&self) -> Option<&'static str> {
        match self {
            Self::Software => Some("Windows\\System32\\config\\SOFTWARE"),
            Self::System => Some("Windows\\System32\\config\\SYSTEM"),
            Self::Sam => Some("Windows\\System32\\config\\SAM"),
            Self::Security => Some("Windows\\System32\\config\\SECURITY"),
            Self::Default => Some("Windows\\System32\\config\\DEFAULT"),
            Self::Loaded(_) => None,
        }
    }
}

/// A change, and the hive it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryChange {
    /// The file.
    pub hive: Hive,
    /// The change in it.
    pub change: Change,
}

/// A change within a hive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Below the hive's root, with `\` between the names; empty for the root. `CurrentControlSet` at its beginning is
    /// whichever control set the hive's `Select\Current` names.
    pub key: String,
    /// What is done with it.
    #[serde(flatten)]
    pub action: Action,
}

/// What is done with a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum Action {
    /// It is there afterwards.
    CreateKey,
    /// It is gone afterwards, with all below it.
    DeleteKey,
    /// It is there afterwards, with this value.
    SetValue {
        /// Empty: the key's own value.
        name: String,
        /// What the value is.
        #[serde(flatten)]
        data: Data,
    },
    /// It has no such value afterwards.
    DeleteValue {
        /// Empty: the key's own value.
        name: String,
    },
    /// It has no values afterwards; keys below it stay.
    DeleteAllValues,
}

/// A value's type and bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Data {
    /// `REG_*` (winnt.h).
    pub kind: u32,
    /// As they stand in the hive.
    #[serde(with = "hexadecimal")]
    pub bytes: Vec<u8>,
}

/// `REG_SZ`.
pub const REG_SZ: u32 = 1;
/// `REG_EXPAND_SZ`.
pub const REG_EXPAND_SZ: u32 = 2;
/// `REG_BINARY`.
pub const REG_BINARY: u32 = 3;
/// `REG_DWORD`.
pub const REG_DWORD: u32 = 4;
/// `REG_MULTI_SZ`.
pub const REG_MULTI_SZ: u32 = 7;
/// `REG_QWORD`.
pub const REG_QWORD: u32 = 11;

impl Data {
    /// A text, which ends with a zero in the hive.
    pub fn text(kind: u32, text: &str) -> Self {
        let bytes = text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
        Self { kind, bytes }
    }

    /// Texts, each of which ends with a zero, and a zero after the last.
    pub fn texts<'t>(texts: impl IntoIterator<Item = &'t str>) -> Self {
        let units = texts.into_iter().flat_map(|text| text.encode_utf16().chain([0])).chain([0]);
        Self { kind: REG_MULTI_SZ, bytes: units.flat_map(u16::to_le_bytes).collect() }
    }

    /// 32 bits.
    pub fn dword(number: u32) -> Self {
        Self { kind: REG_DWORD, bytes: number.to_le_bytes().to_vec() }
    }

    /// 64 bits.
    pub fn qword(number: u64) -> Self {
        Self { kind: REG_QWORD, bytes: number.to_le_bytes().to_vec() }
    }

    /// Bytes.
    pub fn binary(bytes: Vec<u8>) -> Self {
        Self { kind: REG_BINARY, bytes }
    }
}

/// Why something can't be done to a Windows that is not running.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum RegistryError {
    /// Another program, or several.
    #[error("not one plain reg command: {found}")]
    NotReg { found: String },
    /// An argument that `reg` does not know, or lacks.
    #[error("reg: expected {expected}, found {found}")]
    Argument { expected: String, found: String },
    /// A part of the registry that is in no file, or in one that does not exist yet.
    #[error("{key}: can't be changed before the first start of the system: {reason}")]
    NotOffline { key: String, reason: &'static str },
    /// A name or value beyond what a registry takes.
    #[error("{what}: expected {expected}, found {found}")]
    TooMuch { what: String, expected: String, found: String },
    /// Not as the registry editor writes it.
    #[error("line {line} of the .reg file: expected {expected}, found {found}")]
    Import { line: usize, expected: &'static str, found: String },
}

/// What a message says of a text that may be megabytes.
fn short(text: &str) -> String {
    const CHARACTERS: usize = 80;
    let start: String = text.chars().take(CHARACTERS).collect();
    if start.len() < text.len() { format!("{start:?}…") } else { format!("{start:?}") }
}

/// The change of a full key, checked against the limits.
fn change(key: &str, is_32_bit: bool, action: Action) -> Result<RegistryChange, RegistryError> {
    let (hive, key) = root::split(key, is_32_bit)?;
    let limit = |what: String, limit: usize, found: usize| match found <= limit {
        true => Ok(()),
        false => Err(RegistryError::TooMuch { what, expected: format!("at most {limit}"), found: found.to_string() }),
    };
    limit(format!("levels of {}", short(&key)), MAX_KEY_LEVELS, key.split('\\').count())?;
    for name in key.split('\\') {
        limit(format!("characters of {}", short(name)), MAX_KEY_CHARACTERS, name.encode_utf16().count())?;
    }
    if let Action::SetValue { name, .. } | Action::DeleteValue { name } = &action {
        limit(format!("characters of {}", short(name)), MAX_NAME_CHARACTERS, name.encode_utf16().count())?;
    }
    if let Action::SetValue { name, data } = &action {
        limit(format!("bytes of {}", short(name)), MAX_DATA_BYTES, data.bytes.len())?;
    }
    if key.is_empty() && action == Action::DeleteKey {
        let expected = "a key below the hive's root".to_owned();
        return Err(RegistryError::Argument { expected, found: "the root".to_owned() });
    }
    Ok(RegistryChange { hive, change: Change { key, action } })
}

/// Bytes of a text of hexadecimal digits.
fn from_hexadecimal(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

/// Bytes in JSON.
mod hexadecimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        super::from_hexadecimal(&text).ok_or_else(|| D::Error::custom("expected pairs of hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests;
