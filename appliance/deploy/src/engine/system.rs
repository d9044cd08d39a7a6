// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Which system a volume holds: the one place that decides it.

use std::path::Path;

use super::windows;

/// A system that was put on a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum System {
    Linux,
    Windows,
}

impl System {
    /// By the files that no system of its kind is without.
    pub(super) fn of(root: &Path) -> Result<Self, String> {
        const LINUX: [&str; 4] = ["etc/os-release", "usr/lib/os-release", "sbin/init", "usr/sbin/init"];
        // A link may be absolute, to what only the system itself sees.
        if LINUX.iter().any(|name| root.join(name).symlink_metadata().is_ok()) {
            return Ok(Self::Linux);
        }
        if windows::is_windows(root) {
            return Ok(Self::Windows);
        }
        Err(format!(
            "the image holds no system: expected one of {} for Linux or {} for Windows, found none",
            LINUX.join(", "),
            windows::SYSTEM_HIVE
        ))
    }
}
