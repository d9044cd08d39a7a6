// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The boot kit: the signed boot programs of a distribution, collected from its packages into a folder.
//!
//! With it media start under Secure Boot without enrolling anything: firmware starts shim, shim starts GRUB, GRUB starts
//! the kernel, each checked by the one before. For BIOS it has GRUB's boot image and its core images: two for media, one for
//! the disks of deployed computers. For the deployment itself it has programs with their libraries and licences. Every
//! file is recorded with its digest and its package, so that two kits can be compared and a revoked one be found.
//!
//! Collecting installs nothing and changes nothing outside its output and package folders. The same packages give the
//! same bytes. This module never decides what a medium's boot menu says: that is authoring's.

mod collect;
mod error;
pub(crate) mod modules;
mod packages;
mod pe;

use std::path::{Path, PathBuf};

use platen_media::Sha256;
use platen_media::stored::{self, Stored};
use serde::{Deserialize, Serialize};

pub use collect::{CollectOptions, collect};
pub use error::{BootKitError, BootKitErrorKind};
pub use packages::PackageRecord;
use packages::digest;

/// Name of the record in a kit's folder.
pub const RECORD: &str = "boot-kit.json";
/// The schema number this version writes, and the newest it reads.
pub const SCHEMA: u32 = 2;
/// The only architecture there are kits for.
pub const ARCHITECTURE: &str = "x86_64";
/// Folder on the medium in which the signed GRUB looks for `grub.cfg`, wherever it was started from: it is built in.
pub const GRUB_CONFIG_FOLDER: &str = "EFI/debian";

/// By this file GRUB knows the partition of a deployed computer's disk that it shall start from; its configuration is
/// `grub.cfg` in the same folder.
pub const DISK_MARKER: &str = "boot/grub/platen-target";
/// Folder of a kit below which programs and libraries stand at their paths in a boot image.
pub(crate) const PROGRAMS_FOLDER: &str = "programs";
/// Folder of a kit with the copyright file of each package, named after the package.
pub(crate) const LICENCES_FOLDER: &str = "licences/packages";
/// Folder of a kit with the licences that those name, as Debian calls them.
pub(crate) const COMMON_LICENCES_FOLDER: &str = "licences/common";

/// What a file of a kit is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The first program firmware starts, signed by Microsoft: `EFI/BOOT/BOOTX64.EFI` on a medium.
    Shim,
    /// shim's helper for enrolling keys: `EFI/BOOT/mmx64.efi`.
    MokManager,
    /// The signed GRUB: `EFI/BOOT/grubx64.efi`.
    Grub,
    /// GRUB for 32-bit firmware, which starts the same kernel: `EFI/BOOT/BOOTIA32.EFI`. Not signed: the distribution
    /// has no signed one among its 64-bit packages. Kits of earlier versions have none, and their BIOS core images can
    /// neither ask for the processor nor for the volume.
    GrubIa32,
    /// GRUB's code for LBA 0, as shipped.
    BiosBoot,
    /// GRUB's core image that reads its configuration from the first MBR partition of the boot drive.
    BiosCoreMbr,
    /// The same for the first GPT partition.
    BiosCoreGpt,
    /// GRUB's core image for the disks of deployed computers: it reads its configuration from the partition of the boot
    /// disk that has the file [`DISK_MARKER`], on either kind of table. Kits of earlier versions have none.
    BiosDiskCore,
    /// The signed kernel.
    Kernel,
    /// A kernel module for boot images.
    Module,
    /// A program that a deployment starts. Kits of earlier versions have neither programs, libraries nor licences.
    Program,
    /// A library that programs need, the dynamic linker among them.
    Library,
    /// By what terms files may be passed on: the copyright file of a package, or a licence that such files name.
    Licence,
}

/// One file of a kit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KitFile {
    /// Below the kit's folder, with `/` between names.
    pub path: String,
    /// What it is needed for.
    pub role: Role,
    /// Of the whole file.
    pub sha256: Sha256,
    /// Its length in bytes.
    pub size_bytes: u64,
    /// The package it is from, or whose files it was put together from.
    pub package: String,
    /// Of the package it is from.
    pub version: String,
    /// Of the package's own file.
    pub package_sha256: Sha256,
    /// SBAT lines of an EFI program: by these, firmware tells revoked versions from good ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sbat: Vec<String>,
}

