// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What comes in: trees that can't start, WIMs that can't be read, sources that don't stand still, names, links, times.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use common::{Fixture, efi_program, noise, options, run};
use platen_author::{AuthorError, BuildOptions, lint};
use platen_media::Timestamp;

const TREE: &str = "kind = \"tree\"\nid = \"T1\"\nname = \"T\"\nversion = \"1\"\nrevision = 7\n";

/// A tree that starts, with nothing else in it.
fn tree() -> Fixture {
    let fixture = Fixture::with_kit();
    fixture.put("medium.toml", format!("{TREE}tree = {{ path = \"tree\" }}\n").as_bytes());
    fixture.put("tree/EFI/BOOT/BOOTX64.EFI", &common::boot_loader());
    fixture
}

fn allow(fixture: &Fixture, rule: &str) {
    fixture.edit("revision = 7\n", &format!("revision = 7\nallow = [\"{rule}\"]\n"));
}

#[test]
fn a_tree_that_no_computer_starts_is_named() {
    let fixture = tree();
    assert_eq!(fixture.warned("good"), [""; 0], "the control");
    fs::rename(fixture.path("tree/EFI"), fixture.path("tree/else")).unwrap();
    let said = fixture.refused("out");
    assert!(said.contains("BOOT-LOADER: tree: expected EFI/BOOT/BOOTX64.EFI"), "{said}");
    let report = lint(&fixture.path("medium.toml"), &options()).unwrap();
    assert!(report.has_errors());
    allow(&fixture, "BOOT-LOADER");
    assert_eq!(fixture.warned("allowed"), ["BOOT-LOADER"]);

    // In other letters it is there all the same.
    let fixture = tree();
    fs::rename(fixture.path("tree/EFI"), fixture.path("tree/efi")).unwrap();
    fs::rename(fixture.path("tree/efi/BOOT/BOOTX64.EFI"), fixture.path("tree/efi/BOOT/bootx64.efi")).unwrap();
    assert_eq!(fixture.warned("out"), [""; 0]);
}

#[test]
fn boot_files_that_are_no_programs_of_their_kind_are_named() {
    let good = common::boot_loader();
    let big = [good.clone(), vec![0; 100]].concat();
    for (name, bytes, found) in [
        ("BOOTX64.EFI", b"boot loader".to_vec(), "something that is no program"),
        ("BOOTX64.EFI", Vec::new(), "an empty file"),
        ("BOOTX64.EFI", good[..0x300].to_vec(), "one that is cut short: 768 of at least 1024 bytes"),
        ("BOOTX64.EFI", good[..0x60].to_vec(), "a program that is cut short"),
        ("BOOTX64.EFI", efi_program(0xaa64, 10), "one for arm64"),
        ("BOOTX64.EFI", efi_program(0x14c, 10), "one for x86"),
        ("BOOTX64.EFI", efi_program(0x8664, 3), "a program for Windows"),
        ("BOOTX64.EFI", efi_program(0x8664, 11), "an EFI driver"),
        ("BOOTIA32.EFI", good.clone(), "one for x86_64"),
        ("bootaa64.efi", good.clone(), "one for x86_64"),
    ] {
        let fixture = tree();
        fixture.put(&format!("tree/EFI/BOOT/{name}"), &bytes);
        let said = fixture.refused("out");
        assert!(said.contains(&format!("BOOT-PROGRAM: EFI/BOOT/{name}: expected an EFI application")), "{said}");
        assert!(said.contains(&format!("found {found}")), "{found}: {said}");
        allow(&fixture, "BOOT-PROGRAM");
        assert_eq!(fixture.warned("allowed"), ["BOOT-PROGRAM"]);
    }
    for (name, bytes) in [
        ("BOOTX64.EFI", big),
        ("BOOTIA32.EFI", efi_program(0x14c, 10)),
        ("BOOTAA64.EFI", efi_program(0xaa64, 10)),
        ("BOOTARM.EFI", efi_program(0x1c2, 10)),
    ] {
        let fixture = tree();
        fixture.put(&format!("tree/EFI/BOOT/{name}"), &bytes);
        assert_eq!(fixture.warned("out"), [""; 0], "{name}");
    }
    // Under BIOS GRUB starts bootmgr.
    for (bytes, found) in
        [(good, "a program for Windows or UEFI"), (vec![], "an empty file"), (vec![b' '; 99], "not begin")]
    {
        let fixture = tree();
        fixture.edit("revision = 7\n", "revision = 7\nboot-kit = \"kit\"\n");
        fixture.put("tree/bootmgr", &bytes);
        let said = fixture.refused("out");
        assert!(said.contains("BOOT-PROGRAM: bootmgr: ") && said.contains(found), "{said}");
        fixture.put("tree/bootmgr", common::BOOT_MANAGER);
        assert_eq!(fixture.warned("good"), [""; 0]);
        fs::remove_dir_all(fixture.path("tree/EFI")).unwrap();
        assert_eq!(fixture.warned("bios"), ["BOOT-UEFI"]);
    }
}

