// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Small real media: signed, with shared and single blobs, in an OCI layout.

use std::io::Write;
use std::path::{Path, PathBuf};

use minisign::KeyPair;
use platen_cache::layout::{Layout, MediaEntry};
use platen_cache::{Answer, Cache, CacheError, CachedMedia, Imported, MediaRef};
use platen_media::manifest::{Blob, Content, ContentKind, FileRecord, Location, Manifest, MediaKind, SCHEMA, Validity};
use platen_media::sign::TrustedKeys;
use platen_media::{Blake3, MediaPath, Sha256, Timestamp, VolumeLabel};

pub use crate::files::{flip, noise};

/// 2026-11-21.
pub const MADE_S: i64 = 1_795_000_000;

/// A while after everything was made.
pub fn now() -> Timestamp {
    Timestamp::from_unix_s(MADE_S + 1000)
}

/// A key made for one test run.
pub struct Signer {
    pair: KeyPair,
}

impl Signer {
    /// A new key.
    pub fn new() -> Self {
        Self { pair: KeyPair::generate_unencrypted_keypair().unwrap() }
    }

    /// The text of a minisign file over these bytes.
    pub fn sign(&self, bytes: &[u8]) -> String {
        minisign::sign(None, &self.pair.sk, bytes, Some("trusted"), Some("untrusted comment")).unwrap().to_string()
    }

    /// The text of the public key file.
    pub fn public_text(&self) -> String {
        self.pair.pk.to_box().unwrap().to_string()
    }

    /// A station that trusts this key alone.
    pub fn keys(&self) -> TrustedKeys {
        TrustedKeys::from_texts([&*self.public_text()]).unwrap()
    }
}

/// One blob of a medium: a file of its own, or several in a row.
pub struct Pack {
    /// What content it is.
    pub kind: ContentKind,
    /// The content's id.
    pub id: &'static str,
    /// Paths on the medium, and bytes.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Pack {
    /// One file in a blob of its own.
    pub fn single(id: &'static str, path: &str, bytes: Vec<u8>) -> Self {
        Self { kind: ContentKind::OperatingSystemImage, id, files: vec![(path.to_owned(), bytes)] }
    }

    /// Several small files, one of them empty, two of them the same.
    pub fn small(id: &'static str, seed: u64) -> Self {
        let mut files: Vec<(String, Vec<u8>)> = (0..4_u64)
            .map(|n| (format!("platen/content/{id}/file{n}.bin"), noise(seed * 100 + n, 300 + 111 * n as usize)))
            .collect();
        files.push((format!("platen/content/{id}/empty.txt"), Vec::new()));
        files.push((format!("platen/content/{id}/same as 0.bin"), files[0].1.clone()));
        Self { kind: ContentKind::DriverPackage, id, files }
    }
}

/// What the default medium holds.
pub fn packs(seed: u64) -> Vec<Pack> {
    vec![
        Pack::small("DRV00001", seed),
        Pack::single("OSD00001", "platen/content/OSD00001/install.wim", noise(seed + 7, 20_000)),
        Pack::small("APP00001", seed + 1),
    ]
}

