// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What the Debian package installs besides the programs, each file judged by who reads it. Installing the package itself
//! takes longer: `tests/long package`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use platen_testkit::machine::RecordedMachine;
use platen_testkit::need;

use crate::common::{Ran, program, tool};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn packaging(name: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join("appliance/packaging").join(name)).expect(name)
}

fn platend() -> PathBuf {
    program().with_file_name("platend")
}

/// Man pages and completions, as `build-package` makes them.
fn documents() -> tempfile::TempDir {
    let maker = program().with_file_name("examples/documents");
    assert!(maker.exists(), "cargo build --example documents");
    let folder = tempfile::tempdir().expect("a folder");
    tool(maker.to_str().expect("UTF-8"), &[folder.path().to_str().expect("UTF-8"), "2026-11-01"]).expect(0);
    folder
}

/// All files in a folder and those in it, by their paths from there.
fn files_in(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        match path.is_dir() {
            true => found.extend(files_in(&path).into_iter().map(|below| format!("{name}/{below}"))),
            false => drop(found.insert(name)),
        }
    }
    found
}

/// The unit with the program that was built, in a folder of its own; `change` is done to it before.
fn unit(change: impl Fn(&str) -> String) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("platend.service");
    let text = change(&packaging("platend.service"));
    let text = text.replace("/usr/bin/platend", platend().to_str().expect("UTF-8"));
    fs::write(&path, text.replace("/usr/bin/udevadm", "/bin/true")).expect("writes");
    let path = path.to_str().expect("UTF-8").to_owned();
    (folder, path)
}

fn verified(unit: &str) -> Ran {
    tool("systemd-analyze", &["verify", "--man=no", "--recursive-errors=no", unit])
}

#[test]
fn systemd_takes_every_line_of_the_unit() {
    if !need::program("systemd-analyze") {
        return;
    }
    let (_folder, good) = unit(str::to_owned);
    assert_eq!(verified(&good).expect(0).stderr, "");
    // The control: what systemd does not know it passes over, with a line.
    for (line, mistyped) in [("WatchdogSec=2min", "WatchdogSec=soon"), ("ProtectClock=yes", "ProtectClocks=yes")] {
        let (_folder, bad) = unit(|text| text.replace(line, mistyped));
        assert_ne!(verified(&bad).stderr, "", "{mistyped}");
    }
}

/// The exposure that `systemd-analyze security` gives, from 0 (safe) to 10, times ten.
const MOST_EXPOSED: &str = "--threshold=25";

#[test]
fn the_unit_is_not_exposed() {
    if !need::program("systemd-analyze") {
        return;
    }
    let judged =
        |unit: &str| tool("systemd-analyze", &["security", "--offline=true", "--no-pager", MOST_EXPOSED, unit]);
    let (_folder, good) = unit(str::to_owned);
    judged(&good).expect(0);
    // The control: the same without what protects it.
    let protects = ["Protect", "Private", "Restrict", "Capability", "SystemCall", "NoNewPrivileges", "Device"];
    let (_folder, open) = unit(|text| {
        let kept = text.lines().filter(|line| !protects.iter().any(|start| line.starts_with(start)));
        kept.map(|line| format!("{line}\n")).collect()
    });
    assert_ne!(judged(&open).status, 0);
}

#[test]
fn the_unit_says_what_the_program_expects() {
    let unit = packaging("platend.service");
    let has = |line: &str| assert!(unit.lines().any(|other| other == line), "{line}");
    let station = Path::new(ROOT).join("appliance/example/station.toml");
    let station = fs::read_to_string(station).expect("reads");
    // Where its files are by default are the folders that systemd makes for it.
    for (folder, line) in [("/var/lib/platen/", "StateDirectory=platen"), ("/run/platen/", "RuntimeDirectory=platen")] {
        assert!(station.contains(&format!("\"{folder}")), "{folder}");
        has(line);
    }
    // The exit status of a wrong configuration, which restarting does not mend.
    has("RestartPreventExitStatus=2");
    let ran = Command::new(platend()).args(["--config", "/nonexistent"]).output().expect("platend runs");
    assert_eq!(ran.status.code(), Some(2), "{ran:?}");
    // Its groups are made, and those of the socket and the drives are two.
    let users = packaging("platen.sysusers");
    assert!(users.contains("\nu platen ") && users.contains("\ng platen-drives "), "{users}");
    has("Group=platen");
    has("SupplementaryGroups=platen-drives");
}

