// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use super::grub::{Grub, Unlock};
use super::*;
use crate::cut_files::{CutFiles, FATES};
use crate::files::{Files, MachineFiles};

/// A file system that is always open.
struct Open;

impl Unlock for Open {
    fn set_writable(&self, _: bool) -> Result<(), KeeperError> {
        Ok(())
    }
}

/// GRUB's own tool.
fn editenv(file: &Path, arguments: &[&str]) -> String {
    let output = Command::new("grub-editenv").arg(file).args(arguments).output();
    let output = output.expect("grub-editenv runs: see appliance/install-packages test");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).expect("text")
}

struct Made {
    folder: tempfile::TempDir,
    path: PathBuf,
}

impl Made {
    fn new(values: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("grubenv");
        editenv(&path, &["create"]);
        editenv(&path, &[&["set"], values].concat());
        Self { folder, path }
    }

    fn store(&self) -> Grub {
        let lock = self.folder.path().join("lock");
        Grub { path: self.path.clone(), files: Arc::new(MachineFiles), partition: Arc::new(Open), lock }
    }
}

const AT_START: [&str; 5] = ["ORDER=A B", "A_OK=1", "A_LEFT=3", "B_OK=0", "B_LEFT=0"];

#[test]
fn what_grub_keeps_is_understood_and_kept() {
    let made = Made::new(&[AT_START.as_slice(), &["saved_entry=a\\b=c"]].concat());
    let store = made.store();
    assert_eq!(store.read().expect("read").first, Slot::A);
    let before = std::fs::metadata(&made.path).map(|found| std::os::unix::fs::MetadataExt::ino(&found)).expect("there");
    store.change(&|boot| boot.set_primary(Slot::B)).expect("written");
    let listed = editenv(&made.path, &["list"]);
    for line in ["ORDER=B A", "A_OK=1", "A_LEFT=3", "B_OK=1", "B_LEFT=3", "TRIAL=B", "saved_entry=a\\b=c"] {
        assert!(listed.lines().any(|found| found == line), "{line}: {listed}");
    }
    let after = std::fs::metadata(&made.path).map(|found| std::os::unix::fs::MetadataExt::ino(&found)).expect("there");
    assert_eq!(before, after, "it is another file, and lies elsewhere");
    // GRUB goes on with it.
    editenv(&made.path, &["set", "B_LEFT=2"]);
    assert_eq!(store.read().expect("read").slot(Slot::B).starts_left, 2);
}

#[test]
fn a_block_that_grub_refuses_is_its_defaults_and_is_replaced() {
    // Empty, zeros, without the header, far too long.
    for bytes in [Vec::new(), vec![0; 1024], b"ORDER=B A\n".to_vec(), vec![b'#'; 8192]] {
        let made = Made::new(&AT_START);
        std::fs::write(&made.path, &bytes).expect("written");
        let refused = Command::new("grub-editenv").arg(&made.path).arg("list").output().expect("runs");
        assert!(!refused.status.success(), "GRUB's tool takes {} bytes", bytes.len());
        let store = made.store();
        assert_eq!(store.read().expect("read"), BootState::default(), "{} bytes", bytes.len());
        store.change(&|boot| boot.set_healthy(Slot::A, "1.4.0")).expect("written");
        let listed = editenv(&made.path, &["list"]);
        assert!(listed.contains("A_VERSION=1.4.0\n"), "{listed}");
        assert_eq!(std::fs::metadata(&made.path).expect("there").len(), 1024);
    }
}

/// As people met it after editing the file by hand: with a line's end behind it, or cut off.
#[test]
fn a_block_of_another_length_keeps_what_it_says() {
    let whole = std::fs::read(&Made::new(&["ORDER=B A", "A_LEFT=1"]).path).expect("there");
    for bytes in [[whole.as_slice(), b"\n"].concat(), whole[..512].to_vec()] {
        let made = Made::new(&AT_START);
        std::fs::write(&made.path, &bytes).expect("written");
        assert!(editenv(&made.path, &["list"]).contains("ORDER=B A\n"));
        let store = made.store();
        store.change(&|boot| boot.set_healthy(Slot::B, "1.4.0")).expect("written");
        let listed = editenv(&made.path, &["list"]);
        assert!(listed.contains("ORDER=B A\n") && listed.contains("A_LEFT=1\n"), "{listed}");
        assert_eq!(std::fs::metadata(&made.path).expect("there").len(), 1024);
    }
}

#[test]
fn variables_stay_in_the_first_sector() {
    let made = Made::new(&[AT_START.as_slice(), &[format!("big={}", "x".repeat(440)).as_str()]].concat());
    let error = made.store().change(&|boot| boot.set_primary(Slot::B)).expect_err("too long");
    assert!(crate::error::in_full(&error).contains("at most 512 bytes"), "{error}");
    assert!(editenv(&made.path, &["list"]).contains("ORDER=A B\n"), "and nothing was written");
}

