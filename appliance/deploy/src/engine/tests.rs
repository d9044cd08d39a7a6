// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Whole sequences on a machine in a folder.

mod contents;
mod folder;
mod samples;
mod steps;
mod windows;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use platen_media::manifest::{FileRecord, Manifest, MediaKind, Validity};
use platen_media::policy::DeploymentPolicy;
use platen_media::{Blake3, MediaPath, Sha256, Timestamp, VolumeLabel};
use platen_sequence::TaskSequence;
use platen_sequence::run::{Computer, Surroundings};
use serde_json::json;

use self::folder::{FolderMachine, POWER_CUT, Power};
use super::carry::{Carrier, End, EngineError, Home, Means, Report, TakenAlong};
use super::content::Contents;
use super::log::{self, Level};
use super::machine::{Machine, Progress, Starts};
use super::software::{SEQUENCE, SOFTWARE};
use super::state::{FOLDER, State, Store};

const SECRET: &str = "PLANTED-SECRET";

/// The steps that a small installation has; `more` comes behind the settings.
fn installation(more: &str) -> String {
    format!(
        r#"
        [[do]]
        step = "Partition"
        type = "Format and Partition Disk"
        variables = [
          {{ property = "DiskIndex", value = "0" }},
          {{ property = "PartitionStyle", value = "MBR" }},
          {{ property = "Partitions", value = "1" }},
          {{ property = "Partitions0Type", value = "Primary" }},
          {{ property = "Partitions0FileSystem", value = "EXT4" }},
          {{ property = "Partitions0Bootable", value = "true" }},
          {{ property = "Partitions0Size", value = "100" }},
          {{ property = "Partitions0SizeUnits", value = "%" }},
          {{ property = "Partitions0VolumeLetterVariable", value = "OSDisk" }},
        ]
        [[do]]
        step = "Apply"
        type = "Apply Operating System Image"
        variables = [
          {{ property = "ImagePackageID", value = "OS1" }},
          {{ property = "ImageIndex", value = "1" }},
          {{ property = "DestinationVariable", value = "OSDisk" }},
        ]
        [[do]]
        step = "Settings"
        type = "Apply Windows Settings"
        [[do]]
        step = "Network"
        type = "Apply Network Settings"
        [[do]]
        step = "Drivers"
        type = "Apply Driver Package"
        variables = [
          {{ property = "DriverPackageID", value = "DRV1" }},
        ]
        {more}
        "#
    )
}

const REST: &str = r#"
        [[do]]
        step = "Setup"
        type = "Setup Windows and ConfigMgr"
        [[do]]
        step = "Applications"
        type = "Install Application"
        variables = [
          { property = "ApplicationName", value = "APP2" },
        ]
        [[do]]
        step = "Say"
        type = "Run Command Line"
        command = "echo %Token% %Word%"
"#;

fn sequence(text: &str) -> TaskSequence {
    let text = format!("schema = 1\n{text}");
    TaskSequence::from_toml(&text, &mut |_| Err(String::new())).unwrap_or_else(|error| panic!("{error}"))
}

/// As its description says, of whom nothing was asked.
fn computer() -> Computer {
    let text = include_str!("../../../example/computers/bios-desktop.toml");
    Computer { answers: Vec::new(), ..Computer::from_toml(text).expect("a description") }
}

/// A medium as a folder, with its manifest and policy.
struct Medium {
    folder: tempfile::TempDir,
    manifest: Manifest,
    policy: DeploymentPolicy,
    sequence: TaskSequence,
}

impl Medium {
    fn new(text: &str) -> Self {
        Self::with(text, &[], &[])
    }

