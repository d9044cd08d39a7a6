// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Good and bad files, and what is said of the bad ones.

use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::exit::Exit;
use crate::failure::Failure;

const STATION: &str = include_str!("../../../example/station.toml");
const PORTS: &str = include_str!("../../../example/ports.toml");

/// Settings that an example has only as a comment: lines whose sign is not followed by a blank.
fn with_optional_settings(example: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(setting) if setting.starts_with(|c: char| c.is_alphabetic() || c == '[') => format!("{setting}\n"),
        _ => format!("{line}\n"),
    };
    example.lines().map(line).collect()
}

fn station(text: &str) -> Result<StationConfig, Vec<String>> {
    StationConfig::parse(text, Path::new("/etc/platen/station.toml")).map_err(said)
}

fn ports(text: &str) -> Result<PortMap, Vec<String>> {
    PortMap::parse(text, Path::new("/etc/platen/ports.toml")).map_err(said)
}

fn said(error: ConfigError) -> Vec<String> {
    match error {
        ConfigError::Problems { problems, .. } => problems.iter().map(ToString::to_string).collect(),
        other => panic!("{other}"),
    }
}

fn group(ports: &[&str], mode: StartMode) -> Group {
    Group { name: "line".into(), ports: ports.iter().map(|&port| port.to_owned()).collect(), mode }
}

#[test]
fn the_example_of_a_station_says_every_setting_with_its_default() {
    assert_eq!(station(STATION), Ok(StationConfig::named("station-1")));
    assert_eq!(station("name = \"station-1\""), Ok(StationConfig::named("station-1")), "all of it may be left out");
    let all = with_optional_settings(STATION);
    let expected = StationConfig {
        groups: vec![group(&["1", "2", "3", "4"], StartMode::Armed)],
        system: Some(SystemPaths { keeper: "/run/platen-keeper.sock".into(), updates: "/data/incoming".into() }),
        ..StationConfig::named("station-1")
    };
    assert_eq!(station(&all), Ok(expected));
    // Every line is a setting that is read: mistyped, each is refused.
    let mut settings = 0;
    for (at, line) in all.lines().enumerate().filter(|(_, line)| line.contains(" = ") && !line.starts_with('#')) {
        let bad: Vec<String> = all
            .lines()
            .enumerate()
            .map(|(other, text)| if other == at { format!("x{text}\n") } else { format!("{text}\n") })
            .collect();
        let problems = station(&bad.concat()).expect_err(line).join("\n");
        let name = line.split(' ').next().unwrap_or_default();
        assert!(problems.contains(&format!("line {}: ", at + 1)), "{problems}");
        assert!(problems.contains(&format!("x{name}: expected one of the fields")), "{problems}");
        settings += 1;
    }
    assert_eq!(settings, 1 + 6 + 2 + 10 + Action::ALL.len() + 3, "all that there are");
}

#[test]
fn the_example_of_a_board_says_every_field_with_its_default() {
    let port = |label: &str| Port {
        label: label.into(),
        socket: format!("pci-0000:00:14.0-usb-3.{label}"),
        accepts: Accepts::default(),
        row: None,
        column: None,
        bank: None,
    };
    assert_eq!(ports(PORTS).map(|map| map.ports().to_vec()), Ok(vec![port("1"), port("2")]));
    let all = ports(&with_optional_settings(PORTS)).expect("valid");
    let placed = Port { row: Some(1), column: Some(1), bank: Some("A".into()), ..port("1") };
    assert_eq!(all.ports(), [placed, port("2")]);
    assert_eq!(all.by_socket("pci-0000:00:14.0-usb-3.2").map(|port| &*port.label), Some("2"));
    assert_eq!(all.by_label("3"), None);
    assert_eq!(ports("").map(|map| map.ports().len()), Ok(0), "before any port is learnt");
}

