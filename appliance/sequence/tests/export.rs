// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Exports as archives: what is taken, and what hostile ones meet.

#![allow(clippy::unwrap_used)]

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use flate2::{Compression, Crc, write::DeflateEncoder};
use platen_sequence::{Export, Node, SequenceError, ZipError};

/// What one entry of a made archive says of itself.
struct Made {
    name: String,
    content: Vec<u8>,
    /// Flag bit 0.
    encrypted: bool,
    /// Instead of the true size.
    claims_bytes: Option<u32>,
}

fn entry(name: &str, content: &str) -> Made {
    Made { name: name.into(), content: content.into(), encrypted: false, claims_bytes: None }
}

/// An archive as APPNOTE 6.3 has it, deflated.
fn zip(entries: &[Made]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for Made { name, content, encrypted, claims_bytes } in entries {
        let mut packer = DeflateEncoder::new(Vec::new(), Compression::best());
        packer.write_all(content).unwrap();
        let packed = packer.finish().unwrap();
        let mut crc = Crc::new();
        crc.update(content);
        let at = archive.len() as u32;
        let mut common = Vec::new();
        common.extend(20u16.to_le_bytes());
        common.extend(u16::from(*encrypted).to_le_bytes());
        common.extend(8u16.to_le_bytes());
        common.extend([0; 4]);
        common.extend(crc.sum().to_le_bytes());
        common.extend((packed.len() as u32).to_le_bytes());
        common.extend(claims_bytes.unwrap_or(content.len() as u32).to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend(0u16.to_le_bytes());
        archive.extend(b"PK\x03\x04");
        archive.extend(&common);
        archive.extend(name.as_bytes());
        archive.extend(&packed);
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(at.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (count, at) = (entries.len() as u16, archive.len() as u32);
    archive.extend(&directory);
    archive.extend(b"PK\x05\x06\0\0\0\0");
    archive.extend(count.to_le_bytes());
    archive.extend(count.to_le_bytes());
    archive.extend((directory.len() as u32).to_le_bytes());
    archive.extend(at.to_le_bytes());
    archive.extend([0; 2]);
    archive
}

fn object(id: &str, inside: &str) -> Made {
    let xml = format!(
        "<INSTANCE CLASSNAME=\"SMS_TaskSequencePackage\"><PROPERTY NAME=\"Name\"><VALUE>Sequence {id}</VALUE></PROPERTY>\
         <PROPERTY NAME=\"PackageID\"><VALUE>{id}</VALUE></PROPERTY><PROPERTY NAME=\"Sequence\"><VALUE>\
         <![CDATA[<sequence version=\"3.10\">{inside}</sequence>]]></VALUE></PROPERTY></INSTANCE>"
    );
    entry(&format!("SMS_TaskSequencePackage/{id}/object.xml"), &xml)
}

fn run(id: &str) -> String {
    format!(
        "<subtasksequence type=\"SMS_TaskSequence_SubTasksequence\" name=\"Run {id}\"><defaultVarList>\
         <variable name=\"T\" property=\"TsPackageID\">{id}</variable></defaultVarList></subtasksequence>"
    )
}

fn manifest(id: &str) -> Made {
    let path = format!("SMS_TaskSequencePackage.PackageID='{id}'");
    let xml = format!(
        "<LibraryDocument xmlns=\"urn:x\"><EntryObjects><Object Path=\"{path}\" Type=\"x\"/></EntryObjects></LibraryDocument>"
    );
    entry("Manifest.xml", &xml)
}

const STEP: &str = "<step type=\"SMS_TaskSequence_RebootAction\" name=\"Restart\"/>";

#[test]
fn an_export_is_read_with_its_children_and_references() {
    let instance = "<INSTANCE CLASSNAME=\"SMS_TaskSequenceReferencesInfo\"><PROPERTY NAME=\"ReferencePackageID\"><VALUE>P7</VALUE></PROPERTY>\
                    <PROPERTY NAME=\"ReferenceName\"><VALUE>Dell drivers</VALUE></PROPERTY>\
                    <PROPERTY NAME=\"ReferencePackageType\"><VALUE>3</VALUE></PROPERTY></INSTANCE>";
    let list = format!("<ArrayOfString><string>{}</string></ArrayOfString>", instance.replace('<', "&lt;"));
    let archive = zip(&[
        manifest("A"),
        object("A", &format!("<group name=\"G\">{}</group>{}", run("B"), run("Z"))),
        object("B", &format!("{STEP}{}", run("C"))),
        object("C", STEP),
        entry("SMS_TaskSequencePackage/A/ReferencesInfo.xml", &list),
    ]);
    assert!(Export::is_one(&archive) && !Export::is_one(b"<sequence/>"));
    let export = Export::from_bytes(&archive).unwrap();
    assert_eq!((&*export.id, export.sequences.len()), ("A", 3));
    let reference = &export.references["P7"];
    assert_eq!((&*reference.name, &*reference.package_type), ("Dell drivers", "3"));
    let whole = export.into_one().unwrap();
    let paths: Vec<_> = whole.sequence.steps().into_iter().map(|entry| entry.path).collect();
    assert_eq!(paths, ["G / Run B / Restart", "G / Run B / Run C / Restart", "Run Z"], "Z is not in the export");
    assert!(matches!(whole.sequence.nodes[1], Node::Step(_)));
    assert!(whole.report().contains("translated: child task sequence B to a group (1 place)"), "{}", whole.report());
}

#[test]
fn circles_of_children_are_named() {
    let archive = zip(&[manifest("A"), object("A", &run("B")), object("B", &run("A"))]);
    let error = Export::from_bytes(&archive).unwrap().into_one().unwrap_err();
    assert!(error.to_string().contains("in a circle: A > B > A"), "{error}");
}

#[test]
fn children_that_multiply_are_refused() {
    let many = |id: &str| run(id).repeat(50);
    let archive = zip(&[
        manifest("A"),
        object("A", &many("B")),
        object("B", &many("C")),
        object("C", &many("D")),
        object("D", STEP),
    ]);
    let error = Export::from_bytes(&archive).unwrap().into_one().unwrap_err();
    assert!(matches!(error, SequenceError::TooMuch { .. }), "{error}");
}

#[test]
fn hostile_archives_are_refused_with_the_reason() {
    let refused = |archive: &[u8]| match Export::from_bytes(archive).map(|_| ()).unwrap_err() {
        SequenceError::Archive(error) => error.to_string(),
        other => panic!("{other}"),
    };
    let good = || vec![manifest("A"), object("A", STEP)];
    assert!(Export::from_bytes(&zip(&good())).is_ok(), "control");
    let with = |extra: Made| zip(&good().into_iter().chain([extra]).collect::<Vec<_>>());
    assert!(refused(&with(entry("../x", ""))).contains("leads out of it"));
    assert!(refused(&with(entry("/x", ""))).contains("leads out of it"));
    assert!(refused(&with(entry("a\\..\\x", ""))).contains("leads out of it"));
    assert!(refused(&with(entry("Manifest.xml", ""))).contains("each name once"));
    assert!(refused(&with(Made { encrypted: true, ..entry("x", "x") })).contains("not encrypted"));
    assert!(
        refused(&with(Made { claims_bytes: Some(u32::MAX), ..entry("x", "x") })).contains("at most 16777216 bytes")
    );
    let bomb = "a".repeat(8 << 20);
    assert!(refused(&with(entry("x", &bomb))).contains("times its packed size"));
    // Says little, gives much: seen when it is read.
    let liar = Made { claims_bytes: Some(10), ..object("B", &" ".repeat(100_000)) };
    assert!(refused(&with(liar)).contains("an entry at byte"));
    // python/cpython #110016: entries that overlap. The directory's second entry points to the first one's bytes.
    let mut overlap = zip(&[manifest("A"), object("A", STEP), object("B", STEP)]);
    let headers: Vec<usize> = (0..overlap.len()).filter(|&at| overlap[at..].starts_with(b"PK\x01\x02")).collect();
    overlap.copy_within(headers[1] + 42..headers[1] + 46, headers[2] + 42);
    assert!(refused(&overlap).contains("an entry at byte"));
    let whole = zip(&good());
    assert!(refused(&whole[..whole.len() - 30]).contains("is the file whole?"));
    assert_eq!(refused(&[]), ZipError::NoDirectory.to_string());
    let many: Vec<Made> = (0..10_001).map(|n| entry(&n.to_string(), "")).collect();
    assert!(refused(&zip(&many)).contains("at most 10000 entries, found 10001"));
}

#[test]
fn any_cut_or_changed_archive_is_refused_or_read() {
    let whole = zip(&[manifest("A"), object("A", &run("B")), object("B", STEP)]);
    for at in 0..whole.len() {
        // Its directory stands at its end, so that none is whole without its last byte.
        let error = Export::from_bytes(&whole[..at]).expect_err("cut");
        assert!(matches!(error, SequenceError::Archive(ZipError::NoDirectory)), "{at}: {error}");
        let mut changed = whole.clone();
        changed[at] ^= 0xff;
        let _ = Export::from_bytes(&changed).and_then(Export::into_one);
    }
}

#[test]
fn an_archive_without_a_sequence_says_so() {
    let error = Export::from_bytes(&zip(&[entry("readme.txt", "x")])).unwrap_err();
    assert!(matches!(error, SequenceError::NoSequence { .. }), "{error}");
}

/// A file of this test's own, gone with it.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn run_in(folder: &Path, program: &str, arguments: &[&str]) -> String {
    platen_testkit::files::run(Command::new(program).args(arguments).current_dir(folder))
}

#[test]
fn archives_of_outside_programs_are_read() {
    if !["zip", "unzip", "python3"].into_iter().all(platen_testkit::need::program) {
        return;
    }
    let folder = scratch();
    let entries = [manifest("A"), object("A", &run("B")), object("B", STEP)];
    for Made { name, content, .. } in &entries {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let write = "import sys, zipfile\n\
                 class Pipe:\n\
                 \x20   def __init__(self, file): self.write, self.flush = file.write, file.flush\n\
                 names = ['Manifest.xml'] + ['SMS_TaskSequencePackage/%s/object.xml' % i for i in 'AB']\n\
                 def fill(to, how):\n\
                 \x20   with zipfile.ZipFile(to, 'w', how) as archive:\n\
                 \x20       for name in names:\n\
                 \x20           with archive.open(name, 'w', force_zip64=True) as out: out.write(open(name, 'rb').read())\n\
                 fill('stored.zip', zipfile.ZIP_STORED)\n\
                 fill('deflated.zip', zipfile.ZIP_DEFLATED)\n\
                 fill(Pipe(open('piped.zip', 'wb')), zipfile.ZIP_DEFLATED)";
    run_in(folder.path(), "python3", &["-c", write]);
    run_in(folder.path(), "zip", &["-q", "-r", "plain.zip", "Manifest.xml", "SMS_TaskSequencePackage"]);
    // Written to a pipe: sizes stand behind the data only.
    run_in(folder.path(), "sh", &["-c", "zip -q -r - Manifest.xml SMS_TaskSequencePackage | cat > stream.zip"]);
    for name in ["stored.zip", "deflated.zip", "piped.zip", "plain.zip", "stream.zip"] {
        let whole = Export::from_bytes(&std::fs::read(folder.path().join(name)).unwrap()).and_then(Export::into_one);
        let whole = whole.unwrap_or_else(|error| panic!("{name}: {error}"));
        let paths: Vec<_> = whole.sequence.steps().into_iter().map(|entry| entry.path).collect();
        assert_eq!(paths, ["Run B / Restart"], "{name}");
    }
    // With a password, as the program encrypts; and the other way round, what these tests make is an archive.
    run_in(folder.path(), "zip", &["-q", "-P", "word", "locked.zip", "Manifest.xml"]);
    let error = Export::from_bytes(&std::fs::read(folder.path().join("locked.zip")).unwrap()).unwrap_err();
    assert!(
        matches!(&error, SequenceError::Archive(source) if source.to_string().contains("an encrypted one")),
        "{error}"
    );
    std::fs::write(folder.path().join("made.zip"), zip(&entries)).unwrap();
    assert!(run_in(folder.path(), "unzip", &["-t", "made.zip"]).contains("No errors detected"));
}
