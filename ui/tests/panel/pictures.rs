// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Every screen as a picture, compared pixel by pixel with the one that was looked at.
//!
//! `tests/gallery` renders them all into a page; `PLATEN_PICTURES=DIR` in the environment does the same. A change that
//! is meant is taken over by `PLATEN_PICTURES=ui/tests/golden`, after looking at each.

#![allow(clippy::disallowed_methods, reason = "pictures are files")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use platen_ui::Language;

use super::desk::{PANELS, panel};
use super::played;
use super::png_file::{Picture, read, write};
use super::scenes::{SCENES, set_up};

/// Sizes that follow from the others. All other tests look at them too.
const BY_RULE: [&str; 2] = ["320x480", "240x320"];

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Name of each picture, and the picture.
fn render(mut each: impl FnMut(&str, &str, &str, Picture)) {
    for (size, width, height, is_mono) in PANELS.into_iter().filter(|(size, ..)| !BY_RULE.contains(size)) {
        for (name, prepare) in SCENES {
            for (language, short) in [(Language::English, "en"), (Language::Korean, "ko")] {
                let mut desk = set_up(*prepare, name, panel(width, height, is_mono), language);
                desk.ui.draw();
                each(size, name, short, desk.ui.frame().into());
            }
        }
    }
    played::render(each);
}

#[test]
fn every_screen_is_as_it_was_looked_at() {
    if let Some(folder) = std::env::var_os("PLATEN_PICTURES") {
        return write_all(Path::new(&folder));
    }
    let mut different = Vec::new();
    let mut seen = 0;
    render(|size, name, language, picture| {
        let file = format!("{size}-{name}-{language}.png");
        let is_same = std::fs::read(golden().join(&file)).is_ok_and(|bytes| read(&bytes) == picture);
        if !is_same {
            different.push(file);
        }
        seen += 1;
    });
    assert!(different.is_empty(), "{} of {seen} pictures are not as they were: {different:?}", different.len());
    let files = std::fs::read_dir(golden()).expect("the golden pictures").count();
    assert_eq!(files, seen, "pictures of screens that are no more");
}

fn write_all(folder: &Path) {
    let folder = if folder.is_absolute() {
        folder.to_owned()
    } else {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder)
    };
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut rows: BTreeMap<(usize, String), String> = BTreeMap::new();
    render(|size, name, language, picture| {
        let file = format!("{size}-{name}-{language}.png");
        std::fs::write(folder.join(&file), write(&picture)).expect("a file");
        // What was played comes after the scenes.
        let order = SCENES.iter().position(|(scene, _)| *scene == name).unwrap_or(SCENES.len());
        let zoom = if size == "128x64" { " class=\"zoom\"" } else { "" };
        let figure = format!(
            "<figure><img src=\"{file}\" alt=\"{file}\"{zoom}><figcaption>{size} {language}</figcaption></figure>\n"
        );
        rows.entry((order, name.to_owned())).or_insert_with(|| format!("<h2>{name}</h2>\n")).push_str(&figure);
    });
    if folder.canonicalize().ok() != golden().canonicalize().ok() {
        let style = "body{background:#c9ced2;font:14px sans-serif}figure{display:inline-block;margin:6px}.zoom{image-rendering:pixelated;width:384px}";
        let body: String = rows.into_values().collect();
        let page =
            format!("<!doctype html><meta charset=\"utf-8\"><title>Platen panel</title><style>{style}</style>\n{body}");
        std::fs::write(folder.join("index.html"), page).expect("a file");
    }
}
