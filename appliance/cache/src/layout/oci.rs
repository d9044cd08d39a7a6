// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The JSON documents of an OCI image layout, as far as media need them.

use std::collections::BTreeMap;

use platen_media::manifest::Manifest;
use platen_media::{Sha256, envelope};
use serde::{Deserialize, Serialize};

use super::{IndexEntry, MediaEntry, entry_name};

pub(super) const ARTIFACT_TYPE: &str = "application/vnd.platen.media.v1";
pub(super) const MANIFEST_TYPE: &str = "application/vnd.platen.manifest.v1+json";
pub(super) const SIGNATURE_TYPE: &str = "application/vnd.platen.minisig.v1";
pub(super) const SUMS_TYPE: &str = "application/vnd.platen.sha256sums.v1";
pub(super) const OCI_MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const OCI_INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
const CONTENT_TYPE: &str = "application/vnd.platen.content.v1";
const OCI_CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
pub(super) const REF_NAME: &str = "org.opencontainers.image.ref.name";
const TITLE: &str = "org.opencontainers.image.title";
/// Annotation with the id of a medium, without its revision.
pub(super) const MEDIA_ID: &str = "dev.platen.media.id";
/// Layers before the content blobs.
pub(super) const FIRST_CONTENT_LAYER: usize = 4;

/// Fields that are not ours.
pub(super) type Others = BTreeMap<String, serde_json::Value>;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub(super) media_type: String,
    pub(super) digest: String,
    pub(super) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) artifact_type: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
    /// What else an entry of the index says: kept for whoever wrote it.
    #[serde(flatten)]
    others: Others,
}

impl Descriptor {
    pub(super) fn new(media_type: &str, digest: Sha256, size: u64) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: format!("sha256:{digest}"),
            size,
            artifact_type: None,
            annotations: BTreeMap::new(),
            others: Others::new(),
        }
    }

    fn annotated(mut self, key: &str, value: &str) -> Self {
        self.annotations.insert(key.to_owned(), value.to_owned());
        self
    }

    pub(super) fn sha256(&self) -> Option<Sha256> {
        self.digest.strip_prefix("sha256:")?.parse().ok()
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index {
    pub(super) schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) media_type: Option<String>,
    pub(super) manifests: Vec<Descriptor>,
    #[serde(flatten)]
    pub(super) others: Others,
}

impl Index {
    /// Of a layout without media.
    pub(super) fn empty() -> Self {
        let media_type = Some(OCI_INDEX_TYPE.to_owned());
        Self { schema_version: 2, media_type, manifests: Vec::new(), others: Others::new() }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OciManifest {
    schema_version: u32,
    media_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) artifact_type: Option<String>,
    pub(super) config: Descriptor,
    pub(super) layers: Vec<Descriptor>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// Everything a layout gets for one medium besides its content.
pub(crate) struct Release {
    /// Blobs with their digests, the OCI manifest last.
    pub(super) documents: Vec<(Sha256, Vec<u8>)>,
    /// Entry of the index.
    pub(super) descriptor: Descriptor,
}

impl Release {
    pub(crate) fn new(manifest: &Manifest, entry: &MediaEntry) -> Self {
        let name = entry_name(manifest);
        let config = serde_json::json!({
            "created": manifest.created,
            "architecture": "unknown",
            "os": "unknown",
            "config": {},
            "rootfs": { "type": "layers", "diff_ids": [] },
        });
        let config = config.to_string().into_bytes();
        let small = [
            (MANIFEST_TYPE, &*entry.manifest_bytes, envelope::MANIFEST),
            (SIGNATURE_TYPE, entry.manifest_signature.as_bytes(), envelope::MANIFEST_SIGNATURE),
            (SUMS_TYPE, &*entry.sums, envelope::SHA256SUMS),
            (SIGNATURE_TYPE, entry.sums_signature.as_bytes(), envelope::SHA256SUMS_SIGNATURE),
        ];
        let described = |(media_type, bytes, title): (&str, &[u8], &str)| {
            Descriptor::new(media_type, Sha256::of(bytes), bytes.len() as u64).annotated(TITLE, title)
        };
        let content = entry.blobs.iter().map(|blob| Descriptor::new(CONTENT_TYPE, blob.sha256, blob.size_bytes));
        let annotations = [
            (TITLE, manifest.name.clone()),
            ("org.opencontainers.image.version", manifest.version.clone()),
            ("org.opencontainers.image.created", manifest.created.to_string()),
            (MEDIA_ID, manifest.id.clone()),
        ];
        let oci = OciManifest {
            schema_version: 2,
            media_type: OCI_MANIFEST_TYPE.to_owned(),
            artifact_type: Some(ARTIFACT_TYPE.to_owned()),
            config: Descriptor::new(OCI_CONFIG_TYPE, Sha256::of(&config), config.len() as u64),
            layers: small.into_iter().map(described).chain(content).collect(),
            annotations: annotations.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        };
        let oci = serde_json::to_vec(&oci).expect("an OCI manifest has only strings, numbers and lists");
        let mut descriptor = Descriptor::new(OCI_MANIFEST_TYPE, Sha256::of(&oci), oci.len() as u64)
            .annotated(REF_NAME, &name)
            .annotated(MEDIA_ID, &manifest.id);
        descriptor.artifact_type = Some(ARTIFACT_TYPE.to_owned());
        let documents = small.into_iter().map(|(_, bytes, _)| bytes.to_owned()).chain([config, oci]);
        Self { documents: documents.map(|bytes| (Sha256::of(&bytes), bytes)).collect(), descriptor }
    }

    /// What will stand in the index for it.
    pub(crate) fn entry(&self, manifest: &Manifest) -> IndexEntry {
        let oci_manifest = self.descriptor.sha256().expect("made from a digest");
        IndexEntry { name: entry_name(manifest), media_id: manifest.id.clone(), oci_manifest }
    }

    /// The bytes of one of these blobs.
    pub(crate) fn document(&self, digest: Sha256) -> Option<&[u8]> {
        self.documents.iter().find(|(known, _)| *known == digest).map(|(_, bytes)| &**bytes)
    }

    /// Digest and size of every blob.
    pub(crate) fn blobs(&self) -> impl Iterator<Item = (Sha256, u64)> + '_ {
        self.documents.iter().map(|(digest, bytes)| (*digest, bytes.len() as u64))
    }
}