    /// With more files, below `platen/content`, and packages.
    fn with(text: &str, more: &[(&str, &str)], packages: &[&str]) -> Self {
        let more: Vec<(String, &str)> =
            more.iter().map(|(path, text)| (format!("platen/content/{path}"), *text)).collect();
        let files = [
            ("platen/content/OS1/install.swm", "first part"),
            ("platen/content/OS1/install2.swm", "second part"),
            ("platen/content/DRV1/net.ko", "a driver"),
            ("platen/content/APP1/lib.sh", "exit 0"),
            ("platen/content/APP2/app.sh", "exit 0"),
            ("EFI/BOOT/BOOTX64.EFI", "shim"),
        ];
        let sequence = sequence(text);
        let policy = json!({
            "schema": 1, "media_id": "PLT00001", "revision": 1, "task_sequence": sequence.to_json(), "variables": [],
            "operating_system_image": {"id": "OS1", "path": "platen/content/OS1/install.swm", "index": 1, "parts": 2},
            "driver_packages": [{"id": "DRV1", "name": "d", "version": "1", "folder": "platen/content/DRV1"}],
            "applications": [software("APP1", &[]), software("APP2", &["APP1"]), software("APP3", &[])],
            "packages": packages.iter().map(|id| software(id, &[])).collect::<Vec<_>>(),
        });
        let more = more.iter().map(|(path, text)| (&**path, *text));
        Self::of(sequence, &files.into_iter().chain(more).collect::<Vec<_>>(), &policy)
    }

    fn of(sequence: TaskSequence, files: &[(&str, &str)], policy: &serde_json::Value) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut records = Vec::new();
        for &(path, text) in files {
            let to = folder.path().join(path);
            std::fs::create_dir_all(to.parent().expect("a folder")).expect("makes");
            std::fs::write(&to, text).expect("writes");
            records.push(FileRecord {
                path: MediaPath::new(path).expect("valid"),
                size_bytes: text.len() as u64,
                blake3: Blake3::of(text.as_bytes()),
                sha256: Sha256::of(text.as_bytes()),
                content: 0,
                at: None,
                modified: None,
            });
        }
        let policy = DeploymentPolicy::from_json(policy.to_string().as_bytes()).expect("a policy");
        let manifest = manifest(records);
        Self { folder, manifest, policy, sequence }
    }
}

/// An application or a package of a policy.
fn software(id: &str, depends_on: &[&str]) -> serde_json::Value {
    json!({"id": id, "name": id, "version": "1", "folder": format!("platen/content/{id}"),
           "install": format!("sh {id}.sh"), "depends_on": depends_on})
}

/// As much of a manifest as the engine looks at.
fn manifest(files: Vec<FileRecord>) -> Manifest {
    Manifest {
        schema: platen_media::manifest::SCHEMA,
        id: "PLT00001".into(),
        kind: MediaKind::StandAlone,
        name: "Branch".into(),
        version: "1".into(),
        revision: 1,
        comment: String::new(),
        label: VolumeLabel::new("PLATEN").expect("valid"),
        created: Timestamp::from_unix_s(0),
        validity: Validity::default(),
        unattended: true,
        password_required: false,
        size_limit_bytes: None,
        needs_drive_bytes: None,
        needs_drive_4096_bytes: None,
        bios: None,
        contents: Vec::new(),
        blobs: Vec::new(),
        files,
        folders: Vec::new(),
        image: None,
    }
}

/// What was said, the path and detail of each end, and how far checking an image was shown to come.
#[derive(Default)]
struct Lines(Vec<String>, Power, Vec<(String, String)>, u64);

impl Report for Lines {
    fn begins(&mut self, number: usize, of: usize, _: &str, name: &str) {
        self.1.on();
        self.0.push(format!("{number}/{of} {name}"));
    }
    fn progress(&mut self, what: &str, progress: Progress) {
        if what == "checking the image" {
            self.3 = progress.done_bytes;
        }
    }
    fn ended(&mut self, level: Level, path: &str, detail: &str) {
        self.1.on();
        self.0.push(format!("{level:?} {path}: {detail}"));
        self.2.push((path.to_owned(), detail.to_owned()));
    }
}

