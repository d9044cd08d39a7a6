// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

use super::*;
use crate::boot::kit::tests::FakePackages;

/// A header of a 64-bit program with one segment of type `kind`, and the text it points to.
fn program(kind: u32) -> Vec<u8> {
    let mut elf = vec![0u8; 200];
    elf[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    (elf[16], elf[18], elf[32], elf[54], elf[56]) = (3, 62, 64, 56, 1);
    elf[64..68].copy_from_slice(&kind.to_le_bytes());
    (elf[72], elf[96]) = (120, 8);
    elf[120..128].copy_from_slice(b"/lib/ld\0");
    elf
}

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Option<Self> {
        let packages = FakePackages::new()?;
        let bench = Self { folder: tempfile::tempdir().expect("temporary folder") };
        kit::collect(&bench.path("kit"), &packages.options()).expect("collected");
        std::fs::write(bench.path("deploy"), program(1)).expect("written");
        std::fs::write(bench.path("dynamic"), program(3)).expect("written");
        for name in ["one", "two"] {
            let pair = minisign::KeyPair::generate_unencrypted_keypair().expect("random numbers");
            std::fs::write(bench.path(name), pair.pk.to_box().expect("key").to_string()).expect("written");
            std::fs::write(bench.path("secret"), pair.sk.to_box(None).expect("key").to_string()).expect("written");
        }
        Some(bench)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn build(&self, deploy: &str, keys: &[&str], out: &str) -> Result<BootImage, BootImageError> {
        let keys: Vec<PathBuf> = keys.iter().map(|name| self.path(name)).collect();
        build(&self.path("kit"), &self.path(deploy), &keys, &self.path(out))
    }
}

#[test]
fn the_same_input_gives_the_same_bytes_whatever_the_order_of_keys() {
    let Some(bench) = Bench::new() else { return };
    let first = bench.build("deploy", &["one", "two"], "a").expect("built");
    let second = bench.build("deploy", &["two", "one"], "b").expect("built");
    assert_eq!(first.record(), second.record());
    for name in [KERNEL, INITRD, RECORD] {
        let read = |image: &BootImage| std::fs::read(image.folder().join(name)).expect("there");
        assert_eq!(read(&first), read(&second), "{name}");
    }
    assert_eq!(first.record().trusted_keys.len(), 2);
    assert_eq!(BootImage::open(first.folder()).expect("opens").record(), first.record());
}

#[test]
fn modules_are_listed_after_what_they_need_with_their_parameters() {
    let Some(bench) = Bench::new() else { return };
    let image = bench.build("deploy", &["one"], "image").expect("built");
    let packed = std::fs::read(image.folder().join(INITRD)).expect("there");
    let archive = String::from_utf8_lossy(&zstd::decode_all(&*packed).expect("unpacks")).into_owned();
    let names: Vec<&str> = image.record().modules.iter().map(|module| &*module.name).collect();
    let at = |name: &str| names.iter().position(|found| *found == name).expect(name);
    assert_eq!(at("core"), 0);
    assert!(at("vfat") < at("usb_storage") && at("usbhid") < at("usb_storage"), "{names:?}");
    assert!(archive.contains("core.ko\nxhci_pci.ko\nehci_pci.ko\n"), "the order file");
    assert!(archive.contains("etc/platen/keys/") && archive.contains("untrusted comment"), "the key");
    assert_eq!(modules::parameters("hid"), "ignore_special_drivers=1");
}

#[test]
fn what_would_never_start_or_never_accept_is_refused() {
    let Some(bench) = Bench::new() else { return };
    let refused = |deploy: &str, keys: &[&str]| bench.build(deploy, keys, "image").map(drop).expect_err("refused");
    let dynamic = refused("dynamic", &["one"]);
    assert!(matches!(&dynamic, BootImageError::NotStatic { interpreter, .. } if interpreter == "/lib/ld"), "{dynamic}");
    assert_eq!(dynamic.kind(), BootKitErrorKind::Request);
    assert!(matches!(refused("one", &["one"]), BootImageError::NotAProgram { .. }));
    assert!(matches!(refused("deploy", &[]), BootImageError::NoKeys));
    assert!(matches!(refused("deploy", &["secret"]), BootImageError::Key { .. }), "a secret key never gets in");
    std::fs::write(bench.path("kit/kernel/vmlinuz"), b"another").expect("written");
    assert!(matches!(refused("deploy", &["one"]), BootImageError::Kit(BootKitError::Changed { .. })));
    assert!(!bench.path("image").exists());
}

#[test]
fn a_changed_image_does_not_open() {
    let Some(bench) = Bench::new() else { return };
    let image = bench.build("deploy", &["one"], "image").expect("built");
    std::fs::write(image.folder().join(INITRD), b"another").expect("written");
    assert!(matches!(BootImage::open(image.folder()), Err(BootImageError::Changed { .. })));
}

#[test]
fn headers_cut_short_are_refused() {
    let whole = program(3);
    for length in 0..128 {
        let cut = check_static(Path::new("x"), &whole[..length]);
        assert!(matches!(cut, Err(BootImageError::NotAProgram { .. })), "{length} bytes");
    }
    for at in 0..128 {
        let mut changed = whole.clone();
        changed[at] = 0xff;
        let _ = check_static(Path::new("x"), &changed);
    }
}
