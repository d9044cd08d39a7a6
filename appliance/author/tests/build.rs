// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Building media of every kind from small sources, and looking at what came out with other people's tools.
#![allow(clippy::unwrap_used)]

mod common;

use std::process::Command;

use common::{Fixture, options, put, run, snapshot};
use platen_author::{AuthorErrorKind, BuildOptions, describe, diff, lint};
use platen_cache::layout::Layout;
use platen_media::Blake3;
use platen_media::manifest::{ContentKind, Manifest, MediaKind, Scheme};
use platen_media::piece_tree::{PIECE_BYTES, PieceTree};
use platen_media::policy::DeploymentPolicy;
use platen_media::sign::{SignedMedia, TrustedKeys};

fn paths(manifest: &Manifest, kind: ContentKind) -> Vec<&str> {
    let of = |file: &&platen_media::manifest::FileRecord| manifest.contents[file.content as usize].kind == kind;
    let mut found: Vec<_> = manifest.files.iter().filter(of).map(|file| file.path.as_str()).collect();
    found.sort_unstable();
    found
}

/// What a medium that starts under BIOS is made of besides.
const BIOS_IMAGES: [&str; 3] = ["platen/bios/boot.img", "platen/bios/core-gpt.img", "platen/bios/core-mbr.img"];

#[test]
fn an_older_boot_kit_and_image_still_make_a_medium_and_what_it_lacks_is_said() {
    let fixture = Fixture::new();
    let change = |path: &str, change: &dyn Fn(&mut serde_json::Value)| {
        let path = fixture.dir.path().join(path);
        let mut record = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        change(&mut record);
        put(&path, &serde_json::to_vec(&record).unwrap());
    };
    let drop_file = |name: &'static str| {
        move |record: &mut serde_json::Value| {
            record["files"].as_array_mut().unwrap().retain(|file| !file["path"].as_str().unwrap().ends_with(name));
        }
    };
    change("kit/boot-kit.json", &drop_file("disk-core.img"));
    change("boot/boot-image.json", &drop_file("programs.img"));
    let report = fixture.build("out").unwrap();
    let rules: Vec<_> = report.findings.iter().map(|finding| finding.rule).collect();
    assert!(rules.contains(&"BOOT-DISK"), "{rules:?}");
    let manifest = &report.manifest;
    assert_eq!(paths(manifest, ContentKind::BootImage), ["boot/PLTBOOT/initrd.img", "boot/PLTBOOT/vmlinuz"]);
    assert!(!paths(manifest, ContentKind::BootKit).contains(&"platen/bios/disk-core.img"));
}

