// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What operating systems leave on every drive they see, and what booted computers log on it. It is named in reports, never
//! refused and never used.

use platen_disk::fold_name;

/// First names of paths, raised to upper case.
const MADE_BY_SYSTEMS: [&str; 12] = [
    "PLATEN-LOGS",
    "SYSTEM VOLUME INFORMATION",
    "$RECYCLE.BIN",
    "RECYCLER",
    "FOUND.000",
    "LOST.DIR",
    "ANDROID",
    ".TRASHES",
    ".FSEVENTSD",
    ".SPOTLIGHT-V100",
    ".TEMPORARYITEMS",
    ".DS_STORE",
];

/// Names of files that are made in every folder somebody looks at, raised to upper case.
const MADE_ANYWHERE: [&str; 3] = [".DS_STORE", "THUMBS.DB", "DESKTOP.INI"];

/// Where the computers that a medium was used on leave their logs.
pub const LOGS_FOLDER: &str = "Platen-Logs";

/// Whether a path that is not listed in the manifest was made by an operating system: by its first name, or, for what
/// file managers leave in every folder, by its last.
pub fn is_made_by_system(path: &str) -> bool {
    let top = fold_name(path.split('/').next().unwrap_or_default());
    let last = fold_name(path.rsplit('/').next().unwrap_or_default());
    MADE_BY_SYSTEMS.contains(&&*top)
        || top.starts_with(".TRASH-")
        || top.starts_with("._")
        || MADE_ANYWHERE.contains(&&*last)
        || last.starts_with("._")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_count_at_the_root_only() {
        for theirs in [
            "System Volume Information/IndexerVolumeGuid",
            ".Trashes/501/x",
            ".Trash-1000",
            "._readme.txt",
            "Android/data/x",
            "EFI/BOOT/._BOOTX64.EFI",
            "sources/.DS_Store",
            "sources/Thumbs.db",
            "Platen-Logs/PLT00001-ABC123-20261130-194501.log",
        ] {
            assert!(is_made_by_system(theirs), "{theirs}");
        }
        for foreign in
            ["EFI/System Volume Information", "autorun.inf", "recycler.exe", "EFI/._x/evil.efi", "EFI/Android/x", ""]
        {
            assert!(!is_made_by_system(foreign), "{foreign}");
        }
    }
}
