// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What an import accepts, what it refuses, and what it stores once.

use std::fs;
use std::process::Command;

use platen_cache::layout::Layout;
use platen_cache::{Cache, CacheError};
use platen_media::sign::SignError;
use platen_media::{Timestamp, envelope};

use crate::support::{
    Bench, MADE_S, Pack, Signer, all, assert_right, author, chain, import, manifest, name, noise, now, packs, signed,
};

#[test]
fn a_good_medium_is_imported_listed_and_loaded() {
    let bench = Bench::new();
    let cache = bench.cache();
    let mut seen = Vec::new();
    let imported = all(cache.import(&bench.source, None, &bench.keys, now(), &mut |at| seen.push(at))).unwrap();
    let total: u64 = bench.manifest.blobs.iter().map(|blob| blob.size_bytes).sum();
    assert_eq!(
        (imported[0].name.as_str(), imported[0].copied_bytes, imported[0].shared_bytes),
        ("PLT00001-r1", total, 0)
    );
    let last = seen.last().unwrap();
    assert_eq!((last.done_bytes, last.total_bytes), (total, total));
    assert!(seen.windows(2).all(|pair| pair[0].done_bytes <= pair[1].done_bytes));
    let listed = cache.list().unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].name.as_str(), &listed[0].problem, listed[0].pinned), ("PLT00001-r1", &None, false));
    assert_eq!(listed[0].content_bytes, bench.manifest.content_bytes());
    for wanted in ["PLT00001", "PLT00001-r1"] {
        assert_right(&cache.load(&name(wanted), &bench.keys).unwrap(), &bench.manifest);
    }
    for unknown in ["PLT00002", "PLT00001-r2"] {
        let refused = cache.load(&name(unknown), &bench.keys).unwrap_err();
        assert!(matches!(&refused, CacheError::UnknownMedia { known, .. } if known == "PLT00001-r1"), "{refused}");
    }
    assert_eq!(cache.time_floor().unwrap(), Some(bench.manifest.created));
}

#[test]
fn importing_again_copies_nothing() {
    let bench = Bench::new();
    let cache = bench.cache();
    bench.import(&cache).unwrap();
    let again = bench.import(&cache).unwrap();
    assert_eq!(again[0].copied_bytes, 0);
    assert_eq!(cache.list().unwrap().len(), 1);
}

#[test]
fn content_two_media_share_is_stored_once() {
    let bench = Bench::new();
    let mut second = packs(1);
    second.push(Pack::single("EXT00001", "extra.bin", noise(77, 5000)));
    let manifest = bench.add("PLT00002", 1, &second);
    let cache = bench.cache();
    let imported = bench.import(&cache).unwrap();
    let shared: u64 = bench.manifest.blobs.iter().map(|blob| blob.size_bytes).sum();
    assert_eq!((imported[1].copied_bytes, imported[1].shared_bytes), (5000, shared));
    let large = fs::read_dir(cache.layout().dir().join("blobs/sha256")).unwrap().count();
    // Four contents; OCI manifest, manifest, SHA256SUMS and two signatures for each medium; their OCI config is the
    // same, as they were made in the same second.
    assert_eq!(large, 4 + 2 * 5 + 1);
    assert_right(&cache.load(&name("PLT00001"), &bench.keys).unwrap(), &bench.manifest);
    assert_right(&cache.load(&name("PLT00002"), &bench.keys).unwrap(), &manifest);
}

#[test]
fn one_of_several_media_can_be_named() {
    let bench = Bench::new();
    bench.add("PLT00002", 4, &packs(2));
    bench.add("PLT00002", 5, &packs(3));
    let cache = bench.cache();
    let imported = all(cache.import(&bench.source, Some(&name("PLT00002")), &bench.keys, now(), &mut |_| {})).unwrap();
    assert_eq!(imported[0].name, "PLT00002-r5", "the newest one");
    assert_eq!(cache.list().unwrap().len(), 1);
}

