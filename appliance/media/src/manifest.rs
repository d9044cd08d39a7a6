// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The manifest: every byte of a medium that matters, named, sized and hashed; the root of all trust in a drive.
//!
//! A manifest says *what* is on a medium, never *where on a drive*: the same manifest serves drives of every size.
//! Fields that a newer version of Platen added are passed over ([`crate::stored`]); [`Manifest::problems`] lists
//! everything that is wrong with the others.

mod check;
mod validity;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::check::{is_id, is_unprintable, tree_problems};
pub use self::validity::{LOCAL_TIME_S, NotValid, Validity};
pub use crate::Scheme;
use crate::stored::{NewerSchema, Stored, StoredError, read};
use crate::{Blake3, MediaPath, Sha256, Timestamp, VolumeLabel, envelope};

/// The schema number of a manifest that every release reads.
pub const SCHEMA: u32 = 1;

/// The schema number of a manifest whose dates are in local time; the newest this version reads.
pub const SCHEMA_LOCAL_DATES: u32 = 2;

/// FAT32 stores sizes in 32 bits.
pub const MAX_FAT_FILE_BYTES: u64 = u32::MAX as u64;

/// Longest manifest that is signed or read, in bytes: some 80,000 files. A foreign drive's manifest is held in memory
/// before its signature is known to be good.
pub const MAX_MANIFEST_BYTES: u64 = 24 << 20;

/// What kind of medium it is, in Microsoft Configuration Manager's words where they exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MediaKind {
    /// Everything needed to deploy without a network: task sequence, boot image, images, drivers, software.
    StandAlone,
    /// A ready file tree, for example existing Windows or Configuration Manager media.
    Tree,
    /// A disk image, written as it is.
    Raw,
}

impl fmt::Display for MediaKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StandAlone => "stand-alone",
            Self::Tree => "tree",
            Self::Raw => "raw",
        })
    }
}

/// What role a content plays; its kind decides where its files stand on the medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContentKind {
    /// The distribution's signed shim and GRUB, and GRUB's configuration.
    BootKit,
    /// What a computer started from the medium runs.
    BootImage,
    /// A WIM, or its parts.
    OperatingSystemImage,
    /// Drivers, as a folder.
    DriverPackage,
    /// Software with a command that installs it.
    Application,
    /// Files for a task sequence.
    Package,
    /// Files of the prestart command.
    Prestart,
    /// The task sequence and variables.
    Policy,
    /// The user's own tree or image.
    Tree,
    /// Small files made by authoring itself (MediaLabel.txt, GRUB configuration).
    Generated,
}

impl ContentKind {
    /// Steps of a task sequence, or the command before them, use it; the computer starts without it.
    pub fn is_for_steps(self) -> bool {
        match self {
            Self::OperatingSystemImage | Self::DriverPackage | Self::Application | Self::Package | Self::Prestart => {
                true
            }
            Self::BootKit | Self::BootImage | Self::Policy | Self::Tree | Self::Generated => false,
        }
    }
}

impl fmt::Display for ContentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BootKit => "boot kit",
            Self::BootImage => "boot image",
            Self::OperatingSystemImage => "operating system image",
            Self::DriverPackage => "driver package",
            Self::Application => "application",
            Self::Package => "package",
            Self::Prestart => "prestart files",
            Self::Policy => "policy",
            Self::Tree => "tree",
            Self::Generated => "generated files",
        })
    }
}

/// One thing that was put on the medium, as its author named it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// As in the definition; unique on the medium.
    pub id: String,
    /// What it is.
    pub kind: ContentKind,
    /// For people.
    pub name: String,
    /// For people.
    pub version: String,
    /// Sum of its files' sizes.
    pub size_bytes: u64,
}

/// A run of bytes in the content store, and their size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// Name and digest of the blob in the OCI layout.
    pub sha256: Sha256,
    /// Its length in bytes.
    pub size_bytes: u64,
}

/// Where a file's bytes are: in which blob of [`Manifest::blobs`], from which offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// Index into [`Manifest::blobs`].
    pub blob: u32,
    /// From the start of the blob, in bytes.
    pub offset_bytes: u64,
}

/// One file of the medium.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// From the root of the medium.
    pub path: MediaPath,
    /// Its length in bytes.
    pub size_bytes: u64,
    /// What its content is checked by while it is written.
    pub blake3: Blake3,
    /// What SHA256SUMS says of it.
    pub sha256: Sha256,
    /// Index into [`Manifest::contents`].
    pub content: u32,
    /// None exactly when the file is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Location>,
    /// When its author last changed it; None: take [`Manifest::created`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<Timestamp>,
}

