//! What a deployment medium is: its definition, its manifest, its policy, and the signatures over them.
//!
//! Left to right: a [`spec::MediaSpec`] is what a person writes; authoring turns it into a [`manifest::Manifest`];
//! a manifest whose signature was checked here against trusted keys is a [`sign::SignedMedia`], and there is no
//! other way to make one.
//!
//! This crate opens no devices and writes no files. It never holds a private key: signing is in `platen-author`.

mod digest;
pub mod examination;
pub mod keyboard;
mod label;
pub mod manifest;
mod path;
pub mod policy;
pub mod sign;
pub mod spec;
mod systems;
pub mod text;
mod timestamp;

pub use digest::{Blake3, Digested, ParseDigestError, Sha256, Sha256Hasher};
pub use label::{LabelError, VolumeLabel};
pub use path::{MAX_LEVELS, MediaPath, PathError};
pub use platen_disk::fold_name;
pub use systems::is_made_by_system;
pub use timestamp::{ParseTimestampError, Timestamp};

/// Paths on a medium that are not listed in its manifest, because they carry it or belong to one drive only.
pub mod envelope {
    /// The signed manifest.
    pub const MANIFEST: &str = "platen/manifest.json";
    /// minisign signature over [`MANIFEST`].
    pub const MANIFEST_SIGNATURE: &str = "platen/manifest.json.minisig";
    /// One line for each listed file and for the manifest, in the format of coreutils' `sha256sum`.
    pub const SHA256SUMS: &str = "SHA256SUMS";
    /// minisign signature over [`SHA256SUMS`].
    pub const SHA256SUMS_SIGNATURE: &str = "SHA256SUMS.minisig";
    /// This drive's own record; the only unsigned file.
    pub const DRIVE_RECORD: &str = "platen/drive.json";
    /// All of the above.
    pub const ALL: [&str; 5] = [MANIFEST, MANIFEST_SIGNATURE, SHA256SUMS, SHA256SUMS_SIGNATURE, DRIVE_RECORD];
    /// The policy in clear, for media without a password. Listed in the manifest.
    pub const POLICY_CLEAR: &str = "platen/policy.json";
    /// The policy sealed with the media password (age, scrypt). Listed in the manifest.
    pub const POLICY_SEALED: &str = "platen/policy.age";
}
