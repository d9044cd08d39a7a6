// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A drive that carries an older release: what may stay stays, what is planned makes it the new release, and whatever
//! the drive says of itself, nothing else comes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::ops::Range;

use platen_cache::ContentId;
use platen_engine::DriveRef;
use platen_engine::plan::{DriveRecord, DriveShape, PlannedExtent, Source, UpdateError, WritePlan, plan, plan_update};
use platen_events::Code;
use platen_examine::{Depth, examine};
use platen_media::examination::Examination;
use platen_media::manifest::{Manifest, Scheme, Validity};
use platen_media::{Timestamp, envelope};
use proptest::prelude::*;

use crate::bench::{Bench, DRIVE_BYTES, IDS, add_bios, contents, now};
use crate::judge::verdict;
use crate::media::{Pack, Signer, manifest, noise};

const NEW_IDS: platen_disk::DriveIds =
    platen_disk::DriveIds { disk_signature: 0x8765_4321, volume_serial: 0x1357_9bdf, ..IDS };

const SHAPES: [(Scheme, u64, u32); 4] = [
    (Scheme::Mbr, DRIVE_BYTES as u64, 512),
    (Scheme::Gpt, DRIVE_BYTES as u64, 512),
    (Scheme::Mbr, 300 << 20, 4096),
    (Scheme::Gpt, 300 << 20, 4096),
];

/// A release of one series, and the station that has it.
pub(crate) fn release(signer: &Signer, revision: u32, packs: &[Pack]) -> Bench {
    let (mut manifest, mut blobs) = manifest("PLT00001", revision, packs);
    add_bios(&mut manifest, &mut blobs);
    Bench::signed(signer, &manifest, &blobs)
}

/// Everything that can happen to a file between two releases.
pub(crate) fn next_contents() -> Vec<Pack> {
    let mut packs = contents(1);
    let files = &mut packs[0].files;
    // Other bytes in as many; more and fewer of them; another name; one gone, two new.
    files[1].1 = noise(501, files[1].1.len());
    files[2].1 = noise(502, 2500);
    files[3].1.truncate(5);
    files[0].0 = "platen/content/BOOT0001/renamed.bin".to_owned();
    files.retain(|(path, _)| !path.ends_with("grub.cfg"));
    files.push(("EFI/BOOT/grubx64.efi".to_owned(), noise(503, 90_001)));
    packs.push(Pack::single("NEW00001", "platen/content/NEW00001/new.wim", noise(504, (2 << 20) + 7)));
    packs
}

pub(crate) fn look(memory: &[u8]) -> Examination {
    let found = examine(Cursor::new(memory), memory.len() as u64, Depth::Places, &mut |_, _| {});
    assert_eq!(found.problems, Vec::<String>::new());
    found
}

pub(crate) fn update(new: &Bench, found: &Examination, shape: DriveShape) -> Result<WritePlan, UpdateError> {
    plan_update(&new.media, shape, found, NEW_IDS, &new.keys, now())
}

fn range(extent: &PlannedExtent) -> Range<u64> {
    extent.offset_bytes..extent.offset_bytes + extent.len_bytes
}

/// What belongs into an extent, from the store and not from the engine.
fn bytes_of(plan: &WritePlan, extent: &PlannedExtent) -> Vec<u8> {
    match &extent.source {
        Source::Bytes(bytes) => bytes.to_vec(),
        Source::Zero => vec![0; extent.len_bytes as usize],
        Source::Markers(_) => unreachable!("no part of a medium"),
        Source::Record => {
            assert_eq!(extent.len_bytes, envelope::DRIVE_RECORD_BYTES);
            let record = DriveRecord {
                schema: 1,
                station: "station".to_owned(),
                drive: DriveRef { port: "2-1".to_owned(), path: "/dev/fake".to_owned() },
                serial: None,
                vendor_product: None,
                size_bytes: None,
                medium: plan.media().unwrap().name().to_owned(),
                version: "1".to_owned(),
                manifest_sha256: plan.media().unwrap().signed().manifest_digest(),
                verified_at: now(),
                verified_bytes: 1,
                read_back: "memory".to_owned(),
                signature: None,
            };
            record.to_bytes()
        }
        Source::Content(name) => {
            let stored = plan.content(*name).unwrap();
            let mut bytes = vec![0; extent.len_bytes as usize];
            plan.media()
                .unwrap()
                .store()
                .open(stored.blob)
                .unwrap()
                .read_exact_at(&mut bytes, stored.offset_bytes)
                .unwrap();
            bytes
        }
    }
}