#[test]
fn settings_are_read_as_they_are_meant() {
    let text = "name = \"bench 3\"\n[paths]\ncache = \"cache\"\nsocket = \"/run/x.sock\"\n[policy]\nattempts = 1\n\
                set-aside = \"allow\"\npower-cycle = \"never\"\nminimum-speed = \"500 kB/s\"\nstall-limit = 3600\n\
                lowest-free = \"2 GB\"\nsmallest-drive = \"16 GB\"\nlargest-drive = \"none\"\nmedia = [\"A\", \"B.1\"]\n\
                unmapped-ports = \"accept\"\n[roles]\nerase = \"administrator\"\nimport = \"technician\"\n\
                [[group]]\nname = \"line\"\nports = [\"1\", \"2\"]\nmode = \"armed\"";
    let config = station(text).expect("valid");
    assert_eq!(config.paths.cache, Path::new("/etc/platen/cache"), "beside the file");
    assert_eq!(config.job_paths().station, "bench 3");
    let limits = config.policy.limits();
    assert_eq!((limits.attempts, limits.minimum_bytes_per_s, limits.stall), (1, 500_000, Duration::from_secs(3600)));
    assert_eq!(config.policy.lowest_free_bytes, 2_000_000_000);
    assert!(config.policy.may_write("B.1") && !config.policy.may_write("b.1"));
    assert_eq!((config.policy.smallest_drive_bytes, config.policy.largest_drive_bytes), (Some(16_000_000_000), None));
    assert!(!config.roles.may(Role::Operator, Action::Erase) && config.roles.may(Role::Administrator, Action::Erase));
    assert!(config.roles.may(Role::Technician, Action::Import) && !config.roles.may(Role::Technician, Action::Arm));
    assert_eq!((config.mode_of("2"), config.mode_of("3")), (StartMode::Armed, StartMode::Kiosk));
    assert_eq!(config.groups_without_port(&ports(PORTS).expect("valid")), []);
    assert_eq!(config.groups_without_port(&PortMap::default()), [("line", "1"), ("line", "2")]);
}

#[test]
fn a_system_that_is_kept_has_both_its_paths() {
    assert_eq!(station("name = \"x\"").map(|config| config.system), Ok(None));
    let text = "name = \"x\"\n[system]\nkeeper = \"/run/keeper.sock\"\nupdates = \"incoming\"";
    let config = station(text).expect("valid");
    assert_eq!(config.job_paths().updates.as_deref(), Some(Path::new("/etc/platen/incoming")));
    assert_eq!(config.system.expect("read").keeper, Path::new("/run/keeper.sock"));
}

#[test]
fn a_drive_sold_as_two_terabytes_is_taken() {
    let policy = Policy::default();
    // What is sold as 2 TB has a little more.
    let limits = (policy.smallest_drive_bytes, policy.largest_drive_bytes);
    assert!(limits == (None, Some(2 << 40)) && (2 << 40) > 2_000_398_934_016_u64 && policy.may_write("anything"));
}

