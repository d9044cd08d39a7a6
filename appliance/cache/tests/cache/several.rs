// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Layouts with several media, and whose a medium's id is.

use platen_cache::{Answer, CacheError};
use platen_media::Timestamp;

use crate::support::{Bench, MADE_S, Signer, all, assert_right, author, import, manifest, name, now, packs};

#[test]
fn each_medium_has_its_own_answer_and_the_others_go_on() {
    let bench = Bench::with("PLT00001", 1, &packs(1));
    let cache = bench.cache();
    bench.add("PLT00001", 2, &packs(2));
    let stranger = Signer::new();
    let (foreign, blobs) = manifest("PLT00003", 1, &packs(3));
    author(bench.source.dir(), &stranger, &foreign, &blobs);
    let last = bench.add("PLT00004", 1, &packs(4));
    all(cache.import(&bench.source, Some(&name("PLT00001-r2")), &bench.keys, now(), &mut |_| {})).unwrap();

    // Older, here already, signed by a stranger, new: twice, as nothing changes for the second time but the last.
    for round in 0..2 {
        let answers = cache.import(&bench.source, None, &bench.keys, now(), &mut |_| {}).unwrap();
        let names: Vec<&str> = answers.iter().map(|answer| &*answer.name).collect();
        assert_eq!(names, ["PLT00001-r1", "PLT00001-r2", "PLT00003-r1", "PLT00004-r1"]);
        let [older, present, foreign, new] = &answers[..] else { panic!("{answers:?}") };
        let error = |answer: &Answer| answer.result.as_ref().unwrap_err().to_string();
        assert!(matches!(older.result, Err(CacheError::OlderThanMinimum { .. })), "{}", error(older));
        assert!(present.result.as_ref().is_ok_and(|one| one.was_here && one.copied_bytes == 0));
        assert!(matches!(foreign.result, Err(CacheError::Signature { .. })), "{}", error(foreign));
        assert!(new.result.as_ref().is_ok_and(|one| one.was_here == (round == 1)), "{new:?}");
    }
    assert_right(&cache.load(&name("PLT00004"), &bench.keys).unwrap(), &last);
}

#[test]
fn equal_entries_of_an_index_are_looked_at_once() {
    let bench = Bench::new();
    let index = bench.source.dir().join("index.json");
    let mut json: serde_json::Value = serde_json::from_slice(&std::fs::read(&index).unwrap()).unwrap();
    let entry = json["manifests"][0].clone();
    // With and without what other tools drop when they copy.
    let mut bare = entry.clone();
    bare["annotations"].as_object_mut().unwrap().remove("dev.platen.media.id");
    let many = (0..100_000).map(|n| if n % 2 == 0 { entry.clone() } else { bare.clone() });
    json["manifests"] = many.collect();
    std::fs::write(&index, serde_json::to_vec(&json).unwrap()).unwrap();
    assert_eq!(bench.source.entries().unwrap().len(), 1);
    assert_eq!(bench.import(&bench.cache()).unwrap().len(), 1);
    // Different names for the same: more than any station holds.
    json["manifests"] = (0..20_000)
        .map(|n| {
            let mut other = bare.clone();
            other["annotations"]["org.opencontainers.image.ref.name"] = format!("M-r{n}").into();
            other
        })
        .collect();
    std::fs::write(&index, serde_json::to_vec(&json).unwrap()).unwrap();
    assert!(bench.source.entries().unwrap_err().to_string().contains("more than 10000 media"));
}

/// One medium of id PLT00001 in a source of its own, signed by `signer`.
fn imported_from(
    bench: &Bench,
    signer: &Signer,
    revision: u32,
    made_s: i64,
    keys: &platen_media::sign::TrustedKeys,
) -> Result<(), CacheError> {
    let dir = bench.dir.path().join(format!("{}-{revision}-{made_s}", keys.ids().len()));
    let (mut manifest, blobs) = manifest("PLT00001", revision, &packs(u64::from(revision % 7) + 20));
    manifest.created = Timestamp::from_unix_s(made_s);
    let source = author(&dir, signer, &manifest, &blobs);
    import(&bench.cache(), &source, keys).map(drop)
}

#[test]
fn an_id_belongs_to_the_key_that_signed_it_first() {
    let bench = Bench::new();
    let (other, cache) = (Signer::new(), bench.cache());
    let texts = [bench.signer.public_text(), other.public_text()];
    let both = platen_media::sign::TrustedKeys::from_texts(texts.iter().map(|text| &**text)).unwrap();
    bench.import(&cache).unwrap();
    let refused = imported_from(&bench, &other, u32::MAX, MADE_S, &both).unwrap_err();
    assert!(matches!(refused, CacheError::OtherSigner { .. }), "{refused}");
    assert_eq!(cache.minimums().unwrap()[0].revision, 1, "nothing was blocked");
    imported_from(&bench, &bench.signer, 2, MADE_S, &both).unwrap();
    // An administrator says otherwise.
    let number = other.keys().ids()[0].to_owned();
    cache.change_minimum("PLT00001", None, Some(&number)).unwrap().apply().unwrap();
    imported_from(&bench, &other, 3, MADE_S, &both).unwrap();
    let refused = imported_from(&bench, &bench.signer, 4, MADE_S, &both).unwrap_err();
    assert!(matches!(refused, CacheError::OtherSigner { .. }), "{refused}");
    assert!(matches!(cache.load(&name("PLT00001-r2"), &both), Err(CacheError::OtherSigner { .. })));
    // So does one who no longer trusts the key.
    imported_from(&bench, &bench.signer, 4, MADE_S, &bench.keys).unwrap();
}

