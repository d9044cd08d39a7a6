//! The shape of the project, held by a test: which crate may depend on which, and that what the documents name exists.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// Who may depend on whom. An edge that is not here is a decision: change it here, and say why in ARCHITECTURE.md.
const ALLOWED: &[(&str, &[&str])] = &[
    ("platen-events", &[]),
    ("platen-media", &["platen-disk"]),
    ("platen-sequence", &[]),
    ("platen-disk", &[]),
    ("platen-wim", &[]),
    ("platen-cache", &["platen-media"]),
    ("platen-author", &["platen-cache", "platen-disk", "platen-media", "platen-sequence", "platen-wim"]),
    ("platen-engine", &["platen-cache", "platen-disk", "platen-events", "platen-media"]),
    ("platen-ledger", &["platen-engine", "platen-events", "platen-media"]),
    ("platen-examine", &["platen-disk", "platen-media"]),
    ("platen-device", &["platen-engine", "platen-events"]),
    ("platen-deploy", &["platen-events", "platen-media", "platen-sequence"]),
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
        ],
    ),
];

/// Libraries that only some crates may use: the edge to the machine stays thin, readers do not link writers.
const RESERVED: &[(&str, &[&str])] = &[
    ("udev", &["platen-device"]),
    ("landlock", &["platen-device"]),
    ("seccompiler", &["platen-device"]),
    // Besides the device: sparse files in authoring, free space in the cache, mounts and modules on the target.
    ("nix", &["platen-device", "platen-author", "platen-cache", "platen-deploy"]),
    ("rusqlite", &["platen-ledger"]),
    // As a judge in tests only: the reader of drives is our own.
    ("fatfs", &[]),
    ("gpt", &["platen-disk"]),
    // The private half of an author's key is read in one crate only; the ledger holds the station's own key.
    ("minisign", &["platen-author", "platen-ledger"]),
    ("clap", &["platen"]),
    ("indicatif", &["platen"]),
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
fn unsafe_code_is_opened_in_two_places_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("git").args(["grep", "-l", "allow(unsafe_code)"]).current_dir(root).output();
    let output = output.expect("git runs");
    for file in String::from_utf8_lossy(&output.stdout).lines().filter(|file| *file != "tests/workspace.rs") {
        let permitted = file.starts_with("appliance/wim/")
            || ["appliance/device/src/ioctl.rs", "appliance/device/tests/sandbox.rs"].contains(&file);
        assert!(permitted, "{file} opens unsafe code");
    }
}

#[test]
fn every_crate_takes_the_workspace_lints() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (package, _) in ALLOWED {
        let folder = package.strip_prefix("platen-").map_or(root.to_owned(), |name| root.join("appliance").join(name));
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest");
        assert!(manifest.contains("[lints]\nworkspace = true"), "{package} does not take the workspace's lints");
    }
}

#[test]
fn every_path_the_documents_name_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut named = 0;
    for document in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"] {
        let text = std::fs::read_to_string(root.join(document)).expect(document);
        for quoted in text.split('`').skip(1).step_by(2) {
            // The first word of a command, or a path.
            let path = quoted.split_whitespace().next().unwrap_or_default();
            if ["appliance/", "tests/", ".ci/"].iter().any(|top| path.starts_with(top)) && !path.contains(['*', '<']) {
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
            .args(["grep", "-qE", &pattern, "--", "appliance/*.rs", ":!appliance/events"])
            .current_dir(root)
            .status()
            .expect("git runs");
        assert!(output.success(), "{} ({}) is in the table but nothing raises it", code, code.name());
    }
}