fn put(plan: &WritePlan, extent: &PlannedExtent, memory: &mut [u8]) {
    memory[extent.offset_bytes as usize..][..extent.len_bytes as usize].copy_from_slice(&bytes_of(plan, extent));
}

/// Writes all of a plan but what should be there, and says how much that was.
fn write_what_is_missing(plan: &WritePlan, memory: &mut [u8]) -> u64 {
    let present: BTreeSet<u64> = plan.present().unwrap().iter().map(|range| range.start).collect();
    let mut written = 0;
    for extent in plan.payload().iter().filter(|e| !present.contains(&e.offset_bytes)).chain(plan.seal()) {
        put(plan, extent, memory);
        written += extent.len_bytes;
    }
    written
}

fn all(plan: &WritePlan) -> impl Iterator<Item = &PlannedExtent> {
    plan.payload().iter().chain(plan.seal())
}

/// It comes from a file of the manifest.
fn is_file(source: &Source) -> bool {
    matches!(source, Source::Content(id) if ![ContentId::MANIFEST, ContentId::SUMS].contains(id))
}

/// What every plan keeps, whatever it was made of.
fn is_sound(plan: &WritePlan) {
    let mut all: Vec<&PlannedExtent> = all(plan).collect();
    for list in [plan.payload(), plan.seal()] {
        assert!(list.windows(2).all(|pair| range(&pair[0]).end <= pair[1].offset_bytes));
    }
    all.sort_by_key(|extent| extent.offset_bytes);
    assert!(all.windows(2).all(|pair| range(pair[0]).end <= pair[1].offset_bytes));
    assert!(range(all.last().unwrap()).end <= plan.shape().size_bytes);
    let contents = plan.payload().iter().filter(|extent| is_file(&extent.source));
    let contents: Vec<Range<u64>> = contents.map(range).collect();
    let sizes = plan.media().unwrap().manifest().files.iter().map(|file| file.size_bytes);
    assert_eq!(contents.iter().map(|r| r.end - r.start).sum::<u64>(), sizes.sum::<u64>());
    let present = plan.present().unwrap();
    assert!(present.windows(2).all(|pair| pair[0].end <= pair[1].start));
    assert!(present.iter().all(|range| contents.contains(range)), "whole contents only");
    // Nothing that should be there is wiped first.
    let wiped = |range: &Range<u64>| plan.invalidate().iter().any(|w| w.start < range.end && range.start < w.end);
    assert!(!present.iter().any(wiped));
}

/// Every planned byte is in its place. (The seal aside, if the engine wrote it: its record is about that writing.)
pub(crate) fn is_written<'a>(
    plan: &WritePlan,
    mut all: impl Iterator<Item = &'a PlannedExtent>,
    memory: &[u8],
) -> bool {
    all.all(|extent| memory[extent.offset_bytes as usize..][..extent.len_bytes as usize] == bytes_of(plan, extent))
}

/// Bytes of the new release that the old one has too, under whatever name.
fn unchanged_bytes(old: &Manifest, new: &Manifest) -> u64 {
    let had: BTreeSet<_> = old.files.iter().map(|file| (file.blake3, file.size_bytes)).collect();
    new.files.iter().filter(|f| had.contains(&(f.blake3, f.size_bytes))).map(|f| f.size_bytes).sum()
}

pub(crate) fn present_bytes(plan: &WritePlan) -> u64 {
    plan.present().unwrap().iter().map(|range| range.end - range.start).sum()
}