#[test]
fn media_from_before_ids_were_bound_bind_theirs() {
    let bench = Bench::new();
    let (other, cache) = (Signer::new(), bench.cache());
    let texts = [other.public_text(), bench.signer.public_text()];
    let both = platen_media::sign::TrustedKeys::from_texts(texts.iter().map(|text| &**text)).unwrap();
    bench.import(&cache).unwrap();
    let path = cache.layout().dir().join("state.json");
    let mut state: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    state.as_object_mut().unwrap().remove("signers");
    // What a later version remembers is kept.
    state["leases"] = serde_json::json!({ "a": 1 });
    std::fs::write(&path, state.to_string()).unwrap();
    let refused = imported_from(&bench, &other, 9, MADE_S, &both).unwrap_err();
    assert!(matches!(refused, CacheError::OtherSigner { .. }), "{refused}");
    imported_from(&bench, &bench.signer, 9, MADE_S, &both).unwrap();
    let state: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(state["leases"]["a"], 1);
}

#[test]
fn a_minimum_can_be_lowered_again() {
    let bench = Bench::with("PLT00001", 3, &packs(1));
    let cache = bench.cache();
    bench.import(&cache).unwrap();
    imported_from(&bench, &bench.signer, u32::MAX, MADE_S, &bench.keys).unwrap();
    let change = cache.change_minimum("PLT00001", Some(3), None).unwrap();
    assert_eq!((change.before.revision, change.after.revision), (u32::MAX, 3));
    assert_eq!(change.withdrawn, [format!("PLT00001-r{}", u32::MAX)]);
    drop(change);
    assert_eq!(cache.minimums().unwrap()[0].revision, u32::MAX, "asked for, not made");
    cache.change_minimum("PLT00001", Some(3), None).unwrap().apply().unwrap();
    assert_right(&cache.load(&name("PLT00001"), &bench.keys).unwrap(), &bench.manifest);
    imported_from(&bench, &bench.signer, 4, MADE_S, &bench.keys).unwrap();
    assert!(matches!(cache.change_minimum("PLT00009", Some(3), None).err(), Some(CacheError::UnknownMedia { .. })));
}

#[test]
fn a_time_that_cannot_be_never_counts() {
    let bench = Bench::with("PLT00001", 3, &packs(1));
    let cache = bench.cache();
    bench.import(&cache).unwrap();
    let floor = cache.time_floor().unwrap();
    let year_2107 = 4_323_456_000;
    imported_from(&bench, &bench.signer, 3, year_2107, &bench.keys).unwrap();
    assert_eq!(cache.time_floor().unwrap(), floor);
    // The same revision with a time that can be is not older.
    imported_from(&bench, &bench.signer, 3, MADE_S + 3, &bench.keys).unwrap();
    // One more revision from the future counts as a revision, and no time with it.
    imported_from(&bench, &bench.signer, 4, year_2107, &bench.keys).unwrap();
    imported_from(&bench, &bench.signer, 4, MADE_S, &bench.keys).unwrap();
    assert_eq!(cache.time_floor().unwrap(), floor);
    // A clock that keeps local time is no reason.
    imported_from(&bench, &bench.signer, 5, now().unix_s() + 14 * 3600, &bench.keys).unwrap();
    assert_eq!(cache.time_floor().unwrap(), Some(Timestamp::from_unix_s(now().unix_s() + 14 * 3600)));
}

#[test]
fn a_pinned_medium_may_be_written_though_a_newer_one_is_here() {
    let bench = Bench::new();
    let cache = bench.cache();
    bench.import(&cache).unwrap();
    imported_from(&bench, &bench.signer, 2, MADE_S + 9, &bench.keys).unwrap();
    assert!(matches!(cache.load(&name("PLT00001-r1"), &bench.keys), Err(CacheError::OlderThanMinimum { .. })));
    cache.pin(&name("PLT00001-r1"), true).unwrap();
    let pinned = cache.load(&name("PLT00001-r1"), &bench.keys).unwrap();
    assert_eq!(pinned.pinned_below(), Some(2));
    assert_eq!(cache.load(&name("PLT00001"), &bench.keys).unwrap().pinned_below(), None, "the newest is no exception");
    // It can be healed from its source, too.
    std::fs::remove_file(cache.layout().blob_path(bench.manifest.blobs[1].sha256)).unwrap();
    bench.import(&cache).unwrap();
    assert_right(&cache.load(&name("PLT00001-r1"), &bench.keys).unwrap(), &bench.manifest);
    cache.pin(&name("PLT00001-r1"), false).unwrap();
    assert!(matches!(cache.load(&name("PLT00001-r1"), &bench.keys), Err(CacheError::OlderThanMinimum { .. })));
}