fn now() -> Timestamp {
    Timestamp::from_unix_s(1_790_000_000)
}

/// A computer with its boot system's memory and its medium.
struct Bench {
    medium: Medium,
    memory: tempfile::TempDir,
    disk: tempfile::TempDir,
    computer: Computer,
    variables: Vec<(String, String, bool)>,
    windows_runner: PathBuf,
    lines: Lines,
}

impl Bench {
    fn new(text: &str) -> Self {
        let variables = [("OSDComputerName", "Branch-7", false), ("Token", "it-works", false), ("Word", SECRET, true)];
        let variables = variables.map(|(name, value, secret)| (name.to_owned(), value.to_owned(), secret)).into();
        Self { variables, ..Self::of(Medium::new(text), computer()) }
    }

    fn of(medium: Medium, computer: Computer) -> Self {
        Self {
            medium,
            memory: tempfile::tempdir().expect("a folder"),
            disk: tempfile::tempdir().expect("a folder"),
            computer,
            variables: Vec::new(),
            windows_runner: std::env::current_exe().expect("a program"),
            lines: Lines::default(),
        }
    }

    fn machine(&self) -> FolderMachine {
        FolderMachine::new(self.disk.path(), self.computer.clone(), self.lines.1.clone())
    }

    /// From now on the power lasts for so many operations.
    fn power_for(&mut self, operations: usize) {
        self.lines.1 = Power::lasting(operations);
    }

    fn power_is_back(&mut self) {
        self.lines.1 = Power::default();
    }

    /// Where a state stands on the disk, if it does.
    fn state_folder(&self) -> Option<PathBuf> {
        let entries = std::fs::read_dir(self.disk.path()).expect("the disk").flatten();
        entries.map(|entry| entry.path().join(FOLDER)).find(|folder| folder.join("state.json").is_file())
    }

    /// The computer starts from the medium: from the beginning, or from where a state says.
    fn boot_system(&mut self, machine: &mut FolderMachine) -> End {
        self.try_boot_system(machine).expect("the engine goes on")
    }

    fn try_boot_system(&mut self, machine: &mut FolderMachine) -> Result<End, EngineError> {
        let memory = self.memory.path().join(FOLDER);
        let _ = std::fs::remove_dir_all(&memory);
        let folder = self.state_folder();
        let store = Store::new(folder.as_deref().unwrap_or(&memory));
        let state = store.load(Some(&self.medium.policy.sealing_key())).expect("a state that can be read");
        let surroundings = Surroundings::new(&self.medium.sequence, &self.computer, &self.variables).expect("limits");
        let contents = Contents::new(self.medium.folder.path(), &self.medium.manifest, &self.medium.policy);
        let runner = std::env::current_exe().expect("a program");
        let home = Home::Medium {
            contents,
            policy: &self.medium.policy,
            runner: &runner,
            windows_runner: &self.windows_runner,
            memory: &memory,
        };
        let media = ("PLT00001".to_owned(), 1);
        let means = Means { machine, report: &mut self.lines, store, now };
        let carrier = Carrier::begin(&self.medium.sequence, surroundings, home, media, means);
        resumed(carrier, state).carry()
    }

    /// The computer starts from its disk.
    fn deployed(&mut self, machine: &mut FolderMachine) -> End {
        let folder = self.state_folder().expect("a state on the disk");
        let text = std::fs::read_to_string(folder.join(SEQUENCE)).expect("the sequence");
        let sequence = TaskSequence::from_json(&serde_json::from_str(&text).expect("JSON")).expect("a sequence");
        let text = std::fs::read_to_string(folder.join(SOFTWARE)).expect("what was taken along");
        let software: TakenAlong = serde_json::from_str(&text).expect("JSON");
        let store = Store::new(&folder);
        let state = store.load(None).expect("a state that can be read");
        let surroundings = Surroundings::new(&sequence, &self.computer, &[]).expect("limits");
        let media = ("PLT00001".to_owned(), 1);
        let home = Home::Deployed { software };
        let means = Means { machine, report: &mut self.lines, store, now };
        let carrier = Carrier::begin(&sequence, surroundings, home, media, means);
        resumed(carrier, state).carry().expect("the engine goes on")
    }

