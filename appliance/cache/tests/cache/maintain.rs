// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Scrub, collection, pins, locks.

use std::collections::BTreeSet;
use std::fs;

use platen_cache::CacheError;

use crate::support::{Bench, all, assert_right, flip, manifest, name, now, packs, signed};

#[test]
fn scrub_finds_a_flipped_bit_in_every_blob_and_importing_again_heals_it() {
    let bench = Bench::new();
    let cache = bench.cache();
    bench.import(&cache).unwrap();
    let clean = cache.scrub(&mut |_| {}).unwrap();
    assert!(clean.damage.is_empty(), "{:?}", clean.damage);
    assert_eq!(clean.checked_bytes, bench.manifest.blobs.iter().map(|blob| blob.size_bytes).sum::<u64>());
    let mut tried = 0;
    for (index, blob) in bench.manifest.blobs.iter().enumerate() {
        for file in bench.manifest.files.iter().filter(|file| file.at.is_some_and(|at| at.blob as usize == index)) {
            let offset = file.at.unwrap().offset_bytes as usize + file.size_bytes as usize / 2;
            flip(&cache.layout().blob_path(blob.sha256), offset, 4);
            let found = cache.scrub(&mut |_| {}).unwrap();
            assert_eq!(found.damage.len(), 1, "{:?}", found.damage);
            let damage = &found.damage[0];
            assert_eq!((damage.medium.as_str(), damage.digest), ("PLT00001-r1", blob.sha256));
            let same = |name: &String| {
                bench.manifest.files.iter().any(|other| other.path.as_str() == *name && other.sha256 == file.sha256)
            };
            assert!(damage.files.iter().any(same), "{:?}, not {}", damage.files, file.path);
            let healed = bench.import(&cache).unwrap();
            assert_eq!(healed[0].copied_bytes, blob.size_bytes);
            assert!(cache.scrub(&mut |_| {}).unwrap().damage.is_empty());
            tried += 1;
        }
    }
    eprintln!("{tried} files flipped in the cache, all named and healed");
}

#[test]
fn scrub_finds_damage_in_the_small_files_and_the_rest_stays_usable() {
    let bench = Bench::new();
    let other = bench.add("PLT00002", 1, &packs(5));
    let cache = bench.cache();
    bench.import(&cache).unwrap();
    let entry = cache.find(&name("PLT00001")).unwrap();
    let small: BTreeSet<_> = {
        let of = |entry: &platen_cache::layout::MediaEntry| {
            [
                platen_media::Sha256::of(&entry.manifest_bytes),
                platen_media::Sha256::of(entry.manifest_signature.as_bytes()),
                platen_media::Sha256::of(&entry.sums),
                platen_media::Sha256::of(entry.sums_signature.as_bytes()),
            ]
        };
        of(&cache.layout().media(&entry).unwrap()).into_iter().chain([entry.oci_manifest]).collect()
    };
    assert_eq!(small.len(), 5);
    for digest in small {
        let path = cache.layout().blob_path(digest);
        flip(&path, 20, 1);
        let found = cache.scrub(&mut |_| {}).unwrap();
        assert_eq!(found.damage.len(), 1, "{digest}");
        assert_eq!(found.damage[0].medium, "PLT00001-r1");
        let refused = cache.load(&name("PLT00001"), &bench.keys).unwrap_err();
        assert!(refused.to_string().contains(&format!("blob {digest} is damaged")), "{refused}");
        // One bad medium must not hide the others.
        let listed = cache.list().unwrap();
        assert_eq!(listed.len(), 2);
        assert!(listed[0].problem.as_ref().is_some_and(|problem| problem.contains("damaged")), "{listed:?}");
        assert_eq!(listed[1].problem, None);
        assert_right(&cache.load(&name("PLT00002"), &bench.keys).unwrap(), &other);
        bench.import(&cache).unwrap();
        assert_right(&cache.load(&name("PLT00001"), &bench.keys).unwrap(), &bench.manifest);
        assert!(cache.scrub(&mut |_| {}).unwrap().damage.is_empty(), "healed");
    }
}

