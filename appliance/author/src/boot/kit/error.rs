// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What can go wrong while a boot kit is collected or read.

use std::path::PathBuf;
use std::process::ExitStatus;

use platen_media::stored::StoredError;

/// What an error means for whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BootKitErrorKind {
    /// This machine lacks a program, a package source or a working disk.
    Machine,
    /// The request is wrong: an output folder that is something else.
    Request,
    /// What was found is not what a boot kit is made of, or was changed since.
    Content,
}

/// Why there is no boot kit.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum BootKitError {
    /// A program is not installed.
    #[error("{program} is not installed here; install the package {install}")]
    NoProgram { program: &'static str, install: &'static str },
    /// A program could not be started.
    #[error("starting {program}")]
    Start { program: &'static str, source: std::io::Error },
    /// A program taken from a package, for which this machine lacks libraries.
    #[error("{program} can't run here: {said}; install the package {install}, which brings its libraries")]
    NoLibraries { program: &'static str, install: &'static str, said: String },
    /// A program said no.
    #[error("{program} {arguments}: expected success, found {status}: {said}")]
    Failed { program: &'static str, arguments: String, status: ExitStatus, said: String },
    /// The machine's package sources do not offer a package.
    #[error(
        "package {package}: expected it in this machine's package sources, found none; run apt-get update, and use \
         Debian 12 or later for amd64, or give a folder that holds {package}_*.deb"
    )]
    NoPackage { package: String },
    /// A package file whose control fields are not those of the wanted package.
    #[error("{}: expected package {expected} for amd64 or all, found {found}", path.display())]
    WrongPackage { path: PathBuf, expected: String, found: String },
    /// A package without a file that every kit needs.
    #[error("package {package} {version}: expected the file {expected}, found none")]
    NoFile { package: String, version: String, expected: String },
    /// A boot file without a signature, which no firmware with Secure Boot would start.
    #[error("package {package} {version}: expected {path} to carry a Secure Boot signature, found none")]
    NotSigned { package: String, version: String, path: String },
    /// The kernel was built without something that boot images rely on.
    #[error("package {package} {version}: expected the kernel built with {option}, found {found}")]
    KernelOption { package: String, version: String, option: &'static str, found: String },
    /// A driver that boot images can't do without.
    #[error("package {package} {version}: expected the module {module}, neither found as a file nor built in")]
    NoModule { package: String, version: String, module: String },
    /// A library that is in none of the packages where it should be.
    #[error(
        "package {package}: expected the library {library}, which it needs, in it or in a package it depends on, found none"
    )]
    NoLibrary { package: String, library: String },
    /// Not the EFI program or kernel module that its name says.
    #[error("{}: expected {expected}, found {found}", path.display())]
    Malformed { path: PathBuf, expected: &'static str, found: String },
    /// The output folder holds something that is not ours to replace.
    #[error("{}: expected no folder or an earlier {what}, found something else", path.display())]
    OutputTaken { path: PathBuf, what: &'static str },
    /// A kit's record that can't be understood.
    #[error("{}: expected the record of a boot kit", path.display())]
    Record { path: PathBuf, source: StoredError },
    /// A kit's record without a role that every kit fills.
    #[error("{}: expected a file with the role {role}, found none", path.display())]
    NoRole { path: PathBuf, role: String },
    /// A file of a kit that is not as recorded.
    #[error("{}: expected SHA-256 {expected} as in the kit's record, found {found}; collect the kit anew", path.display())]
    Changed { path: PathBuf, expected: String, found: String },
    /// Reading or writing on this machine.
    #[error("{doing} {}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: std::io::Error },
}

impl BootKitError {
    /// What it means for whoever asked.
    pub fn kind(&self) -> BootKitErrorKind {
        match self {
            Self::NoProgram { .. }
            | Self::Start { .. }
            | Self::NoLibraries { .. }
            | Self::Failed { .. }
            | Self::NoPackage { .. }
            | Self::Io { .. } => BootKitErrorKind::Machine,
            Self::OutputTaken { .. } => BootKitErrorKind::Request,
            _ => BootKitErrorKind::Content,
        }
    }

    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}
