// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Collecting from packages made here, so that no network and no real package is needed. `dpkg-deb` is.

use std::collections::BTreeMap;
use std::process::Command;

use platen_media::stored::StoredError;
use platen_testkit::need;

use super::collect::programs::LIBRARIES_OF_HIVE;
pub(crate) use super::collect::programs::PROGRAMS;
use super::*;
use crate::boot::elf;

/// A folder of packages with everything a kit needs, each a few bytes long.
pub(crate) struct FakePackages {
    folder: tempfile::TempDir,
}

impl FakePackages {
    /// None where `dpkg-deb` may be missing, and is.
    pub(crate) fn new() -> Option<Self> {
        if !need::program("dpkg-deb") {
            return None;
        }
        let fake = Self { folder: tempfile::tempdir().expect("temporary folder") };
        let efi = |signed| pe::tests::program(signed);
        fake.package("shim-signed", "1", &[("usr/lib/shim/shimx64.efi.signed", efi(true))]);
        fake.package("shim-helpers-amd64-signed", "1", &[("usr/lib/shim/mmx64.efi.signed", efi(true))]);
        fake.grub(true);
        fake.package("grub-pc-bin", "2.06", &[("usr/lib/grub/i386-pc/boot.img", vec![0xeb; 512])]);
        fake.package("grub-efi-ia32-bin", "2.06", &[("usr/lib/grub/i386-efi/linux.mod", b"x".to_vec())]);
        // --directory D --format F --prefix P --output O [--memdisk M] modules...
        let tool = b"#!/bin/sh\necho \"$6\" > \"$8\"\n[ \"$9\" != --memdisk ] || cat \"${10}\" >> \"$8\"\n".to_vec();
        fake.package("grub-common", "2.06", &[("usr/bin/grub-mkimage", tool)]);
        fake.kernel("6.1.0-9-amd64", "6.1.9", |_| true, "y");
        fake.programs();
        fake.package("base-files", "12", &[("usr/share/common-licenses/GPL-3", b"terms".to_vec())]);
        Some(fake)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("packages")
    }

    pub(crate) fn options(&self) -> CollectOptions {
        CollectOptions { packages: Some(self.path()) }
    }

    fn grub(&self, signed: bool) {
        let path = "usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed";
        self.package("grub-efi-amd64-signed", "1", &[(path, pe::tests::program(signed))]);
    }

    /// Each program in a package of its own that depends on a library, which depends on another, in packages that have
    /// not merged `/lib` into `/usr` and in ones that have.
    fn programs(&self) {
        let program = || elf::tests::program(Some("/lib64/ld-linux-x86-64.so.2"), &["libone.so.1"]);
        let mut files: BTreeMap<&str, Vec<(&str, Vec<u8>)>> = BTreeMap::new();
        for &(package, path) in PROGRAMS {
            files.entry(package).or_default().push((path, program()));
        }
        for (package, files) in files {
            self.package_with(package, "1", "Depends: unrelated (>= 2), libone1 (>= 1) | other, libc6\n", &files);
        }
        self.package("unrelated", "2", &[]);
        let one = elf::tests::program(None, &["libtwo.so.2", "libc.so.6"]);
        let one = [("usr/lib/x86_64-linux-gnu/libone.so.1", one)];
        self.package_with("libone1", "1", "Pre-Depends: libc6\nDepends: libtwo2:any\n", &one);
        self.package("libtwo2", "2", &[("lib/x86_64-linux-gnu/libtwo.so.2", elf::tests::program(None, &[]))]);
        let libc = [
            ("lib/x86_64-linux-gnu/libc.so.6", elf::tests::program(None, &["ld-linux-x86-64.so.2"])),
            ("lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", elf::tests::program(None, &[])),
        ];
        let conversions = ("usr/lib/x86_64-linux-gnu/gconv/gconv-modules", b"module A B C 1".to_vec());
        let of_hive = |wanted: &str| {
            let of = LIBRARIES_OF_HIVE.iter().filter(move |(package, _)| *package == wanted);
            of.map(|&(_, path)| (path, elf::tests::program(None, &["libc.so.6"]))).collect::<Vec<_>>()
        };
        self.package("libc6", "2.36", &[&libc[..], &of_hive("libc6"), &[conversions]].concat());
        for package in ["libhivex0", "libgcc-s1"] {
            self.package_with(package, "1", "Depends: libc6\n", &of_hive(package));
        }
    }

