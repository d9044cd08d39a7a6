// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! By which terms the files of a kit may be passed on: the copyright file of each package (Debian Policy 12.5), and the
//! licences that those only name.

use super::super::{BootKitError, COMMON_LICENCES_FOLDER, LICENCES_FOLDER, Role};
use super::Collecting;

/// The package that has the common licences, and the folder of both.
const COMMON: (&str, &str) = ("base-files", "usr/share/common-licenses");

impl Collecting {
    /// Puts the copyright file of every package that was used into the kit, under the package's name.
    pub(super) fn licences(&mut self) -> Result<(), BootKitError> {
        let names: Vec<String> = self.used.keys().cloned().collect();
        for name in names {
            let folder = self.unpacked.join(&name).join("usr/share/doc").join(&name);
            // Packages made from one source may share a folder, which is then in another of them.
            let owner = match std::fs::read_link(&folder) {
                Ok(target) => target.file_name().map_or(name.clone(), |owner| owner.to_string_lossy().into_owned()),
                Err(_) => name.clone(),
            };
            let root = self.unpack(&owner)?;
            let from = root.join("usr/share/doc").join(&owner).join("copyright");
            self.take(&owner, &from, Role::Licence, &format!("{LICENCES_FOLDER}/{name}"))?;
        }
        let (package, folder) = COMMON;
        let folder = self.unpack(package)?.join(folder);
        let entries = std::fs::read_dir(&folder).map_err(|_| self.no_file(package, &folder))?;
        for entry in entries {
            let entry = entry.map_err(BootKitError::io("listing", &folder))?;
            // Links stand for the newest of several versions.
            if entry.file_type().map_err(BootKitError::io("looking at", entry.path()))?.is_file() {
                let name = entry.file_name().to_string_lossy().into_owned();
                self.take(package, &entry.path(), Role::Licence, &format!("{COMMON_LICENCES_FOLDER}/{name}"))?;
            }
        }
        Ok(())
    }
}
