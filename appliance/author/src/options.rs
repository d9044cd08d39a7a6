// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What a build is told beside its definition.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use platen_media::manifest::MAX_FAT_FILE_BYTES;

/// How far a build got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuildProgress {
    /// Read and hashed so far, in bytes.
    pub done_bytes: u64,
    /// What was known to be read when the build began.
    pub total_bytes: u64,
}

/// Called while contents are read, at most once for each file and each 4 MiB.
pub type OnProgress = Box<dyn Fn(BuildProgress)>;

/// How a medium is built, as far as the definition does not say it.
pub struct BuildOptions {
    /// Largest file on the medium, in bytes; larger WIMs are split, larger files of other kinds are refused.
    pub max_file_bytes: u64,
    /// When a medium is made whose definition has no `created`, in seconds since 1970.
    pub source_date_epoch: Option<i64>,
    /// This computer's clock, in seconds since 1970: nothing may be dated later.
    pub now_s: i64,
    /// For `env = "..."` and `value-env = "..."`.
    pub environment: BTreeMap<String, String>,
    /// Called as content is read; `None`: nobody listens.
    pub progress: Option<OnProgress>,
}

impl Default for BuildOptions {
    /// An empty environment, and the time it is now.
    fn default() -> Self {
        Self {
            max_file_bytes: MAX_FAT_FILE_BYTES,
            source_date_epoch: None,
            now_s: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64),
            environment: BTreeMap::new(),
            progress: None,
        }
    }
}

impl BuildOptions {
    /// From this process's environment: all of it, and `SOURCE_DATE_EPOCH` (ignored when it is no number).
    pub fn from_environment() -> Self {
        let pairs = std::env::vars_os();
        let environment: BTreeMap<String, String> =
            pairs.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect();
        let source_date_epoch = environment.get("SOURCE_DATE_EPOCH").and_then(|text| text.trim().parse().ok());
        Self { source_date_epoch, environment, ..Self::default() }
    }
}

impl fmt::Debug for BuildOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BuildOptions")
            .field("max_file_bytes", &self.max_file_bytes)
            .field("source_date_epoch", &self.source_date_epoch)
            .field("now_s", &self.now_s)
            .finish_non_exhaustive()
    }
}
