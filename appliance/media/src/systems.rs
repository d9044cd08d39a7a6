//! What operating systems leave on every drive they see. It is named in reports, never refused and never used.

use platen_disk::fold_name;

/// First names of paths, raised to upper case.
const MADE_BY_SYSTEMS: [&str; 10] = [
    "SYSTEM VOLUME INFORMATION",
    "$RECYCLE.BIN",
    "RECYCLER",
    "FOUND.000",
    "LOST.DIR",
    ".TRASHES",
    ".FSEVENTSD",
    ".SPOTLIGHT-V100",
    ".TEMPORARYITEMS",
    ".DS_STORE",
];

/// Whether a path that is not listed in the manifest was made by an operating system, by its first name.
pub fn is_made_by_system(path: &str) -> bool {
    let top = fold_name(path.split('/').next().unwrap_or_default());
    MADE_BY_SYSTEMS.contains(&&*top) || top.starts_with(".TRASH-") || top.starts_with("._")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_name_counts() {
        for theirs in ["System Volume Information/IndexerVolumeGuid", ".Trashes/501/x", ".Trash-1000", "._readme.txt"] {
            assert!(is_made_by_system(theirs), "{theirs}");
        }
        for foreign in ["EFI/System Volume Information", "autorun.inf", "recycler.exe", ""] {
            assert!(!is_made_by_system(foreign), "{foreign}");
        }
    }
}
