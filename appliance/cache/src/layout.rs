//! An OCI image layout (image-spec v1.1, "image-layout") that holds Platen media.
//!
//! ```text
//! oci-layout                    {"imageLayoutVersion":"1.0.0"}
//! index.json                    one entry for each medium, named <id>-r<revision>
//! blobs/sha256/<digest>         OCI manifests, Platen manifests, signatures, content
//! ```
//! Each medium is an OCI artifact. Its layers are the Platen manifest, the manifest's signature, SHA256SUMS, that
//! file's signature, then the content blobs in the order of `Manifest::blobs`. Its config says nothing, but is an
//! image config, because tools older than OCI 1.1 (skopeo 1.9 of Debian 12) refuse to inspect any other.
//!
//! Writing order is what makes it safe to be killed at any moment: a blob appears under its digest only after all
//! its bytes are on disk, and `index.json` is replaced, never edited, after every blob it leads to.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use platen_media::manifest::{Blob, MAX_MANIFEST_BYTES, Manifest};
use platen_media::{Sha256, Sha256Hasher, envelope};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::{CacheError, MediaRef};

const ARTIFACT_TYPE: &str = "application/vnd.platen.media.v1";
const MANIFEST_TYPE: &str = "application/vnd.platen.manifest.v1+json";
const SIGNATURE_TYPE: &str = "application/vnd.platen.minisig.v1";
const SUMS_TYPE: &str = "application/vnd.platen.sha256sums.v1";
const CONTENT_TYPE: &str = "application/vnd.platen.content.v1";
const OCI_MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
const REF_NAME: &str = "org.opencontainers.image.ref.name";
const TITLE: &str = "org.opencontainers.image.title";
/// Annotation with the id of a medium, without its revision.
const MEDIA_ID: &str = "dev.platen.media.id";
/// index.json and OCI manifests beyond this size are not ours.
const MAX_JSON_BYTES: u64 = 64 << 20;

/// Beginning of the names of files that are not finished. After a kill they stay behind.
const TEMPORARY: &str = ".new-";

const OCI_CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
/// Layers before the content blobs.
const FIRST_CONTENT_LAYER: usize = 4;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