/// Where the plan puts each file with bytes.
fn places(plan: &WritePlan) -> BTreeMap<String, u64> {
    let mut places = BTreeMap::new();
    for extent in all(plan) {
        if matches!(extent.source, Source::Content(_) | Source::Record) {
            places.insert(plan.name_of(&extent.source), extent.offset_bytes);
        }
    }
    places
}

/// Counts what is read.
struct Counting<'a>(Cursor<&'a [u8]>, &'a mut u64);

impl Read for Counting<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        *self.1 += bytes.len() as u64;
        self.0.read(bytes)
    }
}

impl Seek for Counting<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

#[test]
fn places_are_where_files_begin_and_cost_nothing() {
    let bench = Bench::files();
    for (scheme, size, sector) in SHAPES {
        let plan = bench.plan_for(scheme, size, sector);
        let golden = bench.golden(&plan);
        let mut read = [0, 0];
        let mut found = [Depth::Names, Depth::Places].into_iter().zip(&mut read).map(|(depth, read)| {
            examine(Counting(Cursor::new(&golden[..]), read), golden.len() as u64, depth, &mut |_, _| {})
        });
        let (names, seen) = (found.next().unwrap(), found.next().unwrap());
        drop(found);
        assert_eq!(read[0], read[1], "nothing is read for it");
        assert!(names.files.iter().all(|file| file.offset_bytes.is_none()));
        let planned = places(&plan);
        for file in &seen.files {
            // Signatures are planned as bytes without a name.
            if !file.path.ends_with(".minisig") {
                assert_eq!(file.offset_bytes, planned.get(&file.path).copied(), "{}", file.path);
            }
            let start = file.offset_bytes.unwrap_or_default() as usize;
            let text = file.text.as_deref().unwrap_or_default();
            assert_eq!(&golden[start..start + text.len()], text.as_bytes(), "{}", file.path);
            assert_eq!(file.offset_bytes.is_none(), file.size_bytes == 0);
        }
        let mut nowhere = seen.clone();
        nowhere.files.iter_mut().for_each(|file| file.offset_bytes = None);
        assert_eq!(nowhere, names, "and nothing else is seen");
        let again: Examination = serde_json::from_slice(&serde_json::to_vec(&seen).unwrap()).unwrap();
        assert_eq!(again, seen);
    }
}

#[test]
fn what_is_missing_makes_the_old_release_the_new_one() {
    let signer = Signer::new();
    let (old, new) = (release(&signer, 1, &contents(1)), release(&signer, 2, &next_contents()));
    for (scheme, size, sector) in SHAPES {
        let before = old.plan_for(scheme, size, sector);
        let mut memory = old.golden(&before);
        let plan = update(&new, &look(&memory), before.shape()).unwrap();
        is_sound(&plan);
        assert_eq!(plan.scheme(), Some(scheme));
        let unchanged = unchanged_bytes(old.media.manifest(), new.media.manifest());
        assert!(present_bytes(&plan) * 100 >= unchanged * 95, "{} of {unchanged}", present_bytes(&plan));
        assert!(unchanged > 4 << 20);
        let written = write_what_is_missing(&plan, &mut memory);
        assert_eq!(written, plan.write_bytes() - present_bytes(&plan));
        assert!(is_written(&plan, all(&plan), &memory));
        let report = verdict(&new, &memory, sector, Depth::Content);
        assert!(report.is_good(), "{report:?}");
        assert_eq!(report.medium.unwrap().revision, 2);

        let (from, to) = (places(&before), places(&plan));
        let stays = |path: &str| from.get(path) == to.get(path);
        assert!(stays("platen/content/BOOT0001/file1.bin"), "other bytes in the same place");
        assert!(stays("platen/content/BOOT0001/file3.bin"), "fewer bytes in the same place");
        assert!(stays(envelope::DRIVE_RECORD));
        assert_eq!(from["platen/content/BOOT0001/file0.bin"], to["platen/content/BOOT0001/renamed.bin"]);
        assert!(is_written(&plan, plan.payload().iter(), &new.golden(&plan)), "the engine writes it");
    }
}