/// What a reader of the configuration says of these texts.
fn check_config(station: &str, ports: &str) -> Ran {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("ports.toml"), ports).expect("writes");
    let station = station.replace("\"/etc/platen/ports.toml\"", "\"ports.toml\"");
    let file = folder.path().join("station.toml");
    fs::write(&file, station).expect("writes");
    tool(platend().to_str().expect("UTF-8"), &["--config", file.to_str().expect("UTF-8"), "check-config"])
}

/// The fields that the reader knows, as it says when it finds one that it does not know.
fn known_fields(said: &str) -> Vec<String> {
    let (_, list) = said.split_once("expected one of the fields ").expect(said);
    let (list, _) = list.split_once(", found an unknown field").expect(said);
    list.split(", ").map(str::to_owned).collect()
}

#[test]
fn the_configuration_that_is_installed_is_good_and_names_every_field() {
    let station = fs::read_to_string(Path::new(ROOT).join("appliance/example/station.toml")).expect("reads");
    let ports = packaging("ports.toml");
    let said = check_config(&station, &ports).expect(0).stdout;
    assert!(said.contains("good; 0 port(s)"), "nothing is the station's before somebody says so: {said}");
    let (in_station, in_ports) = (&station, &ports);
    let mut fields = 0;
    for (example, (station, ports)) in [
        (in_station, ("unknown = 1", "")),
        (in_station, ("name = \"x\"\n[paths]\nunknown = 1", "")),
        (in_station, ("name = \"x\"\n[policy]\nunknown = 1", "")),
        (in_station, ("name = \"x\"\n[roles]\nunknown = 1", "")),
        (in_station, ("name = \"x\"\n[[group]]\nunknown = 1", "")),
        (in_ports, ("name = \"x\"\n[paths]\nports = \"/etc/platen/ports.toml\"", "unknown = 1")),
        (in_ports, ("name = \"x\"\n[paths]\nports = \"/etc/platen/ports.toml\"", "[[port]]\nunknown = 1")),
    ] {
        for field in known_fields(&check_config(station, ports).expect(2).stderr) {
            let is_there = |line: &str| {
                let line = line.trim_start_matches('#');
                let name = line.split([' ', '=']).next().unwrap_or_default();
                name.trim_matches(['[', ']']) == field
            };
            assert!(example.lines().any(is_there), "{field} is not in the example");
            fields += 1;
        }
    }
    assert!(fields > 40, "{fields}");
    // What is only a comment is right as well.
    let all: String = ports.lines().map(|line| format!("{}\n", line.strip_prefix('#').unwrap_or(line))).collect();
    let all: String = all.lines().filter(|line| !line.starts_with(' ')).map(|line| format!("{line}\n")).collect();
    assert!(check_config(&station, &all).expect(0).stdout.contains("good; 1 port(s)"));
}

/// A stick in a port of a computer.
const MACHINE: &str = "
hub pci0000:00/0000:00:14.0/usb1 480 4
usb pci0000:00/0000:00:14.0/usb1/1-2 0781:5581 4C530001
interface pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0 08:06:50
disk sdb 8:16 pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/host4/target4:0:0/4:0:0:0 removable=1
";
const DISK: &str = "/sys/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/host4/target4:0:0/4:0:0:0/block/sdb";

/// Asks udev itself what these rules make of a disk, with no other rules. The real /sys, /dev and /run are not touched: they
/// are mounted over, for this one process. udev takes a recorded /sys for one when it is told not to look whether it is.
const UDEV_TEST: &str = r#"
set -e
rules=$1 machine=$2 disk=$3
mount -t tmpfs tmpfs /dev
mknod -m 666 /dev/null c 1 3
mknod -m 600 /dev/sdb b 8 16
mount -t tmpfs tmpfs /run
mkdir -p /run/udev/rules.d /run/empty
for folder in /usr/lib/udev/rules.d /lib/udev/rules.d /etc/udev/rules.d; do
    [ ! -d "$folder" ] || mount --bind /run/empty "$folder"
