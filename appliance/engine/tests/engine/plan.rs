// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The plan is a pure function, covers what it says, and refuses what must be refused.

use platen_cache::ContentId;
use platen_engine::plan::{DriveShape, PlanError, Source, plan};
use platen_events::Code;
use platen_media::manifest::{Scheme, Validity};
use platen_media::{Moment, Timestamp};

use crate::bench::{Bench, DRIVE_BYTES, IDS, add_bios, contents, faulty, is_ready, is_right, now, raw_manifest};
use crate::fake::Fault;
use crate::media::{MADE_S, manifest};

fn shape(size_bytes: u64) -> DriveShape {
    DriveShape { size_bytes, sector_bytes: 512 }
}

#[test]
fn equal_inputs_give_equal_plans() {
    let bench = Bench::files();
    for (size, sector) in [(DRIVE_BYTES as u64, 512), (64 << 20, 512), (7_818_182_656, 512), (1 << 30, 4096)] {
        for scheme in [Scheme::Mbr, Scheme::Gpt] {
            let shape = DriveShape { size_bytes: size, sector_bytes: sector };
            let first = plan(&bench.media, shape, scheme, IDS, now()).unwrap();
            let later = Timestamp::from_unix_s(now().unix_s() + 5_000_000);
            assert!(first == plan(&bench.media, shape, scheme, IDS, now()).unwrap());
            assert!(first == plan(&bench.media, shape, scheme, IDS, later).unwrap(), "time does not matter");
            let other_ids = platen_disk::DriveIds { volume_serial: 1, ..IDS };
            assert!(first != plan(&bench.media, shape, scheme, other_ids, now()).unwrap());
            let other = Bench::files();
            assert!(
                first
                    != plan(&other.media, DriveShape { size_bytes: size + (1 << 20), ..shape }, scheme, IDS, now())
                        .unwrap()
            );
        }
    }
}

#[test]
fn extents_are_sorted_disjoint_inside_and_cover_every_file_once() {
    for bench in [Bench::files(), Bench::raw()] {
        for scheme in [Scheme::Mbr, Scheme::Gpt] {
            let plan = bench.plan(scheme);
            let mut all: Vec<_> = plan.payload().iter().chain(plan.seal()).collect();
            for list in [plan.payload(), plan.seal()] {
                assert!(list.windows(2).all(|pair| pair[0].offset_bytes + pair[0].len_bytes <= pair[1].offset_bytes));
            }
            all.sort_by_key(|extent| extent.offset_bytes);
            assert!(all.windows(2).all(|pair| pair[0].offset_bytes + pair[0].len_bytes <= pair[1].offset_bytes));
            let end = all.last().map(|extent| extent.offset_bytes + extent.len_bytes).unwrap();
            assert!(end <= plan.shape().size_bytes);
            assert_eq!(all.iter().map(|extent| extent.len_bytes).sum::<u64>(), plan.write_bytes());
            let content: u64 = all
                .iter()
                .filter(|extent| matches!(extent.source, Source::Content(id) if ![ContentId::MANIFEST, ContentId::SUMS].contains(&id)))
                .map(|extent| extent.len_bytes)
                .sum();
            let manifest = bench.media.manifest();
            let parts = manifest.image.iter().flat_map(|image| &image.parts).map(|part| part.size_bytes);
            assert_eq!(content, manifest.files.iter().map(|file| file.size_bytes).chain(parts).sum::<u64>());
            let wiped = |at: u64, end: u64| plan.invalidate().iter().any(|range| range.start <= at && end <= range.end);
            let all_wiped =
                plan.seal().iter().all(|extent| wiped(extent.offset_bytes, extent.offset_bytes + extent.len_bytes));
            assert!(all_wiped || manifest.image.is_some());
            assert!(wiped(0, 512));
            let sector = u64::from(plan.shape().sector_bytes);
            assert!(plan.invalidate().iter().all(|range| range.start % sector == 0 && range.end % sector == 0));
            assert!(plan.invalidate().windows(2).all(|pair| pair[0].end <= pair[1].start));
            // What makes it a medium comes last.
            assert!(plan.seal().iter().any(|extent| extent.offset_bytes == 0));
            assert!(plan.payload().iter().all(|extent| extent.offset_bytes >= 512));
        }
    }
}

#[test]
fn small_drives_are_refused_as_too_small() {
    let bench = Bench::files();
    for (size, code) in [(0, Code::TooSmall), (1 << 20, Code::TooSmall), (32 << 20, Code::TooSmall)] {
        let refused = plan(&bench.media, shape(size), Scheme::Mbr, IDS, now()).unwrap_err();
        assert_eq!(refused.code(), code, "{size}: {refused}");
        assert!(!refused.is_policy());
    }
    // Big enough for a volume, not for the content.
    let mut packs = contents(1);
    packs.push(crate::media::Pack::single("BIG00001", "big.bin", crate::media::noise(9, 36 << 20)));
    let (manifest, blobs) = manifest("PLT00001", 1, &packs);
    let big = Bench::with(&manifest, &blobs);
    let refused = plan(&big.media, shape(DRIVE_BYTES as u64), Scheme::Mbr, IDS, now()).unwrap_err();
    assert_eq!(refused.code(), Code::TooSmall, "{refused}");
    plan(&big.media, shape(64 << 20), Scheme::Mbr, IDS, now()).unwrap();
    // A size that is no multiple of a sector, a sector nobody has.
    let refused = plan(&bench.media, DriveShape { size_bytes: 64 << 20, sector_bytes: 2048 }, Scheme::Mbr, IDS, now());
    assert_eq!(refused.unwrap_err().code(), Code::DoesNotFit);
}

