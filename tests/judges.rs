// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Outside judges on drives the program wrote: their word counts, not our own reader's.

use std::collections::BTreeMap;
use std::path::Path;

use crate::common::{Station, tool};

/// Every file below `folder`: path and bytes.
pub fn read_tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(folder: &Path, top: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in std::fs::read_dir(folder).expect("lists") {
            let path = entry.expect("lists").path();
            if path.is_dir() {
                walk(&path, top, found);
            } else {
                let name = path.strip_prefix(top).expect("below").to_str().expect("UTF-8").to_owned();
                found.insert(name, std::fs::read(&path).expect("reads"));
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(folder, folder, &mut found);
    found
}

pub fn copy_off(drive: &str, to: &Path) {
    std::fs::create_dir(to).expect("folder");
    // mcopy's exit status means nothing (it is 0 when a file did not fit); what came off is compared.
    tool("mcopy", &["-s", "-p", "-m", "-i", &format!("{drive}@@1048576"), "::/*", to.to_str().expect("UTF-8")]);
}

#[test]
fn a_written_drive_satisfies_every_judge() {
    let station = Station::with_medium();
    for scheme in ["mbr", "gpt"] {
        let drive = station.drive(&format!("{scheme}.img"), 128);
        station.platen(&["write", "TREE", &drive, "--scheme", scheme]).expect(0);

        // The partition as a file of its own, for fsck.fat.
        let volume = station.text(&format!("{scheme}.fat"));
        let bytes = std::fs::read(&drive).expect("reads");
        std::fs::write(&volume, &bytes[1 << 20..127 << 20]).expect("writes");
        let fsck = tool("fsck.fat", &["-n", "-v", &volume]);
        // The file is cut at a whole MiB, as the partition is.
        assert_eq!(fsck.status, 0, "{}{}", fsck.stdout, fsck.stderr);
        let verify = tool("sfdisk", &["--verify", &drive]).expect(0);
        let problems = ["rror", "verlap", "arning"];
        let said = verify.stdout.replace("No errors detected", "");
        assert!(!problems.iter().any(|p| said.contains(p) || verify.stderr.contains(p)), "{verify:?}");
        if scheme == "gpt" {
            let sgdisk = tool("sgdisk", &["-v", &drive]).expect(0);
            assert!(sgdisk.stdout.contains("No problems found"), "{sgdisk:?}");
        }

        let off = station.path(&format!("{scheme}-off"));
        copy_off(&drive, &off);
        let mut found = read_tree(&off);
        for (name, bytes) in read_tree(&station.path("tree")) {
            assert!(found.remove(&name).as_ref() == Some(&bytes), "{name} came off differently");
        }
        let rest: Vec<&String> = found.keys().collect();
        let envelope = ["SHA256SUMS", "SHA256SUMS.minisig", "platen/drive.json", "platen/manifest.json"];
        assert!(envelope.iter().all(|name| found.contains_key(*name)), "{rest:?}");

        let key = station.text("trusted/test-insecure.pub");
        for signed in ["SHA256SUMS", "platen/manifest.json"] {
            let file = off.join(signed);
            tool("minisign", &["-V", "-p", &key, "-m", file.to_str().expect("UTF-8")]).expect(0);
        }
        let sums = format!("cd '{}' && sha256sum --check --strict SHA256SUMS", off.display());
        tool("sh", &["-c", &sums]).expect(0);

        // Controls: the judges see a change.
        std::fs::write(off.join("readme.txt"), b"hellO\n").expect("writes");
        assert_ne!(tool("sh", &["-c", &sums]).status, 0);
        let mut damaged = bytes;
        let fat = (1 << 20) + 512 * u16::from_le_bytes([damaged[(1 << 20) + 14], damaged[(1 << 20) + 15]]) as usize;
        damaged[fat + 12..fat + 16].copy_from_slice(&[0xf7, 0xff, 0xff, 0x0f]); // a bad cluster inside a file
        std::fs::write(&volume, &damaged[1 << 20..127 << 20]).expect("writes");
        assert_ne!(tool("fsck.fat", &["-n", &volume]).status, 0);
    }
}

#[test]
fn two_drives_of_one_medium_have_different_numbers() {
    let station = Station::with_medium();
    let (a, b) = (station.drive("a.img", 128), station.drive("b.img", 128));
    station.platen(&["write", "TREE", &a, &b]).expect(0);
    let number = |drive: &str, at: usize| std::fs::read(drive).expect("reads")[at..at + 4].to_vec();
    assert_ne!(number(&a, 440), number(&b, 440), "disk signature");
    assert_ne!(number(&a, (1 << 20) + 67), number(&b, (1 << 20) + 67), "volume serial");
    station.platen(&["verify", &a, &b]).expect(0);
}

#[test]
fn the_cache_and_the_layout_are_read_by_skopeo() {
    let station = Station::with_medium();
    for folder in ["layout", "cache"] {
        let reference = format!("oci:{}:TREE-r1", station.text(folder));
        let inspected = tool("skopeo", &["inspect", "--raw", &reference]).expect(0);
        assert!(inspected.stdout.contains("application/vnd.platen.media.v1"), "{}", inspected.stdout);
        tool("skopeo", &["inspect", &reference]).expect(0);
    }
    let copy = format!("oci:{}:TREE-r1", station.text("copy"));
    tool("skopeo", &["copy", &format!("oci:{}:TREE-r1", station.text("cache")), &copy]).expect(0);
}

#[test]
fn what_was_written_is_found_again_by_verify_and_inspect() {
    let station = Station::with_medium();
    let drive = station.drive("drive.img", 128);
    station.platen(&["write", "TREE", &drive]).expect(0);
    let inspected = station.platen(&["inspect", &drive]).expect(0);
    for shown in ["TREE-r1", "Test tree", "version    1.0", "signed by", "MBR"] {
        assert!(inspected.stdout.contains(shown), "{shown:?} is not in\n{}", inspected.stdout);
    }
    let volume = format!("{drive}@@1048576");

    // Folders an operating system adds are named, not refused.
    std::fs::write(station.path("IndexerVolumeGuid"), "{0}").expect("writes");
    tool("mmd", &["-i", &volume, "::/System Volume Information"]).expect(0);
    let guid = station.text("IndexerVolumeGuid");
    tool("mcopy", &["-i", &volume, &guid, "::/System Volume Information/"]).expect(0);
    let verified = station.platen(&["verify", &drive]).expect(0);
    assert!(verified.stdout.contains("System Volume Information"), "{}", verified.stdout);

    // A foreign file, a changed file and a missing file are named.
    let foreign = station.text("foreign.txt");
    std::fs::write(&foreign, "x").expect("writes");
    tool("mcopy", &["-i", &volume, &foreign, "::/EVIL.EXE"]).expect(0);
    let refused = station.platen(&["verify", &drive]).expect(1);
    assert!(refused.stdout.contains("EVIL.EXE") && refused.stdout.contains("P-V-004"), "{}", refused.stdout);
    tool("mdel", &["-i", &volume, "::/EVIL.EXE"]).expect(0);
    station.platen(&["verify", &drive]).expect(0);
    tool("mcopy", &["-o", "-i", &volume, &foreign, "::/readme.txt"]).expect(0);
    let refused = station.platen(&["verify", &drive]).expect(1);
    assert!(refused.stdout.contains("readme.txt"), "{}", refused.stdout);
    tool("mdel", &["-i", &volume, "::/readme.txt"]).expect(0);
    let refused = station.platen(&["verify", &drive]).expect(1);
    assert!(refused.stdout.contains("readme.txt: missing"), "{}", refused.stdout);

    let blank = station.drive("blank.img", 64);
    let none = station.platen(&["verify", &blank]).expect(1);
    assert!(none.stdout.contains("P-V-003"), "{}", none.stdout);
}

#[test]
fn raw_images_are_written_and_compared_whole() {
    let station = Station::new();
    let mut image = vec![0u8; 40 << 20];
    for (n, byte) in image[..3 << 20].iter_mut().enumerate() {
        *byte = (n.wrapping_mul(31) >> 7) as u8;
    }
    image[30 << 20..(30 << 20) + 1000].fill(0x77);
    std::fs::write(station.path("disk.img"), &image).expect("writes");
    for (id, compress) in
        [("RAWIMG", None), ("RAWXZ", Some("xz -0")), ("RAWZST", Some("zstd -q")), ("RAWGZ", Some("gzip -1"))]
    {
        let source = match compress {
            None => "disk.img".to_owned(),
            Some(command) => {
                let extension = id.trim_start_matches("RAW").to_lowercase();
                let name = format!("disk.img.{extension}");
                let text = format!("cd '{}' && {command} -c disk.img > {name}", station.text(""));
                tool("sh", &["-c", &text]).expect(0);
                name
            }
        };
        let definition = format!(
            "kind = \"raw\"\nid = \"{id}\"\nname = \"Raw\"\nversion = \"1\"\nrevision = 1\n[image]\npath = \"{source}\"\n"
        );
        std::fs::write(station.path("raw.toml"), definition).expect("writes");
        station.build(&station.path("raw.toml")).expect(0);
        station.platen(&["cache", "import", "layout", id]).expect(0);
        let drive = station.drive("raw-drive.img", 64);
        station.platen(&["write", id, &drive]).expect(0);
        let written = std::fs::read(&drive).expect("reads");
        assert!(written[..image.len()] == image[..], "{id}: the drive is not the image");
        station.platen(&["verify", "--medium", id, &drive]).expect(0);
        let mut changed = written;
        changed[20 << 20] ^= 1;
        std::fs::write(&drive, changed).expect("writes");
        station.platen(&["verify", "--medium", id, &drive]).expect(1);
    }
}

#[test]
fn an_image_that_grows_fits_every_drive_and_one_that_does_not_is_said() {
    let station = Station::new();
    let image = station.text("disk.img");
    let partitions = format!(
        "truncate -s 40M '{image}' && sgdisk -n 1:2048:+4M -t 1:ef00 -n 2:0:+20M '{image}' && \
         head -c 3000000 /dev/zero | tr '\\0' x | dd of='{image}' bs=1M seek=6 conv=notrunc"
    );
    tool("sh", &["-c", &partitions]).expect(0);
    for (id, grow) in [("GROWS", "grow = true"), ("FIXED", "")] {
        let definition = format!(
            "kind = \"raw\"\nid = \"{id}\"\nname = \"Raw\"\nversion = \"1\"\nrevision = 1\n[image]\npath = \"disk.img\"\n{grow}\n"
        );
        std::fs::write(station.path("raw.toml"), definition).expect("writes");
        let built = station.build(&station.path("raw.toml")).expect(0);
        let said = format!("{}{}", built.stdout, built.stderr);
        assert_eq!(said.contains("IMAGE-GPT-END"), grow.is_empty(), "{said}");
        station.platen(&["cache", "import", "layout", id]).expect(0);
    }
    let bytes = std::fs::read(&image).expect("reads");
    for mib in [30, 40, 64] {
        let drive = station.drive("drive.img", mib);
        station.platen(&["write", "GROWS", &drive]).expect(0);
        let judged = tool("sgdisk", &["-v", &drive]).expect(0);
        assert!(judged.stdout.contains("No problems found"), "{mib}: {}", judged.stdout);
        station.platen(&["verify", "--medium", "GROWS", &drive]).expect(0);
        let written = std::fs::read(&drive).expect("reads");
        assert!(written[1 << 20..26 << 20] == bytes[1 << 20..26 << 20], "the partitions are the image's");
        let mut changed = written;
        let last = changed.len() - 512;
        changed[last + 60] ^= 1;
        std::fs::write(&drive, changed).expect("writes");
        station.platen(&["verify", "--medium", "GROWS", &drive]).expect(1);
    }
    let small = station.drive("small.img", 24);
    let refused = station.platen(&["write", "GROWS", &small]);
    assert!(refused.stderr.contains("use a bigger drive") || refused.stdout.contains("P-"), "{}", refused.stderr);
    // The control: the table as it is, on a bigger drive.
    let drive = station.drive("drive.img", 64);
    station.platen(&["write", "FIXED", &drive]).expect(0);
    let judged = tool("sgdisk", &["-v", &drive]);
    assert!(!judged.stdout.contains("No problems found"), "{}", judged.stdout);
}

/// What authoring takes is taken by all that come after it: names that FAT drivers tell apart, the deepest folders,
/// empty ones, and each file's own time.
#[test]
fn names_folders_and_times_come_through() {
    let station = Station::new();
    let names = ["straße.txt", "STRASSE.TXT", "ﬁ.x", "FI.X", "\u{212a}.x", "k.x", "ı", "I", "é", "e\u{301}", "𐐀", "𐐨"];
    let deep = format!("{}deepest", "f/".repeat(64));
    for name in names.iter().copied().chain([deep.as_str(), "old"]) {
        station.files("tree", &[(name, name.as_bytes())]);
    }
    std::fs::create_dir_all(station.path("tree/empty/folder")).expect("folders");
    tool("touch", &["-d", "2001-02-03 04:05:06 UTC", &station.text("tree/old")]).expect(0);
    station.build(&station.define("NAMES", 1, "")).expect(0);
    station.import().expect(0);
    let drive = station.drive("drive.img", 64);
    station.platen(&["write", "NAMES", &drive]).expect(0);
    let verified = station.platen(&["verify", &drive]).expect(0);
    assert!(!verified.stdout.contains("not checked"), "{}", verified.stdout);

    let volume = format!("{drive}@@1M");
    let listed = tool("env", &["TZ=UTC", "mdir", "-i", &volume, "::/old"]).expect(0);
    assert!(listed.stdout.contains("2001-02-03") && listed.stdout.contains("4:05"), "{}", listed.stdout);
    tool("mdir", &["-i", &volume, "::/empty/folder"]).expect(0);
    tool("mrd", &["-i", &volume, "::/empty/folder"]).expect(0);
    let refused = station.platen(&["verify", &drive]).expect(1);
    assert!(refused.stdout.contains("empty/folder/: missing"), "{}", refused.stdout);
}

/// Whatever the shell allows, others can't write to what authoring makes, nor read a secret key.
#[test]
fn an_open_umask_opens_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let station = Station::new();
    station.sample_tree();
    let definition = station.define("TREE", 1, "").to_str().expect("UTF-8").to_owned();
    for command in ["key new other --out .".to_owned(), format!("media build '{definition}' --key other.key --out out")]
    {
        let text = format!("umask 000; exec '{}' {command}", env!("CARGO_BIN_EXE_platen"));
        let mut shell = std::process::Command::new("sh");
        let output = shell.args(["-c", &text]).current_dir(station.dir.path()).output().expect("runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let mode = |path: &std::path::Path| path.metadata().expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&station.path("other.key")), 0o600);
    let mut folders = vec![station.path("out")];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        assert_eq!(mode(&folder) & 0o022, 0, "{}", folder.display());
        for entry in std::fs::read_dir(folder).expect("reads") {
            let path = entry.expect("an entry").path();
            seen += 1;
            if path.is_dir() {
                folders.push(path);
            } else {
                assert_eq!(mode(&path) & 0o022, 0, "{}", path.display());
            }
        }
    }
    assert!(seen > 8, "{seen}");
}

#[test]
fn a_disk_image_on_a_drive_is_known_to_its_station_only() {
    let station = Station::new();
    let image: Vec<u8> = (0..6_u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
    std::fs::write(station.path("disk.img"), &image).expect("writes");
    for id in ["RAWIMG", "RAWTWO"] {
        let definition = format!(
            "kind = \"raw\"\nid = \"{id}\"\nname = \"Raw\"\nversion = \"1\"\nrevision = 1\n[image]\npath = \"disk.img\"\n"
        );
        std::fs::write(station.path("raw.toml"), definition).expect("writes");
        station.build(&station.path("raw.toml")).expect(0);
        std::fs::write(station.path("disk.img"), vec![7; 6 << 20]).expect("writes");
    }
    station.import().expect(0);
    let drive = station.drive("raw-drive.img", 64);
    station.platen(&["write", "RAWIMG", &drive]).expect(0);
    let verified = station.platen(&["verify", &drive]).expect(0);
    assert!(verified.stdout.contains("RAWIMG-r1, compared byte for byte"), "{}", verified.stdout);
    let inspected = station.platen(&["inspect", &drive]).expect(1);
    assert!(inspected.stdout.contains("platen verify --medium RAWIMG-r1"), "{}", inspected.stdout);
    assert!(!inspected.stdout.contains("Write"), "{}", inspected.stdout);

    // The station's cache is gone; the ledger knows what it was.
    std::fs::rename(station.path("cache"), station.path("away")).expect("renames");
    for verb in ["verify", "inspect"] {
        let said = station.platen(&[verb, &drive]).expect(1).stdout;
        assert!(said.contains("RAWIMG-r1 was written here") && said.contains("--medium"), "{said}");
        assert!(!said.contains("Write"), "{said}");
    }
    std::fs::rename(station.path("away"), station.path("cache")).expect("renames");

    let mut changed = std::fs::read(&drive).expect("reads");
    changed[5 << 20] ^= 1;
    std::fs::write(&drive, &changed).expect("writes");
    let refused = station.platen(&["verify", &drive]).expect(1);
    assert!(refused.stdout.contains("RAWIMG-r1: ") && refused.stdout.contains("differs at"), "{}", refused.stdout);
    changed[..4 << 20].fill(0);
    std::fs::write(&drive, &changed).expect("writes");
    let none = station.platen(&["verify", &drive]).expect(1);
    assert!(none.stdout.contains("P-V-003") && none.stdout.contains("only with --medium"), "{}", none.stdout);
}
