// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! One module for each group of verbs.

pub mod author;
pub mod cache;
pub mod drives;
pub mod examine;
mod here;
pub mod ledger;
pub mod overwrite;
pub mod sequence;
mod sequence_files;
pub mod station;
pub mod used;
pub mod verify;
pub mod write;

use platen_media::sign::TrustedKeys;
use platen_station::{Failure, Paths};

use crate::output::Output;

/// The station's trusted keys; a file among them that is no key is a warning.
pub fn trusted_keys(paths: &Paths, output: &Output) -> Result<TrustedKeys, Failure> {
    let keys = TrustedKeys::load(&paths.trust)?;
    warn_of_unusable(&keys, output);
    Ok(keys)
}

fn warn_of_unusable(keys: &TrustedKeys, output: &Output) {
    for unusable in keys.unusable() {
        output.warning(&format!("{unusable}; the other keys are used"));
    }
}
