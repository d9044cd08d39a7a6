// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The shape of the project, held by a test: which crate may depend on which, and that what the documents name exists.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// Who may depend on whom. An edge that is not here is a decision: change it here, and say why in ARCHITECTURE.md.
const ALLOWED: &[(&str, &[&str])] = &[
    ("platen-events", &[]),
    ("platen-media", &["platen-disk"]),
    // For its strict reader of TOML: definitions and sequences are read by one.
    ("platen-sequence", &["platen-disk", "platen-media"]),
    ("platen-disk", &[]),
    ("platen-wim", &[]),
    // Pure, and compiled for Windows too.
    ("platen-windows", &[]),
    // For what a change of the registry is.
    ("platen-hive", &["platen-windows"]),
    ("platen-cache", &["platen-media"]),
    ("platen-author", &["platen-cache", "platen-disk", "platen-media", "platen-sequence", "platen-wim"]),
    ("platen-engine", &["platen-cache", "platen-disk", "platen-events", "platen-media"]),
    ("platen-ledger", &["platen-engine", "platen-events", "platen-media"]),
    ("platen-examine", &["platen-disk", "platen-media"]),
    ("platen-device", &["platen-engine", "platen-events"]),
    // Never the author: what is on a bench holds no author's key and does not link libwim.
    (
        "platen-station",
        &[
            "platen-cache",
            "platen-device",
            "platen-disk",
            "platen-engine",
            "platen-events",
            "platen-ledger",
            "platen-media",
        ],
    ),
    // For its strict reader of TOML, as definitions are read.
    ("platen-panel", &["platen-media"]),
    // All it shares with the station is what they say to each other.
    ("platen-keeper", &["platen-events"]),
    // Pure, and all it knows of a station is the record.
    ("platen-ui", &["platen-events"]),
    (
        "platen-deploy",
        &[
            "platen-disk",
            "platen-events",
            // Without hivex: it starts the program that links it.
            "platen-hive",
            "platen-media",
            "platen-sequence",
            "platen-windows",
        ],
    ),
    // For tests only: nobody may depend on these two but for tests, which this table does not count.
    ("platen-testkit", &["platen-cache", "platen-engine", "platen-events", "platen-media"]),
    (
        "platen-fuzz",
        &[
            "platen-cache",
            "platen-deploy",
            "platen-disk",
            "platen-examine",
            "platen-media",
            "platen-sequence",
            "platen-testkit",
            "platen-wim",
            "platen-windows",
        ],
    ),
    (
        "platen",
        &[
            "platen-author",
            "platen-cache",
            "platen-device",
            "platen-engine",
            "platen-events",
            "platen-examine",
            "platen-ledger",
            "platen-media",
            "platen-panel",
            "platen-sequence",
            "platen-station",
            "platen-ui",
        ],
    ),
];

/// Libraries that only some crates may use: the edge to the machine stays thin, readers do not link writers.
const RESERVED: &[(&str, &[&str])] = &[
    ("udev", &["platen-device"]),
    ("landlock", &["platen-device"]),
    ("seccompiler", &["platen-device"]),
    // Besides the device: sparse files in authoring, free space in the cache, mounts and modules on the target, mounts and
    // users on the appliance.
    ("nix", &["platen-device", "platen-author", "platen-cache", "platen-deploy", "platen-keeper", "platen-testkit"]),
    ("rusqlite", &["platen-ledger"]),
    // As a judge in tests only: the reader of drives is our own.
    ("fatfs", &["platen-fuzz"]),
    ("gpt", &["platen-disk", "platen-fuzz"]),
    // The private half of an author's key is read in one crate only; the ledger holds the station's own key.
    ("minisign", &["platen-author", "platen-ledger", "platen-testkit", "platen-fuzz"]),
    // Tests alone make the schema of the record.
    ("schemars", &[]),
    ("clap", &["platen"]),
    // For the package's man pages and completions, which the programs themselves do not carry.
    ("clap_complete", &[]),
    ("clap_mangen", &[]),
    ("indicatif", &["platen"]),
    // A board's panels, inputs and lights.
    ("display-interface-i2c", &["platen-panel"]),
    ("drm", &["platen-panel"]),
    ("embedded-hal", &["platen-panel"]),
    ("evdev", &["platen-panel"]),
    ("gpiocdev", &["platen-panel"]),
    ("linux-embedded-hal", &["platen-panel"]),
    ("mipidsi", &["platen-panel"]),
    ("ssd1306", &["platen-panel"]),
];

