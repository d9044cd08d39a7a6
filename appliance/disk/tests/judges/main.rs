// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Outside judges: layouts are rendered into sparse image files and other people's programs and crates say whether they
//! are right. `fsck.fat`, `mtools`, `sfdisk`, `sgdisk`, and the crates `fatfs`, `hadris-fat` and `gpt` (as a reader).
//!
//! `PLATEN_TREES` sets the number of generated trees (64 unless set), `PLATEN_SEED` the seed (fixed unless set).
//! A missing program fails the test and names the Debian package; nothing is skipped.

#![expect(clippy::disallowed_methods, reason = "tests write image files and start judges; the crate itself may not")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod big;
mod controls;
mod fields;
mod grow;
mod image;
mod readers;
mod refusals;
mod shape;
mod smallest;
mod tables;
mod tools;
mod trees;
mod updates;

use image::Image;
use trees::Case;

/// Everything every judge has to say about one tree.
fn judge(case: &Case) {
    let files = case.files();
    let layout = platen_disk::lay_out(&case.spec, &files).unwrap_or_else(|e| panic!("{e}\n{case:?}"));
    let image = Image::render(&case.spec, &case.entries, &layout);
    let expected = case.expected();

    image.fsck().unwrap_or_else(|e| panic!("{e}\n{case:?}"));
    readers::hadris_check(&image).unwrap_or_else(|e| panic!("hadris check: {e}\n{case:?}"));
    for (reader, found) in
        [("mtools", tools::mtools(&image)), ("fatfs", readers::fatfs(&image)), ("hadris-fat", readers::hadris(&image))]
    {
        let shown = if reader == "mtools" { tools::as_mtools_shows(&expected) } else { expected.clone() };
        if let Some(difference) = trees::difference(&found, &shown) {
            panic!("{reader}: {difference}\n{case:?}");
        }
    }
    image.tables(case.spec.scheme).unwrap_or_else(|e| panic!("{e}\n{case:?}"));
}

#[test]
fn mbr_trees_read_back_the_same() {
    trees::for_each(platen_disk::Scheme::Mbr, judge);
}

#[test]
fn gpt_trees_read_back_the_same() {
    trees::for_each(platen_disk::Scheme::Gpt, judge);
}