#[test]
fn scrub_finds_what_is_missing_cut_or_grown() {
    let bench = Bench::new();
    let cache = bench.cache();
    bench.import(&cache).unwrap();
    let path = cache.layout().blob_path(bench.manifest.blobs[1].sha256);
    let whole = fs::read(&path).unwrap();
    let grown = [&whole[..], b"x"].concat();
    for bytes in [None, Some(&whole[..100]), Some(&whole[..0]), Some(&grown)] {
        match bytes {
            None => fs::remove_file(&path).unwrap(),
            Some(bytes) => fs::write(&path, bytes).unwrap(),
        }
        let found = cache.scrub(&mut |_| {}).unwrap();
        assert!(!found.damage.is_empty());
        assert!(found.damage.iter().all(|damage| damage.files.iter().any(|file| file.contains("install.wim"))));
        let refused = cache.load(&name("PLT00001"), &bench.keys).unwrap_err();
        assert!(matches!(refused, CacheError::Missing { .. }), "{refused}");
        assert!(cache.list().unwrap()[0].problem.as_ref().unwrap().contains("install.wim"));
        bench.import(&cache).unwrap();
        assert_eq!(fs::read(&path).unwrap(), whole, "healed");
    }
}

#[test]
fn collection_keeps_what_is_newest_or_pinned_and_removes_the_rest() {
    let bench = Bench::new();
    let cache = bench.cache();
    let mut manifests = vec![bench.manifest.clone()];
    bench.import(&cache).unwrap();
    for revision in 2..=4 {
        // Each shares one blob with the one before.
        let mut contents = packs(u64::from(revision) * 10);
        contents[1] = packs(1).remove(1);
        manifests.push(bench.add("PLT00001", revision, &contents));
        let wanted = name(&format!("PLT00001-r{revision}"));
        all(cache.import(&bench.source, Some(&wanted), &bench.keys, now(), &mut |_| {})).unwrap();
    }
    let other = bench.add("PLT00002", 1, &packs(90));
    all(cache.import(&bench.source, Some(&name("PLT00002")), &bench.keys, now(), &mut |_| {})).unwrap();
    assert_eq!(cache.pin(&name("PLT00001-r2"), true).unwrap(), "PLT00001-r2");
    let blobs = cache.layout().dir().join("blobs/sha256");
    // Left-overs of a kill: half a blob, temporary files.
    fs::write(cache.layout().dir().join("ingest").join("0".repeat(64)), "half").unwrap();
    fs::write(blobs.join(".new-abc"), "half").unwrap();
    fs::write(cache.layout().dir().join(".new-def"), "half").unwrap();

    let collected = cache.collect_garbage().unwrap();
    assert_eq!(collected.media, ["PLT00001-r1", "PLT00001-r3"]);
    assert!(collected.removed_blobs > 0 && collected.removed_bytes > 0);
    let left: Vec<String> = cache.list().unwrap().into_iter().map(|line| line.name).collect();
    assert_eq!(left, ["PLT00001-r2", "PLT00001-r4", "PLT00002-r1"]);
    assert!(cache.list().unwrap().iter().all(|line| line.problem.is_none()));
    assert!(cache.list().unwrap()[0].pinned);
    assert_right(&cache.load(&name("PLT00001"), &bench.keys).unwrap(), &manifests[3]);
    assert_right(&cache.load(&name("PLT00002"), &bench.keys).unwrap(), &other);
    assert!(cache.scrub(&mut |_| {}).unwrap().damage.is_empty());
    // Exactly what three media need: their contents, and six small files each, of which two media made in the same
    // second share the OCI config.
    let mut needed: BTreeSet<String> = BTreeSet::new();
    for manifest in [&manifests[1], &manifests[3], &other] {
        needed.extend(manifest.blobs.iter().map(|blob| blob.sha256.to_string()));
    }
    let found = fs::read_dir(&blobs).unwrap().count();
    assert_eq!(found, needed.len() + 3 * 6);
    for gone in [cache.layout().dir().join(".new-def"), blobs.join(".new-abc")] {
        assert!(!gone.exists(), "{}", gone.display());
    }
    assert_eq!(fs::read_dir(cache.layout().dir().join("ingest")).unwrap().count(), 0);
    let again = cache.collect_garbage().unwrap();
    assert_eq!((again.media.len(), again.removed_blobs), (0, 0));
    // No longer pinned, it goes.
    cache.pin(&name("PLT00001-r2"), false).unwrap();
    assert_eq!(cache.collect_garbage().unwrap().media, ["PLT00001-r2"]);
}

