// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::*;

/// One entry: path, mode, links, content.
type Entry<'a> = (&'a str, u32, u32, &'a [u8]);

fn cpio(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for (path, mode, links, content) in entries.iter().chain(&[(LAST, 0, 1, &b""[..])]) {
        out.extend(b"070701");
        for field in [1, *mode, 0, 0, *links, 0, content.len() as u32, 0, 0, 0, 0, path.len() as u32 + 1, 0] {
            out.extend(format!("{field:08X}").bytes());
        }
        out.extend(path.bytes().chain([0]));
        out.resize(out.len().next_multiple_of(4), 0);
        out.extend(*content);
        out.resize(out.len().next_multiple_of(4), 0);
    }
    out.resize(out.len().next_multiple_of(512), 0);
    out
}

fn good() -> Vec<u8> {
    cpio(&[
        ("usr", FOLDER, 2, b""),
        ("usr/bin", FOLDER, 2, b""),
        ("usr/bin/tool", PROGRAM, 1, b"seven b"),
        ("usr/empty", PLAIN_FILE, 1, b""),
    ])
}

/// Unpacks a plain archive into a new folder, which lies in another that must stay as it was.
fn tried(archive: &[u8]) -> (tempfile::TempDir, Result<Unpacked, ArchiveError>) {
    let outer = tempfile::tempdir().expect("temporary folder");
    let root = outer.path().join("root");
    std::fs::create_dir_all(root.join("usr")).expect("made");
    let unpacked = unpack(&zstd::encode_all(archive, 1).expect("packs"), &root);
    let around: Vec<_> = std::fs::read_dir(outer.path()).expect("listed").flatten().map(|e| e.file_name()).collect();
    assert_eq!(around, ["root"], "nothing beside it");
    let top: Vec<_> = std::fs::read_dir(&root).expect("listed").flatten().map(|e| e.file_name()).collect();
    assert_eq!(top, ["usr"], "nothing beside usr");
    (outer, unpacked)
}

fn refused(archive: &[u8]) -> String {
    let error = tried(archive).1.expect_err("refused");
    platen_media::chain(&error)
}

#[test]
fn files_and_folders_are_laid_down_as_they_are() {
    let (folder, unpacked) = tried(&good());
    assert_eq!(unpacked.expect("unpacks"), Unpacked { files: 2, size_bytes: 7 });
    let tool = folder.path().join("root/usr/bin/tool");
    assert_eq!(std::fs::read(&tool).expect("there"), b"seven b");
    assert_eq!(std::fs::metadata(&tool).expect("there").permissions().mode() & 0o777, 0o755);
}

#[test]
fn an_archive_of_cpio_itself_is_read() {
    // The same archive by its own program, to know that ours is no dialect.
    let folder = tempfile::tempdir().expect("temporary folder");
    let tree = folder.path().join("tree");
    std::fs::create_dir_all(tree.join("usr/bin")).expect("made");
    std::fs::write(tree.join("usr/bin/tool"), b"seven b").expect("written");
    let script =
        "umask 022; chmod 755 usr usr/bin usr/bin/tool; find usr | sort | cpio -o -H newc --quiet > ../archive";
    let status = Command::new("sh").args(["-c", script]).current_dir(&tree).status().expect("starts");
    assert!(status.success(), "cpio is here (appliance/install-packages test)");
    let archive = std::fs::read(folder.path().join("archive")).expect("there");
    assert_eq!(tried(&archive).1.expect("unpacks"), Unpacked { files: 1, size_bytes: 7 });
}

#[test]
fn no_entry_leads_out_of_usr_or_is_anything_but_a_file_or_folder() {
    let usr = ("usr", FOLDER, 2, &b""[..]);
    for path in ["../x", "/x", "usr/../../x", "usr/./x", "usr//x", "x", "etc", "usr/absent/x", "usr/", "/usr", "."] {
        let said = refused(&cpio(&[usr, (path, PLAIN_FILE, 1, b"x")]));
        assert!(said.contains("below usr") && said.contains(path), "{path}: {said}");
    }
    for (mode, links) in
        [(0o120_777, 1), (0o020_600, 1), (0o060_600, 1), (0o010_644, 1), (0o104_755, 1), (PROGRAM, 2), (0, 1)]
    {
        let said = refused(&cpio(&[usr, ("usr/x", mode, links, b"")]));
        assert!(said.contains("expected a folder or a plain file"), "{mode:o}: {said}");
    }
    let twice = refused(&cpio(&[usr, ("usr/x", PLAIN_FILE, 1, b"1"), ("usr/x", PLAIN_FILE, 1, b"2")]));
    assert!(twice.contains("File exists"), "{twice}");
    let through = refused(&cpio(&[usr, ("usr/x", PLAIN_FILE, 1, b"1"), ("usr/x/y", PLAIN_FILE, 1, b"2")]));
    assert!(through.contains("below usr"), "{through}");
}

#[test]
fn a_link_that_stands_there_is_not_followed() {
    let outer = tempfile::tempdir().expect("temporary folder");
    let root = outer.path().join("root");
    std::fs::create_dir_all(root.join("usr")).expect("made");
    std::fs::create_dir(outer.path().join("elsewhere")).expect("made");
    std::os::unix::fs::symlink("../../elsewhere", root.join("usr/bin")).expect("made");
    let said = unpack(&zstd::encode_all(&*good(), 1).expect("packs"), &root).expect_err("refused");
    assert!(matches!(&said, ArchiveError::Write { path, .. } if path.ends_with("usr/bin")), "{said}");
    assert_eq!(std::fs::read_dir(outer.path().join("elsewhere")).expect("listed").count(), 0);
}

#[test]
fn anything_cut_short_or_changed_is_refused_or_another_archive_and_never_a_panic() {
    let whole = good();
    let end = whole.windows(10).position(|bytes| bytes == LAST.as_bytes()).expect("there") + 10;
    for length in (0..end).step_by(3) {
        refused(&whole[..length]);
    }
    for at in 0..end {
        for value in [0, b'/', b'F', 0xff] {
            let mut changed = whole.clone();
            changed[at] = value;
            drop(tried(&changed));
        }
    }
    let mut more = whole.clone();
    more.push(1);
    assert!(refused(&more).contains("expected the archive's end"));
    let packed = zstd::encode_all(&*whole, 1).expect("packs");
    let folder = tempfile::tempdir().expect("temporary folder");
    let cut = unpack(&packed[..packed.len() - 1], folder.path()).expect_err("refused");
    assert!(matches!(cut, ArchiveError::Unpack(_) | ArchiveError::Malformed { .. }), "{cut}");
}

#[test]
fn sizes_that_no_boot_image_has_are_refused() {
    let mut long_name = cpio(&[]);
    // The length of a path: the twelfth field.
    long_name[6 + 8 * 11..14 + 8 * 11].copy_from_slice(b"FFFFFFFF");
    assert!(refused(&long_name).contains("a path of 1 to 1023 bytes"));
    // A little that unpacks to more than all memory: zeros behind the end.
    let mut packed = zstd::Encoder::new(Vec::new(), 1).expect("packs");
    packed.write_all(&cpio(&[])).expect("packs");
    io::copy(&mut io::repeat(0).take(MAX_UNPACKED_PROGRAMS_BYTES), &mut packed).expect("packs");
    let packed = packed.finish().expect("packs");
    let folder = tempfile::tempdir().expect("temporary folder");
    let said = unpack(&packed, folder.path()).expect_err("refused");
    assert!(said.to_string().contains("more than any boot image has"), "{said}");
}