/// A station.toml with one thing wrong in it, and how the finding begins or what it contains.
const BAD_STATIONS: &[(&str, &str)] = &[
    ("name = \"x\"\n[system]\nkeeper = \"/run/k\"", "line 2: system.updates: expected a path, found none"),
    (
        "name = \"x\"\n[system]\nkeeper = \"\"\nupdates = \"/u\"",
        "keeper: expected a path of 1 to 107 bytes, found \"\"",
    ),
    ("", "line 1: name: expected 1 to 32 printable characters, no blank first or last, found none"),
    ("name = \"\"", "line 1: name: expected 1 to 32"),
    ("name = \"123456789012345678901234567890123\"", "line 1: name: expected 1 to 32"),
    (
        "name = \"a\\nb\"",
        "line 1: name: expected 1 to 32 printable characters, no blank first or last, found \"a\\nb\"",
    ),
    ("name = \" a\"", "line 1: name: expected 1 to 32"),
    ("name = \"a\\u200Bb\"", "line 1: name: expected 1 to 32"),
    ("name = 3", "line 1: name: expected a text in quotes, found a whole number"),
    ("name = \"x\"\nname = \"y\"", "line 2: TOML: expected valid TOML, found duplicate key"),
    ("name = \"x\"\npolicy = 3", "line 2: policy: expected a table [policy], found a whole number"),
    // The commonest slip: what stands below a table's head belongs to it.
    ("[policy]\nname = \"x\"", "line 2: policy.name: expected one of the fields attempts, "),
    (
        "name = \"x\"\n[polcy]\nattempts = 1",
        "polcy: expected one of the fields group, name, paths, policy, roles, system, found",
    ),
    ("name = \"x\"\n[policy]\nset_aside = \"allow\"", "line 3: policy.set_aside: expected one of the fields attempts,"),
    ("name = \"x\"\n[policy]\nattempts = 0", "line 3: policy.attempts: expected a whole number from 1 to 3, found 0"),
    ("name = \"x\"\n[policy]\nattempts = 4", "line 3: policy.attempts: expected a whole number from 1 to 3, found 4"),
    ("name = \"x\"\n[policy]\nattempts = \"2\"", "policy.attempts: expected a whole number from 1 to 3, found a text"),
    ("name = \"x\"\n[policy]\nstall-limit = 9", "expected a whole number of seconds from 10 to 3600, found 9"),
    ("name = \"x\"\n[policy]\nstall-limit = 3601", "expected a whole number of seconds from 10 to 3600, found 3601"),
    ("name = \"x\"\n[policy]\nset-aside = \"Allow\"", "set-aside: expected \"refuse\" or \"allow\", found \"Allow\""),
    (
        "name = \"x\"\n[policy]\npower-cycle = true",
        "policy.power-cycle: expected a text in quotes, found true or false",
    ),
    (
        "name = \"x\"\n[policy]\npower-cycle = \"on\"",
        "power-cycle: expected \"auto\", \"require\" or \"never\", found \"on\"",
    ),
    (
        "name = \"x\"\n[policy]\nminimum-speed = \"1 MB\"",
        "minimum-speed: expected a size per second, such as \"1 MB/s\"",
    ),
    ("name = \"x\"\n[policy]\nlowest-free = \"1\"", "lowest-free: expected a whole number and a unit"),
    (
        "name = \"x\"\n[policy]\nlowest-free = 1073741824",
        "lowest-free: expected a text in quotes, found a whole number",
    ),
    (
        "name = \"x\"\n[policy]\nlargest-drive = \"big\"",
        "largest-drive: expected \"none\", or a whole number and a unit",
    ),
    (
        "name = \"x\"\n[policy]\nsmallest-drive = \"64 GB\"\nlargest-drive = \"32 GB\"",
        "line 4: policy.largest-drive: expected at least smallest-drive (64 GB), found 32 GB",
    ),
    ("name = \"x\"\n[policy]\nsmallest-drive = \"3 TB\"", "expected at least smallest-drive (3 TB), found 2 TiB"),
    (
        "name = \"x\"\n[policy]\nmedia = []",
        "media: expected \"all\", or a list of media's ids such as [\"PLT00001\"], found an empty list",
    ),
    ("name = \"x\"\n[policy]\nmedia = \"PLT1\"", "policy.media: expected \"all\", or a list"),
    ("name = \"x\"\n[policy]\nmedia = [\"A/B\"]", "policy.media: expected ids: 1 to 32 of"),
    ("name = \"x\"\n[policy]\nmedia = [\"A\", \"A\"]", "policy.media: expected each id once, found \"A\" again"),
    ("name = \"x\"\n[policy]\nmedia = [1]", "policy.media: expected \"all\", or a list"),
    (
        "name = \"x\"\n[policy]\nunmapped-ports = \"allow\"",
        "unmapped-ports: expected \"refuse\" or \"accept\", found \"allow\"",
    ),
    (
        "name = \"x\"\n[roles]\nkeys = \"nobody\"",
        "line 3: roles.keys: expected the lowest role that may do it: \"technician\", \"operator\" or \"administrator\", \
         found \"nobody\"",
    ),
    ("name = \"x\"\n[roles]\nkeys = []", "line 3: roles.keys: expected a text in quotes, found a list"),
    (
        "name = \"x\"\n[roles]\nshutdown = \"operator\"",
        "line 3: roles.shutdown: expected one of the fields arm, cancel,",
    ),
    ("name = \"x\"\n[paths]\ncache = \"\"", "line 3: paths.cache: expected a path, found \"\""),
    (
        "name = \"x\"\n[paths]\nstate = \"/var/lib/platen/cache\"",
        "line 3: paths.state: expected a path of its own, found that of cache",
    ),
    ("name = \"x\"\n[[group]]\nports = [\"1\"]\nmode = \"armed\"", "line 2: group[1].name: expected 1 to 32"),
    (
        "name = \"x\"\n[[group]]\nname = \"a\"\nmode = \"armed\"",
        "line 2: group[1].ports: expected a list of ports' labels",
    ),
    (
        "name = \"x\"\n[[group]]\nname = \"a\"\nports = []\nmode = \"armed\"",
        "group[1].ports: expected a list of ports' labels",
    ),
    (
        "name = \"x\"\n[[group]]\nname = \"a\"\nports = [\"1\"]",
        "group[1].mode: expected \"kiosk\" or \"armed\", found none",
    ),
    (
        "name = \"x\"\n[[group]]\nname = \"a\"\nports = [1]\nmode = \"kiosk\"",
        "group[1].ports: expected a list of texts",
    ),
    (
        "name = \"x\"\n[[group]]\nname = \"a\"\nports = [\"1\", \"1\"]\nmode = \"kiosk\"",
        "expected each port in one group, once, found \"1\" again",
    ),
    (
        "name = \"x\"\n[[group]]\nname = \"a\"\nports = [\"1\"]\nmode = \"kiosk\"\n[[group]]\nname = \"A\"\nports = [\"2\"]\nmode = \"kiosk\"",
        "line 7: group[2].name: expected a name of its own (case does not count), found \"a\" again (also group[1].name)",
    ),
    (
        "name = \"x\"\n[[group]]\nname = \"a\"\nports = [\"123456789\"]\nmode = \"kiosk\"",
        "group[1].ports: expected labels of 1 to 8",
    ),
    ("name = \"x\"\n[group]\nname = \"a\"", "line 2: group: expected tables [[group]], found a table"),
];

