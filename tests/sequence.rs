// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! `platen sequence`: from what was exported to a sequence that can be checked and tried out. What is said of each sequence is
//! judged in `appliance/sequence/tests`.

use platen_events::Answer;
use platen_events::answer::DocumentFormat;

use crate::common::{Ran, Station, tool};

const PARENT: &[u8] = include_bytes!("../appliance/sequence/tests/samples/cm-export-modular-parent-object.xml");
const CHILD: &[u8] = include_bytes!("../appliance/sequence/tests/samples/cm-export-modular-child-object.xml");
const LAPTOP: &[u8] = include_bytes!("../appliance/example/computers/uefi-laptop.toml");

/// An export as Configuration Manager packs it, by another program.
fn export(station: &Station) -> String {
    let manifest = b"<LibraryDocument><EntryObjects><Object Path=\"SMS_TaskSequencePackage.PackageID='CHQ00017'\"/></EntryObjects></LibraryDocument>";
    let references = b"<ArrayOfString><string>&lt;INSTANCE CLASSNAME=\"SMS_TaskSequenceReferencesInfo\"&gt;&lt;PROPERTY NAME=\"ReferencePackageID\"&gt;\
                       &lt;VALUE&gt;CHQ00011&lt;/VALUE&gt;&lt;/PROPERTY&gt;&lt;PROPERTY NAME=\"ReferenceName\"&gt;&lt;VALUE&gt;MDT Toolkit&lt;/VALUE&gt;\
                       &lt;/PROPERTY&gt;&lt;/INSTANCE&gt;</string></ArrayOfString>";
    let folder = "SMS_TaskSequencePackage";
    station.files(
        "export",
        &[
            ("Manifest.xml", manifest),
            (&format!("{folder}/CHQ00017/object.xml"), PARENT),
            (&format!("{folder}/CHQ00017/ReferencesInfo.xml"), references),
            (&format!("{folder}/CHQ00016/object.xml"), CHILD),
        ],
    );
    let line = format!("cd '{}' && zip -q -r ../export.zip .", station.text("export"));
    tool("sh", &["-c", &line]).expect(0);
    station.text("export.zip")
}

fn sequence(station: &Station, args: &[&str]) -> Ran {
    station.platen(&[&["sequence"], args].concat())
}

#[test]
fn an_export_becomes_a_folder_that_can_be_worked_with() {
    let station = Station::new();
    let (export, out) = (export(&station), station.text("new"));
    let said = sequence(&station, &["import", &export, "--out", &out]).expect(0).stdout;
    assert!(said.contains("translated: child task sequence CHQ00016 to a group (1 place)"), "{said}");
    assert!(said.contains("needs: package CHQ00011 \"MDT Toolkit\": used by "), "{said}");
    let read = |name: &str| std::fs::read_to_string(station.path("new").join(name)).expect(name);
    assert!(read("report.txt").lines().all(|line| said.contains(line)));
    assert!(read("definition.toml").contains("id = \"CHQ00011\"\nname = \"MDT Toolkit\"\npath = \"\"\n"));
    assert!(read("sequence.toml").contains("group = \"OSD - New OS\""), "the child is a group");
    assert!(std::fs::read_dir(station.path("new/scripts")).expect("scripts").count() > 0);
    // Nothing that is there is written over.
    sequence(&station, &["import", &export, "--out", &out]).refused(2, &["new", "expected a new or an empty folder"]);
    let toml = format!("{out}/sequence.toml");
    let shown = sequence(&station, &["show", &toml]).expect(0).stdout;
    assert!(shown.contains("Apply Operating System Image"), "{shown}");
    let linted = sequence(&station, &["lint", &toml]).expect(2).stdout;
    assert!(linted.contains("error REF-SEQUENCE: child task sequence CHQ00013"), "{linted}");
    let xml = station.text("again.xml");
    sequence(&station, &["convert", &toml, "--out", &xml]).expect(0);
    assert_eq!(sequence(&station, &["diff", &toml, &xml]).expect(0).stdout.trim(), "no difference");
    sequence(&station, &["convert", &toml, "--out", &xml]).refused(2, &["again.xml", "is there already"]);
    sequence(&station, &["convert", &toml, "--out", &station.text("again.doc")]).refused(2, &[".toml or .xml"]);
    let text = std::fs::read_to_string(&xml).expect("reads").replace("name=\"Report done\"", "name=\"Done\"");
    std::fs::write(&xml, text).expect("writes");
    let diff = sequence(&station, &["diff", &toml, &xml]).expect(0).stdout;
    assert!(
        diff.contains("- Execute Task Sequence / Report done") && diff.contains("+ Execute Task Sequence / Done"),
        "{diff}"
    );
}

