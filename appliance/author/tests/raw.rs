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
    assert!(said("a.img", &noise(1, 513)).contains("expected a size that is a multiple of 512 bytes, found 513 bytes"));
    assert!(said("a.iso", &noise(1, 512)).contains("expected a name that ends in .img, .raw, .xz, .zst or .gz"));
    let packed = pack("gzip", &[], &noise(1, 1024));
    assert!(said("a.img", &packed).contains("expected unpacked data, as its name says, found gzip data"));
    assert!(said("a.xz", &packed).contains("expected xz data, as its name says, found gzip data"));
    assert!(said("a.gz", &pack("gzip", &[], &noise(1, 1000))).contains("multiple of 512 bytes, found 1000 bytes"));
    let none = fixture("none.img");
    assert!(none.refused("out").contains("none.img: expected a disk image, found none"));
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
