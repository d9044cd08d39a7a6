// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Programs as judges.

use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Output};

use crate::image::Image;
use crate::trees::Listing;

/// Runs a program; its absence is a failure that names the package.
pub(crate) fn run(program: &str, package: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program)
        .args(arguments)
        .env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()))
        .env("LC_ALL", "C.UTF-8")
        .env("MTOOLSRC", "/dev/null")
        .env("MTOOLS_SKIP_CHECK", "1")
        .output();
    output.unwrap_or_else(|e| match e.kind() {
        ErrorKind::NotFound => panic!("{program} not found: install the Debian package {package}"),
        _ => panic!("{program}: {e}"),
    })
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// `fsck.fat -n`: exit status 0, and three lines at most (version, file count; it prints every complaint).
pub(crate) fn fsck(partition: &Path) -> Result<(), String> {
    let output = run("fsck.fat", "dosfstools", &["-n", partition.to_str().unwrap()]);
    let said = said(&output);
    let clean = output.status.success() && said.lines().all(|l| l.starts_with("fsck.fat ") || l.contains(" clusters"));
    if clean { Ok(()) } else { Err(format!("fsck.fat: {} {said}", output.status)) }
}

/// `sfdisk --verify`. It says "No errors detected." and succeeds even after a complaint, so only known lines pass.
pub(crate) fn sfdisk(drive: &Path) -> Result<(), String> {
    let path = drive.to_str().unwrap();
    let output = run("sfdisk", "fdisk", &["--verify", path]);
    let said = said(&output);
    let known = ["No errors detected.", "Header version: 1.0", "Using ", "A total of ", "Remaining ", path];
    let clean = output.status.success()
        && said.contains("No errors detected.")
        && said.lines().all(|line| known.iter().any(|start| line.starts_with(start)));
    if clean { Ok(()) } else { Err(format!("sfdisk --verify: {} {said}", output.status)) }
}

/// `fdisk -l` for 4096-byte sectors: one partition, of the right kind, at sector 256, and no complaint.
pub(crate) fn fdisk_4096(drive: &Path) -> Result<(), String> {
    let path = drive.to_str().unwrap();
    let output = run("fdisk", "fdisk", &["-b", "4096", "-o", "Device,Start,Type", "-l", path]);
    let said = said(&output);
    let listed: Vec<_> =
        said.lines().filter(|l| l.starts_with(path)).map(|l| l.split_whitespace().collect::<Vec<_>>()).collect();
    let right = matches!(&listed[..], [row] if row[1] == "256" && matches!(row[2..].join(" ").as_str(), "W95 FAT32 (LBA)" | "EFI System"));
    let clean = output.status.success() && right && output.stderr.is_empty();
    if clean { Ok(()) } else { Err(format!("fdisk -l: {} {said}", output.status)) }
}

/// `sgdisk -v`. It says "No problems found" even after it found the backup corrupt.
pub(crate) fn sgdisk(drive: &Path) -> Result<(), String> {
    let output = run("sgdisk", "gdisk", &["-v", drive.to_str().unwrap()]);
    let said = said(&output);
    let clean = output.status.success()
        && said.contains("No problems found.")
        && !["corrupt", "invalid", "Warning", "ERROR"].iter().any(|word| said.contains(word));
    if clean { Ok(()) } else { Err(format!("sgdisk -v: {} {said}", output.status)) }
}

/// How mtools shows a name: it knows no characters beyond the first 65,536 and shows two underlines for each.
pub(crate) fn as_mtools_shows(listing: &Listing) -> Listing {
    let shown = |path: &String| {
        path.chars().map(|c| if c.len_utf16() == 2 { "__".to_owned() } else { c.to_string() }).collect()
    };
    listing.iter().map(|(path, hash)| (shown(path), *hash)).collect()
}

/// All names by `mdir`, all bytes by one `mcopy` (whose exit status says nothing: what it copied is listed instead).
pub(crate) fn mtools(image: &Image) -> Listing {
    let at = format!("{}@@1048576", image.path().display());
    let to = image.folder().join("copied");
    std::fs::create_dir(&to).unwrap();
    let copy = run("mcopy", "mtools", &["-s", "-n", "-i", &at, "::*", to.to_str().unwrap()]);
    let mut copied = Listing::new();
    walk(&to, "", &mut copied);

    let list = run("mdir", "mtools", &["-/", "-b", "-i", &at, "::"]);
    let listed = String::from_utf8_lossy(&list.stdout);
    let mut names: Vec<&str> =
        listed.lines().map(|l| l.trim_start_matches("::/").trim_end_matches('/')).filter(|l| !l.is_empty()).collect();
    names.sort_unstable();
    let copied_names: Vec<&str> = copied.keys().map(String::as_str).collect();
    let differing: Vec<_> =
        names.iter().zip(&copied_names).filter(|(listed, copied)| listed != copied).take(3).collect();
    assert!(names == copied_names, "mdir and mcopy differ: {differing:?}\n{}\n{}", said(&list), said(&copy));
    copied
}

fn walk(folder: &Path, prefix: &str, listing: &mut Listing) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), &format!("{path}/"), listing);
            listing.insert(path, None);
        } else {
            listing.insert(path, Some(blake3::hash(&std::fs::read(entry.path()).unwrap())));
        }
    }
}
