// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The policy of a medium: its task sequence, variables and everything else that tells the target what to do.
//!
//! It is always covered by the manifest's signature, and encrypted with age when the medium has a password
//! (scrypt, so that guessing is slow). What is encrypted is nowhere else on the medium.

use age::secrecy::SecretString;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use crate::stored::{NewerSchema, Stored, StoredError, first_schema, read};
use crate::{MediaPath, text};

/// The schema number this version writes, and the newest it reads.
pub const SCHEMA: u32 = 1;

/// Longest policy, encrypted or in clear, that is made or read, in bytes: some task sequence and its variables.
pub const MAX_POLICY_BYTES: u64 = 64 << 20;

/// A task-sequence variable set by the medium. (A step's own settings are variables of the task sequence; what its export
/// calls hidden may be no secret at all.)
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaVariable {
    /// As the task sequence asks for it.
    pub name: String,
    /// At most 4,000 characters; empty means: ask the user.
    pub value: String,
    /// Never shown, never logged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secret: bool,
}

impl std::fmt::Debug for MediaVariable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = if self.secret { MASK } else { &self.value };
        write!(f, "{}={value:?}", self.name)
    }
}

/// What stands in logs and on screens in place of a secret.
pub const MASK: &str = "********";

/// A command run before the task sequence is chosen, and the folder with the files it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prestart {
    /// Run as it is.
    pub command: String,
    /// The folder with what it needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<MediaPath>,
}

/// The operating system image to apply: its WIM, or the first part of a split one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatingSystemImage {
    /// The content's id.
    pub id: String,
    /// The WIM, or the first part of a split one.
    pub path: MediaPath,
    /// 1-based, as WIM tools count.
    pub index: u32,
    /// How many parts the WIM was split into; 1 when it is whole.
    pub parts: u32,
}

/// An application or a package: where its files are and how it is installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Software {
    /// The content's id.
    pub id: String,
    /// For people.
    pub name: String,
    /// For people.
    pub version: String,
    /// Where its files are.
    pub folder: MediaPath,
    /// The command that installs it; `None`: a task sequence uses its files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install: Option<String>,
    /// Ids of applications that are installed before it. Media of earlier versions don't say it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
}

/// Which disk a system may be installed on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TargetDisk {
    /// A disk with data on it may be erased without asking anybody.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub erase: bool,
    /// How it may be connected, such as `NVMe`; empty: in any way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<String>,
    /// The smallest that is taken; 0: any.
    #[serde(default)]
    pub smallest_bytes: u64,
    /// The largest that is taken; 0: any.
    #[serde(default)]
    pub largest_bytes: u64,
    /// Their serial numbers; empty: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub serial_numbers: Vec<String>,
}

/// A set of drivers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriverPackage {
    /// The content's id.
    pub id: String,
    /// For people.
    pub name: String,
    /// For people.
    pub version: String,
    /// Where the drivers are.
    pub folder: MediaPath,
}

/// What a booted computer carries out: the task sequence, its variables, and where on the medium their contents are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeploymentPolicy {
    /// Always [`SCHEMA`].
    #[serde(default = "first_schema")]
    pub schema: u32,
    /// The medium it was made for; a policy moved to another medium is refused.
    pub media_id: String,
    /// Of the medium it is on.
    pub revision: u32,
    /// The model of `platen-sequence`, which this crate does not look into.
    pub task_sequence: serde_json::Value,
    /// Set before the task sequence starts.
    pub variables: Vec<MediaVariable>,
    /// Run before the task sequence is chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prestart: Option<Prestart>,
    /// What is applied, if the sequence applies one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operating_system_image: Option<OperatingSystemImage>,
    /// Those on the medium.
    pub driver_packages: Vec<DriverPackage>,
    /// In installation order: what others depend on comes first.
    pub applications: Vec<Software>,
    /// Those on the medium.
    pub packages: Vec<Software>,
    /// What the definition says of the disk; None: nothing, so that a person is asked where it matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_disk: Option<TargetDisk>,
}

/// Why a policy can't be read.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// A policy, but one of a newer version of Platen than the boot image's program.
    #[error(
        "policy: made by a newer version of Platen: expected schema {} or an older one, found {}; build the boot image \
         anew with that version", .0.newest, .0.found
    )]
    Newer(NewerSchema),
    /// age could not encrypt it.
    #[error("encrypting the policy")]
    Encrypt(#[source] age::EncryptError),
    /// The password is not the one it was encrypted with.
    #[error("wrong password")]
    WrongPassword,
    /// Not an age file for a passphrase, damaged, or asking for more work than we would ever set.
    #[error("decrypting the policy")]
    Damaged(#[source] age::DecryptError),
    /// Not the JSON that is expected.
    #[error("reading the policy's fields")]
    Syntax(#[source] serde_json::Error),
}

/// scrypt work factor: 2^17 needs 128 MiB and about two seconds of one core of 2020.
///
/// Fixed rather than measured, because the machine that decrypts it is not the one that encrypts it.
const WORK_FACTOR: u8 = 17;

impl Stored for DeploymentPolicy {
    const SCHEMA: u32 = SCHEMA;

    fn schema(&self) -> u32 {
        self.schema
    }
}

impl DeploymentPolicy {
    /// As it stands on a medium without a password.
    pub fn to_json(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("a policy has only strings, numbers and lists");
        bytes.push(b'\n');
        bytes
    }

    /// Read one in clear.
    pub fn from_json(bytes: &[u8]) -> Result<Self, PolicyError> {
        read(bytes).map_err(|error| match error {
            StoredError::Newer(newer) => PolicyError::Newer(newer),
            StoredError::Syntax(source) => PolicyError::Syntax(source),
        })
    }

    /// An age file that only `password` opens, however its accents are written. Two calls give different bytes: the
    /// salt is random.
    pub fn encrypt(&self, password: &str) -> Result<Vec<u8>, PolicyError> {
        let mut recipient = age::scrypt::Recipient::new(SecretString::from(text::composed(password)));
        recipient.set_work_factor(WORK_FACTOR);
        age::encrypt(&recipient, &self.to_json()).map_err(PolicyError::Encrypt)
    }

    /// Decrypt what [`DeploymentPolicy::encrypt`] made.
    pub fn decrypt(encrypted: &[u8], password: &str) -> Result<Self, PolicyError> {
        let mut identity = age::scrypt::Identity::new(SecretString::from(text::composed(password)));
        identity.set_max_work_factor(WORK_FACTOR + 2);
        let clear = age::decrypt(&identity, encrypted).map_err(|error| match error {
            age::DecryptError::DecryptionFailed | age::DecryptError::KeyDecryptionFailed => PolicyError::WrongPassword,
            other => PolicyError::Damaged(other),
        })?;
        Self::from_json(&clear)
    }
}

/// Opens and closes what a computer keeps of a medium's secrets over a restart. Only who has read the policy has it.
#[derive(Clone)]
pub struct SealingKey(String);

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealingKey({MASK})")
    }
}

