// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Bad input: a clear error that names the culprit, the right exit status, and nothing written or lost.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::process::Command;
use std::time::Instant;

use platen_events::{Code, Verdict};
use platen_testkit::mount::SmallDisk;
use platen_testkit::need;

use crate::common::{Ran, Station, assert_no_medium, tool};
use crate::guard::{Loop, ext4, in_own_mounts};
use platen_testkit::record::Recorded;

/// Run `act`; the drive must be byte for byte what it was.
#[track_caller]
fn untouched(drive: &str, act: impl FnOnce() -> Ran) -> Ran {
    let before = std::fs::read(drive).expect("reads");
    let ran = act();
    assert!(before == std::fs::read(drive).expect("reads"), "{drive} was changed");
    ran
}

#[test]
fn unknown_or_mistyped_fields_are_named_with_their_line() {
    let station = Station::new();
    station.sample_tree();
    for (more, culprits) in [
        ("lable = \"X\"", &["lable", "line"][..]),
        ("media-size = \"5GB\"", &["media-size", "8GB"][..]),
        ("comment = 7", &["comment"][..]),
        ("valid-from = 2027-01-01\nvalid-until = 2026-01-01", &["valid"][..]),
    ] {
        station.build(&station.define("BAD", 1, more)).refused(2, culprits);
        assert!(!station.path("layout/index.json").exists() || !station.import().stdout.contains("BAD"));
    }
    let definition = station.define("BAD", 1, "");
    let text = std::fs::read_to_string(&definition).expect("reads");
    std::fs::write(&definition, text.replace("TESTTREE", "TWELVE CHARS")).expect("writes");
    station.build(&definition).refused(2, &["label", "11"]);
    let missing = station.text("nowhere.toml");
    station.platen(&["media", "lint", &missing]).refused(2, &["nowhere.toml"]);
}

#[test]
fn names_that_fat_or_windows_cannot_hold_are_refused_by_name() {
    let long = "x".repeat(255); // 255 bytes are the host's limit; 255 UTF-16 units are still legal
    let cases: &[(&[u8], &str)] = &[
        (b"CON", "CON"),
        (b"aux.txt", "aux.txt"),
        (b"folder/LPT1.dat", "LPT1.dat"),
        (b"dot.", "dot."),
        (b"space ", "space "),
        (b"what?", "what?"),
        (b"a:b", "a:b"),
        (b"back\\slash", "slash"),
        (b"latin-\xe9.txt", "latin-"),
    ];
    for (name, culprit) in cases {
        let station = Station::new();
        station.sample_tree();
        let path = station.path("tree").join(std::ffi::OsStr::from_bytes(name));
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        std::fs::write(&path, b"x").expect("writes");
        station.build(&station.define("BAD", 1, "")).refused(2, &[culprit]);
    }
    let station = Station::new();
    station.files("tree", &[("Readme.txt", b"1"), ("README.TXT", b"2"), (&long, b"3")]);
    station.build(&station.define("BAD", 1, "")).refused(2, &["Readme.txt", "README.TXT"]);
    std::fs::remove_file(station.path("tree/README.TXT")).expect("removes");
    station.build(&station.define("GOOD", 1, "")).expect(0);
}

#[test]
fn what_is_no_plain_file_is_refused_by_name() {
    let station = Station::new();
    station.sample_tree();
    symlink("/etc/passwd", station.path("tree/link")).expect("links");
    station.build(&station.define("BAD", 1, "")).refused(2, &["link"]);
    std::fs::remove_file(station.path("tree/link")).expect("removes");
    tool("mkfifo", &[&station.text("tree/pipe")]).expect(0);
    station.build(&station.define("BAD", 1, "")).refused(2, &["pipe"]);
}

#[test]
fn one_file_over_4_gib_is_refused_before_anything_is_written() {
    let station = Station::new();
    station.sample_tree();
    let huge = std::fs::File::create(station.path("tree/sources/huge.vhdx")).expect("creates");
    huge.set_len(1 << 32).expect("sparse");
    station.build(&station.define("BAD", 1, "")).refused(2, &["sources/huge.vhdx", "4294967296"]);
    let written = std::fs::read_dir(station.path("layout/blobs/sha256")).map_or(0, Iterator::count);
    assert_eq!(written, 0, "blobs were written before the refusal");
}