    /// All of what stands on the disk, as one text.
    fn on_disk(&self) -> String {
        fn add(folder: &Path, into: &mut String) {
            for entry in std::fs::read_dir(folder).expect("lists").flatten() {
                let path = entry.path();
                if path.is_dir() {
                    add(&path, into);
                } else if !path.ends_with(super::linux::RUNNER) {
                    into.push_str(&String::from_utf8_lossy(&std::fs::read(&path).expect("reads")));
                }
            }
        }
        let mut text = String::new();
        add(self.disk.path(), &mut text);
        text
    }
}

fn resumed<'a>(carrier: Carrier<'a>, state: Option<State>) -> Carrier<'a> {
    match state {
        Some(state) => carrier.resume(state).unwrap_or_else(|error| panic!("{error}")),
        None => carrier,
    }
}

/// A system that has an inittab, as the image of [`FolderMachine`].
fn with_init(machine: &mut FolderMachine) {
    machine.image.push(("etc/inittab", "::sysinit:/etc/rc\n".to_owned()));
}

#[test]
fn a_system_is_installed_and_the_rest_runs_on_it() {
    let mut bench = Bench::new(&installation(REST));
    let mut machine = bench.machine();
    with_init(&mut machine);
    let end = bench.boot_system(&mut machine);
    assert_eq!(end, End::StartFromDisk, "{:#?}", bench.lines.0);
    let setup = machine.boots.clone().expect("the disk starts");
    let root = machine.folder_of(&setup.system);
    let text = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert!(matches!(&setup.starts, Starts::Linux(linux) if linux.kernel == "/boot/vmlinuz-6.1"), "{setup:?}");
    assert_eq!(text("etc/hostname"), "branch-7\n");
    assert_eq!(text("var/lib/platen/drivers/DRV1/net.ko"), "a driver");
    assert!(text("etc/inittab").contains("::once:/_SMSTaskSequence/platen-deploy first-start"));
    assert!(text("etc/network/interfaces").contains("iface eth0 inet dhcp"));
    assert_eq!(machine.ran, Vec::<String>::new(), "nothing runs before the system does");

    let mut system = bench.machine();
    let end = bench.deployed(&mut system);
    assert_eq!(end, End::Finished, "{:#?}", bench.lines.0);
    // What an application depends on comes before it; the third was not asked for.
    assert_eq!(system.ran, ["APP1> sh APP1.sh", "APP2> sh APP2.sh", &format!("echo it-works {SECRET}")]);
    assert!(!bench.on_disk().contains(SECRET), "nothing secret is left behind");
    assert!(!bench.lines.0.join("\n").contains(SECRET), "{:#?}", bench.lines.0);
    let logged = log::last(&root.join(FOLDER), 2);
    assert_eq!(logged, ["Say: done: echo it-works ********", "End of the task sequence: done"]);
}

