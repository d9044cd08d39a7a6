// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The archive with the programs of a boot image: packed bytes as they are, all others as what they unpack to.

use std::path::Path;

use platen_deploy::archive::unpack;

use crate::Answer;

/// How zstd's frames begin (RFC 8878, 3.1.1).
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A newc archive of these entries: path, mode, content.
fn cpio(entries: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (path, mode, content) in entries.iter().chain(&[("TRAILER!!!", 0, &b""[..])]) {
        out.extend(b"070701");
        for field in [1, *mode, 0, 0, 1, 0, content.len() as u32, 0, 0, 0, 0, path.len() as u32 + 1, 0] {
            out.extend(format!("{field:08X}").bytes());
        }
        out.extend(path.bytes().chain([0]));
        out.resize(out.len().next_multiple_of(4), 0);
        out.extend(*content);
        out.resize(out.len().next_multiple_of(4), 0);
    }
    out
}

pub(super) fn samples() -> Vec<Vec<u8>> {
    let (folder, file, program) = (0o040_755, 0o100_644, 0o100_755);
    let small = cpio(&[("usr", folder, b""), ("usr/bin", folder, b""), ("usr/bin/tool", program, b"seven b")]);
    let text = "a line of some text\n".repeat(20);
    let more = cpio(&[
        ("usr", folder, b""),
        ("usr/share", folder, b""),
        ("usr/share/empty", file, b""),
        ("usr/share/text", file, text.as_bytes()),
    ]);
    let packed = zstd::encode_all(&*more, 1).unwrap();
    vec![small, more, packed]
}

pub(super) fn ask(bytes: &[u8]) -> Answer {
    let packed = if bytes.starts_with(&MAGIC) { bytes.to_vec() } else { zstd::encode_all(bytes, 1).unwrap() };
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().join("root");
    std::fs::create_dir(&root).unwrap();
    let unpacked = unpack(&packed, &root);
    // Whatever it says: nothing is anywhere but below `usr`, and nothing but folders and plain files is there.
    let in_outer: Vec<_> = std::fs::read_dir(outer.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(in_outer, ["root"]);
    assert!(std::fs::read_dir(&root).unwrap().flatten().all(|entry| entry.file_name() == "usr"));
    let (mut files, mut size_bytes) = (0, 0);
    count(&root, &mut files, &mut size_bytes);
    match unpacked {
        Ok(unpacked) => {
            assert_eq!((unpacked.files, unpacked.size_bytes), (files, size_bytes));
            Answer::Accepted
        }
        Err(_) => Answer::Refused,
    }
}

fn count(folder: &Path, files: &mut usize, size_bytes: &mut u64) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let found = entry.path().symlink_metadata().unwrap();
        assert!(found.is_dir() || found.is_file(), "{}", entry.path().display());
        if found.is_dir() {
            count(&entry.path(), files, size_bytes);
        } else {
            *files += 1;
            *size_bytes += found.len();
        }
    }
}