/// A kit's record, `boot-kit.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KitRecord {
    /// [`SCHEMA`], or an older one.
    pub schema: u32,
    /// Always [`ARCHITECTURE`].
    pub architecture: String,
    /// As `uname -r` says it.
    pub kernel_release: String,
    /// Everything it was made from, sorted by name.
    pub packages: Vec<PackageRecord>,
    /// Sorted by path.
    pub files: Vec<KitFile>,
}

impl Stored for KitRecord {
    const SCHEMA: u32 = SCHEMA;

    fn schema(&self) -> u32 {
        self.schema
    }
}

/// A kit whose files were all found to be as recorded.
#[derive(Debug, Clone)]
pub struct BootKit {
    folder: PathBuf,
    record: KitRecord,
    record_sha256: Sha256,
}

impl BootKit {
    /// Opens a collected kit and checks every file's digest.
    pub fn open(folder: &Path) -> Result<Self, BootKitError> {
        let path = folder.join(RECORD);
        let bytes = std::fs::read(&path).map_err(BootKitError::io("reading", &path))?;
        let record: KitRecord =
            stored::read(&bytes).map_err(|source| BootKitError::Record { path: path.clone(), source })?;
        let kit = Self { folder: folder.to_owned(), record, record_sha256: Sha256::of(&bytes) };
        for role in [
            Role::Shim,
            Role::MokManager,
            Role::Grub,
            Role::BiosBoot,
            Role::BiosCoreMbr,
            Role::BiosCoreGpt,
            Role::Kernel,
        ] {
            if !kit.record.files.iter().any(|file| file.role == role) {
                return Err(BootKitError::NoRole { path, role: format!("{role:?}") });
            }
        }
        for file in &kit.record.files {
            let path = folder.join(&file.path);
            let (found, _) = digest(&path)?;
            if found != file.sha256 {
                let (expected, found) = (file.sha256.to_string(), found.to_string());
                return Err(BootKitError::Changed { path, expected, found });
            }
        }
        Ok(kit)
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What it is made of.
    pub fn record(&self) -> &KitRecord {
        &self.record
    }

    /// SHA-256 of the record's bytes: names this kit.
    pub fn record_sha256(&self) -> Sha256 {
        self.record_sha256
    }

    /// The file of a role of which there is one, and where it is.
    pub fn file(&self, role: Role) -> Result<(&KitFile, PathBuf), BootKitError> {
        let found = self.record.files.iter().find(|file| file.role == role);
        let no_role = || BootKitError::NoRole { path: self.folder.join(RECORD), role: format!("{role:?}") };
        found.map(|file| (file, self.folder.join(&file.path))).ok_or_else(no_role)
    }

    /// The files of a role of which there are many, and where they are, sorted by path.
    pub fn files(&self, role: Role) -> impl Iterator<Item = (&KitFile, PathBuf)> {
        let files = self.record.files.iter().filter(move |file| file.role == role);
        files.map(|file| (file, self.folder.join(&file.path)))
    }
}

/// The folder that holds `path`; the current one for a bare name.
pub(crate) fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Refuses an output folder that is neither absent, nor empty, nor made by us before.
pub(crate) fn check_replaceable(out: &Path, record: &str, what: &'static str) -> Result<(), BootKitError> {
    let taken = || BootKitError::OutputTaken { path: out.to_owned(), what };
    match std::fs::read_dir(out) {
        Ok(mut entries) => {
            if entries.next().is_none() || out.join(record).is_file() {
                Ok(())
            } else {
                Err(taken())
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => Err(taken()),
        Err(error) => Err(BootKitError::io("looking at", out)(error)),
    }
}

/// Renames a finished folder to its place; what was there goes to `aside`, on the same file system.
pub(crate) fn put_in_place(finished: &Path, out: &Path, aside: &Path) -> Result<(), BootKitError> {
    if out.exists() {
        std::fs::rename(out, aside).map_err(BootKitError::io("moving aside", out))?;
    }
    std::fs::rename(finished, out).map_err(BootKitError::io("putting in place", out))
}

#[cfg(test)]
pub(crate) mod tests;
