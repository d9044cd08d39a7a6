// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Disk images: holes, formats, damage.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::process::{Command, Stdio};

use common::{Fixture, noise, snapshot};
use platen_cache::layout::Layout;
use platen_media::Blake3;
use platen_media::manifest::{Manifest, MediaKind};

const MIB: u64 = 1 << 20;

fn fixture(name: &str) -> Fixture {
    let fixture = Fixture::empty();
    let spec = "kind = \"raw\"\nid = \"R1\"\nname = \"Raw\"\nversion = \"1\"\nrevision = 1\n";
    fixture.put("medium.toml", format!("{spec}image = {{ path = \"{name}\" }}\n").as_bytes());
    fixture
}

/// 100 MiB: data, a hole, 70 MiB of data, a hole, and a last sector.
fn image() -> Vec<u8> {
    let mut bytes = vec![0; 100 * MIB as usize + 512];
    bytes[..10_000].copy_from_slice(&noise(1, 10_000));
    let (from, to) = (20 * MIB as usize + 512, 90 * MIB as usize);
    // Repeats, so that packing it is quick; different in every block.
    for (at, chunk) in bytes[from..to].chunks_mut(65536).enumerate() {
        chunk.copy_from_slice(&noise(2, 65536)[..chunk.len()]);
        chunk[..8].copy_from_slice(&(at as u64).to_le_bytes());
    }
    let last = bytes.len() - 512;
    bytes[last..].copy_from_slice(&noise(3, 512));
    bytes
}

/// The image from its parts in the store.
fn assemble(fixture: &Fixture, out: &str, manifest: &Manifest) -> Vec<u8> {
    let image = manifest.image.as_ref().unwrap();
    let mut bytes = vec![0; image.size_bytes as usize];
    let layout = Layout::open(&fixture.path(out)).unwrap();
    for part in &image.parts {
        let blob = fs::read(layout.blob_path(manifest.blobs[part.at.blob as usize].sha256)).unwrap();
        let stored = &blob[part.at.offset_bytes as usize..][..part.size_bytes as usize];
        assert_eq!(Blake3::of(stored), part.blake3);
        bytes[part.offset_bytes as usize..][..stored.len()].copy_from_slice(stored);
    }
    bytes
}

fn pack(tool: &str, arguments: &[&str], bytes: &[u8]) -> Vec<u8> {
    let mut child = Command::new(tool).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(bytes).unwrap());
        child.wait_with_output().unwrap().stdout
    })
}

#[test]
fn every_format_gives_the_same_parts_and_the_image_back() {
    let bytes = image();
    let plain = fixture("disk.img");
    plain.put("disk.img", &bytes);
    let first = plain.build("out").unwrap().manifest;
    assert_eq!((first.kind, first.files.len(), first.blobs.len()), (MediaKind::Raw, 0, 1));
    assert_eq!(first.content_bytes(), bytes.len() as u64);
    let parts = &first.image.as_ref().unwrap().parts;
    let places: Vec<_> = parts.iter().map(|part| (part.offset_bytes / MIB, part.size_bytes)).collect();
    assert_eq!(places, [(0, MIB), (20, 64 * MIB), (84, 6 * MIB), (100, 512)]);
    assert!(assemble(&plain, "out", &first) == bytes);

    // The same image with real holes.
    let sparse = fixture("disk.raw");
    let file = File::create(sparse.path("disk.raw")).unwrap();
    file.set_len(bytes.len() as u64).unwrap();
    for (start, chunk) in bytes.chunks(65536).enumerate().filter(|(_, chunk)| chunk.iter().any(|&b| b != 0)) {
        file.write_all_at(chunk, start as u64 * 65536).unwrap();
    }
    assert!(file.metadata().unwrap().blocks() * 512 < 80 * MIB, "it is sparse");
    let found = sparse.build("out").unwrap().manifest;
    assert_eq!((&found.image, &found.blobs), (&first.image, &first.blobs));

    for (name, tool, arguments) in [
        ("disk.img.xz", "xz", ["-0", "-T1"].as_slice()),
        ("disk.img.zst", "zstd", &["-1", "-q"]),
        ("disk.img.gz", "gzip", &["-1"]),
    ] {
        let fixture = fixture(name);
        // Two streams one after the other are one file for these tools.
        let half = 30 * MIB as usize + 77;
        let packed = [pack(tool, arguments, &bytes[..half]), pack(tool, arguments, &bytes[half..])].concat();
        fixture.put(name, &packed);
        let found = fixture.build("out").unwrap().manifest;
        assert_eq!((&found.image, &found.blobs), (&first.image, &first.blobs), "{name}");

        let damaged = |bytes: &[u8], out: &str| {
            fixture.put(name, bytes);
            let said = fixture.refused(out);
            assert!(said.contains(name) && said.contains("expected whole "), "{said}");
        };
        damaged(&packed[..packed.len() - 100], "cut");
        damaged(&packed[..packed.len() / 2], "half");
        let mut flipped = packed.clone();
        let middle = packed.len() / 2;
        flipped[middle] ^= 0x10;
        damaged(&flipped, "flipped");
        assert!(fixture.log("flipped").contains("Failed"));
    }
}

