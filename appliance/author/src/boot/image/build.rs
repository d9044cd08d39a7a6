// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Putting a boot image together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use platen_media::Sha256;
use platen_media::boot_image::{
    DEPLOYMENT_MODULE_ORDER, MAX_PROGRAMS_BYTES, MAX_UNPACKED_PROGRAMS_BYTES, MODULE_ORDER, MODULES,
};

use super::{
    BootImage, BootImageError, BootImageRecord, FileDigest, INITRD, KERNEL, KernelRecord, ModuleRecord, OWN_PROGRAMS,
    PROGRAMS, PackagedFile, Parts, RECORD, SCHEMA, io, read,
};
use crate::boot::cpio::Archive;
use crate::boot::elf;
use crate::boot::kit::{
    self, BootKit, COMMON_LICENCES_FOLDER, KitFile, LICENCES_FOLDER, PROGRAMS_FOLDER, Role, modules,
};
use crate::keys;

/// High enough to halve what slow firmware must read, low enough that the kernel's 8 MiB window does.
const INITRD_LEVEL: i32 = 19;
/// No firmware reads the programs; a higher level takes half a minute and saves an eighth.
const PROGRAMS_LEVEL: i32 = 9;

/// Builds a boot image into `out`, which appears only when complete; an earlier boot image in its place is replaced.
pub fn build(parts: &Parts<'_>, out: &Path) -> Result<BootImage, BootImageError> {
    kit::check_replaceable(out, RECORD, "boot image").map_err(BootImageError::Kit)?;
    let kit = BootKit::open(parts.kit).map_err(BootImageError::Kit)?;
    let deploy = read(parts.deploy)?;
    check_static(parts.deploy, &deploy)?;
    let keys = read_keys(parts.trusted_keys)?;

    let mut initramfs = Archive::default();
    for folder in ["dev", "proc", "sys", "run"] {
        initramfs.folder(folder);
    }
    // Programs look for libraries in /lib and /lib64, scripts for /bin/sh; all of it is below /usr.
    for folder in ["bin", "sbin", "lib", "lib64"] {
        initramfs.folder(&format!("usr/{folder}"));
        initramfs.link(folder, &format!("usr/{folder}"));
    }
    // The kernel opens it for us before devtmpfs is there; without it the first words would be lost.
    initramfs.character_device("dev/console", 5, 1);
    let deploy_record = digest("init", &deploy);
    initramfs.file("init", 0o755, deploy);
    for (id, text) in &keys {
        initramfs.file(&format!("etc/platen/keys/{id}.pub"), 0o644, text.clone().into_bytes());
    }
    let mut programs = Archive::default();
    let (modules, deployment_modules) = add_modules(&kit, &mut initramfs, &mut programs)?;
    let (kernel, kernel_path) = kit.file(Role::Kernel).map_err(BootImageError::Kit)?;
    let mut record = BootImageRecord {
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
        deployment_modules,
        programs: add_packaged(&kit, Role::Program, &mut programs)?,
        own_programs: Vec::new(),
        libraries: add_packaged(&kit, Role::Library, &mut programs)?,
        files: Vec::new(),
    };
    let mut files = vec![(INITRD, pack(INITRD, &initramfs.bytes(), INITRD_LEVEL)?), (KERNEL, read(&kernel_path)?)];
    if !record.programs.is_empty() {
        record.own_programs = add_own(parts.own_programs, &record.libraries, &mut programs)?;
        add_licences(&kit, &mut programs)?;
        files.push((PROGRAMS, pack_programs(&programs.bytes())?));
    }
    record.files = files.iter().map(|(name, bytes)| digest(name, bytes)).collect();
    let mut json = serde_json::to_vec_pretty(&record).expect("a record has only strings, numbers and lists");
    json.push(b'\n');
    files.push((RECORD, json));

    let parent = kit::parent_of(out);
    std::fs::create_dir_all(parent).map_err(io("making", parent))?;
    let work =
        tempfile::Builder::new().prefix(".boot-image-").tempdir_in(parent).map_err(io("making a folder in", parent))?;
    let finished = work.path().join("boot-image");
    std::fs::create_dir(&finished).map_err(io("making", &finished))?;
    for (name, bytes) in &files {
        let path = finished.join(name);
        std::fs::write(&path, bytes).map_err(io("writing", &path))?;
    }
    kit::put_in_place(&finished, out, &work.path().join("replaced")).map_err(BootImageError::Kit)?;
    Ok(BootImage { folder: out.to_owned(), record })
}

fn digest(path: &str, bytes: &[u8]) -> FileDigest {
    FileDigest { path: path.to_owned(), sha256: Sha256::of(bytes), size_bytes: bytes.len() as u64 }
}

fn pack(name: &str, archive: &[u8], level: i32) -> Result<Vec<u8>, BootImageError> {
    zstd::encode_all(archive, level).map_err(io("packing", Path::new(name)))
}

