// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Images on volumes, as `wimlib-imagex` and other programs find them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use platen_media::piece_tree::PieceTree;
use platen_testkit::need;

use super::bench::{Bench, of_bios, of_uefi, put, said};
use crate::engine::checked::{CheckedFile, CheckedImage};
use crate::engine::machine::Machine;
use crate::target::RealMachine;
use crate::target::image::{clear, read_needed, read_progress};

/// Files as they are now, all of whose bytes are right.
pub(super) fn checked(paths: &[PathBuf]) -> CheckedImage {
    let file = |path: &PathBuf| {
        let tree = PieceTree::of(&fs::read(path).expect("read"));
        CheckedFile::new(path.to_str().expect("UTF-8"), fs::File::open(path).expect("opened"), tree)
    };
    CheckedImage::new(paths.iter().map(file).collect())
}

/// Bytes that can't be packed.
pub(super) fn noise(size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes
}

/// A small system with what only Unix has, as a split image.
fn linux_image(folder: &Path) -> (PathBuf, Vec<PathBuf>) {
    let tree = folder.join("tree");
    put(&tree, "etc/hostname", "as-captured\n");
    put(&tree, "usr/bin/tool", "#!/bin/sh\n");
    put(&tree, "usr/share/이름", &"text ".repeat(1000));
    let noise = noise(3_000_000);
    fs::write(tree.join("usr/share/small"), &noise[..500]).expect("written");
    fs::write(tree.join("usr/share/large"), &noise).expect("written");
    fs::set_permissions(tree.join("usr/bin/tool"), fs::Permissions::from_mode(0o4755)).expect("set");
    std::os::unix::fs::chown(tree.join("etc/hostname"), Some(1234), Some(5678)).expect("root");
    symlink("usr/bin", tree.join("bin")).expect("linked");
    said(Command::new("mknod").arg(tree.join("console")).args(["c", "5", "1"]));
    let wim = folder.join("image.wim");
    said(Command::new("wimlib-imagex").arg("capture").arg(&tree).arg(&wim).arg("--unix-data"));
    // A name that is a pattern as well.
    fs::create_dir(folder.join("a[b]*")).expect("made");
    let first = folder.join("a[b]*/parts.swm");
    said(Command::new("wimlib-imagex").arg("split").arg(&wim).arg(&first).arg("1"));
    let mut more: Vec<PathBuf> =
        fs::read_dir(folder.join("a[b]*")).expect("listed").map(|entry| entry.expect("listed").path()).collect();
    more.retain(|path| *path != first);
    more.sort();
    assert!(more.len() >= 2, "{more:?}");
    more.insert(0, first);
    (tree, more)
}

/// Names, kinds, modes, owners, sizes and targets.
fn listed(root: &Path) -> String {
    let format = "%P %y %m %U:%G %s %l\\n";
    let command = format!(
        "cd '{}' && find . -mindepth 1 ! -path ./lost+found ! -type d -printf '{format}' | sort",
        root.display()
    );
    let kinds = said(Command::new("sh").arg("-c").arg(command));
    let sums = said(
        Command::new("sh")
            .arg("-c")
            .arg(format!("cd '{}' && find . -type f | sort | xargs -d '\\n' sha256sum", root.display())),
    );
    kinds + &sums
}

#[test]
fn a_split_image_is_on_ext4_as_it_was_captured_and_what_is_protected_stays() {
    if !["wimlib-imagex", "e2fsck"].iter().all(|name| need::program(name)) {
        return;
    }
    let Some(mut bench) = Bench::new(600 << 20, false) else { return };
    let (tree, image) = linux_image(bench.path());
    let mut machine = bench.machine(&of_bios());
    let volume = machine.partition(0, &of_bios()).unwrap_or_else(|error| panic!("{error}"))[0].clone();
    let root = machine.root(&volume).unwrap_or_else(|error| panic!("{error}"));
    for path in ["_SMSTaskSequence/state.json", "old/file", "UserState/alice/letter", "userstate2", "usr/old"] {
        put(&root, path, path);
    }
    let mut seen = Vec::new();
    let kept = ["C:\\UserState\\".to_owned()];
    let applied = machine.apply_image(&checked(&image), 1, &volume, &kept, &mut |progress| seen.push(progress));
    applied.unwrap_or_else(|error| panic!("{error}"));
    assert!(seen.is_sorted_by_key(|progress| progress.done_bytes), "{seen:?}");
    let last = seen.last().expect("some progress");
    assert!(last.done_bytes == last.total_bytes && last.total_bytes >= 3_000_000, "{last:?}");
    for (path, is_there) in [
        ("_SMSTaskSequence/state.json", true),
        ("UserState/alice/letter", true),
        ("old", false),
        ("userstate2", false),
        ("usr/old", false),
    ] {
        assert_eq!(root.join(path).exists(), is_there, "{path}");
    }
    fs::remove_dir_all(root.join("_SMSTaskSequence"))
        .and_then(|()| fs::remove_dir_all(root.join("UserState")))
        .expect("removed");
    assert_eq!(listed(&root), listed(&tree));

    let missing = checked(&image[..1]);
    let error = machine.apply_image(&missing, 1, &volume, &[], &mut |_| {}).expect_err("parts are missing").to_string();
    assert!(error.starts_with("wimlib-imagex: exit status: ") && error.contains("ERROR"), "{error}");
    let error =
        machine.apply_image(&checked(&image), 9, &volume, &[], &mut |_| {}).expect_err("no such image").to_string();
    assert!(error.contains("9") && error.contains("ERROR"), "{error}");
    machine.unmount_all().unwrap_or_else(|error| panic!("{error}"));
    said(Command::new("e2fsck").arg("-fn").arg(bench.partition(1)));
}