#[test]
fn images_that_cannot_be_written_are_named() {
    let said = |name: &str, bytes: &[u8]| {
        let fixture = fixture(name);
        fixture.put(name, bytes);
        let said = fixture.refused("out");
        assert!(said.contains(name), "{said}");
        assert_eq!(snapshot(&fixture.path("out/blobs")).len(), 0, "nothing is kept");
        said
    };
    assert!(said("a.img", b"").contains("expected a disk image, found an empty file"));
    assert!(said("a.xz", &pack("xz", &[], b"")).contains("found xz data with nothing in it"));
    let none = fixture("none.img");
    assert!(none.refused("out").contains("none.img: expected a disk image, found none"));
    let tar = [vec![0; 257], b"ustar  ".to_vec(), vec![0; 1000]].concat();
    for (bytes, found) in [
        (pack("bzip2", &[], b"image"), "found bzip2 data; unpack it"),
        (b"PK\x03\x04 and so on".to_vec(), "found a ZIP archive; unpack it"),
        (b"QFI\xfb and so on".to_vec(), "qemu-img convert"),
        (b"MSWIM\0\0\0 and so on".to_vec(), "found a WIM"),
        (pack("gzip", &[], &tar), "found a tar archive"),
        (pack("gzip", &[], &pack("xz", &[], b"image")), "found xz data inside"),
    ] {
        let said = said("a.img", &bytes);
        assert!(said.contains(found) && said.contains("allow = [\"IMAGE-PACKED\"]"), "{said}");
    }
    // Whoever knows better.
    let known = fixture("a.img");
    known.put("a.img", b"PK\x03\x04 an image of all things");
    known.append("allow = [\"IMAGE-PACKED\"]\n");
    assert_eq!(known.warned("out"), ["IMAGE-PACKED", "IMAGE-PADDED"]);
}

#[test]
fn names_do_not_matter_and_sizes_are_filled_up() {
    let bytes = noise(1, 3 << 20 | 100);
    let mut filled = bytes.clone();
    filled.resize(bytes.len().next_multiple_of(512), 0);
    let (gz, xz, zst) = (pack("gzip", &[], &bytes), pack("xz", &[], &bytes), pack("zstd", &["-q"], &bytes));
    for (name, content) in [
        ("a.iso", &bytes),
        ("a.bin", &bytes),
        ("a.dd", &bytes),
        ("a.wic", &bytes),
        ("a.raw", &bytes),
        ("noextension", &bytes),
        ("a.gz", &bytes),
        ("a.img", &gz),
        ("wrong.xz", &gz),
        ("a.wic.zst", &xz),
        ("b", &zst),
    ] {
        let fixture = fixture(name);
        fixture.put(name, content);
        let report = fixture.build("out").unwrap();
        assert_eq!(report.findings.iter().map(|it| it.rule).collect::<Vec<_>>(), ["IMAGE-PADDED"], "{name}");
        assert!(report.findings[0].text.contains(&format!("it has {} bytes; 412 zeros", bytes.len())));
        assert!(assemble(&fixture, "out", &report.manifest) == filled, "{name}");
    }
}

