// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

use std::path::Path;

use super::*;
use crate::Moment;

const GOOD: &str = r#"
kind = "stand-alone"
id = "PLT00001"
name = "Windows 11"
version = "24H2"
revision = 3
comment = "Line 4"
created-by = "Kim"
created = 2026-11-21T09:30:00Z
valid-from = 2026-11-21
valid-until = 2026-12-31
unattended = true
password = { file = "password.txt" }
media-size = "8GB"
task-sequence = "deploy.xml"
boot-kit = "kit"
include-application-dependencies = true

[boot-image]
id = "PLTBOOT"
name = "Boot"
version = "1"
path = "boot"

[operating-system-image]
id = "PLTOS001"
name = "install"
version = "24H2"
path = "/images/install.wim"
index = 3

[[driver-package]]
id = "DRV1"
name = "Network"
version = "2"
path = "drivers/net"

[[application]]
id = "APP1"
name = "Editor"
version = "1"
path = "apps/editor"
install = "setup.exe /S"
depends-on = ["APP2"]

[[application]]
id = "APP2"
path = "apps/runtime"
supersedes = ["APP0"]

[[package]]
id = "PKG1"
path = "packages/tool"
install = "tool.cmd"

[[variable]]
name = "OSDTimeZone"
value = "Korea Standard Time"

[[variable]]
name = "LocalAdminPassword"
value-env = "ADMIN_PASSWORD"
secret = true

[target-disk]
erase = true
interfaces = ["NVMe", "SATA"]
smallest-gb = 64
serial-numbers = ["S1"]

[prestart]
command = "cmd /C ask.cmd"
path = "prestart"
"#;

fn read(text: &str) -> Result<MediaSpec, Vec<String>> {
    MediaSpec::parse(text, Path::new("/d/medium.toml"))
        .map_err(|error| error.problems.iter().map(SpecProblem::to_string).collect())
}

fn good() -> MediaSpec {
    read(GOOD).expect("a good definition")
}

#[test]
fn every_field_arrives() {
    let spec = good();
    let time = |text: &str| Some(text.parse().expect("a time"));
    assert_eq!((spec.kind, &*spec.id, &*spec.name), (MediaKind::StandAlone, "PLT00001", "Windows 11"));
    assert_eq!((&*spec.version, spec.revision, &*spec.comment, &*spec.created_by), ("24H2", 3, "Line 4", "Kim"));
    assert_eq!(spec.label.as_str(), "WINDOWS 11");
    assert_eq!(spec.created, time("2026-11-21T09:30:00Z"));
    let utc = |text| time(text).map(Moment::Utc);
    assert_eq!(spec.validity.from, utc("2026-11-21T00:00:00Z"));
    assert_eq!(spec.validity.until, utc("2026-12-31T23:59:59Z"), "the whole last day");
    assert_eq!((spec.unattended, spec.media_size_bytes), (true, Some(8_000_000_000)));
    assert_eq!(spec.password, Some(SecretSource::File("/d/password.txt".into())));
    assert_eq!(spec.task_sequence.as_deref(), Some(Path::new("/d/deploy.xml")));
    let image = spec.operating_system_image.as_ref().expect("an image");
    assert_eq!(
        (&*image.content.id, image.index, image.content.path.to_str()),
        ("PLTOS001", 3, Some("/images/install.wim"))
    );
    assert_eq!(spec.applications[0].install.as_deref(), Some("setup.exe /S"));
    assert_eq!((&*spec.applications[1].content.name, &*spec.applications[1].content.version), ("APP2", ""));
    assert_eq!(spec.variables[1].value, ValueSource::Env("ADMIN_PASSWORD".into()));
    assert_eq!(spec.prestart.as_ref().and_then(|prestart| prestart.path.as_deref()), Some(Path::new("/d/prestart")));
    let ids: Vec<_> = spec.applications_in_order().in_order.iter().map(|it| &*it.content.id).collect();
    assert_eq!(ids, ["APP2", "APP1"]);
}

