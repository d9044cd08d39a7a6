// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Heads: the hash of the last row, which stands for all rows before it. A head that is kept elsewhere shows what the
//! chain alone can't: rows cut off at the end, or a chain that was computed anew.

use std::fs;
use std::path::Path;

use platen_media::sign::TrustedKeys;
use platen_media::{Sha256, Timestamp};
use serde::Serialize;

use crate::{Ledger, LedgerError};

/// A minisign signature file is far smaller.
const MAX_HEAD_FILE_BYTES: u64 = 64 << 10;
const BEFORE_HASH: &str = " head ";

/// A head, signed by the station's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignedHead {
    /// How many rows stood before it was signed.
    pub rows: u64,
    /// The hash of the last of them.
    pub head: Sha256,
    /// A minisign signature over the head's text and a newline; its trusted comment repeats the head.
    pub signature: String,
}

impl Ledger {
    /// Check the chain and sign its head, in the name of `station` at `now`.
    pub fn signed_head(&self, station: &str, now: Timestamp) -> Result<SignedHead, LedgerError> {
        let (rows, head) = self.check(None)?;
        let station: String = station.chars().filter(|c| !c.is_control()).take(128).collect();
        let comment = format!("platen ledger: {rows} rows,{BEFORE_HASH}{head} at {now} on {station}");
        let signature = self.key()?.sign(&signed_bytes(&head), &comment)?;
        Ok(SignedHead { rows, head, signature })
    }

    /// The head in a file that [`Ledger::signed_head`] was written to, if this station signed it.
    pub fn read_head(&self, path: &Path) -> Result<Sha256, LedgerError> {
        let other = |found: String| LedgerError::Head { path: path.to_owned(), found };
        let metadata = fs::metadata(path).map_err(|error| other(error.to_string()))?;
        if !metadata.is_file() || metadata.len() > MAX_HEAD_FILE_BYTES {
            return Err(other("something else".to_owned()));
        }
        let text = fs::read_to_string(path).map_err(|error| other(error.to_string()))?;
        let comment = text.lines().nth(2).and_then(|line| line.strip_prefix("trusted comment: "));
        let hash = comment.and_then(|comment| comment.split_once(BEFORE_HASH)?.1.get(..64)?.parse().ok());
        let head: Sha256 = hash.ok_or_else(|| other("a file without one".to_owned()))?;
        let public = self.key()?.public_text()?;
        let wrong = |source| LedgerError::HeadSignature { path: path.to_owned(), source };
        let key = TrustedKeys::from_texts([&*public]).map_err(wrong)?;
        key.check("ledger head", &signed_bytes(&head), &text).map_err(wrong)?;
        Ok(head)
    }
}

fn signed_bytes(head: &Sha256) -> Vec<u8> {
    format!("{head}\n").into_bytes()
}