#[test]
fn who_signed_decides() {
    let bench = Bench::new();
    let cache = bench.cache();
    let stranger = Signer::new();
    let refused = import(&cache, &bench.source, &stranger.keys()).unwrap_err();
    assert!(matches!(&refused, CacheError::Signature { source: SignError::UnknownKey { .. }, .. }), "{refused}");

    for (which, change) in ["manifest", "sums"].into_iter().zip([0, 1]) {
        let mut entry = signed(&bench.manifest, &bench.signer);
        let by_stranger = signed(&bench.manifest, &stranger);
        match change {
            0 => entry.manifest_signature = by_stranger.manifest_signature,
            _ => entry.sums_signature = by_stranger.sums_signature,
        }
        bench.source.publish(&bench.manifest, &entry).unwrap();
        let refused = bench.import(&cache).unwrap_err();
        assert!(matches!(&refused, CacheError::Signature { source: SignError::UnknownKey { .. }, .. }), "{which}");

        let mut entry = signed(&bench.manifest, &bench.signer);
        match change {
            0 => entry.manifest_signature.clear(),
            _ => entry.sums_signature.clear(),
        }
        bench.source.publish(&bench.manifest, &entry).unwrap();
        let refused = bench.import(&cache).unwrap_err();
        let expected = if change == 0 { envelope::MANIFEST } else { envelope::SHA256SUMS };
        assert!(chain(&refused).contains(&format!("{expected}: expected a minisign signature")), "{}", chain(&refused));
    }
    assert_eq!(cache.list().unwrap().len(), 0);
    assert_eq!(fs::read_dir(cache.layout().dir().join("blobs/sha256")).unwrap().count(), 0, "nothing was copied");
}

#[test]
fn a_legacy_signature_of_the_real_minisign_is_refused_and_a_present_one_accepted() {
    let bench = Bench::new();
    let dir = bench.dir.path();
    let made = Command::new("minisign").args(["-G", "-W", "-p", "k.pub", "-s", "k.key"]).current_dir(dir).output();
    assert!(made.expect("minisign (appliance/install-packages test)").status.success());
    let keys = platen_media::sign::TrustedKeys::load(&dir.join("k.pub")).unwrap();
    let sign = |bytes: &[u8], legacy: bool| {
        fs::write(dir.join("m"), bytes).unwrap();
        let mut command = Command::new("minisign");
        command.args(["-S", "-s", "k.key", "-m", "m", "-x", "m.minisig"]).current_dir(dir);
        if legacy {
            command.arg("-l");
        }
        assert!(command.output().unwrap().status.success());
        fs::read_to_string(dir.join("m.minisig")).unwrap()
    };
    let cache = bench.cache();
    for (manifest_legacy, sums_legacy) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut entry = signed(&bench.manifest, &bench.signer);
        entry.manifest_signature = sign(&entry.manifest_bytes, manifest_legacy);
        entry.sums_signature = sign(&entry.sums, sums_legacy);
        bench.source.publish(&bench.manifest, &entry).unwrap();
        let answer = import(&cache, &bench.source, &keys);
        if manifest_legacy || sums_legacy {
            let refused = answer.unwrap_err();
            assert!(matches!(&refused, CacheError::Signature { source: SignError::Legacy { .. }, .. }), "{refused}");
        } else {
            answer.unwrap();
        }
    }
}

#[test]
fn sums_of_another_release_are_refused_though_signed() {
    let bench = Bench::new();
    let (other, _) = manifest("PLT00001", 2, &packs(9));
    let mut entry = signed(&bench.manifest, &bench.signer);
    let others = signed(&other, &bench.signer);
    (entry.sums, entry.sums_signature) = (others.sums, others.sums_signature);
    bench.source.publish(&bench.manifest, &entry).unwrap();
    let refused = bench.import(&bench.cache()).unwrap_err();
    assert!(refused.to_string().contains("SHA256SUMS is of another release"), "{refused}");
}

#[test]
fn a_signed_manifest_under_another_name_is_refused() {
    let bench = Bench::new();
    let (other, _) = manifest("PLT00001", 9, &packs(1));
    // What the manifest of r9 would be called, with the signed files of r1.
    bench.source.publish(&other, &signed(&bench.manifest, &bench.signer)).unwrap();
    let answer = all(bench.cache().import(&bench.source, Some(&name("PLT00001-r9")), &bench.keys, now(), &mut |_| {}));
    let refused = answer.unwrap_err();
    assert!(refused.to_string().contains("it holds medium PLT00001-r1"), "{refused}");
}

#[test]
fn layers_that_are_not_the_manifests_blobs_are_refused() {
    let bench = Bench::new();
    let mut entry = signed(&bench.manifest, &bench.signer);
    entry.blobs.swap(0, 1);
    bench.source.publish(&bench.manifest, &entry).unwrap();
    let refused = bench.import(&bench.cache()).unwrap_err();
    assert!(refused.to_string().contains("its layers are not the blobs"), "{refused}");
}