#[test]
fn a_boot_image_is_never_split() {
    let limit = BuildOptions { max_file_bytes: 8 << 20, ..options() };
    let large = [("a", 5 << 20), ("b", 5 << 20)];
    for (name, arguments) in
        [("sources/BOOT.WIM", &["--compress=none"][..]), ("sources/other.wim", &["--compress=none", "--boot"])]
    {
        let fixture = tree();
        common::wim(&fixture.path("tree").join(name), &large, arguments);
        let said = fixture.build_with("out", &limit).unwrap_err().chain();
        assert!(said.contains(name) && said.contains("expected a boot image of at most 8388608 bytes"), "{said}");
    }
    let fixture = tree();
    common::wim(&fixture.path("tree/sources/other.wim"), &large, &["--compress=none"]);
    assert_eq!(fixture.build_with("out", &limit).unwrap().splits.len(), 1, "the control");
}

#[test]
fn every_wim_that_can_be_read_is_verified() {
    for name in ["sources/install.esd", "sources/INSTALL.WIM", "sources/part.swm"] {
        let fixture = tree();
        let path = fixture.path("tree").join(name);
        common::wim(&path, &[("a", 500_000)], if name.ends_with("esd") { &["--solid"] } else { &[] });
        assert_eq!(fixture.warned("good"), [""; 0], "the control");
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x20;
        fs::write(&path, &bytes).unwrap();
        let said = fixture.refused("damaged");
        assert!(said.contains("verifying ") && said.contains(name) && said.contains("damaged"), "{said}");
        fs::write(&path, &bytes[..middle]).unwrap();
        assert!(fixture.refused("short").contains(name));
    }
}

#[test]
fn files_with_a_wims_name_that_are_none_are_named() {
    for name in ["notes.wim", "sources/install.ESD", "x.Swm", "empty.wim"] {
        let fixture = tree();
        fixture.put(&format!("tree/{name}"), if name == "empty.wim" { b"" } else { b"no WIM but named like one" });
        let said = fixture.refused("out");
        assert!(said.contains("WIM-FORMAT") && said.contains(name), "{said}");
        allow(&fixture, "WIM-FORMAT");
        assert_eq!(fixture.warned("allowed"), ["WIM-FORMAT"]);
    }
}

/// The parts of a new split WIM.
fn split(folder: &Path, seed: usize, names: &[&str]) {
    let made = tempfile::tempdir().unwrap();
    let whole = made.path().join("whole.wim");
    let files: Vec<(String, usize)> =
        (0..names.len()).map(|n| (format!("{seed}-{n}"), (3 << 19) + seed * 4096)).collect();
    let files: Vec<(&str, usize)> = files.iter().map(|(name, size)| (&**name, *size)).collect();
    common::wim(&whole, &files, &["--compress=none"]);
    run(Command::new("wimlib-imagex").arg("split").arg(&whole).arg(made.path().join("p.swm")).arg("2"));
    fs::create_dir_all(folder).unwrap();
    for (at, name) in names.iter().enumerate() {
        let part = if at == 0 { "p.swm".to_owned() } else { format!("p{}.swm", at + 1) };
        fs::copy(made.path().join(part), folder.join(name)).unwrap();
    }
    assert!(!made.path().join(format!("p{}.swm", names.len() + 1)).exists(), "as many parts as names");
}

#[test]
fn parts_of_split_wims_belong_together_by_what_they_say() {
    let fixture = tree();
    let folder = fixture.path("tree/sources");
    split(&folder, 1, &["INSTALL.SWM", "Install2.swm", "install3.SWM"]);
    split(&folder, 2, &["server.swm", "server2.swm"]);
    split(&folder, 3, &["server2019.swm", "server20192.swm"]);
    // Names that say nothing, or something wrong.
    split(&folder, 4, &["b.swm", "a.swm"]);
    assert_eq!(fixture.warned("out"), [""; 0]);

    // One missing, and one there twice.
    fs::remove_file(folder.join("Install2.swm")).unwrap();
    fs::copy(folder.join("server2.swm"), folder.join("server3.swm")).unwrap();
    let said = fixture.refused("wrong");
    let missing = "split WIM of INSTALL.SWM, install3.SWM: part 2 of 3 is missing";
    let twice = "split WIM of server.swm, server2.swm, server3.swm: part 2 of 2 is there more than once";
    assert!(said.contains(missing) && said.contains(twice) && said.contains("2 problem(s)"), "{said}");
}

