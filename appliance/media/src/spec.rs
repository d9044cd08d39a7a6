// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The definition of a medium: what a person writes, in TOML.
//!
//! Reading is strict and reports everything that is wrong at once, each with its line, field, what was expected and
//! what was found. It looks at no other file: whether paths lead somewhere is authoring's business. Secrets named by
//! file or environment variable stay names here; no message ever shows a value of a variable.

mod check;
mod read;
mod software;
#[cfg(test)]
mod tests;
mod values;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::fields;
use crate::keyboard::Keyboard;
use crate::manifest::{MediaKind, Validity};
use crate::policy::TargetDisk;
use crate::{Timestamp, VolumeLabel};

pub use crate::fields::Problem as SpecProblem;
pub use software::ResolvedApplications;

/// Longest name of a medium, in characters.
pub const MAX_NAME: usize = 50;
/// Longest version, in characters.
pub const MAX_VERSION: usize = 32;
/// Longest comment, in characters.
pub const MAX_COMMENT: usize = 127;
/// Longest `created-by`, in characters.
pub const MAX_CREATED_BY: usize = 50;
/// Longest value of a variable, in characters.
pub const MAX_VALUE: usize = 4000;
/// Names and values of all variables together, in bytes.
pub const MAX_ENVIRONMENT_BYTES: u64 = 32 << 20;
/// Memory that unpacking a disk image may take when the definition gives no other, in MiB.
pub const DEFAULT_MEMORY_MIB: u32 = 1024;
/// Findings that stop a build unless they are listed in `allow`.
pub const ALLOWABLE: [&str; 5] = ["BOOT-LOADER", "BOOT-PROGRAM", "CONTENT-SECRET", "IMAGE-PACKED", "WIM-FORMAT"];
/// Longest definition that is read, in bytes.
pub const MAX_SPEC_BYTES: u64 = 40 << 20;

/// Where a secret comes from. Never the definition itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// A file of one line.
    File(PathBuf),
    /// An environment variable of the authoring machine.
    Env(String),
}

/// Where a variable's value comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum ValueSource {
    /// It stands in the definition.
    Inline(String),
    /// A whole file, less one newline at its end.
    File(PathBuf),
    /// An environment variable of the authoring machine.
    Env(String),
}

impl fmt::Debug for ValueSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline(_) => f.write_str("Inline(..)"),
            Self::File(path) => write!(f, "File({path:?})"),
            Self::Env(name) => write!(f, "Env({name:?})"),
        }
    }
}

/// A task-sequence variable set by the medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariableSpec {
    /// As task sequences call it.
    pub name: String,
    /// Where its value comes from.
    pub value: ValueSource,
    /// Never shown, never logged; needs a password.
    pub secret: bool,
}

/// What becomes of symbolic links in a content's folder; FAT has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Links {
    /// Each is a problem.
    #[default]
    Refuse,
    /// What they lead to is taken, wherever it is.
    Follow,
    /// They are left out.
    Skip,
}

/// A content that is a folder or file with nothing more to say: boot image or driver package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentSpec {
    /// Unique on the medium.
    pub id: String,
    /// For people.
    pub name: String,
    /// For people.
    pub version: String,
    /// A file or folder of the authoring machine.
    pub path: PathBuf,
    /// What is done with symbolic links in it.
    pub links: Links,
}

/// The operating system image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatingSystemImageSpec {
    /// Its id, name, version and place.
    pub content: ContentSpec,
    /// 1-based.
    pub index: u32,
}

/// A package: a folder and, where it is installed by name, its command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageSpec {
    /// Its id, name, version and place.
    pub content: ContentSpec,
    /// The command that installs it; `None`: a task sequence uses its files.
    pub install: Option<String>,
}

/// An application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationSpec {
    /// Its id, name, version and place.
    pub content: ContentSpec,
    /// The command that installs it.
    pub install: Option<String>,
    /// Ids of what must be installed before it.
    pub depends_on: Vec<String>,
    /// Ids of what it replaces.
    pub supersedes: Vec<String>,
}

/// A command that runs before the task sequence is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrestartSpec {
    /// Run as it is, before the task sequence is chosen.
    pub command: String,
    /// Folder with the files it needs.
    pub path: Option<PathBuf>,
    /// What is done with symbolic links among its files.
    pub links: Links,
}

