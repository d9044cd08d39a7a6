// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The contents of a medium, each checked on its way to use: a file whose bytes are not the signed ones is never used.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use platen_media::manifest::{FileRecord, Manifest};
use platen_media::piece_tree::{MAX_TREE_BYTES, PieceHasher, PieceTree, TreeError};
use platen_media::policy::{DeploymentPolicy, OperatingSystemImage, Software};
use platen_media::{Blake3, MediaPath, read_at_most, read_piece};

use super::checked::{CheckedFile, CheckedImage};
use super::machine::Progress;

/// How much is read at a time.
const PIECE_BYTES: usize = 1 << 20;

/// Why a content can't be used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum ContentError {
    #[error("there is no {kind} {id:?} on the medium; it has: {known}")]
    Unknown { kind: &'static str, id: String, known: String },
    #[error("{path}: content changed since the medium was signed; use another drive")]
    Changed { path: String },
    #[error("{doing} {path}")]
    Io { doing: &'static str, path: String, source: std::io::Error },
}

/// A medium's contents: the folder in which it is mounted, and what its signed manifest says of each file.
#[derive(Debug, Clone, Copy)]
pub struct Contents<'m> {
    root: &'m Path,
    manifest: &'m Manifest,
    policy: &'m DeploymentPolicy,
}

impl<'m> Contents<'m> {
    /// Nothing is read before it is used.
    pub fn new(root: &'m Path, manifest: &'m Manifest, policy: &'m DeploymentPolicy) -> Self {
        Self { root, manifest, policy }
    }

