// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Manifests of media.

use platen_disk::{DiskSpec, DriveIds, FatTime, FileSpec, Scheme, VolumeLabel, lay_out};
use platen_media::manifest::{Location, Manifest};
use platen_media::{MediaPath, Sha256};
use platen_testkit::media::{manifest, packs};

use crate::Answer;

pub(super) fn samples() -> Vec<Vec<u8>> {
    let mut with_folders = manifest("PLT00002", 7, &packs(2)).0;
    with_folders.folders = ["Users/Public", "logs"].map(|path| MediaPath::new(path).unwrap()).into();
    with_folders.comment = "for room 7".to_owned();
    vec![manifest("PLT00001", 1, &packs(1)).0.to_json(), with_folders.to_json()]
}

pub(super) fn ask(bytes: &[u8]) -> Answer {
    let Ok(manifest) = Manifest::from_json(bytes) else { return Answer::Refused };
    let written = manifest.to_json();
    assert_eq!(Manifest::from_json(&written).unwrap(), manifest, "what is written is read as the same");
    let sums = manifest.sha256_sums(Sha256::of(&written));
    assert_eq!(sums.iter().filter(|byte| **byte == b'\n').count(), manifest.files.len() + 1);
    for file in &manifest.files {
        assert!(manifest.content_of(file).is_some(), "{}: of a content that is there", file.path);
        let fits = |at: Location| {
            let blob = manifest.blobs.get(at.blob as usize);
            blob.is_some_and(|blob| {
                at.offset_bytes.checked_add(file.size_bytes).is_some_and(|end| end <= blob.size_bytes)
            })
        };
        assert!(file.at.is_none_or(fits), "{}: inside of its blob", file.path);
    }
    if manifest.image.is_none() && manifest.content_bytes() < 1 << 30 {
        laid_out(&manifest);
    }
    Answer::Accepted
}

/// What is accepted can be laid out on a drive with room for it.
fn laid_out(manifest: &Manifest) {
    let spec = DiskSpec {
        size_bytes: 4 << 30,
        sector_bytes: 512,
        scheme: Scheme::Mbr,
        label: VolumeLabel::new("FUZZ").unwrap(),
        ids: DriveIds::default(),
        modified: FatTime::from_unix_seconds(1_795_000_000),
        boot: None,
        folders: manifest.folders.iter().map(|folder| folder.as_str().to_owned()).collect(),
    };
    let files: Vec<FileSpec<'_>> = manifest
        .files
        .iter()
        .map(|record| FileSpec {
            path: record.path.as_str(),
            size_bytes: record.size_bytes,
            sealed: false,
            keep_at_bytes: None,
            modified: None,
        })
        .collect();
    lay_out(&spec, &files).unwrap_or_else(|error| panic!("accepted, and can't be laid out: {error}"));
}