/// A part of a raw image that is not all zeros; what lies between parts is zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImagePart {
    /// Place in the image, and on the drive.
    pub offset_bytes: u64,
    /// Its length in bytes.
    pub size_bytes: u64,
    /// Of its content.
    pub blake3: Blake3,
    /// Where its bytes are.
    pub at: Location,
}

/// A raw disk image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawImage {
    /// What the image describes, holes included, in bytes.
    pub size_bytes: u64,
    /// What of it a drive must have room for, to its last byte that is not zero and to the end of its last partition;
    /// None: all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needed_bytes: Option<u64>,
    /// The sector size its partition table was made for, 512 or 4096; None: 512.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sector_bytes: Option<u32>,
    /// Ascending, not overlapping, inside the image.
    pub parts: Vec<ImagePart>,
    /// Where it has a GUID partition table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpt: Option<ImageGpt>,
}

impl RawImage {
    /// What a drive must have room for.
    pub fn needed_bytes(&self) -> u64 {
        self.needed_bytes.unwrap_or(self.size_bytes)
    }

    /// Sectors of a drive that it is for.
    pub fn sector_bytes(&self) -> u32 {
        self.sector_bytes.unwrap_or(512)
    }
}

/// What becomes of an image's GUID partition table, of which a copy stands at the image's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageGpt {
    /// Both stay where the image has them.
    Fixed,
    /// The copy is not among the parts; a fresh one is made for each drive's end, and the first one is made to match.
    Grow,
}

/// What must stand in the boot sectors of a written drive, so that a drive can be checked without the cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BiosRecords {
    /// The partitioning they are for.
    pub scheme: Scheme,
    /// The first 440 bytes of LBA 0.
    pub boot_code_blake3: Blake3,
    /// Size of the core image as laid down, a multiple of 512.
    pub core_size_bytes: u64,
    /// Of GRUB's core image as it is laid down, filled up to whole sectors.
    pub core_blake3: Blake3,
}

/// BIOS boot code as it comes from the boot kit, before it is fitted to a partitioning scheme.
///
/// UEFI needs nothing here: it starts ordinary files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BiosBoot {
    /// GRUB's `boot.img`, 512 bytes.
    pub boot_img: BlobSlice,
    /// GRUB core image that looks for its files on the first MBR partition.
    pub core_mbr: BlobSlice,
    /// The same for the first GPT partition.
    pub core_gpt: BlobSlice,
    /// One for each scheme.
    pub records: Vec<BiosRecords>,
}

/// Bytes in the store that are not a file of the medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobSlice {
    /// Where it begins.
    pub at: Location,
    /// Its length in bytes.
    pub size_bytes: u64,
    /// Of its content.
    pub blake3: Blake3,
}

/// The signed list of everything on a medium: its contents, every file, what starts it, and where the bytes are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`Validity::schema`].
    pub schema: u32,
    /// Stays the same through all versions of a medium; the minimum version is kept for each id.
    pub id: String,
    /// What kind of medium it is.
    pub kind: MediaKind,
    /// For people.
    pub name: String,
    /// For people.
    pub version: String,
    /// For machines: rises with every release; an older one than the newest seen is refused.
    pub revision: u32,
    /// For people; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// The FAT volume label of written drives.
    pub label: VolumeLabel,
    /// When it was authored.
    pub created: Timestamp,
    /// From when until when it may be used.
    #[serde(default)]
    pub validity: Validity,
    /// No prompts for network settings or optional task sequences.
    pub unattended: bool,
    /// The policy is encrypted; the password is asked for even when unattended.
    pub password_required: bool,
    /// The author's ceiling for the whole medium, files and file system together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_limit_bytes: Option<u64>,
    /// The smallest drive with 512-byte sectors that holds it (a raw image: with sectors of the image's size), and every
    /// bigger one does. For people: what decides is the plan of the drive at hand. None: its author did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs_drive_bytes: Option<u64>,
    /// The same for drives with 4096-byte sectors; None for a raw image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs_drive_4096_bytes: Option<u64>,
    /// What BIOS computers start by; `None`: it starts under UEFI only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bios: Option<BiosBoot>,
    /// What is on it.
    pub contents: Vec<Content>,
    /// Where the bytes of all files are.
    pub blobs: Vec<Blob>,
    /// Sorted by content, then by place in the store, so that a medium is streamed in one pass. Empty for `raw`.
    pub files: Vec<FileRecord>,
    /// Folders that no file is in, sorted. Empty for `raw`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folders: Vec<MediaPath>,
    /// Present exactly for `raw`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<RawImage>,
}