#[test]
fn an_image_is_on_ntfs_with_its_streams_and_attributes() {
    if !["wimlib-imagex", "ntfsfix", "ntfscat", "ntfscp", "mkntfs"].iter().all(|name| need::program(name)) {
        return;
    }
    let Some(mut bench) = Bench::new(600 << 20, true) else { return };
    // Captured from an NTFS volume, on which a stream was put by another program.
    let source = bench.path().join("source.ntfs");
    fs::File::create(&source).and_then(|file| file.set_len(32 << 20)).expect("an image");
    said(Command::new("mkntfs").args(["-F", "-Q", "-q"]).arg(&source));
    let file = bench.path().join("text");
    fs::write(&file, "of the file").expect("written");
    said(Command::new("ntfscp").arg(&source).arg(&file).arg("Kernel32.dll"));
    fs::write(&file, "of the stream").expect("written");
    said(Command::new("ntfscp").args(["--attr-name", "Zone"]).arg(&source).arg(&file).arg("Kernel32.dll"));
    let wim = bench.path().join("windows.wim");
    said(Command::new("wimlib-imagex").arg("capture").arg(&source).arg(&wim));

    let mut machine = bench.machine(&of_uefi());
    let volumes = machine.partition(0, &of_uefi()).unwrap_or_else(|error| panic!("{error}"));
    let image = checked(std::slice::from_ref(&wim));
    let applied = machine.apply_image(&image, 1, &volumes[1], &[], &mut |_| {});
    applied.unwrap_or_else(|error| panic!("{error}"));
    let device = bench.partition(3);
    said(Command::new("ntfsfix").arg("--no-action").arg(&device));
    assert_eq!(said(Command::new("ntfscat").arg(&device).arg("Kernel32.dll")), "of the file");
    let stream = said(Command::new("ntfscat").args(["--attribute-name", "Zone"]).arg(&device).arg("Kernel32.dll"));
    assert_eq!(stream, "of the stream");
    // Times, attributes and access lists: the same once more.
    let again = bench.path().join("again.wim");
    said(Command::new("wimlib-imagex").arg("capture").arg(&device).arg(&again));
    let details = |wim: &Path| {
        let text = said(Command::new("wimlib-imagex").args(["dir", "--detailed"]).arg(wim));
        let kept =
            ["Full Path", "Attributes", "Security Descriptor", "Creation Time", "Last Write Time", "Hash", "Stream"];
        let lines = text.lines().filter(|line| kept.iter().any(|name| line.trim_start().starts_with(name)));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let (before, after) = (details(&wim), details(&again));
    assert!(before.iter().any(|line| line.contains("Kernel32.dll")), "{before:?}");
    assert_eq!(after, before);

    // Once more onto what is there now, which is removed, while somebody has the volume's folder.
    let root = machine.root(&volumes[1]).unwrap_or_else(|error| panic!("{error}"));
    for path in ["_SMSTaskSequence/state.json", "Windows/old", "Users/Kept/letter"] {
        put(&root, path, path);
    }
    let applied = machine.apply_image(&image, 1, &volumes[1], &["users\\kept".to_owned()], &mut |_| {});
    applied.unwrap_or_else(|error| panic!("{error}"));
    let left = said(Command::new("find").arg(&root).args(["-type", "f", "-printf", "%P\\n"]));
    let mut left: Vec<&str> = left.lines().collect();
    left.sort_unstable();
    assert_eq!(left, ["Kernel32.dll", "Users/Kept/letter", "_SMSTaskSequence/state.json"]);
    machine.unmount_all().unwrap_or_else(|error| panic!("{error}"));
    said(Command::new("ntfsfix").arg("--no-action").arg(&device));

    // A look at it changes nothing, and another program may have it at once.
    let sum = || said(Command::new("sha256sum").arg(&device));
    let before = sum();
    let has_state = |root: &Path| root.join("_SMSTaskSequence/state.json").is_file();
    assert_eq!(machine.peek(&volumes[1], has_state), Some(true));
    assert_eq!(machine.peek(&volumes[3], has_state), Some(false));
    assert_eq!(sum(), before);
}

#[test]
fn too_little_room_is_named_before_anything_is_written() {
    if !["wimlib-imagex", "ntfsls"].iter().all(|name| need::program(name)) {
        return;
    }
    let Some(mut bench) = Bench::new(600 << 20, true) else { return };
    let mut machine = bench.machine(&of_uefi());
    let volumes = machine.partition(0, &of_uefi()).unwrap_or_else(|error| panic!("{error}"));
    let recovery = volumes.iter().find(|volume| volume.size_bytes == 32 << 20).expect("of 32 MiB").clone();
    let image = |size: usize, name: &str| {
        let tree = bench.path().join(name);
        fs::create_dir_all(tree.join("Windows")).expect("made");
        fs::write(tree.join("Windows/large"), noise(size)).expect("written");
        // Counted once: it takes its room once.
        fs::hard_link(tree.join("Windows/large"), tree.join("Windows/again")).expect("linked");
        let wim = bench.path().join(format!("{name}.wim"));
        said(Command::new("wimlib-imagex").arg("capture").arg(&tree).arg(&wim).arg("--compress=none"));
        checked(&[wim])
    };
    // One that is larger than the volume, one that is larger than what NTFS leaves of it.
    let (larger, as_large, fits) =
        (image(33 << 20, "larger"), image((32 << 20) - 4096, "as-large"), image(9 << 20, "fits"));
    let refused = |machine: &mut RealMachine, image: &CheckedImage| {
        let error =
            machine.apply_image(image, 1, &recovery, &[], &mut |_| {}).expect_err("too little room").to_string();
        let (what, found) = error.split_once(" bytes or more, found ").unwrap_or_else(|| panic!("{error}"));
        assert!(what.starts_with("room for the image on disk 0 partition 4 (NTFS): expected "), "{error}");
        assert!(found.ends_with("; make the partition larger, or use a smaller image"), "{error}");
    };
    for image in [&larger, &as_large] {
        refused(&mut machine, image);
    }
    machine.unmount_all().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(said(Command::new("ntfsls").arg(bench.partition(4))).trim(), "", "nothing was written");
    machine.apply_image(&fits, 1, &recovery, &[], &mut |_| {}).unwrap_or_else(|error| panic!("the control: {error}"));
    refused(&mut machine, &larger);
    machine.unmount_all().unwrap_or_else(|error| panic!("{error}"));
    let left = said(Command::new("ntfsls").arg("--path=/Windows").arg(bench.partition(4)));
    assert!(left.contains("large") && left.contains("again"), "what was there stays: {left}");
}

#[test]
fn what_an_image_needs_is_what_the_program_says() {
    let said =
        "Index:  1\nName:  Hard Link Bytes: 9\nTotal Bytes:            6000000\nHard Link Bytes:        3000000\n";
    assert_eq!(read_needed(said), Some(3_000_000));
    assert_eq!(read_needed("Total Bytes: 7\n"), Some(7));
    for said in ["", "Total Bytes: many", "Total Bytes: -1", "Hard Link Bytes: 7", "Total Bytes: 99999999999999999999"]
    {
        assert_eq!(read_needed(said), None, "{said}");
    }
}

#[test]
fn what_the_program_says_is_taken_for_progress_only_when_it_is() {
    let of = |line: &str| read_progress(line).map(|found| (found.done_bytes, found.total_bytes));
    assert_eq!(of("Extracting file data: 12 MiB of 340 MiB (3%) done"), Some((12 << 20, 340 << 20)));
    assert_eq!(of("Extracting file data: 512 bytes of 512 bytes (100%) done"), Some((512, 512)));
    for line in [
        "",
        "Creating files: 12 of 340 (3%) done",
        "Extracting file data: 12 MiB of 340 MiB (3%) don",
        "Extracting file data: 12 XiB of 340 MiB (3%) done",
        "Extracting file data: 341 MiB of 340 MiB (100%) done",
        "Extracting file data: 99999999999999999999 MiB of 1 MiB (3%) done",
        "Extracting file data: 1 TiB of 18446744073709551615 TiB (3%) done",
        "Extracting file data: -1 MiB of 1 MiB (x%) done",
        "[ERROR] Extracting file data:  of  (",
    ] {
        assert_eq!(of(line), None, "{line}");
    }
}

#[test]
fn links_are_removed_and_not_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (root, outside) = (folder.path().join("root"), folder.path().join("outside"));
    put(&outside, "precious", "");
    put(&root, "Keep/This/file", "");
    put(&root, "Keep/other", "");
    symlink(&outside, root.join("link")).expect("linked");
    symlink(&outside, root.join("Keep/link")).expect("linked");
    clear(&root, &["keep/THIS".to_owned(), "\\".to_owned()]).unwrap_or_else(|error| panic!("{error}"));
    assert!(outside.join("precious").exists());
    let left = said(Command::new("find").arg(&root).args(["-mindepth", "1", "-printf", "%P "]));
    assert_eq!(left, "Keep Keep/This Keep/This/file ");
}
