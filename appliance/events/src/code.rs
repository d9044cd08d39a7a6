// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The operator's codes: one table from which screens, logs, the ledger and the manual are fed.
//!
//! A code never changes its meaning and is never used again. Its letter says where it happens: `M` the medium's
//! policy, `D` the drive before writing, `W` writing, `V` reading back, `S` sealing, `C` the cache, `L` the ledger,
//! `A` who may do what, `U` the appliance's own system and its updates, `T` the target computer booted from the medium.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What an operator does next. There is no fourth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Use the drive.
    Ready,
    /// Correct what the text says, then try the same drive again.
    TryAgain,
    /// Never use this drive again.
    PullAndSetAside,
}

impl Advice {
    /// As every screen, line and row says it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ready => "READY",
            Self::TryAgain => "TRY AGAIN",
            Self::PullAndSetAside => "NOT USABLE",
        }
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// As printed, for example `P-W-001`.
    pub id: &'static str,
    /// What happened, one sentence of at most [`WHAT_CHARS`] characters.
    pub what: &'static str,
    /// What to do now, one sentence of at most [`TODO_CHARS`] characters.
    pub todo: &'static str,
    /// The verdict on the drive, in words for people.
    pub advice: Advice,
}

/// Longest `what` that fits two lines of the smallest display that shows sentences (320 x 240).
pub const WHAT_CHARS: usize = 64;
/// Longest `todo`, likewise.
pub const TODO_CHARS: usize = 72;

macro_rules! codes {
    ($($name:ident $id:literal $advice:ident $what:literal $todo:literal)*) => {
        /// An operator's code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $(#[doc = $what] $name),* }

        impl Code {
            /// Every code there is, in the order of the table.
            pub const ALL: &'static [Code] = &[$(Code::$name),*];

            /// Its row in the table.
            pub const fn entry(self) -> Entry {
                match self {
                    $(Code::$name => Entry { id: $id, what: $what, todo: $todo, advice: Advice::$advice }),*
                }
            }

            /// The name in the code, which tests use to see that it is raised somewhere.
            pub const fn name(self) -> &'static str {
                match self { $(Code::$name => stringify!($name)),* }
            }
        }
    };
}

