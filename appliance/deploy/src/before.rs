// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What is decided before the first step: which disks the sequence gets, and what the medium's variables are.

use platen_deploy::engine::machine::TargetDisk;
use platen_media::policy;
use platen_sequence::{Step, StepKind, TaskSequence};

/// Which disks the sequence may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// These, numbered from 0; what is on them may be erased.
    Disks(Vec<TargetDisk>),
    /// A person has to say which one, or that what is on it may be erased.
    Ask(Vec<TargetDisk>),
}

/// No disk may be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoDisk {
    #[error("expected a disk that the definition's [target-disk] takes ({expected}), found {found}")]
    NoneFits { expected: String, found: String },
    #[error("expected one disk, or a rule in the definition ([target-disk]) where nobody can be asked, found {found}")]
    Several { found: String },
    #[error(
        "expected a blank disk, or erase = true in the definition ([target-disk]) where nobody can be asked, found data \
         on {found}"
    )]
    Data { found: String },
}

/// Decides about disks. The medium's own is not among them.
pub(crate) fn choose(
    disks: Vec<TargetDisk>,
    rule: Option<&policy::TargetDisk>,
    unattended: bool,
) -> Result<Choice, NoDisk> {
    let all = listed(&disks);
    // A drive that somebody left in a port is no place for a system, unless the definition asks for one.
    let may_be_usb = rule.is_some_and(|rule| rule.interfaces.iter().any(|interface| interface == "USB"));
    let fitting: Vec<TargetDisk> = disks
        .into_iter()
        .filter(|disk| rule.is_none_or(|rule| fits(disk, rule)) && (may_be_usb || disk.interface != "USB"))
        .collect();
    if fitting.is_empty() {
        let expected = rule.map_or_else(|| "any".to_owned(), described);
        return Err(NoDisk::NoneFits { expected, found: all });
    }
    let has_data: Vec<TargetDisk> = fitting.iter().filter(|disk| disk.has_data).cloned().collect();
    let may_erase = rule.is_some_and(|rule| rule.erase);
    let is_one = fitting.len() == 1 || rule.is_some();
    match (is_one, has_data.is_empty() || may_erase, unattended) {
        (true, true, _) => Ok(Choice::Disks(fitting)),
        (_, _, false) => Ok(Choice::Ask(fitting)),
        (false, _, true) => Err(NoDisk::Several { found: listed(&fitting) }),
        (true, false, true) => Err(NoDisk::Data { found: listed(&has_data) }),
    }
}

/// The disks that a sequence was given before a restart, in their order; None: one of them is not here. The kernel may name
/// them otherwise now.
pub(crate) fn again(disks: &[TargetDisk], before: &[TargetDisk]) -> Option<Vec<TargetDisk>> {
    let is = |disk: &TargetDisk, known: &TargetDisk| {
        let of = |disk: &TargetDisk| {
            (disk.model.clone(), disk.serial_number.clone(), disk.size_bytes, disk.interface.clone())
        };
        of(disk) == of(known)
    };
    let same = |known: &TargetDisk| {
        let twins: Vec<&TargetDisk> = disks.iter().filter(|disk| is(disk, known)).collect();
        // Where nothing else tells two disks apart, their names have to.
        let found = twins.iter().find(|disk| twins.len() == 1 || disk.name == known.name);
        found.map(|disk| (*disk).clone())
    };
    before.iter().map(same).collect()
}

fn fits(disk: &TargetDisk, rule: &policy::TargetDisk) -> bool {
    let any = |wanted: &[String], found: &str| {
        wanted.is_empty() || wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(found))
    };
    any(&rule.interfaces, &disk.interface)
        && any(&rule.serial_numbers, &disk.serial_number)
        && disk.size_bytes >= rule.smallest_bytes
        && (rule.largest_bytes == 0 || disk.size_bytes <= rule.largest_bytes)
}

fn described(rule: &policy::TargetDisk) -> String {
    let mut parts = Vec::new();
    if !rule.interfaces.is_empty() {
        parts.push(rule.interfaces.join(" or "));
    }
    if rule.smallest_bytes > 0 {
        parts.push(format!("at least {}", gigabytes(rule.smallest_bytes)));
    }
    if rule.largest_bytes > 0 {
        parts.push(format!("at most {}", gigabytes(rule.largest_bytes)));
    }
    if !rule.serial_numbers.is_empty() {
        parts.push(format!("serial number {}", rule.serial_numbers.join(" or ")));
    }
    if parts.is_empty() { "any".to_owned() } else { parts.join(", ") }
}

fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

/// A disk for people.
pub(crate) fn shown(disk: &TargetDisk) -> String {
    let TargetDisk { name, model, serial_number, interface, size_bytes, has_data, .. } = disk;
    let data = if *has_data { ", with data" } else { ", blank" };
    let model = if model.is_empty() { String::new() } else { format!(" {model}") };
    let serial = if serial_number.is_empty() { String::new() } else { format!(" serial {serial_number}") };
    format!("{name}:{model} {} {interface}{serial}{data}", gigabytes(*size_bytes))
}

fn listed(disks: &[TargetDisk]) -> String {
    if disks.is_empty() { "none".to_owned() } else { disks.iter().map(shown).collect::<Vec<_>>().join("; ") }
}

/// Whether the sequence changes a disk at all.
pub(crate) fn changes_disks(sequence: &TaskSequence) -> bool {
    let changes = |step: &Step| {
        let kinds = [StepKind::FormatAndPartitionDisk, StepKind::ApplyDataImage, StepKind::CaptureUserState];
        kinds.contains(&step.kind) || step.deploys_system()
    };
    sequence.steps().iter().any(|entry| !entry.disabled && changes(entry.step))
}