#[test]
fn signatures_that_do_not_hold_are_refused_by_policy() {
    let station = Station::new();
    station.sample_tree();
    station.build(&station.define("TREE", 1, "")).expect(0);
    // By another key.
    let other = Station::new();
    std::fs::copy(other.path("trusted/test-insecure.pub"), station.path("other.pub")).expect("copies");
    let import = ["cache", "import", "layout", "--trust", "other.pub"];
    station.platen(&import).refused(3, &["TREE-r1", "signed by key"]);
    // No keys at all is the machine's fault.
    std::fs::create_dir(station.path("no-keys")).expect("folder");
    station.platen(&["cache", "import", "layout", "--trust", "no-keys"]).refused(4, &["no-keys", "no trusted key"]);
    assert!(!station.path("cache/index.json").exists() || !station.platen(&["cache", "list"]).stdout.contains("TREE"));
}

#[test]
fn a_changed_layout_is_refused_with_its_culprit() {
    let station = Station::new();
    station.sample_tree();
    station.build(&station.define("TREE", 1, "")).expect(0);
    let blobs = station.path("layout/blobs/sha256");
    for (tried, entry) in std::fs::read_dir(&blobs).expect("lists").enumerate() {
        let path = entry.expect("lists").path();
        let good = std::fs::read(&path).expect("reads");
        let mut bad = good.clone();
        let at = bad.len() / 2;
        bad[at] ^= 1;
        std::fs::write(&path, &bad).expect("writes");
        // Content that is in the cache already is not taken from the layout, so each try needs an empty one.
        let ran = station.platen(&["cache", "import", "layout", "--cache", &format!("cache-{tried}")]);
        assert!([2, 3].contains(&ran.status), "{}: {ran:?}", path.display());
        std::fs::write(&path, &good).expect("writes");
    }
    station.import().expect(0);
}

#[test]
fn an_older_revision_is_refused_after_a_newer_one_was_seen() {
    let station = Station::new();
    station.sample_tree();
    station.build(&station.define("TREE", 1, "")).expect(0);
    std::fs::rename(station.path("layout"), station.path("layout-old")).expect("renames");
    station.build(&station.define("TREE", 2, "")).expect(0);
    station.platen(&["cache", "import", "layout-old"]).expect(0);
    station.import().expect(0);
    // Both are there, but the old one may no longer be imported or written.
    station.platen(&["cache", "import", "layout-old"]).refused(3, &["revision 1", "revision 2"]);
    let drive = station.drive("drive.img", 128);
    untouched(&drive, || station.platen(&["write", "TREE-r1", &drive])).refused(3, &["P-M-004", "revision 1"]);
    station.platen(&["write", "TREE", &drive]).expect(0);
}

#[test]
fn expired_media_are_refused_by_policy() {
    let station = Station::new();
    station.sample_tree();
    station.build(&station.define("OLD", 1, "valid-until = 2026-11-02")).expect(0);
    station.import().expect(0);
    let drive = station.drive("drive.img", 128);
    untouched(&drive, || station.platen(&["write", "OLD", &drive])).refused(3, &["P-M-003", "OLD-r1", "2026-11-02"]);
}

#[test]
fn missing_content_is_listed_completely() {
    let station = Station::with_medium();
    let blobs = station.path("cache/blobs/sha256");
    let mut gone = 0;
    for entry in std::fs::read_dir(&blobs).expect("lists") {
        let entry = entry.expect("lists");
        // Content only: the small JSON files lead to it.
        if entry.metadata().expect("metadata").len() > 50_000 {
            std::fs::remove_file(entry.path()).expect("removes");
            gone += 1;
        }
    }
    assert_eq!(gone, 2, "the pack and the big file");
    let drive = station.drive("drive.img", 128);
    let ran = untouched(&drive, || station.platen(&["write", "TREE", &drive]));
    ran.refused(2, &["P-C-002", "sources/big.bin", "3 files"]);
}

