// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A written drive is changed in one place, then judged from the drive alone.

use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::panic::catch_unwind;

use platen_cache::ContentId;
use platen_engine::plan::{Source, WritePlan};
use platen_engine::verify::{Report, judge};
use platen_events::Code;
use platen_examine::{Depth, examine};
use platen_media::examination::Examination;
use platen_media::manifest::Scheme;
use platen_media::{Timestamp, envelope};

use crate::bench::{Bench, now, only_planned};
use crate::fake::Fake;

/// What `platen verify` (or `inspect`, with [`Depth::Names`]) says.
pub(crate) fn verdict(bench: &Bench, memory: &[u8], sector: u32, depth: Depth) -> Report {
    let found = examine(Cursor::new(memory), memory.len() as u64, depth, &mut |_, _| {});
    let mut drive = Fake::new(memory.to_vec(), sector);
    judge(&mut drive, &found, &bench.keys, now()).unwrap()
}

/// The same for many small changes: the drive is not copied each time.
struct Judge<'a> {
    bench: &'a Bench,
    drive: Fake,
}

impl Judge<'_> {
    /// Some flips make the reader of the file system panic. In production that ends a process of its own, and the
    /// drive is called unreadable.
    fn with_flip(&mut self, at: usize, mask: u8, depth: Depth) -> Report {
        self.drive.memory[at] ^= mask;
        let size = self.drive.memory.len() as u64;
        let found = catch_unwind(|| examine(Cursor::new(&self.drive.memory[..]), size, depth, &mut |_, _| {}));
        let found = found.unwrap_or_else(|_| Examination::default());
        let report = judge(&mut self.drive, &found, &self.bench.keys, now()).unwrap();
        self.drive.memory[at] ^= mask;
        report
    }
}

fn texts(report: &Report) -> String {
    report.problems.iter().map(|problem| format!("{} {}\n", problem.code, problem.text)).collect()
}

fn file_range(plan: &WritePlan, index: u32) -> Option<Range<usize>> {
    let at = |extent: &&platen_engine::plan::PlannedExtent| extent.source == Source::Content(ContentId::file(index));
    let extent = plan.payload().iter().find(at)?;
    Some(extent.offset_bytes as usize..(extent.offset_bytes + extent.len_bytes) as usize)
}

#[test]
fn a_written_drive_is_good_and_says_what_it_is() {
    let bench = Bench::files();
    for (scheme, size, sector) in [
        (Scheme::Mbr, 40 << 20, 512),
        (Scheme::Gpt, 40 << 20, 512),
        (Scheme::Mbr, 300 << 20, 4096),
        (Scheme::Gpt, 300 << 20, 4096),
    ] {
        let plan = bench.plan_for(scheme, size, sector);
        let golden = bench.golden(&plan);
        for depth in [Depth::Content, Depth::Names] {
            let report = verdict(&bench, &golden, sector, depth);
            assert!(report.is_good(), "{scheme} {sector}: {report:?}");
            let medium = report.medium.as_ref().unwrap();
            assert_eq!(
                (medium.id.as_str(), medium.scheme, medium.files),
                ("PLT00001", scheme, bench.media.manifest().files.len())
            );
            assert_eq!(medium.record.as_ref().unwrap().drive.port, "2-1");
            assert_eq!(report.notes.is_empty(), depth == Depth::Content, "{:?}", report.notes);
        }
    }
}

