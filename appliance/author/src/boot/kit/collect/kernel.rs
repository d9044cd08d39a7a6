// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The kernel of a kit, with the modules that boot images need.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::super::{BootKitError, Role, modules};
use super::Collecting;

/// Options without which boot images would not start or not be seen.
pub(in super::super) const KERNEL_OPTIONS: &[&str] = &[
    "CONFIG_RD_ZSTD",
    "CONFIG_DEVTMPFS",
    "CONFIG_VT_CONSOLE",
    "CONFIG_SERIAL_8250_CONSOLE",
    "CONFIG_EFI_STUB",
    "CONFIG_EFI_MIXED",
    "CONFIG_FB_EFI",
    "CONFIG_MSDOS_PARTITION",
    "CONFIG_EFI_PARTITION",
    "CONFIG_RTC_HCTOSYS",
];

impl Collecting {
    pub(super) fn kernel(&mut self) -> Result<String, BootKitError> {
        let package = self.packages.get_kernel()?;
        let name = package.record.name.clone();
        let root = self.enter(package)?;
        let release = name.trim_start_matches("linux-image-").to_owned();
        self.check_options(&name, &root.join(format!("boot/config-{release}")))?;
        self.take(&name, &root.join(format!("boot/vmlinuz-{release}")), Role::Kernel, "kernel/vmlinuz")?;

        // Where the package has them depends on how far its distribution has merged /lib into /usr.
        let places = [format!("lib/modules/{release}"), format!("usr/lib/modules/{release}")];
        let Some(tree) = places.iter().map(|place| root.join(place)).find(|tree| tree.join("kernel").is_dir()) else {
            return Err(self.no_file(&name, &root.join(&places[0]).join("kernel")));
        };
        let mut all = BTreeMap::new();
        list_modules(&tree.join("kernel"), &mut all)?;
        let path = tree.join("modules.builtin");
        let builtin = std::fs::read_to_string(&path).map_err(BootKitError::io("reading", &path))?;
        let builtin: Vec<String> =
            builtin.lines().filter_map(|line| modules::module_name(line.rsplit('/').next()?)).collect();

        let mut open: Vec<String> = Vec::new();
        for wanted in modules::WANTED.iter().chain(modules::WANTED_BY_DEPLOYMENT) {
            if all.contains_key(wanted.name) {
                open.push(wanted.name.to_owned());
            } else if wanted.required && !builtin.iter().any(|name| name == wanted.name) {
                let (package, version) = self.named(&name);
                return Err(BootKitError::NoModule { package, version, module: wanted.name.to_owned() });
            }
        }
        let mut taken: BTreeMap<String, ()> = BTreeMap::new();
        while let Some(module) = open.pop() {
            if taken.insert(module.clone(), ()).is_some() || builtin.contains(&module) {
                continue;
            }
            let Some(path) = all.get(&module) else {
                let (package, version) = self.named(&name);
                return Err(BootKitError::NoModule { package, version, module });
            };
            let bytes = read_module(path)?;
            let malformed =
                |found| BootKitError::Malformed { path: path.clone(), expected: "a 64-bit kernel module", found };
            open.extend(modules::depends(&bytes).map_err(malformed)?);
            let below =
                path.strip_prefix(tree.join("kernel")).expect("listed below it").with_file_name(format!("{module}.ko"));
            let to = format!("kernel/modules/{}", below.display());
            self.put(&name, &bytes, Role::Module, &to, Vec::new())?;
        }
        Ok(release)
    }

    fn check_options(&self, package: &str, path: &Path) -> Result<(), BootKitError> {
        let config = std::fs::read_to_string(path).map_err(|_| self.no_file(package, path))?;
        for &option in KERNEL_OPTIONS {
            let value = config.lines().find_map(|line| line.strip_prefix(option)?.strip_prefix('='));
            if value != Some("y") {
                let (package, version) = self.named(package);
                let found = value.map_or_else(|| "it not set".to_owned(), |value| format!("{option}={value}"));
                return Err(BootKitError::KernelOption { package, version, option, found });
            }
        }
        Ok(())
    }
}

/// Every module below `folder`, by kernel name.
fn list_modules(folder: &Path, into: &mut BTreeMap<String, PathBuf>) -> Result<(), BootKitError> {
    for entry in std::fs::read_dir(folder).map_err(BootKitError::io("listing", folder))? {
        let entry = entry.map_err(BootKitError::io("listing", folder))?;
        let path = entry.path();
        if entry.file_type().map_err(BootKitError::io("looking at", &path))?.is_dir() {
            list_modules(&path, into)?;
        } else if let Some(name) = modules::module_name(&entry.file_name().to_string_lossy()) {
            into.insert(name, path);
        }
    }
    Ok(())
}

/// A module as the kernel's build signed it: distributions may pack it after signing.
fn read_module(path: &Path) -> Result<Vec<u8>, BootKitError> {
    let bytes = std::fs::read(path).map_err(BootKitError::io("reading", path))?;
    let unpacked = match path.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => {
            let mut plain = Vec::new();
            liblzma::read::XzDecoder::new(&*bytes).read_to_end(&mut plain).map(|_| plain)
        }
        Some("zst") => zstd::decode_all(&*bytes),
        _ => Ok(bytes),
    };
    unpacked.map_err(BootKitError::io("unpacking", path))
}
