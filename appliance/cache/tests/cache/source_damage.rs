// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A source whose bytes changed on the way: by accident (digests no longer fit) and on purpose (digests made to fit).

use std::fs;

use platen_cache::CacheError;
use platen_media::Sha256;

use crate::support::{Bench, all, assert_right, chain, flip, name, signed};

/// Import into a cache that never held this medium; either refused or exactly the right medium. Gives the error.
fn refused(bench: &Bench) -> Option<CacheError> {
    let cache = bench.cache();
    match bench.import(&cache) {
        Err(error) => {
            assert!(cache.list().unwrap().is_empty(), "refused, yet visible: {error}");
            Some(error)
        }
        Ok(_) => {
            assert_right(&cache.load(&name("PLT00001"), &bench.keys).unwrap(), &bench.manifest);
            fs::remove_dir_all(bench.cache_dir()).unwrap();
            None
        }
    }
}

#[test]
fn every_flipped_byte_of_a_small_file_is_refused_by_its_digest() {
    let bench = Bench::in_memory();
    let entry = signed(&bench.manifest, &bench.signer);
    let source = bench.source.media(&bench.source.entries().unwrap()[0]).unwrap();
    assert_eq!(source.manifest_bytes, entry.manifest_bytes);
    let oci = bench.source.entries().unwrap()[0].oci_manifest;
    let files: [Sha256; 5] = [
        Sha256::of(&source.manifest_bytes),
        Sha256::of(source.manifest_signature.as_bytes()),
        Sha256::of(&source.sums),
        Sha256::of(source.sums_signature.as_bytes()),
        oci,
    ];
    let mut tried = 0;
    for digest in files {
        let path = bench.source.blob_path(digest);
        for offset in 0..fs::metadata(&path).unwrap().len() as usize {
            flip(&path, offset, 1 << (offset % 8));
            let error = refused(&bench).unwrap_or_else(|| panic!("{digest} at {offset}"));
            let text = chain(&error);
            assert!(text.contains("PLT00001-r1") && text.contains(&digest.to_string()), "{text}");
            flip(&path, offset, 1 << (offset % 8));
            tried += 1;
        }
    }
    assert!(refused(&bench).is_none(), "control: whole again, it is accepted");
    eprintln!("{tried} bytes of manifest, signatures, sums and OCI manifest flipped, 0 accepted");
}

#[test]
fn every_flipped_byte_of_the_index_is_refused_or_harmless() {
    let bench = Bench::in_memory();
    let (mut stopped, mut harmless) = (0, 0);
    for file in ["index.json", "oci-layout"] {
        let path = bench.source.dir().join(file);
        for offset in 0..fs::metadata(&path).unwrap().len() as usize {
            flip(&path, offset, 1 << (offset % 7));
            match platen_cache::layout::Layout::open(bench.source.dir()).map(|_| refused(&bench)) {
                Ok(None) => harmless += 1,
                Ok(Some(_)) | Err(_) => stopped += 1,
            }
            flip(&path, offset, 1 << (offset % 7));
        }
    }
    eprintln!("index and marker: {stopped} flips refused, {harmless} harmless (the right medium came in)");
    assert!(stopped > 100);
}

#[test]
fn every_flipped_byte_of_content_names_the_file() {
    let bench = Bench::in_memory();
    let mut tried = 0;
    for (index, blob) in bench.manifest.blobs.iter().enumerate() {
        let path = bench.source.blob_path(blob.sha256);
        let step = if blob.size_bytes > 5000 { 61 } else { 1 };
        for offset in (0..blob.size_bytes as usize).step_by(step) {
            flip(&path, offset, 0x80 >> (offset % 8));
            let error = refused(&bench).unwrap_or_else(|| panic!("blob {index} at {offset}"));
            let here = bench.manifest.files.iter().filter(|file| {
                file.at.is_some_and(|at| {
                    let start = at.offset_bytes as usize;
                    at.blob as usize == index && (start..start + file.size_bytes as usize).contains(&offset)
                })
            });
            // Two files with the same bytes share them; naming one is enough.
            let named = here.clone().any(|file| error.to_string().contains(file.path.as_str()));
            assert!(matches!(error, CacheError::Damaged { .. }) && named, "{offset}: {error}, not {:?}", here.count());
            let content = &bench.manifest.contents[index];
            assert!(error.to_string().contains(&content.id), "{error}");
            flip(&path, offset, 0x80 >> (offset % 8));
            tried += 1;
        }
    }
    assert!(refused(&bench).is_none(), "control");
    eprintln!("{tried} bytes of content flipped, 0 accepted");
}