impl Descriptor {
    fn new(media_type: &str, digest: Sha256, size: u64) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: format!("sha256:{digest}"),
            size,
            artifact_type: None,
            annotations: BTreeMap::new(),
        }
    }

    fn annotated(mut self, key: &str, value: &str) -> Self {
        self.annotations.insert(key.to_owned(), value.to_owned());
        self
    }

    fn sha256(&self) -> Option<Sha256> {
        self.digest.strip_prefix("sha256:")?.parse().ok()
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    manifests: Vec<Descriptor>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OciManifest {
    schema_version: u32,
    media_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    config: Descriptor,
    layers: Vec<Descriptor>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// What stands in an index for one medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// `<id>-r<revision>`.
    pub name: String,
    pub media_id: String,
    /// Digest of the OCI manifest.
    pub oci_manifest: Sha256,
}

/// A medium as it lies in a layout: nothing about it was checked yet but sizes and digests of the small files.
#[derive(Debug, Clone)]
pub struct MediaEntry {
    pub manifest_bytes: Vec<u8>,
    pub manifest_signature: String,
    pub sums: Vec<u8>,
    pub sums_signature: String,
    /// Content blobs, in the order of `Manifest::blobs`.
    pub blobs: Vec<Blob>,
}

/// An OCI image layout in a folder.
#[derive(Debug, Clone)]
pub struct Layout {
    dir: PathBuf,
}

impl Layout {
    /// Open `dir` as a layout, making an empty one where there is nothing yet.
    pub fn create(dir: &Path) -> Result<Self, CacheError> {
        let layout = Self { dir: dir.to_owned() };
        let marker = dir.join("oci-layout");
        if !marker.exists() {
            let entries = match fs::read_dir(dir) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    fs::create_dir_all(dir).map_err(CacheError::io("making the folder", dir))?;
                    fs::read_dir(dir).map_err(CacheError::io("listing", dir))?
                }
                Err(error) => return Err(CacheError::io("listing", dir)(error)),
            };
            for entry in entries {
                let name = entry.map_err(CacheError::io("listing", dir))?.file_name();
                // A kill between these steps leaves only what this function makes.
                let ours = name == "blobs" || name == "index.json" || is_temporary(&name);
                if !ours {
                    let found = format!("the folder is not empty (it holds {name:?}) and has no file oci-layout");
                    return Err(CacheError::NotALayout { path: dir.to_owned(), found });
                }
            }
            let blobs = layout.blobs_dir();
            fs::create_dir_all(&blobs).map_err(CacheError::io("making the folder", &blobs))?;
            if !dir.join("index.json").exists() {
                layout.write_index(&[])?;
            }
            replace_file(&marker, b"{\"imageLayoutVersion\":\"1.0.0\"}\n")?;
        }
        Self::open(dir)
    }

    /// Open an existing layout.
    pub fn open(dir: &Path) -> Result<Self, CacheError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Marker {
            image_layout_version: String,
        }
        let path = dir.join("oci-layout");
        let not_a_layout = |found: String| CacheError::NotALayout { path: dir.to_owned(), found };
        let bytes = match read_bounded(&path, 4096) {
            Err(CacheError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Err(not_a_layout("there is no file oci-layout".into()));
            }
            other => other?,
        };
        let marker: Marker = serde_json::from_slice(&bytes).map_err(|source| CacheError::Json { path, source })?;
        if marker.image_layout_version != "1.0.0" {
            let found = format!("expected version 1.0.0, found {:?}", marker.image_layout_version);
            return Err(not_a_layout(found));
        }
        Ok(Self { dir: dir.to_owned() })
    }

    /// The layout's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn blobs_dir(&self) -> PathBuf {
        self.dir.join("blobs/sha256")
    }

    /// Where a blob is, whether it exists or not.
    pub fn blob_path(&self, digest: Sha256) -> PathBuf {
        self.blobs_dir().join(digest.to_string())
    }

    /// Size of a blob in bytes, if it is there.
    pub fn blob_size_bytes(&self, digest: Sha256) -> Option<u64> {
        fs::metadata(self.blob_path(digest)).ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len())
    }

    /// Write a blob whose digest is not known yet.
    pub fn blob_writer(&self) -> Result<BlobWriter, CacheError> {
        let dir = self.blobs_dir();
        let file = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .tempfile_in(&dir)
            .map_err(CacheError::io("making a temporary file in", &dir))?;
        Ok(BlobWriter { file, hasher: Sha256Hasher::new(), size_bytes: 0, dir })
    }

    /// Store `bytes` as a blob, in place of a damaged one.
    pub fn put_blob(&self, bytes: &[u8]) -> Result<Sha256, CacheError> {
        let digest = Sha256::of(bytes);
        let whole = self.blob_size_bytes(digest) == Some(bytes.len() as u64)
            && fs::read(self.blob_path(digest)).is_ok_and(|found| found == bytes);
        if !whole {
            let mut writer = self.blob_writer()?;
            writer.write_all(bytes).map_err(CacheError::io("writing a blob into", &self.blobs_dir()))?;
            writer.finish()?;
        }
        Ok(digest)
    }

    /// Read a whole small blob and check its digest.
    fn small_blob(&self, descriptor: &Descriptor, entry: &str, max_bytes: u64) -> Result<Vec<u8>, CacheError> {
        let wrong = |found: String| CacheError::Entry { path: self.dir.clone(), entry: entry.to_owned(), found };
        let digest = descriptor
            .sha256()
            .ok_or_else(|| wrong(format!("expected a SHA-256 digest, found {:?}", descriptor.digest)))?;
        let bytes = read_bounded(&self.blob_path(digest), max_bytes)?;
        let found = Sha256::of(&bytes);
        if found != digest {
            return Err(wrong(format!("blob {digest} is damaged: its bytes have the digest {found}")));
        }
        Ok(bytes)
    }

    /// All media, in the order they were added. Entries of other kinds are left alone and not listed.
    pub fn entries(&self) -> Result<Vec<IndexEntry>, CacheError> {
        let listed = self.read_index()?.into_iter().filter_map(|descriptor| {
            let name = descriptor.annotations.get(REF_NAME)?.clone();
            let media_id = match descriptor.annotations.get(MEDIA_ID) {
                Some(id) => id.clone(),
                None => self.id_of_copied(&name, &descriptor)?,
            };
            Some(IndexEntry { name, media_id, oci_manifest: descriptor.sha256()? })
        });
        Ok(listed.collect())
    }

    /// skopeo and other copying tools keep the name of an entry and drop the rest; then name and OCI manifest tell
    /// whether it is a medium. One that can't be read is listed, so that its damage is named and not passed over.
    fn id_of_copied(&self, name: &str, descriptor: &Descriptor) -> Option<String> {
        let named: MediaRef = name.parse().ok().filter(|named: &MediaRef| named.revision.is_some())?;
        let read = self.small_blob(descriptor, name, MAX_JSON_BYTES).ok();
        let oci = read.and_then(|bytes| serde_json::from_slice::<OciManifest>(&bytes).ok());
        let ours = oci.is_none_or(|oci| oci.artifact_type.as_deref() == Some(ARTIFACT_TYPE));
        ours.then_some(named.id)
    }

    /// Find a medium by name; without a revision, the newest one.
    pub fn find(&self, wanted: &MediaRef) -> Result<IndexEntry, CacheError> {
        let entries = self.entries()?;
        let revision = |entry: &IndexEntry| entry.name.parse::<MediaRef>().ok().and_then(|name| name.revision);
        let matching = |entry: &&IndexEntry| {
            entry.media_id == wanted.id && (wanted.revision.is_none() || revision(entry) == wanted.revision)
        };
        let found = entries.iter().filter(matching).max_by_key(|entry| revision(entry)).cloned();
        found.ok_or_else(|| {
            let known: Vec<&str> = entries.iter().map(|entry| &*entry.name).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            CacheError::UnknownMedia { wanted: wanted.to_string(), path: self.dir.clone(), known }
        })
    }

    /// The small files of a medium and the list of its content blobs (which may or may not be there).
    pub fn media(&self, entry: &IndexEntry) -> Result<MediaEntry, CacheError> {
        let wrong = |found: &str| CacheError::Entry {
            path: self.dir.clone(),
            entry: entry.name.clone(),
            found: found.to_owned(),
        };
        let descriptor = Descriptor::new(OCI_MANIFEST_TYPE, entry.oci_manifest, 0);
        let bytes = self.small_blob(&descriptor, &entry.name, MAX_JSON_BYTES)?;
        let oci: OciManifest = serde_json::from_slice(&bytes)
            .map_err(|source| CacheError::Json { path: self.blob_path(entry.oci_manifest), source })?;
        if oci.artifact_type.as_deref() != Some(ARTIFACT_TYPE) {
            return Err(wrong("it is no Platen medium"));
        }
        // Nothing in it is used, but a layout with a damaged one can't be copied by other tools.
        self.small_blob(&oci.config, &entry.name, MAX_JSON_BYTES)?;
        let layer = |at: usize, media_type: &str| {
            let found = oci.layers.get(at).filter(|layer| layer.media_type == media_type);
            found.ok_or_else(|| wrong("expected the layers manifest, signature, SHA256SUMS, signature, content"))
        };
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|_| wrong("a signature is not text"));
        let mut blobs = Vec::new();
        for layer in oci.layers.iter().skip(FIRST_CONTENT_LAYER) {
            let sha256 = layer.sha256().ok_or_else(|| wrong("expected SHA-256 digests"))?;
            blobs.push(Blob { sha256, size_bytes: layer.size });
        }
        Ok(MediaEntry {
            manifest_bytes: self.small_blob(layer(0, MANIFEST_TYPE)?, &entry.name, MAX_MANIFEST_BYTES)?,
            manifest_signature: text(self.small_blob(layer(1, SIGNATURE_TYPE)?, &entry.name, 4096)?)?,
            sums: self.small_blob(layer(2, SUMS_TYPE)?, &entry.name, MAX_MANIFEST_BYTES)?,
            sums_signature: text(self.small_blob(layer(3, SIGNATURE_TYPE)?, &entry.name, 4096)?)?,
            blobs,
        })
    }

    /// Every blob one medium leads to: OCI manifest, its small files, its content.
    pub(crate) fn reachable(&self, entry: &IndexEntry) -> Result<Vec<Sha256>, CacheError> {
        let descriptor = Descriptor::new(OCI_MANIFEST_TYPE, entry.oci_manifest, 0);
        let bytes = self.small_blob(&descriptor, &entry.name, MAX_JSON_BYTES)?;
        let oci: OciManifest = serde_json::from_slice(&bytes)
            .map_err(|source| CacheError::Json { path: self.blob_path(entry.oci_manifest), source })?;
        let inner = oci.layers.iter().chain([&oci.config]).filter_map(Descriptor::sha256);
        Ok(inner.chain([entry.oci_manifest]).collect())
    }

    /// Make a medium visible, after every blob it needs is stored. An entry of the same name is replaced.
    pub fn publish(&self, manifest: &Manifest, entry: &MediaEntry) -> Result<IndexEntry, CacheError> {
        let stored = |media_type: &str, bytes: &[u8], title: &str| -> Result<Descriptor, CacheError> {
            let digest = self.put_blob(bytes)?;
            Ok(Descriptor::new(media_type, digest, bytes.len() as u64).annotated(TITLE, title))
        };
        let name = entry_name(manifest);
        let config = serde_json::json!({
            "created": manifest.created,
            "architecture": "unknown",
            "os": "unknown",
            "config": {},
            "rootfs": { "type": "layers", "diff_ids": [] },
        });
        let config = config.to_string().into_bytes();
        let mut layers = vec![
            stored(MANIFEST_TYPE, &entry.manifest_bytes, envelope::MANIFEST)?,
            stored(SIGNATURE_TYPE, entry.manifest_signature.as_bytes(), envelope::MANIFEST_SIGNATURE)?,
            stored(SUMS_TYPE, &entry.sums, envelope::SHA256SUMS)?,
            stored(SIGNATURE_TYPE, entry.sums_signature.as_bytes(), envelope::SHA256SUMS_SIGNATURE)?,
        ];
        layers.extend(entry.blobs.iter().map(|blob| Descriptor::new(CONTENT_TYPE, blob.sha256, blob.size_bytes)));
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
            config: Descriptor::new(OCI_CONFIG_TYPE, self.put_blob(&config)?, config.len() as u64),
            layers,
            annotations: annotations.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        };
        let bytes = serde_json::to_vec(&oci).expect("an OCI manifest has only strings, numbers and lists");
        let oci_manifest = self.put_blob(&bytes)?;
        sync_dir(&self.blobs_dir())?;

        let mut index = self.read_index()?;
        index.retain(|other| other.annotations.get(REF_NAME) != Some(&name));
        let mut descriptor = Descriptor::new(OCI_MANIFEST_TYPE, oci_manifest, bytes.len() as u64)
            .annotated(REF_NAME, &name)
            .annotated(MEDIA_ID, &manifest.id);
        descriptor.artifact_type = Some(ARTIFACT_TYPE.to_owned());
        index.push(descriptor);
        self.write_index(&index)?;
        Ok(IndexEntry { name, media_id: manifest.id.clone(), oci_manifest })
    }

    /// Take media out of the index; their blobs stay until garbage is collected.
    pub(crate) fn unpublish(&self, names: &[String]) -> Result<(), CacheError> {
        let mut index = self.read_index()?;
        index.retain(|entry| !entry.annotations.get(REF_NAME).is_some_and(|name| names.contains(name)));
        self.write_index(&index)
    }

    fn read_index(&self) -> Result<Vec<Descriptor>, CacheError> {
        let path = self.dir.join("index.json");
        let bytes = read_bounded(&path, MAX_JSON_BYTES)?;
        let index: Index = serde_json::from_slice(&bytes).map_err(|source| CacheError::Json { path, source })?;
        Ok(index.manifests)
    }

    fn write_index(&self, manifests: &[Descriptor]) -> Result<(), CacheError> {
        let index =
            Index { schema_version: 2, media_type: Some(OCI_INDEX_TYPE.to_owned()), manifests: manifests.to_vec() };
        let mut bytes = serde_json::to_vec_pretty(&index).expect("an index has only strings, numbers and lists");
        bytes.push(b'\n');
        replace_file(&self.dir.join("index.json"), &bytes)
    }
}