#[test]
fn dates_may_have_an_offset_or_be_local() {
    let of = |from: &str, until: &str| {
        let text = GOOD.replace("valid-from = 2026-11-21", &format!("valid-from = {from}"));
        read(&text.replace("valid-until = 2026-12-31", &format!("valid-until = {until}"))).map(|spec| {
            let shown = |end: Option<Moment>| end.expect("an end").to_string();
            (shown(spec.validity.from), shown(spec.validity.until), spec.validity.schema())
        })
    };
    for (from, until, expected) in [
        ("2026-11-21T09:30:00+09:00", "2026-12-31", ("2026-11-21T00:30:00Z", "2026-12-31T23:59:59Z", 1)),
        (
            "\"2026-11-21 local\"",
            "\"2026-12-31 local\"",
            ("2026-11-21T00:00:00 local time", "2026-12-31T23:59:59 local time", 2),
        ),
        (
            "\"2026-11-21T09:30:00 local\"",
            "\"2026-11-21 09:30:00 local\"",
            ("2026-11-21T09:30:00 local time", "2026-11-21T09:30:00 local time", 2),
        ),
        // It has begun somewhere before it is over.
        (
            "\"2026-11-21T09:30:00 local\"",
            "2026-11-20T20:00:00Z",
            ("2026-11-21T09:30:00 local time", "2026-11-20T20:00:00Z", 2),
        ),
    ] {
        let (from, until, schema) = of(from, until).expect("good");
        assert_eq!((&*from, &*until, schema), expected);
    }
    for (from, until, wrong) in [
        ("\"2026-11-21T09:30:00Z local\"", "2026-12-31", "valid-from: expected a date and perhaps a time without"),
        ("\"local\"", "2026-12-31", "valid-from: expected a date and perhaps a time without"),
        ("\"09:30:00 local\"", "2026-12-31", "valid-from: expected a date and perhaps a time without"),
        ("2026-11-21T09:30:00", "2026-12-31", "valid-from: expected a date such as"),
        ("\"2026-11-21 local\"", "\"2026-11-20 local\"", "valid-until: expected a time after valid-from"),
        ("\"2026-11-21 local\"", "2026-11-20T09:00:00Z", "valid-until: expected a time after valid-from"),
    ] {
        let error = of(from, until).expect_err(from).concat();
        assert!(error.contains(wrong), "{from} {until}: {error}");
    }
    // What a medium was made on is one moment.
    let created = read(&GOOD.replace("2026-11-21T09:30:00Z", "\"2026-11-21 local\"")).expect_err("refused").concat();
    assert!(created.contains("created: expected a date such as"), "{created}");
}

#[test]
fn labels_come_from_the_name_or_the_id() {
    let label = |id: &str, name: &str| {
        let text = format!(
            "kind = \"tree\"\nid = \"{id}\"\nname = \"{name}\"\nversion = \"1\"\nrevision = 1\ntree = {{ path = \"t\" }}"
        );
        read(&text).expect("good").label.as_str().to_owned()
    };
    assert_eq!(label("PLT1", "Short name"), "SHORT NAME");
    assert_eq!(label("PLT1", "A name that is too long"), "PLT1");
    assert_eq!(label("Seoul.Branch.Office", "한국어"), "SEOUL_BRANC");
}