#[test]
fn what_publishers_append_is_no_damage() {
    let bytes = noise(1, 3 << 20);
    for (tool, arguments) in [("gzip", &[][..]), ("xz", &[]), ("zstd", &["-q"])] {
        let members = [pack(tool, arguments, &bytes[..1 << 20]), pack(tool, arguments, &bytes[1 << 20..])];
        let zeros = vec![0; 100_004];
        let metadata = b"signed by a publisher".to_vec();
        let tries: [(&[&[u8]], &[&str]); 4] = [
            (&[&members[0], &members[1], &zeros], &[]),
            (&[&members[0], &zeros, &members[1]], &[]),
            (&[&members[0], &members[1], &metadata], &["IMAGE-APPENDED"]),
            (&[&members[0], &members[1], &zeros, &metadata], &["IMAGE-APPENDED"]),
        ];
        for (pieces, rules) in tries {
            let fixture = fixture("a");
            fixture.put("a", &pieces.concat());
            let report = fixture.build("out").unwrap_or_else(|error| panic!("{tool}: {}", error.chain()));
            assert_eq!(report.findings.iter().map(|it| it.rule).collect::<Vec<_>>(), rules, "{tool}");
            assert!(assemble(&fixture, "out", &report.manifest) == bytes, "{tool}");
        }
        // The control: a member whose beginning is damaged is not something appended.
        let mut damaged = [&members[0][..], &members[1], &members[0]].concat();
        damaged[members[0].len()] ^= 1;
        let fixture = fixture("a");
        fixture.put("a", &damaged);
        assert!(fixture.refused("out").contains("damage or an early end"), "{tool}");
    }
}

#[test]
fn memory_for_unpacking_has_a_limit_that_can_be_raised() {
    let bytes = noise(1, 1 << 20);
    for (tool, arguments, needed_mib) in
        [("xz", &["--lzma2=preset=0,dict=96MiB"][..], 97), ("zstd", &["-q", "--ultra", "--long=27", "-1"], 128)]
    {
        // Through a pipe the size is not known, so that zstd keeps its window.
        let fixture = fixture("a");
        fixture.put("a", &pack(tool, arguments, &bytes));
        fixture.edit("path = \"a\"", "path = \"a\", memory-mib = 64");
        let error = fixture.build("out").unwrap_err();
        assert_eq!(error.kind(), platen_author::AuthorErrorKind::Definition);
        let said = error.to_string();
        assert!(said.contains(&format!("needs {needed_mib} MiB of memory, at most 64 are allowed")), "{said}");
        assert!(!said.contains("damage"), "{said}");
        fixture.edit("memory-mib = 64", &format!("memory-mib = {needed_mib}"));
        assert!(assemble(&fixture, "out", &fixture.build("out").unwrap().manifest) == bytes, "{tool}");
    }
}

/// An image with partitions made by sgdisk or sfdisk, and some data in the first.
fn partitioned(fixture: &Fixture, size_bytes: u64, commands: &[&[&str]]) {
    let path = fixture.path("disk.img");
    File::create(&path).unwrap().set_len(size_bytes).unwrap();
    for command in commands {
        common::run(Command::new(command[0]).args(&command[1..]).arg(&path));
    }
    File::options().write(true).open(&path).unwrap().write_all_at(&noise(7, 9000), 1 << 20).unwrap();
}

#[test]
fn what_a_drive_must_have_room_for_is_known() {
    let image = |size_bytes, commands: &[&[&str]]| {
        let fixture = fixture("disk.img");
        partitioned(&fixture, size_bytes, commands);
        let report = fixture.build("out").unwrap();
        let rules: Vec<_> = report.findings.iter().map(|it| it.rule).collect();
        (report.manifest.image.unwrap(), rules)
    };
    // Zeros in no partition need no room; a partition that reaches into them does.
    let sfdisk = |end: &str| format!("echo 'start=2048, size={end}' | sfdisk -q \"$0\"");
    let (short, long) = (sfdisk("4096"), sfdisk("40960"));
    let (found, rules) = image(64 * MIB, &[&["sh", "-c", &short]]);
    assert_eq!((found.needed_bytes(), rules.len()), (3 * MIB, 0));
    let (found, _) = image(64 * MIB, &[&["sh", "-c", &long]]);
    assert_eq!((found.size_bytes, found.needed_bytes()), (64 * MIB, 21 * MIB));
    // A GUID partition table has its copy at the end.
    let gpt: &[&str] = &["sgdisk", "-n", "1:2048:+8M"];
    let (found, rules) = image(64 * MIB, &[gpt]);
    assert_eq!((found.needed_bytes, rules), (None, vec!["IMAGE-GPT-END"]));
    // Cut short behind the data: the drive must have room for the partition.
    let (found, rules) = image(64 * MIB, &[&["sh", "-c", &long], &["truncate", "-s", "3M"]]);
    assert_eq!((found.size_bytes, rules), (21 * MIB, vec!["IMAGE-SHORT"]));
}

