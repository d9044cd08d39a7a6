// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Platen's own form of a task sequence: TOML that people write and compare, with long scripts as files beside it.
//! The format is described in docs/formats/sequence.md.

mod condition;
mod read;
mod write;
mod xml;

use std::collections::BTreeMap;

pub(crate) use write::quoted;

/// A sequence in TOML, and the texts that stand in files beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Of `sequence.toml`.
    pub toml: String,
    /// By path, relative to it, with `/` between folders.
    pub files: BTreeMap<String, String>,
}

/// Number of the format.
const SCHEMA: u32 = 1;
/// Longest TOML that is read, in bytes: scripts stand beside it.
pub const MAX_TOML_BYTES: usize = crate::limits::MAX_XML_BYTES;
/// What a group or step stands in, in its group or in the sequence.
const NODES: &str = "do";