#[test]
fn every_listed_file_changed_by_one_byte_is_named() {
    let bench = Bench::files();
    let manifest = bench.media.manifest();
    let mut tried = 0;
    for scheme in [Scheme::Mbr, Scheme::Gpt] {
        let plan = bench.plan(scheme);
        let mut judge = Judge { bench: &bench, drive: Fake::new(bench.golden(&plan), 512) };
        for (index, file) in manifest.files.iter().enumerate() {
            let Some(range) = file_range(&plan, index as u32) else { continue };
            for at in [range.start, (range.start + range.end) / 2, range.end - 1] {
                let report = judge.with_flip(at, 1, Depth::Content);
                assert!(!report.is_good() && report.problems.len() == 1, "{}: {report:?}", file.path);
                assert!(report.problems[0].text.starts_with(file.path.as_str()), "{report:?}");
                assert_eq!(report.problems[0].code, Code::FileChanged);
                tried += 1;
            }
        }
        assert!(verdict(&bench, &judge.drive.memory, 512, Depth::Content).is_good(), "control");
    }
    eprintln!("{tried} changes in listed files, all named");
}

#[test]
fn every_byte_of_the_signed_envelope_is_looked_at() {
    let bench = Bench::files();
    let plan = bench.plan(Scheme::Mbr);
    let golden = bench.golden(&plan);
    let read = |digest| std::fs::read(bench.cache.layout().blob_path(digest)).unwrap();
    let envelope: [(&str, Vec<u8>); 4] = [
        (envelope::MANIFEST, read(bench.media.signed().manifest_digest())),
        (envelope::MANIFEST_SIGNATURE, bench.media.signed().signature().as_bytes().to_vec()),
        (envelope::SHA256SUMS, read(bench.media.sums().sha256)),
        (envelope::SHA256SUMS_SIGNATURE, bench.media.sums().signature.as_bytes().to_vec()),
    ];
    let mut judge = Judge { bench: &bench, drive: Fake::new(golden.clone(), 512) };
    let (mut tried, mut comment) = (0, 0);
    for (path, bytes) in envelope {
        let start = golden.windows(bytes.len()).position(|window| window == bytes).unwrap();
        let first_line = bytes.iter().position(|&byte| byte == b'\n').unwrap();
        let is_signature = path.ends_with(".minisig");
        let step = if is_signature { 1 } else { 5 };
        for at in (0..bytes.len()).step_by(step) {
            let report = judge.with_flip(start + at, 2, Depth::Names);
            tried += 1;
            if report.is_good() {
                // The first line of a signature is a comment nobody signed, the last byte a line feed.
                assert!(is_signature && (at < first_line || at + 1 == bytes.len()), "{path} at {at}: {report:?}");
                comment += 1;
            } else {
                let code = report.problems[0].code;
                assert!(matches!(code, Code::NotTrusted | Code::NotAMedium | Code::FileChanged), "{report:?}");
            }
        }
    }
    eprintln!("{tried} changes in manifest, sums and signatures: all refused but {comment} in untrusted comments");
}

/// Where a change is meant to pass: the drive's own numbers that no signature covers, and the flag Windows sets,
/// in the backup too.
fn is_free(scheme: Scheme, at: usize, mask: u8) -> bool {
    let signature = scheme == Scheme::Mbr && (440..444).contains(&at);
    let boot_sectors = [1 << 20, (1 << 20) + 6 * 512];
    signature || (boot_sectors.iter().any(|sector| at == sector + 0x41) && mask == 1)
}

