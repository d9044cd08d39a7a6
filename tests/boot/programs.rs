// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The programs of a real boot image run where there is nothing else: unpacked by other people's tools, in a folder that
//! is all they see.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use platen_testkit::need;

use super::wanted;
use crate::boot_drives::station;
use crate::common::tool;

/// Kernel and initramfs, which firmware reads before anything is seen.
const MOST_STARTED_BYTES: u64 = 64 << 20;

/// Each program, how it is asked what it is, and what it answers.
const ASKED: &[(&str, &str, &str)] = &[
    ("/usr/bin/busybox", "--help", "BusyBox v"),
    ("/usr/bin/ntfs-3g", "--version", "ntfs-3g "),
    ("/usr/bin/wimlib-imagex", "--version", "wimlib-imagex "),
    ("/usr/sbin/mke2fs", "-V", "mke2fs "),
    ("/usr/sbin/mkfs.fat", "--help", "mkfs.fat "),
    ("/usr/sbin/mkntfs", "--version", "mkntfs "),
];

/// A folder in which the boot image was unpacked as a booted computer has it; none where that can't be.
fn unpacked() -> Option<tempfile::TempDir> {
    if !wanted() || !need::root() {
        return None;
    }
    let folder = tempfile::tempdir().expect("temporary folder");
    for archive in ["initrd.img", "programs.img"] {
        let archive = station().path("boot-image").join(archive);
        let line = format!(
            "cd '{}' && zstd -dqc '{}' | cpio -idmu --quiet --no-absolute-filenames",
            folder.path().display(),
            archive.display()
        );
        tool("bash", &["-o", "pipefail", "-c", &line]).expect(0);
    }
    Some(folder)
}

fn ask(root: &Path, program: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new("/usr/sbin/chroot");
    command.arg(root).arg(program).args(arguments).env_clear().output().expect("chroot starts")
}

/// Whether the boot image's program for hives changes one: it has libraries that no other has, and conversions of the C
/// library that only work shows.
fn changes_a_hive(root: &Path) -> bool {
    std::fs::write(root.join("hive"), platen_hive::empty_hive("Root")).expect("written");
    let change = r#"echo "[]" | /usr/lib/platen/platen-hive /hive"#;
    ask(root, "/usr/bin/busybox", &["sh", "-c", change]).status.success()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

#[test]
fn kernel_and_initramfs_are_small_enough_for_slow_firmware() {
    if !wanted() {
        return;
    }
    let size_bytes = |name| station().path("boot-image").join(name).metadata().expect("there").len();
    let [kernel, initramfs, programs] = ["vmlinuz", "initrd.img", "programs.img"].map(size_bytes);
    println!("vmlinuz {kernel} + initrd.img {initramfs} bytes, programs.img {programs} bytes");
    assert!(kernel + initramfs + programs <= MOST_STARTED_BYTES);
}

#[test]
fn every_program_runs_with_nothing_but_the_boot_image() {
    let Some(root) = unpacked() else { return };
    for &(program, question, answer) in ASKED {
        let output = ask(root.path(), program, &[question]);
        assert!(said(&output).contains(answer), "{program}: {}: {}", output.status, said(&output));
    }
    let listed = root.path().join("usr");
    let programs = ["bin", "sbin"].map(|folder| listed.join(folder));
    let found: usize = programs.iter().map(|folder| std::fs::read_dir(folder).expect("listed").count()).sum();
    assert_eq!(found, ASKED.len(), "each of them was asked");
    assert!(changes_a_hive(root.path()));
}

#[test]
fn without_any_one_library_some_program_fails() {
    let Some(root) = unpacked() else { return };
    let of = |folder: &str| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(root.path().join("usr").join(folder)).expect("listed");
        entries.map(|entry| entry.expect("listed").path()).collect()
    };
    let libraries = [of("lib/x86_64-linux-gnu"), of("lib64")].concat();
    assert!(libraries.len() > 10, "{libraries:?}");
    for library in libraries {
        let aside = root.path().join("aside");
        std::fs::rename(&library, &aside).expect("moved");
        let missed = |&(program, question, answer): &(&str, &str, &str)| {
            !said(&ask(root.path(), program, &[question])).contains(answer)
        };
        let is_missed = ASKED.iter().any(missed) || !changes_a_hive(root.path());
        assert!(is_missed, "{} is of no use", library.display());
        std::fs::rename(&aside, &library).expect("moved back");
    }
}

#[test]
fn file_systems_are_made_and_a_wim_is_applied_as_a_deployment_does() {
    let Some(root) = unpacked() else { return };
    std::fs::copy(station().path("install.wim"), root.path().join("install.wim")).expect("copied");
    for (image, program, arguments) in [
        ("ext4.img", "/usr/sbin/mke2fs", &["-q", "-F", "-t", "ext4", "/ext4.img"][..]),
        ("fat.img", "/usr/sbin/mkfs.fat", &["-F", "32", "/fat.img"]),
        ("ntfs.img", "/usr/sbin/mkntfs", &["-q", "-F", "-Q", "/ntfs.img"]),
    ] {
        let file = std::fs::File::create(root.path().join(image)).expect("made");
        file.set_len(64 << 20).expect("as long");
        let output = ask(root.path(), program, arguments);
        assert!(output.status.success(), "{program}: {}", said(&output));
    }
    let applied = ask(root.path(), "/usr/bin/wimlib-imagex", &["apply", "/install.wim", "1", "/ntfs.img"]);
    assert!(applied.status.success(), "{}", said(&applied));
    let text = |name: &str| root.path().join(name).to_str().expect("UTF-8").to_owned();
    tool("e2fsck", &["-fn", &text("ext4.img")]).expect(0);
    tool("fsck.fat", &["-n", &text("fat.img")]).expect(0);
    tool("ntfsfix", &["-n", &text("ntfs.img")]).expect(0);
    let read = tool("ntfscat", &[&text("ntfs.img"), "Users/readme.txt"]).expect(0);
    assert_eq!(read.stdout, "hello", "as it was captured");
}
