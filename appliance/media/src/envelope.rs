// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The files of a medium that are not listed in its manifest, because they carry it or belong to one drive only.

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
/// Size of that file: fixed, so that its place is planned before its text is known. Filled up with spaces.
pub const DRIVE_RECORD_BYTES: u64 = 4096;
/// All of the above.
pub const ALL: [&str; 5] = [MANIFEST, MANIFEST_SIGNATURE, SHA256SUMS, SHA256SUMS_SIGNATURE, DRIVE_RECORD];
/// The policy in clear, for media without a password. Listed in the manifest.
pub const POLICY_CLEAR: &str = "platen/policy.json";
/// The policy encrypted with the media password (age, scrypt). Listed in the manifest.
pub const POLICY_ENCRYPTED: &str = "platen/policy.age";

/// How long these files are on one medium, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Of [`MANIFEST`].
    pub manifest: u64,
    /// Of [`MANIFEST_SIGNATURE`].
    pub manifest_signature: u64,
    /// Of [`SHA256SUMS`].
    pub sums: u64,
    /// Of [`SHA256SUMS_SIGNATURE`].
    pub sums_signature: u64,
}

impl Sizes {
    /// Paths and sizes in the order in which they are laid out, before all files of the manifest: a drive that is read
    /// at all is read there first, and old BIOSes reach only the front.
    pub fn files(&self) -> [(&'static str, u64); 5] {
        [
            (MANIFEST, self.manifest),
            (MANIFEST_SIGNATURE, self.manifest_signature),
            (SHA256SUMS, self.sums),
            (SHA256SUMS_SIGNATURE, self.sums_signature),
            (DRIVE_RECORD, DRIVE_RECORD_BYTES),
        ]
    }

    /// All but the drive's record: what an author's ceiling counts besides the content.
    pub fn signed_bytes(&self) -> u64 {
        self.manifest + self.manifest_signature + self.sums + self.sums_signature
    }
}