/// Refuses what the booted computer would refuse.
fn pack_programs(archive: &[u8]) -> Result<Vec<u8>, BootImageError> {
    let check = |bytes: &[u8], most_bytes| match bytes.len() as u64 {
        found_bytes if found_bytes > most_bytes => Err(BootImageError::TooLarge { most_bytes, found_bytes }),
        _ => Ok(()),
    };
    check(archive, MAX_UNPACKED_PROGRAMS_BYTES)?;
    let packed = pack(PROGRAMS, archive, PROGRAMS_LEVEL)?;
    check(&packed, MAX_PROGRAMS_BYTES)?;
    Ok(packed)
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

/// Puts those of the kit's modules by which a medium is reached in the initramfs, the others in the archive of programs;
/// with each a list of what is loaded in which order.
fn add_modules(
    kit: &BootKit,
    initramfs: &mut Archive,
    programs: &mut Archive,
) -> Result<(Vec<ModuleRecord>, Vec<ModuleRecord>), BootImageError> {
    let mut depends = BTreeMap::new();
    let mut found = BTreeMap::new();
    for (file, path) in kit.files(Role::Module) {
        let bytes = read(&path)?;
        let name = path.file_name().and_then(|name| modules::module_name(&name.to_string_lossy()));
        let malformed = |found| BootImageError::NotAModule { path: path.clone(), found };
        let name = name.ok_or_else(|| malformed("a file with another name".to_owned()))?;
        depends.insert(name.clone(), modules::depends(&bytes).map_err(malformed)?);
        found.insert(name, (file.sha256, bytes));
    }
    let mut add = |archive: &mut Archive, wanted: &[modules::Wanted], order_file: &str| {
        let (mut lines, mut records) = (String::new(), Vec::new());
        for name in modules::load_order(wanted.iter().map(|wanted| wanted.name), &depends) {
            // What the first list loaded is there.
            let Some((sha256, bytes)) = found.remove(&name) else { continue };
            let parameters = modules::parameters(&name);
            lines += format!("{name}.ko {parameters}").trim_end();
            lines.push('\n');
            archive.file(&format!("{MODULES}/{name}.ko"), 0o644, bytes);
            records.push(ModuleRecord { name, parameters: parameters.to_owned(), sha256 });
        }
        archive.file(&format!("{MODULES}/{order_file}"), 0o644, lines.into_bytes());
        records
    };
    let first = add(initramfs, modules::WANTED, MODULE_ORDER);
    let others = add(programs, modules::WANTED_BY_DEPLOYMENT, DEPLOYMENT_MODULE_ORDER);
    Ok((first, others))
}

/// Puts the kit's files of a role in the archive, at their places.
fn add_packaged(kit: &BootKit, role: Role, archive: &mut Archive) -> Result<Vec<PackagedFile>, BootImageError> {
    let licences: BTreeMap<&str, &KitFile> = kit.files(Role::Licence).map(|(file, _)| (&*file.path, file)).collect();
    let mut records = Vec::new();
    for (file, path) in kit.files(role) {
        let package = file.package.clone();
        let Some(licence) = licences.get(&*format!("{LICENCES_FOLDER}/{package}")) else {
            return Err(BootImageError::NoLicence { path: file.path.clone(), package });
        };
        let place = below(PROGRAMS_FOLDER, &file.path);
        archive.file(place, 0o755, read(&path)?);
        records.push(PackagedFile {
            path: place.to_owned(),
            package,
            version: file.version.clone(),
            sha256: file.sha256,
            licence_sha256: licence.sha256,
        });
    }
    Ok(records)
}

/// Puts Platen's own programs in the archive, sorted; they must find their libraries there.
fn add_own(
    paths: &[PathBuf],
    libraries: &[PackagedFile],
    archive: &mut Archive,
) -> Result<Vec<FileDigest>, BootImageError> {
    let mut programs = BTreeMap::new();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        programs.insert(name, (path, read(path)?));
    }
    let mut records = Vec::new();
    for (name, (path, bytes)) in programs {
        // Not Linux' own are taken along as they are, for the system that is deployed.
        let needed = elf::linkage(&bytes).map(|linkage| linkage.needed).unwrap_or_default();
        let has = |library: &str| libraries.iter().any(|file| file.path.rsplit('/').next() == Some(library));
        if let Some(library) = needed.into_iter().find(|library| !has(library)) {
            return Err(BootImageError::NoLibrary { path: path.clone(), library });
        }
        let place = format!("{OWN_PROGRAMS}/{name}");
        records.push(digest(&place, &bytes));
        archive.file(&place, 0o755, bytes);
    }
    Ok(records)
}

/// Puts the licences in the archive, where Debian has them: they go wherever the programs go.
fn add_licences(kit: &BootKit, archive: &mut Archive) -> Result<(), BootImageError> {
    for (file, path) in kit.files(Role::Licence) {
        let place = match file.path.strip_prefix(COMMON_LICENCES_FOLDER) {
            Some(name) => format!("usr/share/common-licenses{name}"),
            None => format!("usr/share/doc/{}/copyright", below(LICENCES_FOLDER, &file.path)),
        };
        archive.file(&place, 0o644, read(&path)?);
    }
    Ok(())
}

/// What of a kit's path is below one of its folders.
fn below<'p>(folder: &str, path: &'p str) -> &'p str {
    path.strip_prefix(folder).map_or(path, |rest| rest.trim_start_matches('/'))
}

/// Refuses programs that the kernel would not start as `/init`: another machine's, or one that needs a dynamic linker.
pub(super) fn check_static(path: &Path, program: &[u8]) -> Result<(), BootImageError> {
    match elf::linkage(program) {
        Ok(elf::Linkage { interpreter: None, .. }) => Ok(()),
        Ok(elf::Linkage { interpreter: Some(interpreter), .. }) => {
            Err(BootImageError::NotStatic { path: path.to_owned(), interpreter })
        }
        Err(_) => Err(BootImageError::NotAProgram { path: path.to_owned() }),
    }
}