/// One change to the good definition, the line it is on, and what is said.
#[test]
fn each_mistake_is_named_with_its_line() {
    let long = |count: usize| "x".repeat(count);
    let replace = |from: &str, to: &str| {
        assert!(GOOD.contains(from), "{from}");
        GOOD.replacen(from, to, 1)
    };
    let table: Vec<(String, &str)> = vec![
        (
            replace("kind = \"stand-alone\"", "kind = \"standalone\""),
            "line 2: kind: expected \"stand-alone\", \"tree\" or \"raw\", found \"standalone\"",
        ),
        (
            replace("kind = \"stand-alone\"\n", "\n"),
            "line 1: kind: expected \"stand-alone\", \"tree\" or \"raw\", found none",
        ),
        (
            replace("id = \"PLT00001\"", "id = \"a/b\""),
            "line 3: id: expected 1 to 32 of A-Z a-z 0-9 - _ . that make a file name, found \"a/b\"",
        ),
        (replace("id = \"PLT00001\"", "id = \"CON\""), "line 3: id: expected 1 to 32"),
        (replace("id = \"PLT00001\"", "id = 7"), "line 3: id: expected a text in quotes, found a whole number"),
        (
            replace("name = \"Windows 11\"", &format!("name = \"{}\"", long(51))),
            "line 4: name: expected at most 50 characters, found 51",
        ),
        (
            replace("name = \"Windows 11\"", "name = \"a\\nb\""),
            "line 4: name: expected one line of text, found \"a\\nb\"",
        ),
        (replace("name = \"Windows 11\"", "name = \" \""), "line 4: name: expected 1 to 50 characters, found none"),
        (
            replace("version = \"24H2\"", &format!("version = \"{}\"", long(33))),
            "line 5: version: expected at most 32 characters, found 33",
        ),
        (
            replace("revision = 3", "revision = 0"),
            "line 6: revision: expected a whole number from 1 to 4294967295, found 0",
        ),
        (
            replace("revision = 3", "revision = 4294967296"),
            "line 6: revision: expected a whole number from 1 to 4294967295, found 4294967296",
        ),
        (
            replace("revision = 3", "revision = \"3\""),
            "line 6: revision: expected a whole number from 1 to 4294967295, found a text",
        ),
        (
            replace("revision = 3\n", "\n"),
            "line 1: revision: expected a whole number that rises with every release, found none",
        ),
        (replace("Line 4", &long(128)), "line 7: comment: expected at most 127 characters, found 128"),
        (replace("Kim", &long(51)), "line 8: created-by: expected at most 50 characters, found 51"),
        (
            replace("comment = \"Line 4\"", "label = \"TWELVE CHARS\""),
            "line 7: label: expected 1 to 11 of A-Z 0-9 space - _",
        ),
        (
            replace("2026-11-21T09:30:00Z", "\"yesterday\""),
            "line 9: created: expected a date such as 2026-11-21 or a time such as 2026-11-21T09:30:00Z, found \"yesterday\"",
        ),
        (
            replace("2026-11-21T09:30:00Z", "2026-11-21T09:30:00"),
            "line 9: created: expected a date such as 2026-11-21 or a time",
        ),
        (replace("2026-11-21T09:30:00Z", "1969-12-31"), "line 9: created: expected a date"),
        (
            replace("valid-until = 2026-12-31", "valid-until = 2026-11-20"),
            "line 11: valid-until: expected a time after valid-from (2026-11-21T00:00:00Z), found 2026-11-20T23:59:59Z",
        ),
        (
            replace("unattended = true", "unattended = \"yes\""),
            "line 12: unattended: expected true or false, found a text",
        ),
        (
            replace("{ file = \"password.txt\" }", "\"PLANTED\""),
            "line 13: password: expected { file = \"...\" } or { env = \"...\" } (a password never stands in the definition itself), found a text",
        ),
        (replace("{ file = \"password.txt\" }", "{ file = \"a\", env = \"B\" }"), "line 13: password: expected"),
        (
            replace("{ file = \"password.txt\" }", "{ text = \"PLANTED\", env = \"B\" }"),
            "line 13: password.text: expected one of the fields env, file, found an unknown field",
        ),
        (
            replace("password = { file = \"password.txt\" }\n", "\n"),
            "secret: expected a password for the medium, without which a secret would stand on it in clear, found no password",
        ),
        (
            replace("\"8GB\"", "\"16GB\""),
            "line 14: media-size: expected \"none\", \"650MB\", \"4GB\", \"8GB\" or \"unlimited\", found \"16GB\"",
        ),
        (
            replace("task-sequence = \"deploy.xml\"", "tasksequence = \"deploy.xml\""),
            "line 15: tasksequence: expected one of the fields allow, application, boot-image",
        ),
        (replace("boot-kit = \"kit\"\n", "\n"), "line 1: boot-kit: expected the boot kit's folder, found none"),
        (
            replace("boot-kit = \"kit\"", "boot-kit = \"kit\"\ntree = { path = \"t\" }"),
            "line 17: tree: expected no such field for kind \"stand-alone\", found one",
        ),
        (
            replace("path = \"boot\"", "folder = \"boot\""),
            "line 23: boot-image.folder: expected one of the fields id, links, name, path, version, found an unknown field",
        ),
        (replace("index = 3", "index = 0"), "line 30: operating-system-image.index: expected a whole number from 1"),
        (
            replace("name = \"install\"", "name = \"a?b\""),
            "operating-system-image.name: expected a name that makes a file name, found \"a?b\"",
        ),
        (replace("id = \"DRV1\"", "id = \"plt00001\"\n"), ""),
        (
            replace("id = \"DRV1\"", "id = \"app1\""),
            "line 39: application[1].id: expected an id of its own (case does not count), found \"APP1\" again (also driver-package[1].id)",
        ),
        (
            replace("id = \"DRV1\"", "id = \"Prestart\""),
            "line 33: driver-package[1].id: expected an id that is not reserved, found \"Prestart\"",
        ),
        (
            replace("depends-on = [\"APP2\"]", "depends-on = \"APP2\""),
            "line 44: application[1].depends-on: expected a list of texts such as [\"A\", \"B\"], found a text",
        ),
        (
            replace("depends-on = [\"APP2\"]", "depends-on = [2]"),
            "line 44: application[1].depends-on: expected a list of texts, found a whole number in it",
        ),
        (
            replace("depends-on = [\"APP2\"]", "depends-on = [\"APP9\"]"),
            "line 38: application[1].depends-on: expected ids of applications in this definition, found \"APP9\"",
        ),
        (
            replace("smallest-gb = 64", "smallest-gb = 64\nlargest-gb = 32"),
            "target-disk.largest-gb: expected at least smallest-gb, 64, found 32",
        ),
        (
            replace("\"NVMe\", \"SATA\"", "\"nvme\""),
            "target-disk.interfaces: expected of \"NVMe\", \"SATA\", \"SCSI\", \"USB\", \"MMC\", \"virtio\", found \"nvme\"",
        ),
        (replace("smallest-gb = 64", "smallest-gb = 0"), "target-disk.smallest-gb: expected"),
        (
            replace("install = \"tool.cmd\"", "install = \"\""),
            "line 54: package[1].install: expected a command on one line, found none",
        ),
        (
            replace("name = \"OSDTimeZone\"", "name = \"_SMSTSX\""),
            "line 57: variable[1].name: expected a name without a leading '_'",
        ),
        (
            replace("name = \"OSDTimeZone\"", "name = \"1st\""),
            "line 57: variable[1].name: expected a letter, then up to 255 of A-Z a-z 0-9 _ -, found \"1st\"",
        ),
        (
            replace("name = \"OSDTimeZone\"", "name = \"localadminPASSWORD\""),
            "variable[2].name: expected each name once (case does not count), found \"LocalAdminPassword\"",
        ),
        (
            replace("Korea Standard Time", &format!("PLANTED{}", long(3994))),
            "line 58: variable[1].value: expected at most 4000 characters, found 4001",
        ),
        (
            replace("value = \"Korea Standard Time\"", "value = 7"),
            "variable[1].value: expected a text in quotes, found a whole number",
        ),
        (
            replace("value-env = \"ADMIN_PASSWORD\"", "value-env = \"A\"\nvalue = \"PLANTED\""),
            "variable[2].value: expected exactly one of value, value-file, value-env, found several",
        ),
        (
            replace("value-env = \"ADMIN_PASSWORD\"", "value-env = \"A=B\""),
            "line 62: variable[2].value-env: expected the name of an environment variable, found none",
        ),
        (replace("command = \"cmd /C ask.cmd\"\n", "\n"), "prestart.command: expected a command line, found none"),
        (replace("path = \"prestart\"", "path = \"\""), "prestart.path: expected a path, found \"\""),
        (replace("[prestart]", "[prestart"), "TOML: expected valid TOML, found "),
        (replace("password = { file", "password = \"PLANTED\" { file"), "line 13: TOML: expected valid TOML, found "),
    ];
    for (text, expected) in table {
        if expected.is_empty() {
            assert!(read(&text).is_ok(), "the medium's own id is in a space of its own");
            continue;
        }
        let found = read(&text).expect_err(expected);
        assert!(found.iter().any(|line| line.contains(expected)), "expected {expected}\nfound    {found:#?}");
        assert!(!found.concat().contains("PLANTED"), "{found:#?}");
        let extra = usize::from(
            expected.contains("variable[1].value: expected a text")
                || expected.contains("an unknown field")
                || expected.contains("tasksequence"),
        );
        assert!(found.len() <= 1 + extra, "{found:#?}");
    }
}

