// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What must be refused, in which words, with nothing published; and secrets, which must be nowhere.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use common::{Fixture, options, snapshot};
use platen_author::{AuthorErrorKind, BuildOptions, lint};
use platen_media::policy::DeploymentPolicy;
use platen_testkit::mount::SmallDisk;
use platen_testkit::need;

const PLANTED: [&str; 5] =
    ["PLANTED-password-1", "PLANTED-inline-2", "PLANTED-file-3", "PLANTED-environment-4", "PLANTED-hidden-5"];

/// A medium with every kind of secret there is.
fn with_secrets() -> (Fixture, BuildOptions) {
    let fixture = Fixture::new();
    fixture.put("password.txt", format!("{}\n", PLANTED[0]).as_bytes());
    fixture.put("secret.txt", format!("{}\r\n", PLANTED[2]).as_bytes());
    fixture.edit("task-sequence =", "password = { file = \"password.txt\" }\ntask-sequence =");
    for (name, value) in [
        ("Inline", format!("value = \"{}\"", PLANTED[1])),
        ("File", "value-file = \"secret.txt\"".into()),
        ("Environment", "value-env = \"PLATEN_TEST\"".into()),
    ] {
        fixture.append(&format!("\n[[variable]]\nname = \"{name}\"\nsecret = true\n{value}\n"));
    }
    let hidden = format!("<variable name=\"Hidden\" hidden=\"true\">{}</variable></globalVarList>", PLANTED[4]);
    fixture.put("deploy.xml", common::SEQUENCE.replace("</globalVarList>", &hidden).as_bytes());
    let environment = [("PLATEN_TEST".to_owned(), PLANTED[3].to_owned())].into();
    (fixture, BuildOptions { environment, ..options() })
}

fn assert_no_secret(what: &str, bytes: &[u8]) {
    for secret in PLANTED {
        let seen = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!seen, "{secret} is in {what}");
    }
}

#[test]
fn planted_secrets_are_nowhere_but_in_the_encrypted_policy() {
    let (fixture, options) = with_secrets();
    let report = fixture.build_with("out", &options).unwrap();
    let files = snapshot(&fixture.path("out"));
    assert!(files.len() > 10);
    for (path, bytes) in &files {
        assert_no_secret(&path.display().to_string(), bytes);
    }
    assert_no_secret("the report", format!("{report:?}").as_bytes());
    let log = fixture.log("out");
    assert!(log.contains("OSDTimeZone=\"Korea Standard Time\""), "{log}");
    for name in ["Inline", "File", "Environment"] {
        assert!(log.contains(&format!("{name}=\"********\"")), "{log}");
    }
    assert!(report.manifest.password_required);
    fixture.materialise("out", &report.manifest, "medium");
    let encrypted = fs::read(fixture.path("medium/platen/policy.age")).unwrap();
    assert!(!fixture.path("medium/platen/policy.json").exists());
    // The control: with the password they are all there, so the search could have seen them.
    let policy = format!("{:?}", DeploymentPolicy::decrypt(&encrypted, PLANTED[0]).unwrap().to_json());
    let policy =
        String::from_utf8(policy.trim_matches(['[', ']']).split(", ").map(|byte| byte.parse().unwrap()).collect())
            .unwrap();
    for secret in &PLANTED[1..] {
        assert!(policy.contains(secret), "{secret}");
    }
    // And in clear where nothing is secret.
    let open = Fixture::new();
    open.append("\n[[variable]]\nname = \"Open\"\nvalue = \"PLANTED-inline-2\"\n");
    open.build("out").unwrap();
    let seen = snapshot(&open.path("out"))
        .into_values()
        .any(|bytes| bytes.windows(16).any(|window| window == b"PLANTED-inline-2"));
    assert!(seen, "the search must be able to see");
}

