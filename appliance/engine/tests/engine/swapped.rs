// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A medium that is changed under an open handle, and a drive that somebody else begins to use.

use platen_engine::Trouble;
use platen_events::Code;
use platen_media::manifest::Scheme;

use crate::bench::{Bench, code, faulty, is_ready, write};
use crate::fake::Fault;
use crate::rigged::{Act, Asked, Kind, Rigged, locked};

/// From the nth time on that the drive is asked whether it is still the same, it is another one.
fn another_from(nth: u64) -> impl FnMut(Asked) -> Act + Send + 'static {
    move |asked| if asked.kind == Kind::Confirm && asked.nth >= nth { Act::Fail(Trouble::Vanished) } else { Act::Work }
}

#[test]
fn what_took_the_place_of_the_drive_is_not_touched_from_then_on() {
    for scheme in [Scheme::Mbr, Scheme::Gpt] {
        let bench = Bench::files();
        let plan = bench.plan_for(scheme, 40 << 20, 512);
        let mut ended = 0;
        for nth in 1.. {
            // What is on the drive at the moment of the change must be what is on it at the end.
            let before = std::sync::Arc::new(std::sync::Mutex::new(None));
            let drive = faulty(&plan, Fault::None);
            let mut rule = another_from(nth);
            let (memory, seen) = (std::sync::Arc::clone(&before), std::sync::Arc::new(std::sync::OnceLock::new()));
            let look = std::sync::Arc::clone(&seen);
            let mut rigged = Rigged::new(drive, move |asked| {
                let act = rule(asked);
                if act != Act::Work {
                    let behind: &std::sync::Arc<std::sync::Mutex<crate::fake::Fake>> = look.get().unwrap();
                    locked(&memory).get_or_insert_with(|| locked(behind).memory.clone());
                }
                act
            });
            let _ = seen.set(rigged.behind());
            let outcome = write(&bench.engine, &plan, &mut rigged);
            let Some(before) = locked(&before).take() else {
                assert!(is_ready(&outcome), "{outcome:?}");
                break;
            };
            assert_eq!(code(&outcome), Some(Code::Vanished), "{nth}: {outcome:?}");
            assert!(locked(&rigged.behind()).memory == before, "{nth}: it was written to after it had been changed");
            ended += 1;
        }
        assert!(ended >= 4, "it is asked at every step; {ended} times here");
    }
}

#[test]
fn a_drive_that_somebody_uses_meanwhile_is_not_sealed() {
    let bench = Bench::files();
    let plan = bench.plan_for(Scheme::Mbr, 40 << 20, 512);
    let used = |asked: Asked| if asked.kind == Kind::Unshared { Act::Fail(Trouble::InUse) } else { Act::Work };
    let mut rigged = Rigged::new(faulty(&plan, Fault::None), used);
    let outcome = write(&bench.engine, &plan, &mut rigged);
    assert_eq!(code(&outcome), Some(Code::Busy), "{outcome:?}");
    let behind = rigged.behind();
    assert_eq!(crate::bench::recognisable(&locked(&behind).memory, 512), None);
}

#[test]
fn what_somebody_else_wrote_or_another_card_holds_is_not_held_against_the_drive() {
    let bench = Bench::files();
    let plan = bench.plan_for(Scheme::Mbr, 40 << 20, 512);
    // The last time that it is asked before it is read back.
    let confirmed_before_reading = {
        let asked = std::sync::Arc::new(std::sync::Mutex::new((0, 0)));
        let noted = std::sync::Arc::clone(&asked);
        let mut rigged = Rigged::new(faulty(&plan, Fault::None), move |asked| {
            let mut noted = locked(&noted);
            match asked.kind {
                Kind::Confirm => noted.0 = asked.nth,
                Kind::Read if asked.len_bytes > 1 << 20 && noted.1 == 0 => noted.1 = noted.0,
                _ => {}
            }
            Act::Work
        });
        assert!(is_ready(&write(&bench.engine, &plan, &mut rigged)));
        locked(&asked).1
    };
    assert!(confirmed_before_reading > 0);
    let vanished = move |asked: Asked| asked.kind == Kind::Confirm && asked.nth > confirmed_before_reading;
    let used = |asked: Asked| asked.kind == Kind::Unshared;
    type Happens = Box<dyn Fn(Asked) -> bool + Send>;
    let cases: [(Happens, Trouble, Code); 3] = [
        (Box::new(vanished), Trouble::Vanished, Code::Vanished),
        (Box::new(used), Trouble::InUse, Code::Busy),
        // Control: nothing of the kind happened.
        (Box::new(|_| false), Trouble::Broken, Code::ReadBackDiffers),
    ];
    for (happens, trouble, expected) in cases {
        let mut rigged = Rigged::new(faulty(&plan, Fault::None), move |asked| match asked.kind {
            _ if happens(asked) => Act::Fail(trouble),
            Kind::Read if asked.len_bytes > 1 << 20 => Act::Flip,
            _ => Act::Work,
        });
        let outcome = write(&bench.engine, &plan, &mut rigged);
        assert_eq!(code(&outcome), Some(expected), "{outcome:?}");
    }
}