#[test]
fn a_power_cut_at_any_operation_is_followed_by_a_right_resume() {
    // As often as the way to the end has operations; each time the power is cut at one of them.
    let count = {
        let mut bench = Bench::new(&installation(REST));
        let mut machine = bench.machine();
        with_init(&mut machine);
        assert_eq!(bench.boot_system(&mut machine), End::StartFromDisk);
        bench.lines.1.used()
    };
    assert!(count > 20, "{count}");
    let mut resumed_later = 0;
    for cut in 0..count {
        let mut bench = Bench::new(&installation(REST));
        bench.power_for(cut);
        let mut machine = bench.machine();
        with_init(&mut machine);
        let ended = catch_unwind(AssertUnwindSafe(|| bench.boot_system(&mut machine)));
        let panic = ended.expect_err("the power was cut");
        assert_eq!(panic.downcast_ref::<&str>(), Some(&POWER_CUT), "{cut}");
        assert!(!bench.on_disk().contains(SECRET) || bench.state_folder().is_some());
        // A disk that starts has all it needs: whatever is left runs on it.
        bench.power_is_back();
        let boots = machine.boots.clone();
        resumed_later += usize::from(bench.state_folder().is_some());
        let mut again = bench.machine();
        with_init(&mut again);
        again.boots = boots;
        if again.boots.is_none() {
            assert_eq!(bench.boot_system(&mut again), End::StartFromDisk, "{cut}: {:#?}", bench.lines.0);
        }
        let mut system = bench.machine();
        assert_eq!(bench.deployed(&mut system), End::Finished, "{cut}: {:#?}", bench.lines.0);
        assert_eq!(system.ran.len(), 3, "{cut}: {:?}", system.ran);
        assert!(!bench.on_disk().contains(SECRET), "{cut}");
    }
    assert!(resumed_later > 3 && resumed_later < count, "{resumed_later} of {count}");
}

#[test]
fn an_application_that_asks_for_a_restart_is_not_installed_twice() {
    let mut bench = Bench::new(&installation(REST));
    let mut machine = bench.machine();
    with_init(&mut machine);
    assert_eq!(bench.boot_system(&mut machine), End::StartFromDisk);
    let mut system = bench.machine();
    system.codes = [3010, 1641].into();
    assert_eq!(bench.deployed(&mut system), End::Restart, "{:#?}", bench.lines.0);
    assert_eq!(system.ran, ["APP1> sh APP1.sh"]);
    assert_eq!(bench.deployed(&mut system), End::Restart);
    assert_eq!(bench.deployed(&mut system), End::Finished, "{:#?}", bench.lines.0);
    assert_eq!(system.ran.len(), 3, "{:?}", system.ran);
}

#[test]
fn a_script_runs_from_its_package_or_from_the_step_and_what_it_prints_is_kept() {
    let rest = r#"
        [[do]]
        step = "Setup"
        type = "Setup Windows and ConfigMgr"
        [[do]]
        step = "Own"
        type = "Run PowerShell Script"
        variables = [
          { property = "SourceScript", name = "OSDRunPowerShellScriptSourceScript", value = "'%Token%'" },
          { property = "ExecutionPolicy", name = "OSDRunPowerShellScriptExecutionPolicy", value = "Bypass" },
          { property = "OutputVariableName", name = "OSDRunPowerShellScriptOutputVariableName", value = "Said" },
        ]
        [[do]]
        step = "Packaged"
        type = "Run PowerShell Script"
        variables = [
          { property = "PackageID", name = "OSDRunPowerShellScriptPackageID", value = "APP1" },
          { property = "ScriptName", name = "OSDRunPowerShellScriptScriptName", value = ".\\lib.sh" },
          { property = "Parameters", name = "OSDRunPowerShellScriptParameters", value = "-Word %Said%" },
        ]
    "#;
    let mut bench = Bench::new(&installation(rest));
    let mut machine = bench.machine();
    with_init(&mut machine);
    assert_eq!(bench.boot_system(&mut machine), End::StartFromDisk, "{:#?}", bench.lines.0);
    let mut system = bench.machine();
    system.output = "printed\n".to_owned();
    assert_eq!(bench.deployed(&mut system), End::Finished, "{:#?}", bench.lines.0);
    let folder = machine.folder_of(&Machine::volumes(&machine)[0]).join(FOLDER);
    let shell = "powershell.exe -NoProfile -NonInteractive";
    let own = format!("{shell} -ExecutionPolicy Bypass -File \"{}\"", folder.join("script.ps1").display());
    let packaged = folder.join("Packages/APP1/lib.sh");
    let packaged = format!("APP1> {shell} -File \"{}\" -Word printed", packaged.display());
    assert_eq!(system.ran, [own, packaged]);
}