/// Whether it erases a disk as a whole.
pub(crate) fn erases_disks(sequence: &TaskSequence) -> bool {
    sequence.steps().iter().any(|entry| !entry.disabled && entry.step.kind == StepKind::FormatAndPartitionDisk)
}

/// Lines of the form NAME=VALUE, as a prestart command prints them. Others are passed over: it may say what it does.
pub(crate) fn assignments(output: &str) -> Vec<(String, String)> {
    let assignment = |line: &str| {
        let (name, value) = line.trim_end_matches('\r').split_once('=')?;
        platen_sequence::limits::variable_name(name).ok()?;
        Some((name.to_owned(), value.to_owned()))
    };
    output.lines().filter_map(assignment).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(name: &str, interface: &str, size_gb: u64, has_data: bool) -> TargetDisk {
        TargetDisk {
            name: name.into(),
            interface: interface.into(),
            size_bytes: size_gb * 1_000_000_000,
            serial_number: format!("S-{name}"),
            has_data,
            ..TargetDisk::default()
        }
    }

    fn rule(erase: bool) -> policy::TargetDisk {
        policy::TargetDisk { erase, ..policy::TargetDisk::default() }
    }

    #[test]
    fn a_blank_disk_alone_needs_no_word() {
        let blank = vec![disk("a", "SATA", 100, false)];
        assert_eq!(choose(blank.clone(), None, true), Ok(Choice::Disks(blank.clone())));
        assert_eq!(choose(blank.clone(), Some(&rule(false)), false), Ok(Choice::Disks(blank)));
    }

    #[test]
    fn data_is_erased_only_when_somebody_said_so() {
        let full = vec![disk("a", "SATA", 100, true)];
        assert_eq!(choose(full.clone(), Some(&rule(true)), true), Ok(Choice::Disks(full.clone())));
        assert_eq!(choose(full.clone(), None, false), Ok(Choice::Ask(full.clone())));
        for rule in [None, Some(&rule(false))] {
            let refused = choose(full.clone(), rule, true).expect_err("nobody said so");
            assert!(refused.to_string().ends_with("found data on a: 100.0 GB SATA serial S-a, with data"), "{refused}");
        }
    }

    #[test]
    fn of_several_disks_a_rule_or_a_person_takes_one() {
        let two = vec![disk("a", "SATA", 100, false), disk("b", "NVMe", 500, false)];
        assert_eq!(choose(two.clone(), None, false), Ok(Choice::Ask(two.clone())));
        assert!(matches!(choose(two.clone(), None, true), Err(NoDisk::Several { .. })));
        let taken = |change: &dyn Fn(&mut policy::TargetDisk)| {
            let mut rule = rule(false);
            change(&mut rule);
            match choose(two.clone(), Some(&rule), true) {
                Ok(Choice::Disks(disks)) => disks.iter().map(|disk| &*disk.name).collect::<Vec<_>>().join(" "),
                Ok(Choice::Ask(_)) => "ask".to_owned(),
                Err(error) => error.to_string(),
            }
        };
        assert_eq!(taken(&|_| {}), "a b");
        assert_eq!(taken(&|rule| rule.interfaces = vec!["nvme".into()]), "b");
        assert_eq!(taken(&|rule| rule.smallest_bytes = 100_000_000_001), "b");
        assert_eq!(taken(&|rule| rule.largest_bytes = 100_000_000_000), "a");
        assert_eq!(taken(&|rule| rule.serial_numbers = vec!["S-a".into()]), "a");
        let usb = vec![disk("c", "USB", 100, false)];
        for (rule, unattended) in [(None, false), (Some(rule(true)), true)] {
            let refused = choose(usb.clone(), rule.as_ref(), unattended).expect_err("nobody asked for it");
            assert!(matches!(refused, NoDisk::NoneFits { .. }), "{refused}");
        }
        let rule_usb = policy::TargetDisk { interfaces: vec!["USB".into()], ..rule(true) };
        assert_eq!(choose(usb.clone(), Some(&rule_usb), true), Ok(Choice::Disks(usb)));
        let none = taken(&|rule| rule.smallest_bytes = 1_000_000_000_000);
        assert!(none.contains("at least 1000.0 GB") && none.contains("found a: 100.0 GB"), "{none}");
        assert!(choose(Vec::new(), None, true).expect_err("none").to_string().ends_with("found none"));
    }

    #[test]
    fn disks_are_found_again_by_what_they_are() {
        let (one, two) = (disk("sda", "SATA", 100, false), disk("sdb", "SATA", 500, false));
        let renamed = [TargetDisk { name: "sdb".into(), has_data: true, ..one.clone() }];
        assert_eq!(again(&renamed, std::slice::from_ref(&one)), Some(renamed.to_vec()));
        assert_eq!(again(&renamed, &[one.clone(), two.clone()]), None, "one is gone");
        let twins = [disk("sda", "SATA", 100, false), TargetDisk { name: "sdc".into(), ..one.clone() }];
        assert_eq!(again(&twins, &twins[1..]), Some(vec![twins[1].clone()]));
        assert_eq!(again(&[two.clone(), one.clone()], &[one.clone(), two.clone()]), Some(vec![one, two]));
    }

    #[test]
    fn a_prestart_command_sets_variables_by_what_it_prints() {
        let output = "Asking...\r\nAssetTag=PC 7\r\n_SMSTSMake=no\n1st=no\nPath = x\nOwner=a=b\n";
        let pairs = assignments(output);
        assert_eq!(pairs, [("AssetTag".into(), "PC 7".into()), ("Owner".into(), "a=b".into())]);
    }
}