#[test]
fn the_operating_system_image_may_be_split_under_any_names() {
    let fixture = Fixture::new();
    let folder = fixture.path("images");
    split(&folder, 1, &["INSTALL.SWM", "Install2.swm", "install3.SWM"]);
    split(&folder, 2, &["install2019.swm", "install20192.swm"]);
    fixture.edit("path = \"install.wim\"", "path = \"images/INSTALL.SWM\"");
    let manifest = fixture.build("out").unwrap().manifest;
    let files = manifest.files.iter().map(|file| file.path.as_str());
    let parts: Vec<_> = files.filter_map(|path| path.strip_prefix("platen/content/PLTOS001/")).collect();
    assert_eq!(parts, ["install.swm", "install2.swm", "install3.swm"]);
    fs::remove_file(folder.join("install3.SWM")).unwrap();
    let said = fixture.refused("missing");
    assert!(said.contains("split WIM of INSTALL.SWM, Install2.swm: part 3 of 3 is missing"), "{said}");
}

/// Calls it once, in the middle of a build.
fn build_while(fixture: &Fixture, out: &str, change: impl FnOnce() + 'static) -> Result<(), AuthorError> {
    let change = std::cell::Cell::new(Some(change));
    let progress = move |_| {
        if let Some(change) = change.take() {
            change();
        }
    };
    fixture.build_with(out, &BuildOptions { progress: Some(Box::new(progress)), ..options() }).map(drop)
}

#[test]
fn every_source_that_changes_before_it_is_signed_is_named() {
    for name in [
        "medium.toml",
        "deploy.xml",
        "install.wim",
        "drivers/big.bin",
        "drivers/net/e1000.inf",
        "kit/boot-kit.json",
        "kit/efi/BOOTX64.EFI",
        "kit/bios/core-mbr.img",
        "boot/initrd.img",
        "boot/boot-image.json",
        "prestart/ask.cmd",
    ] {
        let fixture = Fixture::new();
        let path = fixture.path(name);
        let error = build_while(&fixture, "out", move || {
            // In place, as large as before, with its time set back.
            let (bytes, modified) = (fs::read(&path).unwrap(), path.metadata().unwrap().modified().unwrap());
            let file = File::options().write(true).open(&path).unwrap();
            std::os::unix::fs::FileExt::write_all_at(&file, &[bytes[0] ^ 1], 0).unwrap();
            file.set_modified(modified).unwrap();
        });
        let error = error.expect_err(name);
        assert!(matches!(error, AuthorError::Changed { .. }), "{name}: {}", error.chain());
        assert!(error.to_string().contains(name), "{error}");
        assert!(fixture.media("out").is_empty());
    }
    let fixture = Fixture::new();
    build_while(&fixture, "out", || {}).expect("the control: nothing changes");
}

#[test]
fn names_that_fat_tells_apart_are_taken_and_others_are_not() {
    let fixture = tree();
    for name in ["straße.txt", "STRASSE.TXT", "ﬁ.x", "FI.X", "\u{212a}.x", "k.x", "ı", "I", "é", "e\u{301}", "𐐀", "𐐨"]
    {
        fixture.put(&format!("tree/{name}"), b"x");
    }
    assert_eq!(fixture.warned("out"), [""; 0]);
    for (one, other) in [("ä", "Ä"), ("σ", "ς"), ("x/a", "X/b"), ("ᾳ", "ᾼ"), ("ǆ", "Ǆ")] {
        let fixture = tree();
        fixture.put(&format!("tree/{one}"), b"x");
        fixture.put(&format!("tree/{other}"), b"x");
        let said = fixture.refused("out");
        assert!(said.contains("expected names that differ by more than case"), "{one} {other}: {said}");
    }
    for name in ["\u{ffff}", "\u{fffe}", "\u{fdd0}", "c1\u{85}"] {
        let fixture = tree();
        fixture.put(&format!("tree/{name}"), b"x");
        assert!(fixture.refused("out").contains("which FAT forbids"), "{name:?}");
    }
}