impl Stored for Manifest {
    const SCHEMA: u32 = SCHEMA_LOCAL_DATES;

    fn schema(&self) -> u32 {
        self.schema
    }
}

/// Why bytes are no manifest.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum ManifestError {
    /// A manifest, but one of a newer version of Platen.
    #[error(transparent)]
    Newer(NewerSchema),
    /// Not the JSON that is expected; the source says where.
    #[error("reading the manifest's fields")]
    Syntax(#[source] serde_json::Error),
    /// Well-formed but impossible; every problem is listed.
    #[error("manifest of {id:?} has {} problem(s): {}", problems.len(), problems.join("; "))]
    Problems { id: String, problems: Vec<String> },
}

impl Manifest {
    /// Read and check. The signature is not looked at: for that see [`crate::sign::SignedMedia::check`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, ManifestError> {
        let manifest: Self = read(bytes).map_err(|error| match error {
            StoredError::Newer(newer) => ManifestError::Newer(newer),
            StoredError::Syntax(source) => ManifestError::Syntax(source),
        })?;
        let problems = manifest.problems();
        if problems.is_empty() { Ok(manifest) } else { Err(ManifestError::Problems { id: manifest.id, problems }) }
    }

    /// The bytes that are signed: compact JSON, fields in the order of this type, a newline at the end.
    pub fn to_json(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).expect("a manifest has only strings, numbers and lists");
        bytes.push(b'\n');
        bytes
    }

    /// Sum of all files' sizes, or the image's size.
    pub fn content_bytes(&self) -> u64 {
        match &self.image {
            Some(image) => image.size_bytes,
            None => self.files.iter().map(|file| file.size_bytes).sum(),
        }
    }

    /// The text of SHA256SUMS for this manifest, whose bytes have the digest `manifest_sha256`: every file of the medium
    /// and the manifest, sorted by path. Names that `sha256sum` would escape can't be on a medium.
    pub fn sha256_sums(&self, manifest_sha256: Sha256) -> Vec<u8> {
        let mut text = Vec::new();
        for (path, sha256) in self.sums_lines(&manifest_sha256) {
            [&sha256.hex()[..], b"  ", path.as_bytes(), b"\n"].iter().for_each(|part| text.extend_from_slice(part));
        }
        text
    }

    /// Whether `sums` is what [`Manifest::sha256_sums`] gives, without making that text: it can be 10 MB.
    pub fn has_sha256_sums(&self, manifest_sha256: Sha256, sums: &[u8]) -> bool {
        let lines = self.sums_lines(&manifest_sha256);
        let rest = lines.iter().try_fold(sums, |rest, (path, sha256)| {
            let rest = rest.strip_prefix(&sha256.hex())?.strip_prefix(b"  ")?;
            rest.strip_prefix(path.as_bytes())?.strip_prefix(b"\n")
        });
        rest.is_some_and(<[u8]>::is_empty)
    }

    /// What SHA256SUMS lists, in its order.
    fn sums_lines<'a>(&'a self, manifest_sha256: &'a Sha256) -> Vec<(&'a str, &'a Sha256)> {
        let mut lines: Vec<_> = self.files.iter().map(|file| (file.path.as_str(), &file.sha256)).collect();
        lines.push((envelope::MANIFEST, manifest_sha256));
        lines.sort_by_key(|(path, _)| path.as_bytes());
        lines
    }

    /// The content a file belongs to.
    pub fn content_of(&self, file: &FileRecord) -> Option<&Content> {
        self.contents.get(file.content as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            schema: SCHEMA,
            id: "PLT00001".into(),
            kind: MediaKind::Tree,
            name: "Tree".into(),
            version: "1".into(),
            revision: 1,
            comment: String::new(),
            label: VolumeLabel::new("TREE").expect("valid"),
            created: Timestamp::from_unix_s(1_795_000_000),
            validity: Validity::default(),
            unattended: false,
            password_required: false,
            size_limit_bytes: None,
            needs_drive_bytes: None,
            needs_drive_4096_bytes: None,
            bios: None,
            contents: vec![Content {
                id: "T".into(),
                kind: ContentKind::Tree,
                name: "T".into(),
                version: "1".into(),
                size_bytes: 5,
            }],
            blobs: vec![Blob { sha256: Sha256::of(b"hello"), size_bytes: 5 }],
            files: vec![file("a/hello.txt", 5)],
            folders: Vec::new(),
            image: None,
        }
    }

    fn file(path: &str, size_bytes: u64) -> FileRecord {
        let at = (size_bytes > 0).then_some(Location { blob: 0, offset_bytes: 0 });
        let path = MediaPath::new(path).expect("valid");
        FileRecord {
            path,
            size_bytes,
            blake3: Blake3::of(b"hello"),
            sha256: Sha256::of(b"hello"),
            content: 0,
            at,
            modified: None,
        }
    }

    #[test]
    fn round_trip_is_byte_exact() {
        let bytes = manifest().to_json();
        let again = Manifest::from_json(&bytes).expect("valid");
        assert_eq!(again, manifest());
        assert_eq!(again.to_json(), bytes);
    }

    #[test]
    fn each_impossible_manifest_is_refused_with_its_culprit() {
        type Change = fn(&mut Manifest);
        let cases: &[(&str, Change)] = &[
            ("schema", |m| m.schema = 2),
            ("id", |m| m.id = "../x".into()),
            ("id", |m| m.id = "CON".into()),
            ("validity", |m| {
                m.validity = Validity {
                    from: Some(Timestamp::from_unix_s(2).into()),
                    until: Some(Timestamp::from_unix_s(1).into()),
                }
            }),
            ("name: expected at most 50 characters", |m| m.name = "x".repeat(51)),
            ("version: expected", |m| m.version = "1\u{1b}[2J".into()),
            ("comment: expected", |m| m.comment = "\u{202e}txt".into()),
            ("contents[0].name: expected", |m| m.contents[0].name = "two\nlines".into()),
            ("contents[0].version: expected", |m| m.contents[0].version = "v".repeat(1 << 20)),
            ("contents[0].id: expected", |m| m.contents[0].id = "\u{9b}".into()),
            ("image", |m| m.kind = MediaKind::Raw),
            ("`a` and `A`", |m| m.files.push(file("A/hello.txt", 5))),
            ("`a/hello.txt` and `a/HELLO.txt`", |m| m.files.push(file("a/HELLO.txt", 5))),
            ("`a/σ` and `a/ς`", |m| m.files.extend([file("a/σ", 5), file("a/ς", 5)])),
            ("`a/hello.txt` is a file", |m| m.files.push(file("a/hello.txt/b", 5))),
            ("`a` is a file", |m| m.files.push(file("a", 5))),
            ("`a/hello.txt` is a file", |m| m.folders.push(MediaPath::new("a/hello.txt").expect("valid"))),
            ("`a` and `A`", |m| m.folders.push(MediaPath::new("A").expect("valid"))),
            ("expected at most 65536 entries", |m| {
                m.files.extend((0..16_384).map(|n| file(&format!("many/{n:05}{}", "x".repeat(30)), 5)))
            }),
            ("platen/manifest.json", |m| m.files.push(file("platen/Manifest.json", 5))),
            ("in no blob", |m| m.files[0].size_bytes = 6),
            ("in no blob", |m| m.files[0].at = None),
            ("in no blob", |m| m.files[0].at = Some(Location { blob: 1, offset_bytes: 0 })),
            ("in no blob", |m| m.files[0].at = Some(Location { blob: 0, offset_bytes: u64::MAX })),
            ("content 7", |m| m.files[0].content = 7),
        ];
        for (culprit, change) in cases {
            let mut changed = manifest();
            change(&mut changed);
            let error = Manifest::from_json(&changed.to_json()).expect_err(culprit).to_string();
            assert!(error.contains(culprit), "{error:?} does not name {culprit:?}");
        }
        let text = String::from_utf8(manifest().to_json()).expect("UTF-8");
        assert!(matches!(
            Manifest::from_json(text.replacen("\"id\"", "\"idd\"", 1).as_bytes()),
            Err(ManifestError::Syntax(_))
        ));
        assert!(matches!(
            Manifest::from_json(text.replace("a/hello.txt", "../hello").as_bytes()),
            Err(ManifestError::Syntax(_))
        ));
    }
}
