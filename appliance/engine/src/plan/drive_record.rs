// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! `platen/drive.json`: what a drive says about its own making. The only file on a medium that its author did not sign. The
//! station that wrote the drive signs it, with a key that is nobody's author's; whoever trusts that station can see that
//! this very drive was written and read back there.

use std::collections::BTreeMap;

use platen_events::clean;
use platen_media::envelope::{DRIVE_RECORD, DRIVE_RECORD_BYTES};
use platen_media::sign::{SignError, TrustedKeys};
use platen_media::stored::{self, Stored, StoredError, first_schema};
use platen_media::{Sha256, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::drive::{DriveFacts, DriveRef};

/// The schema number this version writes, and the newest it reads.
pub(crate) const SCHEMA: u32 = 1;

/// The longest text in a record, in characters.
const MAX_TEXT_CHARS: usize = 128;

/// What a written drive says of itself, in a file of fixed size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriveRecord {
    /// The number of its format, see `docs/formats/drive.md`.
    #[serde(default = "first_schema")]
    pub schema: u32,
    /// The station's name.
    pub station: String,
    /// Where the drive was, and how it was reached.
    pub drive: DriveRef,
    /// What the drive says of itself.
    pub serial: Option<String>,
    /// The same: `0781:5581`. Absent for drives that are not USB, and in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor_product: Option<String>,
    /// The drive's capacity in bytes. Absent in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// `<id>-r<revision>`.
    pub medium: String,
    /// The medium's version, for people.
    pub version: String,
    /// Of the manifest on the drive.
    pub manifest_sha256: Sha256,
    /// Every byte but this record and the boot sectors was read back by then.
    pub verified_at: Timestamp,
    /// Read back and found right, in bytes.
    pub verified_bytes: u64,
    /// Which cache was passed by, and how.
    pub read_back: String,
    /// The station's minisign signature over [`DriveRecord::signed_bytes`]. Absent in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

/// Why a drive's record proves nothing.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum Unproven {
    #[error("{DRIVE_RECORD}: expected a record signed by a station, found {found}")]
    Unsigned { found: &'static str },
    #[error("{DRIVE_RECORD}")]
    Signature(#[source] SignError),
    #[error("{DRIVE_RECORD}: {what}: this drive has {found}, the record is of one with {expected}")]
    OtherDrive { what: &'static str, expected: String, found: String },
}

impl Stored for DriveRecord {
    const SCHEMA: u32 = SCHEMA;

    fn schema(&self) -> u32 {
        self.schema
    }
}

impl DriveRecord {
    /// As found on a drive, where nobody signs it: fit to be shown.
    pub fn read(text: &str) -> Result<Self, StoredError> {
        let found: Self = stored::read(text.as_bytes())?;
        let fit = |text: &String| clean(text, MAX_TEXT_CHARS);
        Ok(Self {
            station: fit(&found.station),
            drive: DriveRef { port: fit(&found.drive.port), path: fit(&found.drive.path) },
            serial: found.serial.as_ref().map(fit),
            medium: fit(&found.medium),
            version: fit(&found.version),
            read_back: fit(&found.read_back),
            vendor_product: found.vendor_product.as_ref().map(fit),
            ..found
        })
    }

    /// With texts as they stand in the file: a drive's own are shortened, so that no drive can make it overflow, and have no
    /// characters that programs write in different ways.
    pub fn fitted(self) -> Self {
        let fit = |text: &String| clean(text, MAX_TEXT_CHARS);
        Self {
            station: fit(&self.station),
            drive: DriveRef { port: fit(&self.drive.port), path: fit(&self.drive.path) },
            serial: self.serial.as_ref().map(fit),
            read_back: fit(&self.read_back),
            ..self
        }
    }

    /// What a station signs: the record without its signature as JSON with sorted keys and without blanks, as `jq -cSj
    /// 'del(.signature)'` gives it.
    pub fn signed_bytes(&self) -> Vec<u8> {
        let text = serde_json::to_vec(self).expect("a record has only strings and numbers");
        signed_bytes(&text).expect("what was written can be read")
    }

    /// The number of the station's key, if the record in `text` is signed by one of `stations` and is of this drive and this
    /// release.
    pub fn prove(
        text: &str,
        facts: &DriveFacts,
        manifest_sha256: Sha256,
        stations: &TrustedKeys,
    ) -> Result<String, Unproven> {
        let unsigned = |found| Unproven::Unsigned { found };
        let record: Self = stored::read(text.as_bytes()).map_err(|_| unsigned("something else"))?;
        let signature = record.signature.as_deref().ok_or_else(|| unsigned("one without a signature"))?;
        let bytes = signed_bytes(text.as_bytes()).ok_or_else(|| unsigned("something else"))?;
        let key = stations.check(DRIVE_RECORD, &bytes, signature).map_err(Unproven::Signature)?;
        let of = |serial: Option<&String>| serial.map_or("none".to_owned(), |serial| clean(serial, MAX_TEXT_CHARS));
        let label = facts.label();
        let number = |size_bytes: Option<u64>| size_bytes.map_or("none".to_owned(), |bytes| format!("{bytes} bytes"));
        for (what, expected, found) in [
            ("serial number", of(record.serial.as_ref()), of(facts.serial.as_ref())),
            ("vendor and product", of(record.vendor_product.as_ref()), of(label.vendor_product.as_ref())),
            ("size", number(record.size_bytes), number(Some(facts.size_bytes))),
            ("manifest", record.manifest_sha256.to_string(), manifest_sha256.to_string()),
        ] {
            if expected != found {
                return Err(Unproven::OtherDrive { what, expected, found });
            }
        }
        Ok(key)
    }

    /// Exactly [`DRIVE_RECORD_BYTES`] bytes, of a record that was fitted.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("a record has only strings and numbers");
        // A character takes four bytes at most: 5 x 128 x 4, the signature's 350 and the fixed fields stay below the size.
        assert!(bytes.len() < DRIVE_RECORD_BYTES as usize, "record of {} bytes", bytes.len());
        bytes.resize(DRIVE_RECORD_BYTES as usize - 1, b' ');
        bytes.push(b'\n');
        bytes
    }
}

/// A newer version's fields are signed too. None: it is no JSON object.
fn signed_bytes(text: &[u8]) -> Option<Vec<u8>> {
    let mut fields: BTreeMap<String, Value> = serde_json::from_slice(text).ok()?;
    fields.remove("signature");
    serde_json::to_vec(&fields).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_its_size_whatever_the_drive_calls_itself() {
        for hostile in ["\u{1}", "\"", "\\", "\u{1f600}", "\u{202e}", "\u{7f}"].map(|text| text.repeat(10_000)) {
            has_its_size(&hostile);
        }
    }

    fn has_its_size(hostile: &str) {
        let hostile = hostile.to_owned();
        let record = DriveRecord {
            schema: SCHEMA,
            station: hostile.clone(),
            drive: DriveRef { port: hostile.clone(), path: "/dev/sdb".into() },
            serial: Some(hostile.clone()),
            vendor_product: Some("ffff:ffff".into()),
            size_bytes: Some(u64::MAX),
            medium: "PLT00001-r1".into(),
            version: "v".repeat(32),
            manifest_sha256: Sha256::of(b""),
            verified_at: Timestamp::from_unix_s(i64::MAX),
            verified_bytes: u64::MAX,
            read_back: hostile,
            signature: Some("s".repeat(400)),
        }
        .fitted();
        let bytes = record.to_bytes();
        assert_eq!(bytes.len() as u64, DRIVE_RECORD_BYTES);
        let again: DriveRecord = serde_json::from_slice(&bytes).expect("JSON with blanks after it");
        assert_eq!(again.medium, record.medium);
    }
}