/// A change is there or it is not, whenever the power goes and whatever the disk makes of what was under way.
#[test]
fn a_power_cut_leaves_the_old_or_the_new() {
    let made = Made::new(&AT_START);
    let block = std::fs::read(&made.path).expect("there");
    let changes: [fn(&mut BootState); 3] = [
        |boot| boot.set_good(Slot::B, false),
        |boot| boot.set_primary(Slot::B),
        |boot| boot.set_healthy(Slot::A, "1.4.0-rc.12345678901234567890"),
    ];
    let mut tried = 0;
    for (spoilt, start) in [(false, block.clone()), (true, vec![0; 1024])] {
        for change in changes {
            for cut in 0..10 {
                for fate in FATES {
                    let files = Arc::new(CutFiles::with(&made.path, &start));
                    files.cut_after(cut);
                    let lock = made.folder.path().join("lock");
                    let dyn_files: Arc<dyn Files> = files.clone();
                    let store = Grub { path: made.path.clone(), files: dyn_files, partition: Arc::new(Open), lock };
                    let old = store.read().expect("read");
                    let mut new = old.clone();
                    change(&mut new);
                    let ended = store.change(&change);
                    let disk = files.after(fate);
                    let found = disk.get(&made.path).map(|bytes| grubenv::parse(bytes));
                    let state = match found {
                        Some(Ok(variables)) => BootState::from_variables(&variables),
                        _ if spoilt => BootState::default(),
                        other => panic!("cut {cut}, {fate:?}: {other:?}"),
                    };
                    assert!(state == old || state == new, "cut {cut}, {fate:?}: {state:?}");
                    assert!(ended.is_err() || state == new, "cut {cut}, {fate:?}: it was said to be kept");
                    tried += 1;
                }
            }
        }
    }
    assert_eq!(tried, 180);
}

/// The control: a file that is written anew in its place is lost by some of the same cuts.
#[test]
fn a_power_cut_loses_a_file_that_is_written_anew() {
    let path = PathBuf::from("/boot/grubenv");
    let made = Made::new(&AT_START);
    let block = std::fs::read(&made.path).expect("there");
    let mut lost = 0;
    for cut in 0..3 {
        for fate in FATES {
            let files = CutFiles::with(&path, &block);
            files.cut_after(cut);
            // Truncated, and written.
            let _ =
                files.create(&path, &[]).and_then(|()| files.create(&path, &block)).and_then(|()| files.sync(&path));
            lost += usize::from(files.after(fate).get(&path).is_none_or(|bytes| grubenv::parse(bytes).is_err()));
        }
    }
    assert!(lost > 0, "the cuts see nothing");
}

#[test]
fn a_new_slot_that_is_well_is_kept() {
    let mut boot = BootState::default();
    boot.set_good(Slot::B, false);
    boot.set_primary(Slot::B);
    boot.set_version(Slot::B, "1.5.0");
    assert!(boot.is_waiting(Slot::A) && !boot.has_come_back(Slot::A) && boot.was_healthy(Slot::A));
    // GRUB started it.
    boot.slot_mut(Slot::B).starts_left -= 1;
    assert!(!boot.was_healthy(Slot::B));
    boot.set_healthy(Slot::B, "1.5.0");
    assert!(boot.was_healthy(Slot::B));
    assert_eq!((boot.first, boot.slot(Slot::B).starts_left), (Slot::B, STARTS));
    assert_eq!(boot.trial, None);
}

#[test]
fn a_new_slot_that_is_not_well_is_not_tried_again() {
    let mut boot = BootState::default();
    boot.set_primary(Slot::B);
    boot.set_version(Slot::B, "1.5.0");
    boot.slot_mut(Slot::B).starts_left = 0;
    assert!(boot.has_come_back(Slot::A) && !boot.is_waiting(Slot::A));
    assert_eq!(boot.startable_version(Slot::B), None);
    boot.set_healthy(Slot::A, "1.4.0");
    assert_eq!((boot.first, boot.slot(Slot::B).is_good), (Slot::A, false));
    // That it came to nothing is known at every start, until the next update is written.
    assert!(boot.has_come_back(Slot::A));
    boot.set_healthy(Slot::A, "1.4.0");
    assert!(boot.has_come_back(Slot::A));
    boot.set_good(Slot::B, false);
    assert!(!boot.has_come_back(Slot::A));
}

#[test]
fn a_slot_that_was_well_gets_another_start() {
    // The power came and went, as it does at some places (rauc issue 490), and the other one, which is older, runs.
    let mut boot = BootState { first: Slot::B, ..BootState::default() };
    boot.slot_mut(Slot::B).starts_left = 0;
    assert!(!boot.has_come_back(Slot::A) && boot.is_passed_over(Slot::A));
    boot.set_healthy(Slot::A, "1.3.0");
    assert_eq!((boot.first, boot.slot(Slot::B).starts_left), (Slot::B, 1));
    // It comes up, and all is as before.
    boot.slot_mut(Slot::B).starts_left = 0;
    boot.set_healthy(Slot::B, "1.4.0");
    assert_eq!((boot.first, boot.slot(Slot::B).starts_left), (Slot::B, STARTS));
    assert!(!boot.is_passed_over(Slot::A) && !boot.is_passed_over(Slot::B));
}

#[test]
fn an_update_that_was_cut_off_is_not_started() {
    let mut boot = BootState::default();
    boot.set_version(Slot::B, "1.3.0");
    boot.set_good(Slot::B, false);
    // Whatever was written by then.
    assert_eq!(boot.startable_version(Slot::B), None);
    assert_eq!(boot.first, Slot::A);
    assert!(!boot.has_come_back(Slot::A) && !boot.is_waiting(Slot::A));
}

#[test]
fn the_kernel_is_told_its_slot() {
    assert_eq!(Slot::running("quiet platen.slot=b dm-mod.create=\"x\"\n").expect("read"), Slot::B);
    for line in ["", "platen.slot=", "platen.slot=c", "xplaten.slot=a"] {
        let error = Slot::running(line).expect_err("none").to_string();
        assert!(error.contains("platen.slot=a"), "{error}");
    }
}

#[test]
fn nonsense_in_the_variables_is_the_default() {
    let variables = [("ORDER", "C"), ("A_LEFT", "-1"), ("B_OK", "yes"), ("B_LEFT", "300"), ("TRIAL", "x")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    assert_eq!(BootState::from_variables(&variables), BootState::default());
}