#[test]
fn drives_that_cannot_be_used_are_refused_and_the_others_left_alone() {
    let station = Station::with_medium();
    let good = station.drive("good.img", 128);
    let write = |bad: &str| untouched(&good, || station.platen(&["write", "TREE", &good, bad]));

    write(&station.drive("tiny.img", 8)).refused(2, &["P-D-001", "8388608"]);
    write(&station.text("nowhere.img")).refused(2, &["P-D-005", "nowhere.img"]);
    assert!(!station.path("nowhere.img").exists(), "nothing is ever created");
    write(&station.text("trusted")).refused(2, &["P-D-005", "a folder"]);
    write("/dev/null").refused(2, &["P-D-005", "character device"]);
    // Another program works on it.
    let held = std::fs::File::options().write(true).open(station.drive("held.img", 128)).expect("opens");
    held.lock().expect("locks");
    write(&station.text("held.img")).refused(2, &["P-D-003", "held.img", "locked"]);

    let read_only = station.drive("read-only.img", 128);
    std::fs::set_permissions(&read_only, std::fs::Permissions::from_mode(0o444)).expect("sets the mode");
    // Root ignores permissions; the immutable flag is what root can't write past.
    let flagged = tool("chattr", &["+i", &read_only]).status == 0;
    write(&read_only).refused(2, &["P-D-002", "read-only.img"]);
    if flagged {
        tool("chattr", &["-i", &read_only]).expect(0);
    }

    let locked = std::fs::File::open(station.drive("busy.img", 128)).expect("opens");
    locked.lock().expect("locks");
    write(&station.text("busy.img")).refused(2, &["P-D-003", "busy.img"]);

    station.files("tree", &[("filler.bin", &vec![1; 60 << 20])]);
    station.build(&station.define("TREE", 2, "")).expect(0);
    station.import().expect(0);
    write(&station.drive("small.img", 64)).refused(2, &["P-D-001", "needed", "available"]);
}

#[test]
fn disks_that_are_no_removable_usb_drives_are_refused() {
    if !need::root() {
        return;
    }
    let station = Station::with_medium();
    let backing = station.drive("loop.img", 128);
    let device = Loop::over(&backing);
    let name = &device.0;
    untouched(&backing, || station.platen(&["write", "TREE", name])).refused(3, &["P-D-004", "--allow-device"]);
    untouched(&backing, || station.platen(&["write", "TREE", &backing])).refused(2, &["P-D-003", name]);
    station.platen(&["write", "TREE", name, "--allow-device", name]).expect(0);
    station.platen(&["verify", name]).expect(0);
}

#[test]
fn a_disk_this_computer_runs_from_is_refused_even_when_it_is_allowed() {
    if !need::root() {
        return;
    }
    let station = Station::with_medium();
    let image = ext4(&station, "system.img");
    let device = Loop::over(&image);
    let write = ["write", "TREE", &*device.0, "--allow-device", &*device.0];
    for (place, status, culprits) in [
        // Of these a computer runs.
        ("/opt", 3, ["P-D-004", "system disk", "/opt"]),
        ("/home", 3, ["P-D-004", "system disk", "/home"]),
        // The same disk in use, but not by the system.
        ("/mnt", 2, ["P-D-003", "in use", "/mnt"]),
    ] {
        let mount = format!("mount -o ro,noload {} {place}", device.0);
        untouched(&image, || in_own_mounts(&station, &mount, &write)).refused(status, &culprits);
    }
    // Control: nothing is mounted any more.
    station.platen(&write).expect(0);
}

#[test]
fn a_drive_that_vanishes_in_mid_write_fails_alone() {
    let station = Station::with_medium();
    let (stays, goes) = (station.drive("stays.img", 128), station.drive("goes.img", 128));
    // Removing the file is what pulling is for an image file: it is no longer where it was opened.
    let child =
        station.command(&["write", "TREE", &stays, &goes, "--json"]).stdout(std::process::Stdio::piped()).spawn();
    let mut child = child.expect("starts");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().expect("piped")));
    let mut events = Vec::new();
    for line in lines.by_ref() {
        let line = line.expect("UTF-8");
        // Drives are jobs in the order in which they were named.
        let gone = line.contains("\"step\":\"write\"") && line.contains("\"job\":2");
        events.push(line);
        if gone {
            break;
        }
    }
    std::fs::remove_file(&goes).expect("removes");
    events.extend(lines.map(|line| line.expect("UTF-8")));
    assert_eq!(child.wait().expect("ends").code(), Some(1), "{events:#?}");
    let recorded = Recorded::read(&(events.join("\n") + "\n"));
    let mut ends = recorded.ends();
    ends.sort_by_key(|(label, ..)| label.port.clone());
    let verdicts: Vec<(&str, &Verdict)> = ends.iter().map(|(label, _, end)| (&*label.port, &end.verdict)).collect();
    assert_eq!(verdicts, [("goes.img", &Verdict::of_code(Code::Vanished)), ("stays.img", &Verdict::Ready)]);
    station.platen(&["verify", &stays]).expect(0);
}