#[test]
fn limits_are_reached_exactly() {
    let at_limit = GOOD
        .replace("Windows 11", &"n".repeat(50))
        .replace("24H2", &"v".repeat(32))
        .replace("Line 4", &"c".repeat(127))
        .replace("Kim", &"k".repeat(50))
        .replace("Korea Standard Time", &"이".repeat(4000))
        .replace("OSDTimeZone", &"V".repeat(256));
    assert!(read(&at_limit).is_ok());
    let error = read(&at_limit.replace(&"V".repeat(256), &"V".repeat(257))).expect_err("too long");
    assert!(error[0].contains("variable[1].name"), "{error:?}");
}

#[test]
fn all_mistakes_at_once_in_the_order_of_lines() {
    let text = "kind = \"stand-alone\"\nid = \"\"\nname = 7\nrevision = -1\ncolour = 1\n[[package]]\nid = \"P\"\n";
    let found = read(text).expect_err("many mistakes");
    let fields: Vec<_> = found.iter().map(|line| line.split(": ").take(2).collect::<Vec<_>>().join(" ")).collect();
    let expected = [
        "line 1 version",
        "line 1 task-sequence",
        "line 1 boot-kit",
        "line 2 id",
        "line 3 name",
        "line 4 revision",
        "line 5 colour",
        "line 6 package[1].path",
    ];
    assert_eq!(fields, expected);
    let error = MediaSpec::parse(text, Path::new("x/medium.toml")).expect_err("the same").to_string();
    assert!(error.starts_with("x/medium.toml: 8 problem(s) in the definition: line 1: version: "), "{error}");
}