/// The tree of a medium of kind `tree`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeSpec {
    /// A folder of the authoring machine.
    pub path: PathBuf,
    /// What is done with symbolic links in it.
    pub links: Links,
}

/// The disk image of a medium of kind `raw`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSpec {
    /// A file of the authoring machine.
    pub path: PathBuf,
    /// Most memory that unpacking it may take, in MiB.
    pub memory_mib: u32,
    /// Its GUID partition table is made to fit each drive it is written to.
    pub grow: bool,
}

/// A definition as it was read: what a person wants a medium to be. Paths are joined to the definition's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaSpec {
    /// What kind of medium is made.
    pub kind: MediaKind,
    /// Stays the same through all revisions.
    pub id: String,
    /// For people.
    pub name: String,
    /// For people.
    pub version: String,
    /// Rises with every release.
    pub revision: u32,
    /// For people; may be empty.
    pub comment: String,
    /// Who made it, for the creation log.
    pub created_by: String,
    /// The FAT volume label of written drives.
    pub label: VolumeLabel,
    /// When it was made; `None`: now.
    pub created: Option<Timestamp>,
    /// From when until when it may be used.
    pub validity: Validity,
    /// Nobody is asked anything but the password.
    pub unattended: bool,
    /// Where the password comes from; `None`: the policy stands in clear.
    pub password: Option<SecretSource>,
    /// With which the booted computer's prompt for the password begins.
    pub keyboard: Keyboard,
    /// None when there is no ceiling.
    pub media_size_bytes: Option<u64>,
    /// Its XML file.
    pub task_sequence: Option<PathBuf>,
    /// The folder of the boot kit.
    pub boot_kit: Option<PathBuf>,
    /// What a computer started from the medium runs.
    pub boot_image: Option<ContentSpec>,
    /// What is applied, if the sequence applies one.
    pub operating_system_image: Option<OperatingSystemImageSpec>,
    /// In the order of the definition.
    pub driver_packages: Vec<ContentSpec>,
    /// As written; see [`MediaSpec::applications_in_order`].
    pub applications: Vec<ApplicationSpec>,
    /// Applications that others need must be on the medium.
    pub include_application_dependencies: bool,
    /// In the order of the definition.
    pub packages: Vec<PackageSpec>,
    /// Operating system upgrade packages: folders with all of Windows' setup, in the order of the definition.
    pub upgrade_packages: Vec<ContentSpec>,
    /// In the order of the definition.
    pub variables: Vec<VariableSpec>,
    /// Which disk a system may be installed on; None: nothing is said of it.
    pub target_disk: Option<TargetDisk>,
    /// Run before the task sequence is chosen.
    pub prestart: Option<PrestartSpec>,
    /// For kind `tree`.
    pub tree: Option<TreeSpec>,
    /// For kind `raw`.
    pub image: Option<ImageSpec>,
    /// Of [`ALLOWABLE`]: what the author knows and wants all the same.
    pub allow: Vec<String>,
}

/// A definition that can't be used, with everything that is wrong in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {} problem(s) in the definition: {}", problems.len(), fields::list(problems))]
#[allow(missing_docs, reason = "its messages name every field")]
pub struct SpecError {
    pub file: PathBuf,
    pub problems: Vec<SpecProblem>,
}

impl MediaSpec {
    /// Reads the text of the definition `file`; relative paths in it start at the file's folder.
    pub fn parse(text: &str, file: &Path) -> Result<Self, SpecError> {
        read::parse(text, file).map_err(|problems| SpecError { file: file.to_owned(), problems })
    }

    /// Applications that go on the medium, what others depend on first; what is superseded is replaced.
    ///
    /// A definition that was read has neither cycles nor conflicts, so this does not fail.
    pub fn applications_in_order(&self) -> ResolvedApplications<'_> {
        software::resolve(&self.applications, self.include_application_dependencies).0
    }
}

/// Whether `name` may be set as a task-sequence variable: `[A-Za-z][A-Za-z0-9_-]{0,255}`.
pub fn is_variable_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.len() <= 256
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}
