// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The boot image: the signed kernel, an initramfs with one program in it, which checks the medium it came on, and an
//! archive of what that program starts when the medium is right.
//!
//! The initramfs holds `platen-deploy` as `/init`, the public keys it trusts, and the kernel modules by which media,
//! keyboards and screens are reached, with the order in which to load them. No shell, no library, nothing else. No
//! signature covers it at boot: a medium's manifest does, and the program checks that against its own keys.
//!
//! Programs, their libraries and the modules of a deployment are in an archive of their own ([`PROGRAMS`]), a file of the
//! medium like any other: in the initramfs they would be unpacked before the first word is said, and unchecked.
//!
//! The same kit, program and keys give the same bytes.

mod build;

use std::path::{Path, PathBuf};

use platen_media::Sha256;
use platen_media::stored::{self, Stored, StoredError};
use serde::{Deserialize, Serialize};

use crate::boot::kit::{BootKitError, BootKitErrorKind};
use crate::keys::KeyError;

pub use build::build;
pub use platen_media::boot_image::PROGRAMS;

/// Where Platen's own programs are in a boot image.
const OWN_PROGRAMS: &str = "usr/lib/platen";

/// What a boot image is built from.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'p> {
    /// The folder of the boot kit.
    pub kit: &'p Path,
    /// `platen-deploy`, statically linked.
    pub deploy: &'p Path,
    /// Other programs of Platen's own that a deployment starts or takes along.
    pub own_programs: &'p [PathBuf],
    /// minisign public key files.
    pub trusted_keys: &'p [PathBuf],
}

/// Name of the record in a boot image's folder.
pub const RECORD: &str = "boot-image.json";
/// The schema number this version writes, and the newest it reads.
pub const SCHEMA: u32 = 2;
/// The kernel in a boot image's folder.
pub const KERNEL: &str = "vmlinuz";
/// The initramfs in a boot image's folder.
pub const INITRD: &str = "initrd.img";

/// One file and its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDigest {
    /// Relative to the boot image's folder.
    pub path: String,
    /// Of the whole file.
    pub sha256: Sha256,
    /// Its length in bytes.
    pub size_bytes: u64,
}

/// The kernel of a boot image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelRecord {
    /// The Debian package it is from.
    pub package: String,
    /// Of that package.
    pub version: String,
    /// As `uname -r` says it.
    pub release: String,
}

/// A module of a boot image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleRecord {
    /// As the kernel names it, for example `usb_storage`.
    pub name: String,
    /// Given to it when it is loaded.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub parameters: String,
    /// Of the module's file, as the package has it.
    pub sha256: Sha256,
}

/// A program or library of a boot image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackagedFile {
    /// Where it is in the boot image, without a slash at the start.
    pub path: String,
    /// The Debian package it is from.
    pub package: String,
    /// Of that package.
    pub version: String,
    /// Of the file, as the package has it.
    pub sha256: Sha256,
    /// Of the package's copyright file, which is in the boot image as `usr/share/doc/<package>/copyright`.
    pub licence_sha256: Sha256,
}

/// A boot image's record, `boot-image.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootImageRecord {
    /// [`SCHEMA`], or an older one.
    pub schema: u32,
    /// As Debian names machines, for example `x86_64`.
    pub architecture: String,
    /// The kernel of the boot kit that it starts.
    pub kernel: KernelRecord,
    /// SHA-256 of the record of the kit it was built from.
    pub boot_kit_sha256: Sha256,
    /// `/init`.
    pub deploy: FileDigest,
    /// Numbers of the keys whose media it accepts, as minisign prints them.
    pub trusted_keys: Vec<String>,
    /// In the initramfs, in the order in which they are loaded.
    pub modules: Vec<ModuleRecord>,
    /// In the archive of programs, in the order in which they are loaded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deployment_modules: Vec<ModuleRecord>,
    /// What a deployment may start, sorted by path. None when the boot kit has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<PackagedFile>,
    /// Platen's own programs beside `/init`, by their places in the boot image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub own_programs: Vec<FileDigest>,
    /// What those need, sorted by path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub libraries: Vec<PackagedFile>,
    /// The kernel, the initramfs, and the archive of programs where there is one.
    pub files: Vec<FileDigest>,
}

impl Stored for BootImageRecord {
    const SCHEMA: u32 = SCHEMA;