#[test]
fn every_byte_of_the_boot_structures_is_looked_at() {
    let bench = Bench::files();
    for scheme in [Scheme::Mbr, Scheme::Gpt] {
        let plan = bench.plan(scheme);
        let golden = bench.golden(&plan);
        let size = golden.len();
        let mut judge = Judge { bench: &bench, drive: Fake::new(golden, 512) };
        let fat = 1 << 20;
        let core = platen_disk::grub::core_lba(scheme) as usize * 512;
        let mut places: Vec<usize> = (0..512).chain(fat..fat + 512).chain(fat + 6 * 512..fat + 7 * 512).collect();
        places.extend((fat + 2 * 512..fat + 3 * 512).chain(fat + 8 * 512..fat + 9 * 512));
        // The core image, the end of it, and the gap after it.
        places.extend((core..fat).step_by(997).chain([core, core + 30_000, core + 30_001, fat - 1]));
        if scheme == Scheme::Gpt {
            let entries = 128 * 128;
            places.extend(512..512 + 512);
            places.extend((1024..1024 + 512).chain((1024..1024 + entries).step_by(13)));
            places.extend(size - 512..size);
            places.extend((size - 512 - entries..size - entries).chain((size - 512 - entries..size - 512).step_by(13)));
        }
        let (mut refused, mut free) = (0, 0);
        for at in places {
            for mask in [1_u8, 0x80] {
                let report = judge.with_flip(at, mask, Depth::Names);
                if report.is_good() {
                    assert!(is_free(scheme, at, mask), "{scheme}: {mask:#x} at {at:#x} passes: {report:?}");
                    free += 1;
                } else {
                    assert!(!is_free(scheme, at, mask), "{scheme}: {mask:#x} at {at:#x}: {report:?}");
                    refused += 1;
                }
            }
        }
        let dirty = judge.with_flip((1 << 20) + 0x41, 1, Depth::Names);
        assert!(dirty.is_good() && dirty.notes.iter().any(|note| note.contains("did not unmount")), "{dirty:?}");
        eprintln!("{scheme}: {refused} changes in boot structures refused, {free} in the drive's own numbers pass");
    }
}

#[test]
fn a_wiped_foreign_or_shortened_drive_is_no_medium() {
    let bench = Bench::files();
    let plan = bench.plan(Scheme::Gpt);
    let golden = bench.golden(&plan);
    let is = |memory: &[u8], code: Code| {
        let report = verdict(&bench, memory, 512, Depth::Content);
        assert!(!report.is_good() && report.problems.iter().any(|problem| problem.code == code), "{code}: {report:?}");
    };
    is(&vec![0; 4 << 20], Code::NotAMedium);
    is(&crate::bench::used(&plan), Code::NotAMedium);
    let mut wiped = golden.clone();
    for range in plan.invalidate() {
        wiped[range.start as usize..range.end as usize].fill(0);
    }
    is(&wiped, Code::NotAMedium);
    // Copied to a smaller or bigger drive: the backup table is not at its end.
    is(&golden[..golden.len() - (1 << 20)], Code::FileChanged);
    let mut bigger = golden.clone();
    bigger.resize(golden.len() + (4 << 20), 0);
    is(&bigger, Code::FileChanged);
    // Somebody else's key; dates.
    let stranger = Bench::files();
    let found = examine(Cursor::new(&golden[..]), golden.len() as u64, Depth::Content, &mut |_, _| {});
    let mut drive = Fake::new(golden.clone(), 512);
    let report = judge(&mut drive, &found, &stranger.keys, now()).unwrap();
    assert_eq!(report.problems[0].code, Code::NotTrusted, "{report:?}");
    // Formatted with other sectors than this drive shows.
    let mut other_sectors = Fake::new(golden.clone(), 4096);
    let report = judge(&mut other_sectors, &found, &bench.keys, now()).unwrap();
    assert!(!report.is_good() && texts(&report).contains("this drive has 4096"), "{report:?}");
}

#[test]
fn dates_are_judged_on_the_drive_too() {
    let (mut manifest, blobs) = crate::media::manifest("PLT00001", 1, &crate::bench::contents(1));
    let until = now().unix_s() + 100;
    manifest.validity.until = Some(Timestamp::from_unix_s(until).into());
    let bench = Bench::with(&manifest, &blobs);
    let golden = bench.golden(&bench.plan(Scheme::Mbr));
    let found = examine(Cursor::new(&golden[..]), golden.len() as u64, Depth::Names, &mut |_, _| {});
    let mut drive = Fake::new(golden, 512);
    for (seconds, code) in [(until, None), (until + 1, Some(Code::Expired)), (1000, Some(Code::NotYetValid))] {
        let report = judge(&mut drive, &found, &bench.keys, Timestamp::from_unix_s(seconds)).unwrap();
        assert_eq!(report.problems.first().map(|problem| problem.code), code, "{report:?}");
    }
}