#[test]
fn what_fails_ends_the_sequence_with_its_code_or_is_forgiven() {
    for (more, codes, ends) in [
        ("", [7, 0], End::Failed { path: "Applications".to_owned(), code: 7 }),
        ("continue-on-error = true", [7, 0], End::Finished),
    ] {
        let rest = REST.replace("type = \"Install Application\"", &format!("type = \"Install Application\"\n{more}"));
        let mut bench = Bench::new(&installation(&rest));
        let mut machine = bench.machine();
        with_init(&mut machine);
        assert_eq!(bench.boot_system(&mut machine), End::StartFromDisk);
        let mut system = bench.machine();
        system.codes = codes.into();
        assert_eq!(bench.deployed(&mut system), ends, "{:#?}", bench.lines.0);
    }
}

#[test]
fn what_is_missing_is_named() {
    let cases = [
        ("value = \"OS1\"", "value = \"OS9\"", "there is no operating system image \"OS9\" on the medium; it has: OS1"),
        (
            "\"ImageIndex\", value = \"1\"",
            "\"ImageIndex\", value = \"0\"",
            "image index: expected a number from 1, found \"0\"",
        ),
        (
            "\"ImageIndex\", value = \"1\"",
            "\"ImageIndex\", value = \"4\"",
            "image index: expected an image from 1 to 1, found 4",
        ),
        (
            "\"DestinationVariable\", value = \"OSDisk\"",
            "\"DestinationVariable\", value = \"Other\"",
            "variable Other is not set",
        ),
        ("value = \"DRV1\"", "value = \"DRV7\"", "there is no driver package \"DRV7\" on the medium; it has: DRV1"),
        ("\"DiskIndex\", value = \"0\"", "\"DiskIndex\", value = \"5\"", "there is no disk 5"),
    ];
    for (from, to, expected) in cases {
        let text = installation(REST);
        assert!(text.contains(from), "{from}");
        let mut bench = Bench::new(&text.replace(from, to));
        let mut machine = bench.machine();
        with_init(&mut machine);
        let end = bench.boot_system(&mut machine);
        assert!(matches!(end, End::Failed { .. }), "{to}: {end:?}");
        let last = bench.lines.0.last().expect("a line");
        assert!(last.contains(expected), "{expected}\n{last}");
        assert_eq!(machine.boots, None);
    }
}

#[test]
fn without_a_step_that_leaves_the_boot_system_the_disk_starts_all_the_same() {
    let mut bench = Bench::new(&installation(""));
    let mut machine = bench.machine();
    assert_eq!(bench.boot_system(&mut machine), End::StartFromDisk, "{:#?}", bench.lines.0);
    assert!(machine.boots.is_some());
    assert_eq!(bench.state_folder(), None, "there is nothing left to do");
}

#[test]
#[cfg(unix)]
fn links_of_an_image_lead_nowhere_out_of_it() {
    let outside = tempfile::tempdir().expect("a folder");
    let mut bench = Bench::new(&installation(REST));
    let mut machine = bench.machine();
    with_init(&mut machine);
    machine.link = Some(("var", outside.path().to_owned()));
    let end = bench.boot_system(&mut machine);
    assert_eq!(end, End::StartFromDisk, "{:#?}", bench.lines.0);
    // An absolute link means the image's own root, as it does for the system.
    let left: Vec<_> = std::fs::read_dir(outside.path()).expect("lists").flatten().collect();
    assert!(left.is_empty(), "{left:?}");
    let root = machine.folder_of(&Machine::volumes(&machine)[0]);
    let below = outside.path().strip_prefix("/").expect("absolute");
    assert!(root.join(below).join("lib/platen/drivers/DRV1/net.ko").is_file());
}
