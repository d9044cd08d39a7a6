// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! `platen/drive.json`: what a drive says about its own making. The only file on a medium that is not signed, because
//! the station that writes it holds no author's key; nobody decides anything by it.

use platen_events::clean;
use platen_media::envelope::DRIVE_RECORD_BYTES;
use platen_media::stored::{self, Stored, StoredError, first_schema};
use platen_media::{Sha256, Timestamp};
use serde::{Deserialize, Serialize};

use crate::drive::DriveRef;

/// The schema number this version writes, and the newest it reads.
pub(crate) const SCHEMA: u32 = 1;

/// The longest text in a record, in characters.
const MAX_TEXT_CHARS: usize = 128;

/// What a written drive says of itself, in a file of fixed size. Nobody decides by it.
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
            ..found
        })
    }

    /// Exactly [`DRIVE_RECORD_BYTES`] bytes. A drive's own texts are shortened, so that no drive can make it overflow.
    pub fn to_bytes(&self) -> Vec<u8> {
        let short = |text: &str| text.chars().take(MAX_TEXT_CHARS).collect::<String>();
        let fitted = Self {
            station: short(&self.station),
            drive: DriveRef { port: short(&self.drive.port), path: short(&self.drive.path) },
            serial: self.serial.as_deref().map(short),
            ..self.clone()
        };
        let mut bytes = serde_json::to_vec_pretty(&fitted).expect("a record has only strings and numbers");
        // Control characters take six bytes each in JSON: 3 x 128 x 6 and the fixed fields stay below the size.
        assert!(bytes.len() < DRIVE_RECORD_BYTES as usize, "record of {} bytes", bytes.len());
        bytes.resize(DRIVE_RECORD_BYTES as usize - 1, b' ');
        bytes.push(b'\n');
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_its_size_whatever_the_drive_calls_itself() {
        let hostile = "\u{1}".repeat(10_000);
        let record = DriveRecord {
            schema: SCHEMA,
            station: hostile.clone(),
            drive: DriveRef { port: hostile.clone(), path: "/dev/sdb".into() },
            serial: Some(hostile),
            medium: "PLT00001-r1".into(),
            version: "v".repeat(32),
            manifest_sha256: Sha256::of(b""),
            verified_at: Timestamp::from_unix_s(i64::MAX),
            verified_bytes: u64::MAX,
            read_back: "O_DIRECT".into(),
        };
        let bytes = record.to_bytes();
        assert_eq!(bytes.len() as u64, DRIVE_RECORD_BYTES);
        let again: DriveRecord = serde_json::from_slice(&bytes).expect("JSON with blanks after it");
        assert_eq!(again.medium, record.medium);
    }
}