#[test]
fn a_killed_write_leaves_no_medium_and_the_next_one_works() {
    let station = Station::with_medium();
    let drive = station.drive("drive.img", 128);
    // A medium is on it, so that what is left could be mistaken for one.
    station.platen(&["write", "TREE", &drive]).expect(0);
    let started = Instant::now();
    station.platen(&["write", "TREE", &drive]).expect(0);
    let whole = started.elapsed();
    let mut finished = 0;
    for n in 0..24u32 {
        let mut child = station.command(&["write", "TREE", &drive]).spawn().expect("starts");
        std::thread::sleep(whole * n / 24);
        child.kill().expect("kills");
        let ended = child.wait().expect("ends");
        let verified = station.platen(&["verify", &drive]);
        // Killed before it began to write, or after the seal, the drive is a whole medium; in between it is none.
        if verified.status == 0 {
            finished += 1;
        } else {
            assert!(verified.stdout.contains("P-V-003"), "{ended:?}: {}", verified.stdout);
            // Killed in the middle of sealing, the file system may be there already; the partition table comes last.
            let zero = std::fs::read(&drive).expect("reads")[..512].to_vec();
            assert_ne!(zero[510..], [0x55, 0xaa], "a killed write left a partition table");
        }
    }
    assert!(finished < 24, "no kill fell into the writing; the test sees nothing");
    station.platen(&["write", "TREE", &drive]).expect(0);
    station.platen(&["verify", &drive]).expect(0);
    station.platen(&["ledger", "check"]).expect(0);
}

#[test]
fn a_full_disk_under_the_cache_is_named_and_nothing_is_lost() {
    let station = Station::with_medium();
    station.build(&station.define("SECOND", 1, "")).expect(0);
    let Some(disk) = SmallDisk::mount(&station.path("small-disk"), "6m") else { return };
    let import = ["cache", "import", "layout", "SECOND", "--cache", "small-disk/cache"];
    station.platen(&import).refused(4, &["small-disk", "bytes are needed"]);
    let listed = station.platen(&["cache", "list", "--cache", "small-disk/cache"]).expect(0);
    assert!(!listed.stdout.contains("SECOND"));
    drop(disk);
    station.platen(&["cache", "scrub"]).expect(0);
}

#[test]
fn cache_rot_never_reaches_a_drive() {
    let station = Station::with_medium();
    let drive = station.drive("drive.img", 128);
    for entry in std::fs::read_dir(station.path("cache/blobs/sha256")).expect("lists") {
        let path = entry.expect("lists").path();
        let file = std::fs::File::options().read(true).write(true).open(&path).expect("opens");
        let at = file.metadata().expect("metadata").len() / 2;
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).expect("reads");
        file.write_all_at(&[byte[0] ^ 0x10], at).expect("writes");
        let ran = station.platen(&["write", "TREE", &drive]);
        assert!([1, 2, 3].contains(&ran.status), "{}: {ran:?}", path.display());
        assert_no_medium(&drive);
        assert_ne!(station.platen(&["cache", "scrub"]).status, 0, "scrub does not see {}", path.display());
        file.write_all_at(&byte, at).expect("writes");
    }
    station.platen(&["cache", "scrub"]).expect(0);
    station.platen(&["write", "TREE", &drive]).expect(0);
}

#[test]
fn a_ledger_that_cannot_be_written_leaves_no_medium() {
    let station = Station::with_medium();
    let drive = station.drive("drive.img", 128);
    // A full disk: every write to it is refused.
    let mut command: Command = station.command(&["write", "TREE", &drive, "--ledger", "/dev/full"]);
    let status = command.status().expect("runs").code();
    assert!([Some(1), Some(4)].contains(&status), "{status:?}");
    let bytes = std::fs::read(&drive).expect("reads");
    assert_ne!(&bytes[510..512], &[0x55, 0xaa]);
}