    /// The operating system image of this id; an empty id means the only one there is.
    pub fn system_image(&self, id: &str) -> Result<&'m OperatingSystemImage, ContentError> {
        let image = self.policy.operating_system_image.as_ref();
        image.filter(|image| id.is_empty() || image.id.eq_ignore_ascii_case(id)).ok_or_else(|| ContentError::Unknown {
            kind: "operating system image",
            id: id.to_owned(),
            known: image.map_or_else(|| "none".to_owned(), |image| image.id.clone()),
        })
    }

    /// The folder of a driver package.
    pub fn driver_package(&self, id: &str) -> Result<&'m MediaPath, ContentError> {
        let packages = &self.policy.driver_packages;
        let found = packages.iter().find(|package| package.id.eq_ignore_ascii_case(id));
        found.map(|package| &package.folder).ok_or_else(|| ContentError::Unknown {
            kind: "driver package",
            id: id.to_owned(),
            known: list(packages.iter().map(|package| &*package.id)),
        })
    }

    /// All driver packages: ids and folders.
    pub fn driver_packages(&self) -> impl Iterator<Item = (&'m str, &'m MediaPath)> + use<'m> {
        self.policy.driver_packages.iter().map(|package| (&*package.id, &package.folder))
    }

    /// An application.
    pub fn application(&self, id: &str) -> Result<&'m Software, ContentError> {
        software(&self.policy.applications, "application", id)
    }

    /// A package.
    pub fn package(&self, id: &str) -> Result<&'m Software, ContentError> {
        software(&self.policy.packages, "package", id)
    }

    fn files_in(&self, folder: &MediaPath) -> impl Iterator<Item = (&'m FileRecord, &'m str)> {
        let prefix = format!("{folder}/");
        self.manifest.files.iter().filter_map(move |file| Some((file, file.path.as_str().strip_prefix(&prefix)?)))
    }

    /// Copies a content's folder, hashing what is copied. After an error nothing of it is left.
    pub fn copy(&self, folder: &MediaPath, to: &Path, progress: &mut dyn FnMut(Progress)) -> Result<(), ContentError> {
        let copied = self.copy_files(folder, to, progress);
        if copied.is_err() {
            let _ = std::fs::remove_dir_all(to);
        }
        copied
    }

    fn copy_files(
        &self,
        folder: &MediaPath,
        to: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), ContentError> {
        let total_bytes = self.files_in(folder).map(|(file, _)| file.size_bytes).sum();
        let mut done_bytes = 0;
        make_folder(to)?;
        for (file, below) in self.files_in(folder) {
            let target = to.join(below);
            if let Some(parent) = target.parent() {
                make_folder(parent)?;
            }
            let mut out = File::create(&target).map_err(io("making", &target))?;
            let mut write = |piece: &[u8]| {
                done_bytes += piece.len() as u64;
                progress(Progress { done_bytes, total_bytes });
                out.write_all(piece).map_err(io("writing", &target))
            };
            self.read(file, &mut write)?;
        }
        Ok(())
    }

    /// The image's files, for whoever applies it. Media of earlier versions have no trees of them: such a file is read as a
    /// whole before, which the progress is of, and its tree made of what was read.
    pub fn image(
        &self,
        image: &OperatingSystemImage,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<CheckedImage, ContentError> {
        let (folder, first) = image.path.as_str().rsplit_once('/').unwrap_or(("", image.path.as_str()));
        let stem = first.rsplit_once('.').map_or(first, |(stem, _)| stem);
        let in_folder = |name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        let mut paths = vec![image.path.as_str().to_owned()];
        paths.extend((2..=image.parts).map(|part| in_folder(&format!("{stem}{part}.swm"))));
        let records: Vec<&FileRecord> = paths.iter().map(|path| self.file(path)).collect::<Result<_, _>>()?;
        let total_bytes = records.iter().map(|record| record.size_bytes).sum();
        let (mut done_bytes, mut files) = (0, Vec::new());
        for record in records {
            let tree = match self.tree(record)? {
                Some(tree) => tree,
                None => self.read(record, &mut |piece| {
                    done_bytes += piece.len() as u64;
                    progress(Progress { done_bytes, total_bytes });
                    Ok(())
                })?,
            };
            files.push(CheckedFile::new(record.path.as_str(), self.open(record)?, tree));
        }
        Ok(CheckedImage::new(files))
    }

    /// The tree that comes to a file's signed BLAKE3; None where the medium has none in a form that is known.
    fn tree(&self, record: &FileRecord) -> Result<Option<PieceTree>, ContentError> {
        let Some(place) = PieceTree::path(record.size_bytes, record.blake3) else {
            return Ok(PieceTree::of_one_piece(record.size_bytes, record.blake3));
        };
        let Some(file) = self.manifest.files.iter().find(|file| file.path == place) else { return Ok(None) };
        let failed = |source| ContentError::Io { doing: "reading", path: place.to_string(), source };
        let bytes = read_at_most(self.open(file)?, MAX_TREE_BYTES).map_err(failed)?.unwrap_or_default();
        match PieceTree::read(&bytes, record.size_bytes, record.blake3) {
            Ok(tree) => Ok(Some(tree)),
            // Its own digest tells one that was changed from one of a later version.
            Err(TreeError::Form) if Blake3::of(&bytes) == file.blake3 => Ok(None),
            Err(_) => Err(ContentError::Changed { path: place.to_string() }),
        }
    }

    fn file(&self, path: &str) -> Result<&'m FileRecord, ContentError> {
        let found = self.manifest.files.iter().find(|file| file.path.as_str() == path);
        found.ok_or_else(|| ContentError::Unknown {
            kind: "file",
            id: path.to_owned(),
            known: format!("{} other files", self.manifest.files.len()),
        })
    }

    fn open(&self, record: &FileRecord) -> Result<File, ContentError> {
        let path = record.path.as_str();
        let failed = |source| ContentError::Io { doing: "reading", path: path.to_owned(), source };
        let file = File::open(self.root.join(path)).map_err(failed)?;
        let found_bytes = file.metadata().map_err(failed)?.len();
        if found_bytes == record.size_bytes { Ok(file) } else { Err(ContentError::Changed { path: path.to_owned() }) }
    }

    /// Gives a file's bytes to `take`, piece by piece, and says whether they were the signed ones.
    fn read(
        &self,
        record: &FileRecord,
        take: &mut dyn FnMut(&[u8]) -> Result<(), ContentError>,
    ) -> Result<PieceTree, ContentError> {
        let failed = |source| ContentError::Io { doing: "reading", path: record.path.to_string(), source };
        let mut from = self.open(record)?.take(record.size_bytes + 1);
        let mut hasher = PieceHasher::new();
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let read = read_piece(&mut from, &mut piece).map_err(failed)?;
            if read.is_empty() {
                break;
            }
            hasher.update(read);
            take(read)?;
        }
        let tree = hasher.finish();
        let is_right = tree.size_bytes() == record.size_bytes && tree.root() == record.blake3;
        is_right.then_some(tree).ok_or_else(|| ContentError::Changed { path: record.path.to_string() })
    }
}

fn software<'m>(all: &'m [Software], kind: &'static str, id: &str) -> Result<&'m Software, ContentError> {
    // Configuration Manager's Install Application names what people see; ours has ids.
    let is = |software: &&Software| software.id.eq_ignore_ascii_case(id) || software.name.eq_ignore_ascii_case(id);
    all.iter().find(is).ok_or_else(|| ContentError::Unknown {
        kind,
        id: id.to_owned(),
        known: list(all.iter().map(|software| &*software.id)),
    })
}

fn list<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    let ids: Vec<&str> = ids.collect();
    if ids.is_empty() { "none".to_owned() } else { ids.join(", ") }
}

fn make_folder(path: &Path) -> Result<(), ContentError> {
    std::fs::create_dir_all(path).map_err(io("making", path))
}

fn io(doing: &'static str, path: &Path) -> impl Fn(std::io::Error) -> ContentError {
    let path: PathBuf = path.to_owned();
    move |source| ContentError::Io { doing, path: path.display().to_string(), source }
}