done
cp "$rules" /run/udev/rules.d/59-platen.rules
{ cat /etc/group; echo platen-drives:x:4242:; } > /run/group
mount --bind /run/group /etc/group
mount --bind "$machine" /sys
SYSTEMD_DEVICE_VERIFY_SYSFS=0 udevadm test --action=add "$disk" 2>&1
stat --format='the node: %a %g' /dev/sdb
"#;

#[test]
fn udev_gives_the_drives_in_the_ports_to_the_station_and_to_nobody_else() {
    if !need::program("udevadm") || !need::root() {
        return;
    }
    let machine = RecordedMachine::new(MACHINE);
    let said = |socket: &str, change: &dyn Fn(String) -> String| {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
        fs::write(path("station.toml"), "name = \"x\"\n[paths]\nports = \"ports.toml\"").expect("writes");
        let port = format!("[[port]]\nlabel = \"1\"\nsocket = {socket:?}\naccepts = [\"usb-removable\"]");
        fs::write(path("ports.toml"), port).expect("writes");
        let program = format!("{} --config {}", platend().display(), path("station.toml"));
        let rules = change(packaging("59-platen.rules")).replace("/usr/bin/platend", &program);
        fs::write(path("rules"), rules).expect("writes");
        let sys = machine.root().join("sys").to_str().expect("UTF-8").to_owned();
        let args = ["--mount", "bash", "-c", UDEV_TEST, "udev-test", &path("rules"), &sys, DISK];
        tool("unshare", &args).expect(0).stdout
    };
    let complains = |said: &str| {
        let is_complaint = |line: &str| ["nvalid", "nknown", "ignoring"].iter().any(|word| line.contains(word));
        said.lines().any(|line| line.contains("59-platen.rules:") && is_complaint(line))
    };
    let marks =
        ["PLATEN_PORT=", "UDISKS_IGNORE=1", "UDEV_DISABLE_PERSISTENT_STORAGE_BLKID_FLAG=1", "the node: 660 4242"];

    let ours = said("pci-0000:00:14.0-usb-2", &|rules| rules);
    assert!(!complains(&ours), "{ours}");
    marks.iter().for_each(|mark| assert!(ours.contains(mark), "{mark}: {ours}"));
    let others = said("pci-0000:00:14.0-usb-3", &|rules| rules);
    marks.iter().for_each(|mark| assert!(!others.contains(mark), "{mark}: {others}"));
    // The control: udev says what it does not understand.
    let broken = said("pci-0000:00:14.0-usb-2", &|rules| rules.replace("GROUP:=", "GROOP:="));
    assert!(complains(&broken), "{broken}");
}

#[test]
fn every_verb_has_a_man_page_that_is_read_without_a_complaint() {
    if !need::program("mandoc") {
        return;
    }
    let folder = documents();
    let pages: Vec<String> = files_in(folder.path()).into_iter().filter(|name| name.starts_with("man")).collect();
    let names: Vec<&str> = pages.iter().filter_map(|page| page.rsplit('/').next()).collect();
    for page in ["platen.1", "platen-write.1", "platen-station-arm.1", "platend.8", "platend-check-config.8"] {
        assert!(names.contains(&page), "{page} in {names:?}");
    }
    // Nobody calls this one by hand.
    assert!(!names.iter().any(|name| name.contains("examine-drive")), "{names:?}");
    let judged = |path: &Path| tool("mandoc", &["-T", "lint", "-W", LINT_LEVEL, path.to_str().expect("UTF-8")]);
    for page in &pages {
        let said = judged(&folder.path().join(page));
        assert_eq!((said.status, &*said.stdout), (0, ""), "{page}");
    }
    // What people look for in it; each hyphen has a backslash before it.
    let write = fs::read_to_string(folder.path().join("man1/platen-write.1")).expect("reads").replace('\\', "");
    assert!(write.contains("--allow-device") && write.contains("--cache"), "{write}");
    // The control.
    let bad = folder.path().join("bad.1");
    fs::write(&bad, ".TH BAD 1\n.SH NAME\nbad\n.nosuchmacro x\n\\fB\\*[nosuchstring]\n").expect("writes");
    assert_ne!(judged(&bad).status, 0);
}

