// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! How big a drive a medium needs. It is laid out while it is authored, by what lays out drives when they are written, so
//! that nothing is signed that no drive holds.

use std::fmt;

use platen_disk::{
    DiskSpec, DriveIds, FatTime, FileSpec, LayoutError, SECTOR_SIZES, Scheme, VolumeLabel, smallest_drive,
};
use platen_media::envelope::{self, Sizes};
use platen_media::manifest::Manifest;
use platen_media::spec::MediaSpec;
use platen_media::{MediaPath, Sha256, Timestamp};

use crate::content::gather::Gathered;
use crate::content::grub::BiosCode;
use crate::{AuthorError, BuildOptions, Signer};

/// The smallest drives that hold a medium; bigger ones do too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DriveNeeds {
    /// With 512-byte sectors, or with the only ones that a disk image is for.
    pub drive_bytes: u64,
    /// With 4096-byte sectors; None for a disk image.
    pub drive_4096_bytes: Option<u64>,
}

impl DriveNeeds {
    /// What a manifest says; None if its author did not.
    pub fn of(manifest: &Manifest) -> Option<Self> {
        let drive_4096_bytes = manifest.needs_drive_4096_bytes;
        manifest.needs_drive_bytes.map(|drive_bytes| Self { drive_bytes, drive_4096_bytes })
    }
}

impl fmt::Display for DriveNeeds {
    /// For people, as drives are sold.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (most, large) = (sold(self.drive_bytes), self.drive_4096_bytes.map(sold));
        write!(f, "needs a drive of {most} or more")?;
        match large {
            Some(large) if large != most => write!(f, " ({large} with 4096-byte sectors)"),
            _ => Ok(()),
        }
    }
}

/// Whole gigabytes, below one whole megabytes; never less than it is.
fn sold(bytes: u64) -> String {
    const GB: u64 = 1_000_000_000;
    const MB: u64 = 1_000_000;
    if bytes > GB - MB { format!("{} GB", bytes.div_ceil(GB)) } else { format!("{} MB", bytes.div_ceil(MB)) }
}

/// A medium as far as drives are concerned.
pub(crate) struct OnDrives<'a> {
    pub(crate) label: VolumeLabel,
    pub(crate) created: Timestamp,
    pub(crate) bios: Option<&'a BiosCode>,
    /// Path and size of every file that its manifest lists, in that order.
    pub(crate) files: Vec<(&'a str, u64)>,
    pub(crate) folders: &'a [MediaPath],
}

impl OnDrives<'_> {
    /// The smallest drive of each sector size.
    pub(crate) fn needs(&self, own: &Sizes) -> Result<DriveNeeds, LayoutError> {
        let (files, folders) = (self.specs(own), self.folder_names());
        let [small, large] = SECTOR_SIZES.map(|sector_bytes| smallest_drive(&files, &folders, sector_bytes));
        Ok(DriveNeeds { drive_bytes: small?, drive_4096_bytes: Some(large?) })
    }

    /// Tries what writers will do: the medium on the smallest drive of each sector size, with each partitioning scheme.
    pub(crate) fn lay_out(&self, own: &Sizes, needs: DriveNeeds) -> Result<(), LayoutError> {
        let (files, sizes) = (self.specs(own), [Some(needs.drive_bytes), needs.drive_4096_bytes]);
        for (sector_bytes, size_bytes) in SECTOR_SIZES.into_iter().zip(sizes) {
            let Some(size_bytes) = size_bytes else { continue };
            for scheme in Scheme::ALL {
                let spec = DiskSpec {
                    size_bytes,
                    sector_bytes,
                    scheme,
                    label: self.label,
                    ids: DriveIds::default(),
                    modified: FatTime::from_unix_seconds(self.created.unix_s()),
                    boot: self.bios.map(|code| code.of_scheme(scheme).clone()),
                    folders: self.folder_names(),
                };
                platen_disk::lay_out(&spec, &files)?;
            }
        }
        Ok(())
    }

    fn specs(&self, own: &Sizes) -> Vec<FileSpec<'_>> {
        let spec =
            |(path, size_bytes)| FileSpec { path, size_bytes, sealed: false, keep_at_bytes: None, modified: None };
        own.files().into_iter().chain(self.files.iter().copied()).map(spec).collect()
    }

    fn folder_names(&self) -> Vec<String> {
        self.folders.iter().map(ToString::to_string).collect()
    }
}

