// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! From TOML to what a staging centre states.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use platen_media::fields::{self, Fields, Located, Problem, Report, kind};
use platen_media::manifest::{is_id, is_unprintable};
use platen_media::text::invisible;

use super::ports::MAX_LABEL;
use super::roles::{Action, Role, Roles};
use super::words::Word;
use super::{Group, MAX_NAME, Policy, StationConfig, StationPaths, SystemPaths, sizes};

/// Longest path of a socket, in bytes: what the kernel has room for, less the zero at its end.
const MAX_SOCKET_BYTES: usize = 107;
/// Longest path of anything else (PATH_MAX, less the zero at its end).
const MAX_PATH_BYTES: usize = 4095;

pub(super) fn station(text: &str, file: &Path) -> Result<StationConfig, Vec<Problem>> {
    let base = file.parent().unwrap_or(Path::new(""));
    fields::read(text, |report, top| document(report, top, base))
}

fn document(report: &Report<'_>, mut top: Fields<'_, '_, '_>, base: &Path) -> Option<StationConfig> {
    let name = shown(&mut top, "name", MAX_NAME);
    if name.is_none() {
        top.missing("name", &expected_shown(MAX_NAME));
    }
    let paths = top.table("paths").map_or_else(StationPaths::default, |table| paths(table, base));
    let system = top.table("system").and_then(|table| system(table, base));
    let policy = top.table("policy").map_or_else(Policy::default, policy);
    let roles = top.table("roles").map_or_else(Roles::default, roles);
    let groups = groups(report, top.tables("group"));
    top.finish();
    Some(StationConfig { name: name?.value, paths, system, policy, roles, groups })
}

fn paths(mut table: Fields<'_, '_, '_>, base: &Path) -> StationPaths {
    let default = StationPaths::default();
    let mut seen: Vec<(PathBuf, &'static str)> = Vec::new();
    let mut path = |name: &'static str, default: PathBuf, limit: usize| {
        let text = table.text(name);
        let line = text.as_ref().map_or(table.line, |text| text.line);
        let path = match text {
            Some(text) if text.value.is_empty() || text.value.contains('\0') => {
                table.note(line, name, "a path", format!("{:?}", text.value));
                return default;
            }
            Some(text) => base.join(text.value),
            None => default,
        };
        if path.as_os_str().len() > limit {
            table.note(line, name, format!("a path of at most {limit} bytes"), path.as_os_str().len().to_string());
        }
        if let Some((_, other)) = seen.iter().find(|(known, _)| *known == path) {
            table.note(line, name, "a path of its own", format!("that of {other}"));
        }
        seen.push((path.clone(), name));
        path
    };
    let paths = StationPaths {
        cache: path("cache", default.cache, usize::MAX),
        trust: path("trust", default.trust, usize::MAX),
        ledger: path("ledger", default.ledger, usize::MAX),
        state: path("state", default.state, usize::MAX),
        socket: path("socket", default.socket, MAX_SOCKET_BYTES),
        ports: path("ports", default.ports, usize::MAX),
    };
    table.finish();
    paths
}

/// Neither path has a default: whoever has such a system says where it is.
fn system(mut table: Fields<'_, '_, '_>, base: &Path) -> Option<SystemPaths> {
    let mut path = |name: &'static str, limit: usize| {
        let text = table.text(name);
        let line = text.as_ref().map_or(table.line, |text| text.line);
        match text {
            Some(text) if text.value.is_empty() || text.value.len() > limit || text.value.contains('\0') => {
                table.note(line, name, format!("a path of 1 to {limit} bytes"), format!("{:?}", text.value));
                None
            }
            Some(text) => Some(base.join(text.value)),
            None => {
                table.missing(name, "a path");
                None
            }
        }
    };
    let (keeper, updates) = (path("keeper", MAX_SOCKET_BYTES), path("updates", MAX_PATH_BYTES));
    table.finish();
    Some(SystemPaths { keeper: keeper?, updates: updates? })
}

