// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Collecting a kit: which packages, which files of them, and what is checked on the way.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use platen_media::Sha256;

use super::packages::{Package, Packages, run};
use super::{
    ARCHITECTURE, BootKit, BootKitError, GRUB_CONFIG_FOLDER, KitFile, KitRecord, RECORD, Role, SCHEMA,
    check_replaceable, modules, parent_of, pe, put_in_place,
};

/// GRUB's parts for every firmware: enough to read a FAT volume on either kind of table and say which it is, and to
/// start Linux on a 64-bit processor.
const GRUB_MODULES: &[&str] = &[
    "part_msdos",
    "part_gpt",
    "fat",
    "search",
    "search_fs_uuid",
    "search_fs_file",
    "search_label",
    "normal",
    "linux",
    "configfile",
    "echo",
    "ls",
    "test",
    "halt",
    "reboot",
    "boot",
    "sleep",
    "minicmd",
    "probe",
    "cpuid",
];

/// For BIOS also what reads drives and hands over to a Windows boot manager; no more, because all of it must fit the
/// gap before the first partition.
const GRUB_BIOS_MODULES: &[&str] = &["biosdisk", "linux16", "chain", "ntldr", "serial", "terminal"];

/// For UEFI also the screen, which the kernel can't find by itself.
const GRUB_EFI_MODULES: &[&str] = &["all_video", "efi_gop", "efi_uga"];

/// Options without which boot images would not start or not be seen.
pub(super) const KERNEL_OPTIONS: &[&str] = &[
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
        for folder in ["efi", "bios", "kernel"] {
            let folder = self.kit.join(folder);
            std::fs::create_dir_all(&folder).map_err(BootKitError::io("making", &folder))?;
        }
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
        self.kernel()
    }

    fn unpack(&mut self, name: &str) -> Result<PathBuf, BootKitError> {
        let package = self.packages.get(name)?;
        self.enter(package)
    }

    fn enter(&mut self, package: Package) -> Result<PathBuf, BootKitError> {
        let name = package.record.name.clone();
        let root = self.unpacked.join(&name);
        std::fs::create_dir_all(&root).map_err(BootKitError::io("making", &root))?;
        self.packages.unpack(&package, &root)?;
        self.used.insert(name, package);
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

    /// GRUB for BIOS. The prefix has no drive before its comma: GRUB fills in the one it was started from, so that all
    /// drives share the same core image and no second drive can be mistaken for the medium.
    fn bios(&mut self) -> Result<(), BootKitError> {
        self.unpack("grub-common")?;
        let modules = self.unpack("grub-pc-bin")?.join("usr/lib/grub/i386-pc");
        self.take("grub-pc-bin", &modules.join("boot.img"), Role::BiosBoot, "bios/boot.img")?;
        for (role, partition, to) in
            [(Role::BiosCoreMbr, "msdos1", "bios/core-mbr.img"), (Role::BiosCoreGpt, "gpt1", "bios/core-gpt.img")]
        {
            let prefix = format!("(,{partition})/boot/grub");
            let image = self.grub_image(&modules, "i386-pc", &prefix, GRUB_BIOS_MODULES)?;
            self.take("grub-pc-bin", &image, role, to)?;
        }
        Ok(())
    }

    /// GRUB for 32-bit UEFI. It looks where the signed one looks, on the drive it was started from.
    fn efi_32_bit(&mut self) -> Result<(), BootKitError> {
        let modules = self.unpack("grub-efi-ia32-bin")?.join("usr/lib/grub/i386-efi");
        let image = self.grub_image(&modules, "i386-efi", &format!("/{GRUB_CONFIG_FOLDER}"), GRUB_EFI_MODULES)?;
        self.take("grub-efi-ia32-bin", &image, Role::GrubIa32, "efi/BOOTIA32.EFI")
    }

    /// Puts an image together from the modules of a package.
    fn grub_image(
        &self,
        modules: &Path,
        format: &str,
        prefix: &str,
        more_modules: &[&str],
    ) -> Result<PathBuf, BootKitError> {
        let tool = self.unpacked.join("grub-common/usr/bin/grub-mkimage");
        if !tool.is_file() {
            return Err(self.no_file("grub-common", &tool));
        }
        let image = self.unpacked.join("core.img");
        let mut command = Command::new(&tool);
        command.arg("--directory").arg(modules).args(["--format", format, "--prefix", prefix]);
        command.arg("--output").arg(&image).args(GRUB_MODULES).args(more_modules);
        // The program is the package's own, but its libraries are this machine's.
        run(&mut command, "grub-mkimage", "grub-common")?;
        Ok(image)
    }

    fn kernel(&mut self) -> Result<String, BootKitError> {
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
        for wanted in modules::WANTED {
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
            let folder = self.kit.join(&to);
            let folder = parent_of(&folder);
            std::fs::create_dir_all(folder).map_err(BootKitError::io("making", folder))?;
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