#[test]
fn a_stand_alone_medium_has_everything_in_its_place() {
    let fixture = Fixture::new();
    let report = fixture.build("out").unwrap();
    let manifest = &report.manifest;
    assert_eq!((&*report.name, &*manifest.label.to_string()), ("PLT00001-r1", "WINDOWS 11"));
    // An application that may be installed by hand.
    assert_eq!(report.findings.iter().map(|finding| finding.rule).collect::<Vec<_>>(), ["REF-UNUSED"]);
    assert_eq!(
        paths(manifest, ContentKind::BootKit),
        [
            &["EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/grubx64.efi", "EFI/BOOT/mmx64.efi"][..],
            &BIOS_IMAGES,
            &["platen/bios/disk-core.img"]
        ]
        .concat()
    );
    assert_eq!(
        paths(manifest, ContentKind::Generated),
        ["EFI/debian/grub.cfg", "MediaLabel.txt", "boot/grub/grub.cfg"]
    );
    let boot_image = ["boot/PLTBOOT/initrd.img", "boot/PLTBOOT/programs.img", "boot/PLTBOOT/vmlinuz"];
    assert_eq!(paths(manifest, ContentKind::BootImage), boot_image);
    assert_eq!(paths(manifest, ContentKind::OperatingSystemImage), ["platen/content/PLTOS001/install.wim"]);
    assert_eq!(paths(manifest, ContentKind::Policy), ["platen/policy.json"]);
    assert_eq!(paths(manifest, ContentKind::Prestart), ["platen/content/prestart/ask.cmd"]);
    let drivers = ["big.bin", "copy of e1000.sys", "empty.txt", "net/e1000.inf", "net/e1000.sys"];
    assert_eq!(
        paths(manifest, ContentKind::DriverPackage),
        drivers.map(|name| format!("platen/content/PLTDRV01/{name}"))
    );
    let ids: Vec<_> = manifest.contents.iter().map(|content| &*content.id).collect();
    let expected = [
        "boot-kit",
        "generated",
        "PLTBOOT",
        "PLTOS001",
        "PLTDRV01",
        "RUNTIME",
        "EDITOR",
        "PLTUSMT",
        "prestart",
        "policy",
    ];
    assert_eq!(ids, expected, "in installation order");

    let file = |path: &str| manifest.files.iter().find(|file| file.path.as_str().ends_with(path)).unwrap();
    assert_eq!(file("empty.txt").at, None);
    assert_eq!(file("net/e1000.sys").at, file("copy of e1000.sys").at, "identical content once");
    let large = file("big.bin").at.unwrap();
    assert_eq!(manifest.blobs[large.blob as usize].sha256, file("big.bin").sha256, "8 MiB is a blob of its own");
    assert_eq!(file("EFI/debian/grub.cfg").sha256, file("boot/grub/grub.cfg").sha256);
    let order =
        |file: &platen_media::manifest::FileRecord| (file.content, file.at.map(|at| (at.blob, at.offset_bytes)));
    assert!(manifest.files.is_sorted_by_key(order));
    let sizes: u64 = manifest.contents.iter().map(|content| content.size_bytes).sum();
    assert_eq!(sizes, manifest.content_bytes());

    fixture.materialise("out", manifest, "medium");
    assert_eq!(std::fs::read(fixture.path("medium/MediaLabel.txt")).unwrap(), b"label=WINDOWS 11\r\n");
    let grub = std::fs::read_to_string(fixture.path("medium/boot/grub/grub.cfg")).unwrap();
    let arguments = "platen.media=PLT00001 platen.revision=1 platen.volume=$volume platen.keyboard=us\n";
    assert!(
        grub.contains("linux /boot/PLTBOOT/vmlinuz console=tty0 console=ttyS0,115200 quiet ")
            && grub.contains(arguments)
    );
    let policy =
        DeploymentPolicy::from_json(&std::fs::read(fixture.path("medium/platen/policy.json")).unwrap()).unwrap();
    let image = policy.operating_system_image.unwrap();
    assert_eq!((image.path.as_str(), image.index, image.parts), ("platen/content/PLTOS001/install.wim", 1, 1));
    assert_eq!(policy.applications.iter().map(|it| &*it.id).collect::<Vec<_>>(), ["RUNTIME", "EDITOR"]);
    assert_eq!(policy.packages[0].folder.as_str(), "platen/content/PLTUSMT");
    assert_eq!(policy.prestart.unwrap().files.unwrap().as_str(), "platen/content/prestart");
    assert_eq!(platen_sequence::TaskSequence::from_json(&policy.task_sequence).unwrap().steps().len(), 11);
}

#[test]
fn the_boot_code_is_recorded_as_it_is_laid_down() {
    let fixture = Fixture::new();
    let manifest = fixture.build("out").unwrap().manifest;
    let bios = manifest.bios.as_ref().unwrap();
    let layout = Layout::open(&fixture.path("out")).unwrap();
    let read = |slice: platen_media::manifest::BlobSlice| {
        let blob = std::fs::read(layout.blob_path(manifest.blobs[slice.at.blob as usize].sha256)).unwrap();
        let start = slice.at.offset_bytes as usize;
        let bytes = blob[start..start + slice.size_bytes as usize].to_vec();
        assert_eq!(Blake3::of(&bytes), slice.blake3);
        bytes
    };
    let (boot_img, core_mbr, core_gpt) = (read(bios.boot_img), read(bios.core_mbr), read(bios.core_gpt));
    assert_eq!(boot_img, std::fs::read(fixture.path("kit/bios/boot.img")).unwrap());
    for (scheme, core) in [(Scheme::Mbr, core_mbr), (Scheme::Gpt, core_gpt)] {
        let record = bios.records.iter().find(|record| record.scheme == scheme).unwrap();
        let mut patched = platen_disk::grub::patch(&boot_img, &core, scheme).unwrap();
        patched.core.resize(patched.core.len().next_multiple_of(512), 0);
        assert_eq!(record.boot_code_blake3, Blake3::of(&patched.boot_code));
        assert_eq!(
            (record.core_size_bytes, record.core_blake3),
            (patched.core.len() as u64, Blake3::of(&patched.core))
        );
        assert_eq!(record.core_size_bytes % 512, 0);
    }
}