#[test]
fn expired_media_and_impossible_clocks_are_refused_as_policy() {
    let (base, blobs) = manifest("PLT00001", 1, &contents(1));
    let at = |seconds: i64| Timestamp::from_unix_s(MADE_S + seconds);
    let window = Validity { from: Some(at(100).into()), until: Some(at(200).into()) };
    let local = Validity { from: Some(Moment::Local(at(0))), until: Some(Moment::Local(at(0))) };
    let cases = [
        (window, 99, None),
        (window, 100, None),
        (window, 200, None),
        (window, 201, Some(Code::Expired)),
        (window, -1_000_000, Some(Code::NotYetValid)),
        // It can't have expired.
        (Validity { from: Some(at(100).into()), until: None }, -1_000_000, None),
        (Validity { from: None, until: Some(at(200).into()) }, -1_000_000, Some(Code::NotYetValid)),
        (Validity::default(), -1_000_000, None),
        // Local time has fourteen hours before it and twelve behind: what may be valid somewhere is written.
        (local, 12 * 3600, None),
        (local, 12 * 3600 + 1, Some(Code::Expired)),
    ];
    for (validity, seconds, expected) in cases {
        let mut changed = base.clone();
        changed.validity = validity;
        changed.schema = validity.schema();
        let bench = Bench::with(&changed, &blobs);
        let answer = plan(&bench.media, shape(DRIVE_BYTES as u64), Scheme::Mbr, IDS, at(seconds));
        match (answer, expected) {
            (Ok(plan), None) => {
                let early = validity.from.is_some_and(|from| at(seconds) < from.earliest());
                let notices: Vec<String> = plan.notices().iter().map(ToString::to_string).collect();
                assert_eq!(notices.len(), usize::from(early), "{seconds}: {notices:?}");
                assert!(notices.iter().all(|notice| plan.to_string().contains(notice)), "{plan}");
            }
            (Err(refused), Some(code)) => assert!(refused.code() == code && refused.is_policy(), "{refused}"),
            (answer, expected) => panic!("{seconds}: {:?}, expected {expected:?}", answer.map(|_| ())),
        }
    }
}

#[test]
fn a_window_that_closes_between_plan_and_write_is_refused_before_anything_is_touched() {
    let (mut manifest, blobs) = manifest("PLT00001", 1, &contents(1));
    manifest.validity.until = Some(Timestamp::from_unix_s(now().unix_s() - 1).into());
    let bench = Bench::with(&manifest, &blobs);
    let early = Timestamp::from_unix_s(now().unix_s() - 10);
    let plan = plan(&bench.media, shape(DRIVE_BYTES as u64), Scheme::Mbr, IDS, early).unwrap();
    let mut drive = faulty(&plan, Fault::None);
    let before = drive.memory.clone();
    let outcome = bench.write(&plan, &mut drive);
    assert_eq!(outcome.verdict.code(), Some(Code::Expired), "{outcome:?}");
    assert!(drive.memory == before && drive.writes == 0);
}

#[test]
fn a_plan_for_another_drive_touches_nothing() {
    let bench = Bench::files();
    let plan = bench.plan_for(Scheme::Mbr, 48 << 20, 512);
    let other = bench.plan(Scheme::Mbr);
    let mut drive = faulty(&other, Fault::None);
    let before = drive.memory.clone();
    assert!(!is_ready(&bench.write(&plan, &mut drive)));
    assert!(drive.memory == before && drive.writes == 0);
}

#[test]
fn the_authors_media_size_is_kept() {
    let (mut changed, blobs) = manifest("PLT00001", 1, &contents(1));
    changed.size_limit_bytes = Some(1 << 20);
    let bench = Bench::with(&changed, &blobs);
    let refused = plan(&bench.media, shape(DRIVE_BYTES as u64), Scheme::Mbr, IDS, now()).unwrap_err();
    assert!(matches!(refused, PlanError::OverMediaSize { limit_bytes, .. } if limit_bytes == 1 << 20), "{refused}");
    changed.size_limit_bytes = Some(30 << 20);
    let bench = Bench::with(&changed, &blobs);
    plan(&bench.media, shape(DRIVE_BYTES as u64), Scheme::Mbr, IDS, now()).unwrap();
}

