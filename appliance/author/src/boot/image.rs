// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The boot image: the signed kernel and an initramfs with one program in it, which checks the medium it came on.
//!
//! The initramfs holds `platen-deploy` as `/init`, the public keys it trusts, and the kernel modules by which media,
//! keyboards and screens are reached, with the order in which to load them. No shell, no library, nothing else. No
//! signature covers it at boot: a medium's manifest does, and the program checks that against its own keys.
//!
//! The same kit, program and keys give the same bytes.

mod cpio;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use object::LittleEndian;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader};
use platen_media::Sha256;
use platen_media::stored::{self, Stored, StoredError};
use serde::{Deserialize, Serialize};

use crate::boot::kit::modules;
use crate::boot::kit::{self, BootKit, BootKitError, BootKitErrorKind, Role};
use crate::keys::{self, KeyError};

/// Name of the record in a boot image's folder.
pub const RECORD: &str = "boot-image.json";
/// The schema number this version writes, and the newest it reads.
pub const SCHEMA: u32 = 1;
/// The kernel in a boot image's folder.
pub const KERNEL: &str = "vmlinuz";
/// The initramfs in a boot image's folder.
pub const INITRD: &str = "initrd.img";

/// High enough to halve what slow firmware must read, low enough that the kernel's 8 MiB window does.
const ZSTD_LEVEL: i32 = 19;

/// One file and its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDigest {
    /// Relative to the boot image's folder.
    pub path: String,
    /// Of the whole file.
    pub sha256: Sha256,
    /// Its length in bytes.
    pub size_bytes: u64,
}

/// The kernel of a boot image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelRecord {
    /// The Debian package it is from.
    pub package: String,
    /// Of that package.
    pub version: String,
    /// As `uname -r` says it.
    pub release: String,
}

/// A module of a boot image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleRecord {
    /// As the kernel names it, for example `usb_storage`.
    pub name: String,
    /// Given to it when it is loaded.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub parameters: String,
    /// Of the module's file, as the package has it.
    pub sha256: Sha256,
}

/// A boot image's record, `boot-image.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootImageRecord {
    /// Always [`SCHEMA`].
    pub schema: u32,
    /// As Debian names machines, for example `x86_64`.
    pub architecture: String,
    /// The kernel of the boot kit that it starts.
    pub kernel: KernelRecord,
    /// SHA-256 of the record of the kit it was built from.
    pub boot_kit_sha256: Sha256,
    /// `/init`.
    pub deploy: FileDigest,
    /// Numbers of the keys whose media it accepts, as minisign prints them.
    pub trusted_keys: Vec<String>,
    /// In the order in which they are loaded.
    pub modules: Vec<ModuleRecord>,
    /// The kernel and the initramfs.
    pub files: Vec<FileDigest>,
}

impl Stored for BootImageRecord {
    const SCHEMA: u32 = SCHEMA;

    fn schema(&self) -> u32 {
        self.schema
    }
}

/// A built boot image.
#[derive(Debug, Clone)]
pub struct BootImage {
    folder: PathBuf,
    record: BootImageRecord,
}

impl BootImage {
    /// Opens a built image and checks its files' digests.
    pub fn open(folder: &Path) -> Result<Self, BootImageError> {
        let path = folder.join(RECORD);
        let bytes = read(&path)?;
        let record: BootImageRecord = stored::read(&bytes).map_err(|source| BootImageError::Record { path, source })?;
        for file in &record.files {
            let path = folder.join(&file.path);
            let found = Sha256::of(&read(&path)?);
            if found != file.sha256 {
                let (expected, found) = (file.sha256.to_string(), found.to_string());
                return Err(BootImageError::Changed { path, expected, found });
            }
        }
        Ok(Self { folder: folder.to_owned(), record })
    }

    /// Where it is: [`KERNEL`] and [`INITRD`] are in it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What it is made of.
    pub fn record(&self) -> &BootImageRecord {
        &self.record
    }
}

