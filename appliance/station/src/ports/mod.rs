// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What is inserted in a station's ports: asked of the machine, or of a folder of files that stand for drives.

mod machine;
mod rights;
mod simulated;

use std::io;
use std::time::Duration;

pub use self::machine::MachinePorts;
pub use self::rights::properties;
pub use self::simulated::{Script, SimulatedPorts};
use crate::core::Inserted;

/// Where drives come and go.
pub trait Ports: Send {
    /// Wait until something may have changed, for so long at most.
    fn wait(&mut self, patience: Duration) -> io::Result<()>;
    /// All drives that are inserted now, each with how it behaves if it is simulated.
    fn scan(&mut self) -> io::Result<Vec<Seen>>;
}

/// A drive that is inserted.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Which, and where.
    pub inserted: Inserted,
    /// How a file that stands for a drive behaves.
    pub script: Option<std::sync::Arc<Script>>,
}

/// What has changed between two scans: drives that went, then drives that came. A drive that was exchanged between them has
/// done both.
pub(crate) fn changes(before: &[Seen], now: &[Seen]) -> (Vec<Seen>, Vec<Seen>) {
    let is_in = |all: &[Seen], one: &Seen| all.iter().any(|other| other.inserted == one.inserted);
    let went = before.iter().filter(|one| !is_in(now, one)).cloned().collect();
    let came = now.iter().filter(|one| !is_in(before, one)).cloned().collect();
    (went, came)
}

#[cfg(test)]
mod tests {
    use platen_events::{DriveId, DriveLabel};
    use proptest::prelude::*;

    use super::*;
    use crate::config::DriveClass;

    fn drive(place: u8, disk_sequence: u64, size_bytes: u64) -> Seen {
        let inserted = Inserted {
            socket: format!("pci-0000:00:14.0-usb-{place}"),
            class: DriveClass::UsbRemovable,
            drive: DriveId { place: format!("2-{place}"), disk_sequence: Some(disk_sequence) },
            label: DriveLabel::default(),
            size_bytes,
            is_in_reader: false,
        };
        Seen { inserted, script: None }
    }

    /// At most one drive in each place, few places and values, so that many are equal.
    fn list() -> impl Strategy<Value = Vec<Seen>> {
        let drives = prop::collection::btree_map(0..6_u8, (0..3_u64, 1..3_u64), 0..6);
        drives.prop_map(|drives| {
            drives.into_iter().map(|(place, (sequence, size))| drive(place, sequence, size)).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1024) })]

        #[test]
        fn the_changes_lead_from_one_list_to_the_other(before in list(), after in list()) {
            let (went, came) = changes(&before, &after);
            let mut now: Vec<Inserted> = before.iter().map(|seen| seen.inserted.clone()).collect();
            for gone in went {
                let at = now.iter().position(|other| *other == gone.inserted);
                now.remove(at.expect("what went was there"));
            }
            for new in came {
                // Its place is free by now: whoever was there went before.
                prop_assert!(now.iter().all(|other| other.socket != new.inserted.socket));
                now.push(new.inserted);
            }
            now.sort_by(|a, b| a.socket.cmp(&b.socket));
            let after: Vec<Inserted> = after.into_iter().map(|seen| seen.inserted).collect();
            prop_assert_eq!(now, after);
        }
    }

    #[test]
    fn a_card_that_was_changed_in_its_reader_went_and_came() {
        let (went, came) = changes(&[drive(1, 7, 100), drive(2, 5, 100)], &[drive(1, 8, 100), drive(2, 5, 100)]);
        assert_eq!((went.len(), came.len()), (1, 1));
        assert_eq!((went[0].inserted.drive.disk_sequence, came[0].inserted.drive.disk_sequence), (Some(7), Some(8)));
    }
}