#[test]
fn outside_tools_accept_the_medium_and_refuse_a_changed_one() {
    let fixture = Fixture::new();
    let manifest = fixture.build("out").unwrap().manifest;
    fixture.materialise("out", &manifest, "medium");
    let medium = fixture.path("medium");
    let public = fixture.path("insecure-test.pub");
    let sums = || {
        Command::new("sha256sum")
            .args(["--strict", "--quiet", "-c", "SHA256SUMS"])
            .current_dir(&medium)
            .output()
            .unwrap()
    };
    assert!(sums().status.success());
    let listed = std::fs::read_to_string(medium.join("SHA256SUMS")).unwrap();
    assert_eq!(listed.lines().count(), manifest.files.len() + 1);
    for file in ["SHA256SUMS", "platen/manifest.json"] {
        let said =
            run(Command::new("minisign").arg("-V").arg("-p").arg(&public).args(["-m", file]).current_dir(&medium));
        assert!(said.contains("Trusted comment: platen medium PLT00001 version 24H2 revision 1"), "{said}");
    }
    put(&medium.join("usmt-was-here/../platen/content/PLTUSMT/loadstate.exe"), b"changed");
    assert!(!sums().status.success(), "the control must fail");

    // What the station does with it.
    let keys = TrustedKeys::load(&public).unwrap();
    let media = fixture.media("out").remove(0);
    let signed = SignedMedia::check(&media.manifest_bytes, media.manifest_signature, &keys).unwrap();
    assert_eq!(signed.manifest(), &manifest);
    keys.check("SHA256SUMS", &media.sums, &media.sums_signature).unwrap();
}

#[test]
fn skopeo_reads_the_layout() {
    let fixture = Fixture::new();
    let report = fixture.build("out").unwrap();
    let reference = format!("oci:{}:{}", fixture.path("out").display(), report.name);
    let raw = run(Command::new("skopeo").args(["inspect", "--raw", &reference]));
    let manifest: serde_json::Value = serde_json::from_str(&raw).unwrap();
    let layers = manifest["layers"].as_array().unwrap();
    let digest = format!("sha256:{}", report.manifest_digest);
    assert!(layers.iter().any(|layer| layer["digest"] == *digest), "the signed manifest is a layer");
    for blob in &report.manifest.blobs {
        assert!(layers.iter().any(|layer| layer["digest"] == format!("sha256:{}", blob.sha256)));
    }
    let inspected = run(Command::new("skopeo").args(["inspect", &reference]));
    assert!(inspected.contains(&digest), "{inspected}");
    // Copying checks every digest.
    let copy = format!("oci:{}:copy", fixture.path("copy").display());
    run(Command::new("skopeo").args(["copy", "--quiet", "--insecure-policy", &reference, &copy]));
    let copied = run(Command::new("skopeo").args(["inspect", "--raw", &copy]));
    assert_eq!(copied, raw);
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let fixture = Fixture::new();
    fixture.build("first").unwrap();
    fixture.build("second").unwrap();
    fixture.build("second").unwrap();
    assert_eq!(snapshot(&fixture.path("first")), snapshot(&fixture.path("second")));

    // Where it lies and when its files were made does not matter, once `created` is given.
    let other = Fixture::new();
    std::fs::copy(fixture.path("install.wim"), other.path("install.wim")).unwrap();
    let moved =
        platen_author::build(&other.path("medium.toml"), &fixture.signer, &other.path("out"), &options()).unwrap();
    assert_eq!(snapshot(&other.path("out")), snapshot(&fixture.path("first")), "{}", moved.name);
}