/// Drives that were copied byte for byte would otherwise stay alike, and no computer could tell them apart.
#[test]
fn an_updated_drive_has_numbers_of_its_own() {
    let signer = Signer::new();
    let (old, new) = (release(&signer, 1, &contents(1)), release(&signer, 2, &next_contents()));
    for (scheme, size, sector) in SHAPES {
        let shape = DriveShape { size_bytes: size, sector_bytes: sector };
        let memory = old.golden(&old.plan_for(scheme, size, sector));
        let plan = update(&new, &look(&memory), shape).unwrap();
        assert_eq!(*plan.ids(), NEW_IDS);
        let ids = platen_disk::read_ids(&new.golden(&plan)).unwrap().ids;
        assert_eq!(ids.volume_serial, NEW_IDS.volume_serial);
        if scheme == Scheme::Gpt {
            assert_eq!(ids.disk_guid, NEW_IDS.disk_guid);
        }
    }
}

#[test]
fn the_same_release_is_a_repair() {
    let bench = Bench::files();
    for (scheme, size, sector) in SHAPES {
        let plain = bench.plan_for(scheme, size, sector);
        let mut memory = bench.golden(&plain);
        let plan = update(&bench, &look(&memory), plain.shape()).unwrap();
        is_sound(&plan);
        assert_eq!(plan.payload(), plain.payload(), "nothing moves");
        let files = bench.media.manifest().files.iter().filter(|file| file.size_bytes > 0).count();
        assert_eq!(plan.present().unwrap().len(), files);
        assert!(plan != plain, "what should be there makes a difference");
        assert!(plan == update(&bench, &look(&memory), plain.shape()).unwrap(), "equal inputs, equal plans");
        assert_eq!(plain.present(), None);
        assert!(plan.to_string().contains("should be on the drive already"));
        // A medium that was used: an operating system's folder, a changed boot sector.
        memory[(1 << 20) + 0x41] = 1;
        memory[100] ^= 1;
        write_what_is_missing(&plan, &mut memory);
        assert!(verdict(&bench, &memory, sector, Depth::Content).is_good());
    }
}

#[test]
fn what_was_changed_on_the_drive_is_not_believed_when_it_shows() {
    let signer = Signer::new();
    let (old, new) = (release(&signer, 1, &contents(1)), release(&signer, 2, &contents(1)));
    let before = old.plan(Scheme::Mbr);
    let memory = old.golden(&before);
    let mut found = look(&memory);
    let whole = present_bytes(&update(&new, &found, before.shape()).unwrap());
    let image = "platen/content/OSD00001/install.wim";
    let at = found.files.iter().position(|file| file.path == image).unwrap();
    let size_bytes = found.files[at].size_bytes;
    // Shorter than signed; without a place; not there.
    found.files[at].size_bytes -= 1;
    let less = |found: &Examination| whole - present_bytes(&update(&new, found, before.shape()).unwrap());
    assert_eq!(less(&found), size_bytes);
    found.files[at].size_bytes += 1;
    assert_eq!(less(&found), 0, "control");
    found.files[at].offset_bytes = None;
    assert_eq!(less(&found), size_bytes);
    found.files.remove(at);
    assert_eq!(less(&found), size_bytes);
    // Nothing has a place: an update that writes all of it.
    found.files.iter_mut().for_each(|file| file.offset_bytes = None);
    let plan = update(&new, &found, before.shape()).unwrap();
    assert_eq!(plan.present(), Some(&[][..]));
    assert_eq!(plan.payload(), new.plan(Scheme::Mbr).payload());
}

