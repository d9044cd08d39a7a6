// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Headers, XML and tables of WIM files. `wimlib-imagex` says the same of what is accepted.

use std::fs;
use std::path::Path;
use std::process::Command;

use platen_testkit::files::{noise, put};

use crate::Answer;

thread_local! {
    /// Where nothing needs saving to disk.
    static FOLDER: tempfile::TempDir = {
        let memory = Path::new("/dev/shm");
        if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
    };
}

pub(super) fn samples() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let (tree, wim) = (folder.path().join("tree"), folder.path().join("sample.wim"));
    put(&tree.join("Windows/a.dll"), &noise(1, 300));
    put(&tree.join("readme.txt"), b"hello");
    platen_wim::capture(&tree, &wim, "Sample").unwrap();
    vec![fs::read(wim).unwrap()]
}

pub(super) fn ask(bytes: &[u8]) -> Answer {
    let path = FOLDER.with(|folder| folder.path().join("asked.wim"));
    fs::write(&path, bytes).unwrap();
    let Ok(info) = platen_wim::info(&path) else { return Answer::Refused };
    assert_eq!(info.total_bytes, bytes.len() as u64);
    assert_eq!(info.images.len(), info.image_count as usize);
    assert!(info.boot_index <= info.image_count, "{info:?}");
    assert!(info.images.iter().map(|image| image.index).eq(1..=info.image_count), "counted from 1");
    assert!((1..=info.parts).contains(&info.part), "a part of those there are: {info:?}");
    let output = Command::new("wimlib-imagex").arg("info").arg("--header").arg(&path).output();
    let output = output.expect("wimlib-imagex is here (appliance/install-packages test)");
    let said = String::from_utf8_lossy(&output.stdout);
    let number = |name: &str| -> Option<u32> {
        let line = said.lines().find(|line| line.starts_with(name))?;
        line.rsplit(['=', ':']).next()?.trim().parse().ok()
    };
    assert_eq!(number("Image Count"), Some(info.image_count), "{said}");
    assert_eq!(number("Boot Index"), Some(info.boot_index), "{said}");
    Answer::Accepted
}