/// The name of a medium in an index: its id and revision.
pub fn entry_name(manifest: &Manifest) -> String {
    format!("{}-r{}", manifest.id, manifest.revision)
}

/// A blob on its way in. Nothing is kept unless [`BlobWriter::finish`] is called.
pub struct BlobWriter {
    file: NamedTempFile,
    hasher: Sha256Hasher,
    size_bytes: u64,
    dir: PathBuf,
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.size_bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl BlobWriter {
    /// Put the blob in its place under its digest. All its bytes are on disk when this returns; the folder entry is
    /// once [`Layout::publish`] returns.
    pub fn finish(self) -> Result<(Sha256, u64), CacheError> {
        let digest = self.hasher.finish();
        let path = self.dir.join(digest.to_string());
        self.file.as_file().sync_all().map_err(CacheError::io("saving", &path))?;
        // Blobs are shared by everything that reads the layout; temporary files are private by default.
        let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        self.file.as_file().set_permissions(readable).map_err(CacheError::io("setting the mode of", &path))?;
        self.file.persist(&path).map_err(|error| CacheError::io("renaming to", &path)(error.error))?;
        Ok((digest, self.size_bytes))
    }
}

/// A file that was not finished.
pub(crate) fn is_temporary(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().starts_with(TEMPORARY.as_bytes())
}

/// Read a file of at most `max_bytes`.
pub(crate) fn read_bounded(path: &Path, max_bytes: u64) -> Result<Vec<u8>, CacheError> {
    let file = File::open(path).map_err(CacheError::io("opening", path))?;
    let mut bytes = Vec::new();
    file.take(max_bytes + 1).read_to_end(&mut bytes).map_err(CacheError::io("reading", path))?;
    if bytes.len() as u64 > max_bytes {
        let source = io::Error::new(io::ErrorKind::InvalidData, format!("expected at most {max_bytes} bytes"));
        return Err(CacheError::Io { doing: "reading", path: path.to_owned(), source });
    }
    Ok(bytes)
}

/// Replace a file by one with other bytes: after a kill or power cut there is the old one or the new one.
pub(crate) fn replace_file(path: &Path, bytes: &[u8]) -> Result<(), CacheError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let write = || -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(dir)?;
        file.write_all(bytes)?;
        file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(CacheError::io("replacing", path))?;
    sync_dir(dir)
}

/// Make renames in `dir` survive a power cut.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), CacheError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(CacheError::io("saving the folder", dir))
}