#[test]
fn only_the_encrypted_policy_differs_between_two_builds() {
    let (fixture, options) = with_secrets();
    let first = fixture.build_with("first", &options).unwrap().manifest;
    let second = fixture.build_with("second", &options).unwrap().manifest;
    let differing = platen_author::diff(&first, &second);
    assert_eq!(differing.len(), 1, "{differing:?}");
    assert!(differing[0].starts_with("file changed: platen/policy.age"), "{differing:?}");
    let blobs = first.blobs.iter().filter(|blob| !second.blobs.contains(blob)).count();
    assert_eq!(blobs, 1);
    let logs = [fixture.log("first"), fixture.log("second")]
        .map(|log| log.lines().filter(|line| !line.contains("manifest ")).collect::<Vec<_>>().join("\n"));
    assert_eq!(logs[0], logs[1]);
}

#[test]
fn failures_show_no_secret_either() {
    let (fixture, mut options) = with_secrets();
    fs::remove_dir_all(fixture.path("usmt")).unwrap();
    let error = fixture.build_with("out", &options).unwrap_err();
    assert_no_secret("the error", format!("{error:?} {}", error.chain()).as_bytes());
    let log = fixture.log("out");
    assert!(log.contains("Failed") && log.contains("usmt") && log.contains("nothing was published"), "{log}");
    assert_no_secret("the log", log.as_bytes());

    options.environment.clear();
    let error = fixture.build_with("out", &options).unwrap_err();
    assert_eq!(
        error.to_string(),
        "variable Environment: expected the environment variable it names, found no PLATEN_TEST"
    );
    fixture.put("secret.txt", format!("{}{}", PLANTED[2], "x".repeat(4001)).as_bytes());
    let error = fixture.build_with("out", &options).unwrap_err();
    assert_eq!(error.to_string(), "variable File: expected at most 4000 characters, found 4015");
    for (password, found) in [("", "none"), ("two\nlines\n", "several lines or control characters")] {
        fixture.put("password.txt", password.as_bytes());
        let error = fixture.build_with("out", &options).unwrap_err();
        assert_eq!(error.to_string(), format!("password: expected one line of text, found {found}"));
    }
}

#[test]
fn secrets_without_a_password_are_refused() {
    let (fixture, options) = with_secrets();
    fixture.edit("password = { file = \"password.txt\" }\n", "");
    let error = fixture.build_with("out", &options).unwrap_err();
    assert_eq!(error.kind(), AuthorErrorKind::Definition);
    assert!(error.chain().contains("secret: expected a password for the medium"), "{}", error.chain());

    let fixture = Fixture::new();
    let hidden = "<variable name=\"Hidden\" hidden=\"true\">PLANTED</variable></globalVarList>";
    fixture.put("deploy.xml", common::SEQUENCE.replace("</globalVarList>", hidden).as_bytes());
    let error = fixture.build("out").unwrap_err();
    assert!(
        error.to_string().starts_with("task sequence: sequence: secret variable Hidden: expected a password"),
        "{error}"
    );
    assert!(!error.chain().contains("PLANTED"));
}

#[test]
fn literal_secrets_are_refused_and_masked() {
    let fixture = Fixture::new();
    fixture.edit("cmd /C ask.cmd", "net user Administrator PLANTED-1");
    fixture.append("\n[[variable]]\nname = \"JoinPassword\"\nvalue = \"PLANTED-2\"\n");
    let said = fixture.refused("out");
    assert!(said.contains("SA-55: prestart: the command has a password after \"net user\""), "{said}");
    assert!(said.contains("SA-55: variable JoinPassword"), "{said}");
    let log = fixture.log("out");
    assert!(!format!("{said}{log}").contains("PLANTED"), "{said}{log}");
}

