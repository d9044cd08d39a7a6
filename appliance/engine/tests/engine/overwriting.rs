// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Testing what a drive holds, and erasing it.

use std::path::Path;
use std::sync::{Arc, Mutex};

use platen_engine::Drive;
use platen_engine::plan::plan_erase;
use platen_engine::plan::{DriveShape, Erase, WritePlan};
use platen_events::{Code, JobEnd, Verdict};

use crate::bench::{Bench, code, copy, faulty, moved, recognisable, used, write};
use crate::fake::{Fake, Fault};
use crate::liar::{Blank, Liar, Lie};
use crate::probing::models;
use crate::rigged::{Act, Kind, Rigged, locked};

fn shape(size_bytes: u64, sector_bytes: u32) -> DriveShape {
    DriveShape { size_bytes, sector_bytes }
}

fn run(bench: &Bench, plan: &WritePlan, drive: &mut dyn Drive) -> JobEnd {
    write(&bench.engine, plan, drive)
}

/// Job, verdict, code, and bytes read back, of the row written last.
fn last_row(bench: &Bench) -> (String, String, String, u64) {
    let entry = bench.engine.ledger.entries().unwrap().pop().unwrap().entry;
    (entry.job, entry.verdict, entry.code, entry.verified_bytes)
}

#[test]
fn a_test_says_how_much_a_drive_holds() {
    let bench = Bench::raw();
    let size = 64 << 20;
    for (number, model) in models(size).into_iter().enumerate() {
        let plan = platen_engine::plan::plan_test(shape(size, 512), number as u64);
        let mut drive = Liar::new(size, model.lie, Blank::Noise(1)).with_cache(model.cache);
        let held = drive.can_hold();
        assert_eq!(held.good + held.repeated + held.lost, size);
        let end = run(&bench, &plan, &mut drive);
        let detail = end.detail();
        assert_eq!(code(&end), Some(Code::Fake), "{}: {detail}", model.name);
        let numbers = format!(
            "{} of {size} bytes hold what was written, {} repeat other addresses, {} were not stored, 0 have wrong bits; the first wrong \
             one is at {:#x}",
            held.good, held.repeated, held.lost, held.first_wrong
        );
        assert!(detail.ends_with(&numbers), "{}: {detail}, expected {numbers}", model.name);
        assert_eq!(last_row(&bench), ("test".to_owned(), "NOT USABLE".to_owned(), Code::Fake.to_string(), 0));
    }
}

#[test]
fn an_honest_drive_passes_its_test() {
    let bench = Bench::raw();
    for (size, sector, blank) in [(64 << 20, 512, Blank::Ones), ((24 << 20) + 512, 512, Blank::Noise(2))] {
        let plan = platen_engine::plan::plan_test(shape(size, sector), 99);
        let outcome = run(&bench, &plan, &mut Liar::new(size, Lie::Honest, blank));
        assert_eq!(outcome.verdict, Verdict::Good, "{outcome:?}");
        assert_eq!((moved(&outcome).written_bytes, moved(&outcome).verified_bytes), (size, size));
        assert_eq!(last_row(&bench), ("test".to_owned(), "GOOD".to_owned(), String::new(), size));
    }
}

#[test]
fn a_few_bad_sectors_make_no_fake() {
    let bench = Bench::raw();
    let size = 64 << 20;
    let plan = platen_engine::plan::plan_test(shape(size, 512), 5);
    for first in [8, 15, 25] {
        let spoiled = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&spoiled);
        let drive = Liar::new(size, Lie::Honest, Blank::Noise(4));
        let mut drive = Rigged::new(drive, move |asked| {
            if asked.kind == Kind::Write && [first, first + 1, first + 5].contains(&asked.nth) {
                locked(&list).push((asked.offset_bytes + asked.len_bytes / 2) / 512 * 512);
                return Act::Flip;
            }
            Act::Work
        });
        let outcome = run(&bench, &plan, &mut drive);
        let spoiled = locked(&spoiled).clone();
        assert_eq!(spoiled.len(), 3);
        assert_eq!(code(&outcome), Some(Code::ReadBackDiffers), "{outcome:?}");
        let detail = outcome.detail();
        let end = format!("0 were not stored, 1536 have wrong bits; the first wrong one is at {:#x}", spoiled[0]);
        assert!(detail.ends_with(&end), "{detail}, expected {end}");
    }
}

#[test]
fn a_full_erase_leaves_nothing_but_zeros() {
    let bench = Bench::raw();
    for (size, sector) in [(40 << 20, 512), (21 << 20, 4096), ((17 << 20) + 512, 512), (1 << 20, 512)] {
        let plan = plan_erase(shape(size, sector), Erase::Full);
        let mut drive =
            if size > 2 << 20 { faulty(&plan, Fault::None) } else { Fake::new(vec![7; size as usize], 512) };
        assert_eq!(run(&bench, &plan, &mut drive).verdict, Verdict::Erased);
        assert!(drive.memory.iter().all(|&byte| byte == 0), "{size}");
        assert_eq!(last_row(&bench), ("erase-full".to_owned(), "ERASED".to_owned(), String::new(), size));
    }
}

