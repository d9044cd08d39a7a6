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
        format: DocumentFormat,
        /// What it is about: a medium's or folder's name. Absent where there is nothing to tell apart.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<String>,
        text: String,
    },
    /// A key pair was made.
    KeyMade { id: String, secret: String, public: String },
    /// A public key: its number, and the key itself in base64.
    Key { id: String, key: String },
    /// A definition was checked.
    DefinitionChecked { id: String, revision: u32, files: u64, content_bytes: u64, findings: Vec<Finding> },
    /// A medium was built and signed.
    MediumBuilt {
        medium: String,
        manifest_sha256: String,
        /// Number of the key.
        signed_by: String,
        files: u64,
        content_bytes: u64,
        findings: Vec<Finding>,
        /// Where the creation log is.
        log: String,
    },
    /// What is different between two media; empty: nothing.
    MediaCompared { changes: Vec<String> },

    /// A medium of the cache.
    CachedMedium {
        medium: String,
        title: String,
        version: String,
        kind: String,
        content_bytes: u64,
        /// Absent when the medium's own files are damaged; then the texts above are empty.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        created: Option<String>,
        pinned: bool,
        /// What is missing or wrong. Absent when every blob is there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        problem: Option<String>,
    },
    /// Everything in the cache was read.
    Scrubbed { checked_bytes: u64, damage: Vec<Damage> },
    /// What nothing needs was removed from the cache.
    GarbageCollected {
        media: Vec<String>,
        removed_blobs: u64,
        removed_bytes: u64,
        /// Media whose content stays for now, because something is reading it.
        in_use: u64,
    },
    /// The oldest revision of a medium that is accepted.
    Minimum(Minimum),
    /// It was changed.
    MinimumChanged {
        before: Minimum,
        after: Minimum,
        /// Media that are newer and left the list.
        withdrawn: Vec<String>,
    },
    /// A medium is kept when newer revisions arrive, or no longer.
    PinChanged { medium: String, pinned: bool },

    /// What would be written to a drive.
    Plan(Plan),
    /// What is on a drive, and whether it is as it was signed.
    DriveExamined {
        drive: DriveId,
        /// Absent when the drive was only looked at.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        job: Option<JobId>,
        /// It is a medium, complete and unchanged, and valid now.
        good: bool,
        report: Box<DriveReport>,
    },

    /// A row of the ledger.
    LedgerRow(Box<LedgerRow>),
    /// The ledger's chain was followed from the first row to the last, and is whole.
    LedgerChecked { rows: u64, head: String },
    /// The ledger's head, signed by the station's key (minisign).
    LedgerHead { rows: u64, head: String, signature: String },

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
    pub id: String,
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
    pub medium: String,
    pub size_bytes: u64,
    pub sector_bytes: u32,
    /// What will be written to the drive.
    pub write_bytes: u64,
    /// What stays free in the file system.
    pub free_bytes: u64,
    pub notices: Vec<String>,
    pub payload_extents: u64,
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
    pub offset_bytes: u64,
    pub len_bytes: u64,
    pub name: String,
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
    /// What keeps it from being used.
    pub problems: Vec<Problem>,
    /// Problems besides those, when there were too many to name.
    pub more_problems: u64,
    /// Harmless, but worth knowing.
    pub notes: Vec<String>,
    pub checked_bytes: u64,
}

/// The medium a drive claims to be, by its signed manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MediumOnDrive {
    pub id: String,
    pub revision: u32,
    pub kind: String,
    pub name: String,
    pub version: String,
    pub label: String,
    pub created: String,
    /// Absent: from any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<String>,
    /// Absent: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<String>,
    pub password_required: bool,
    pub manifest_sha256: String,
    /// Number of the key.
    pub signed_by: String,
    /// `MBR` or `GPT`.
    pub scheme: String,
    pub files: u64,
    /// What the drive says about its making; not signed, so nothing is decided by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<MakingRecord>,
}

/// What a drive says about its own making.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MakingRecord {
    pub station: String,
    pub port: String,
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    pub medium: String,
    pub version: String,
    pub manifest_sha256: String,
    pub verified_at: String,
    pub verified_bytes: u64,
    /// Which cache the read-back went past.
    pub read_back: String,
}

/// Something that keeps a drive from being used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Problem {
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
    pub station: String,
    pub job: String,
    pub port: String,
    pub path: String,
    /// Empty for image files.
    pub disk_sequence: String,
    pub serial: String,
    /// Empty for drives that are not USB.
    pub vendor_product: String,
    pub size_bytes: u64,
    pub medium: String,
    pub version: String,
    pub manifest_sha256: String,
    pub written_bytes: u64,
    pub verified_bytes: u64,
    pub write_ms: u64,
    pub verify_ms: u64,
    pub read_back: String,
    pub verdict: String,
    /// Empty for a drive that is as it should be.
    pub code: String,
    pub detail: String,
    pub started: String,
    pub finished: String,
    /// Hash of the row before, in hex.
    pub previous: String,
    pub hash: String,
}