#[test]
fn what_a_volume_cannot_hold_is_known_before_anything_is_read() {
    let fixture = tree();
    fixture.put(&format!("tree/{}x", "f/".repeat(64)), b"x");
    assert_eq!(fixture.warned("out"), [""; 0]);
    fixture.put(&format!("tree/{}y", "f/".repeat(65)), b"x");
    assert!(fixture.refused("deep").contains("at most 64"));

    // Four entries each: 16,384 names are 65,536 entries, and a folder has two of its own.
    let fixture = tree();
    for number in 0..16_384 {
        fixture.put(&format!("tree/many/{number:05}{}", "x".repeat(30)), b"");
    }
    let said = fixture.refused("many");
    assert!(said.contains("directory `many`: expected at most 65536 entries of 32 bytes, found 65538"), "{said}");
    fs::remove_file(fixture.path(&format!("tree/many/00000{}", "x".repeat(30)))).unwrap();
    assert_eq!(fixture.warned("fits"), [""; 0]);
}

#[test]
fn empty_folders_are_on_the_medium() {
    let fixture = tree();
    for folder in ["logs", "deep/empty", "EFI/x"] {
        fs::create_dir_all(fixture.path("tree").join(folder)).unwrap();
    }
    let manifest = fixture.build("out").unwrap().manifest;
    let folders: Vec<_> = manifest.folders.iter().map(|folder| folder.as_str()).collect();
    assert_eq!(folders, ["EFI/x", "deep/empty", "logs"]);
    fs::create_dir_all(fixture.path("tree/LOGS")).unwrap();
    assert!(fixture.refused("twins").contains("`LOGS` and `logs`"));
}

#[test]
fn links_are_what_the_definition_says() {
    let fixture = tree();
    fixture.put("outside/file", b"data");
    symlink("../outside", fixture.path("tree/link")).unwrap();
    assert!(fixture.refused("refused").contains("links = \"follow\" or \"skip\""));
    fixture.edit("path = \"tree\"", "path = \"tree\", links = \"skip\"");
    assert_eq!(fixture.warned("skipped"), ["LINKS-SKIPPED"]);
    fixture.edit("\"skip\"", "\"follow\"");
    let manifest = fixture.build("followed").unwrap().manifest;
    assert!(manifest.files.iter().any(|file| file.path.as_str() == "link/file"));
    symlink(".", fixture.path("outside/loop")).unwrap();
    assert!(fixture.refused("loop").contains("one into a folder that it is in"));
}

#[test]
fn each_file_keeps_its_time() {
    let fixture = tree();
    let times = [("old", 0), ("past", 1_200_000_000), ("new", 1_790_000_000), ("later", 1_900_000_000)];
    for (name, seconds) in times {
        fixture.put(&format!("tree/{name}"), &noise(1, 10));
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        File::options().write(true).open(fixture.path("tree").join(name)).unwrap().set_modified(time).unwrap();
    }
    let manifest = fixture.build("out").unwrap().manifest;
    let modified = |name: &str| {
        let file = manifest.files.iter().find(|file| file.path.as_str() == name).unwrap();
        file.modified.map(Timestamp::unix_s)
    };
    // FAT begins with 1980; with a time given for the build no file is newer.
    assert_eq!(modified("old"), Some(315_532_800));
    assert_eq!((modified("past"), modified("new")), (Some(1_200_000_000), Some(1_790_000_000)));
    assert_eq!(modified("later"), options().source_date_epoch);
    assert_eq!(modified("MediaLabel.txt"), None);
}

#[test]
fn a_window_that_is_over_is_said() {
    let fixture = tree();
    fixture.edit("revision = 7\n", "revision = 7\nvalid-until = 2020-01-01\n");
    assert_eq!(fixture.warned("out"), ["DEF-EXPIRED"]);
    fixture.edit("2020-01-01", "2090-01-01");
    assert_eq!(fixture.warned("good"), [""; 0]);
    fixture.edit("valid-until = 2090-01-01", "created = 2025-06-01\nvalid-until = 2025-01-01");
    // Over, and never begun.
    assert_eq!(fixture.warned("never"), ["DEF-EXPIRED", "DEF-EXPIRED"]);
}

#[test]
fn labels_that_no_volume_can_have_are_refused() {
    for label in ["NO NAME", "A.B", "A+B", "Ä"] {
        let fixture = tree();
        fixture.edit("revision = 7\n", &format!("revision = 7\nlabel = \"{label}\"\n"));
        let said = fixture.build("out").unwrap_err().chain();
        assert!(said.contains("label: expected 1 to 11 of"), "{said}");
    }
    // A name that is none as a label gives way to the id.
    let fixture = tree();
    fixture.edit("name = \"T\"", "name = \"No name\"");
    assert_eq!(fixture.build("out").unwrap().manifest.label.as_str(), "T1");
}
