// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What a single request is answered: listings, reports, documents. They are part of the stream, and change no state.

use serde::{Deserialize, Serialize};

use crate::any_code::AnyCode;
use crate::identity::{DriveId, JobId};

/// The answer to a request; a listing is one answer for each of its lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "answer", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Answer {
    /// A whole text in a format of its own.
    Document {
        /// What kind of text it is.
        format: DocumentFormat,
        /// What it is about: a medium's or folder's name. Absent where there is nothing to tell apart.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<String>,
        /// All of it; for a signed manifest exactly the signed bytes.
        text: String,
    },
    /// A key pair was made.
    KeyMade {
        /// Number of the key, as signatures name it.
        id: String,
        /// Path of the file with the secret key.
        secret: String,
        /// Path of the file with the public key, for stations.
        public: String,
    },
    /// A public key: its number, and the key itself in base64.
    Key {
        /// Number of the key, as signatures name it.
        id: String,
        /// In base64.
        key: String,
    },
    /// A definition was checked.
    DefinitionChecked {
        /// Id of the medium, as the definition says it.
        id: String,
        /// Number of the release, as the definition says it.
        revision: u32,
        /// How many files the medium will have.
        files: u64,
        /// Size of those files together.
        content_bytes: u64,
        /// The smallest drive it fits on, in bytes, with sectors of 512 bytes. Absent when there is none, or a disk image.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        needs_drive_bytes: Option<u64>,
        /// The same with sectors of 4096 bytes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        needs_drive_4096_bytes: Option<u64>,
        /// Broken rules; empty when there are none.
        findings: Vec<Finding>,
    },
    /// A medium was built and signed.
    MediumBuilt {
        /// The medium, `<id>-r<revision>`.
        medium: String,
        /// SHA-256 of the signed manifest, in hex.
        manifest_sha256: String,
        /// Number of the key.
        signed_by: String,
        /// How many files the medium has.
        files: u64,
        /// Size of those files together.
        content_bytes: u64,
        /// The smallest drive it fits on, in bytes, with sectors of 512 bytes. Absent when there is none, or a disk image.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        needs_drive_bytes: Option<u64>,
        /// The same with sectors of 4096 bytes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        needs_drive_4096_bytes: Option<u64>,
        /// Broken rules that did not stop the build; empty when there are none.
        findings: Vec<Finding>,
        /// Where the creation log is.
        log: String,
    },
    /// What is different between two media; empty: nothing.
    MediaCompared {
        /// One text for each difference.
        changes: Vec<String>,
    },

    /// A medium of the cache.
    CachedMedium {
        /// The medium, `<id>-r<revision>`.
        medium: String,
        /// What people call it.
        title: String,
        /// A text for people; releases are ordered by revision.
        version: String,
        /// Kind of the medium, as one word.
        kind: String,
        /// Size of its content.
        content_bytes: u64,
        /// Absent when the medium's own files are damaged; then the texts above are empty.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        created: Option<String>,
        /// It is kept, and may be written, although a newer revision is here.
        pinned: bool,
        /// What is missing or wrong. Absent when every blob is there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        problem: Option<String>,
    },
    /// Everything in the cache was read.
    Scrubbed {
        /// How much was read and checked.
        checked_bytes: u64,
        /// Content that is not what it was; empty when all is well.
        damage: Vec<Damage>,
    },
    /// What nothing needs was removed from the cache.
    GarbageCollected {
        /// Taken out because a newer revision is here.
        media: Vec<String>,
        /// How many of those that were taken out are being used at this moment; their content is still there.
        in_use: u64,
        /// How many blobs were removed.
        removed_blobs: u64,
        /// Size of the removed blobs together.
        removed_bytes: u64,
    },
    /// The oldest revision of a medium that is accepted.
    Minimum(Minimum),
    /// It was changed.
    MinimumChanged {
        /// What was accepted until now.
        before: Minimum,
        /// What is accepted from now on.
        after: Minimum,
        /// Media that are newer and left the list.
        withdrawn: Vec<String>,
    },
    /// A medium is kept when newer revisions arrive, or no longer.
    PinChanged {
        /// The medium, `<id>-r<revision>`.
        medium: String,
        /// True: kept from now on. False: no longer.
        pinned: bool,
    },

    /// What would be written to a drive.
    Plan(Plan),
    /// What is on a drive, and whether it is as it was signed.
    DriveExamined {
        /// The drive that was read.
        drive: DriveId,
        /// Absent when the drive was only looked at.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        job: Option<JobId>,
        /// It is a medium, complete and unchanged, and valid now.
        good: bool,
        /// All that was found on it.
        report: Box<DriveReport>,
    },
    /// Which parts of a drive are in use.
    DriveUse(DriveUse),

    /// A row of the ledger.
    LedgerRow(Box<LedgerRow>),
    /// The ledger's chain was followed from the first row to the last, and is whole.
    LedgerChecked {
        /// How many rows the ledger has.
        rows: u64,
        /// Hash of the last row, in hex.
        head: String,
    },
    /// The ledger's head, signed by the station's key (minisign).
    LedgerHead {
        /// How many rows the ledger has.
        rows: u64,
        /// Hash of the last row, in hex.
        head: String,
        /// Signature in minisign's format.
        signature: String,
    },

    /// Of a newer version.
    #[serde(other)]
    #[cfg_attr(test, schemars(skip))]
    Unknown,
}

