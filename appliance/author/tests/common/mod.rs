// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A medium's sources in a folder of their own, small and synthetic; and what is common to looking at the result.
#![allow(dead_code, unused_imports, unreachable_pub, clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use platen_author::boot_image::{BootImageRecord, FileDigest, KernelRecord};
use platen_author::boot_kit::{KitFile, KitRecord, Role};
use platen_author::{AuthorError, BuildOptions, BuildReport, Signer, build, keys};
use platen_cache::layout::{Layout, MediaEntry};
use platen_media::Sha256;
use platen_media::manifest::Manifest;
pub use platen_testkit::files::{noise, put, run, snapshot};

pub const SEQUENCE: &str = include_str!("../../../sequence/data/stand-alone.xml");

pub struct Fixture {
    pub dir: tempfile::TempDir,
    pub signer: Signer,
}

/// GRUB's boot image and core image as far as `platen_disk::grub::patch` looks at them.
fn grub_images(core_bytes: usize) -> (Vec<u8>, Vec<u8>) {
    let mut boot = vec![0xc0; 512];
    boot[0x5c..0x64].copy_from_slice(&1u64.to_le_bytes());
    boot[0x66..0x68].copy_from_slice(&[0xeb, 0x05]);
    boot[0x1fe..].copy_from_slice(&[0x55, 0xaa]);
    let mut core = noise(9, core_bytes);
    core[0x1f4..0x1fc].copy_from_slice(&2u64.to_le_bytes());
    core[0x1fc..0x1fe].copy_from_slice(&((core_bytes.div_ceil(512) - 1) as u16).to_le_bytes());
    core[0x1fe..0x200].copy_from_slice(&0x820u16.to_le_bytes());
    (boot, core)
}

fn boot_kit(folder: &Path) {
    let (boot_img, core) = grub_images(40_001);
    let mut files = Vec::new();
    for (path, role, bytes) in [
        ("bios/boot.img", Role::BiosBoot, boot_img),
        ("bios/core-gpt.img", Role::BiosCoreGpt, core.clone()),
        ("bios/core-mbr.img", Role::BiosCoreMbr, core),
        ("bios/disk-core.img", Role::BiosDiskCore, noise(7, 30_000)),
        ("efi/BOOTX64.EFI", Role::Shim, noise(1, 9000)),
        ("efi/grubx64.efi", Role::Grub, noise(2, 20_000)),
        ("efi/mmx64.efi", Role::MokManager, noise(3, 8000)),
        ("kernel/vmlinuz", Role::Kernel, noise(4, 5000)),
    ] {
        put(&folder.join(path), &bytes);
        files.push(KitFile {
            path: path.into(),
            role,
            sha256: Sha256::of(&bytes),
            size_bytes: bytes.len() as u64,
            package: "p".into(),
            version: "1".into(),
            package_sha256: Sha256::of(b"p"),
            sbat: Vec::new(),
        });
    }
    let record = KitRecord {
        schema: 1,
        architecture: "x86_64".into(),
        kernel_release: "6.1".into(),
        packages: Vec::new(),
        files,
    };
    put(&folder.join("boot-kit.json"), &serde_json::to_vec(&record).unwrap());
}

pub fn boot_image(folder: &Path, architecture: &str) {
    let mut files = Vec::new();
    for (name, seed, size) in [("initrd.img", 5, 9 << 20), ("programs.img", 8, 9000), ("vmlinuz", 6, 70_000)] {
        let bytes = noise(seed, size);
        put(&folder.join(name), &bytes);
        files.push(FileDigest { path: name.into(), sha256: Sha256::of(&bytes), size_bytes: bytes.len() as u64 });
    }
    let record = BootImageRecord {
        schema: 1,
        architecture: architecture.into(),
        kernel: KernelRecord { package: "linux".into(), version: "6.1".into(), release: "6.1".into() },
        boot_kit_sha256: Sha256::of(b"kit"),
        deploy: files[0].clone(),
        trusted_keys: vec!["0".into()],
        modules: Vec::new(),
        deployment_modules: Vec::new(),
        programs: Vec::new(),
        own_programs: Vec::new(),
        libraries: Vec::new(),
        files,
    };
    put(&folder.join("boot-image.json"), &serde_json::to_vec(&record).unwrap());
}

