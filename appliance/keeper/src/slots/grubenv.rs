// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! GRUB's environment block: 1,024 bytes with variables, a line each, filled up with `#` (GRUB's manual, "The GRUB
//! environment block"). GRUB itself writes to the sectors that the file has, and asks no file system.

use std::collections::BTreeMap;

/// Length of a block. GRUB reads others, too.
pub const SIZE_BYTES: usize = 1024;
/// None is longer.
pub const MAX_BYTES: usize = 4 * SIZE_BYTES;
/// What is written to a disk at once, or not at all.
const SECTOR_BYTES: usize = 512;
const HEADER: &[u8] = b"# GRUB Environment Block\n";

/// Why bytes are no environment block, or variables do not fit into one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvError {
    /// GRUB would not read it.
    #[error("expected GRUB's header and at most {MAX_BYTES} bytes, found {found_bytes} bytes that are something else")]
    NoBlock {
        /// How long it is.
        found_bytes: usize,
    },
    /// More than lies in the first sector could be torn by a power cut.
    #[error("expected at most {SECTOR_BYTES} bytes of variables, found {found_bytes}")]
    TooLong {
        /// How long they are.
        found_bytes: usize,
    },
}

/// The variables of a block.
pub fn parse(block: &[u8]) -> Result<BTreeMap<String, String>, EnvError> {
    if block.len() > MAX_BYTES || !block.starts_with(HEADER) {
        return Err(EnvError::NoBlock { found_bytes: block.len() });
    }
    let mut variables = BTreeMap::new();
    let mut line = Vec::new();
    let mut bytes = block[HEADER.len()..].iter();
    while let Some(byte) = bytes.next() {
        match byte {
            // What follows belongs to the value, a line's end too.
            b'\\' => line.extend(bytes.next()),
            b'\n' => {
                let text = String::from_utf8_lossy(&line);
                if let Some((name, value)) = text.split_once('=').filter(|_| !text.starts_with('#')) {
                    variables.insert(name.to_owned(), value.to_owned());
                }
                line.clear();
            }
            byte => line.push(*byte),
        }
    }
    Ok(variables)
}

/// A block with these variables; those without a value are left out.
pub fn render(variables: &BTreeMap<String, String>) -> Result<Vec<u8>, EnvError> {
    let mut block = HEADER.to_vec();
    for (name, value) in variables.iter().filter(|(_, value)| !value.is_empty()) {
        block.extend(name.bytes());
        block.push(b'=');
        for byte in value.bytes() {
            if matches!(byte, b'\\' | b'\n') {
                block.push(b'\\');
            }
            block.push(byte);
        }
        block.push(b'\n');
    }
    if block.len() > SECTOR_BYTES {
        return Err(EnvError::TooLong { found_bytes: block.len() });
    }
    block.resize(SIZE_BYTES, b'#');
    Ok(block)
}