fn metadata() -> serde_json::Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn dependencies(metadata: &serde_json::Value) -> BTreeMap<String, BTreeSet<String>> {
    let packages = metadata["packages"].as_array().expect("packages");
    let name = |value: &serde_json::Value| value["name"].as_str().expect("a name").to_owned();
    let normal = |package: &serde_json::Value| {
        let all = package["dependencies"].as_array().expect("dependencies").iter();
        all.filter(|dependency| dependency["kind"].is_null()).map(name).collect()
    };
    packages.iter().map(|package| (name(package), normal(package))).collect()
}

#[test]
fn crates_depend_only_on_what_the_table_allows() {
    let found = dependencies(&metadata());
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    for (package, dependencies) in &found {
        let permitted = allowed.get(&**package).unwrap_or_else(|| panic!("{package} is not in the table"));
        for dependency in dependencies.iter().filter(|name| name.starts_with("platen")) {
            assert!(
                permitted.contains(&&**dependency),
                "{package} -> {dependency} is not in the table of allowed edges"
            );
        }
        for (library, users) in RESERVED {
            let uses = dependencies.contains(*library);
            assert!(!uses || users.contains(&&**package), "{package} uses {library}, which is reserved for {users:?}");
        }
    }
    for (package, permitted) in ALLOWED {
        let real = found.get(*package).unwrap_or_else(|| panic!("{package} is in the table but not in the workspace"));
        for dependency in *permitted {
            assert!(real.contains(*dependency), "{package} -> {dependency} is allowed but not used; take it out");
        }
    }
}

#[test]
fn unsafe_code_is_opened_in_three_places_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("git").args(["grep", "-l", "allow(unsafe_code)"]).current_dir(root).output();
    let output = output.expect("git runs");
    for file in String::from_utf8_lossy(&output.stdout).lines().filter(|file| *file != "tests/workspace.rs") {
        let permitted = file.starts_with("appliance/wim/")
            || file.starts_with("appliance/hive/")
            || ["appliance/device/src/ioctl.rs", "appliance/device/tests/sandbox.rs"].contains(&file);
        assert!(permitted, "{file} opens unsafe code");
    }
}

/// All tracked files whose names end like this, with their text.
fn tracked(patterns: &[&str]) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("git").args(["ls-files", "-z", "--"]).args(patterns).current_dir(root).output();
    let output = output.expect("git runs");
    let names = String::from_utf8(output.stdout).expect("names are UTF-8");
    // What git still lists and somebody has removed is gone.
    let read =
        |name: &str| Some((name.to_owned(), String::from_utf8_lossy(&std::fs::read(root.join(name)).ok()?).into()));
    let files: Vec<(String, String)> = names.split('\0').filter(|name| !name.is_empty()).filter_map(read).collect();
    assert!(!files.is_empty(), "{patterns:?}");
    files
}

#[test]
fn every_dependency_is_used() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let metadata = metadata();
    let (mut looked, mut unused) = (0, Vec::new());
    for package in metadata["packages"].as_array().expect("packages") {
        let manifest = Path::new(package["manifest_path"].as_str().expect("a path"));
        let folder = manifest.parent().expect("a folder").strip_prefix(root).expect("inside").display().to_string();
        let own = |name: &str| match &*folder {
            "" => ["appliance/src/", "appliance/packaging/", "tests/"].iter().any(|top| name.starts_with(top)),
            _ => name.starts_with(&format!("{folder}/")),
        };
        let sources: Vec<String> =
            tracked(&["*.rs"]).into_iter().filter(|(name, _)| own(name)).map(|(_, text)| text).collect();
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let name = dependency["name"].as_str().expect("a name").replace('-', "_");
            if !sources.iter().any(|text| uses(text, &name)) {
                unused.push(format!("{} does not use {name}", package["name"]));
            }
            looked += 1;
        }
    }
    assert_eq!(unused, Vec::<String>::new());
    assert!(looked > 60, "{looked}");
}