/// Somebody who can change files can also make the digests fit. Only the signature stops them.
#[test]
fn every_changed_byte_with_digests_made_to_fit_is_refused_by_the_signature() {
    let bench = Bench::in_memory();
    let whole = signed(&bench.manifest, &bench.signer);
    let (mut tried, mut comment) = (0, 0);
    let untrusted = whole.manifest_signature.find('\n').unwrap();
    let lengths =
        [whole.manifest_bytes.len(), whole.manifest_signature.len(), whole.sums.len(), whole.sums_signature.len()];
    for (which, length) in lengths.into_iter().enumerate() {
        // All of a signature, a part of the rest: each costs several writes to disk.
        let step = if length > 600 { 3 } else { 1 };
        for offset in (0..length).step_by(step) {
            let mut entry = whole.clone();
            let mask = 1 << (offset % 7);
            let changed = |text: &str| {
                let mut bytes = text.as_bytes().to_vec();
                bytes[offset] ^= mask;
                String::from_utf8(bytes).unwrap()
            };
            match which {
                0 => entry.manifest_bytes[offset] ^= mask,
                1 => entry.manifest_signature = changed(&whole.manifest_signature),
                2 => entry.sums[offset] ^= mask,
                _ => entry.sums_signature = changed(&whole.sums_signature),
            }
            bench.source.publish(&bench.manifest, &entry).unwrap();
            match refused(&bench) {
                Some(error) => {
                    assert!(matches!(&error, CacheError::Signature { .. }), "{which} {offset}: {}", chain(&error));
                    assert!(error.to_string().contains("PLT00001-r1"));
                }
                // The first line of a signature is a comment nobody signed.
                None if which % 2 == 1 && offset < untrusted => comment += 1,
                // The line feed at the very end.
                None if which % 2 == 1 && offset + 1 == length => comment += 1,
                None => panic!("accepted: file {which}, byte {offset} of {length}"),
            }
            tried += 1;
        }
    }
    eprintln!("{tried} changes with fitting digests: all refused but {comment} in untrusted comments");
}

#[test]
fn all_missing_content_is_listed() {
    let bench = Bench::new();
    for blob in [0, 2] {
        fs::remove_file(bench.source.blob_path(bench.manifest.blobs[blob].sha256)).unwrap();
    }
    let CacheError::Missing { missing, .. } = refused(&bench).unwrap() else { panic!("expected Missing") };
    assert_eq!(missing.len(), 2, "{missing:?}");
    assert!(missing[0].contains("DRV00001") && missing[1].contains("APP00001"), "{missing:?}");
    // What the cache has already is not missing.
    let whole = Bench::new();
    let cache = whole.cache();
    whole.import(&cache).unwrap();
    fs::remove_file(whole.source.blob_path(whole.manifest.blobs[1].sha256)).unwrap();
    whole.import(&cache).unwrap();
    let second = whole.add("PLT00002", 1, &{
        let mut packs = crate::support::packs(1);
        packs.push(crate::support::Pack::small("NEW00001", 50));
        packs
    });
    fs::remove_file(whole.source.blob_path(whole.manifest.blobs[1].sha256)).unwrap();
    fs::remove_file(whole.source.blob_path(second.blobs[3].sha256)).unwrap();
    let answer =
        all(cache.import(&whole.source, Some(&name("PLT00002")), &whole.keys, crate::support::now(), &mut |_| {}));
    let CacheError::Missing { missing, .. } = answer.unwrap_err() else { panic!("expected Missing") };
    assert_eq!(missing.len(), 1, "only what is nowhere: {missing:?}");
    assert!(missing[0].contains("NEW00001"), "{missing:?}");
}

#[test]
fn a_blob_of_another_size_is_refused_and_named() {
    let bench = Bench::new();
    let path = bench.source.blob_path(bench.manifest.blobs[1].sha256);
    let whole = fs::read(&path).unwrap();
    let mut grown = whole.clone();
    grown.push(0);
    let mut much = whole.clone();
    much.resize(5 << 20, 7);
    for bytes in [&whole[..0], &whole[..1], &whole[..whole.len() - 1], &grown, &much] {
        fs::write(&path, bytes).unwrap();
        let error = refused(&bench).unwrap();
        assert!(error.to_string().contains("install.wim"), "{} bytes: {error}", bytes.len());
    }
    // A hole in a sparse file, a folder, a link to nowhere.
    fs::remove_file(&path).unwrap();
    fs::File::create(&path).unwrap().set_len(whole.len() as u64).unwrap();
    assert!(matches!(refused(&bench), Some(CacheError::Damaged { .. })));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(refused(&bench), Some(CacheError::Missing { .. })));
    fs::remove_dir(&path).unwrap();
    std::os::unix::fs::symlink("/nowhere", &path).unwrap();
    assert!(matches!(refused(&bench), Some(CacheError::Missing { .. })));
}