#[test]
fn a_dry_run_says_where_each_step_runs() {
    let station = Station::new();
    station.files("", &[("laptop.toml", LAPTOP), ("parent.xml", PARENT)]);
    let run =
        |more: &[&str]| sequence(&station, &[&["run", &station.text("parent.xml"), "--dry", "--facts"], more].concat());
    // It says where the sequence will stop, and so does its status.
    let said = run(&[&station.text("laptop.toml")]).expect(1).stdout;
    assert!(said.starts_with("on UEFI laptop:\n") && said.contains("can't       Execute Task Sequence"), "{said}");
    assert!(said.contains("the sequence ends with an error at "), "{said}");
    assert!(run(&["here"]).expect(1).stdout.starts_with("on this computer:\n"));
    station.files("", &[("bad.toml", b"schema = 1\nfirmware = \"UEFI\"\narchitecture = \"x86_64\"\nmodle = \"x\"\n")]);
    run(&[&station.text("bad.toml")]).refused(2, &["bad.toml", "line 4: modle", "did you mean model?"]);
    sequence(&station, &["run", &station.text("parent.xml"), "--facts", "here"]).refused(2, &["--dry"]);
    let json = run(&[&station.text("laptop.toml"), "--json"]).expect(1).recorded();
    let [Answer::Document { format: DocumentFormat::TaskSequenceReport, text, .. }] = json.answers()[..] else {
        panic!("{json:?}");
    };
    let report: serde_json::Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(report["steps"][0]["where"], "boot-system", "{report}");
    assert_eq!(report["steps"][1]["why"], "power schemes are changed by Windows itself", "{report}");
}

#[test]
fn a_share_of_mdt_gives_names_and_variables() {
    let station = Station::new();
    let ts: &[u8] = include_bytes!("../appliance/sequence/tests/samples/mdt-lti-client-full.xml");
    let systems = b"<oss><os guid=\"{5f67c963-2b92-4897-9a10-1b74db37baf3}\"><Name>Windows 10 Pro</Name></os></oss>";
    station.files(
        "share/Control",
        &[
            ("W10/ts.xml", ts),
            ("OperatingSystems.xml", systems),
            (
                "CustomSettings.ini",
                b"[Default]\r\nTimeZoneName=UTC\r\nAdminPassword=hunter2\r\n[Virtual Machine]\r\nA=1\r\n",
            ),
        ],
    );
    let out = station.text("new");
    let said = sequence(&station, &["import", &station.text("share"), "--out", &out]).expect(0).stdout;
    assert!(said.contains("needs: operating system image OS-5F67C963 \"Windows 10 Pro\""), "{said}");
    assert!(said.contains("left out: section [Virtual Machine] of CustomSettings.ini"), "{said}");
    let definition = std::fs::read_to_string(station.path("new/definition.toml")).expect("reads");
    assert!(
        definition.contains("name = \"TimeZoneName\"\nvalue = \"UTC\"") && !definition.contains("hunter2"),
        "{definition}"
    );
    station.files("share/Control", &[("W11/ts.xml", ts)]);
    let other = station.text("other");
    sequence(&station, &["import", &station.text("share"), "--out", &other])
        .refused(2, &["several sequences", "Control/W10/ts.xml", "Control/W11/ts.xml"]);
}

#[test]
fn what_is_no_export_is_refused_and_leaves_nothing() {
    let station = Station::new();
    station.files(
        "",
        &[
            ("noise.zip", b"PK\x03\x04 and no more"),
            ("cut.xml", &PARENT[..PARENT.len() / 2]),
            (
                "entities.xml",
                b"<!DOCTYPE s [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><sequence version=\"3.10\" name=\"&b;\"/>",
            ),
            ("latin.xml", b"<sequence version=\"3.10\" name=\"\xe4\"/>"),
            ("other.xml", b"<unattend/>"),
            ("bad.toml", b"schema = 1\n[[do]]\nstep = \"S\"\ntyp = \"x\"\n"),
        ],
    );
    let out = station.text("new");
    for (name, said) in [
        ("noise.zip", "found no end of a central directory"),
        ("cut.xml", "reading the task sequence as XML"),
        ("entities.xml", "reading the task sequence as XML"),
        ("latin.xml", "found other bytes at byte 31"),
        ("other.xml", "found <unattend>"),
        ("missing.xml", "expected a file, found none"),
    ] {
        sequence(&station, &["import", &station.text(name), "--out", &out]).refused(2, &[name, said]);
        assert!(!station.path("new").exists(), "{name}");
    }
    sequence(&station, &["show", &station.text("bad.toml")]).refused(2, &["line 4: do[1].typ", "did you mean type?"]);
}