#[test]
fn created_is_given_or_the_epoch_or_now_and_never_what_files_say() {
    let fixture = Fixture::new();
    let build = |options: &BuildOptions| fixture.build_with("out", options);
    assert_eq!(build(&options()).unwrap().manifest.created.unix_s(), 1_795_000_000);
    let now_s = 1_795_500_000;
    let clock = BuildOptions { now_s, ..BuildOptions::default() };
    for (name, seconds) in [("medium.toml", 1_700_000_000), ("usmt/loadstate.exe", now_s as u64 + 9 * 3600)] {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        std::fs::File::options().write(true).open(fixture.path(name)).unwrap().set_modified(time).unwrap();
    }
    let built = build(&clock).unwrap();
    assert_eq!(built.manifest.created.unix_s(), now_s);
    let said: Vec<String> =
        built.findings.iter().map(ToString::to_string).filter(|it| it.contains("DEF-TIME")).collect();
    assert!(said.iter().any(|it| it.contains("usmt/loadstate.exe (2026-11-")), "the file is named: {said:?}");
    let lint = platen_author::lint(&fixture.path("medium.toml"), &clock).unwrap();
    assert!(lint.findings.iter().any(|it| it.text.contains("loadstate.exe")) && !lint.has_errors());

    // A time that can't be is refused, wherever it was given.
    let late = BuildOptions { source_date_epoch: Some(now_s + 1), now_s, ..BuildOptions::default() };
    assert!(build(&late).unwrap_err().to_string().contains("SOURCE_DATE_EPOCH"));
    fixture.edit("revision = 1", "revision = 1\ncreated = 2026-11-21T09:30:00Z");
    assert_eq!(fixture.build("out").unwrap().manifest.created.to_string(), "2026-11-21T09:30:00Z");
    fixture.edit("2026-11-21T09", "2049-11-21T09");
    assert!(build(&clock).unwrap_err().to_string().contains("created"));
}