/// The FAT volume of a drive, for the `fatfs` crate as somebody's operating system.
struct Partition<'a>(&'a mut Cursor<Vec<u8>>);

const START: u64 = 1 << 20;

impl Read for Partition<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes)
    }
}

impl Write for Partition<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Partition<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = if let SeekFrom::Start(at) = to { SeekFrom::Start(at + START) } else { to };
        Ok(self.0.seek(to)? - START)
    }
}

type Change = fn(&fatfs::Dir<'_, Partition<'_>>);

/// Change the volume as an operating system would.
fn changed(memory: &[u8], change: Change) -> Vec<u8> {
    let mut cursor = Cursor::new(memory.to_vec());
    cursor.set_position(START);
    let volume = fatfs::FileSystem::new(Partition(&mut cursor), fatfs::FsOptions::new()).unwrap();
    change(&volume.root_dir());
    volume.unmount().unwrap();
    cursor.into_inner()
}

#[test]
fn what_operating_systems_leave_is_noted_and_good() {
    let bench = Bench::files();
    for scheme in [Scheme::Mbr, Scheme::Gpt] {
        // On a drive that is empty but for the medium: `fatfs` 0.3 does not clear what it makes a folder of.
        let plan = bench.plan(scheme);
        let golden = only_planned(&plan, &bench.golden(&plan));
        let memory = changed(&golden, |root| {
            let folder = root.create_dir("System Volume Information").unwrap();
            folder.create_file("IndexerVolumeGuid").unwrap().write_all(b"{guid}").unwrap();
            root.create_dir(".Trashes").unwrap().create_dir("501").unwrap();
            root.create_file(".Trashes/501/._x").unwrap().write_all(b"x").unwrap();
            root.create_file("._.Trashes").unwrap().write_all(b"apple double").unwrap();
        });
        assert!(memory != golden);
        let report = verdict(&bench, &memory, 512, Depth::Content);
        assert!(report.is_good(), "{scheme}: {report:?}");
        for name in ["System Volume Information", ".Trashes", "._.Trashes"] {
            assert!(report.notes.iter().any(|note| note.starts_with(name)), "{name}: {:?}", report.notes);
        }
    }
}

#[test]
fn added_removed_renamed_and_replaced_files_are_named() {
    let bench = Bench::files();
    let plan = bench.plan(Scheme::Mbr);
    let golden = only_planned(&plan, &bench.golden(&plan));
    let listed = "platen/content/BOOT0001/file1.bin";
    let cases: &[(&str, Change)] = &[
        ("evil.exe: not part", |root| drop(root.create_file("evil.exe").unwrap())),
        ("EFI/BOOT/GRUBX64.EFI: not part", |root| drop(root.create_file("EFI/BOOT/GRUBX64.EFI").unwrap())),
        ("System Volume/x: not part", |root| {
            root.create_dir("System Volume").unwrap().create_file("x").unwrap();
        }),
        ("platen/content/BOOT0001/file1.bin: missing", |root| {
            root.remove("platen/content/BOOT0001/file1.bin").unwrap()
        }),
        ("platen/content/BOOT0001/file1.bin: missing", |root| {
            root.rename("platen/content/BOOT0001/file1.bin", root, "platen/content/BOOT0001/other.bin").unwrap();
        }),
        ("platen/content/BOOT0001/other.bin: not part", |root| {
            root.rename("platen/content/BOOT0001/file1.bin", root, "platen/content/BOOT0001/other.bin").unwrap();
        }),
        ("platen/content/BOOT0001/file1.bin: expected 411 bytes, found 400", |root| {
            let mut file = root.open_file("platen/content/BOOT0001/file1.bin").unwrap();
            file.seek(SeekFrom::Start(400)).unwrap();
            file.truncate().unwrap();
        }),
        ("platen/content/BOOT0001/empty.txt: expected 0 bytes, found 1", |root| {
            root.open_file("platen/content/BOOT0001/empty.txt").unwrap().write_all(b"x").unwrap();
        }),
        ("SHA256SUMS or its signature is missing", |root| root.remove("SHA256SUMS").unwrap()),
        ("no manifest and signature", |root| root.remove("platen/manifest.json").unwrap()),
    ];
    for (expected, change) in cases {
        let memory = changed(&golden, *change);
        let report = verdict(&bench, &memory, 512, Depth::Content);
        assert!(!report.is_good() && texts(&report).contains(expected), "{expected}: {report:?}");
    }
    assert!(texts(&verdict(&bench, &golden, 512, Depth::Content)).is_empty(), "control for {listed}");
}