#[test]
fn an_image_that_grows_has_no_copy_of_its_table() {
    let fixture = fixture("disk.img");
    partitioned(&fixture, 64 * MIB, &[&["sgdisk", "-n", "1:2048:+8M"]]);
    fixture.edit("path = \"disk.img\"", "path = \"disk.img\", grow = true");
    let report = fixture.build("out").unwrap();
    assert_eq!(report.findings, []);
    let image = report.manifest.image.clone().unwrap();
    assert_eq!(image.needed_bytes(), 9 * MIB);
    assert!(assemble(&fixture, "out", &report.manifest)[63 * MIB as usize..].iter().all(|byte| *byte == 0));
    let mut damaged = fs::read(fixture.path("disk.img")).unwrap();
    damaged[512 + 60] ^= 1;
    for bytes in [noise(1, 4096), damaged] {
        fixture.put("disk.img", &bytes);
        assert!(fixture.refused("second").contains("expected a GUID partition table whose checksums hold"));
    }
}

#[test]
fn an_image_for_other_sectors_is_known_by_its_table() {
    // As a drive with 4096-byte sectors has it: the header in its second sector.
    let fixture = fixture("disk.img");
    let mut bytes = vec![0; 8 << 20];
    bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
    let header = &mut bytes[4096..4096 + 92];
    header[..8].copy_from_slice(b"EFI PART");
    for (at, value) in [(24, 1u64), (32, 2047), (40, 6), (48, 2041), (72, 2), (80, 128 | 128 << 32)] {
        header[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }
    bytes[8192..8208].fill(7);
    bytes[8192 + 32..8192 + 40].copy_from_slice(&256u64.to_le_bytes());
    bytes[8192 + 40..8192 + 48].copy_from_slice(&1000u64.to_le_bytes());
    fixture.put("disk.img", &bytes);
    let report = fixture.build("out").unwrap();
    assert_eq!(report.manifest.image.unwrap().sector_bytes, Some(4096));
    assert_eq!(report.findings.iter().map(|it| it.rule).collect::<Vec<_>>(), ["IMAGE-SECTORS", "IMAGE-GPT-END"]);

    // A FAT volume with no table around it.
    let path = fixture.path("disk.img");
    for (sector, expected) in [("4096", Some(4096)), ("512", None)] {
        fs::remove_file(&path).unwrap();
        common::run(Command::new("mkfs.fat").args(["-C", "-S", sector]).arg(&path).arg("40000"));
        assert_eq!(fixture.build("out").unwrap().manifest.image.unwrap().sector_bytes, expected);
    }

    // The boot sector of a file system that is not known: code where partitions would stand.
    let mut bytes = noise(1, 1 << 20);
    bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
    bytes[446] = 0x33;
    fixture.put("disk.img", &bytes);
    let image = fixture.build("out").unwrap().manifest.image.unwrap();
    assert_eq!((image.size_bytes, image.needed_bytes), (1 << 20, None));
}

#[test]
fn an_image_that_is_written_to_while_it_is_read_is_never_signed() {
    // In place, as large as before, and once with its time set back.
    for set_back in [false, true] {
        let fixture = fixture("disk.img");
        fixture.put("disk.img", &noise(1, 8 << 20));
        let path = fixture.path("disk.img");
        let once = std::cell::Cell::new(false);
        let progress = move |_| {
            if !once.replace(true) {
                let file = File::options().write(true).open(&path).unwrap();
                let modified = file.metadata().unwrap().modified().unwrap();
                file.write_all_at(b"overwritten", 6 << 20).unwrap();
                if set_back {
                    file.set_modified(modified).unwrap();
                }
            }
        };
        let options = platen_author::BuildOptions { progress: Some(Box::new(progress)), ..common::options() };
        let error = fixture.build_with("out", &options).unwrap_err();
        assert!(matches!(error, platen_author::AuthorError::Changed { .. }), "{}", error.chain());
        assert!(error.to_string().contains("disk.img: expected "), "{error}");
        assert!(fixture.media("out").is_empty());
        assert_eq!(fixture.build("out").unwrap().findings, [], "the control: nobody writes");
    }
}

#[test]
fn a_zero_image_has_no_data_and_a_large_one_takes_no_time() {
    let fixture = fixture("disk.img");
    let file = File::create(fixture.path("disk.img")).unwrap();
    file.set_len(2_000_000_000_000).unwrap();
    drop(file);
    let manifest = fixture.build("out").unwrap().manifest;
    let image = manifest.image.unwrap();
    assert_eq!((image.size_bytes, image.parts.len(), manifest.blobs.len()), (2_000_000_000_000, 0, 0));
}
