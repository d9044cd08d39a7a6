// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

use std::io::Write;
use std::process::{Command, Stdio};

use super::build::check_static;
use super::*;
use crate::boot::elf::tests::program;
use crate::boot::kit::tests::FakePackages;
use crate::boot::kit::{self, modules};

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Option<Self> {
        let packages = FakePackages::new()?;
        let bench = Self { folder: tempfile::tempdir().expect("temporary folder") };
        kit::collect(&bench.path("kit"), &packages.options()).expect("collected");
        std::fs::write(bench.path("deploy"), program(None, &[])).expect("written");
        std::fs::write(bench.path("dynamic"), program(Some("/lib/ld"), &[])).expect("written");
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
        self.build_with(&[], deploy, &keys, out)
    }

    fn build_with(
        &self,
        own_programs: &[PathBuf],
        deploy: &str,
        trusted_keys: &[PathBuf],
        out: &str,
    ) -> Result<BootImage, BootImageError> {
        let (kit, deploy) = (self.path("kit"), self.path(deploy));
        build(&Parts { kit: &kit, deploy: &deploy, own_programs, trusted_keys }, &self.path(out))
    }
}

#[test]
fn the_same_input_gives_the_same_bytes_whatever_the_order_of_keys() {
    let Some(bench) = Bench::new() else { return };
    let first = bench.build("deploy", &["one", "two"], "a").expect("built");
    let second = bench.build("deploy", &["two", "one"], "b").expect("built");
    assert_eq!(first.record(), second.record());
    for name in [KERNEL, INITRD, PROGRAMS, RECORD] {
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
    let later: Vec<&str> = image.record().deployment_modules.iter().map(|module| &*module.name).collect();
    assert!(later.starts_with(&["crc32c_generic"]) && later.contains(&"ext4"), "{later:?}");
    assert!(names.iter().all(|name| !later.contains(name)), "none twice");
    assert!(at("vfat") < at("usb_storage") && at("usbhid") < at("usb_storage"), "{names:?}");
    assert!(archive.contains("core.ko\nxhci_pci.ko\nehci_pci.ko\n"), "the order file");
    assert!(archive.contains("etc/platen/keys/") && archive.contains("untrusted comment"), "the key");
    assert_eq!(modules::parameters("hid"), "ignore_special_drivers=1");
}

/// What `cpio` lists of a packed archive, a line each.
fn listed(packed: &[u8]) -> Vec<String> {
    let archive = zstd::decode_all(packed).expect("unpacks");
    let mut cpio = Command::new("cpio").args(["-itv", "--quiet"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let cpio = cpio.as_mut().expect("cpio is here (appliance/install-packages test)");
    cpio.stdin.take().expect("piped").write_all(&archive).expect("taken");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut cpio.stdout.take().expect("piped"), &mut text).expect("text");
    assert!(cpio.wait().expect("ended").success());
    text.lines().map(str::to_owned).collect()
}

#[test]
fn programs_are_in_an_archive_of_their_own_and_recorded_with_their_terms() {
    let Some(bench) = Bench::new() else { return };
    let image = bench.build("deploy", &["one"], "image").expect("built");
    let files = |name: &str| listed(&std::fs::read(image.folder().join(name)).expect("there"));
    let programs = files(PROGRAMS);
    let has = |path: &str| programs.iter().any(|line| line.ends_with(&format!(" {path}")));
    for path in [
        "usr/bin/wimlib-imagex",
        "usr/lib64/ld-linux-x86-64.so.2",
        "usr/share/doc/libone1/copyright",
        "usr/share/common-licenses/GPL-3",
        "usr/lib/modules/ext4.ko",
        "usr/lib/modules/deployment-order",
    ] {
        assert!(has(path), "{path}: {programs:#?}");
    }
    assert!(programs.iter().all(|line| line.starts_with("drwxr-xr-x") || line.starts_with("-rw")), "{programs:#?}");
    let initramfs = files(INITRD);
    assert!(initramfs.iter().any(|line| line.ends_with(" lib -> usr/lib")), "{initramfs:#?}");
    assert!(!initramfs.iter().any(|line| line.contains("ext4")), "{initramfs:#?}");

    let record = image.record();
    let linker = record.libraries.iter().find(|file| file.path == "usr/lib64/ld-linux-x86-64.so.2").expect("there");
    assert_eq!((&*linker.package, &*linker.version), ("libc6", "2.36"));
    assert_eq!(linker.licence_sha256, Sha256::of(b"terms of libc6"));
    assert_eq!(record.programs.len(), kit::tests::PROGRAMS.len());
    assert_eq!(image.file_names().collect::<Vec<_>>(), [KERNEL, INITRD, PROGRAMS]);
}

#[test]
fn own_programs_are_beside_the_others_and_find_their_libraries() {
    let Some(bench) = Bench::new() else { return };
    let hive = program(Some("/lib64/ld-linux-x86-64.so.2"), &["libhivex.so.0", "libgcc_s.so.1", "libc.so.6"]);
    std::fs::write(bench.path("platen-hive"), &hive).expect("written");
    std::fs::write(bench.path("other.exe"), b"MZ").expect("written");
    let own = [bench.path("platen-hive"), bench.path("other.exe")];
    let keys = [bench.path("one")];
    let image = bench.build_with(&own, "deploy", &keys, "image").expect("built");
    let files = listed(&std::fs::read(image.folder().join(PROGRAMS)).expect("there"));
    for path in
        ["usr/lib/platen/platen-hive", "usr/lib/platen/other.exe", "usr/lib/x86_64-linux-gnu/gconv/gconv-modules"]
    {
        assert!(files.iter().any(|line| line.ends_with(&format!(" {path}"))), "{path}: {files:#?}");
    }
    let recorded: Vec<_> = image.record().own_programs.iter().map(|own| (&*own.path, own.sha256)).collect();
    let expected = [("usr/lib/platen/other.exe", Sha256::of(b"MZ")), ("usr/lib/platen/platen-hive", Sha256::of(&hive))];
    assert_eq!(recorded, expected);

    std::fs::write(bench.path("platen-hive"), program(Some("/lib/ld"), &["libthree.so.3"])).expect("written");
    let error = bench.build_with(&own, "deploy", &keys, "other").map(drop).expect_err("refused");
    assert!(matches!(&error, BootImageError::NoLibrary { library, .. } if library == "libthree.so.3"), "{error}");
}

#[test]
fn an_older_kit_gives_an_image_without_programs_and_an_older_image_opens() {
    let Some(bench) = Bench::new() else { return };
    let path = bench.path("kit").join(kit::RECORD);
    let mut record: kit::KitRecord = serde_json::from_slice(&read(&path).expect("there")).expect("a record");
    record.schema = 1;
    let is_older = |role| !matches!(role, kit::Role::Program | kit::Role::Library | kit::Role::Licence);
    record.files.retain(|file| is_older(file.role));
    std::fs::write(&path, serde_json::to_vec(&record).expect("a record")).expect("written");
    let image = bench.build("deploy", &["one"], "image").expect("built");
    assert_eq!(image.file_names().collect::<Vec<_>>(), [KERNEL, INITRD]);
    assert!(!image.folder().join(PROGRAMS).exists() && image.record().programs.is_empty());

    let path = bench.path("image").join(RECORD);
    let text = String::from_utf8(read(&path).expect("there")).expect("text");
    std::fs::write(&path, text.replacen("\"schema\": 2", "\"schema\": 1", 1)).expect("written");
    BootImage::open(image.folder()).expect("an earlier version's");
    std::fs::write(&path, text.replacen("\"schema\": 2", "\"schema\": 3", 1)).expect("written");
    let newer = BootImage::open(image.folder()).expect_err("refused");
    assert!(matches!(newer, BootImageError::Record { source: StoredError::Newer(_), .. }), "{newer}");
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
    let whole = program(Some("/lib/ld"), &[]);
    for length in 0..whole.len() {
        let cut = check_static(Path::new("x"), &whole[..length]);
        assert!(matches!(cut, Err(BootImageError::NotAProgram { .. })), "{length} bytes");
    }
}