/// Why a boot image can't be built or opened.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum BootImageError {
    /// The kit can't be used.
    #[error("boot kit")]
    Kit(#[source] BootKitError),
    /// A key can't be used.
    #[error("trusted keys: {}", path.display())]
    Key { path: PathBuf, source: KeyError },
    /// A boot image that trusts nobody would refuse every medium.
    #[error("trusted keys: expected at least one, found none")]
    NoKeys,
    /// Another kind of file.
    #[error("{}: expected a program for x86_64 Linux, found something else", path.display())]
    NotAProgram { path: PathBuf },
    /// There are no libraries in a boot image.
    #[error("{}: expected a statically linked program, found one that needs {interpreter}; build it with appliance/build-programs", path.display())]
    NotStatic { path: PathBuf, interpreter: String },
    /// A file of the kit is not a kernel module.
    #[error("{}: expected a 64-bit kernel module, found {found}", path.display())]
    NotAModule { path: PathBuf, found: String },
    /// A record that can't be understood.
    #[error("{}: expected the record of a boot image", path.display())]
    Record { path: PathBuf, source: StoredError },
    /// A file that is not as recorded.
    #[error("{}: expected SHA-256 {expected} as in the boot image's record, found {found}; build the boot image anew", path.display())]
    Changed { path: PathBuf, expected: String, found: String },
    /// Reading or writing on this machine.
    #[error("{doing} {}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: std::io::Error },
}

impl BootImageError {
    /// What it means for whoever asked.
    pub fn kind(&self) -> BootKitErrorKind {
        match self {
            Self::Kit(error) => error.kind(),
            Self::Io { .. } => BootKitErrorKind::Machine,
            Self::NoKeys | Self::Key { .. } | Self::NotAProgram { .. } | Self::NotStatic { .. } => {
                BootKitErrorKind::Request
            }
            _ => BootKitErrorKind::Content,
        }
    }
}

fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> BootImageError {
    move |source| BootImageError::Io { doing, path: path.to_owned(), source }
}

fn read(path: &Path) -> Result<Vec<u8>, BootImageError> {
    std::fs::read(path).map_err(io("reading", path))
}

/// Builds a boot image into `out`, which appears only when complete; an earlier boot image in its place is replaced.
///
/// `deploy_program` is `platen-deploy`, statically linked; `trusted_keys` are minisign public key files.
pub fn build(
    kit: &Path,
    deploy_program: &Path,
    trusted_keys: &[PathBuf],
    out: &Path,
) -> Result<BootImage, BootImageError> {
    kit::check_replaceable(out, RECORD, "boot image").map_err(BootImageError::Kit)?;
    let kit = BootKit::open(kit).map_err(BootImageError::Kit)?;
    let deploy = read(deploy_program)?;
    check_static(deploy_program, &deploy)?;
    let keys = read_keys(trusted_keys)?;

    let mut archive = cpio::Archive::default();
    for folder in ["dev", "proc", "sys", "run"] {
        archive.folder(folder);
    }
    // The kernel opens it for us before devtmpfs is there; without it the first words would be lost.
    archive.character_device("dev/console", 5, 1);
    let deploy_record = digest("init", &deploy);
    archive.file("init", 0o755, deploy);
    for (id, text) in &keys {
        archive.file(&format!("etc/platen/keys/{id}.pub"), 0o644, text.clone().into_bytes());
    }
    let modules = add_modules(&kit, &mut archive)?;
    let initrd = zstd::encode_all(&*archive.bytes(), ZSTD_LEVEL).map_err(io("packing", Path::new(INITRD)))?;

    let (kernel, kernel_path) = kit.file(Role::Kernel).map_err(BootImageError::Kit)?;
    let vmlinuz = read(&kernel_path)?;
    let record = BootImageRecord {
        schema: SCHEMA,
        architecture: kit.record().architecture.clone(),
        kernel: KernelRecord {
            package: kernel.package.clone(),
            version: kernel.version.clone(),
            release: kit.record().kernel_release.clone(),
        },
        boot_kit_sha256: kit.record_sha256(),
        deploy: deploy_record,
        trusted_keys: keys.into_keys().collect(),
        modules,
        files: vec![digest(INITRD, &initrd), digest(KERNEL, &vmlinuz)],
    };
    let mut json = serde_json::to_vec_pretty(&record).expect("a record has only strings, numbers and lists");
    json.push(b'\n');

    let parent = kit::parent_of(out);
    std::fs::create_dir_all(parent).map_err(io("making", parent))?;
    let work =
        tempfile::Builder::new().prefix(".boot-image-").tempdir_in(parent).map_err(io("making a folder in", parent))?;
    let finished = work.path().join("boot-image");
    std::fs::create_dir(&finished).map_err(io("making", &finished))?;
    for (name, bytes) in [(KERNEL, &vmlinuz), (INITRD, &initrd), (RECORD, &json)] {
        let path = finished.join(name);
        std::fs::write(&path, bytes).map_err(io("writing", &path))?;
    }
    kit::put_in_place(&finished, out, &work.path().join("replaced")).map_err(BootImageError::Kit)?;
    Ok(BootImage { folder: out.to_owned(), record })
}