#[test]
fn a_quick_erase_leaves_nothing_recognisable_and_nothing_unsaid() {
    let bench = Bench::raw();
    for sector in [512, 4096] {
        let size = 40 << 20;
        let plan = plan_erase(shape(size, sector), Erase::Quick);
        let mut drive = faulty(&plan, Fault::None);
        let before = used(&plan);
        assert!(recognisable(&before, sector as usize).is_some(), "control");
        assert_eq!(run(&bench, &plan, &mut drive).verdict, Verdict::Erased);
        assert_eq!(recognisable(&drive.memory, sector as usize), None);
        let (head, tail) = (16 << 20, (size - (4 << 20)) as usize);
        assert!(drive.memory[..head].iter().chain(&drive.memory[tail..]).all(|&byte| byte == 0));
        assert!(drive.memory[head..tail] == before[head..tail], "a quick erase is quick");
        let row = ("erase-quick".to_owned(), "ERASED".to_owned(), String::new(), 20 << 20);
        assert_eq!(last_row(&bench), row);
    }
}

/// A drive that loses a write, or shows another bit, is not called erased. The control, a drive that answers as if it
/// had not, is.
#[test]
fn a_drive_that_keeps_something_is_not_erased() {
    let bench = Bench::raw();
    let (mut refused, mut harmless, mut control) = (0, 0, 0);
    for kind in [Erase::Quick, Erase::Full] {
        let plan = plan_erase(shape(40 << 20, 512), kind);
        for fault in [Fault::DropWrite, Fault::TearWrite, Fault::FlipWrite, Fault::FlipRead, Fault::EmptyRead] {
            for n in 1.. {
                let mut drive = faulty(&plan, fault(n));
                let outcome = run(&bench, &plan, &mut drive);
                if !drive.struck {
                    assert_eq!(outcome.verdict, Verdict::Erased, "{outcome:?}");
                    break;
                }
                let is_erased = |memory: &[u8]| {
                    let extents = plan.payload().iter();
                    let range = |from: u64, len: u64| from as usize..(from + len) as usize;
                    let mut ranges = extents.map(|extent| range(extent.offset_bytes, extent.len_bytes));
                    ranges.all(|range| memory[range].iter().all(|&byte| byte == 0))
                };
                match code(&outcome) {
                    Some(Code::ReadBackDiffers) => refused += 1,
                    // The wiping before it was spoiled, and what it wiped is overwritten anyway.
                    None if is_erased(&drive.memory) => harmless += 1,
                    _ => panic!("{:?}: {outcome:?}", fault(n)),
                }
                if n < 10 {
                    let mut drive = faulty(&plan, fault(n));
                    drive.blind = Some(copy(&drive.memory));
                    control += u64::from(
                        run(&bench, &plan, &mut drive).verdict == Verdict::Erased && !is_erased(&drive.memory),
                    );
                }
            }
        }
    }
    eprintln!("erase: {refused} refused, {harmless} harmless, 0 wrongly called erased; control: {control}");
    assert!(refused > 50 && control > 0);
}

/// Sentences that promise more than overwriting can: a drive has blocks that no address reaches. The word may only
/// stand where it is denied.
fn promises(text: &str) -> Vec<String> {
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let sentences = joined.split_inclusive(['.', ';', '!', '?']);
    sentences
        .filter(|sentence| {
            let words = || sentence.split(|c: char| !c.is_alphabetic()).map(str::to_lowercase);
            let claims = words().any(|word| word.starts_with("purg"));
            claims && !words().any(|word| ["not", "no", "never", "nor", "neither"].contains(&&*word))
        })
        .map(str::to_owned)
        .collect()
}

fn texts(at: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(at).unwrap().map(|entry| entry.unwrap().path()) {
        let name = entry.file_name().unwrap().to_string_lossy().into_owned();
        if entry.is_dir() && name != "target" && name != "tests" && !name.starts_with('.') {
            texts(&entry, found);
        } else if [".md", ".rs", ".txt", ".toml", ".html"].iter().any(|end| name.ends_with(end)) {
            found.push(entry);
        }
    }
}

#[test]
fn nothing_promises_a_purge() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = Vec::new();
    texts(&root, &mut found);
    assert!(found.iter().any(|path| path.ends_with("README.md")) && found.len() > 50, "control: {}", found.len());
    for path in found {
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(promises(&text), Vec::<String>::new(), "{}", path.display());
    }
    assert_eq!(promises("Erases fast. Meets NIST Purge.\nDone.").len(), 1, "control");
    assert_eq!(promises("It is Clear at most, not Purge. Erased.").len(), 0, "control");
}