/// A job reads its medium for minutes: whatever is imported and collected meanwhile, its content stays.
#[test]
fn what_is_being_used_is_collected_once_it_is_released() {
    let bench = Bench::new();
    let cache = bench.cache();
    bench.import(&cache).unwrap();
    let old = bench.manifest.clone();
    let used = cache.load(&name("PLT00001-r1"), &bench.keys).unwrap();
    let also_used = used.clone();
    bench.add("PLT00001", 2, &packs(77));
    bench.import(&cache).unwrap();

    let collected = bench.cache().collect_garbage().unwrap();
    assert_eq!((collected.media.as_slice(), collected.in_use), (&["PLT00001-r1".to_owned()][..], 1));
    assert_right(&used, &old);
    assert!(matches!(cache.load(&name("PLT00001-r1"), &bench.keys), Err(CacheError::UnknownMedia { .. })));
    drop(used);
    let collected = cache.collect_garbage().unwrap();
    assert_eq!((collected.removed_blobs, collected.in_use), (0, 1), "a clone uses it too");
    assert_right(&also_used, &old);
    // The control: without anybody who uses it, all of it goes.
    let mut own: BTreeSet<_> = old.blobs.iter().map(|blob| blob.sha256).collect();
    drop(also_used);
    let collected = cache.collect_garbage().unwrap();
    assert!(collected.removed_blobs >= own.len() as u64 && collected.in_use == 0, "{collected:?}");
    own.retain(|digest| cache.layout().blob_path(*digest).exists());
    assert!(own.is_empty(), "{own:?}");
    cache.load(&name("PLT00001"), &bench.keys).unwrap();
}

/// The same name with other content: what was read before is in no index any more.
#[test]
fn a_medium_that_was_replaced_under_its_name_keeps_its_content_while_it_is_used() {
    let bench = Bench::new();
    let cache = bench.cache();
    bench.import(&cache).unwrap();
    let used = cache.load(&name("PLT00001"), &bench.keys).unwrap();
    let (replaced, blobs) = manifest("PLT00001", 1, &packs(78));
    let layout = cache.layout();
    for blob in &blobs {
        layout.put_blob(blob).unwrap();
    }
    layout.publish(&replaced, &signed(&replaced, &bench.signer)).unwrap();
    assert_eq!(cache.collect_garbage().unwrap().in_use, 1);
    assert_right(&used, &bench.manifest);
    drop(used);
    assert!(cache.collect_garbage().unwrap().removed_blobs > 0);
    assert_right(&cache.load(&name("PLT00001"), &bench.keys).unwrap(), &replaced);
}

#[test]
fn collection_never_removes_what_an_unreadable_medium_may_need() {
    let bench = Bench::new();
    bench.add("PLT00002", 1, &packs(5));
    let cache = bench.cache();
    bench.import(&cache).unwrap();
    let before = fs::read_dir(cache.layout().dir().join("blobs/sha256")).unwrap().count();
    let entry = cache.find(&name("PLT00002")).unwrap();
    flip(&cache.layout().blob_path(entry.oci_manifest), 9, 1);
    let refused = cache.collect_garbage().unwrap_err();
    assert!(refused.to_string().contains(&format!("blob {} is damaged", entry.oci_manifest)), "{refused}");
    assert_eq!(fs::read_dir(cache.layout().dir().join("blobs/sha256")).unwrap().count(), before);
}

#[test]
fn a_second_import_scrub_or_collection_meanwhile_is_refused() {
    let bench = Bench::new();
    let cache = bench.cache();
    let mut refusals = 0;
    all(cache.import(&bench.source, None, &bench.keys, now(), &mut |_| {
        let other = bench.cache();
        let locked = |answer: Option<CacheError>| usize::from(matches!(answer, Some(CacheError::Locked { .. })));
        refusals += locked(bench.import(&other).err())
            + locked(other.scrub(&mut |_| {}).err())
            + locked(other.collect_garbage().err())
            + locked(other.pin(&name("PLT00001"), true).err());
        // Looking is always possible.
        assert!(other.list().unwrap().is_empty());
    }))
    .unwrap();
    assert!(refusals >= 4 && refusals % 4 == 0, "{refusals}");
    bench.import(&bench.cache()).unwrap();
}
