// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The contents of a medium, each checked on its way to use: a file whose bytes are not the signed ones is never used.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use platen_media::manifest::{FileRecord, Manifest};
use platen_media::policy::{DeploymentPolicy, OperatingSystemImage, Software};
use platen_media::{Blake3, MediaPath, read_piece};

use super::machine::{ImageFiles, Progress};

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

    /// Reads every byte of the image's files and compares them with the manifest; only then their paths are given.
    pub fn checked_image(
        &self,
        image: &OperatingSystemImage,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<ImageFiles, ContentError> {
        let (folder, first) = image.path.as_str().rsplit_once('/').unwrap_or(("", image.path.as_str()));
        let stem = first.rsplit_once('.').map_or(first, |(stem, _)| stem);
        let in_folder = |name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        let mut paths = vec![image.path.as_str().to_owned()];
        paths.extend((2..=image.parts).map(|part| in_folder(&format!("{stem}{part}.swm"))));
        let files: Vec<&FileRecord> = paths.iter().map(|path| self.file(path)).collect::<Result<_, _>>()?;
        let total_bytes = files.iter().map(|file| file.size_bytes).sum();
        let mut done_bytes = 0;
        for file in files {
            self.read(file, &mut |piece| {
                done_bytes += piece.len() as u64;
                progress(Progress { done_bytes, total_bytes });
                Ok(())
            })?;
        }
        let mut paths = paths.into_iter().map(|path| self.root.join(path));
        let first = paths.next().unwrap_or_default();
        Ok(ImageFiles { first, more: paths.collect() })
    }

    fn file(&self, path: &str) -> Result<&'m FileRecord, ContentError> {
        let found = self.manifest.files.iter().find(|file| file.path.as_str() == path);
        found.ok_or_else(|| ContentError::Unknown {
            kind: "file",
            id: path.to_owned(),
            known: format!("{} other files", self.manifest.files.len()),
        })
    }

    /// Gives a file's bytes to `take`, piece by piece, and says whether they were the signed ones.
    fn read(
        &self,
        file: &FileRecord,
        take: &mut dyn FnMut(&[u8]) -> Result<(), ContentError>,
    ) -> Result<(), ContentError> {
        let path = self.root.join(file.path.as_str());
        let failed = |source| ContentError::Io { doing: "reading", path: file.path.to_string(), source };
        let mut from = File::open(&path).map_err(failed)?.take(file.size_bytes + 1);
        let mut hasher = blake3::Hasher::new();
        let mut piece = vec![0; PIECE_BYTES];
        let mut read_bytes = 0;
        loop {
            let read = read_piece(&mut from, &mut piece).map_err(failed)?;
            if read.is_empty() {
                break;
            }
            read_bytes += read.len() as u64;
            hasher.update(read);
            take(read)?;
        }
        let is_right = read_bytes == file.size_bytes && Blake3(*hasher.finalize().as_bytes()) == file.blake3;
        is_right.then_some(()).ok_or_else(|| ContentError::Changed { path: file.path.to_string() })
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
