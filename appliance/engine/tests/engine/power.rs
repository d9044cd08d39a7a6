// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Pulled with a write cache on board: what was not flushed may be on the drive or not, in any order.

use platen_media::manifest::Scheme;

use crate::bench::{Bench, faulty, is_armed, is_ready, is_right, used};
use crate::fake::Fault;
use crate::media::noise;

/// Whatever is lost: sector 0 has a partition table only when all else is right, or when nothing was touched yet.
#[test]
fn a_drive_with_a_partition_table_is_complete_whenever_it_is_pulled() {
    for (bench, scheme) in [(Bench::files(), Scheme::Mbr), (Bench::files(), Scheme::Gpt), (Bench::raw(), Scheme::Mbr)] {
        let plan = bench.plan(scheme);
        let golden = bench.golden(&plan);
        let total = {
            let mut drive = faulty(&plan, Fault::None);
            assert!(is_ready(&bench.write(&plan, &mut drive)));
            (drive.writes + drive.reads + drive.flushes, drive.written_bytes)
        };
        let old = used(&plan);
        let (mut pulled, mut complete, mut untouched) = (0, 0, 0);
        let by_operation = (1..=total.0).flat_map(|n| [Fault::VanishAtOperation(n); 6]);
        let by_byte = (0..total.1).step_by(total.1 as usize / 60).map(Fault::VanishAtByte);
        for (round, fault) in by_operation.chain(by_byte).enumerate() {
            let mut drive = faulty(&plan, fault);
            drive.unflushed = Some(Vec::new());
            let outcome = bench.write(&plan, &mut drive);
            assert!(drive.struck && !is_ready(&outcome), "{fault:?}: {outcome:?}");
            let mut bytes = noise(round as u64 + 99, 1 << 16).into_iter();
            drive.lose_power(|| u32::from(bytes.next().unwrap_or(7)));
            pulled += 1;
            if !is_armed(&drive.memory) {
                continue;
            }
            if drive.memory[..512] == old[..512] {
                // The first wiping was not saved yet, so nothing else was begun.
                let changed = |extent: &&platen_engine::plan::PlannedExtent| {
                    let range = extent.offset_bytes as usize..(extent.offset_bytes + extent.len_bytes) as usize;
                    let wiped = plan.invalidate().iter().any(|wiped| wiped.contains(&extent.offset_bytes));
                    !wiped && drive.memory[range.clone()] != old[range]
                };
                assert_eq!(plan.payload().iter().find(changed), None, "{fault:?}");
                untouched += 1;
            } else {
                assert!(is_right(&plan, &drive.memory, &golden), "{fault:?}: a partition table over half a medium");
                complete += 1;
            }
        }
        eprintln!(
            "power lost, {}: {pulled} pulled, 0 with a table over half a medium; {untouched} before anything was \
             wiped, {complete} complete but unrecorded",
            plan.title()
        );
        assert!(pulled > 100 && complete > 0 && untouched > 0);
    }
}