#[test]
fn raw_images_need_room_and_their_own_sectors() {
    let bench = Bench::raw();
    let refused = plan(&bench.media, shape((9 << 20) - 512), Scheme::Mbr, IDS, now()).unwrap_err();
    assert_eq!(refused.code(), Code::TooSmall, "{refused}");
    let big_sectors = DriveShape { size_bytes: 64 << 20, sector_bytes: 4096 };
    let refused = plan(&bench.media, big_sectors, Scheme::Mbr, IDS, now()).unwrap_err();
    assert_eq!(refused.code(), Code::DoesNotFit, "{refused}");
    // Exactly as big, and a little bigger.
    for more in [0, 512, 1 << 20, (1 << 20) + 512, 3 << 20] {
        let plan = plan(&bench.media, shape((9 << 20) + more), Scheme::Mbr, IDS, now()).unwrap();
        let golden = bench.golden(&plan);
        let (manifest, blobs) = raw_manifest();
        let image = manifest.image.unwrap();
        let mut expected = vec![0; image.size_bytes as usize];
        for part in image.parts {
            let from = part.at.offset_bytes as usize;
            let to = part.offset_bytes as usize;
            expected[to..to + part.size_bytes as usize].copy_from_slice(&blobs[0][from..][..part.size_bytes as usize]);
        }
        assert!(golden[..expected.len()] == expected[..], "{more}");
    }
}

#[test]
fn zeros_at_an_images_end_need_no_room() {
    let (mut manifest, blobs) = raw_manifest();
    let image = manifest.image.as_mut().unwrap();
    (image.size_bytes, image.needed_bytes) = (64 << 20, Some(20 << 20));
    let bench = Bench::with(&manifest, &blobs);
    for size_bytes in [20 << 20, (20 << 20) + 512, 40 << 20, 64 << 20, 70 << 20] {
        let plan = plan(&bench.media, shape(size_bytes), Scheme::Mbr, IDS, now()).unwrap();
        let end = size_bytes.min(64 << 20) as usize;
        assert!(bench.golden(&plan)[9 << 20..end].iter().all(|byte| *byte == 0), "{size_bytes}");
    }
    let refused = plan(&bench.media, shape((20 << 20) - 512), Scheme::Mbr, IDS, now()).unwrap_err();
    assert_eq!(refused.code(), Code::TooSmall);
    assert!(refused.to_string().contains("of the image's 67108864 bytes 20971520 are needed"), "{refused}");
}

#[test]
fn an_image_for_big_sectors_is_for_drives_that_have_them() {
    let (mut manifest, blobs) = raw_manifest();
    manifest.image.as_mut().unwrap().sector_bytes = Some(4096);
    let bench = Bench::with(&manifest, &blobs);
    let refused = plan(&bench.media, shape(64 << 20), Scheme::Mbr, IDS, now()).unwrap_err();
    assert_eq!(refused.code(), Code::DoesNotFit);
    assert!(refused.to_string().contains("needs a drive with 4096-byte sectors, found 512-byte ones"), "{refused}");
    bench.golden(&bench.plan_for(Scheme::Mbr, 64 << 20, 4096));
}

#[test]
fn boot_code_damaged_in_the_cache_is_refused() {
    let (mut manifest, mut blobs) = manifest("PLT00001", 1, &contents(1));
    add_bios(&mut manifest, &mut blobs);
    let bench = Bench::with(&manifest, &blobs);
    let path = bench.blob_path(manifest.blobs.len() - 1);
    crate::media::flip(&path, 600, 1);
    let refused = plan(&bench.media, shape(DRIVE_BYTES as u64), Scheme::Mbr, IDS, now()).unwrap_err();
    assert_eq!(refused.code(), Code::CacheDamaged, "{refused}");
}

#[test]
fn content_damaged_in_the_cache_never_becomes_a_medium() {
    let bench = Bench::files();
    let plan = bench.plan(Scheme::Mbr);
    let golden = bench.golden(&plan);
    for blob in 0..3 {
        let path = bench.blob_path(blob);
        let size = std::fs::metadata(&path).unwrap().len() as usize;
        for offset in [0, size / 2, size - 1] {
            crate::media::flip(&path, offset, 8);
            let mut drive = faulty(&plan, Fault::None);
            let outcome = bench.write(&plan, &mut drive);
            assert_eq!(outcome.verdict.code(), Some(Code::CacheDamaged), "{blob} {offset}: {outcome:?}");
            assert_eq!(crate::bench::recognisable(&drive.memory, 512), None);
            crate::media::flip(&path, offset, 8);
        }
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..size / 2]).unwrap();
        let mut drive = faulty(&plan, Fault::None);
        let outcome = bench.write(&plan, &mut drive);
        assert_eq!(outcome.verdict.code(), Some(Code::CacheMissing), "{outcome:?}");
        std::fs::write(&path, whole).unwrap();
    }
    assert!(is_right(&plan, &bench.golden(&plan), &golden), "control: whole again, it is ready");
}

#[test]
fn drives_with_4096_byte_sectors_are_written_in_whole_sectors() {
    let bench = Bench::files();
    for scheme in [Scheme::Mbr, Scheme::Gpt] {
        let plan = bench.plan_for(scheme, 300 << 20, 4096);
        bench.golden(&plan);
    }
}
