// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

use nix::unistd::{Gid, Uid};

use super::*;

const MIB: u64 = 1024 * 1024;

fn tool(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).env("LC_ALL", "C").output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}: see appliance/install-packages test"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

fn image(size_bytes: u64) -> (tempfile::TempDir, PathBuf, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.img");
    File::create(&path).and_then(|file| file.set_len(size_bytes)).expect("a file");
    let text = path.to_str().expect("text").to_owned();
    (folder, path, text)
}

fn spoil(path: &Path, at: u64, bytes: &[u8]) {
    let file = fs::OpenOptions::new().write(true).open(path).expect("there");
    file.write_all_at(bytes, at).expect("written");
}

/// One with a file in it, as a station leaves it.
fn used() -> (tempfile::TempDir, PathBuf, String) {
    let (folder, path, text) = image(32 * MIB);
    tool("mke2fs", &["-q", "-t", "ext4", &text]);
    let kept = folder.path().join("kept");
    fs::write(&kept, "kept\n".repeat(10_000)).expect("written");
    tool("debugfs", &["-w", "-R", &format!("write {} kept", kept.display()), &text]);
    (folder, path, text)
}

#[test]
fn what_is_whole_is_left_alone() {
    let (_folder, path, _) = used();
    let before = fs::read(&path).expect("there");
    repair(&path).expect("whole");
    // The superblock counts what was written to it.
    assert!(before[2048..] == fs::read(&path).expect("there")[2048..], "something was written");
}

#[test]
fn what_e2fsck_does_not_dare_alone_is_repaired() {
    let (_folder, path, text) = used();
    // The superblock is gone: its copies are used. And the inode of the file says nonsense.
    tool("debugfs", &["-w", "-R", "set_inode_field kept block[0] 99999999", &text]);
    tool("debugfs", &["-w", "-R", "set_inode_field kept links_count 7", &text]);
    tool("debugfs", &["-w", "-R", "clri <2>", &text]);
    spoil(&path, 1024, &[0; 1024]);
    let preened = Command::new("e2fsck").args(["-p", &text]).output().expect("e2fsck runs");
    assert!(preened.status.code().is_some_and(|code| code >= 4), "the damage is none: {preened:?}");
    repair(&path).expect("repaired");
    tool("e2fsck", &["-f", "-n", &text]);
}

#[test]
fn what_is_no_file_system_is_broken_and_can_be_made_anew() {
    let (_folder, path, text) = image(32 * MIB);
    let noise: Vec<u8> = (0..MIB).map(|at| (at * 31 % 253) as u8).collect();
    (0..32).for_each(|at| spoil(&path, at * MIB, &noise));
    let error = repair(&path).expect_err("broken").to_string();
    assert!(error.contains("e2fsck"), "{error}");
    let error = file_system_bytes(&path).expect_err("there is none").to_string();
    assert!(error.contains("expected an ext4 file system, found no superblock"), "{error}");
    make_anew(&path).expect("made");
    tool("e2fsck", &["-f", "-n", &text]);
    assert_eq!(file_system_bytes(&path).expect("a file system"), 32 * MIB);
}

#[test]
fn the_size_is_what_e2fsprogs_says() {
    for (size_mib, block, features) in [(16, "1024", "^64bit"), (64, "4096", "64bit"), (64, "2048", "64bit")] {
        let (_folder, path, text) = image(size_mib * MIB);
        tool("mke2fs", &["-q", "-t", "ext4", "-b", block, "-O", features, &text]);
        let shown = tool("dumpe2fs", &["-h", &text]);
        let line = shown.lines().find_map(|line| line.strip_prefix("Block count:")).expect("a count");
        let blocks: u64 = line.trim().parse().expect("a number");
        assert_eq!(file_system_bytes(&path).expect("a file system"), blocks * block.parse::<u64>().expect("a number"));
    }
}

/// As an image of 128 MiB is written to a larger disk: the copy of its table lies in the middle.
#[test]
fn the_partition_grows_to_the_disk_and_keeps_its_name() {
    let (_folder, path, text) = image(128 * MIB);
    let parts = "label: gpt\nsize=1MiB, name=bios-boot\nsize=8MiB, name=PLATEN-BOOT, type=U\nsize=8MiB, name=kernel-a\n\
                 size=16MiB, name=root-a\nsize=8MiB, name=kernel-b\nsize=16MiB, name=root-b\nsize=32MiB, name=data\n";
    let made = program::run("sfdisk", &["--quiet", &text], Stdin::Text(parts), PATIENCE);
    made.and_then(program::Finished::successful).expect("made");
    let before = tool("sfdisk", &["--dump", &text]);
    File::options().write(true).open(&path).and_then(|file| file.set_len(1024 * MIB)).expect("larger");
    grow_partition(&path, 7).expect("grown");
    let after = tool("sfdisk", &["--dump", &text]);
    // All but the last line, and where the disk ends, is as it was.
    let others = |dump: &str| {
        dump.lines()
            .filter(|line| !line.contains("last-lba") && !line.contains("name=\"data\""))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(others(&before), others(&after));
    let field = |dump: &str, name: &str| {
        let line = dump.lines().find(|line| line.contains("name=\"data\"")).expect("a partition").to_owned();
        line.split(',').find_map(|part| part.split_once(&format!("{name}="))).expect("a field").1.trim().to_owned()
    };
    assert_eq!(field(&before, "uuid"), field(&after, "uuid"));
    let start: u64 = field(&before, "start").parse().expect("a number");
    let size: u64 = field(&after, "size").parse().expect("a number");
    assert!((start + size) * 512 > 1023 * MIB, "{after}");
    let judged = tool("sgdisk", &["--verify", &text]);
    assert!(judged.contains("No problems found"), "{judged}");
    // Once more changes nothing.
    let grown = fs::read(&path).expect("there");
    grow_partition(&path, 7).expect("grown");
    assert!(grown == fs::read(&path).expect("there"), "it was grown twice");
}

#[test]
fn folders_belong_to_whom_they_are_for() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let folder = tempfile::tempdir().expect("a folder");
    let places = Places::below(folder.path());
    // Twice, as at each start.
    for _ in 0..2 {
        let owner = Owner { uid: Uid::from_raw(990), gid: Gid::from_raw(991) };
        make_folders(&places, owner).expect("made, by root");
    }
    for (path, mode, owner) in [
        (places.own_data(), 0o700, (0, 0)),
        (places.log(), 0o750, (0, 0)),
        (places.station_data(), 0o700, (990, 991)),
        (places.incoming(), 0o700, (990, 991)),
        (places.station_run(), 0o750, (990, 991)),
    ] {
        let found = fs::metadata(&path).expect("there");
        let found = (found.permissions().mode() & 0o7777, (found.uid(), found.gid()));
        assert_eq!(found, (mode, owner), "{}", path.display());
    }
}
