// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! `move` when the power is cut in it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;

/// What the sequence has to move, and where it comes.
const MOVED: [(&str, &str); 3] = [
    ("Tools/Again.CMD", "Moved/Again.CMD"),
    ("Tools/Run.CMD", "Moved/Run.CMD"),
    ("Tools/more/deep.txt", "Users/more/deep.txt"),
];

fn sequence() -> String {
    let prepared = [r"xcopy tools C:\Tools\ /s /i /y", r"copy C:\Tools\Run.CMD C:\Tools\Again.CMD", r"md C:\Moved"];
    let package = "variables = [{ property = \"PackageID\", value = \"PKG1\" }]\n";
    let prepared: String = prepared.iter().map(|line| command(line) + package).collect();
    let moves = [r"cmd /c move /y C:\Tools\*.cmd C:\Moved\", r"move C:\Tools\more C:\Users\"];
    let moves: String =
        moves.iter().map(|line| command(line).replace("step = \"Command\"", "step = \"Move\"")).collect();
    format!("{}{prepared}{moves}{SETUP}", beginning("GPT"))
}

/// The volume of Windows, as a folder.
fn root(windows: &Windows) -> PathBuf {
    windows.bench.disk.path().join("disk0-2")
}

/// Cut off at this operation. False: it was none of a step that moves.
fn is_cut_while_moving(windows: &mut Windows, cut: usize) -> bool {
    windows.bench.power_for(cut);
    let mut machine = windows.machine();
    let ended = catch_unwind(AssertUnwindSafe(|| windows.bench.boot_system(&mut machine)));
    let panic = ended.expect_err("the power is cut before the end");
    assert_eq!(panic.downcast_ref::<&str>(), Some(&POWER_CUT), "{cut}");
    windows.bench.power_is_back();
    windows.bench.lines.0.last().is_some_and(|line| line.ends_with(" Move"))
}

/// It starts from the medium again. The last thing that is said.
fn resumed(windows: &mut Windows) -> (End, String) {
    let mut machine = windows.machine();
    let end = windows.bench.boot_system(&mut machine);
    (end, windows.bench.lines.0.last().cloned().unwrap_or_default())
}

#[test]
fn what_was_moved_before_a_power_cut_is_not_missed_after_it() {
    let Some(mut whole) = Windows::new(UEFI, &sequence()) else { return };
    whole.ends(&End::StartFromDisk);
    let count = whole.bench.lines.1.used();
    let windows = || Windows::new(UEFI, &sequence()).expect("its judges are here");
    let cuts: Vec<usize> = (0..count).filter(|cut| is_cut_while_moving(&mut windows(), *cut)).collect();
    let mut failed_without = 0;
    for (cut, back) in cuts.iter().flat_map(|cut| (0..=2).map(move |back| (*cut, back))) {
        for is_control in [false, true] {
            let mut windows = windows();
            assert!(is_cut_while_moving(&mut windows, cut));
            let root = root(&windows);
            // The last of the files go back: so the power was cut behind each of them.
            for (from, to) in MOVED[..2].iter().rev().take(back).filter(|_| root.join("Tools/more").exists()) {
                fs::rename(root.join(to), root.join(from)).expect("renamed");
            }
            if is_control {
                fs::remove_file(root.join(FOLDER).join("moves.json")).expect("it was kept");
            }
            let (end, last) = resumed(&mut windows);
            let is_moved = MOVED.iter().all(|(from, to)| root.join(to).is_file() && !root.join(from).exists());
            match is_control {
                true => failed_without += usize::from(end != End::StartFromDisk),
                false => assert_eq!((end, is_moved), (End::StartFromDisk, true), "{cut} {back}: {last}"),
            }
        }
    }
    assert!(cuts.len() >= 4 && failed_without > cuts.len(), "the control: {cuts:?} {failed_without}");
}