    /// A kernel with those wanted modules that `has` says, in which everything needs `core` and one more is unwanted.
    fn kernel(&self, release: &str, version: &str, has: impl Fn(&str) -> bool, option: &str) {
        let config: String = collect::kernel::KERNEL_OPTIONS.iter().map(|name| format!("{name}={option}\n")).collect();
        let tree = format!("lib/modules/{release}");
        let mut files = vec![
            (format!("boot/config-{release}"), config.into_bytes()),
            (format!("boot/vmlinuz-{release}"), pe::tests::program(true)),
            (format!("{tree}/modules.builtin"), b"kernel/fs/nls/nls_utf8.ko\n".to_vec()),
            (format!("{tree}/kernel/core.ko"), modules::tests::module("")),
            (format!("{tree}/kernel/sound/unwanted.ko"), modules::tests::module("core")),
        ];
        let wanted = modules::WANTED.iter().chain(modules::WANTED_BY_DEPLOYMENT);
        for wanted in wanted.filter(|wanted| has(wanted.name) && wanted.name != "nls_utf8") {
            // One is packed, as later Debian releases have them.
            let plain = modules::tests::module("core,nls-utf8");
            let (ending, bytes) = match wanted.name {
                "vfat" => ("ko.zst", zstd::encode_all(&*plain, 3).expect("packs")),
                _ => ("ko", plain),
            };
            files.push((format!("{tree}/kernel/drivers/{}.{ending}", wanted.name.replace('_', "-")), bytes));
        }
        let files: Vec<(&str, Vec<u8>)> = files.iter().map(|(path, bytes)| (&**path, bytes.clone())).collect();
        self.package(&format!("linux-image-{release}"), version, &files);
    }

    fn package(&self, name: &str, version: &str, files: &[(&str, Vec<u8>)]) {
        self.package_with(name, version, "", files);
    }

    fn package_with(&self, name: &str, version: &str, fields: &str, files: &[(&str, Vec<u8>)]) {
        let tree = self.folder.path().join("tree");
        let control = format!(
            "Package: {name}\nVersion: {version}\nArchitecture: amd64\n{fields}Maintainer: x\nDescription: x\n"
        );
        let (copyright, terms) = (format!("usr/share/doc/{name}/copyright"), format!("terms of {name}"));
        let more = [("DEBIAN/control", control.as_bytes()), (&*copyright, terms.as_bytes())];
        for (path, bytes) in files.iter().map(|(path, bytes)| (*path, &**bytes)).chain(more) {
            let path = tree.join(path);
            std::fs::create_dir_all(parent_of(&path)).expect("made");
            std::fs::write(&path, bytes).expect("written");
            let mode = if path.ends_with("grub-mkimage") { 0o755 } else { 0o644 };
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).expect("set");
        }
        std::fs::create_dir_all(self.path()).expect("made");
        let deb = self.path().join(format!("{name}_{version}_amd64.deb"));
        let built = Command::new("dpkg-deb").args(["--build", "-Znone"]).args([&tree, &deb]).output().expect("starts");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        std::fs::remove_dir_all(&tree).expect("removed");
    }
}

#[test]
fn a_kit_has_every_role_and_names_the_package_of_each_file() {
    let Some(packages) = FakePackages::new() else { return };
    let folder = tempfile::tempdir().expect("temporary folder");
    let kit = collect(&folder.path().join("kit"), &packages.options()).expect("collected");
    assert_eq!(kit.record().kernel_release, "6.1.0-9-amd64");
    let (shim, path) = kit.file(Role::Shim).expect("there");
    assert_eq!((&*shim.path, &*shim.package, &*shim.version), ("efi/BOOTX64.EFI", "shim-signed", "1"));
    assert_eq!(shim.sbat, ["sbat,1,SBAT", "shim,4,UEFI"]);
    assert_eq!(Sha256::of(&std::fs::read(path).expect("there")), shim.sha256);
    let core = |role| std::fs::read_to_string(kit.file(role).expect("there").1).expect("text");
    assert_eq!(core(Role::BiosCoreMbr), "(,msdos1)/boot/grub\n", "no drive before the comma");
    assert_eq!(core(Role::BiosCoreGpt), "(,gpt1)/boot/grub\n");
    let disk_core = core(Role::BiosDiskCore);
    assert!(disk_core.starts_with("(memdisk)/boot/grub\n") && disk_core.contains(DISK_MARKER), "its own configuration");
    assert_eq!(core(Role::GrubIa32), "/EFI/debian\n", "where the signed one looks");
    let modules: Vec<&str> = kit.files(Role::Module).map(|(file, _)| &*file.path).collect();
    assert!(modules.contains(&"kernel/modules/core.ko"), "what is needed: {modules:?}");
    assert!(modules.contains(&"kernel/modules/drivers/usb_storage.ko"), "what is wanted: {modules:?}");
    assert!(!modules.iter().any(|path| path.contains("unwanted")), "nothing else: {modules:?}");
    let unpacked = kit.files(Role::Module).find(|(file, _)| file.path.ends_with("vfat.ko")).expect("there").1;
    assert_eq!(std::fs::read(unpacked).expect("there"), modules::tests::module("core,nls-utf8"));
    let names: Vec<&str> = kit.record().packages.iter().map(|package| &*package.name).collect();
    assert_eq!(names.len(), 18, "{names:?}");
    assert!(names.is_sorted() && !names.contains(&"unrelated"), "only what was of use: {names:?}");
}