/// An EFI application as a linker writes it, with one section; `machine` as in `IMAGE_FILE_MACHINE_*`.
pub fn efi_program(machine: u16, subsystem: u16) -> Vec<u8> {
    let mut b = vec![0u8; 0x400];
    b[..2].copy_from_slice(b"MZ");
    b[0x3c] = 0x80;
    b[0x80..0x84].copy_from_slice(b"PE\0\0");
    b[0x84..0x86].copy_from_slice(&machine.to_le_bytes());
    b[0x86] = 1;
    let is_32_bit = machine == 0x14c;
    b[0x94] = if is_32_bit { 224 } else { 240 };
    b[0x98..0x9a].copy_from_slice(&(if is_32_bit { 0x10b_u16 } else { 0x20b }).to_le_bytes());
    b[0x98 + 68..0x98 + 70].copy_from_slice(&subsystem.to_le_bytes());
    b[0x98 + if is_32_bit { 92 } else { 108 }] = 16;
    let header = 0x98 + usize::from(b[0x94]);
    b[header..header + 5].copy_from_slice(b".text");
    b[header + 8..header + 10].copy_from_slice(&0x200u16.to_le_bytes());
    b[header + 16..header + 18].copy_from_slice(&0x200u16.to_le_bytes());
    b[header + 20..header + 22].copy_from_slice(&0x200u16.to_le_bytes());
    b
}

/// What x86_64 firmware starts.
pub fn boot_loader() -> Vec<u8> {
    efi_program(0x8664, 10)
}

/// What begins like Windows' boot manager for BIOS.
pub const BOOT_MANAGER: &[u8] = b"\xe9\xd5\x01\xeb\x04\x90 boot manager";

/// A WIM with one image of several files, made by the tool and not by our own library.
pub fn wim(path: &Path, files: &[(&str, usize)], arguments: &[&str]) {
    let tree = tempfile::tempdir().unwrap();
    for (at, (name, size)) in files.iter().enumerate() {
        put(&tree.path().join(name), &noise(100 + at as u64, *size));
    }
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    run(Command::new("wimlib-imagex").arg("capture").arg(tree.path()).arg(path).args(["Windows"]).args(arguments));
}

pub const SPEC: &str = r#"
kind = "stand-alone"
id = "PLT00001"
name = "Windows 11"
version = "24H2"
revision = 1
created-by = "Kim"
task-sequence = "deploy.xml"
boot-kit = "kit"

[boot-image]
id = "PLTBOOT"
name = "Boot image"
version = "1"
path = "boot"

[operating-system-image]
id = "PLTOS001"
name = "install"
version = "24H2"
path = "install.wim"
index = 1

[[driver-package]]
id = "PLTDRV01"
name = "Network"
version = "2"
path = "drivers"

[[application]]
id = "EDITOR"
name = "Editor"
version = "3"
path = "apps/editor"
install = "setup.exe /S"
depends-on = ["RUNTIME"]

[[application]]
id = "RUNTIME"
name = "Runtime"
version = "1"
path = "apps/runtime"
install = "runtime.exe"

[[package]]
id = "PLTUSMT"
name = "User state"
version = "10"
path = "usmt"

[[variable]]
name = "OSDTimeZone"
value = "Korea Standard Time"

[prestart]
command = "cmd /C ask.cmd"
path = "prestart"
"#;

