// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Steps beside the usual ones: users' state and data images.

use super::*;

/// Refresh: the users' folders are kept while another system comes.
const REFRESH: &str = r#"
        [[do]]
        step = "Store"
        type = "Request State Store"
        [[do]]
        step = "Capture"
        type = "Capture User State"
        [[do]]
        step = "Apply"
        type = "Apply Operating System Image"
        variables = [{ property = "ImagePackageID", value = "OS1" }]
        [[do]]
        step = "Setup"
        type = "Setup Windows and ConfigMgr"
        [[do]]
        step = "Restore"
        type = "Restore User State"
        [[do]]
        step = "Release"
        type = "Release State Store"
"#;

/// A computer with a Linux system and two users.
fn old_system(bench: &Bench) -> (FolderMachine, PathBuf) {
    let mut machine = bench.machine();
    with_init(&mut machine);
    // The image has a user of the same name, as a system that makes one at its installation.
    machine.image.push(("home/kim/.profile", "new".to_owned()));
    let root = machine.with_volume(1, Some('C'), true);
    for (path, text) in [
        ("etc/os-release", "ID=old\n"),
        ("opt/old", "old"),
        ("home/kim/letter.txt", "Dear"),
        ("home/kim/.profile", "own"),
        ("home/lee/photo.jpg", "photo"),
    ] {
        std::fs::create_dir_all(root.join(path).parent().expect("a folder")).expect("makes");
        std::fs::write(root.join(path), text).expect("writes");
    }
    (machine, root)
}

fn are_back(root: &Path) {
    let text = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(text("home/kim/letter.txt"), "Dear");
    assert_eq!(text("home/kim/.profile"), "own");
    assert_eq!(text("home/lee/photo.jpg"), "photo");
    assert_eq!(text("etc/os-release"), "ID=tiny\n", "the new system");
    assert!(!root.join("opt/old").exists() && !root.join("UserState").exists());
}

#[test]
fn users_keep_their_files_when_another_system_comes() {
    let mut bench = Bench::new(REFRESH);
    let (mut machine, root) = old_system(&bench);
    assert_eq!(bench.boot_system(&mut machine), End::StartFromDisk, "{:#?}", bench.lines.0);
    assert!(root.join("UserState/lee/photo.jpg").is_file() && !root.join("home/lee").exists());
    let mut system = bench.machine();
    assert_eq!(bench.deployed(&mut system), End::Finished, "{:#?}", bench.lines.0);
    are_back(&root);
    // The control: without the capture nothing of it is left.
    let mut bench = Bench::new(&REFRESH.replace("Capture User State", "Set Task Sequence Variable"));
    let (mut machine, root) = old_system(&bench);
    assert_eq!(bench.boot_system(&mut machine), End::StartFromDisk, "{:#?}", bench.lines.0);
    assert!(!root.join("home/lee").exists() && !root.join("UserState").exists());
    let mut system = bench.machine();
    assert!(matches!(bench.deployed(&mut system), End::Failed { .. }));
    assert!(bench.lines.0.last().is_some_and(|last| last.contains("nothing was captured")), "{:#?}", bench.lines.0);
}

#[test]
fn users_keep_their_files_when_the_power_is_cut() {
    let cuts = |bench: &mut Bench, cut: Option<usize>| {
        let (machine, root) = old_system(bench);
        drop(machine);
        if let Some(cut) = cut {
            bench.power_for(cut);
        }
        let run = |bench: &mut Bench| {
            let mut machine = bench.machine();
            with_init(&mut machine);
            machine.image.push(("home/kim/.profile", "new".to_owned()));
            machine.with_volume(1, Some('C'), true);
            assert_eq!(bench.boot_system(&mut machine), End::StartFromDisk, "{:#?}", bench.lines.0);
            let mut system = bench.machine();
            assert_eq!(bench.deployed(&mut system), End::Finished, "{:#?}", bench.lines.0);
        };
        let ended = catch_unwind(AssertUnwindSafe(|| run(bench)));
        if let Err(panic) = ended {
            assert_eq!(panic.downcast_ref::<&str>(), Some(&POWER_CUT), "{cut:?}");
            bench.power_is_back();
            let in_deployed = bench.state_folder().and_then(|folder| Store::new(&folder).load(None).ok().flatten());
            if in_deployed.is_some_and(|state| state.in_deployed) {
                let mut system = bench.machine();
                assert_eq!(bench.deployed(&mut system), End::Finished, "{cut:?}: {:#?}", bench.lines.0);
            } else {
                run(bench);
            }
        }
        root
    };
    let mut bench = Bench::new(REFRESH);
    let root = cuts(&mut bench, None);
    are_back(&root);
    let count = bench.lines.1.used();
    assert!(count > 15, "{count}");
    for cut in 0..count {
        let mut bench = Bench::new(REFRESH);
        let root = cuts(&mut bench, Some(cut));
        let photo = root.join("home/lee/photo.jpg");
        assert!(photo.is_file(), "{cut}: {:#?}", bench.lines.0);
    }
}