/// The same for ports.toml.
const BAD_PORTS: &[(&str, &str)] = &[
    ("schema = 2\nanything = 3", "line 1: schema: expected 1 or less, found 2 (made by a newer version of Platen"),
    ("schema = 0", "line 1: schema: expected a whole number from 1"),
    ("[[ports]]\nlabel = \"1\"", "ports: expected one of the fields port, schema, found an unknown field"),
    ("[[port]]\nsocket = \"a\"", "line 1: port[1].label: expected what is painted beside the socket, found none"),
    ("[[port]]\nlabel = \"1\"", "line 1: port[1].socket: expected the kernel's name of it"),
    ("[[port]]\nlabel = 1\nsocket = \"a\"", "line 2: port[1].label: expected a text in quotes, found a whole number"),
    ("[[port]]\nlabel = \"123456789\"\nsocket = \"a\"", "line 2: port[1].label: expected 1 to 8 printable characters"),
    ("[[port]]\nlabel = \"1 \"\nsocket = \"a\"", "line 2: port[1].label: expected 1 to 8 printable characters"),
    (
        "[[port]]\nlabel = \"1\"\nsocket = \"a b\"",
        "line 3: port[1].socket: expected 1 to 255 ASCII characters without blanks",
    ),
    ("[[port]]\nlabel = \"1\"\nsocket = \"\"", "line 3: port[1].socket: expected 1 to 255"),
    (
        "[[port]]\nlabel = \"a\"\nsocket = \"a\"\n[[port]]\nlabel = \"A\"\nsocket = \"b\"",
        "line 5: port[2].label: expected a label of its own (case does not count), found \"A\" again (also at socket \"a\")",
    ),
    (
        "[[port]]\nsocket = \"a\"\n[[port]]\nlabel = \"1\"\nsocket = \"a\"\n[[port]]\nlabel = \"2\"\nsocket = \"a\"",
        "line 8: port[3].socket: expected a socket of its own, found \"a\" again (also port \"1\")",
    ),
    (
        "[[port]]\nlabel = \"1\"\nsocket = \"a\"\naccepts = []",
        "port[1].accepts: expected at least one of \"usb-removable\"",
    ),
    (
        "[[port]]\nlabel = \"1\"\nsocket = \"a\"\naccepts = [\"usb\"]",
        "port[1].accepts: expected \"usb-removable\", \"usb-fixed\", \"sata\", \"nvme\" or \"card\", found \"usb\"",
    ),
    (
        "[[port]]\nlabel = \"1\"\nsocket = \"a\"\naccepts = [\"card\", \"card\"]",
        "port[1].accepts: expected each kind once",
    ),
    ("[[port]]\nlabel = \"1\"\nsocket = \"a\"\nrow = 1", "line 4: port[1].row: expected a column with it, found none"),
    (
        "[[port]]\nlabel = \"1\"\nsocket = \"a\"\ncolumn = 1",
        "line 4: port[1].column: expected a row with it, found none",
    ),
    (
        "[[port]]\nlabel = \"1\"\nsocket = \"a\"\nrow = 100\ncolumn = 1",
        "port[1].row: expected a whole number from 1 to 99, found 100",
    ),
    ("[[port]]\nlabel = \"1\"\nsocket = \"a\"\nbank = \"\"", "line 4: port[1].bank: expected 1 to 8"),
    (
        "[[port]]\nlabel = \"1\"\nsocket = \"a\"\nrow = 1\ncolumn = 2\n[[port]]\nlabel = \"2\"\nsocket = \"b\"\nrow = 1\ncolumn = 2",
        "line 9: port[2].row: expected a place of its own, found row 1, column 2 again (also port \"1\")",
    ),
    (
        "[[port]]\nlabel = \"1\"\nsocket = \"a\"\npower = true",
        "line 4: port[1].power: expected one of the fields accepts, bank,",
    ),
];