/// A second entry of the same name, before or after the listed one: firmware takes the first, a map the last.
#[test]
fn two_files_of_one_name_are_refused() {
    let bench = Bench::files();
    let plan = bench.plan(Scheme::Mbr);
    let golden = only_planned(&plan, &bench.golden(&plan));
    // Made under another name, then renamed on the raw bytes: "GRUB.CFX" has a short name only.
    let evil = b"set root=evil\n";
    let mut memory = changed(&golden, |root| {
        root.create_file("boot/grub/GRUB.CFX").unwrap().write_all(b"set root=evil\n").unwrap();
    });
    let at = (0..memory.len() - 32).step_by(32).find(|at| memory[*at..at + 11] == *b"GRUB    CFX").unwrap();
    memory[at + 10] = b'G';
    let found = examine(Cursor::new(&memory[..]), memory.len() as u64, Depth::Content, &mut |_, _| {});
    let twins: Vec<_> =
        found.files.iter().filter(|file| file.path.eq_ignore_ascii_case("boot/grub/grub.cfg")).collect();
    assert_eq!(twins.len(), 2, "{twins:?}");
    let report = verdict(&bench, &memory, 512, Depth::Content);
    assert!(!report.is_good(), "in capitals: {report:?}");
    // The same letters: swap the contents' entries so that each of the two comes last once.
    let lower =
        (0..memory.len() - 32).step_by(32).find(|other| *other != at && memory[*other..other + 11] == *b"GRUB    CFG");
    let lower = lower.unwrap();
    assert!(memory[lower - 32 + 11] == 0x0f || memory[lower + 12] & 0x18 != 0, "written in small letters");
    for swapped in [false, true] {
        let mut memory = memory.clone();
        // Bits 3 and 4 of byte 12: base name and extension in small letters.
        memory[at + 12] = 0x18;
        if memory[lower - 32 + 11] != 0x0f {
            memory[lower + 12] = 0x18;
        }
        if swapped {
            let (one, other) = (memory[at + 20..at + 32].to_vec(), memory[lower + 20..lower + 32].to_vec());
            memory[at + 20..at + 32].copy_from_slice(&other);
            memory[lower + 20..lower + 32].copy_from_slice(&one);
        }
        let report = verdict(&bench, &memory, 512, Depth::Content);
        assert!(!report.is_good(), "swapped {swapped}: {report:?}");
        assert!(texts(&report).contains("boot/grub/grub.cfg: "), "{report:?}");
    }
    assert!(memory.windows(evil.len()).any(|window| window == evil));
}

#[test]
fn a_read_error_while_judging_is_an_error_not_a_verdict() {
    let bench = Bench::files();
    let golden = bench.golden(&bench.plan(Scheme::Mbr));
    let found = examine(Cursor::new(&golden[..]), golden.len() as u64, Depth::Content, &mut |_, _| {});
    let mut drive = Fake::new(golden, 512);
    drive.fault = crate::fake::Fault::FailRead(1);
    let error = judge(&mut drive, &found, &bench.keys, now()).unwrap_err();
    assert!(format!("{error:?}").contains("Read"), "{error:?}");
}