#[test]
fn places_that_lie_still_make_a_right_plan() {
    let signer = Signer::new();
    let (old, new) = (release(&signer, 1, &contents(1)), release(&signer, 2, &next_contents()));
    let before = old.plan(Scheme::Mbr);
    let memory = old.golden(&before);
    let found = look(&memory);
    type Lie = fn(usize, u64) -> u64;
    let lies: [Lie; 9] = [
        |_, at| at + 512,
        |_, at| at.saturating_sub(512),
        |_, at| at + 1,
        |_, at| at + (1 << 20),
        |_, _| 0,
        |_, _| u64::MAX,
        |_, _| 20 << 20,
        |_, at| (36 << 20) - at,
        |n, at| if n % 2 == 0 { at } else { at.reverse_bits() },
    ];
    for (number, lie) in lies.into_iter().enumerate() {
        let mut lied = found.clone();
        for (n, file) in lied.files.iter_mut().enumerate() {
            file.offset_bytes = file.offset_bytes.map(|at| lie(n, at));
        }
        let plan = update(&new, &lied, before.shape()).unwrap();
        is_sound(&plan);
        // Who believes it has a wrong drive, and sees it by reading.
        let mut believed = memory.clone();
        write_what_is_missing(&plan, &mut believed);
        if !is_written(&plan, all(&plan), &believed) {
            assert!(!verdict(&new, &believed, 512, Depth::Content).is_good(), "lie {number}");
        }
        // Who writes all of it has a right one.
        let mut whole = memory.clone();
        all(&plan).for_each(|extent| put(&plan, extent, &mut whole));
        let report = verdict(&new, &whole, 512, Depth::Content);
        assert!(report.is_good(), "lie {number}: {report:?}");
    }
}

#[test]
fn what_can_not_be_updated_is_refused() {
    let signer = Signer::new();
    let (old, new) = (release(&signer, 1, &contents(1)), release(&signer, 2, &next_contents()));
    let plan_of_new = new.plan(Scheme::Gpt);
    let (shape, memory) = (plan_of_new.shape(), new.golden(&plan_of_new));
    let found = look(&memory);
    let refused = |bench: &Bench, found: &Examination, shape| match update(bench, found, shape) {
        Ok(_) => panic!("not refused"),
        Err(error) => error,
    };

    let error = refused(&old, &found, shape);
    assert!(matches!(&error, UpdateError::Newer { found, .. } if found == "PLT00001-r2"), "{error}");
    assert!(error.code() == Code::OlderThanMinimum && error.is_policy());
    assert_eq!(
        error.to_string(),
        "PLT00001-r1: expected an older release of it on the drive, found the newer PLT00001-r2"
    );

    let (other, blobs) = manifest("PLT00002", 3, &contents(1));
    let error = refused(&Bench::signed(&signer, &other, &blobs), &found, shape);
    assert!(matches!(&error, UpdateError::OtherMedium { found, .. } if found == "PLT00001-r2"), "{error}");
    assert!(error.code() == Code::NothingToUpdate && !error.is_policy());

    let stranger = release(&Signer::new(), 2, &contents(1));
    let error = refused(&stranger, &found, shape);
    assert!(matches!(error, UpdateError::NotTrusted { .. }) && error.is_policy(), "{error}");
    assert!(error.code() == Code::NotTrusted && std::error::Error::source(&error).is_some());
    let mut changed = found.clone();
    let text =
        changed.files.iter_mut().find(|file| file.path == envelope::MANIFEST).and_then(|file| file.text.as_mut());
    text.unwrap().push(' ');
    assert!(matches!(refused(&new, &changed, shape), UpdateError::NotTrusted { .. }));

    let mut without = found.clone();
    without.files.retain(|file| file.path != envelope::MANIFEST_SIGNATURE);
    for found in [Examination::default(), without] {
        let error = refused(&new, &found, shape);
        assert!(matches!(error, UpdateError::NoMedium { .. }), "{error}");
        assert!(error.code() == Code::NothingToUpdate && !error.is_policy());
    }

    let error = refused(&Bench::raw(), &found, shape);
    assert!(matches!(error, UpdateError::DiskImage { .. }) && error.code() == Code::DoesNotFit, "{error}");

    let error = refused(&new, &found, DriveShape { size_bytes: 300 << 20, sector_bytes: 4096 });
    assert!(matches!(error, UpdateError::Sectors { expected: 4096, found: 512, .. }), "{error}");
    assert_eq!(error.code(), Code::DoesNotFit);

    let error = refused(&new, &found, DriveShape { size_bytes: 1 << 20, sector_bytes: 512 });
    assert!(matches!(error, UpdateError::Plan(_)) && error.code() == Code::TooSmall, "{error}");
    assert!(!error.is_policy());
}