#[test]
fn programs_come_with_every_library_they_need_and_the_terms_of_all() {
    let Some(packages) = FakePackages::new() else { return };
    let folder = tempfile::tempdir().expect("temporary folder");
    let kit = collect(&folder.path().join("kit"), &packages.options()).expect("collected");
    let of = |role| -> Vec<(&str, &str)> { kit.files(role).map(|(file, _)| (&*file.path, &*file.package)).collect() };
    let programs = of(Role::Program);
    assert_eq!(programs.len(), PROGRAMS.len());
    assert!(programs.contains(&("programs/usr/bin/wimlib-imagex", "wimtools")), "{programs:?}");
    let libraries = [
        ("programs/usr/lib/x86_64-linux-gnu/gconv/ISO8859-1.so", "libc6"),
        ("programs/usr/lib/x86_64-linux-gnu/gconv/UTF-16.so", "libc6"),
        ("programs/usr/lib/x86_64-linux-gnu/gconv/gconv-modules", "libc6"),
        ("programs/usr/lib/x86_64-linux-gnu/libc.so.6", "libc6"),
        ("programs/usr/lib/x86_64-linux-gnu/libgcc_s.so.1", "libgcc-s1"),
        ("programs/usr/lib/x86_64-linux-gnu/libhivex.so.0", "libhivex0"),
        ("programs/usr/lib/x86_64-linux-gnu/libone.so.1", "libone1"),
        ("programs/usr/lib/x86_64-linux-gnu/libtwo.so.2", "libtwo2"),
        ("programs/usr/lib64/ld-linux-x86-64.so.2", "libc6"),
    ];
    assert_eq!(of(Role::Library), libraries, "each once, the dynamic linker where programs ask for it");
    let licences = of(Role::Licence);
    for (_, package) in programs.into_iter().chain(libraries) {
        let path = format!("licences/packages/{package}");
        assert!(licences.contains(&(&path, package)), "{path}: {licences:?}");
    }
    assert!(licences.contains(&("licences/common/GPL-3", "base-files")), "{licences:?}");

    packages.package("libtwo2", "3", &[("lib/x86_64-linux-gnu/libtwo.so.1", elf::tests::program(None, &[]))]);
    let error = collect(&folder.path().join("other"), &packages.options()).map(drop).expect_err("refused");
    let BootKitError::NoLibrary { package, library } = &error else { panic!("{error}") };
    assert_eq!((&**package, &**library), ("libone1", "libtwo.so.2"), "the newest package has another");
}

#[test]
fn a_library_that_leads_out_of_its_package_is_not_taken() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let root = folder.path().join("package");
    std::fs::create_dir_all(root.join("lib")).expect("made");
    for (name, target) in [("inside", "other"), ("above", "../../secret"), ("elsewhere", "/etc/passwd")] {
        std::os::unix::fs::symlink(target, root.join("lib").join(name)).expect("made");
    }
    std::fs::write(root.join("lib/other"), b"x").expect("written");
    std::fs::write(folder.path().join("secret"), b"x").expect("written");
    let found = |name: &str| collect::programs::merged(&root, &format!("lib/{name}")).is_some();
    assert!(found("inside") && found("other"), "the control");
    assert!(!found("above") && !found("elsewhere") && !found("absent"));
}