codes! {
    NotTrusted      "P-M-001" TryAgain "The medium is not signed by a trusted key."          "Call the person who made the medium."
    NotYetValid     "P-M-002" TryAgain "The medium is not valid yet."                        "Check this station's clock, then the medium's dates."
    Expired         "P-M-003" TryAgain "The medium has expired."                             "Use a newer version of the medium."
    OlderThanMinimum  "P-M-004" TryAgain "A newer version of this medium was already in use."  "Use the newest version of the medium."
    OtherSigner     "P-M-005" TryAgain "Another key signed this medium than those before it." "Call the person who made the medium."
    NewerMedium     "P-M-006" TryAgain "A newer version of Platen made this medium."        "Update this station, then try again."
    NothingToImport "P-M-007" TryAgain "This drive holds no media that can be taken in."     "Copy them onto it anew, then insert it again."
    TooSmall        "P-D-001" TryAgain "The drive is too small for this medium."             "Use a bigger drive."
    ReadOnly        "P-D-002" TryAgain "The drive is write-protected."                       "Move its lock switch, or use another drive."
    Busy            "P-D-003" TryAgain "The drive is in use by this computer."               "Unmount it or close what uses it, then try again."
    NotAllowed      "P-D-004" TryAgain "This is not a removable USB drive."                  "Insert a USB drive."
    NotADrive       "P-D-005" TryAgain "This is neither a drive nor an image file."          "Give a drive or an image file."
    CannotOpen      "P-D-006" TryAgain "The drive can't be opened."                          "Pull it, insert it again, then try again."
    DoesNotFit      "P-D-007" TryAgain "The medium can't be laid out on this drive."         "Call the person who made the medium."
    Fake            "P-D-008" PullAndSetAside "The drive holds less than it claims."         "Pull this drive and set it aside."
    NothingToUpdate "P-D-009" TryAgain "The drive holds no older version of this medium."    "Write it without updating, or use another drive."
    NotAPort        "P-D-010" TryAgain "This place is no port of the station."               "Use a port that has a number."
    NotTaken        "P-D-011" TryAgain "This port does not take such a drive."               "Use the port that is meant for it."
    TooLarge        "P-D-012" TryAgain "The drive is bigger than this station may write."    "Use a smaller drive."
    AlreadyDone     "P-D-013" TryAgain "This drive is a good copy already."                  "Take it out, then insert the next one."
    NoPowerSwitch   "P-D-014" TryAgain "This port's power can't be cut, as this station demands." "Use another port, or ask the administrator."
    WriteFailed     "P-W-001" PullAndSetAside "The drive refused a write."                   "Pull this drive and set it aside."
    Vanished        "P-W-002" TryAgain "The drive was pulled before it was finished."        "Insert it again and start over."
    FlushFailed     "P-W-003" PullAndSetAside "The drive could not save what was written."   "Pull this drive and set it aside."
    Cancelled       "P-W-004" TryAgain "The job was stopped before this drive was finished." "Start over."
    Stalled         "P-W-005" PullAndSetAside "The drive stopped answering."                 "Pull this drive and set it aside."
    TooSlow         "P-W-006" PullAndSetAside "The drive is too slow to be of use."          "Pull this drive and set it aside."
    StationFault    "P-W-007" TryAgain "The station's software failed at this drive."        "Start over; if it happens again, report it."
    ReadBackDiffers "P-V-001" PullAndSetAside "Data read back differs from what was written." "Pull this drive and set it aside."
    ReadFailed      "P-V-002" PullAndSetAside "The drive can't be read back."                "Pull this drive and set it aside."
    NotAMedium      "P-V-003" TryAgain "This drive holds no finished medium."                "Write it."
    FileChanged     "P-V-004" TryAgain "Files or boot records were changed after writing."   "Write the drive anew."
    ImageUnjudged   "P-V-005" TryAgain "This drive seems to hold a disk image, not compared yet." "Verify it with --medium and the image's name."
    PowerKept       "P-V-006" TryAgain "The drive may have kept its power before it was read back." "Use another port, or ask the administrator."
    NotProven       "P-V-007" TryAgain "No trusted station says that it wrote this drive."   "Write it anew at a station that is trusted."
    SealFailed      "P-S-001" PullAndSetAside "The boot records did not read back right."    "Pull this drive and set it aside."
    CacheDamaged    "P-C-001" TryAgain "The station's own copy of the content is damaged."   "Run a cache scrub and import the medium again."
    CacheMissing    "P-C-002" TryAgain "Content is missing from the station's cache."        "Import the medium again."
    CacheStalled    "P-C-003" TryAgain "The disk with the station's cache does not answer."  "Have the station's disk looked at, then start over."
    CacheNewer      "P-C-004" TryAgain "A newer version of Platen left this station's cache." "Update this station, then start over."
    LedgerFailed    "P-L-001" TryAgain "The result could not be recorded."                   "Free space on the station, then write the drive anew."
    LedgerBusy      "P-L-002" TryAgain "Another program keeps the station's ledger locked."  "Let it end, then write the drive anew."
    LedgerStalled   "P-L-003" TryAgain "The disk with the ledger does not answer."           "Have the station's disk looked at, then start over."
    LedgerNewer     "P-L-004" TryAgain "A newer version of Platen left this station's ledger." "Update this station, then start over."
    NotPermitted    "P-A-001" TryAgain "Your role may not do this at this station."          "Log in with a role that may."
    UpdateUntrusted "P-U-001" TryAgain "The system update is not signed by a trusted key."  "Call the person who made the update."
    UpdateDamaged   "P-U-002" TryAgain "The system update is incomplete or damaged."        "Copy it onto a drive anew, then insert that."
    UpdateOlder     "P-U-003" TryAgain "The system update is older than what was in use."   "Use the newest update, or ask the administrator."
    UpdateOtherBoard "P-U-004" TryAgain "The system update is for another kind of station."  "Use the update for this kind of station."
    UpdateNoRoom    "P-U-005" TryAgain "The station has no room for the system update."     "Free space on the station, then insert the drive again."
    UpdateFailed    "P-U-006" TryAgain "The system update could not be installed."          "Start over; if it happens again, report it."
    UpdateCameBack  "P-U-007" TryAgain "The updated system did not start well; the old one runs." "Call the person who made the update."
    DataBroken      "P-U-008" TryAgain "The station's own data can't be read or repaired."  "Ask the administrator to make the data disk anew."
    TargetNoMedium  "P-T-001" TryAgain "The medium this computer started from is not found." "Use another USB port, then start again."
    TargetUntrusted "P-T-002" PullAndSetAside "The medium's signature is not trusted."       "Do not use this drive; give it to its owner."
    TargetTampered  "P-T-003" PullAndSetAside "Files on the medium were changed or damaged." "Do not use this drive; have it written anew."
    TargetNotYet    "P-T-004" TryAgain "The medium is not valid yet."                        "Check this computer's clock, then the medium's dates."
    TargetExpired   "P-T-005" PullAndSetAside "The medium has expired."                      "If this computer's clock is right, have the drive written anew."
    TargetPassword  "P-T-006" TryAgain "The password is wrong."                              "Start again and enter the medium's password."
    TargetPolicy    "P-T-007" PullAndSetAside "The medium's policy can't be read."           "Do not use this drive; have it written anew."
    TargetClock     "P-T-008" TryAgain "This computer's clock is before the medium was made." "Set the clock in the firmware set-up, then start again."
    TargetUnreadable "P-T-009" TryAgain "The medium can't be read on this computer."         "Use another USB port, then start again."
    TargetFault     "P-T-010" TryAgain "The check of the medium stopped because of a fault." "Start again; if it happens again, call the medium's maker."
    TargetTwins     "P-T-011" TryAgain "Two drives look like the one this computer started from." "Leave only the drive you started from, then start again."
    TargetNewer     "P-T-012" PullAndSetAside "A newer version of Platen made this medium." "Have it written anew with a boot image as new as itself."
    TargetDisk      "P-T-013" TryAgain "No disk of this computer may be used."               "Compare its disks with the medium's definition, then start again."
    TargetStep      "P-T-014" TryAgain "A step of the task sequence failed."                 "Mend what the step's reason says, then start again."
}