#[test]
fn fields_of_other_kinds_are_refused_by_name() {
    let base = "id = \"T\"\nname = \"T\"\nversion = \"1\"\nrevision = 1\n";
    let problems = |kind: &str, extra: &str| read(&format!("kind = \"{kind}\"\n{base}{extra}"));
    assert!(problems("tree", "tree = { path = \"t\" }\nboot-kit = \"k\"").is_ok());
    assert!(problems("raw", "image = { path = \"i.img\" }\nmedia-size = \"4GB\"\ncreated-by = \"Kim\"").is_ok());
    for field in [
        "unattended = true",
        "password = { env = \"P\" }",
        "task-sequence = \"x\"",
        "include-application-dependencies = true",
        "[boot-image]",
        "[operating-system-image]",
        "[[driver-package]]",
        "[[application]]",
        "[[package]]",
        "[[variable]]",
        "[prestart]",
        "[image]",
    ] {
        let found = problems("tree", &format!("tree = {{ path = \"t\" }}\n{field}")).expect_err(field);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("expected no such field for kind \"tree\""), "{found:?}");
    }
    for field in ["boot-kit = \"k\"", "tree = { path = \"t\" }", "[prestart]"] {
        let found = problems("raw", &format!("image = {{ path = \"i\" }}\n{field}")).expect_err(field);
        assert!(found.len() == 1 && found[0].contains("for kind \"raw\""), "{found:?}");
    }
    assert!(problems("tree", "").expect_err("no tree")[0].contains("tree: expected a table [tree]"));
    assert!(problems("raw", "").expect_err("no image")[0].contains("image: expected a table [image]"));
}

fn applications(list: &[(&str, &[&str], &[&str])], include: bool) -> Result<Vec<String>, Vec<String>> {
    let mut text = format!(
        "kind = \"stand-alone\"\nid = \"M\"\nname = \"M\"\nversion = \"1\"\nrevision = 1\ntask-sequence = \"t\"\nboot-kit = \"k\"\ninclude-application-dependencies = {include}\n"
    );
    for (id, depends_on, supersedes) in list {
        text += &format!(
            "[[application]]\nid = \"{id}\"\npath = \"p\"\ndepends-on = {depends_on:?}\nsupersedes = {supersedes:?}\n"
        );
    }
    let spec = read(&text)?;
    Ok(spec.applications_in_order().in_order.iter().map(|it| it.content.id.clone()).collect())
}

#[test]
fn dependencies_come_first_and_only_once() {
    let order = applications(&[("A", &["C", "B"], &[]), ("B", &["D"], &[]), ("C", &["D"], &[]), ("D", &[], &[])], true);
    assert_eq!(order.expect("no cycle"), ["D", "C", "B", "A"]);
    let chain: Vec<String> = (0..5000).map(|n| format!("A{n}")).collect();
    let next: Vec<[&str; 1]> = chain[1..].iter().map(|id| [&**id]).collect();
    let mut list: Vec<(&str, &[&str], &[&str])> = Vec::new();
    for (at, id) in chain.iter().enumerate() {
        list.push((id, next.get(at).map_or(&[], |it| it.as_slice()), &[]));
    }
    let order = applications(&list, true).expect("a long chain");
    assert_eq!((order.len(), &*order[0]), (5000, "A4999"));
}