fn policy(mut table: Fields<'_, '_, '_>) -> Policy {
    let default = Policy::default();
    let attempts = table.number_within("attempts", 1..=3, "");
    let stall_limit = table.number_within("stall-limit", 10..=3600, " of seconds");
    let smallest = drive_size(&mut table, "smallest-drive", default.smallest_drive_bytes);
    let largest = drive_size(&mut table, "largest-drive", default.largest_drive_bytes);
    if let (Some(from), Some(to)) = (smallest.value, largest.value)
        && from > to
    {
        let expected = format!("at least smallest-drive ({})", sizes::show(from));
        table.note(largest.line, "largest-drive", expected, sizes::show(to));
    }
    let policy = Policy {
        attempts: attempts.map_or(default.attempts, |attempts| attempts.value),
        set_aside: word(&mut table, "set-aside").unwrap_or(default.set_aside),
        power_cycle: word(&mut table, "power-cycle").unwrap_or(default.power_cycle),
        minimum_bytes_per_s: speed(&mut table, "minimum-speed").unwrap_or(default.minimum_bytes_per_s),
        stall_limit_s: stall_limit.map_or(default.stall_limit_s, |limit| limit.value),
        lowest_free_bytes: size(&mut table, "lowest-free").unwrap_or(default.lowest_free_bytes),
        smallest_drive_bytes: smallest.value,
        largest_drive_bytes: largest.value,
        media: media(&mut table),
        unmapped_ports: word(&mut table, "unmapped-ports").unwrap_or(default.unmapped_ports),
    };
    table.finish();
    policy
}

fn size(table: &mut Fields<'_, '_, '_>, name: &'static str) -> Option<u64> {
    let text = table.text(name)?;
    let bytes = sizes::parse(&text.value);
    if bytes.is_none() {
        table.note(text.line, name, sizes::EXPECTED, format!("{:?}", text.value));
    }
    bytes
}

fn speed(table: &mut Fields<'_, '_, '_>, name: &'static str) -> Option<u64> {
    let text = table.text(name)?;
    let bytes = text.value.strip_suffix("/s").and_then(sizes::parse);
    if bytes.is_none() {
        table.note(text.line, name, "a size per second, such as \"1 MB/s\"", format!("{:?}", text.value));
    }
    bytes
}

/// A limit for drives, or "none".
fn drive_size(table: &mut Fields<'_, '_, '_>, name: &'static str, default: Option<u64>) -> Located<Option<u64>> {
    let at = |line, value| Located { value, line, field: name.to_owned() };
    let Some(text) = table.text(name) else { return at(table.line, default) };
    if text.value == "none" {
        return at(text.line, None);
    }
    let bytes = sizes::parse(&text.value);
    if bytes.is_none() {
        table.note(text.line, name, format!("\"none\", or {}", sizes::EXPECTED), format!("{:?}", text.value));
    }
    at(text.line, bytes)
}

/// "all", or a list of ids. An empty list is refused: it could be meant as all or as none.
fn media(table: &mut Fields<'_, '_, '_>) -> Option<BTreeSet<String>> {
    const EXPECTED: &str = "\"all\", or a list of media's ids such as [\"PLT00001\"]";
    let taken = table.take("media")?;
    if taken.value.as_str() == Some("all") {
        return None;
    }
    let Some(items) = taken.value.as_array() else {
        let found = taken.value.as_str().map_or_else(|| kind(taken.value), |text| format!("{text:?}"));
        table.note(taken.line, "media", EXPECTED, found);
        return None;
    };
    let mut media = BTreeSet::new();
    for item in items.iter() {
        match item.get_ref().as_str() {
            Some(id) if !is_id(id) => {
                table.note(taken.line, "media", "ids: 1 to 32 of A-Z a-z 0-9 - _ .", format!("{id:?}"));
            }
            Some(id) if !media.insert(id.to_owned()) => {
                table.note(taken.line, "media", "each id once", format!("{id:?} again"));
            }
            Some(_) => {}
            None => table.note(taken.line, "media", EXPECTED, format!("{} in it", kind(item.get_ref()))),
        }
    }
    if items.is_empty() {
        table.note(taken.line, "media", EXPECTED, "an empty list");
    }
    Some(media)
}