/// The crate's name stands in a path, or is what is taken in.
fn uses(text: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(name).any(|(at, _)| {
        let after = &text[at + name.len()..];
        !text[..at].ends_with(is_word)
            && (after.starts_with("::") || after.starts_with(';') || after.starts_with(" as "))
    })
}

#[test]
fn a_dependency_is_used_by_its_name_alone() {
    for text in ["use toml::Value;", "    toml::from_str(text)", "use toml;", "use toml as reader;"] {
        assert!(uses(text, "toml"), "{text}");
    }
    for text in ["use mytoml::Value;", "toml_edit::parse", "// toml is read here", "tomls::x"] {
        assert!(!uses(text, "toml"), "{text}");
    }
}

#[test]
fn no_type_sends_its_reader_elsewhere() {
    for (name, text) in tracked(&["appliance/*.rs"]) {
        let sends = text.lines().find(|line| line.trim_start().starts_with("/// See the module"));
        assert!(sends.is_none(), "{name}: say in one sentence what it is, instead of {sends:?}");
    }
}

/// What a test lacks it asks for by the testkit, which fails the test or counts it as skipped. Whoever prints so himself
/// passes in silence.
#[test]
fn no_test_skips_itself_in_silence() {
    for (name, text) in tracked(&["*.rs"]) {
        let may = name.starts_with("appliance/testkit/") || name == "tests/workspace.rs";
        let says = text.lines().find(|line| line.contains("print") && line.contains("(\"skipped"));
        assert!(may || says.is_none(), "{name}: {says:?}");
        let includes = text.lines().find(|line| line.contains("#[path = \"..") && !line.contains("/src/"));
        assert!(may || includes.is_none(), "{name} takes in another crate's tests by path: {includes:?}");
    }
}

#[test]
fn every_promise_of_the_security_page_has_its_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("SECURITY.md")).expect("reads");
    let sources = tracked(&["*.rs"]);
    let mut promises = 0;
    for row in page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| promise")) {
        let tests = row.trim_end_matches(" |").rsplit(" | ").next().unwrap_or_default();
        let names: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "a promise without a test: {row}");
        for name in names {
            let function = format!("fn {name}()");
            let is_test = sources.iter().any(|(_, text)| {
                text.match_indices(&function)
                    .any(|(at, _)| text[..at].trim_end().ends_with(']') && text[..at].contains("#[test]"))
            });
            // Some are made by a macro, one line each.
            let is_made = || {
                sources
                    .iter()
                    .any(|(_, text)| text.lines().any(|line| line.trim_start().starts_with(&format!("{name} "))))
            };
            assert!(is_test || is_made(), "{name} is no test: {row}");
        }
        promises += 1;
    }
    assert!(promises > 20, "{promises}");
}

/// REUSE 3.3: each file says who holds its copyright and under which licence, in its first lines or in REUSE.toml.
#[test]
fn every_file_says_its_licence() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let reuse = std::fs::read_to_string(root.join("REUSE.toml")).expect("reads");
    let quoted = |line: &str| line.trim().strip_prefix('"')?.strip_suffix("\",").map(str::to_owned);
    let patterns: Vec<String> = reuse.lines().filter_map(quoted).collect();
    assert!(patterns.len() > 5, "{patterns:?}");
    let is_annotated = |name: &str| patterns.iter().any(|pattern| matches(pattern, name));
    let tags = ["SPDX-FileCopyrightText: ", "SPDX-License-Identifier: "];
    for (name, text) in tracked(&["*"]) {
        let head: String = text.lines().take(3).collect::<Vec<_>>().join("\n");
        let says = tags.iter().all(|tag| head.contains(tag));
        let is_licence = name.starts_with("LICENSES/") || name == "REUSE.toml";
        assert!(says || is_licence || is_annotated(&name), "{name}: no SPDX lines, and not in REUSE.toml");
    }
}

