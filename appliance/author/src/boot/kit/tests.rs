// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Collecting from packages made here, so that no network and no real package is needed. `dpkg-deb` is.

use std::process::Command;

use platen_media::stored::StoredError;
use platen_testkit::need;

use super::*;

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
        // --directory D --format F --prefix P --output O modules...
        fake.package("grub-common", "2.06", &[("usr/bin/grub-mkimage", b"#!/bin/sh\necho \"$6\" > \"$8\"\n".to_vec())]);
        fake.kernel("6.1.0-9-amd64", "6.1.9", |_| true, "y");
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

    /// A kernel with those wanted modules that `has` says, in which everything needs `core` and one more is unwanted.
    fn kernel(&self, release: &str, version: &str, has: impl Fn(&str) -> bool, option: &str) {
        let config: String = collect::KERNEL_OPTIONS.iter().map(|name| format!("{name}={option}\n")).collect();
        let tree = format!("lib/modules/{release}");
        let mut files = vec![
            (format!("boot/config-{release}"), config.into_bytes()),
            (format!("boot/vmlinuz-{release}"), pe::tests::program(true)),
            (format!("{tree}/modules.builtin"), b"kernel/fs/nls/nls_utf8.ko\n".to_vec()),
            (format!("{tree}/kernel/core.ko"), modules::tests::module("")),
            (format!("{tree}/kernel/sound/unwanted.ko"), modules::tests::module("core")),
        ];
        for wanted in modules::WANTED.iter().filter(|wanted| has(wanted.name) && wanted.name != "nls_utf8") {
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
        let tree = self.folder.path().join("tree");
        let control =
            format!("Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: x\nDescription: x\n");
        for (path, bytes) in
            files.iter().map(|(path, bytes)| (*path, &**bytes)).chain([("DEBIAN/control", control.as_bytes())])
        {
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
    assert_eq!(core(Role::GrubIa32), "/EFI/debian\n", "where the signed one looks");
    let modules: Vec<&str> = kit.modules().map(|(file, _)| &*file.path).collect();
    assert!(modules.contains(&"kernel/modules/core.ko"), "what is needed: {modules:?}");
    assert!(modules.contains(&"kernel/modules/drivers/usb_storage.ko"), "what is wanted: {modules:?}");
    assert!(!modules.iter().any(|path| path.contains("unwanted")), "nothing else: {modules:?}");
    let unpacked = kit.modules().find(|(file, _)| file.path.ends_with("vfat.ko")).expect("there").1;
    assert_eq!(std::fs::read(unpacked).expect("there"), modules::tests::module("core,nls-utf8"));
    let names: Vec<&str> = kit.record().packages.iter().map(|package| &*package.name).collect();
    assert_eq!(names.len(), 7);
    assert!(names.is_sorted());
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
    std::fs::write(out.join(RECORD), record.replacen("\"schema\": 1", "\"schema\": 2", 1)).expect("written");
    let newer = BootKit::open(&out).expect_err("refused");
    let is_newer = |error: &BootKitError| matches!(error, BootKitError::Record { source: StoredError::Newer(_), .. });
    assert!(is_newer(&newer) && newer.kind() == BootKitErrorKind::Content, "{newer}");
    let longer = record.replacen("\"schema\": 1", "\"schema\": 1, \"added\": [1]", 1);
    std::fs::write(out.join(RECORD), longer).expect("written");
    BootKit::open(&out).expect("a field more is passed over");

    let taken = folder.path().join("taken");
    std::fs::create_dir(&taken).expect("made");
    std::fs::write(taken.join("thesis.txt"), b"mine").expect("written");
    let error = collect(&taken, &packages.options()).map(drop).expect_err("refused");
    assert!(matches!(error, BootKitError::OutputTaken { .. }), "{error}");
    assert_eq!(error.kind(), BootKitErrorKind::Request);
    assert!(taken.join("thesis.txt").exists());
}
