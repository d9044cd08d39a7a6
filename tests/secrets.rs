//! A planted secret is found nowhere: not in the layout, the cache, on the drive, in the ledger or in any log.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::boot::{PASSWORD, Variant};
use crate::boot_drives::{SECRET, drive};

/// Files below `folder` that contain `needle` (as it is, in UTF-16, in base64 or hexadecimal).
fn found_in(folder: &Path, needle: &str, skip: &[&str]) -> Vec<String> {
    let utf16: Vec<u8> = needle.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let hex: String = needle.bytes().map(|b| format!("{b:02x}")).collect();
    let needles = [needle.as_bytes().to_vec(), utf16, hex.into_bytes()];
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("lists") {
            let path = entry.expect("lists").path();
            let name = path.file_name().expect("a name").to_str().expect("UTF-8").to_owned();
            let metadata = path.symlink_metadata().expect("metadata");
            if metadata.is_dir() {
                folders.push(path);
            } else if !skip.contains(&&*name) && metadata.size() > 0 {
                let bytes = std::fs::read(&path).expect("reads");
                if needles.iter().any(|needle| contains(&bytes, needle)) {
                    found.push(path.display().to_string());
                }
            }
        }
    }
    found
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    let first = needle[0];
    let mut at = 0;
    while let Some(next) = bytes[at..].iter().position(|&b| b == first) {
        at += next;
        if bytes[at..].starts_with(needle) {
            return true;
        }
        at += 1;
    }
    false
}

#[test]
fn planted_secrets_are_found_nowhere() {
    let image = drive(Variant::MbrWithPassword);
    let station = image.parent().expect("a folder");
    // Where they were planted; everything else the programs made.
    let sources = ["password.txt", "secret.txt"];
    for secret in [PASSWORD, SECRET] {
        assert_eq!(found_in(station, secret, &sources), Vec::<String>::new(), "{secret:?} is in clear");
        // Control: the search sees what is there.
        assert_eq!(found_in(station, secret, &[]).len(), 1, "the search does not see the source of {secret:?}");
    }
    let logs = std::fs::read_dir(station.join("layout")).expect("lists").flatten();
    let logs: Vec<_> =
        logs.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "log")).collect();
    assert!(logs.iter().any(|log| {
        let text = std::fs::read_to_string(log).expect("reads");
        text.contains("OSDLocalAdminPassword") && text.contains("********")
    }));
}