impl Fixture {
    /// The folder alone and a key.
    pub fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let new = keys::generate(dir.path(), "insecure-test", None).unwrap();
        let signer = Signer::load(&new.secret, None).unwrap();
        Self { dir, signer }
    }

    /// Sources for [`SPEC`].
    pub fn new() -> Self {
        let fixture = Self::empty();
        boot_kit(&fixture.path("kit"));
        boot_image(&fixture.path("boot"), "x86_64");
        fixture.put("deploy.xml", SEQUENCE.as_bytes());
        wim(&fixture.path("install.wim"), &[("Windows/system32/a.dll", 300_000), ("Windows/b.dll", 200_000)], &[]);
        fixture.put("drivers/net/e1000.inf", b"[Version]\r\n");
        fixture.put("drivers/net/e1000.sys", &noise(20, 100_000));
        fixture.put("drivers/copy of e1000.sys", &noise(20, 100_000));
        fixture.put("drivers/empty.txt", b"");
        fixture.put("drivers/big.bin", &noise(21, 8 << 20));
        fixture.put("apps/editor/setup.exe", &noise(22, 50_000));
        fixture.put("apps/runtime/runtime.exe", &noise(23, 60_000));
        fixture.put("usmt/loadstate.exe", &noise(24, 10_000));
        fixture.put("prestart/ask.cmd", b"@echo off\r\n");
        fixture.put("medium.toml", SPEC.as_bytes());
        fixture
    }

    pub fn with_kit() -> Self {
        let fixture = Self::empty();
        boot_kit(&fixture.path("kit"));
        fixture
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn put(&self, name: &str, bytes: &[u8]) {
        put(&self.path(name), bytes);
    }

    /// Changes the definition.
    pub fn edit(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.path("medium.toml")).unwrap();
        assert!(text.contains(from), "{from}");
        self.put("medium.toml", text.replacen(from, to, 1).as_bytes());
    }

    pub fn append(&self, text: &str) {
        let before = fs::read_to_string(self.path("medium.toml")).unwrap();
        self.put("medium.toml", format!("{before}{text}").as_bytes());
    }

    pub fn build_with(&self, out: &str, options: &BuildOptions) -> Result<BuildReport, AuthorError> {
        build(&self.path("medium.toml"), &self.signer, &self.path(out), options)
    }

    pub fn build(&self, out: &str) -> Result<BuildReport, AuthorError> {
        self.build_with(out, &options())
    }

    /// Rules that were broken without stopping the build.
    pub fn warned(&self, out: &str) -> Vec<&'static str> {
        // The sample has an application that may be installed by hand.
        let findings = self.build(out).unwrap().findings;
        findings.iter().map(|finding| finding.rule).filter(|rule| *rule != "REF-UNUSED").collect()
    }

    /// Builds, expects a refusal, and gives its whole chain.
    pub fn refused(&self, out: &str) -> String {
        let error = self.build(out).expect_err("must be refused");
        assert!(self.media(out).is_empty(), "nothing is published on failure");
        error.chain()
    }

    pub fn log(&self, out: &str) -> String {
        let mut logs: Vec<_> = fs::read_dir(self.path(out))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
            .collect();
        assert_eq!(logs.len(), 1, "{logs:?}");
        fs::read_to_string(logs.remove(0)).unwrap()
    }

    pub fn media(&self, out: &str) -> Vec<MediaEntry> {
        let layout = Layout::open(&self.path(out)).unwrap();
        layout.entries().unwrap().iter().map(|entry| layout.media(entry).unwrap()).collect()
    }

    /// The medium as a folder: every file from its place in the store, and the signed ones.
    pub fn materialise(&self, out: &str, manifest: &Manifest, to: &str) {
        let layout = Layout::open(&self.path(out)).unwrap();
        for file in &manifest.files {
            let bytes = match file.at {
                None => Vec::new(),
                Some(at) => {
                    let blob = fs::read(layout.blob_path(manifest.blobs[at.blob as usize].sha256)).unwrap();
                    let start = at.offset_bytes as usize;
                    blob[start..start + file.size_bytes as usize].to_vec()
                }
            };
            self.put(&format!("{to}/{}", file.path), &bytes);
        }
        let media = self.media(out).into_iter().find(|media| media.manifest_bytes == manifest.to_json()).unwrap();
        self.put(&format!("{to}/platen/manifest.json"), &media.manifest_bytes);
        self.put(&format!("{to}/platen/manifest.json.minisig"), media.manifest_signature.as_bytes());
        self.put(&format!("{to}/SHA256SUMS"), &media.sums);
        self.put(&format!("{to}/SHA256SUMS.minisig"), media.sums_signature.as_bytes());
    }
}

pub fn options() -> BuildOptions {
    BuildOptions { source_date_epoch: Some(1_795_000_000), ..BuildOptions::default() }
}
