// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Media come and go in the store while drives are being written.

use std::sync::Arc;

use platen_media::manifest::Scheme;

use crate::bench::{Bench, contents, faulty, is_ready, is_right, write};
use crate::fake::Fault;
use crate::media::{Signer, author, import, name};
use crate::rigged::{Act, Kind, Rigged, locked};
use crate::update::release;

/// In the middle of a job a newer revision is imported and the store is collected. The job's content stays until the
/// plan is gone, at whatever write it happens.
#[test]
fn a_collection_in_mid_job_takes_nothing_from_it() {
    let signer = Signer::new();
    let mut tried = 0;
    for nth in [1, 3, 8] {
        let bench = release(&signer, 1, &contents(1));
        let plan = bench.plan(Scheme::Mbr);
        let golden = bench.golden(&plan);
        let blobs: Vec<_> = (0..bench.media.manifest().blobs.len()).map(|index| bench.blob_path(index)).collect();
        let next = release(&signer, 2, &contents(900));
        let (manifest, content) = (next.media.manifest().clone(), contents(900));
        let (mut newer, mut stored) = crate::media::manifest("PLT00001", 2, &content);
        crate::bench::add_bios(&mut newer, &mut stored);
        assert_eq!(newer, manifest);
        let source = author(&bench.dir.path().join("newer"), &signer, &newer, &stored);
        let Bench { dir: _dir, cache, media, keys, engine } = bench;
        drop(media);

        let cache = Arc::new(cache);
        let (other, keys) = (Arc::clone(&cache), keys.clone());
        let mut rigged = Rigged::new(faulty(&plan, Fault::None), move |asked| {
            if asked.kind == Kind::Write && asked.nth == nth {
                import(&other, &source, &keys).unwrap();
                let collected = other.collect_garbage().unwrap();
                assert_eq!((collected.media.len(), collected.in_use), (1, 1));
            }
            Act::Work
        });
        let outcome = write(&engine, &plan, &mut rigged);
        assert!(is_ready(&outcome), "{nth}: {outcome:?}");
        assert!(is_right(&plan, &locked(&rigged.behind()).memory, &golden));
        assert!(cache.find(&name("PLT00001-r1")).is_err() && blobs.iter().all(|blob| blob.exists()));
        // The control: with the plan goes what kept the content.
        drop(plan);
        assert!(cache.collect_garbage().unwrap().removed_blobs > 0);
        assert!(blobs.iter().any(|blob| !blob.exists()));
        tried += 1;
    }
    assert_eq!(tried, 3);
}