#[test]
fn what_is_older_than_the_newest_release_seen_is_refused() {
    let bench = Bench::with("PLT00001", 5, &packs(1));
    let cache = bench.cache();
    bench.import(&cache).unwrap();
    let one = |revision: u32, made: i64| {
        let dir = bench.dir.path().join(format!("r{revision}-{made}"));
        let (mut manifest, blobs) = manifest("PLT00001", revision, &packs(2));
        manifest.created = Timestamp::from_unix_s(made);
        import(&cache, &author(&dir, &bench.signer, &manifest, &blobs), &bench.keys)
    };
    let made = MADE_S + 5;
    for (revision, created) in [(4, made + 50), (5, made - 1), (1, made)] {
        let refused = one(revision, created).unwrap_err();
        assert!(matches!(&refused, CacheError::OlderThanMinimum { minimum: 5, .. }), "{refused}");
    }
    assert_right(&cache.load(&name("PLT00001"), &bench.keys).unwrap(), &bench.manifest);
    one(6, made - 100).unwrap();
    // The older one is still there, and no longer writable.
    let refused = cache.load(&name("PLT00001-r5"), &bench.keys).unwrap_err();
    assert!(matches!(&refused, CacheError::OlderThanMinimum { found: 5, minimum: 6, .. }), "{refused}");
    // The minimum version outlives the media.
    fs::write(cache.layout().dir().join("index.json"), r#"{"schemaVersion":2,"manifests":[]}"#).unwrap();
    assert!(matches!(bench.import(&cache), Err(CacheError::OlderThanMinimum { .. })));
    // Another medium has one of its own.
    bench.add("PLT00009", 1, &packs(3));
    all(cache.import(&bench.source, Some(&name("PLT00009")), &bench.keys, now(), &mut |_| {})).unwrap();
    assert_eq!(cache.time_floor().unwrap(), Some(Timestamp::from_unix_s(made)), "the newest of all");
}

#[test]
fn a_folder_that_is_no_layout_is_refused() {
    let bench = Bench::new();
    let dir = bench.dir.path().join("x");
    assert!(matches!(Layout::open(&dir), Err(CacheError::NotALayout { .. })), "missing");
    fs::create_dir(&dir).unwrap();
    assert!(matches!(Layout::open(&dir), Err(CacheError::NotALayout { .. })), "empty");
    fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"9.9.9"}"#).unwrap();
    let refused = Layout::open(&dir).unwrap_err();
    assert!(refused.to_string().contains("expected version 1.0.0, found \"9.9.9\""), "{refused}");
    for marker in ["", "{}", "[]", "imageLayoutVersion"] {
        fs::write(dir.join("oci-layout"), marker).unwrap();
        assert!(matches!(Layout::open(&dir), Err(CacheError::Json { .. })), "{marker:?}");
    }
    // An OCI layout of somebody else's images.
    let empty = Layout::create(&bench.dir.path().join("empty")).unwrap();
    let refused = import(&bench.cache(), &empty, &bench.keys).unwrap_err();
    assert!(refused.to_string().contains("holds no Platen medium"), "{refused}");
    // Nobody's folder is taken over as a cache.
    let full = bench.dir.path().join("full");
    fs::create_dir_all(full.join("blobs")).unwrap();
    fs::write(full.join("holiday.jpg"), "x").unwrap();
    assert!(matches!(Cache::open(&full, None), Err(CacheError::NotALayout { .. })));
    assert!(!full.join("ingest").exists() && !full.join("index.json").exists());
}

#[test]
fn a_store_whose_making_was_interrupted_is_finished() {
    let bench = Bench::new();
    // Each state a kill can leave behind.
    for left in
        [&["blobs"][..], &["blobs", ".new-a1b2c3"], &["blobs", "index.json"], &["blobs", "index.json", ".new-zzz"]]
    {
        let dir = bench.dir.path().join(left.join("+"));
        fs::create_dir_all(dir.join("blobs/sha256")).unwrap();
        for file in &left[1..] {
            let empty = r#"{"schemaVersion":2,"manifests":[]}"#;
            fs::write(dir.join(file), if *file == "index.json" { empty } else { "half" }).unwrap();
        }
        let cache = Cache::open(&dir, None).unwrap_or_else(|error| panic!("{left:?}: {error}"));
        bench.import(&cache).unwrap();
        cache.load(&name("PLT00001"), &bench.keys).unwrap();
    }
}
