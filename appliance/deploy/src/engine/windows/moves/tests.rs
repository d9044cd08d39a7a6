// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

use super::*;

/// A file and a folder, and where they go: one name is taken by an older file.
fn moves(root: &Path) -> [Move; 2] {
    for (path, text) in [("a/file", "new"), ("a/folder/one", "1"), ("a/folder/below/two", "2"), ("b/file", "old")] {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }
    ["file", "folder"].map(|name| Move { from: root.join("a").join(name), to: root.join("b").join(name) })
}

fn are_moved(root: &Path, moves: &[Move]) -> bool {
    let text = |path: &str| fs::read_to_string(root.join("b").join(path)).unwrap_or_default();
    let came = text("file") == "new" && text("folder/one") == "1" && text("folder/below/two") == "2";
    came && moves.iter().all(|it| !is_there(&it.from) && !is_there(&it.half()))
}

#[test]
fn to_another_volume_it_is_cut_at_each_operation_and_finished_later() {
    let count = 2 * Move::ACROSS.len();
    for cut in 0..=count {
        let root = tempfile::tempdir().expect("a folder");
        let moves = moves(root.path());
        let all = || moves.iter().flat_map(|it| Move::ACROSS.map(|operation| (operation, it)));
        let carry_out = |most: usize| all().take(most).for_each(|(operation, it)| operation(it).expect("done"));
        carry_out(cut);
        assert_eq!(are_moved(root.path(), &moves), cut == count, "{cut}: the control");
        let is_whole = |name: &str| {
            [&moves[0].from, &moves[0].to].iter().any(|path| fs::read_to_string(path).is_ok_and(|text| text == name))
        };
        assert!(is_whole("new"), "{cut}: the file is nowhere");
        carry_out(count);
        assert!(are_moved(root.path(), &moves), "{cut}");
    }
}

/// What an operation itself leaves when it is cut off: half a copy, half a folder.
#[test]
fn what_half_an_operation_leaves_is_no_part_of_the_result() {
    let root = tempfile::tempdir().expect("a folder");
    let moves = moves(root.path());
    let [file, folder] = &moves;
    fs::write(file.half(), "ne").expect("written");
    fs::create_dir_all(folder.half().join("stale")).expect("made");
    for operation in Move::ACROSS {
        operation(file).expect("done");
        operation(folder).expect("done");
        if folder.to.is_dir() && folder.from.is_dir() {
            fs::remove_file(folder.from.join("one")).expect("removed");
            // It comes again, by the first thing that is tried.
            folder.rename().expect("finished");
        }
    }
    assert!(are_moved(root.path(), &moves) && !is_there(&folder.to.join("stale")));
}

#[test]
fn within_a_volume_it_is_renamed_and_a_second_time_it_is_done() {
    let root = tempfile::tempdir().expect("a folder");
    let moves = moves(root.path());
    for _ in 0..2 {
        moves.iter().for_each(|it| it.rename().expect("renamed"));
        assert!(are_moved(root.path(), &moves));
    }
    fs::remove_file(&moves[0].to).expect("removed");
    assert_eq!(moves[0].rename().expect_err("it is nowhere").kind(), io::ErrorKind::NotFound);
}