impl Code {
    /// The code printed as `id`.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.entry().id == id)
    }

    /// The operator's whole sentence for a port: which port, what happened, what to do, usable or not.
    pub fn sentence(self, port: &str) -> String {
        let Entry { id, what, todo, advice } = self.entry();
        format!("PORT {port}  {id}  {what} {todo} {advice}.")
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.entry().id)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.entry().id)
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = String::deserialize(deserializer)?;
        Self::from_id(&id).ok_or_else(|| serde::de::Error::custom(format!("unknown operator code {id:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_are_unique_and_every_text_fits_the_display() {
        let mut seen = HashSet::new();
        for code in Code::ALL {
            let entry = code.entry();
            assert!(seen.insert(entry.id), "{} is used twice", entry.id);
            assert!(entry.what.len() <= WHAT_CHARS, "{}: {} characters", entry.id, entry.what.len());
            assert!(entry.todo.len() <= TODO_CHARS, "{}: {} characters", entry.id, entry.todo.len());
            assert!(entry.what.ends_with('.') && entry.todo.ends_with('.'), "{} is no sentence", entry.id);
            assert_eq!(Code::from_id(entry.id), Some(*code));
        }
    }

    /// `CODES.md` is what a station hangs on the wall; its table is this one.
    #[test]
    fn every_code_is_in_the_document_word_for_word() {
        let mut table = "| code | what happened | what to do | verdict |\n|---|---|---|---|\n".to_owned();
        for code in Code::ALL {
            let Entry { id, what, todo, advice } = code.entry();
            table += &format!("| {id} | {what} | {todo} | {advice} |\n");
        }
        assert!(include_str!("../CODES.md").contains(&table), "CODES.md should have this table:\n{table}");
    }

    #[test]
    fn a_sentence_has_its_four_parts_in_order() {
        let said = Code::ReadBackDiffers.sentence("7");
        assert_eq!(
            said,
            "PORT 7  P-V-001  Data read back differs from what was written. Pull this drive and set it aside. NOT USABLE."
        );
    }
}