/// As REUSE.toml takes patterns, as far as ours need them: `**` is anything, `*` anything within a folder.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.find('*') {
        None => pattern == name,
        Some(at) => {
            let (start, rest) = pattern.split_at(at);
            let Some(name) = name.strip_prefix(start) else { return false };
            let (rest, deep) = match rest.strip_prefix("**") {
                Some(rest) => (rest, true),
                None => (&rest[1..], false),
            };
            let ends = (0..=name.len()).filter(|&end| name.is_char_boundary(end));
            ends.take_while(|&end| deep || !name[..end].contains('/')).any(|end| matches(rest, &name[end..]))
        }
    }
}

#[test]
fn patterns_are_taken_as_reuse_takes_them() {
    for (pattern, name) in [
        ("**.md", "docs/a.md"),
        ("**.md", "a.md"),
        ("docs/*.md", "docs/a.md"),
        ("a/**", "a/b/c"),
        ("LICENSE", "LICENSE"),
    ] {
        assert!(matches(pattern, name), "{pattern} {name}");
    }
    for (pattern, name) in
        [("docs/*.md", "docs/b/a.md"), ("*.md", "docs/a.md"), ("**.md", "a.mdx"), ("LICENSE", "LICENSES/x")]
    {
        assert!(!matches(pattern, name), "{pattern} {name}");
    }
}

/// The rooms of the larger crates, in the order of their pipelines. A room is a folder or a single file.
const ROOMS: [(&str, &[&str]); 2] = [
    ("appliance/engine/src", &["drive", "plan", "content", "capacity", "write", "verify", "job"]),
    ("appliance/author/src", &["keys", "boot", "definition", "content", "store", "build"]),
];

/// What stands between rooms: it is used by those behind it, and uses none of those. (crate, file, rooms before it)
const BETWEEN: [(usize, &str, usize); 4] =
    [(0, "context.rs", 3), (0, "teller.rs", 0), (1, "error.rs", 2), (1, "options.rs", 0)];

#[test]
fn each_room_uses_only_what_stands_before_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (of, (folder, rooms)) in ROOMS.iter().enumerate() {
        let mut uses = 0;
        for (position, room) in rooms.iter().enumerate() {
            let files = sources_of(&root.join(folder), room);
            assert!(!files.is_empty(), "{folder} has no room {room}");
            for (path, text) in files {
                for name in names_used(&text) {
                    let Some(other) = rooms.iter().position(|room| *room == name) else { continue };
                    assert!(other <= position, "{} uses {name}, which stands behind {room}", path.display());
                    uses += 1;
                }
            }
        }
        assert!(uses > 50, "{uses} uses in {folder}: the control");
        for (_, file, before) in BETWEEN.into_iter().filter(|(crate_of, ..)| *crate_of == of) {
            let text = std::fs::read_to_string(root.join(folder).join(file)).expect(file);
            let names = names_used(&text);
            let behind = rooms[before..].iter().find(|room| names.iter().any(|name| name == *room));
            assert!(behind.is_none(), "{folder}/{file} uses {behind:?}");
        }
    }
    // The error of authoring stands behind keys and boot, which have errors of their own.
    for room in ["keys", "boot"] {
        for (path, text) in sources_of(&root.join(ROOMS[1].0), room) {
            assert!(!text.contains("AuthorError"), "{} uses AuthorError, which stands behind {room}", path.display());
        }
    }
}