/// What a reader would miss. Below it is one warning that the maker of the pages causes wherever an option has a list of
/// values (a break after a blank line).
const LINT_LEVEL: &str = "error";

#[test]
fn the_shells_take_their_completions() {
    let folder = documents();
    for (shell, files) in [
        ("bash", ["bash/platen.bash", "bash/platend.bash"]),
        ("zsh", ["zsh/_platen", "zsh/_platend"]),
        ("fish", ["fish/platen.fish", "fish/platend.fish"]),
    ] {
        if !need::program(shell) {
            continue;
        }
        // What it complains of. (fish ends with the status by which others say that there is no such program.)
        let complaint = |path: &Path| {
            let output = Command::new(shell).arg("-n").arg(path).output().expect("it is here");
            String::from_utf8_lossy(&output.stderr).into_owned()
        };
        for file in files {
            assert_eq!(complaint(&folder.path().join(file)), "", "{file}");
        }
        let bad = folder.path().join("bad");
        // The control, in all three languages.
        fs::write(&bad, "if true\n").expect("writes");
        assert_ne!(complaint(&bad), "", "{shell}");
    }
    if need::program("bash") {
        // As if the tab key was pressed.
        let ask =
            "source \"$1\"; COMP_WORDS=(platen sta); COMP_CWORD=1; _platen platen sta platen; echo \"${COMPREPLY[@]}\"";
        let file = folder.path().join("bash/platen.bash");
        let answer = tool("bash", &["-c", ask, "bash", file.to_str().expect("UTF-8")]).expect(0).stdout;
        assert_eq!(answer.trim(), "station");
    }
}

/// The table `[package.metadata.deb]`: each file, and where it is installed.
fn assets() -> Vec<(String, String)> {
    let args = ["metadata", "--format-version", "1", "--no-deps", "--offline", "--locked"];
    let output = Command::new(env!("CARGO")).args(args).current_dir(ROOT).output().expect("cargo runs");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let deb = packages.iter().map(|package| &package["metadata"]["deb"]).find(|deb| deb.is_object());
    let assets = deb.expect("a table for the package")["assets"].as_array().expect("files");
    let text = |asset: &serde_json::Value, at: usize| asset[at].as_str().expect("a text").to_owned();
    assets.iter().map(|asset| (text(asset, 0), text(asset, 1))).collect()
}

#[test]
fn everything_the_package_lists_is_there_and_everything_there_is_listed() {
    let folder = documents();
    let (assets, made) = (assets(), files_in(folder.path()));
    let matches = |pattern: &str, name: &str| match pattern.strip_suffix('*') {
        Some(start) => name.strip_prefix(start).is_some_and(|rest| !rest.contains('/')),
        None => pattern == name,
    };
    let build = packaging("build-package");
    for (source, _) in &assets {
        let is_there = match source.strip_prefix("target/release/") {
            Some("platen" | "platend") => true,
            Some(below) => {
                let name = below.strip_prefix("package/").expect("made for the package");
                made.iter().any(|file| matches(name, file)) || build.contains(&format!("/{name}\""))
            }
            None => {
                let (folder, name) = source.rsplit_once('/').expect("a folder");
                files_in(&Path::new(ROOT).join(folder)).iter().any(|file| matches(name, file))
            }
        };
        assert!(is_there, "Cargo.toml lists {source}");
    }
    for file in &made {
        let listed = assets.iter().any(|(source, _)| {
            source.strip_prefix("target/release/package/").is_some_and(|pattern| matches(pattern, file))
        });
        assert!(listed, "{file} is made and not installed");
    }
    // No two files in one place, and each man page where its section is.
    let places: Vec<&String> = assets.iter().map(|(_, place)| place).collect();
    let files: Vec<&&String> = places.iter().filter(|place| !place.ends_with('/')).collect();
    assert_eq!(files.iter().collect::<BTreeSet<_>>().len(), files.len());
    assert!(assets.len() > 20, "{assets:?}");
}