fn digest(path: &str, bytes: &[u8]) -> FileDigest {
    FileDigest { path: path.to_owned(), sha256: Sha256::of(bytes), size_bytes: bytes.len() as u64 }
}

/// Texts of the key files by key number. A file that is no public key is refused, so that no secret key gets in.
fn read_keys(paths: &[PathBuf]) -> Result<BTreeMap<String, String>, BootImageError> {
    let mut keys = BTreeMap::new();
    for path in paths {
        let shown = keys::show(path).map_err(|source| BootImageError::Key { path: path.clone(), source })?;
        let text = format!("untrusted comment: minisign public key {}\n{}\n", shown.id, shown.base64);
        keys.insert(shown.id, text);
    }
    if keys.is_empty() { Err(BootImageError::NoKeys) } else { Ok(keys) }
}

/// Puts the kit's modules in the archive, and `lib/modules/order`: a line for each, its file name and its parameters.
fn add_modules(kit: &BootKit, archive: &mut cpio::Archive) -> Result<Vec<ModuleRecord>, BootImageError> {
    let mut depends = BTreeMap::new();
    let mut found = BTreeMap::new();
    for (file, path) in kit.modules() {
        let bytes = read(&path)?;
        let name = path.file_name().and_then(|name| modules::module_name(&name.to_string_lossy()));
        let malformed = |found| BootImageError::NotAModule { path: path.clone(), found };
        let name = name.ok_or_else(|| malformed("a file with another name".to_owned()))?;
        depends.insert(name.clone(), modules::depends(&bytes).map_err(malformed)?);
        found.insert(name, (file.sha256, bytes));
    }
    let wanted = modules::WANTED.iter().map(|wanted| wanted.name);
    let order = modules::load_order(wanted.chain(found.keys().map(String::as_str)), &depends);
    let (mut lines, mut records) = (String::new(), Vec::new());
    for name in order {
        let Some((sha256, bytes)) = found.remove(&name) else { continue };
        let parameters = modules::parameters(&name);
        lines += format!("{name}.ko {parameters}").trim_end();
        lines.push('\n');
        archive.file(&format!("lib/modules/{name}.ko"), 0o644, bytes);
        records.push(ModuleRecord { name, parameters: parameters.to_owned(), sha256 });
    }
    archive.file("lib/modules/order", 0o644, lines.into_bytes());
    Ok(records)
}

/// Refuses programs that the kernel would not start as `/init`: another machine's, or one that needs a dynamic linker.
fn check_static(path: &Path, program: &[u8]) -> Result<(), BootImageError> {
    match interpreter(program) {
        Ok(None) => Ok(()),
        Ok(Some(interpreter)) => Err(BootImageError::NotStatic { path: path.to_owned(), interpreter }),
        Err(_) => Err(BootImageError::NotAProgram { path: path.to_owned() }),
    }
}

/// The dynamic linker that a program for x86_64 asks for.
fn interpreter(program: &[u8]) -> Result<Option<String>, Box<dyn std::error::Error>> {
    let header = FileHeader64::<LittleEndian>::parse(program)?;
    let endian = header.endian()?;
    let is_program = matches!(header.e_type(endian), elf::ET_EXEC | elf::ET_DYN);
    if !is_program || header.e_machine(endian) != elf::EM_X86_64 {
        return Err("not for this machine".into());
    }
    for segment in header.program_headers(endian, program)? {
        if let Some(name) = segment.interpreter(endian, program)? {
            return Ok(Some(String::from_utf8_lossy(name).into_owned()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