/// What a file takes in manifest and SHA256SUMS besides its path, in bytes.
const LISTED_BYTES: u64 = 400;
/// Far more than a policy takes, in bytes.
const POLICY_BYTES: u64 = 256 << 10;

/// The drives that a medium will need, from what is known before anything is read.
pub(crate) fn about_needed(
    spec: &MediaSpec,
    gathered: &Gathered,
    options: &BuildOptions,
) -> Result<DriveNeeds, AuthorError> {
    let mut files = vec![(envelope::POLICY_CLEAR.to_owned(), POLICY_BYTES)];
    for item in gathered.contents.iter().flat_map(|content| &content.items) {
        let (place, mut left_bytes) = (item.place().as_str(), item.size_bytes());
        // A WIM that will be split; parts have other names, but as many of them.
        let mut part = 1;
        while left_bytes > options.max_file_bytes {
            files.push((format!("{place}{part}"), options.max_file_bytes));
            (left_bytes, part) = (left_bytes - options.max_file_bytes, part + 1);
        }
        files.push((place.to_owned(), left_bytes));
    }
    let listed = files.iter().map(|(path, _)| LISTED_BYTES + 2 * path.len() as u64).sum();
    let folders: Vec<_> = gathered.contents.iter().flat_map(|content| content.folders.clone()).collect();
    let medium = OnDrives {
        label: spec.label,
        created: Timestamp::from_unix_s(options.now_s),
        bios: gathered.bios.as_ref(),
        files: files.iter().map(|(path, size_bytes)| (&**path, *size_bytes)).collect(),
        folders: &folders,
    };
    let own = Sizes { manifest: listed, manifest_signature: 512, sums: listed, sums_signature: 512 };
    medium.needs(&own).map_err(AuthorError::NoDrive)
}

/// Lays the medium out as it will be on drives, and puts the smallest drives that hold it into the manifest. Returns the
/// sizes of its own files.
pub(crate) fn lay_out(
    manifest: &mut Manifest,
    signer: &Signer,
    comment: &str,
    code: Option<&BiosCode>,
) -> Result<Sizes, AuthorError> {
    let any = Sha256::of(b"");
    // Signatures and digests are as long whatever they are of.
    let signature = signer.sign(b"", comment)?.len() as u64;
    let sums = manifest.sha256_sums(any).len() as u64;
    loop {
        let bytes = manifest.to_json().len() as u64;
        let own = Sizes { manifest: bytes, manifest_signature: signature, sums, sums_signature: signature };
        let medium = OnDrives {
            label: manifest.label,
            created: manifest.created,
            bios: code,
            files: manifest.files.iter().map(|file| (file.path.as_str(), file.size_bytes)).collect(),
            folders: &manifest.folders,
        };
        let needs = medium.needs(&own).map_err(AuthorError::NoDrive)?;
        if DriveNeeds::of(manifest) == Some(needs) {
            medium.lay_out(&own, needs).map_err(AuthorError::NoDrive)?;
            return Ok(own);
        }
        // The numbers themselves make the manifest longer, so they are looked at once more. They only grow.
        manifest.needs_drive_bytes = Some(needs.drive_bytes);
        manifest.needs_drive_4096_bytes = needs.drive_4096_bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_said_as_drives_are_sold_and_never_too_small() {
        let said = |drive_bytes, large| DriveNeeds { drive_bytes, drive_4096_bytes: large }.to_string();
        assert_eq!(said(7_200_000_001, Some(7_300_000_000)), "needs a drive of 8 GB or more");
        assert_eq!(said(8_000_000_000, None), "needs a drive of 8 GB or more");
        assert_eq!(said(8_000_000_001, None), "needs a drive of 9 GB or more");
        assert_eq!(said(34 << 20, Some(258 << 20)), "needs a drive of 36 MB or more (271 MB with 4096-byte sectors)");
        assert_eq!(said(999_000_001, None), "needs a drive of 1 GB or more");
        assert_eq!(said(1, None), "needs a drive of 1 MB or more");
    }
}