#[test]
fn broken_rules_stop_the_build_and_are_all_named() {
    let fixture = Fixture::new();
    fixture.edit("[boot-image]\nid = \"PLTBOOT\"\nname = \"Boot image\"\nversion = \"1\"\npath = \"boot\"\n", "");
    fixture.edit("id = \"PLTDRV01\"", "id = \"OTHER\"");
    let said = fixture.refused("out");
    assert!(said.contains("2 broken rule(s)") && said.contains("SA-35") && said.contains("REF-MISSING"), "{said}");
    let report = lint(&fixture.path("medium.toml"), &options()).unwrap();
    assert_eq!(
        report.findings.iter().map(|found| found.rule).collect::<Vec<_>>(),
        ["SA-35", "REF-MISSING", "REF-UNUSED", "REF-UNUSED"]
    );
    assert!(report.has_errors() && report.outline.contains("11 steps"));
    let log = fixture.log("out");
    assert!(log.contains("error SA-35"), "{log}");
}

#[test]
fn every_missing_input_is_named_at_once() {
    let fixture = Fixture::new();
    for path in ["drivers", "apps/editor", "prestart"] {
        fs::remove_dir_all(fixture.path(path)).unwrap();
    }
    fs::remove_file(fixture.path("install.wim")).unwrap();
    fs::remove_file(fixture.path("usmt/loadstate.exe")).unwrap();
    let said = fixture.refused("out");
    for part in [
        "5 problem(s)",
        "driver package PLTDRV01: ",
        "application EDITOR: ",
        "prestart files: ",
        "install.wim: expected a file, found none",
        "usmt: expected files in the folder, found none",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(snapshot(&fixture.path("out/blobs")).len(), 0, "nothing was read");
    for (from, named) in
        [("deploy.xml", "task-sequence: "), ("kit/boot-kit.json", "boot kit"), ("boot/initrd.img", "boot image")]
    {
        let fixture = Fixture::new();
        fs::remove_file(fixture.path(from)).unwrap();
        let error = fixture.build("out").unwrap_err().chain();
        assert!(error.contains(named) && error.contains(from), "{error}");
    }
    let gone = Fixture::empty();
    assert!(gone.build("out").unwrap_err().chain().contains("medium.toml: expected a text file, found none"));
    assert!(!gone.path("out").exists());
}

#[test]
fn names_that_fat_cannot_hold_are_named() {
    let fixture = Fixture::new();
    for name in ["drivers/CON", "drivers/dot.", "usmt/LOADSTATE.EXE", "usmt/Lib/a", "usmt/lib/b"] {
        fixture.put(name, b"x");
    }
    let bad = std::ffi::OsStr::from_bytes(b"bad\xff");
    fs::write(fixture.path("drivers").join(bad), b"x").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", fixture.path("apps/editor/link")).unwrap();
    let said = fixture.refused("out");
    for part in ["reserves for a device", "ends in a dot", "bad\\xFF", "found a symbolic link"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    for name in ["drivers/CON", "drivers/dot."] {
        fs::remove_file(fixture.path(name)).unwrap();
    }
    fs::remove_file(fixture.path("drivers").join(bad)).unwrap();
    fs::remove_file(fixture.path("apps/editor/link")).unwrap();
    let said = fixture.refused("out");
    for twins in ["PLTUSMT/LOADSTATE.EXE` and `platen/content/PLTUSMT/loadstate.exe`", "PLTUSMT/Lib` and `"] {
        assert!(said.contains(twins) && said.contains("expected names that differ by more than case"), "{said}");
    }
}

#[test]
fn files_larger_than_fat_can_hold_are_refused_before_anything_is_read() {
    let fixture = Fixture::new();
    let path = fixture.path("apps/editor/data.bin");
    File::create(&path).unwrap().set_len(1 << 32).unwrap();
    let said = fixture.refused("out");
    assert!(said.contains("apps/editor/data.bin: expected at most 4294967295 bytes"), "{said}");
    assert!(said.contains("found 4294967296"), "{said}");
    assert_eq!(snapshot(&fixture.path("out/blobs")).len(), 0);
    let error = lint(&fixture.path("medium.toml"), &options()).unwrap_err();
    assert!(error.to_string().contains("found 4294967296"));
}

#[test]
fn media_size_and_room_are_checked_first() {
    let fixture = Fixture::new();
    let path = fixture.path("apps/editor/data.bin");
    File::create(&path).unwrap().set_len(700_000_000).unwrap();
    fixture.edit("boot-kit =", "media-size = \"650MB\"\nboot-kit =");
    let said = fixture.refused("out");
    assert!(said.starts_with("media-size: at most 650000000 bytes, the contents need 7"), "{said}");
    let linted = lint(&fixture.path("medium.toml"), &options()).unwrap_err().to_string();
    assert!(linted.starts_with("media-size: at most 650000000 bytes"), "{linted}");
    fs::remove_file(&path).unwrap();
    assert_eq!(fixture.build("out").unwrap().manifest.size_limit_bytes, Some(650_000_000));

    // Sparse, so that only their sizes are large: 2 TB, which the biggest drives hold.
    let fixture = Fixture::new();
    for number in 0..500 {
        File::create(fixture.path(&format!("apps/editor/{number}"))).unwrap().set_len(4_000_000_000).unwrap();
    }
    let error = fixture.build("out").unwrap_err();
    assert_eq!(error.kind(), AuthorErrorKind::Machine);
    let said = error.to_string();
    assert!(said.contains("out: 20") && said.contains("bytes are needed") && said.contains("bytes are free"), "{said}");
}

#[test]
fn a_folder_that_is_something_else_is_left_alone() {
    let fixture = Fixture::new();
    fixture.put("out/precious.txt", b"mine");
    let error = fixture.build("out").unwrap_err();
    assert_eq!(error.kind(), AuthorErrorKind::Definition, "{error}");
    assert!(error.chain().contains("is no OCI image layout"), "{}", error.chain());
    assert_eq!(snapshot(&fixture.path("out")).len(), 1);
}

#[test]
fn a_failed_build_leaves_the_media_that_were_there() {
    let fixture = Fixture::new();
    fixture.build("out").unwrap();
    let index = fs::read(fixture.path("out/index.json")).unwrap();
    fs::remove_dir_all(fixture.path("usmt")).unwrap();
    fixture.build("out").unwrap_err();
    assert_eq!(fs::read(fixture.path("out/index.json")).unwrap(), index);
    assert_eq!(fixture.media("out").len(), 1);
}

#[test]
fn a_kit_or_boot_image_that_was_changed_is_refused() {
    for (name, what) in [("kit/efi/grubx64.efi", "boot kit"), ("boot/initrd.img", "boot image")] {
        let fixture = Fixture::new();
        fixture.put(name, b"changed");
        let said = fixture.refused("out");
        assert!(said.starts_with(what) && said.contains(name), "{said}");
    }
}

#[test]
fn applications_of_a_cycle_are_named() {
    let fixture = Fixture::new();
    fixture.edit("install = \"runtime.exe\"", "install = \"runtime.exe\"\ndepends-on = [\"EDITOR\"]");
    let error = fixture.build("out").unwrap_err().chain();
    assert!(error.contains("found EDITOR -> RUNTIME -> EDITOR"), "{error}");
}

#[test]
fn what_stands_in_for_a_file_after_it_was_listed_is_not_followed() {
    // A pipe where a whole folder should be: neither waited for nor read.
    let fixture = Fixture::new();
    fs::remove_file(fixture.path("usmt/loadstate.exe")).unwrap();
    assert!(Command::new("mkfifo").arg(fixture.path("usmt/loadstate.exe")).status().unwrap().success());
    let said = fixture.refused("out");
    assert!(said.contains("usmt/loadstate.exe: expected a file or folder, found a pipe"), "{said}");
}

#[test]
fn unreadable_files_are_named() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = Fixture::new();
    let locked = fixture.path("usmt/loadstate.exe");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    if File::open(&locked).is_ok() {
        // root reads everything; someone else has to try.
        fs::set_permissions(fixture.dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
        if !need::program("setpriv") {
            return;
        }
        let output = as_nobody(&fixture);
        assert!(output.contains("usmt/loadstate.exe: expected a file, found one that may not be read"), "{output}");
        return;
    }
    let said = fixture.refused("out");
    assert!(said.contains("usmt/loadstate.exe: expected a file, found one that may not be read"), "{said}");
}

/// Runs this very program as nobody, for `unreadable_inner`.
fn as_nobody(fixture: &Fixture) -> String {
    let program = std::env::current_exe().unwrap();
    let copy = fixture.path("test-program");
    fs::copy(program, &copy).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&copy)
        .args(["--exact", "unreadable_inner", "--ignored", "--nocapture"])
        .env("PLATEN_TEST_DEFINITION", fixture.path("medium.toml"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("SAID"), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[test]
#[ignore = "run by unreadable_files_are_named as another user"]
fn unreadable_inner() {
    let definition = std::env::var("PLATEN_TEST_DEFINITION").unwrap();
    let error = lint(definition.as_ref(), &options()).unwrap_err();
    println!("SAID {}", error.chain());
}

#[test]
fn a_full_disk_is_named_and_nothing_is_published() {
    let fixture = Fixture::empty();
    let disk = fixture.path("disk");
    let Some(mounted) = SmallDisk::mount(&disk, "8m") else { return };
    let out = disk.join("out");
    let spec =
        "kind = \"tree\"\nid = \"T1\"\nname = \"T\"\nversion = \"1\"\nrevision = 7\ntree = { path = \"tree\" }\n";
    fixture.put("medium.toml", spec.as_bytes());
    fixture.put("tree/EFI/BOOT/BOOTX64.EFI", &common::boot_loader());
    platen_author::build(&fixture.path("medium.toml"), &fixture.signer, &out, &options()).unwrap();
    let index = fs::read(out.join("index.json")).unwrap();
    let free = mounted.free_bytes();
    // Fits by itself, but not with what is written beside it.
    fixture.put("tree/data.bin", &common::noise(1, free as usize - 100));
    let error = platen_author::build(&fixture.path("medium.toml"), &fixture.signer, &out, &options()).unwrap_err();
    assert_eq!(error.kind(), AuthorErrorKind::Machine, "{error:?}");
    println!("SAID {}", error.chain());
    assert_eq!(fs::read(out.join("index.json")).unwrap(), index);
    fixture.put("tree/data.bin", &common::noise(1, free as usize + 100));
    let error = platen_author::build(&fixture.path("medium.toml"), &fixture.signer, &out, &options()).unwrap_err();
    println!("SAID {}", error.chain());
}

#[test]
fn what_a_definition_most_likely_does_not_mean_is_said() {
    let fixture = Fixture::new();
    assert_eq!(fixture.warned("control"), [""; 0]);
    fixture.edit("revision = 1\n", "revision = 1\nunattended = true\n");
    fixture.edit("id = \"EDITOR\"", "id = \"EDITOR\"\nsupersedes = [\"EDITER\"]");
    fixture.append("\n[[variable]]\nname = \"OSDComputerName\"\nvalue = \"\"\n");
    let found: Vec<String> = fixture.build("out").unwrap().findings.iter().map(ToString::to_string).collect();
    assert!(found[0].starts_with("warning DEF-UNATTENDED: variable OSDComputerName: has no value"), "{found:?}");
    assert!(
        found[1].starts_with("warning DEF-SUPERSEDES: application EDITOR: supersedes EDITER, which is not"),
        "{found:?}"
    );
}

#[test]
fn values_of_the_mediums_variables_are_checked() {
    let fixture = Fixture::new();
    fixture.edit("value = \"Korea Standard Time\"", "value = \"Korean Standard Time\"");
    let found = fixture.build("out").unwrap().findings;
    let said = found.iter().map(ToString::to_string).find(|said| said.contains("VAL-TIMEZONE")).unwrap();
    assert!(
        said.starts_with("warning VAL-TIMEZONE: variable OSDTimeZone: ") && said.contains("did you mean"),
        "{said}"
    );
    fixture.append("\n[[variable]]\nname = \"OSDComputerName\"\nvalue = \"THIS_NAME IS*TOO-LONG\"\n");
    assert!(fixture.refused("other").contains("VAL-NAME: variable OSDComputerName: computer name"));
}
