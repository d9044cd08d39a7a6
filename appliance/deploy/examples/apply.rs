// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! `tree WIM` writes the tree of a WIM beside it, as authoring does, and says its BLAKE3; `apply WIM BLAKE3 FOLDER|DEVICE` applies its
//! first image as a deployment does: to a folder of ext4, or to the device of an NTFS volume. `tests/bench` takes the time of the
//! second.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use platen_deploy::engine::checked::{CheckedFile, CheckedImage};
use platen_deploy::engine::machine::FileSystem;
use platen_deploy::target::{Places, apply};
use platen_media::piece_tree::PieceTree;
use platen_media::{Blake3, chain};

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tree", wim] => {
            let tree = PieceTree::of(&fs::read(wim)?);
            println!("{}", tree.root());
            fs::write(place(wim), tree.to_bytes())
        }
        ["apply", wim, blake3, destination] => {
            let blake3: Blake3 = blake3.parse().map_err(io::Error::other)?;
            let file = File::open(wim)?;
            let tree = PieceTree::read(&fs::read(place(wim))?, file.metadata()?.len(), blake3);
            let image = CheckedImage::new(vec![CheckedFile::new(wim, file, tree.map_err(io::Error::other)?)]);
            let destination = Path::new(destination);
            let file_system = if destination.is_dir() { FileSystem::Ext4 } else { FileSystem::Ntfs };
            let applied = apply(&Places::default(), &image, 1, destination, file_system, &mut |_| {});
            let read_bytes = image.read_bytes();
            image.finish().map_err(|error| io::Error::other(chain(&error)))?;
            println!("{read_bytes} bytes asked for");
            applied.map_err(|error| io::Error::other(chain(&error)))
        }
        _ => Err(io::Error::other("expected: tree WIM, or: apply WIM BLAKE3 FOLDER|DEVICE")),
    }
}

fn place(wim: &str) -> PathBuf {
    Path::new(wim).with_extension("tree")
}
