// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The programs of a deployment, and every library that they need.
//!
//! A package that uses a library depends on the package that has it (Debian Policy 8.6). So a library is looked for in the
//! package that needs it, then in those that one depends on, and nowhere else.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use super::super::packages::Package;
use super::super::{BootKitError, PROGRAMS_FOLDER, Role};
use super::Collecting;
use crate::boot::elf;

/// Package and path of each program.
pub(crate) const PROGRAMS: &[(&str, &str)] = &[
    ("busybox", "bin/busybox"),
    ("dosfstools", "sbin/mkfs.fat"),
    ("e2fsprogs", "sbin/mke2fs"),
    ("ntfs-3g", "bin/ntfs-3g"),
    ("ntfs-3g", "sbin/mkntfs"),
    ("wimtools", "bin/wimlib-imagex"),
];

/// What `platen-hive`, a program of Platen's own that links hivex, needs: package and path. The C library loads what converts
/// names of a hive when it is asked to (`iconv`), by a list; no linkage says so.
pub(crate) const LIBRARIES_OF_HIVE: &[(&str, &str)] = &[
    ("libhivex0", "lib/x86_64-linux-gnu/libhivex.so.0"),
    ("libgcc-s1", "lib/x86_64-linux-gnu/libgcc_s.so.1"),
    ("libc6", "lib/x86_64-linux-gnu/gconv/ISO8859-1.so"),
    ("libc6", "lib/x86_64-linux-gnu/gconv/UTF-16.so"),
];
const CONVERSIONS: (&str, &str) = ("libc6", "lib/x86_64-linux-gnu/gconv/gconv-modules");

/// Where Debian has the libraries of this architecture, and the dynamic linker looks for them without being told.
const LIBRARIES: &str = "lib/x86_64-linux-gnu";

/// A library that somebody needs.
struct Need {
    /// As it is asked for: `libc.so.6`.
    library: String,
    /// In the boot image.
    place: String,
    /// The package it is needed by.
    package: String,
}

impl Collecting {
    pub(super) fn programs(&mut self) -> Result<(), BootKitError> {
        let mut open = VecDeque::new();
        for &(package, path) in PROGRAMS {
            let root = self.unpack(package)?;
            let from = merged(&root, path).ok_or_else(|| self.no_file(package, &root.join(path)))?;
            open.extend(self.take_linked(package, &from, Role::Program, &format!("usr/{path}"))?);
        }
        let mut looked_at = BTreeMap::new();
        let mut taken = BTreeSet::new();
        for &(package, path) in LIBRARIES_OF_HIVE {
            let root = self.unpack(package)?;
            let from = merged(&root, path).ok_or_else(|| self.no_file(package, &root.join(path)))?;
            open.extend(self.take_linked(package, &from, Role::Library, &format!("usr/{path}"))?);
            taken.extend(path.rsplit('/').next().map(str::to_owned));
        }
        let (package, path) = CONVERSIONS;
        let root = self.unpack(package)?;
        let from = merged(&root, path).ok_or_else(|| self.no_file(package, &root.join(path)))?;
        self.take(package, &from, Role::Library, &format!("{PROGRAMS_FOLDER}/usr/{path}"))?;
        while let Some(need) = open.pop_front() {
            // By name alone: the C library asks for the dynamic linker as for any library, programs by its path.
            if !taken.insert(need.library.clone()) {
                continue;
            }
            let (package, from) = self.provider(&need, &mut looked_at)?;
            let name = package.record.name.clone();
            self.used.entry(name.clone()).or_insert(package);
            open.extend(self.take_linked(&name, &from, Role::Library, &need.place)?);
        }
        Ok(())
    }

    /// Puts a program or library into the kit; what it needs.
    fn take_linked(&mut self, package: &str, from: &Path, role: Role, to: &str) -> Result<Vec<Need>, BootKitError> {
        let bytes = std::fs::read(from).map_err(BootKitError::io("reading", from))?;
        let malformed =
            |found| BootKitError::Malformed { path: from.to_owned(), expected: "a program for x86_64 Linux", found };
        let linkage = elf::linkage(&bytes).map_err(malformed)?;
        self.put(package, &bytes, role, &format!("{PROGRAMS_FOLDER}/{to}"), Vec::new())?;
        let need = |library: &str, place| Need { library: library.to_owned(), place, package: package.to_owned() };
        let interpreter = linkage.interpreter.iter().filter_map(|path| {
            let path = path.trim_start_matches('/').trim_start_matches("usr/");
            Some(need(path.rsplit('/').next()?, format!("usr/{path}")))
        });
        let libraries = linkage.needed.iter().map(|library| need(library, format!("usr/{LIBRARIES}/{library}")));
        Ok(interpreter.chain(libraries).collect())
    }

    /// The package that has a library, and where that is unpacked.
    fn provider(
        &self,
        need: &Need,
        looked_at: &mut BTreeMap<String, Package>,
    ) -> Result<(Package, PathBuf), BootKitError> {
        let no_library = || BootKitError::NoLibrary { package: need.package.clone(), library: need.library.clone() };
        // It names a file in a folder, so it can't lead anywhere else.
        if need.library.is_empty() || need.library.contains('/') || need.place.split('/').any(|name| name == "..") {
            return Err(no_library());
        }
        let path = format!("{LIBRARIES}/{}", need.library);
        let asking = &self.used[&need.package];
        let candidates = std::iter::once(need.package.clone()).chain(self.packages.depends(asking)?);
        for name in candidates {
            let package = match (self.used.get(&name), looked_at.get(&name)) {
                (Some(package), _) | (_, Some(package)) => package.clone(),
                _ => self.packages.get(&name)?,
            };
            let root = self.lay_out(&package)?;
            if let Some(from) = merged(&root, &path) {
                return Ok((package, from));
            }
            looked_at.insert(name, package);
        }
        Err(no_library())
    }
}

/// A file of an unpacked package, below `usr` or where it was before distributions merged the two; none when it leads out
/// of the package.
pub(in super::super) fn merged(root: &Path, path: &str) -> Option<PathBuf> {
    let found = [root.join("usr").join(path), root.join(path)].into_iter().find_map(|path| path.canonicalize().ok())?;
    (found.is_file() && found.starts_with(root.canonicalize().ok()?)).then_some(found)
}
