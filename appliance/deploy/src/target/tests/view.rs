// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! An image as other programs read it, and what its drive is asked for.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use platen_media::piece_tree::{PIECE_BYTES, PieceTree};
use platen_testkit::need;

use super::bench::{Bench, of_bios, of_uefi, said};
use super::images::{checked, noise};
use crate::engine::checked::{CheckedFile, CheckedImage};
use crate::engine::content::ContentError;
use crate::engine::machine::Machine;
use crate::target::Places;
use crate::target::view::offer;

fn places(folder: &Path) -> Places {
    fs::create_dir_all(folder.join("dev")).expect("made");
    std::os::unix::fs::symlink("/dev/fuse", folder.join("dev/fuse")).expect("linked");
    Places::below(folder)
}

#[test]
fn other_programs_see_the_very_files_and_nothing_that_was_changed() {
    if !need::root() || !need::program("cmp") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let places = places(folder.path());
    let paths = ["one.swm", "one2.swm", "이름.swm"].map(|name| folder.path().join(name));
    let sizes = [5 * PIECE_BYTES + 77, 2 * PIECE_BYTES, 12];
    for (path, size) in paths.iter().zip(sizes) {
        fs::write(path, noise(size)).expect("written");
    }
    let image = checked(&paths);
    let offered = offer(&places, &image, |offered| {
        for (path, size) in paths.iter().zip(sizes) {
            let there = offered.iter().find(|there| there.file_name() == path.file_name()).expect("offered");
            said(Command::new("cmp").args([path, there]));
            let metadata = fs::metadata(there).expect("there");
            assert!(metadata.is_file() && metadata.len() == size as u64, "{metadata:?}");
            // Any part of it, from any place.
            let file = fs::File::open(there).expect("opened");
            let mut some = vec![0; size / 2];
            file.read_exact_at(&mut some, 7.min(size as u64 / 4)).expect("read");
            assert!(fs::File::options().append(true).open(there).is_err(), "nothing can be written");
        }
        let there = offered[0].parent().expect("a folder");
        assert!(!there.join("other").exists() && !there.join("one.swm/other").exists());
        there.to_owned()
    });
    let there = offered.unwrap_or_else(|error| panic!("{error}"));
    assert!(!there.join("one.swm").exists(), "it was taken away");
    image.finish().unwrap_or_else(|error| panic!("{error}"));

    // One bit of the second piece of the first file. What is before it and behind it can be read.
    let image = checked(&paths);
    let changed = fs::File::options().write(true).open(&paths[0]).expect("opened");
    let mut bit = noise(PIECE_BYTES + 5)[PIECE_BYTES + 4..].to_vec();
    bit[0] ^= 1;
    changed.write_all_at(&bit, PIECE_BYTES as u64 + 4).expect("written");
    let offered = offer(&places, &image, |offered| {
        let file = fs::File::open(&offered[0]).expect("opened");
        let read = |piece: usize| file.read_at(&mut [0; 4096], (piece * PIECE_BYTES) as u64);
        assert_eq!(read(2).expect("read"), 4096);
        assert_eq!(read(1).expect_err("changed").raw_os_error(), Some(nix::libc::EIO));
        assert_eq!(read(0).expect("read"), 4096);
        assert!(fs::read(&offered[1]).is_ok());
    });
    offered.unwrap_or_else(|error| panic!("{error}"));
    match image.finish() {
        Err(ContentError::Changed { path }) => assert!(path.ends_with("/one.swm"), "{path}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_image_with_a_changed_byte_is_not_applied() {
    if !need::program("wimlib-imagex") {
        return;
    }
    let Some(mut bench) = Bench::new(600 << 20, true) else { return };
    let wim = wim_of_noise(bench.path(), [6 * PIECE_BYTES]);
    let mut machine = bench.machine(&of_uefi());
    let volumes = machine.partition(0, &of_uefi()).unwrap_or_else(|error| panic!("{error}"));
    for volume in [&volumes[1], &volumes[3]] {
        let image = checked(std::slice::from_ref(&wim));
        let file = fs::File::options().read(true).write(true).open(&wim).expect("opened");
        let (mut byte, at) = ([0], 3 * PIECE_BYTES as u64);
        file.read_exact_at(&mut byte, at).and_then(|()| file.write_all_at(&[!byte[0]], at)).expect("changed");
        let error = machine.apply_image(&image, 1, volume, &[], &mut |_| {}).expect_err("changed").to_string();
        assert!(error.contains("Input/output error"), "{error}");
        assert!(matches!(image.finish(), Err(ContentError::Changed { .. })));
        // The control: with the byte as it was it is applied.
        file.write_all_at(&byte, at).expect("changed back");
        let image = checked(std::slice::from_ref(&wim));
        machine.apply_image(&image, 1, volume, &[], &mut |_| {}).unwrap_or_else(|error| panic!("{error}"));
        image.finish().unwrap_or_else(|error| panic!("{error}"));
    }
    machine.unmount_all().unwrap_or_else(|error| panic!("{error}"));
}

/// What the kernel counts at the drive that the image lies on.
#[test]
fn an_image_is_read_from_its_drive_once() {
    if !["wimlib-imagex", "mke2fs", "findmnt"].iter().all(|name| need::program(name)) {
        return;
    }
    let Some(mut bench) = Bench::new(600 << 20, false) else { return };
    let medium = bench.path().join("medium");
    fs::create_dir(&medium).expect("made");
    let wim = wim_of_noise(bench.path(), [20 * PIECE_BYTES; 3]);
    said(Command::new("wimlib-imagex").arg("split").arg(&wim).arg(medium.join("parts.swm")).arg("25"));
    let names = ["parts.swm", "parts2.swm", "parts3.swm"];
    let trees = names.map(|name| PieceTree::of(&fs::read(medium.join(name)).expect("a part")));
    let bytes: u64 = trees.iter().map(PieceTree::size_bytes).sum();
    let drive = bench.path().join("drive.img");
    fs::File::create(&drive).and_then(|file| file.set_len(120 << 20)).expect("an image");
    said(Command::new("mke2fs").args(["-q", "-t", "ext4", "-d"]).args([&medium, &drive]));
    let mut machine = bench.machine(&of_bios());
    let volumes = machine.partition(0, &of_bios()).unwrap_or_else(|error| panic!("{error}"));
    let mut share = |reads_before: bool| {
        let drive = Drive::new(&drive, &medium);
        let files = names.iter().zip(&trees).map(|(name, tree)| {
            let path = medium.join(name);
            CheckedFile::new(name, fs::File::open(path).expect("opened"), tree.clone())
        });
        let image = CheckedImage::new(files.collect());
        if reads_before {
            for name in names {
                fs::read(medium.join(name)).expect("read");
                let input = format!("if={}", medium.join(name).display());
                said(Command::new("dd").args([&*input, "iflag=nocache", "count=0"]));
            }
        }
        let applied = machine.apply_image(&image, 1, &volumes[0], &[], &mut |_| {});
        applied.unwrap_or_else(|error| panic!("{error}"));
        let asked = image.read_bytes();
        image.finish().unwrap_or_else(|error| panic!("{error}"));
        (drive.read_bytes(), asked)
    };
    let ((once, asked), (twice, _)) = (share(false), share(true));
    eprintln!("an image of {bytes} bytes: its drive read {once} ({asked} were asked for); hashed before: {twice}");
    for read in [once, asked] {
        assert!(read >= bytes && read * 100 <= bytes * 105, "{read} of {bytes}");
    }
    assert!(twice * 100 >= bytes * 195, "the control: {twice} of {bytes}");
    machine.unmount_all().unwrap_or_else(|error| panic!("{error}"));
}

/// A WIM with files that can't be packed.
fn wim_of_noise<const FILES: usize>(folder: &Path, sizes: [usize; FILES]) -> PathBuf {
    let (tree, wim) = (folder.join("noise"), folder.join("noise.wim"));
    fs::create_dir(&tree).expect("made");
    let noise = noise(sizes.iter().sum());
    let mut left = &*noise;
    for (number, size) in sizes.into_iter().enumerate() {
        fs::write(tree.join(number.to_string()), left.split_off(..size).expect("enough")).expect("written");
    }
    said(Command::new("wimlib-imagex").arg("capture").args([&tree, &wim]));
    wim
}

/// A drive with a file system, of which nothing is in memory yet.
struct Drive<'p> {
    point: &'p Path,
    /// What the kernel counts of it.
    statistics: PathBuf,
    before_bytes: u64,
}

impl<'p> Drive<'p> {
    fn new(image: &Path, point: &'p Path) -> Self {
        said(Command::new("mount").args(["-o", "ro,loop"]).args([image, point]));
        let device = said(Command::new("findmnt").args(["-n", "-o", "SOURCE"]).arg(point));
        let name = device.trim().strip_prefix("/dev/").expect("a device").to_owned();
        let mut drive = Self { point, statistics: format!("/sys/block/{name}/stat").into(), before_bytes: 0 };
        drive.before_bytes = drive.read_bytes();
        drive
    }

    /// Since it is here, in its third number, in sectors (`Documentation/block/stat.rst`).
    fn read_bytes(&self) -> u64 {
        let statistics = fs::read_to_string(&self.statistics).expect("counted");
        let sectors = statistics.split_whitespace().nth(2).expect("a third");
        sectors.parse::<u64>().expect("a number") * 512 - self.before_bytes
    }
}

impl Drop for Drive<'_> {
    fn drop(&mut self) {
        said(Command::new("umount").arg(self.point));
    }
}