/// Secrets that a [`SealingKey`] opens: an age file, in base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed(String);

/// The key is as long as a digest, so that guessing needs no slowing down.
const SEALING_WORK_FACTOR: u8 = 1;

impl DeploymentPolicy {
    /// The key that this policy gives.
    pub fn sealing_key(&self) -> SealingKey {
        SealingKey(
            blake3::Hash::from(blake3::derive_key("Platen 2026-11-30 kept secrets", &self.to_json())).to_string(),
        )
    }
}

impl SealingKey {
    /// Closes.
    pub fn seal(&self, clear: &[u8]) -> Sealed {
        let mut recipient = age::scrypt::Recipient::new(SecretString::from(self.0.clone()));
        recipient.set_work_factor(SEALING_WORK_FACTOR);
        let sealed = age::encrypt(&recipient, clear).expect("writing to memory does not fail");
        Sealed(BASE64_STANDARD.encode(sealed))
    }

    /// Opens; None: it was closed with another key, or changed.
    pub fn open(&self, sealed: &Sealed) -> Option<Vec<u8>> {
        let mut identity = age::scrypt::Identity::new(SecretString::from(self.0.clone()));
        identity.set_max_work_factor(SEALING_WORK_FACTOR);
        age::decrypt(&identity, &BASE64_STANDARD.decode(&sealed.0).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> DeploymentPolicy {
        DeploymentPolicy {
            schema: SCHEMA,
            media_id: "PLT00001".into(),
            revision: 1,
            task_sequence: serde_json::json!({"name": "Bare metal"}),
            variables: vec![MediaVariable {
                name: "OSDLocalAdminPassword".into(),
                value: "PLANTED-SECRET".into(),
                secret: true,
            }],
            prestart: None,
            operating_system_image: None,
            driver_packages: vec![],
            applications: vec![],
            packages: vec![],
            target_disk: None,
        }
    }

    #[test]
    fn only_the_policy_opens_what_was_sealed_with_it() {
        let (own, mut other) = (policy(), policy());
        other.revision += 1;
        let sealed = own.sealing_key().seal(b"PLANTED-SECRET");
        assert!(!format!("{sealed:?} {:?}", own.sealing_key()).contains("PLANTED"));
        assert_eq!(own.sealing_key().open(&sealed).as_deref(), Some(&b"PLANTED-SECRET"[..]));
        assert_eq!(other.sealing_key().open(&sealed), None);
        assert_eq!(own.sealing_key().open(&Sealed("none".into())), None);
    }

    #[test]
    fn only_the_password_opens_it_and_nothing_is_in_clear() {
        let encrypted = policy().encrypt("correct horse").expect("encrypts");
        assert!(!encrypted.windows(14).any(|w| w == b"PLANTED-SECRET"));
        assert_eq!(DeploymentPolicy::decrypt(&encrypted, "correct horse").expect("decrypts"), policy());
        assert!(matches!(DeploymentPolicy::decrypt(&encrypted, "correct horsf"), Err(PolicyError::WrongPassword)));
        let mut damaged = encrypted.clone();
        *damaged.last_mut().expect("not empty") ^= 1;
        assert!(matches!(DeploymentPolicy::decrypt(&damaged, "correct horse"), Err(PolicyError::Damaged(_))));
        assert!(matches!(DeploymentPolicy::decrypt(b"no age file", "x"), Err(PolicyError::Damaged(_))));
    }

    #[test]
    fn accents_count_as_what_they_look_like() {
        let (composed, decomposed) =
            ("p\u{e4}ssword 한국", "pa\u{308}ssword \u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}");
        for (encrypted_with, decrypted_with) in [(composed, decomposed), (decomposed, composed)] {
            let encrypted = policy().encrypt(encrypted_with).expect("encrypts");
            assert_eq!(DeploymentPolicy::decrypt(&encrypted, decrypted_with).expect("decrypts"), policy());
            assert!(matches!(DeploymentPolicy::decrypt(&encrypted, "password 한국"), Err(PolicyError::WrongPassword)));
        }
    }

    #[test]
    fn debug_output_masks_secrets() {
        let shown = format!("{:?}", policy());
        assert!(!shown.contains("PLANTED-SECRET") && shown.contains(MASK));
    }
}
