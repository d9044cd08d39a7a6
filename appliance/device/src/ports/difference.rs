// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! In which way two lists of drives differ.

use serde::{Deserialize, Serialize};

use super::scan::Inserted;

/// One difference between what was inserted and what is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It is not there any more.
    Went(Inserted),
    /// It was not there before.
    Came(Inserted),
}

/// What leads from one list to the other: first all that went, then all that came, each in the order of its list.
///
/// A drive that is not in every respect what it was went, and came as what it is now: another disk sequence number or size
/// in the same place is another drive or another card. So nobody has to know which fields matter.
pub fn changes(before: &[Inserted], after: &[Inserted]) -> Vec<Change> {
    let went = before.iter().filter(|drive| !after.contains(drive)).cloned().map(Change::Went);
    let came = after.iter().filter(|drive| !before.contains(drive)).cloned().map(Change::Came);
    went.chain(came).collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use platen_events::{DriveId, DriveLabel};
    use proptest::prelude::*;

    use super::super::socket::{Bus, Socket};
    use super::*;

    fn drive(place: u8, disk_sequence: u64, size: u64, is_read_only: bool) -> Inserted {
        Inserted {
            socket: Socket::from(format!("pci-0000:00:14.0-usb-{place}")),
            bus: Bus::Usb,
            path: PathBuf::from(format!("/dev/sd{place}")),
            drive: DriveId { place: format!("2-{place}"), disk_sequence: Some(disk_sequence) },
            label: DriveLabel::default(),
            size_bytes: size * 512,
            sector_bytes: 512,
            is_removable: true,
            is_read_only,
        }
    }

    /// At most one drive in each place, few places and values, so that many are equal.
    fn list() -> impl Strategy<Value = Vec<Inserted>> {
        let drives = prop::collection::btree_map(0..6_u8, (0..3_u64, 1..3_u64, any::<bool>()), 0..6);
        drives
            .prop_map(|drives| drives.into_iter().map(|(place, (seq, size, ro))| drive(place, seq, size, ro)).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1024) })]

        #[test]
        fn the_changes_lead_from_one_list_to_the_other(before in list(), after in list()) {
            let changes = changes(&before, &after);
            let mut now = before.clone();
            for change in &changes {
                match change {
                    Change::Went(drive) => {
                        let at = now.iter().position(|other| other == drive);
                        now.remove(at.expect("what went was there"));
                    }
                    Change::Came(drive) => {
                        // Its place is free by now: whoever was there went before.
                        prop_assert!(now.iter().all(|other| other.socket != drive.socket));
                        now.push(drive.clone());
                    }
                }
            }
            now.sort_by(|a, b| a.socket.cmp(&b.socket));
            prop_assert_eq!(&now, &after);
        }

        #[test]
        fn what_did_not_change_is_not_named(before in list(), after in list()) {
            for change in changes(&before, &after) {
                let (Change::Went(drive) | Change::Came(drive)) = change;
                prop_assert!(!(before.contains(&drive) && after.contains(&drive)));
            }
            prop_assert_eq!(changes(&before, &before), vec![]);
        }
    }

    #[test]
    fn a_card_that_was_changed_in_its_reader_went_and_came() {
        let (old, new, other) = (drive(1, 7, 100, false), drive(1, 8, 100, false), drive(2, 5, 100, false));
        let found = changes(&[old.clone(), other.clone()], &[new.clone(), other.clone()]);
        assert_eq!(found, [Change::Went(old.clone()), Change::Came(new)]);
        let lists = [[old], [drive(1, 7, 200, false)]];
        let named = changes(&lists[0], &lists[1]);
        let [[old], [grown]] = lists;
        assert_eq!(named, [Change::Went(old), Change::Came(grown)]);
    }
}