#[test]
fn passwords_and_values_are_read_alike_from_any_systems_files() {
    let fixture = Fixture::new();
    fixture.edit("revision = 1", "revision = 1\nkeyboard = \"de\"\npassword = { file = \"password.txt\" }");
    let utf16 = |text: &str| format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    for bytes in [
        b"\xef\xbb\xbfcorrect p\xc3\xa4ssword\r\n".to_vec(),
        b"correct pa\xcc\x88ssword".to_vec(),
        utf16("correct pässword\r\n"),
    ] {
        std::fs::write(fixture.path("password.txt"), bytes).unwrap();
        let built = fixture.build("out").unwrap();
        fixture.materialise("out", &built.manifest, "medium");
        let encrypted = std::fs::read(fixture.path("medium/platen/policy.age")).unwrap();
        assert!(platen_media::policy::DeploymentPolicy::decrypt(&encrypted, "correct pässword").is_ok());
        assert!(!built.findings.iter().any(|it| it.rule == "DEF-KEYBOARD" || it.rule == "DEF-INVISIBLE"));
    }
    let findings = |password: &str| {
        std::fs::write(fixture.path("password.txt"), password).unwrap();
        let report = platen_author::lint(&fixture.path("medium.toml"), &options()).unwrap();
        report
            .findings
            .iter()
            .filter(|it| it.place == "password")
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert!(findings("correct horse battery ").contains("ends with U+0020"));
    assert!(findings("correct 한국어 battery").contains("keyboard = \"kr\""));
    assert!(findings("correct 日本 battery").contains("use another password"));
    assert_eq!(findings("correct horse bättery"), "");
    std::fs::write(fixture.path("password.txt"), b"p\xe4ssword of Windows").unwrap();
    let error = fixture.build("out").unwrap_err().to_string();
    assert!(error.contains("password.txt") && error.contains("0xe4 at byte 1"), "{error}");
}

#[test]
fn media_share_blobs_and_an_existing_layout_is_added_to() {
    let fixture = Fixture::new();
    let first = fixture.build("out").unwrap();
    let blobs = || std::fs::read_dir(fixture.path("out/blobs/sha256")).unwrap().count();
    let before = blobs();
    fixture.edit("PLT00001", "PLT00002");
    fixture.edit(
        "[[package]]\nid = \"PLTUSMT\"",
        "[[package]]\nid = \"OTHER\"\npath = \"apps\"\n[[package]]\nid = \"PLTUSMT\"",
    );
    let second = fixture.build("out").unwrap();
    assert_eq!(fixture.media("out").len(), 2);
    let shared = first.manifest.blobs.iter().filter(|blob| second.manifest.blobs.contains(blob)).count();
    // All but the policy and GRUB's configuration, which name the medium.
    assert_eq!(shared, first.manifest.blobs.len() - 2);
    // OCI manifest, manifest, sums, two signatures; policy, generated, the new package.
    assert_eq!(blobs() - before, 5 + 3);
    fixture.build("out").unwrap();
    assert_eq!(fixture.media("out").len(), 2, "the same revision is replaced");
}

#[test]
fn a_tree_medium_is_the_tree() {
    let fixture = Fixture::with_kit();
    fixture.put("tree/bootmgr", common::BOOT_MANAGER);
    fixture.put("tree/EFI/BOOT/BOOTX64.EFI", &common::boot_loader());
    fixture.put("tree/sources/boot.txt", b"x");
    let spec = "kind = \"tree\"\nid = \"T1\"\nname = \"Existing media\"\nversion = \"1\"\nrevision = 7\n";
    fixture.put("medium.toml", format!("{spec}tree = {{ path = \"tree\" }}\n").as_bytes());
    let manifest = fixture.build("plain").unwrap().manifest;
    assert_eq!((manifest.kind, manifest.bios.is_none()), (MediaKind::Tree, true));
    assert_eq!(paths(&manifest, ContentKind::Tree), ["EFI/BOOT/BOOTX64.EFI", "bootmgr", "sources/boot.txt"]);
    assert_eq!(paths(&manifest, ContentKind::Generated), ["MediaLabel.txt"]);

    fixture.put("medium.toml", format!("{spec}boot-kit = \"kit\"\ntree = {{ path = \"tree\" }}\n").as_bytes());
    let manifest = fixture.build("bios").unwrap().manifest;
    assert!(manifest.bios.is_some());
    assert_eq!(paths(&manifest, ContentKind::Generated), ["MediaLabel.txt", "boot/grub/grub.cfg"]);
    assert_eq!(paths(&manifest, ContentKind::BootKit), BIOS_IMAGES);
    fixture.materialise("bios", &manifest, "medium");
    assert!(std::fs::read_to_string(fixture.path("medium/boot/grub/grub.cfg")).unwrap().contains("  ntldr /bootmgr\n"));

    fixture.put("tree/MediaLabel.txt", b"label=Mine\r\n");
    let manifest = fixture.build("own-label").unwrap().manifest;
    assert_eq!(paths(&manifest, ContentKind::Generated), ["boot/grub/grub.cfg"], "the tree's own label stays");
    std::fs::remove_file(fixture.path("tree/bootmgr")).unwrap();
    assert!(fixture.refused("none").contains("expected bootmgr at the tree's root"));
}

#[test]
fn wims_are_split_once_and_recorded() {
    let fixture = Fixture::new();
    let limit = BuildOptions { max_file_bytes: 10 << 20, ..options() };
    common::wim(&fixture.path("install.wim"), &[("a", 9 << 19), ("b", 9 << 19), ("c", 9 << 19)], &["--compress=none"]);
    let report = fixture.build_with("out", &limit).unwrap();
    let expected = ["install.swm", "install2.swm"].map(|name| format!("platen/content/PLTOS001/{name}"));
    let parts = |manifest| -> Vec<_> {
        let all = paths(manifest, ContentKind::OperatingSystemImage).into_iter();
        all.filter(|path| path.starts_with("platen/content/")).map(str::to_owned).collect()
    };
    assert_eq!(parts(&report.manifest), expected);
    assert!(report.manifest.files.iter().all(|file| file.size_bytes <= 10 << 20));
    assert_eq!((report.splits.len(), report.splits[0].parts.len(), report.splits[0].was_solid), (1, 2, false));
    let log = fixture.log("out");
    assert!(log.contains("platen/content/PLTOS001/install.wim: ") && log.contains("install2.swm: "), "{log}");
    fixture.materialise("out", &report.manifest, "medium");
    let folder = fixture.path("medium/platen/content/PLTOS001");
    run(Command::new("wimlib-imagex").args(["verify", "install.swm", "--ref=install*.swm"]).current_dir(&folder));
    let policy =
        DeploymentPolicy::from_json(&std::fs::read(fixture.path("medium/platen/policy.json")).unwrap()).unwrap();
    let image = policy.operating_system_image.unwrap();
    assert_eq!((image.path.as_str(), image.parts), ("platen/content/PLTOS001/install.swm", 2));
    assert!(
        !fixture.path("out").read_dir().unwrap().any(|it| it
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with(".staging"))
    );

    // Already split by the user.
    let given = fixture.path("parts");
    std::fs::create_dir(&given).unwrap();
    run(Command::new("wimlib-imagex").arg("split").arg(fixture.path("install.wim")).arg(given.join("w.swm")).arg("10"));
    fixture.edit("install.wim", "parts/w.swm");
    let report = fixture.build_with("given", &limit).unwrap();
    assert_eq!(parts(&report.manifest), expected);
    assert_eq!(report.splits, []);
    std::fs::remove_file(given.join("w2.swm")).unwrap();
    let said = fixture.build_with("missing", &limit).unwrap_err().chain();
    assert!(said.contains("parts: split WIM of w.swm: part 2 of 2 is missing"), "{said}");
}

#[test]
fn every_large_file_of_an_image_has_its_tree_and_no_other_file_has() {
    let fixture = Fixture::new();
    let limit = BuildOptions { max_file_bytes: 10 << 20, ..options() };
    // Parts that are blobs of their own, and one that shares a blob.
    common::wim(&fixture.path("install.wim"), &[("a", 9 << 20), ("b", 9 << 20), ("c", 5 << 20)], &["--compress=none"]);
    let manifest = fixture.build_with("out", &limit).unwrap().manifest;
    fixture.materialise("out", &manifest, "medium");
    let read = |path: &str| std::fs::read(fixture.path("medium").join(path)).unwrap();
    let mut trees = Vec::new();
    for file in &manifest.files {
        let (path, bytes) = (file.path.as_str(), read(file.path.as_str()));
        assert_eq!(Blake3::of(&bytes), file.blake3, "{path}");
        if path.starts_with("platen/content/PLTOS001/") {
            let place = PieceTree::path(file.size_bytes, file.blake3).unwrap();
            let tree = PieceTree::read(&read(place.as_str()), file.size_bytes, file.blake3).unwrap();
            assert!(tree.holds(1, &bytes[PIECE_BYTES..2 * PIECE_BYTES]), "{path}");
            trees.push(place.to_string());
        }
    }
    assert_eq!(trees.len(), 3);
    trees.sort_unstable();
    let there = paths(&manifest, ContentKind::OperatingSystemImage).into_iter();
    assert_eq!(there.filter(|path| path.starts_with("platen/trees/")).collect::<Vec<_>>(), trees);
    assert_eq!(manifest.files.iter().filter(|file| file.path.as_str().contains("trees")).count(), 3);
}

#[test]
fn solid_wims_are_exported_first() {
    let fixture = Fixture::new();
    common::wim(&fixture.path("install.wim"), &[("a", 9 << 19), ("b", 9 << 19), ("c", 9 << 19)], &["--solid"]);
    let report = fixture.build_with("out", &BuildOptions { max_file_bytes: 10 << 20, ..options() }).unwrap();
    assert!(report.splits[0].was_solid);
    assert_eq!(report.splits[0].parts.len(), 2);
    assert!(fixture.log("out").contains("exported from solid first"));
    // Small enough, it is taken as it is.
    assert_eq!(fixture.build("whole").unwrap().splits, []);
}

#[test]
fn wims_in_a_tree_are_split_under_their_own_names() {
    let fixture = Fixture::empty();
    let spec =
        "kind = \"tree\"\nid = \"T1\"\nname = \"T\"\nversion = \"1\"\nrevision = 7\ntree = { path = \"tree\" }\n";
    fixture.put("medium.toml", spec.as_bytes());
    fixture.put("tree/setup.exe", b"x");
    fixture.put("tree/EFI/BOOT/BOOTX64.EFI", &common::boot_loader());
    common::wim(&fixture.path("tree/sources/install.wim"), &[("a", 5 << 20), ("b", 5 << 20)], &["--compress=none"]);
    let manifest = fixture.build_with("out", &BuildOptions { max_file_bytes: 9 << 20, ..options() }).unwrap().manifest;
    let expected = ["EFI/BOOT/BOOTX64.EFI", "setup.exe", "sources/install.swm", "sources/install2.swm"];
    assert_eq!(paths(&manifest, ContentKind::Tree), expected);
    fixture.put("tree/sources/install2.swm", b"in the way");
    let said =
        fixture.build_with("second", &BuildOptions { max_file_bytes: 9 << 20, ..options() }).unwrap_err().chain();
    assert!(said.contains("sources/install2.swm"), "{said}");
}

#[test]
fn damaged_wims_are_named() {
    let fixture = Fixture::new();
    let good = std::fs::read(fixture.path("install.wim")).unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 3] ^= 1;
    for (bytes, why) in [
        (&flipped[..], "flipped"),
        (&good[..good.len() - 1000], "cut"),
        (b"MSWIM\0\0\0".as_slice(), "head only"),
        (b"none", "no WIM"),
    ] {
        fixture.put("install.wim", bytes);
        let error = fixture.build("out").expect_err(why);
        assert!(error.chain().contains("install.wim"), "{why}: {}", error.chain());
        assert_eq!(error.kind(), AuthorErrorKind::Definition, "{why}: {}", error.chain());
        assert!(fixture.media("out").is_empty());
    }
    fixture.put("install.wim", &good);
    fixture.edit("index = 1", "index = 2");
    let said = fixture.refused("out");
    assert!(said.contains("expected operating-system-image.index from 1 to 1, found 2"), "{said}");
}