#[test]
fn cycles_unknown_ids_and_conflicts_are_named() {
    let problem = |list: &[(&str, &[&str], &[&str])]| {
        let found = applications(list, true).expect_err("a problem");
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].split(": ").nth(2).expect("its text").to_owned()
    };
    assert_eq!(
        problem(&[("A", &["B"], &[]), ("B", &["C"], &[]), ("C", &["B"], &[])]),
        "expected dependencies without a cycle, found B -> C -> B"
    );
    assert_eq!(problem(&[("A", &["A"], &[])]), "expected dependencies without a cycle, found A -> A");
    assert_eq!(problem(&[("A", &["X"], &[])]), "expected ids of applications in this definition, found \"X\"");
    assert_eq!(
        problem(&[("A", &[], &["B"]), ("B", &[], &["A"])]),
        "expected supersedence without a cycle, found A -> B -> A"
    );
    assert_eq!(
        problem(&[("A", &[], &["OLD"]), ("B", &[], &["OLD"])]),
        "expected an application that nothing else supersedes, found OLD, which A supersedes too"
    );
    assert_eq!(
        problem(&[("NEW", &["OLD"], &["OLD"]), ("OLD", &[], &[])]),
        "expected dependencies without a cycle, found NEW -> NEW",
        "depending on what one replaces"
    );
}

#[test]
fn what_is_superseded_is_replaced_everywhere() {
    let list: &[(&str, &[&str], &[&str])] = &[
        ("USER", &["V1"], &[]),
        ("V1", &["OLDLIB"], &[]),
        ("V2", &[], &["V1"]),
        ("V3", &["LIB"], &["V2"]),
        ("LIB", &[], &[]),
    ];
    assert_eq!(applications(list, true).expect("resolved"), ["LIB", "V3", "USER"]);
}

#[test]
fn dependencies_may_be_left_to_the_target() {
    assert_eq!(applications(&[("A", &["X"], &[])], false).expect("allowed"), ["A"]);
    let text = GOOD.replace("include-application-dependencies = true", "include-application-dependencies = false");
    let text = text.replace("depends-on = [\"APP2\"]", "depends-on = [\"APP9\"]");
    let spec = read(&text).expect("good");
    assert_eq!(spec.applications_in_order().left_out, [("APP1".to_owned(), "APP9".to_owned())]);
    assert_eq!(spec.applications_in_order().superseded["APP0"], "APP2");
}

#[test]
fn hostile_definitions_end() {
    for text in
        ["", "\0", "a", "[[[[", "kind = [[[[[", &"[".repeat(100_000), &"a.".repeat(50_000), &"a = {".repeat(20_000)]
    {
        let problems = read(text).expect_err("hostile");
        assert!(problems.iter().all(|problem| problem.contains("expected")), "{problems:?}");
    }
}

#[test]
fn what_a_content_does_with_links_and_what_is_allowed() {
    let spec = good();
    assert_eq!((spec.driver_packages[0].links, spec.allow.len()), (Links::Refuse, 0));
    let tree =
        |rest: &str| read(&format!("kind = \"tree\"\nid = \"T\"\nname = \"T\"\nversion = \"1\"\nrevision = 1\n{rest}"));
    let spec = tree("allow = [\"BOOT-LOADER\"]\ntree = { path = \"t\", links = \"follow\" }").expect("good");
    assert_eq!(spec.tree, Some(TreeSpec { path: "/d/t".into(), links: Links::Follow }));
    assert_eq!(spec.allow, ["BOOT-LOADER"]);
    for (text, said) in [
        (
            "allow = [\"boot\"]\ntree.path = \"t\"",
            "line 6: allow: expected names of findings that may be allowed (BOOT-LOADER",
        ),
        (
            "tree = { path = \"t\", links = \"copy\" }",
            "line 6: tree.links: expected \"follow\" or \"skip\", found \"copy\"",
        ),
        ("tree = { links = \"skip\" }", "line 6: tree.path: expected a path, found none"),
    ] {
        let problems = tree(text).expect_err(said);
        assert!(problems.iter().any(|problem| problem.starts_with(said)), "{problems:?}");
    }
}

#[test]
fn an_image_has_a_limit_of_memory_and_may_grow() {
    let image = |rest: &str| {
        let text = "kind = \"raw\"\nid = \"R\"\nname = \"R\"\nversion = \"1\"\nrevision = 1\n";
        read(&format!("{text}image = {{ path = \"i\"{rest} }}"))
    };
    let given = |memory_mib, grow| Some(ImageSpec { path: "/d/i".into(), memory_mib, grow });
    assert_eq!(image("").expect("good").image, given(DEFAULT_MEMORY_MIB, false));
    assert_eq!(image(", memory-mib = 4096, grow = true").expect("good").image, given(4096, true));
    for (rest, field) in [(", memory-mib = 0", "image.memory-mib: expected"), (", grow = 1", "image.grow: expected")] {
        let problems = image(rest).expect_err(rest);
        assert!(matches!(&problems[..], [problem] if problem.contains(field)), "{problems:?}");
    }
}
