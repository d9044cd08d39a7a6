// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What a drive claims to be: the manifest found on it, if it is signed by a trusted key.

use std::collections::BTreeMap;

use platen_disk::DriveIds;
use platen_media::envelope;
use platen_media::examination::{Examination, SeenFile, SeenIds};
use platen_media::manifest::Scheme;
use platen_media::sign::{SignError, SignedMedia, TrustedKeys};

/// A medium was written here once. Whether it is still complete and unchanged is another question.
pub(crate) struct SignedClaim<'a> {
    pub(crate) ids: &'a SeenIds,
    /// Everything found, by path; of two with one path the last.
    pub(crate) files: BTreeMap<&'a str, &'a SeenFile>,
    pub(crate) signed: SignedMedia,
}

/// Why a drive's manifest is not accepted.
pub(crate) enum NoClaim {
    /// What is missing.
    NoMedium(&'static str),
    NotTrusted(SignError),
}

impl<'a> SignedClaim<'a> {
    pub(crate) fn of(found: &'a Examination, keys: &TrustedKeys) -> Result<Self, NoClaim> {
        let files: BTreeMap<&str, &SeenFile> = found.files.iter().map(|file| (&*file.path, file)).collect();
        let text = |path| files.get(path).and_then(|file| file.text.as_deref());
        let ids = found.ids.as_ref();
        let ids = ids.ok_or(NoClaim::NoMedium("no partition table and FAT32 volume as Platen writes them"))?;
        let (Some(manifest), Some(signature)) = (text(envelope::MANIFEST), text(envelope::MANIFEST_SIGNATURE)) else {
            return Err(NoClaim::NoMedium("no manifest and signature in platen/"));
        };
        let signed = SignedMedia::check(manifest.as_bytes(), signature.to_owned(), keys);
        Ok(Self { ids, signed: signed.map_err(NoClaim::NotTrusted)?, files })
    }

    /// The text of a file that carries manifest or signatures.
    pub(crate) fn text(&self, path: &str) -> Option<&'a str> {
        self.files.get(path).and_then(|file| file.text.as_deref())
    }

    pub(crate) fn scheme(&self) -> Scheme {
        if self.ids.gpt { Scheme::Gpt } else { Scheme::Mbr }
    }

    pub(crate) fn drive_ids(&self) -> DriveIds {
        DriveIds {
            disk_signature: self.ids.disk_signature,
            volume_serial: self.ids.volume_serial,
            disk_guid: self.ids.disk_guid,
            esp_guid: self.ids.esp_guid,
            bios_boot_guid: self.ids.bios_boot_guid,
        }
    }
}