fn roles(mut table: Fields<'_, '_, '_>) -> Roles {
    let mut roles = Roles::default();
    for &action in Action::ALL {
        let Some(text) = table.text(action.word()) else { continue };
        match Role::of(&text.value) {
            Some(role) => roles.give(action, role),
            None => {
                let expected = format!("the lowest role that may do it: {}", Role::choice());
                table.note(text.line, action.word(), expected, format!("{:?}", text.value));
            }
        }
    }
    table.finish();
    roles
}

fn groups(report: &Report<'_>, tables: Vec<Fields<'_, '_, '_>>) -> Vec<Group> {
    let mut groups = Vec::new();
    // Where each name and label stood first.
    let (mut names, mut labels): (Vec<Located<String>>, Vec<Located<String>>) = (Vec::new(), Vec::new());
    for mut table in tables {
        let name = shown(&mut table, "name", MAX_NAME);
        if name.is_none() {
            table.missing("name", &expected_shown(MAX_NAME));
        }
        if let Some(name) = &name {
            let folded = name.with(name.value.to_lowercase());
            once(report, &mut names, folded, "a name of its own (case does not count)");
        }
        let ports = table.texts("ports");
        if ports.is_empty() {
            table.missing("ports", "a list of ports' labels such as [\"1\", \"2\"]");
        }
        for port in &ports {
            if !is_shown(&port.value, MAX_LABEL) {
                let expected = format!("labels of {}", expected_shown(MAX_LABEL));
                table.note(port.line, "ports", expected, format!("{:?}", port.value));
            }
            once(report, &mut labels, port.clone(), "each port in one group, once");
        }
        let mode = word(&mut table, "mode");
        if mode.is_none() {
            table.missing("mode", &super::StartMode::choice());
        }
        table.finish();
        if let (Some(name), Some(mode)) = (name, mode) {
            let ports = ports.into_iter().map(|port| port.value).collect();
            groups.push(Group { name: name.value, ports, mode });
        }
    }
    groups
}

/// Notes what was there before.
fn once(report: &Report<'_>, seen: &mut Vec<Located<String>>, value: Located<String>, expected: &str) {
    match seen.iter().find(|known| known.value == value.value) {
        Some(known) => {
            let found = format!("{:?} again (also {})", value.value, known.field);
            report.note(value.line, &value.field, expected, found);
        }
        None => seen.push(value),
    }
}

/// One of a few words.
pub(super) fn word<T: Word>(table: &mut Fields<'_, '_, '_>, name: &'static str) -> Option<T> {
    let text = table.text(name)?;
    let value = T::of(&text.value);
    if value.is_none() {
        table.note(text.line, name, T::choice(), format!("{:?}", text.value));
    }
    value
}

/// A short text that people read on a display.
pub(super) fn shown(table: &mut Fields<'_, '_, '_>, name: &'static str, limit: usize) -> Option<Located<String>> {
    let text = table.text(name)?;
    if is_shown(&text.value, limit) {
        return Some(text);
    }
    table.note(text.line, name, expected_shown(limit), format!("{:?}", text.value));
    None
}

pub(super) fn expected_shown(limit: usize) -> String {
    format!("1 to {limit} printable characters, no blank first or last")
}

/// Whether a text can be told from every other on a display: nothing in it is invisible.
pub(super) fn is_shown(text: &str, limit: usize) -> bool {
    (1..=limit).contains(&text.chars().count()) && !text.contains(is_unprintable) && invisible(text).is_none()
}
