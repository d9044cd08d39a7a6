// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Stored boot kits, boot images and policies with a rule for the disk: what one release made, the next one opens. The files in
//! them are texts that stand in for programs. See `tests/formats.rs`.

use std::fs;
use std::path::{Path, PathBuf};

use platen_author::boot_image::{BootImage, BootImageRecord};
use platen_author::boot_kit::{BootKit, KitRecord, Role};
use platen_media::policy::{DeploymentPolicy, Prestart, TargetDisk};
use platen_media::{MediaPath, Sha256};
use serde_json::{Value, json};

use crate::formats::{add_fields, policy, read_json, releases, write_json};

/// Role and path of each file of the sample.
const KIT: [(&str, &str); 11] = [
    ("bios-boot", "bios/boot.img"),
    ("bios-core-gpt", "bios/core-gpt.img"),
    ("bios-core-mbr", "bios/core-mbr.img"),
    ("bios-disk-core", "bios/disk-core.img"),
    ("grub", "EFI/BOOT/grubx64.efi"),
    ("kernel", "vmlinuz"),
    ("library", "programs/usr/lib/libtool.so.1"),
    ("licence", "licences/packages/tool"),
    ("mok-manager", "EFI/BOOT/mmx64.efi"),
    ("program", "programs/usr/bin/tool"),
    ("shim", "EFI/BOOT/BOOTX64.EFI"),
];
const IMAGE: [&str; 3] = ["vmlinuz", "initrd.img", "programs.img"];

fn stand_in(path: &str) -> String {
    format!("stands in for {path}\n")
}

fn written_below(folder: &Path, path: &str, text: &str) {
    let to = folder.join(path);
    fs::create_dir_all(to.parent().expect("a folder")).expect("makes");
    fs::write(to, text).expect("writes");
}

fn kit_record() -> KitRecord {
    let sha256 = |path: &str| Sha256::of(stand_in(path).as_bytes()).to_string();
    let file = |(role, path): (&str, &str)| {
        json!({"path": path, "role": role, "sha256": sha256(path), "size_bytes": stand_in(path).len(),
               "package": "tool", "version": "1-1", "package_sha256": sha256("tool.deb")})
    };
    let record = json!({
        "schema": 2, "architecture": "x86_64", "kernel_release": "6.1.0-1-amd64",
        "packages": [{"name": "tool", "version": "1-1", "sha256": sha256("tool.deb"), "size_bytes": 24}],
        "files": KIT.map(file),
    });
    serde_json::from_value(record).expect("a record")
}

fn image_record() -> BootImageRecord {
    let sha256 = |path: &str| Sha256::of(stand_in(path).as_bytes()).to_string();
    let digest = |path: &str| json!({"path": path, "sha256": sha256(path), "size_bytes": stand_in(path).len()});
    let module = |name: &str| json!({"name": name, "sha256": sha256(name)});
    let packaged = |path: &str| json!({"path": path, "package": "tool", "version": "1-1", "sha256": sha256(path), "licence_sha256": sha256("tool")});
    let record = json!({
        "schema": 2, "architecture": "x86_64",
        "kernel": {"package": "linux-image", "version": "6.1-1", "release": "6.1.0-1-amd64"},
        "boot_kit_sha256": sha256("boot-kit.json"), "deploy": digest("platen-deploy"), "trusted_keys": ["RWQ1"],
        "modules": [module("usb_storage")], "deployment_modules": [module("nvme")],
        "programs": [packaged("usr/bin/tool")], "libraries": [packaged("usr/lib/libtool.so.1")],
        "files": IMAGE.map(digest),
    });
    serde_json::from_value(record).expect("a record")
}

/// Where samples are made anew, if they are.
fn making() -> Option<PathBuf> {
    std::env::var_os("PLATEN_WRITE_FORMATS").map(PathBuf::from)
}

fn copied(from: &Path) -> (tempfile::TempDir, PathBuf) {
    let outer = tempfile::tempdir().expect("a folder");
    let to = outer.path().join("copy");
    let status = std::process::Command::new("cp").arg("-r").arg(from).arg(&to).status().expect("cp runs");
    assert!(status.success());
    (outer, to)
}

/// Changes a record beside its files, and asks again.
fn asked_again<T, E>(
    folder: &Path,
    record: &str,
    open: impl Fn(&Path) -> Result<T, E>,
    change: impl Fn(&mut Value),
) -> Result<T, E> {
    let (_outer, copy) = copied(folder);
    let mut value = read_json(&copy.join(record));
    change(&mut value);
    write_json(&copy.join(record), &value);
    open(&copy)
}

