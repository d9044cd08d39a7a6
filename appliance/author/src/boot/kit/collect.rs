// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Collecting a kit: which packages, which files of them, and what is checked on the way.

mod grub;
pub(super) mod kernel;
mod licences;
pub(super) mod programs;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use platen_media::Sha256;

use super::packages::{Package, Packages};
use super::{
    ARCHITECTURE, BootKit, BootKitError, KitFile, KitRecord, RECORD, Role, SCHEMA, check_replaceable, parent_of, pe,
    put_in_place,
};

/// How to collect.
#[derive(Debug, Clone, Default)]
pub struct CollectOptions {
    /// A folder of package files that is used first and added to: with all packages in it, nothing is downloaded.
    /// Empty it to get newer packages.
    pub packages: Option<PathBuf>,
}

/// Collects a kit into `out`, which appears only when everything is there; an earlier kit in its place is replaced.
pub fn collect(out: &Path, options: &CollectOptions) -> Result<BootKit, BootKitError> {
    check_replaceable(out, RECORD, "boot kit")?;
    let parent = parent_of(out);
    std::fs::create_dir_all(parent).map_err(BootKitError::io("making", parent))?;
    let work = tempfile::Builder::new()
        .prefix(".boot-kit-")
        .tempdir_in(parent)
        .map_err(BootKitError::io("making a folder in", parent))?;
    let packages = match &options.packages {
        Some(folder) => folder.clone(),
        None => work.path().join("packages"),
    };
    std::fs::create_dir_all(&packages).map_err(BootKitError::io("making", &packages))?;
    // Programs are started inside it, where a relative path would mean something else.
    let packages = packages.canonicalize().map_err(BootKitError::io("looking up", &packages))?;
    let mut collecting = Collecting {
        packages: Packages::new(packages),
        unpacked: work.path().join("unpacked"),
        kit: work.path().join("kit"),
        used: BTreeMap::new(),
        files: Vec::new(),
    };
    let kernel_release = collecting.all()?;
    let Collecting { kit, used, mut files, .. } = collecting;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let record = KitRecord {
        schema: SCHEMA,
        architecture: ARCHITECTURE.to_owned(),
        kernel_release,
        packages: used.into_values().map(|package| package.record).collect(),
        files,
    };
    let mut bytes = serde_json::to_vec_pretty(&record).expect("a record has only strings, numbers and lists");
    bytes.push(b'\n');
    let path = kit.join(RECORD);
    std::fs::write(&path, bytes).map_err(BootKitError::io("writing", &path))?;
    put_in_place(&kit, out, &work.path().join("replaced"))?;
    BootKit::open(out)
}

struct Collecting {
    packages: Packages,
    unpacked: PathBuf,
    kit: PathBuf,
    used: BTreeMap<String, Package>,
    files: Vec<KitFile>,
}

impl Collecting {
    fn all(&mut self) -> Result<String, BootKitError> {
        let efi = [
            ("shim-signed", "usr/lib/shim/shimx64.efi.signed", Role::Shim, "efi/BOOTX64.EFI"),
            ("shim-helpers-amd64-signed", "usr/lib/shim/mmx64.efi.signed", Role::MokManager, "efi/mmx64.efi"),
            (
                "grub-efi-amd64-signed",
                "usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed",
                Role::Grub,
                "efi/grubx64.efi",
            ),
        ];
        for (package, from, role, to) in efi {
            let root = self.unpack(package)?;
            self.take(package, &root.join(from), role, to)?;
        }
        self.bios()?;
        self.efi_32_bit()?;
        let kernel_release = self.kernel()?;
        self.programs()?;
        self.licences()?;
        Ok(kernel_release)
    }

    fn unpack(&mut self, name: &str) -> Result<PathBuf, BootKitError> {
        let package = self.packages.get(name)?;
        self.enter(package)
    }

    fn enter(&mut self, package: Package) -> Result<PathBuf, BootKitError> {
        let root = self.lay_out(&package)?;
        self.used.insert(package.record.name.clone(), package);
        Ok(root)
    }

    /// Unpacks a package that may turn out not to be needed.
    fn lay_out(&self, package: &Package) -> Result<PathBuf, BootKitError> {
        let root = self.unpacked.join(&package.record.name);
        if !root.exists() {
            std::fs::create_dir_all(&root).map_err(BootKitError::io("making", &root))?;
            self.packages.unpack(package, &root)?;
        }
        Ok(root)
    }

    /// Copies a file of a package into the kit; EFI programs must be signed.
    fn take(&mut self, package: &str, from: &Path, role: Role, to: &str) -> Result<(), BootKitError> {
        let bytes = match std::fs::read(from) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(self.no_file(package, from)),
            Err(error) => return Err(BootKitError::io("reading", from)(error)),
        };
        let mut sbat = Vec::new();
        if matches!(role, Role::Shim | Role::MokManager | Role::Grub | Role::Kernel) {
            let malformed =
                |found| BootKitError::Malformed { path: from.to_owned(), expected: "a 64-bit EFI program", found };
            let program = pe::read(&bytes).map_err(malformed)?;
            if !program.signed {
                let (package, version) = self.named(package);
                return Err(BootKitError::NotSigned { package, version, path: to.to_owned() });
            }
            sbat = program.sbat;
        }
        self.put(package, &bytes, role, to, sbat)
    }

    /// Writes a file of the kit and records it.
    fn put(
        &mut self,
        package: &str,
        bytes: &[u8],
        role: Role,
        to: &str,
        sbat: Vec<String>,
    ) -> Result<(), BootKitError> {
        let path = self.kit.join(to);
        let folder = parent_of(&path);
        std::fs::create_dir_all(folder).map_err(BootKitError::io("making", folder))?;
        std::fs::write(&path, bytes).map_err(BootKitError::io("writing", &path))?;
        let used = self.used.get(package).expect("only packages that were entered are taken from");
        self.files.push(KitFile {
            path: to.to_owned(),
            role,
            sha256: Sha256::of(bytes),
            size_bytes: bytes.len() as u64,
            package: package.to_owned(),
            version: used.record.version.clone(),
            package_sha256: used.record.sha256,
            sbat,
        });
        Ok(())
    }

    fn named(&self, package: &str) -> (String, String) {
        let version = self.used.get(package).map(|used| used.record.version.clone()).unwrap_or_default();
        (package.to_owned(), version)
    }

    fn no_file(&self, package: &str, path: &Path) -> BootKitError {
        let (package, version) = self.named(package);
        let expected = path.strip_prefix(self.unpacked.join(&package)).unwrap_or(path).display().to_string();
        BootKitError::NoFile { package, version, expected }
    }
}