#[test]
fn architectures_are_compared() {
    let fixture = Fixture::new();
    run(Command::new("wimlib-imagex").arg("info").arg(fixture.path("install.wim")).args([
        "1",
        "--image-property",
        "WINDOWS/ARCH=12",
    ]));
    let said = fixture.refused("out");
    assert!(said.contains("SA-105") && said.contains("PLTOS001 (arm64)"), "{said}");
    let report = lint(&fixture.path("medium.toml"), &options()).unwrap();
    assert!(report.has_errors());
    common::boot_image(&fixture.path("boot"), "arm64");
    fixture.build("out").unwrap();
}

#[test]
fn descriptions_and_differences_are_for_people() {
    let fixture = Fixture::new();
    let old = fixture.build("out").unwrap().manifest;
    assert_eq!(diff(&old, &old), [""; 0]);
    let text = describe(&old);
    for part in ["PLT00001 revision 1", "stand-alone", "WINDOWS 11", "driver package", "PLTDRV01"] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
    fixture.put("usmt/loadstate.exe", b"new");
    fixture.put("usmt/new.dll", b"n");
    std::fs::remove_file(fixture.path("drivers/empty.txt")).unwrap();
    fixture.edit("revision = 1", "revision = 2");
    let new = fixture.build("out").unwrap().manifest;
    let lines = diff(&old, &new);
    for line in [
        "revision: 1 -> 2",
        "content changed: package PLTUSMT: 10000 -> 4 bytes",
        "file changed: platen/content/PLTUSMT/loadstate.exe (10000 -> 3 bytes)",
        "file removed: platen/content/PLTDRV01/empty.txt",
        "file added: platen/content/PLTUSMT/new.dll (1 bytes)",
    ] {
        assert!(lines.iter().any(|found| found == line), "{line}: {lines:#?}");
    }
}