/// A manifest over `packs`, and its blobs' bytes.
pub fn manifest(id: &str, revision: u32, packs: &[Pack]) -> (Manifest, Vec<Vec<u8>>) {
    let (mut contents, mut files, mut blobs, mut bytes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for pack in packs {
        let mut blob: Vec<u8> = Vec::new();
        for (path, file) in &pack.files {
            let known = files.iter().find(|record: &&FileRecord| {
                record.sha256 == Sha256::of(file) && record.content as usize == contents.len()
            });
            let at = match known {
                Some(record) => record.at,
                None if file.is_empty() => None,
                None => Some(Location { blob: blobs.len() as u32, offset_bytes: blob.len() as u64 }),
            };
            if at.is_some() && known.is_none() {
                blob.extend(file);
            }
            files.push(FileRecord {
                path: MediaPath::new(path).unwrap(),
                size_bytes: file.len() as u64,
                blake3: Blake3::of(file),
                sha256: Sha256::of(file),
                content: contents.len() as u32,
                at,
                modified: None,
            });
        }
        contents.push(Content {
            id: pack.id.to_owned(),
            kind: pack.kind,
            name: format!("Name of {}", pack.id),
            version: "1".to_owned(),
            size_bytes: pack.files.iter().map(|(_, file)| file.len() as u64).sum(),
        });
        blobs.push(Blob { sha256: Sha256::of(&blob), size_bytes: blob.len() as u64 });
        bytes.push(blob);
    }
    let manifest = Manifest {
        schema: SCHEMA,
        id: id.to_owned(),
        kind: MediaKind::Tree,
        name: format!("Medium {id}"),
        version: format!("{revision}.0"),
        revision,
        comment: String::new(),
        label: VolumeLabel::new("TEST").unwrap(),
        created: Timestamp::from_unix_s(MADE_S + i64::from(revision)),
        validity: Validity::default(),
        unattended: false,
        password_required: false,
        size_limit_bytes: None,
        needs_drive_bytes: None,
        needs_drive_4096_bytes: None,
        bios: None,
        contents,
        blobs,
        files,
        folders: Vec::new(),
        image: None,
    };
    assert_eq!(manifest.problems(), Vec::<String>::new());
    (manifest, bytes)
}

/// The small files of a medium as the author makes them.
pub fn signed(manifest: &Manifest, signer: &Signer) -> MediaEntry {
    let manifest_bytes = manifest.to_json();
    let sums = manifest.sha256_sums(Sha256::of(&manifest_bytes));
    MediaEntry {
        manifest_signature: signer.sign(&manifest_bytes),
        sums_signature: signer.sign(&sums),
        manifest_bytes,
        sums,
        blobs: manifest.blobs.clone(),
    }
}

/// Put a whole medium into the layout in `dir`.
pub fn author(dir: &Path, signer: &Signer, manifest: &Manifest, blobs: &[Vec<u8>]) -> Layout {
    let layout = Layout::create(dir).unwrap();
    for bytes in blobs {
        let mut writer = layout.blob_writer().unwrap();
        writer.write_all(bytes).unwrap();
        assert_eq!(writer.finish().unwrap(), (Sha256::of(bytes), bytes.len() as u64));
    }
    layout.publish(manifest, &signed(manifest, signer)).unwrap();
    layout
}

/// A source with one medium, and an empty cache beside it.
pub struct Bench {
    /// Where everything is; removed when this is dropped.
    pub dir: tempfile::TempDir,
    /// Who signed the source's media.
    pub signer: Signer,
    /// A station that trusts that key.
    pub keys: TrustedKeys,
    /// A layout with the medium.
    pub source: Layout,
    /// Of the first medium in it.
    pub manifest: Manifest,
    /// The bytes of that medium's blobs.
    pub blobs: Vec<Vec<u8>>,
}

impl Bench {
    /// With a small medium of several contents.
    pub fn new() -> Self {
        Self::with("PLT00001", 1, &packs(1))
    }

    /// Where nothing needs saving to disk: for tests that make thousands of changes.
    pub fn in_memory() -> Self {
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        Self::within(dir.unwrap(), "PLT00001", 1, &packs(1))
    }

    /// With a medium of these contents.
    pub fn with(id: &str, revision: u32, packs: &[Pack]) -> Self {
        Self::within(tempfile::tempdir().unwrap(), id, revision, packs)
    }

    fn within(dir: tempfile::TempDir, id: &str, revision: u32, packs: &[Pack]) -> Self {
        let signer = Signer::new();
        let (manifest, blobs) = manifest(id, revision, packs);
        let source = author(&dir.path().join("source"), &signer, &manifest, &blobs);
        Self { keys: signer.keys(), dir, signer, source, manifest, blobs }
    }

    /// Where the cache is made.
    pub fn cache_dir(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    /// The cache, made where there is none.
    pub fn cache(&self) -> Cache {
        Cache::open(&self.cache_dir(), None).unwrap()
    }

    /// Import everything of the source.
    pub fn import(&self, cache: &Cache) -> Result<Vec<Imported>, CacheError> {
        import(cache, &self.source, &self.keys)
    }

    /// Add one more medium to the source.
    pub fn add(&self, id: &str, revision: u32, packs: &[Pack]) -> Manifest {
        let (manifest, blobs) = manifest(id, revision, packs);
        author(self.source.dir(), &self.signer, &manifest, &blobs);
        manifest
    }
}

/// Import everything of a source, at a time when it is valid.
pub fn import(cache: &Cache, source: &Layout, keys: &TrustedKeys) -> Result<Vec<Imported>, CacheError> {
    all(cache.import(source, None, keys, now(), &mut |_| {}))
}

/// Every medium was imported, or why the first one was not.
pub fn all(answers: Result<Vec<Answer>, CacheError>) -> Result<Vec<Imported>, CacheError> {
    answers?.into_iter().map(|answer| answer.result).collect()
}

/// A medium's name, as people write it.
pub fn name(text: &str) -> MediaRef {
    text.parse().unwrap()
}

/// Error and all its sources in one line, as `platen` prints it.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text += &format!(": {source}");
        next = source.source();
    }
    text
}

/// Read every byte of a loaded medium: the judge is SHA-256 over what is on disk, not the cache's word.
pub fn assert_right(media: &CachedMedia, manifest: &Manifest) {
    assert_eq!(media.manifest(), manifest);
    let read = |digest, size_bytes: u64| {
        let mut bytes = vec![0; size_bytes as usize];
        let blob = media.store().open(digest).unwrap();
        blob.read_exact_at(&mut bytes, 0).unwrap();
        assert!(blob.read_exact_at(&mut [0], size_bytes).is_err(), "{digest} has more than {size_bytes} bytes");
        bytes
    };
    let json = manifest.to_json();
    assert_eq!(read(media.signed().manifest_digest(), json.len() as u64), json);
    for (index, blob) in manifest.blobs.iter().enumerate() {
        let bytes = read(blob.sha256, blob.size_bytes);
        assert_eq!((Sha256::of(&bytes), bytes.len() as u64), (blob.sha256, blob.size_bytes), "blob {index}");
    }
    let lines = String::from_utf8(read(media.sums().sha256, media.sums().size_bytes)).unwrap();
    assert_eq!(lines.lines().count(), manifest.files.len() + 1);
}
