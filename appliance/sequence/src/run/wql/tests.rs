// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

use super::*;

fn instance(name: &str) -> Option<Value> {
    match &*name.to_lowercase() {
        "model" => Some(Value::Text("Latitude 5520".into())),
        "manufacturer" => Some(Value::Text("Dell Inc.".into())),
        "path" => Some(Value::Text(r"C:\Windows".into())),
        "size" => Some(Value::Number(64_424_509_440)),
        "bootable" => Some(Value::Flag(true)),
        "empty" => Some(Value::Null),
        _ => None,
    }
}

fn holds(filter: &str) -> bool {
    let query = Query::parse(&format!("SELECT * FROM Win32_X WHERE {filter}"));
    query.unwrap_or_else(|error| panic!("{filter}: {error}")).takes(&instance)
}

#[test]
fn every_form_of_term_is_answered() {
    for (filter, expected) in [
        ("Model = 'latitude 5520'", true),
        ("Model = \"Latitude 5521\"", false),
        ("MODEL LIKE 'Latitude%'", true),
        ("Model LIKE '%5_20'", true),
        ("Model LIKE '%5__20'", false),
        ("Model LIKE '%5[1-5]20'", true),
        ("Model LIKE '%5[^1-5]20'", false),
        ("Model LIKE 'Latitude'", false),
        ("Model NOT LIKE '%VMware%'", true),
        ("NOT Model LIKE '%VMware%'", true),
        ("Model <> 'x'", true),
        ("Model != 'Latitude 5520'", false),
        ("Size > 60000000000", true),
        ("Size >= '64424509440'", true),
        ("Size < 64424509440", false),
        ("Size <= -1", false),
        ("60000000000 < Size", true),
        ("Bootable = TRUE", true),
        ("Bootable = 'true'", true),
        ("Bootable = 0", false),
        ("Empty IS NULL", true),
        ("Model IS NOT NULL", true),
        ("Nothing IS NULL", true),
        ("Nothing = 'x'", false),
        ("Nothing <> 'x'", false),
        ("Path = 'C:\\\\Windows'", true),
        ("Path = 'C:\\Windows'", true),
        ("Model = 'a\\'b'", false),
        ("Model LIKE 'L%' AND Manufacturer LIKE 'Dell%'", true),
        ("Model LIKE 'x%' OR Manufacturer LIKE 'Dell%'", true),
        ("Model LIKE 'x%' AND Manufacturer LIKE 'Dell%' OR Size > 1", true),
        ("Model LIKE 'x%' AND (Manufacturer LIKE 'Dell%' OR Size > 1)", false),
        ("NOT (Model LIKE 'x%' OR NOT Size > 1)", true),
        ("NOT NOT Size > 1", true),
    ] {
        assert_eq!(holds(filter), expected, "{filter}");
    }
}

#[test]
fn what_is_asked_for_is_kept() {
    let query = Query::parse("select Model, SMBIOSBIOSVersion from Win32_BIOS where Version='1' or Name like 'x'");
    let query = query.expect("a query");
    assert_eq!((&*query.class, &*query.select.join(" ")), ("Win32_BIOS", "Model SMBIOSBIOSVersion"));
    assert_eq!(query.properties(), ["Model", "SMBIOSBIOSVersion", "Version", "Name"]);
    let all = Query::parse("\u{feff}".trim_start_matches('\u{feff}').to_owned().as_str());
    assert_eq!(all.expect_err("nothing").to_string(), "WQL: at character 1: expected SELECT, found the end");
}

#[test]
fn what_is_no_query_is_refused_with_its_place() {
    for (text, expected) in [
        ("DELETE FROM x", "at character 1: expected SELECT, found DELETE"),
        ("SELECT FROM", "at character 12: expected FROM, found the end"),
        ("SELECT * FROM", "at character 14: expected a name, found the end"),
        ("SELECT * FROM x y", "at character 17: expected WHERE, AND, OR or the end, found y"),
        (
            "SELECT * FROM x WHERE",
            "at character 22: expected a text in quotes, a number, TRUE, FALSE or NULL, found the end",
        ),
        ("SELECT * FROM x WHERE a", "at character 24: expected one of = != <> < > <= >= LIKE IS, found the end"),
        ("SELECT * FROM x WHERE a = 'b", "at character 27: expected a closing quote, found the end"),
        (
            "SELECT * FROM x WHERE a = b",
            "at character 27: expected a text in quotes, a number, TRUE, FALSE or NULL, found b",
        ),
        ("SELECT * FROM x WHERE (a = 1", "at character 29: expected ), found the end"),
        ("SELECT * FROM x WHERE a = 1;", "at character 28: expected a name, a value or a sign, found ';'"),
    ] {
        let error = Query::parse(text).expect_err(text).to_string();
        assert_eq!(error, format!("WQL: {expected}"), "{text}");
    }
    let deep = |depth: usize| format!("SELECT * FROM x WHERE {}a = 1{}", "(".repeat(depth), ")".repeat(depth));
    Query::parse(&deep(32)).expect("32 brackets");
    assert!(Query::parse(&deep(33)).expect_err("33").to_string().contains("at most 32 brackets"));
    let long = format!("SELECT * FROM x WHERE a = '{}'", "x".repeat(16_384));
    assert!(Query::parse(&long).expect_err("long").to_string().contains("at most 16384 bytes"));
}