    fn schema(&self) -> u32 {
        self.schema
    }
}

/// A built boot image.
#[derive(Debug, Clone)]
pub struct BootImage {
    folder: PathBuf,
    record: BootImageRecord,
}

impl BootImage {
    /// Opens a built image and checks its files' digests.
    pub fn open(folder: &Path) -> Result<Self, BootImageError> {
        let path = folder.join(RECORD);
        let bytes = read(&path)?;
        let record: BootImageRecord = stored::read(&bytes).map_err(|source| BootImageError::Record { path, source })?;
        for file in &record.files {
            let path = folder.join(&file.path);
            let found = Sha256::of(&read(&path)?);
            if found != file.sha256 {
                let (expected, found) = (file.sha256.to_string(), found.to_string());
                return Err(BootImageError::Changed { path, expected, found });
            }
        }
        Ok(Self { folder: folder.to_owned(), record })
    }

    /// Where it is: [`KERNEL`] and [`INITRD`] are in it, and [`PROGRAMS`] if its record lists that.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The files of it that go on a medium. Boot images of earlier versions have no programs.
    pub fn file_names(&self) -> impl Iterator<Item = &'static str> {
        let has = |name: &str| self.record.files.iter().any(|file| file.path == name);
        [KERNEL, INITRD].into_iter().chain(has(PROGRAMS).then_some(PROGRAMS))
    }

    /// What it is made of.
    pub fn record(&self) -> &BootImageRecord {
        &self.record
    }
}

/// Why a boot image can't be built or opened.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum BootImageError {
    /// The kit can't be used.
    #[error("boot kit")]
    Kit(#[source] BootKitError),
    /// A key can't be used.
    #[error("trusted keys: {}", path.display())]
    Key { path: PathBuf, source: KeyError },
    /// A boot image that trusts nobody would refuse every medium.
    #[error("trusted keys: expected at least one, found none")]
    NoKeys,
    /// Another kind of file.
    #[error("{}: expected a program for x86_64 Linux, found something else", path.display())]
    NotAProgram { path: PathBuf },
    /// There are no libraries in a boot image.
    #[error("{}: expected a statically linked program, found one that needs {interpreter}; build it with appliance/build-programs", path.display())]
    NotStatic { path: PathBuf, interpreter: String },
    /// A program of Platen's own that would not start.
    #[error(
        "{}: it needs {library}, which the boot kit has not; collect the boot kit anew", path.display()
    )]
    NoLibrary { path: PathBuf, library: String },
    /// A program of the kit comes without the terms by which it may be passed on.
    #[error(
        "boot kit: {path}: expected the copyright file of package {package} beside it, found none; collect the boot kit anew"
    )]
    NoLicence { path: String, package: String },
    /// More programs than a booted computer takes.
    #[error("{PROGRAMS}: expected at most {most_bytes} bytes, found {found_bytes}")]
    TooLarge { most_bytes: u64, found_bytes: u64 },
    /// A file of the kit is not a kernel module.
    #[error("{}: expected a 64-bit kernel module, found {found}", path.display())]
    NotAModule { path: PathBuf, found: String },
    /// A record that can't be understood.
    #[error("{}: expected the record of a boot image", path.display())]
    Record { path: PathBuf, source: StoredError },
    /// A file that is not as recorded.
    #[error("{}: expected SHA-256 {expected} as in the boot image's record, found {found}; build the boot image anew", path.display())]
    Changed { path: PathBuf, expected: String, found: String },
    /// Reading or writing on this machine.
    #[error("{doing} {}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: std::io::Error },
}

impl BootImageError {
    /// What it means for whoever asked.
    pub fn kind(&self) -> BootKitErrorKind {
        match self {
            Self::Kit(error) => error.kind(),
            Self::Io { .. } => BootKitErrorKind::Machine,
            Self::NoKeys | Self::Key { .. } | Self::NotAProgram { .. } | Self::NotStatic { .. } => {
                BootKitErrorKind::Request
            }
            _ => BootKitErrorKind::Content,
        }
    }
}

fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> BootImageError {
    move |source| BootImageError::Io { doing, path: path.to_owned(), source }
}

fn read(path: &Path) -> Result<Vec<u8>, BootImageError> {
    std::fs::read(path).map_err(io("reading", path))
}

#[cfg(test)]
mod tests;