/// All files of a room, with their text.
fn sources_of(folder: &Path, room: &str) -> Vec<(std::path::PathBuf, String)> {
    let (mut found, mut left) = (Vec::new(), vec![folder.join(room), folder.join(format!("{room}.rs"))]);
    while let Some(path) = left.pop() {
        if let Ok(entries) = std::fs::read_dir(&path) {
            left.extend(entries.map(|entry| entry.expect("an entry").path()));
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            found.push((path, text));
        }
    }
    found
}

/// The first name of every path that begins with `crate::`, those in braces too.
fn names_used(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, start) in text.match_indices("crate::") {
        let rest = &text[at + start.len()..];
        let Some(list) = rest.strip_prefix('{') else {
            names.push(first_name(rest));
            continue;
        };
        let mut depth = 0;
        let mut from = 0;
        for (at, c) in list.char_indices() {
            match c {
                ',' | '}' if depth == 0 => {
                    names.push(first_name(list[from..at].trim_start()));
                    from = at + 1;
                    if c == '}' {
                        break;
                    }
                }
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
        }
    }
    names
}

fn first_name(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn names_are_found_however_they_are_used() {
    let text =
        "use crate::plan::{a, write};\nuse crate::{Error, job::{self, verify}, store};\nlet x = crate::content::y();";
    assert_eq!(names_used(text), ["plan", "Error", "job", "store", "content"]);
}

#[test]
fn every_crate_takes_the_workspace_lints() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (package, _) in ALLOWED {
        let folder = match package.strip_prefix("platen-") {
            None => root.to_owned(),
            Some("ui") => root.join("ui"),
            Some(name) => root.join("appliance").join(name),
        };
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest");
        assert!(manifest.contains("[lints]\nworkspace = true"), "{package} does not take the workspace's lints");
    }
}

/// What people read first.
const DOCUMENTS: [&str; 8] = [
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "RELEASING.md",
    "SECURITY.md",
    "docs/glossary.md",
    "docs/operator.md",
];

#[test]
fn every_path_the_documents_name_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut named = 0;
    for document in DOCUMENTS {
        let text = std::fs::read_to_string(root.join(document)).expect(document);
        for quoted in text.split('`').skip(1).step_by(2) {
            // The first word of a command, or a path.
            let path = quoted.split_whitespace().next().unwrap_or_default();
            if ["appliance/", "tests/", ".ci/", "docs/", "fuzz/"].iter().any(|top| path.starts_with(top))
                && !path.contains(['*', '<'])
            {
                named += 1;
                assert!(root.join(path).exists(), "{document} names {path}, which is not there");
            }
        }
    }
    assert!(named > 10, "only {named} paths were found; is the search still right?");
}

#[test]
fn every_operator_code_is_raised_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for code in platen_events::Code::ALL {
        let pattern = format!("Code::{}\\b", code.name());
        let output = Command::new("git")
            .args(["grep", "-qE", "--untracked", &pattern, "--", "appliance/*.rs"])
            // A mention in a test raises nothing.
            .args([":!appliance/events", ":!appliance/*/tests/*", ":!*/tests.rs", ":!appliance/testkit"])
            .current_dir(root)
            .status()
            .expect("git runs");
        assert!(output.success(), "{} ({}) is in the table but nothing raises it", code, code.name());
    }
}

/// What decides can be replayed: it has no time, no thread, no file, and knows of no crate that has.
#[test]
fn the_stations_core_is_pure() {
    let impure = ["Instant", "SystemTime", "thread", "::fs", "::io", "::net", "::process", "Mutex", "Atomic"];
    let crates = ["platen_device", "platen_engine", "platen_cache", "platen_ledger", "platen_media"];
    let core = tracked(&["appliance/station/src/core/*.rs"]);
    for (name, text) in core.iter().filter(|(name, _)| !name.ends_with("tests.rs")) {
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for (number, line) in code.enumerate() {
            for word in impure.iter().chain(&crates) {
                assert!(!line.contains(word), "{name}: {word} in code line {}: {line}", number + 1);
            }
        }
    }
}