#[test]
fn only_the_new_release_has_to_be_valid() {
    let signer = Signer::new();
    let past = Validity { from: None, until: Some(Timestamp::from_unix_s(now().unix_s() - 10).into()) };
    let at = |revision, validity: Option<Validity>| {
        let (mut manifest, blobs) = manifest("PLT00001", revision, &contents(1));
        manifest.validity = validity.unwrap_or_default();
        Bench::signed(&signer, &manifest, &blobs)
    };
    let (expired, new, expired_too) = (at(1, Some(past)), at(2, None), at(3, Some(past)));
    let shape = DriveShape { size_bytes: DRIVE_BYTES as u64, sector_bytes: 512 };
    let early = Timestamp::from_unix_s(now().unix_s() - 100);
    let before = plan(&expired.media, shape, Scheme::Mbr, IDS, early).unwrap();
    // The engine would not write it any more.
    let mut memory = vec![0; DRIVE_BYTES];
    all(&before).for_each(|extent| put(&before, extent, &mut memory));
    let plan = update(&new, &look(&memory), shape).unwrap();
    write_what_is_missing(&plan, &mut memory);
    assert!(verdict(&new, &memory, 512, Depth::Content).is_good());
    let error = update(&expired_too, &look(&memory), shape).unwrap_err();
    assert!(error.code() == Code::Expired && error.is_policy(), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3, failure_persistence: None, ..ProptestConfig::default() })]

    /// Each release written over the one before, without a full write in between.
    #[test]
    fn twenty_releases_one_over_the_other(
        changes in prop::collection::vec(prop::collection::vec((0usize..12, prop_oneof![0usize..3000, 100_000usize..1_600_000]), 0..4), 20),
        gpt in any::<bool>(),
    ) {
        let signer = Signer::new();
        let path = |n: usize| format!("platen/content/PKG{:05}/file {n}.bin", n / 4);
        let mut sizes: Vec<usize> = (0..12).map(|n| [0, 700, 70_000, 1_200_000][n % 4]).collect();
        let mut seeds: Vec<u64> = (0..12).collect();
        let scheme = if gpt { Scheme::Gpt } else { Scheme::Mbr };
        let mut memory: Option<Vec<u8>> = None;
        let mut former: Option<Manifest> = None;
        for (revision, changes) in (1..).zip(&changes) {
            for &(n, size) in changes {
                // A size of nothing: the file is gone. Of less than a hundred: other bytes in as many.
                sizes[n] = if (1..100).contains(&size) { sizes[n] } else { size };
                seeds[n] = u64::from(revision) * 100 + n as u64;
            }
            let files = (0..12).filter(|&n| sizes[n] > 0).map(|n| (path(n), noise(seeds[n], sizes[n]))).collect();
            let pack = Pack { files, ..Pack::small("PKG00001", 1) };
            let (manifest, blobs) = manifest("PLT00001", revision, &[pack]);
            let bench = Bench::signed(&signer, &manifest, &blobs);
            memory = Some(match memory.take() {
                None => bench.golden(&bench.plan(scheme)),
                Some(mut memory) => {
                    let shape = DriveShape { size_bytes: memory.len() as u64, sector_bytes: 512 };
                    let plan = update(&bench, &look(&memory), shape).unwrap();
                    is_sound(&plan);
                    let unchanged = former.as_ref().map_or(0, |former| unchanged_bytes(former, &manifest));
                    prop_assert_eq!(present_bytes(&plan), unchanged);
                    write_what_is_missing(&plan, &mut memory);
                    prop_assert!(is_written(&plan, all(&plan), &memory));
                    let report = verdict(&bench, &memory, 512, Depth::Content);
                    prop_assert!(report.is_good(), "{report:?}");
                    memory
                }
            });
            former = Some(manifest);
        }
    }
}