/// What kind of text a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum DocumentFormat {
    /// A medium's manifest (JSON).
    Manifest,
    /// The record of a boot kit (JSON).
    BootKit,
    /// The record of a boot image (JSON).
    BootImage,
    /// All rows of the ledger as a table.
    LedgerCsv,
    /// All rows of the ledger as one JSON document.
    LedgerJson,
    /// A task sequence (TOML or XML).
    TaskSequence,
    /// What was done or found about a task sequence (JSON).
    TaskSequenceReport,
    /// What the program says about itself: help or version.
    Help,
    /// Of a newer version.
    #[serde(other)]
    #[cfg_attr(test, schemars(skip))]
    Unknown,
}

/// A broken rule of a definition or its task sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Finding {
    /// Stable id, such as `SA-62`.
    pub rule: String,
    /// `error`, `warning` or `note`.
    pub severity: String,
    /// Path of the step, or `sequence`.
    pub place: String,
    /// What is wrong and what to do.
    pub text: String,
    /// A change that cures it, as JSON of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// Content of the cache that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Damage {
    /// The medium that needs it.
    pub medium: String,
    /// SHA-256 of the blob, in hex.
    pub digest: String,
    /// The damaged files, or what else is wrong.
    pub files: Vec<String>,
}

/// The oldest release of a medium that is accepted, and whose key signs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Minimum {
    /// Id of the medium, without a revision.
    pub id: String,
    /// The oldest that is accepted.
    pub revision: u32,
    /// A release of that revision may not be older than this. Absent: it may be of any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Number of the key. Absent: any trusted key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
}

/// What would be written to a drive of a size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Plan {
    /// The medium, `<id>-r<revision>`.
    pub medium: String,
    /// Size of the drive that was planned for.
    pub size_bytes: u64,
    /// Size of that drive's sectors.
    pub sector_bytes: u32,
    /// What will be written to the drive.
    pub write_bytes: u64,
    /// What stays free in the file system.
    pub free_bytes: u64,
    /// What is to be known about what would be written; empty when there is nothing.
    pub notices: Vec<String>,
    /// How many extents are written first.
    pub payload_extents: u64,
    /// How many extents are written last.
    pub seal_extents: u64,
    /// Every extent. Absent unless it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<Vec<PlannedExtent>>,
}

/// A piece of a drive and what will stand there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PlannedExtent {
    /// `payload`, or `seal` for what is written last.
    pub set: String,
    /// Where it begins, counted from the start of the drive.
    pub offset_bytes: u64,
    /// How long it is.
    pub len_bytes: u64,
    /// What stands there, for people.
    pub name: String,
}

/// Which parts of a drive must be copied, so that the copy behaves as the drive does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DriveUse {
    /// The drive that was read.
    pub drive: DriveId,
    /// Its size.
    pub size_bytes: u64,
    /// How much of it is in use.
    pub used_bytes: u64,
    /// In how many extents that is.
    pub extents: u64,
    /// What the drive is made of, sorted by where it begins.
    pub regions: Vec<RegionUse>,
    /// Every extent that is in use. Absent unless it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<Vec<UsedExtent>>,
}

/// A part of a drive as its partition table gives it, and how much of it is in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RegionUse {
    /// What it is called, such as `partition 2`.
    pub name: String,
    /// What is in it, for people, such as `NTFS`.
    pub content: String,
    /// Where it begins, counted from the start of the drive.
    pub offset_bytes: u64,
    /// How long it is.
    pub len_bytes: u64,
    /// How much of it is in use.
    pub used_bytes: u64,
    /// How much of it is marked as bad and not copied.
    pub bad_bytes: u64,
    /// Why all of it counts as in use. Absent where its file system says what is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole_because: Option<String>,
}