#[test]
fn the_same_packages_give_the_same_bytes_and_replace_an_earlier_kit() {
    let Some(packages) = FakePackages::new() else { return };
    let folder = tempfile::tempdir().expect("temporary folder");
    let collect = |name: &str| collect(&folder.path().join(name), &packages.options());
    let first = collect("one").expect("collected").record_sha256();
    assert_eq!(collect("two").expect("collected").record_sha256(), first);
    packages.kernel("6.1.0-10-amd64", "6.1.10", |_| true, "y");
    let newer = collect("one").expect("collected again");
    assert_eq!(newer.record().kernel_release, "6.1.0-10-amd64", "the newest in the folder");
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("listed").flatten().map(|e| e.file_name()).collect();
    assert_eq!(left.len(), 2, "nothing is left behind: {left:?}");
}

#[test]
fn what_can_not_boot_is_no_kit() {
    let Some(packages) = FakePackages::new() else { return };
    let folder = tempfile::tempdir().expect("temporary folder");
    let out = folder.path().join("kit");
    let refused = || {
        let error = collect(&out, &packages.options()).map(drop).expect_err("refused");
        assert!(!out.exists(), "nothing appears: {error}");
        error
    };
    packages.grub(false);
    let error = refused();
    assert!(matches!(&error, BootKitError::NotSigned { package, .. } if package == "grub-efi-amd64-signed"), "{error}");
    packages.grub(true);

    packages.kernel("6.1.0-9-amd64", "6.1.9", |name| name != "uas", "y");
    let error = refused();
    assert!(matches!(&error, BootKitError::NoModule { module, .. } if module == "uas"), "{error}");

    packages.kernel("6.1.0-9-amd64", "6.1.9", |name| name != "nvme", "m");
    let error = refused();
    assert!(matches!(&error, BootKitError::KernelOption { found, .. } if found.ends_with("=m")), "{error}");

    packages.kernel("6.1.0-9-amd64", "6.1.9", |name| name != "nvme", "y");
    assert!(collect(&out, &packages.options()).is_ok(), "some modules are for some machines only");
}

#[test]
fn a_changed_kit_and_a_folder_that_is_none_are_refused() {
    let Some(packages) = FakePackages::new() else { return };
    let folder = tempfile::tempdir().expect("temporary folder");
    let out = folder.path().join("kit");
    collect(&out, &packages.options()).expect("collected");
    std::fs::write(out.join("kernel/vmlinuz"), b"another").expect("written");
    assert!(matches!(BootKit::open(&out), Err(BootKitError::Changed { path, .. }) if path.ends_with("kernel/vmlinuz")));
    assert!(collect(&out, &packages.options()).is_ok(), "collected anew");
    let record = std::fs::read_to_string(out.join(RECORD)).expect("there");
    std::fs::write(out.join(RECORD), record.replacen("\"schema\": 2", "\"schema\": 3", 1)).expect("written");
    let newer = BootKit::open(&out).expect_err("refused");
    let is_newer = |error: &BootKitError| matches!(error, BootKitError::Record { source: StoredError::Newer(_), .. });
    assert!(is_newer(&newer) && newer.kind() == BootKitErrorKind::Content, "{newer}");
    let longer = record.replacen("\"schema\": 2", "\"schema\": 2, \"added\": [1]", 1);
    std::fs::write(out.join(RECORD), longer).expect("written");
    BootKit::open(&out).expect("a field more is passed over");
    let mut older: KitRecord = serde_json::from_str(&record).expect("its own words");
    older.schema = 1;
    older.files.retain(|file| !matches!(file.role, Role::BiosDiskCore | Role::Program | Role::Library | Role::Licence));
    std::fs::write(out.join(RECORD), serde_json::to_vec(&older).expect("written")).expect("written");
    let older = BootKit::open(&out).expect("an earlier version's");
    assert!(matches!(older.file(Role::BiosDiskCore), Err(BootKitError::NoRole { .. })));
    assert!(older.files(Role::Program).next().is_none());

    let taken = folder.path().join("taken");
    std::fs::create_dir(&taken).expect("made");
    std::fs::write(taken.join("thesis.txt"), b"mine").expect("written");
    let error = collect(&taken, &packages.options()).map(drop).expect_err("refused");
    assert!(matches!(error, BootKitError::OutputTaken { .. }), "{error}");
    assert_eq!(error.kind(), BootKitErrorKind::Request);
    assert!(taken.join("thesis.txt").exists());
}