#[test]
fn whatever_is_wrong_is_named_with_line_field_expected_and_found() {
    let check = |text: &str, expected: &str, found: Result<(), Vec<String>>| {
        let problems = found.expect_err(text);
        let is_named = |problem: &String| problem.contains(expected) && problem.starts_with("line ");
        assert!(problems.iter().any(is_named), "{text}\n{expected}\n{problems:#?}");
    };
    for (text, expected) in BAD_STATIONS {
        check(text, expected, station(text).map(drop));
    }
    for (text, expected) in BAD_PORTS {
        check(text, expected, ports(text).map(drop));
    }
    assert_eq!(ports(BAD_PORTS[0].0).expect_err("newer").len(), 1, "what a newer version wrote is not wrong");
    let long = format!("name = \"x\"\n[paths]\nsocket = \"/{}\"", "s".repeat(107));
    check(&long, "line 3: paths.socket: expected a path of at most 107 bytes, found 108", station(&long).map(drop));
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let text = "nam = \"x\"\n[policy]\nattempts = 9\nmedia = []\nstal-limit = 1\n[roles]\nkeys = \"none\"\n[[group]]\nmode = \"x\"";
    let problems = station(text).expect_err("much is wrong");
    assert_eq!(problems.len(), 9, "{problems:#?}");
}

#[test]
fn a_file_that_cant_be_used_fails_the_request_and_names_the_file() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("station.toml");
    let none = StationConfig::load(&path).expect_err("no file");
    assert!(none.is_missing(), "{none}");
    std::fs::write(&path, b"name = \"B\xfcro\"").expect("written");
    let bad = StationConfig::load(&path).expect_err("another encoding");
    std::fs::write(&path, "name = 3").expect("written");
    let wrong = StationConfig::load(&path).expect_err("no text");
    let folder = StationConfig::load(dir.path()).expect_err("no file");
    std::fs::write(&path, "#".repeat(2 << 20)).expect("written");
    let long = StationConfig::load(&path).expect_err("too long");
    for (error, contains) in [
        (none, "No such file"),
        (bad, "0xfc at byte 9"),
        (wrong, "line 1: name"),
        (folder, "no file"),
        (long, "a longer one"),
    ] {
        let failure = Failure::from(error);
        assert_eq!(failure.exit, Exit::Request);
        let text = failure.text();
        assert!(text.contains(contains) && text.contains(&*dir.path().to_string_lossy()), "{text}");
    }
    std::fs::write(&path, format!("\u{feff}{}", STATION.replace('\n', "\r\n"))).expect("written");
    assert_eq!(StationConfig::load(&path).expect("as Windows leaves it"), StationConfig::named("station-1"));
}

#[test]
fn each_role_may_do_what_those_before_it_may() {
    let roles = Roles::default();
    for &action in Action::ALL {
        let may: Vec<bool> = Role::ALL.iter().map(|&role| roles.may(role, action)).collect();
        assert!(may.is_sorted() && may[2], "{action}: {may:?}");
    }
    let of = |role| Action::ALL.iter().filter(|&&action| roles.lowest(action) == role).count();
    assert_eq!((of(Role::Technician), of(Role::Operator), of(Role::Administrator)), (4, 5, 11));
}