#[test]
fn boot_kits_of_every_release_are_opened() {
    if let Some(release) = making() {
        for (_, path) in KIT {
            written_below(&release.join("boot-kit"), path, &stand_in(path));
        }
        let record = serde_json::to_string_pretty(&kit_record()).expect("JSON");
        written_below(&release.join("boot-kit"), "boot-kit.json", &record);
    }
    for release in releases() {
        let folder = release.join("boot-kit");
        let kit = BootKit::open(&folder).expect("a kit");
        assert_eq!(*kit.record(), kit_record());
        assert_eq!(kit.files(Role::Program).count(), 1);
        let again = |change: &dyn Fn(&mut Value)| asked_again(&folder, "boot-kit.json", BootKit::open, change);
        assert_eq!(*again(&add_fields).expect("fields more are passed over").record(), kit_record());
        let newer = again(&|value| value["schema"] = json!(3)).expect_err("newer");
        assert!(platen_media::chain(&newer).contains("newer version of Platen"), "{}", platen_media::chain(&newer));
        // The control: another digest is damage.
        let other = Sha256::of(b"other").to_string();
        let changed = again(&|value| value["files"][0]["sha256"] = json!(other)).expect_err("changed");
        assert!(!platen_media::chain(&changed).contains("newer"), "{changed}");
    }
}

#[test]
fn boot_images_of_every_release_are_opened() {
    if let Some(release) = making() {
        for path in IMAGE {
            written_below(&release.join("boot-image"), path, &stand_in(path));
        }
        let record = serde_json::to_string_pretty(&image_record()).expect("JSON");
        written_below(&release.join("boot-image"), "boot-image.json", &record);
    }
    for release in releases() {
        let folder = release.join("boot-image");
        let image = BootImage::open(&folder).expect("a boot image");
        assert_eq!(*image.record(), image_record());
        assert_eq!(image.file_names().collect::<Vec<_>>(), IMAGE);
        let again = |change: &dyn Fn(&mut Value)| asked_again(&folder, "boot-image.json", BootImage::open, change);
        assert_eq!(*again(&add_fields).expect("fields more are passed over").record(), image_record());
        let newer = again(&|value| value["schema"] = json!(3)).expect_err("newer");
        assert!(platen_media::chain(&newer).contains("newer version of Platen"), "{}", platen_media::chain(&newer));
        let other = Sha256::of(b"other").to_string();
        let changed = again(&|value| value["files"][0]["sha256"] = json!(other)).expect_err("changed");
        assert!(!platen_media::chain(&changed).contains("newer"), "{changed}");
    }
}

/// As [`policy`], with what media that install a system have besides.
fn policy_of_installation() -> DeploymentPolicy {
    let mut policy = policy();
    policy.target_disk = Some(TargetDisk {
        erase: true,
        interfaces: vec!["NVMe".into(), "SATA".into()],
        smallest_bytes: 64_000_000_000,
        largest_bytes: 0,
        serial_numbers: vec!["S4EVNX0R123456".into()],
    });
    let files = MediaPath::new("platen/content/prestart").expect("a path");
    policy.prestart = Some(Prestart { command: "sh ask.sh".into(), files: Some(files) });
    policy.applications[0].depends_on = vec!["LIBRARY".into()];
    policy
}

#[test]
fn policies_with_a_rule_for_the_disk_are_read() {
    if let Some(release) = making() {
        fs::write(release.join("policy-installation.json"), policy_of_installation().to_json()).expect("writes");
    }
    for release in releases() {
        let bytes = fs::read(release.join("policy-installation.json")).expect("reads");
        assert_eq!(DeploymentPolicy::from_json(&bytes).expect("a policy"), policy_of_installation());
        let mut value: Value = serde_json::from_slice(&bytes).expect("JSON");
        add_fields(&mut value["target_disk"]);
        let longer = serde_json::to_vec(&value).expect("JSON");
        assert_eq!(
            DeploymentPolicy::from_json(&longer).expect("fields more are passed over"),
            policy_of_installation()
        );
        // The control: a rule that is none is refused, lest a disk be erased that nobody meant.
        value["target_disk"]["erase"] = json!("yes");
        DeploymentPolicy::from_json(&serde_json::to_vec(&value).expect("JSON")).expect_err("no rule");
    }
}
