// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What both halves need: the outside judge, a tree, comparing trees.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use platen_testkit::files::noise;
use platen_wim::capture;
use tempfile::TempDir;

/// The outside judge.
pub(crate) fn imagex(arguments: &[&str]) -> bool {
    let output = Command::new("wimlib-imagex").args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    output.status.success() && !text.contains("[WARNING]") && !text.contains("[ERROR]")
}

pub(crate) fn str(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Twelve files of up to 1 MiB, a folder without files, an empty file, a link.
pub(crate) fn make_tree(dir: &Path) -> PathBuf {
    let tree = dir.join("tree");
    fs::create_dir_all(tree.join("Windows/System32/empty")).unwrap();
    for number in 0..12_u64 {
        let mut bytes = noise(number, 100_000 + 80_000 * number as usize);
        bytes.extend(vec![b'a'; 50_000]);
        fs::write(tree.join(format!("Windows/System32/file {number}.dll")), bytes).unwrap();
    }
    fs::write(tree.join("nothing.txt"), "").unwrap();
    fs::write(tree.join("gr\u{fc}n \u{1f4be}.txt"), "unicode").unwrap();
    std::os::unix::fs::symlink("nothing.txt", tree.join("link")).unwrap();
    tree
}

/// All below a folder: content, or the target of a link.
pub(crate) fn snapshot(tree: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![tree.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let kind = fs::symlink_metadata(&path).unwrap().file_type();
            let content = if kind.is_symlink() {
                Some(fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes())
            } else if kind.is_dir() {
                waiting.push(path.clone());
                None
            } else {
                Some(fs::read(&path).unwrap())
            };
            found.insert(path.strip_prefix(tree).unwrap().to_owned(), content);
        }
    }
    found
}

pub(crate) struct Bench {
    pub(crate) dir: TempDir,
    pub(crate) tree: PathBuf,
    pub(crate) wim: PathBuf,
}

pub(crate) fn bench() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let tree = make_tree(dir.path());
    let wim = dir.path().join("install.wim");
    capture(&tree, &wim, "Platen test").unwrap();
    Bench { dir, tree, wim }
}

pub(crate) fn solid(bench: &Bench) -> PathBuf {
    let path = bench.dir.path().join("install.esd");
    assert!(imagex(&["capture", str(&bench.tree), str(&path), "Platen solid", "--solid", "--boot"]));
    path
}

pub(crate) fn quiet() -> impl FnMut(u64, u64) {
    |_, _| {}
}