#[test]
fn progress_ends_at_its_total() {
    let fixture = Fixture::new();
    let seen = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let sink = seen.clone();
    let progress: platen_author::OnProgress = Box::new(move |progress| sink.borrow_mut().push(progress));
    fixture.build_with("out", &BuildOptions { progress: Some(progress), ..options() }).unwrap();
    let seen = seen.borrow();
    assert!(seen.is_sorted_by_key(|progress| progress.done_bytes));
    let last = seen.last().unwrap();
    // The policy is not known when the total is.
    assert!(last.done_bytes >= last.total_bytes && last.done_bytes < last.total_bytes + 20_000, "{last:?}");
}

#[test]
fn a_sequence_in_toml_makes_the_same_medium_as_its_xml() {
    let fixture = Fixture::new();
    fixture.put("deploy.toml", include_bytes!("../../sequence/data/stand-alone.toml"));
    let xml = fixture.build("xml").unwrap().manifest;
    fixture.edit("task-sequence = \"deploy.xml\"", "task-sequence = \"deploy.toml\"");
    assert_eq!(fixture.build("toml").unwrap().manifest, xml);
    // What stands beside it is looked for beside it.
    let script = "[[do]]\nstep = \"S\"\ntype = \"Run PowerShell Script\"\n\
                  variables = [{ property = \"SourceScript\", value-file = \"scripts/s.ps1\" }]\n";
    fixture.put("deploy.toml", format!("schema = 1\n{script}").as_bytes());
    let said = fixture.build("other").unwrap_err().chain();
    assert!(said.contains("do[1].variables[1].value-file: expected a file of text, found \"scripts/s.ps1\""), "{said}");
}
