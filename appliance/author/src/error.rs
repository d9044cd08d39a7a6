// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What can go wrong while a medium is authored.

use std::path::{Path, PathBuf};

use platen_cache::CacheError;
use platen_disk::{BootProblem, LayoutError};
use platen_media::manifest::ManifestError;
use platen_media::policy::PolicyError;
use platen_media::spec::SpecError;
use platen_sequence::{Finding, SequenceError, Severity};
use platen_wim::WimError;

use crate::boot::image::BootImageError;
use crate::boot::kit::{BootKitError, BootKitErrorKind};
use crate::keys::KeyError;

/// What an error means for whoever asked, and which exit status it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorErrorKind {
    /// The definition, or something it names, is wrong (2).
    Definition,
    /// The key is not one that may sign (3).
    Policy,
    /// This machine lacks space, rights or a working disk (4).
    Machine,
}

/// Why a medium was not built, or something else of the author's was not made. Every variant names its culprit.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum AuthorError {
    /// The definition can't be used; its problems are in the source.
    #[error("reading the definition")]
    Spec(#[source] SpecError),
    /// The task sequence can't be used; its problems are in the source.
    #[error("task sequence {}", path.display())]
    TaskSequence { path: PathBuf, source: SequenceError },
    /// Rules that the medium breaks.
    #[error("{}: {} broken rule(s): {}", path.display(), errors(findings).len(), errors(findings).join("; "))]
    Rules { path: PathBuf, findings: Vec<Finding> },
    /// Contents that can't be put on a medium; all of them are listed.
    #[error("{} problem(s) with the contents: {}", problems.len(), problems.join("; "))]
    Contents { problems: Vec<String> },
    /// A secret that should come from a file or environment variable and does not.
    #[error("{what}: expected {expected}, found {found}")]
    Secret { what: String, expected: &'static str, found: String },
    /// More than the definition's `media-size`.
    #[error("media-size: at most {limit_bytes} bytes, the contents need {needed_bytes} bytes")]
    MediaSize { limit_bytes: u64, needed_bytes: u64 },
    /// Too much, or too many files, for the biggest volume there is.
    #[error("no drive can hold this medium; leave something out, or put many small files into an archive or a WIM")]
    NoDrive(#[source] LayoutError),
    /// A file that somebody writes to while it is read.
    #[error("{}: expected {expected}, found {found}; it changed while the medium was made, try again when it stands still", path.display())]
    Changed { path: PathBuf, expected: String, found: String },
    /// Not a disk image that can be written.
    #[error("{}: expected {expected}, found {found}", path.display())]
    RawImage { path: PathBuf, expected: String, found: String },
    /// A compressed disk image that ends early or was damaged.
    #[error("{}: expected whole {format} data, found damage or an early end after {read_bytes} bytes", path.display())]
    Compressed { path: PathBuf, format: &'static str, read_bytes: u64, source: std::io::Error },
    /// A compressed disk image that unpacks only with more memory than it may take.
    #[error(
        "{}: unpacking it needs {needed_mib} MiB of memory, at most {limit_mib} are allowed; \
         write memory-mib = {needed_mib} beside its path, or pack it anew with a smaller dictionary", path.display()
    )]
    Memory { path: PathBuf, needed_mib: u64, limit_mib: u32 },
    /// A WIM that can't be used.
    #[error("{}: expected {expected}, found {found}", path.display())]
    Wim { path: PathBuf, expected: String, found: String },
    /// A WIM that libwim refuses.
    #[error("{doing} {}", path.display())]
    WimLibrary { doing: &'static str, path: PathBuf, source: Box<WimError> },
    /// The boot kit can't be used.
    #[error("boot kit")]
    BootKit(#[source] BootKitError),
    /// The boot image can't be used.
    #[error("boot image")]
    BootImage(#[source] BootImageError),
    /// The boot kit's BIOS code can't be used.
    #[error("boot kit {}", path.display())]
    BootCode { path: PathBuf, source: BootProblem },
    /// The manifest would be impossible: a mistake of ours, found before anything is published.
    #[error("manifest")]
    Manifest(#[source] ManifestError),
    /// The key can't be made, or can't sign.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Encrypting failed.
    #[error("encrypting the policy")]
    Encrypt(#[source] PolicyError),
    /// Too little room for what would be written.
    #[error("{}: {needed_bytes} bytes are needed, {free_bytes} bytes are free; make room or give another --out", path.display())]
    Space { path: PathBuf, needed_bytes: u64, free_bytes: u64 },
    /// The layout can't be written.
    #[error("layout")]
    Layout(#[source] CacheError),
    /// An operating system call failed.
    #[error("{doing} {}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: std::io::Error },
}

fn errors(findings: &[Finding]) -> Vec<String> {
    findings.iter().filter(|finding| finding.severity == Severity::Error).map(Finding::to_string).collect()
}

impl AuthorError {
    /// What it means for whoever asked.
    pub fn kind(&self) -> AuthorErrorKind {
        let of_kit = |kind: BootKitErrorKind| match kind {
            BootKitErrorKind::Machine => AuthorErrorKind::Machine,
            BootKitErrorKind::Request | BootKitErrorKind::Content => AuthorErrorKind::Definition,
        };
        match self {
            Self::Key(KeyError::Key { .. } | KeyError::Signature { .. }) => AuthorErrorKind::Policy,
            Self::Key(KeyError::Make { .. }) | Self::Space { .. } | Self::Io { .. } | Self::Encrypt(_) => {
                AuthorErrorKind::Machine
            }
            Self::WimLibrary { source, .. } if matches!(**source, WimError::NoSpace { .. } | WimError::Io { .. }) => {
                AuthorErrorKind::Machine
            }
            // The folder given is another thing: the request is wrong, not the machine.
            Self::Layout(CacheError::NotALayout { .. }) => AuthorErrorKind::Definition,
            Self::Layout(_) => AuthorErrorKind::Machine,
            Self::BootKit(error) => of_kit(error.kind()),
            Self::BootImage(error) => of_kit(error.kind()),
            _ => AuthorErrorKind::Definition,
        }
    }

    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }

    /// The error and its sources on one line, for logs.
    pub fn chain(&self) -> String {
        platen_media::chain(self)
    }
}

impl From<CacheError> for AuthorError {
    fn from(error: CacheError) -> Self {
        match error {
            CacheError::DiskFull { path, needed_bytes, free_bytes } => Self::Space { path, needed_bytes, free_bytes },
            other => Self::Layout(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_may_not_sign_is_a_matter_of_policy() {
        let path = || PathBuf::from("office.key");
        let of = |error: KeyError| AuthorError::from(error).kind();
        assert_eq!(
            of(KeyError::Key { path: path(), expected: "a key", found: "none".into() }),
            AuthorErrorKind::Policy
        );
        assert_eq!(of(KeyError::Signature { path: path() }), AuthorErrorKind::Policy);
        let source = std::io::ErrorKind::StorageFull.into();
        assert_eq!(of(KeyError::Make { path: path(), source }), AuthorErrorKind::Machine);
    }
}