#[test]
fn a_state_store_that_is_none_is_refused() {
    for (store, expected) in [
        (r"\\server\share", r"there is no network), found"),
        ("Q:\\UserState", "there is no volume Q: here"),
        ("C:\\", "expected a folder on a disk of this computer"),
    ] {
        let mut bench = Bench::new(REFRESH);
        bench.variables.push(("OSDStateStorePath".to_owned(), store.to_owned(), false));
        let (mut machine, root) = old_system(&bench);
        let end = bench.boot_system(&mut machine);
        assert_eq!(end, End::Failed { path: "Capture".to_owned(), code: 0x8000_4005 });
        assert!(bench.lines.0.last().is_some_and(|last| last.contains(expected)), "{store}: {:#?}", bench.lines.0);
        assert!(root.join("home/lee/photo.jpg").is_file(), "nothing was touched");
    }
    // What an earlier run kept is not mixed with this one's.
    let mut bench = Bench::new(REFRESH);
    let (mut machine, root) = old_system(&bench);
    std::fs::create_dir_all(root.join("UserState/lee")).expect("makes");
    assert!(matches!(bench.boot_system(&mut machine), End::Failed { .. }));
    assert!(bench.lines.0.last().is_some_and(|last| last.contains("has \"lee\" already")), "{:#?}", bench.lines.0);
    // A Windows is left to USMT.
    let mut bench = Bench::new(REFRESH);
    let (mut machine, root) = old_system(&bench);
    std::fs::create_dir_all(root.join("Windows/System32")).expect("makes");
    assert!(matches!(bench.boot_system(&mut machine), End::Failed { .. }));
    assert!(bench.lines.0.last().is_some_and(|last| last.contains("USMT")), "{:#?}", bench.lines.0);
}

#[test]
#[cfg(unix)]
fn links_in_the_way_of_users_files_lead_nowhere() {
    let outside = tempfile::tempdir().expect("a folder");
    let mut bench = Bench::new(REFRESH);
    let (mut machine, root) = old_system(&bench);
    std::fs::rename(root.join("home"), outside.path().join("home")).expect("moves");
    std::os::unix::fs::symlink(outside.path().join("home"), root.join("home")).expect("links");
    assert_eq!(bench.boot_system(&mut machine), End::StartFromDisk, "{:#?}", bench.lines.0);
    assert!(outside.path().join("home/lee/photo.jpg").is_file(), "what is outside stays there");
}

fn data(more: &str) -> String {
    let disks = "{ property = \"Partitions\", value = \"2\" },
          { property = \"Partitions1Type\", value = \"Primary\" },
          { property = \"Partitions1FileSystem\", value = \"EXT4\" },
          { property = \"Partitions1Size\", value = \"50\" },
          { property = \"Partitions1SizeUnits\", value = \"%\" },
          { property = \"Partitions1VolumeLetterVariable\", value = \"DataDisk\" },";
    installation(&format!(
        "[[do]]\nstep = \"Data\"\ntype = \"Apply Data Image\"\nvariables = [{{ property = \"ImagePackageID\", value = \
         \"OS1\" }}, {{ property = \"ImageIndex\", value = \"1\" }}, {more}]\n{REST}"
    ))
    .replace("{ property = \"Partitions\", value = \"1\" },", disks)
    .replace("property = \"Partitions0Size\", value = \"100\"", "property = \"Partitions0Size\", value = \"50\"")
}

#[test]
fn a_data_image_comes_onto_the_volume_that_the_step_names() {
    let mut bench = Bench::new(&data("{ property = \"DestinationVariable\", value = \"DataDisk\" }"));
    let mut machine = bench.machine();
    with_init(&mut machine);
    assert_eq!(bench.boot_system(&mut machine), End::StartFromDisk, "{:#?}", bench.lines.0);
    let volumes = Machine::volumes(&machine);
    assert!(machine.folder_of(&volumes[1]).join("etc/os-release").is_file(), "{volumes:?}");
    let boots = machine.boots.clone().expect("the disk starts");
    assert_eq!(boots.system, volumes[0], "the system is where it was");
    let mut system = bench.machine();
    assert_eq!(bench.deployed(&mut system), End::Finished, "{:#?}", bench.lines.0);
}

#[test]
fn a_data_image_never_takes_the_systems_place() {
    let on_data = "{ property = \"DestinationVariable\", value = \"DataDisk\" }";
    for (more, expected) in [
        ("{ property = \"DestinationVariable\", value = \"OSDisk\" }".to_owned(), "holds the system"),
        (format!("{on_data}, {{ property = \"WipeDestinationPartition\", value = \"false\" }}"), "is emptied before"),
        ("{ property = \"DestinationVariable\", value = \"Nowhere\" }".to_owned(), "variable Nowhere is not set"),
    ] {
        let mut bench = Bench::new(&data(&more));
        let mut machine = bench.machine();
        with_init(&mut machine);
        let end = bench.boot_system(&mut machine);
        assert_eq!(end, End::Failed { path: "Data".to_owned(), code: 0x8000_4005 }, "{more}");
        assert!(bench.lines.0.last().is_some_and(|last| last.contains(expected)), "{expected}: {:#?}", bench.lines.0);
        let settled = machine.folder_of(&Machine::volumes(&machine)[0]).join("etc/hostname");
        assert!(settled.is_file(), "the system is as it was");
    }
}