#[test]
fn a_journal_of_another_release_is_read() {
    let config: StationConfig = serde_json::from_str(
        r#"{"name": "x", "policy": {"attempts": 1, "added": 7}, "roles": {"keys": "operator", "added": "technician"}}"#,
    )
    .expect("fields that are missing have their defaults, those that are not known are passed over");
    assert_eq!((config.policy.attempts, config.policy.stall_limit_s), (1, 120));
    assert_eq!(
        (config.roles.lowest(Action::Keys), config.roles.lowest(Action::Map)),
        (Role::Operator, Role::Administrator)
    );
    for text in
        [r#"[{"label": "1", "socket": "a"}, {"label": "1", "socket": "b"}]"#, r#"[{"label": "", "socket": "a"}]"#]
    {
        serde_json::from_str::<PortMap>(text).expect_err("a label leads to one socket, wherever the map comes from");
    }
    let port = r#"[{"label": "1", "socket": "a", "accepts": []}]"#;
    serde_json::from_str::<PortMap>(port).expect_err("a port that takes nothing");
}

/// Characters that TOML has to say in another way, and others.
fn shown(limit: usize) -> impl Strategy<Value = String> {
    let text = proptest::collection::vec(prop_oneof!["[ -~]", Just("é".to_owned()), Just("端".to_owned())], 1..=limit);
    text.prop_map(|parts| parts.concat()).prop_filter("can be shown", move |text| super::read::is_shown(text, limit))
}

fn port() -> impl Strategy<Value = Port> {
    let classes = proptest::sample::subsequence(DriveClass::ALL.to_vec(), 1..=DriveClass::ALL.len());
    let place = proptest::option::of((1u32..=99, 1u32..=99));
    (shown(8), "[!-~]{1,40}", classes, place, proptest::option::of(shown(8))).prop_map(
        |(label, socket, classes, place, bank)| Port {
            label,
            socket,
            accepts: Accepts::new(classes).expect("one at least"),
            row: place.map(|(row, _)| row),
            column: place.map(|(_, column)| column),
            bank,
        },
    )
}

proptest! {
    #[test]
    fn a_map_that_is_written_is_read_as_it_was(ports in proptest::collection::vec(port(), 0..12)) {
        // Those that collide with others are left out.
        let mut map = PortMap::default();
        for port in ports {
            let more = map.ports().iter().cloned().chain([port]).collect();
            map = PortMap::new(more).unwrap_or(map);
        }
        let text = map.to_toml();
        prop_assert_eq!(PortMap::parse(&text, Path::new("x")).expect("valid"), map.clone(), "{}", text);
        prop_assert_eq!(map.to_toml(), text, "the same every time");
        let json = serde_json::to_string(&map).expect("JSON");
        prop_assert_eq!(serde_json::from_str::<PortMap>(&json).expect("JSON"), map);
    }

    #[test]
    fn no_text_makes_the_readers_stop(text in "[ -~\n\\[\\]=\"]{0,200}", at in 0usize..2000, with in any::<char>()) {
        let _ = (station(&text), ports(&text));
        let mut damaged: Vec<char> = STATION.chars().collect();
        damaged.insert(at.min(damaged.len()), with);
        let _ = station(&damaged.into_iter().collect::<String>());
    }
}

#[test]
fn a_map_is_saved_whole() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("ports.toml");
    let map = ports(&with_optional_settings(PORTS)).expect("valid");
    map.save(&path).expect("saved");
    assert_eq!(PortMap::load(&path).expect("loaded"), map);
    let text = std::fs::read_to_string(&path).expect("reads");
    let lines: Vec<&str> = text.lines().skip(2).take(8).collect();
    let expected = [
        "schema = 1",
        "",
        "[[port]]",
        "label = \"1\"",
        "socket = \"pci-0000:00:14.0-usb-3.1\"",
        "accepts = [\"usb-removable\", \"card\"]",
        "row = 1",
        "column = 1",
    ];
    assert_eq!(lines, expected);
    let failure = Failure::from(map.save(&dir.path().join("none/ports.toml")).expect_err("no folder"));
    assert_eq!(failure.exit, Exit::Machine);
}
