// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Real sequences and the examples: what becomes of each step is what the dry run says.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use platen_sequence::run::{Computer, DryRun, DryStep, Outcome, Where};
use platen_sequence::{Imported, Node, ReferenceKind, StepKind, TaskSequence};
use platen_testkit::{need, windows_image};
use serde_json::json;

use super::*;

const SAMPLES: [&str; 8] = [
    "cm-export-language-module-object",
    "cm-export-modular-child-object",
    "cm-export-modular-parent-object",
    "cm-export-upgrade-object",
    "cm-hub-gather-light",
    "mdt-bios-settings",
    "mdt-lti-client-full",
    "mdt-psd-client",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../sequence/tests/samples")
}

fn sample(name: &str) -> TaskSequence {
    let bytes = std::fs::read(folder().join(name).with_extension("xml")).expect("reads");
    let mut imported = Imported::from_bytes(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    imported.shorten_ids();
    imported.sequence
}

fn computers() -> [Computer; 3] {
    [
        include_str!("../../../../example/computers/bios-desktop.toml"),
        include_str!("../../../../example/computers/uefi-laptop.toml"),
        include_str!("../../../../example/computers/virtual-machine.toml"),
    ]
    .map(|text| Computer::from_toml(text).expect("a description"))
}

/// A medium that has all that the sequence names, with files that stand in for the contents.
fn medium(sequence: &TaskSequence) -> Medium {
    let references = sequence.references();
    let ids = |kinds: &[ReferenceKind]| -> BTreeSet<&str> {
        references.iter().filter(|it| kinds.contains(&it.kind)).map(|it| &*it.id).collect()
    };
    let systems = ids(&[ReferenceKind::OperatingSystemImage, ReferenceKind::OperatingSystemUpgradePackage]);
    let drivers = ids(&[ReferenceKind::DriverPackage]);
    let applications = ids(&[ReferenceKind::Application]);
    let packages = ids(&[ReferenceKind::Package]);
    let system = systems.first().copied().unwrap_or("OS1");
    let image = format!("platen/content/{system}/install.wim");
    let in_folders = |ids: &BTreeSet<&str>, name: &str| -> Vec<String> {
        ids.iter().map(|id| format!("platen/content/{id}/{name}")).collect()
    };
    let mut paths = vec![image.clone(), "EFI/BOOT/BOOTX64.EFI".to_owned()];
    paths.extend(in_folders(&drivers, "net.ko"));
    paths.extend(in_folders(&applications, "setup.sh"));
    paths.extend(in_folders(&packages, "setup.sh"));
    let files: Vec<(&str, &str)> = paths.iter().map(|path| (&**path, "stands in")).collect();
    let driver = |id: &&str| json!({"id": id, "name": id, "version": "1", "folder": format!("platen/content/{id}")});
    let policy = json!({
        "schema": 1, "media_id": "PLT00001", "revision": 1, "task_sequence": sequence.to_json(), "variables": [],
        "operating_system_image": {"id": system, "path": image, "index": 1, "parts": 1},
        "driver_packages": drivers.iter().map(driver).collect::<Vec<_>>(),
        "applications": applications.iter().map(|id| software(id, &[])).collect::<Vec<_>>(),
        "packages": packages.iter().map(|id| software(id, &[])).collect::<Vec<_>>(),
    });
    Medium::of(sequence.clone(), &files, &policy)
}

/// What became of a group or step.
#[derive(Debug, PartialEq)]
struct Fate {
    path: String,
    /// `passed over`, `group passed over`, `done` or `failed`.
    how: &'static str,
    /// The installed system ran; None where that is not said.
    in_deployed: Option<bool>,
    /// What is said of it.
    detail: String,
}

impl Fate {
    /// As the dry run says.
    fn planned(step: &DryStep) -> Self {
        let group = step.detail.strip_prefix("with all that is in it: ");
        let (how, detail) = match (&step.outcome, &step.place, group) {
            (Outcome::Skipped, _, Some(why)) => ("group passed over", why.to_owned()),
            (Outcome::Skipped, _, None) => ("passed over", step.detail.clone()),
            (_, Some(Where::Cannot { why, todo }), _) => ("failed", format!("{why}; {todo}")),
            (Outcome::Fails, ..) => ("failed", step.detail.clone()),
            // A dry run names the disk, the engine its volumes.
            (Outcome::Runs, ..) if step.label.ends_with("Format and Partition Disk") => ("done", String::new()),
            (Outcome::Runs, ..) => ("done", step.detail.clone()),
        };
        let in_deployed = match step.place {
            Some(Where::BootSystem | Where::Offline) => Some(false),
            Some(Where::FirstStart) => Some(true),
            Some(Where::Cannot { .. }) | None => None,
        };
        Self { path: step.path.clone(), how, in_deployed, detail }
    }

    /// As the engine said.
    fn found(path: &str, detail: &str, in_deployed: bool) -> Self {
        let how =
            ["group passed over", "passed over", "done", "failed"].into_iter().find(|how| detail.starts_with(how));
        let how = how.unwrap_or_else(|| panic!("{path}: {detail}"));
        Self { path: path.to_owned(), how, in_deployed: Some(in_deployed), detail: detail.to_owned() }
    }

    fn is(&self, found: &Self) -> bool {
        let in_place = self.in_deployed.is_none_or(|place| Some(place) == found.in_deployed);
        self.path == found.path && self.how == found.how && in_place && found.detail.ends_with(&self.detail)
    }
}

/// Everything that went otherwise than planned.
fn differences(planned: &DryRun, (found, end): &(Vec<Fate>, End)) -> Vec<String> {
    let planned_fates: Vec<Fate> = planned.steps.iter().map(Fate::planned).collect();
    let pairs = planned_fates.iter().zip(found).filter(|(planned, found)| !planned.is(found));
    let mut different: Vec<String> = pairs.map(|pair| format!("{pair:#?}")).collect();
    if planned_fates.len() != found.len() {
        let (planned, found) = (planned_fates.len(), found.len());
        different.push(format!("{planned} were planned, {found} came to an end"));
    }
    let failed = match end {
        End::Failed { path, .. } => Some(path),
        _ => None,
    };
    if failed != planned.failed.as_ref() {
        different.push(format!("planned to end at {:?}, ended as {end:?}", planned.failed));
    }
    different
}

/// The whole way over all restarts.
fn carried_out(sequence: &TaskSequence, computer: &Computer) -> (Vec<Fate>, End) {
    let mut bench = Bench::of(medium(sequence), computer.clone());
    all_the_way(&mut bench, |_| {})
}

/// The same of a bench; `has` says what is on the computer's disk each time it starts.
fn all_the_way(bench: &mut Bench, has: impl Fn(&mut FolderMachine)) -> (Vec<Fate>, End) {
    let (mut fates, mut in_deployed) = (Vec::new(), false);
    for _ in 0..9 {
        let mut machine = bench.machine();
        with_init(&mut machine);
        has(&mut machine);
        let before = bench.lines.2.len();
        let end = if in_deployed { bench.deployed(&mut machine) } else { bench.boot_system(&mut machine) };
        let of_engine = ["Start from the disk", "End of the task sequence"];
        let steps = bench.lines.2[before..].iter().filter(|(path, _)| !of_engine.contains(&&**path));
        fates.extend(steps.map(|(path, detail)| Fate::found(path, detail, in_deployed)));
        match end {
            // Behind the last step there is nothing left to do on the disk.
            End::StartFromDisk if bench.state_folder().is_none() => return (fates, End::Finished),
            End::StartFromDisk => in_deployed = true,
            End::Restart => {}
            End::Finished | End::Failed { .. } => return (fates, end),
        }
    }
    panic!("no end: {:#?}", bench.lines.0);
}

/// An example of this repository.
fn example(name: &str) -> TaskSequence {
    let path = folder().join("../../../example/sequences").join(name).with_extension("toml");
    let text = std::fs::read_to_string(path).expect("reads");
    TaskSequence::from_toml(&text, &mut |_| Err(String::new())).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn planned(sequence: &TaskSequence, computer: &Computer) -> DryRun {
    DryRun::of(sequence, computer, &[]).expect("within the limits")
}

#[test]
fn what_becomes_of_the_samples_is_what_the_dry_run_says() {
    for name in SAMPLES {
        let sequence = sample(name);
        let golden = std::fs::read_to_string(folder().join("golden").join(name).with_extension("txt")).expect("reads");
        for computer in computers() {
            let planned = planned(&sequence, &computer);
            let read = format!("# dry run on {}\n{}", computer.name, planned.report());
            assert!(golden.contains(&read), "{name}: it is the dry run that somebody read");
            let different = differences(&planned, &carried_out(&sequence, &computer));
            assert!(different.is_empty(), "{name} on {}: {}", computer.name, different.join("\n"));
        }
    }
}

/// Disables what stands at a path.
fn disable(nodes: &mut [Node], path: &str) {
    for node in nodes {
        match node {
            Node::Step(step) if step.name == path => step.disabled = true,
            Node::Group(group) => {
                if let Some(below) = path.strip_prefix(&*group.name).and_then(|rest| rest.strip_prefix(" / ")) {
                    disable(&mut group.nodes, below);
                }
            }
            Node::Step(_) => {}
        }
    }
}

/// What can't be done is disabled, as the dry run advises, until it comes to the end.
fn without_what_cannot_run(mut sequence: TaskSequence, computer: &Computer) -> TaskSequence {
    for _ in 0..sequence.steps().len() {
        let Some(path) = planned(&sequence, computer).failed else { break };
        disable(&mut sequence.nodes, &path);
    }
    sequence
}

#[test]
fn with_what_cant_be_done_disabled_the_samples_run_to_their_end() {
    let (mut before, mut after) = (0, 0);
    for name in SAMPLES {
        for computer in computers() {
            let sequence = without_what_cannot_run(sample(name), &computer);
            let planned = planned(&sequence, &computer);
            assert_eq!(planned.failed, None, "{name}");
            let carried_out = carried_out(&sequence, &computer);
            let different = differences(&planned, &carried_out);
            assert!(different.is_empty(), "{name} on {}: {}", computer.name, different.join("\n"));
            let done = |in_deployed| {
                let is = |fate: &&Fate| fate.how == "done" && fate.in_deployed == Some(in_deployed);
                carried_out.0.iter().filter(is).count()
            };
            before += done(false);
            after += done(true);
        }
    }
    assert!(
        before > 90 && after > 30,
        "steps that were done: {before} in the boot system, {after} on the installed one"
    );
}

#[test]
fn the_examples_run_to_their_end_as_their_dry_run_says() {
    for computer in computers() {
        let sequence = example("build-and-capture");
        let carried_out = carried_out(&sequence, &computer);
        assert_eq!(differences(&planned(&sequence, &computer), &carried_out), Vec::<String>::new());
        assert_eq!(carried_out.1, End::Finished, "{}", computer.name);
    }
    for (computer, keeps) in computers().iter().flat_map(|computer| [(computer, false), (computer, true)]) {
        let sequence = example("refresh");
        let mut bench = Bench::of(medium(&sequence), computer.clone());
        bench.variables = vec![("KeepUserState".to_owned(), keeps.to_string(), false)];
        let planned = DryRun::of(&sequence, computer, &bench.variables).expect("within the limits");
        let disk = bench.disk.path().join("disk0-1");
        std::fs::create_dir_all(disk.join("home/lee")).expect("makes");
        std::fs::create_dir_all(disk.join("etc")).expect("makes");
        std::fs::write(disk.join("etc/os-release"), "ID=old\n").expect("writes");
        std::fs::write(disk.join("home/lee/photo.jpg"), "photo").expect("writes");
        let has = |machine: &mut FolderMachine| drop(machine.with_volume(1, Some('C'), true));
        let carried_out = all_the_way(&mut bench, has);
        assert_eq!(differences(&planned, &carried_out), Vec::<String>::new(), "{} {keeps}", computer.name);
        // Of a Windows the users' files are left to USMT: then nothing is done at all.
        let stops = keeps && computer.windows.is_some();
        assert_eq!(carried_out.1 == End::Finished, !stops, "{} {keeps}", computer.name);
        assert_eq!(disk.join("home/lee/photo.jpg").is_file(), keeps, "{}", computer.name);
    }
}

#[test]
fn with_an_image_of_the_shape_of_a_windows_it_is_the_same() {
    if !need::program("hivexsh") {
        return;
    }
    let tree = tempfile::tempdir().expect("a folder");
    windows_image::make(tree.path(), windows_image::AMD64, &platen_hive::empty_hive);
    let is_windows = |machine: &mut FolderMachine| {
        machine.image.clear();
        machine.tree = Some(tree.path().to_owned());
    };
    let mut installed = 0;
    for name in ["mdt-lti-client-full", "mdt-psd-client", "build-and-capture"] {
        for computer in computers() {
            let sequence = if name == "build-and-capture" { example(name) } else { sample(name) };
            let sequence = without_what_cannot_run(sequence, &computer);
            let mut bench = Bench::of(medium(&sequence), computer.clone());
            let carried_out = all_the_way(&mut bench, is_windows);
            let different = differences(&planned(&sequence, &computer), &carried_out);
            assert!(different.is_empty(), "{name} on {}: {}", computer.name, different.join("\n"));
            installed += usize::from(carried_out.1 == End::Finished);
        }
    }
    assert_eq!(installed, 9);
}

/// By the dry run and by the engine alike; None: it is done by both.
fn are_refused(sequence: &TaskSequence, computer: &Computer, expected: Option<&str>) {
    let planned = planned(sequence, computer);
    assert_eq!(differences(&planned, &carried_out(sequence, computer)), Vec::<String>::new(), "{expected:?}");
    assert_eq!(planned.failed.as_deref(), expected.map(|_| "Partition"));
    let detail = &planned.steps[0].detail;
    assert!(detail.contains(expected.unwrap_or_default()), "{expected:?}: {detail}");
}

#[test]
fn a_disk_that_cannot_be_divided_so_is_refused_by_both_in_the_same_words() {
    let size = r#""Partitions0Size", value = "100""#;
    for (from, to, expected) in [
        (size, size, None),
        (r#"value = "%""#, r#"value = "GB""#, None),
        (size, r#""Partitions0Size", value = "101""#, Some("OSDPartitions0Size: expected a whole number of 1 to 100")),
        (size, r#""Partitions0Size", value = "all""#, Some("found \"all\"")),
        (r#"value = "EXT4""#, r#"value = "REFS""#, Some("OSDPartitions0FileSystem: expected NTFS, FAT32 or EXT4")),
        (r#"value = "Primary""#, r#"value = "Logical""#, Some("logical drives can't be made here")),
    ] {
        let text = installation("");
        assert!(text.contains(from), "{from}");
        let sequence = sequence(&text.replacen(from, to, 1));
        are_refused(&sequence, &computer(), expected);
    }
    let mut small = computer();
    small.disks[0].size_bytes = 5 << 20;
    are_refused(&sequence(&installation("")), &small, Some("disk 0: the disk is too small: expected "));
}

#[test]
fn a_difference_is_seen() {
    let computers = computers();
    let sequence = sample("mdt-psd-client");
    let carried_out = carried_out(&sequence, &computers[0]);
    assert_eq!(differences(&planned(&sequence, &computers[0]), &carried_out), Vec::<String>::new(), "the control");
    let found = |changed: &TaskSequence| differences(&planned(changed, &computers[0]), &carried_out).len();
    for path in ["Initialization / Gather", "Custom Tasks / Restart computer"] {
        let mut changed = sequence.clone();
        disable(&mut changed.nodes, path);
        assert!(found(&changed) > 0, "{path} is disabled");
    }
    let mut changed = sequence.clone();
    changed.nodes.pop();
    assert!(found(&changed) > 0, "the last one is missing");
    let other = differences(&planned(&sequence, &computers[1]), &carried_out);
    assert!(!other.is_empty(), "another computer");
}

#[test]
fn whatever_the_table_says_runs_is_carried_out() {
    // The step is there in the boot system behind the system, and again on the installed one.
    let step = |name: &str, kind: StepKind| {
        let label = kind.label();
        format!("[[do]]\nstep = \"{name}\"\ntype = \"{label}\"\ncontinue-on-error = true\ncommand = \"tool\"\n")
    };
    let mut asked = 0;
    for &kind in StepKind::ALL {
        let leaves = [StepKind::SetupWindowsAndConfigMgr, StepKind::RestartComputer, StepKind::FormatAndPartitionDisk];
        if leaves.contains(&kind) {
            continue;
        }
        let rest = "[[do]]\nstep = \"Setup\"\ntype = \"Setup Windows and ConfigMgr\"\n".to_owned();
        let text = installation(&(step("Early", kind) + &rest + &step("Late", kind)));
        let mut bench = Bench::new(&text);
        let mut machine = bench.machine();
        with_init(&mut machine);
        assert_eq!(bench.boot_system(&mut machine), End::StartFromDisk, "{kind:?}: {:#?}", bench.lines.0);
        let mut system = bench.machine();
        assert_eq!(bench.deployed(&mut system), End::Finished, "{kind:?}: {:#?}", bench.lines.0);
        let planned = planned(&sequence(&text), &bench.computer);
        for name in ["Early", "Late"] {
            let place = planned.steps.iter().find(|step| step.path == name).and_then(|step| step.place.clone());
            let (_, detail) = bench.lines.2.iter().find(|(path, _)| path == name).expect("it came to an end");
            let is_refused = matches!(place, Some(Where::Cannot { .. }));
            assert!(is_refused || !detail.contains("by this version of Platen"), "{kind:?} {name}: {detail}");
            asked += usize::from(!is_refused);
        }
    }
    assert!(asked > 30, "{asked} are said to run");
}
