// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Writing over an older release: only what changed is sent to the drive, and all of it is read back.

use platen_events::Moved;
use platen_examine::Depth;
use platen_media::manifest::Scheme;

use crate::bench::{contents, is_ready, moved, used};
use crate::fake::Fake;
use crate::faults::Case;
use crate::judge::verdict;
use crate::media::Signer;
use crate::update::{is_written, look, next_contents, present_bytes, release, update};

/// A drive with a release, and the plan that makes the next one of it.
pub(crate) fn updating(scheme: Scheme) -> Case {
    let signer = Signer::new();
    let (old, bench) = (release(&signer, 1, &contents(1)), release(&signer, 2, &next_contents()));
    let former = old.plan(scheme);
    let before = old.golden(&former);
    let plan = update(&bench, &look(&before), former.shape()).unwrap();
    Case { bench, plan, before }
}

/// A drive that is not what its manifest says costs a full write, not a wrong medium.
#[test]
fn only_what_changed_is_written_and_all_is_read_back() {
    let signer = Signer::new();
    let (old, new) = (release(&signer, 1, &contents(1)), release(&signer, 2, &next_contents()));
    for scheme in [Scheme::Mbr, Scheme::Gpt] {
        let before = old.plan(scheme);
        let memory = old.golden(&before);
        let plan = update(&new, &look(&memory), before.shape()).unwrap();
        let mut drive = Fake::new(memory.clone(), 512);
        let Moved { written_bytes, verified_bytes, .. } = moved(&new.write(&plan, &mut drive));
        assert_eq!(verified_bytes, plan.write_bytes());
        let changed_bytes = plan.write_bytes() - present_bytes(&plan);
        assert!(written_bytes < changed_bytes, "{written_bytes} of {changed_bytes} that are not presumed");
        assert!(verdict(&new, &drive.memory, 512, Depth::Content).is_good());
        assert_eq!(new.engine.ledger.entries().unwrap().last().unwrap().entry.job, "update");

        // One bit in content that is presumed there.
        let at = plan.present().unwrap().iter().map(|range| range.start + 17).max().unwrap();
        let mut rotten = memory;
        rotten[at as usize] ^= 4;
        let mut drive = Fake::new(rotten, 512);
        // Ready all the same.
        let Moved { written_bytes, .. } = moved(&new.write(&plan, &mut drive));
        assert!(written_bytes > changed_bytes, "it was written as a whole");
        assert!(verdict(&new, &drive.memory, 512, Depth::Content).is_good());
        let rows = new.engine.ledger.entries().unwrap();
        let told: Vec<_> =
            rows.iter().rev().take(2).map(|row| (&*row.entry.job, &*row.entry.verdict, &*row.entry.code)).collect();
        assert_eq!(told, [("update", "READY", ""), ("update", "RETRIED", "P-V-004")]);
    }
}

/// Two drives of one medium at once, one of them updated: the same files in other places, so each has its own reading.
#[test]
fn an_updated_drive_and_a_new_one_do_not_share_a_stream() {
    let signer = Signer::new();
    let mut moved = contents(1);
    moved.rotate_left(1);
    let (old, new) = (release(&signer, 1, &moved), release(&signer, 2, &next_contents()));
    let before = old.plan(Scheme::Mbr);
    let memory = old.golden(&before);
    let updated = update(&new, &look(&memory), before.shape()).unwrap();
    let plain = new.plan(Scheme::Mbr);
    assert!(updated.payload() != plain.payload() && updated.shape() == plain.shape());
    for _ in 0..8 {
        let drives: Vec<Vec<u8>> = std::thread::scope(|scope| {
            let write = |plan| {
                let new = &new;
                scope.spawn(move || {
                    let mut drive = Fake::new(used(plan), 512);
                    let outcome = new.write(plan, &mut drive);
                    assert!(is_ready(&outcome), "{outcome:?}");
                    std::mem::take(&mut drive.memory)
                })
            };
            let threads = [write(&updated), write(&plain), write(&updated), write(&plain)];
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        for (drive, plan) in drives.iter().zip([&updated, &plain, &updated, &plain]) {
            assert!(verdict(&new, drive, 512, Depth::Content).is_good());
            assert!(is_written(plan, plan.payload().iter(), drive));
        }
    }
}