/// A range of a drive that is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UsedExtent {
    /// Where it begins, counted from the start of the drive.
    pub offset_bytes: u64,
    /// How long it is.
    pub len_bytes: u64,
}

/// What was found on a drive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DriveReport {
    /// The medium it claims to be. Absent when it has no manifest that counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub medium: Option<MediumOnDrive>,
    /// The disk image it was compared with; those carry no manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Media that lay on it and are in the station's cache now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub imported: Vec<String>,
    /// What keeps it from being used.
    pub problems: Vec<Problem>,
    /// Problems besides those, when there were too many to name.
    pub more_problems: u64,
    /// Harmless, but worth knowing.
    pub notes: Vec<String>,
    /// How much was read from the drive and compared.
    pub checked_bytes: u64,
}

/// The medium a drive claims to be, by its signed manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MediumOnDrive {
    /// Id of the medium, without a revision.
    pub id: String,
    /// Number that orders the releases of this medium.
    pub revision: u32,
    /// Kind of the medium, as one word.
    pub kind: String,
    /// What people call the medium, as the manifest says it.
    pub name: String,
    /// A text for people, as the manifest says it.
    pub version: String,
    /// Label of the volume, as the manifest says it.
    pub label: String,
    /// When it was built, RFC 3339 in UTC.
    pub created: String,
    /// Absent: from any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<String>,
    /// Absent: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<String>,
    /// A target asks for a password before it carries out the task sequence.
    pub password_required: bool,
    /// SHA-256 of the signed manifest, in hex.
    pub manifest_sha256: String,
    /// Number of the key.
    pub signed_by: String,
    /// `MBR` or `GPT`.
    pub scheme: String,
    /// How many files the manifest lists.
    pub files: u64,
    /// What the drive says about its making; not signed, so nothing is decided by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<MakingRecord>,
    /// The number of a trusted station's key, which vouches for the record. Absent: nobody asked, or nobody vouches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub station_key: Option<String>,
}

/// What a drive says about its own making.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MakingRecord {
    /// The station that wrote it.
    pub station: String,
    /// The port that it was written in.
    pub port: String,
    /// Where it was opened on that station, such as `/dev/sdb`.
    pub path: String,
    /// Serial number, as the drive said it. Absent where it said none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// The medium that was written.
    pub medium: String,
    /// The medium's version, a text for people.
    pub version: String,
    /// SHA-256 of the manifest that was written, in hex.
    pub manifest_sha256: String,
    /// When it had been read back, RFC 3339 in UTC.
    pub verified_at: String,
    /// How much was read back and found right.
    pub verified_bytes: u64,
    /// Which cache the read-back went past.
    pub read_back: String,
}

/// Something that keeps a drive from being used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Problem {
    /// An operator's code, such as `P-V-001`.
    pub code: AnyCode,
    /// What, where, expected, found.
    pub text: String,
}

/// A row of the ledger, field by field as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LedgerRow {
    /// 1, 2, 3, … without gaps.
    pub number: u64,
    /// The station that did the job.
    pub station: String,
    /// The job, as the ledger knows it: a text, not the number of a stream.
    pub job: String,
    /// Short name for people: the port, or the name of an image file.
    pub port: String,
    /// Where the drive was opened, such as `/dev/sdb`.
    pub path: String,
    /// Empty for image files.
    pub disk_sequence: String,
    /// Serial number, as the drive said it; empty where it is not known.
    pub serial: String,
    /// Empty for drives that are not USB.
    pub vendor_product: String,
    /// Size of the drive.
    pub size_bytes: u64,
    /// The medium; empty for jobs that write none.
    pub medium: String,
    /// The medium's version, a text for people; empty for jobs that write none.
    pub version: String,
    /// SHA-256 of the medium's manifest, in hex; empty where there is none.
    pub manifest_sha256: String,
    /// Sent to the drive.
    pub written_bytes: u64,
    /// Read from the drive and found right.
    pub verified_bytes: u64,
    /// How long writing took.
    pub write_ms: u64,
    /// How long reading back took.
    pub verify_ms: u64,
    /// Which cache the read-back went past.
    pub read_back: String,
    /// How the job ended, as people read it, such as `READY`.
    pub verdict: String,
    /// Empty for a drive that is as it should be.
    pub code: String,
    /// What exactly happened; empty when there is nothing to be said.
    pub detail: String,
    /// When the job began, RFC 3339 in UTC.
    pub started: String,
    /// When the job ended, RFC 3339 in UTC.
    pub finished: String,
    /// Hash of the row before, in hex.
    pub previous: String,
    /// Hash of this row, in hex; the next row has it as `previous`.
    pub hash: String,
}
