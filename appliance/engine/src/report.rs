//! Is this drive a medium, which one, and is it unchanged? Answered from the drive alone: what an [`Examination`]
//! found is held against the signed manifest it found, and the boot sectors are computed anew and compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use platen_disk::{ALIGN_BYTES, Data, DiskSpec, boot_structures};
use platen_events::Code;
use platen_media::manifest::{Manifest, MediaKind, NotValid, Scheme};
use platen_media::sign::{SignedMedia, TrustedKeys};
use platen_media::{Blake3, Sha256, Timestamp, envelope, fold_name, is_made_by_system};
use serde::Serialize;

use crate::boot_code::disk_scheme;
use crate::buffer::AlignedBuffer;
use crate::claim::{Claim, NoClaim};
use crate::drive::{DriveError, ReadDrive};
use crate::examine::{Examination, SeenFile};
use crate::job::chain;
use crate::notice::check_dates;
use crate::plan::{DriveShape, disk_spec};
use crate::record::DriveRecord;

/// MBR boot code ends here; disk signature and partition table follow.
const BOOT_CODE_BYTES: usize = 440;
/// `BS_Reserved1` of a FAT32 boot sector: bit 0 is set by an operating system while it has the volume mounted.
const DIRTY_FLAG: usize = 0x41;

/// The medium a drive claims to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Medium {
    pub id: String,
    pub revision: u32,
    pub kind: MediaKind,
    pub name: String,
    pub version: String,
    pub label: String,
    pub created: Timestamp,
    pub valid_from: Option<Timestamp>,
    pub valid_until: Option<Timestamp>,
    pub password_required: bool,
    pub manifest_sha256: Sha256,
    pub signed_by: String,
    pub scheme: Scheme,
    pub files: usize,
    /// What the drive says about its making; not signed.
    pub record: Option<DriveRecord>,
}

/// Something that keeps a drive from being used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub code: Code,
    /// What, where, expected, found.
    pub text: String,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    pub medium: Option<Medium>,
    /// The raw image it was compared with; those carry no manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// None: the drive is a medium, complete and unchanged, and valid now.
    pub problems: Vec<Problem>,
    /// Harmless, but worth knowing.
    pub notes: Vec<String>,
    pub checked_bytes: u64,
}

impl Report {
    /// The drive may be used.
    pub fn is_good(&self) -> bool {
        (self.medium.is_some() || self.image.is_some()) && self.problems.is_empty()
    }

    fn problem(&mut self, code: Code, text: impl Into<String>) {
        self.problems.push(Problem { code, text: text.into() });
    }
}

/// Judge a drive by what was found on it.
pub fn judge(
    drive: &mut dyn ReadDrive,
    found: &Examination,
    keys: &TrustedKeys,
    now: Timestamp,
) -> Result<Report, DriveError> {
    let mut report = Report::default();
    let claim = match Claim::of(found, keys) {
        Ok(claim) => claim,
        Err(NoClaim::NoMedium(what)) => {
            report.problem(Code::NotAMedium, what);
            report.notes.extend(found.problems.iter().cloned());
            return Ok(report);
        }
        Err(NoClaim::NotTrusted(error)) => {
            report.problem(Code::NotTrusted, chain(&error));
            return Ok(report);
        }
    };
    let (signed, scheme) = (&claim.signed, claim.scheme());
    let manifest = signed.manifest();
    let text = |path| claim.text(path);
    report.medium = Some(medium(signed, scheme, text(envelope::DRIVE_RECORD)));
    match check_dates(manifest, now) {
        Ok(notice) => report.notes.extend(notice.map(|notice| notice.to_string())),
        Err(error @ NotValid::Expired { .. }) => report.problem(Code::Expired, error.to_string()),
        Err(error) => report.problem(Code::NotYetValid, error.to_string()),
    }
    check_sums(signed, text(envelope::SHA256SUMS), text(envelope::SHA256SUMS_SIGNATURE), keys, &mut report);
    check_files(manifest, &claim.files, found, &mut report);
    check_boot_sectors(drive, &claim, &mut report)?;
    for problem in &found.problems {
        report.problem(Code::FileChanged, problem);
    }
    Ok(report)
}

fn medium(signed: &SignedMedia, scheme: Scheme, record: Option<&str>) -> Medium {
    let manifest = signed.manifest();
    Medium {
        id: manifest.id.clone(),
        revision: manifest.revision,
        kind: manifest.kind,
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        label: manifest.label.to_string(),
        created: manifest.created,
        valid_from: manifest.validity.from,
        valid_until: manifest.validity.until,
        password_required: manifest.password_required,
        manifest_sha256: signed.manifest_digest(),
        signed_by: signed.key_id().to_owned(),
        scheme,
        files: manifest.files.len(),
        record: record.and_then(|text| serde_json::from_str(text).ok()),
    }
}

fn check_sums(
    signed: &SignedMedia,
    sums: Option<&str>,
    signature: Option<&str>,
    keys: &TrustedKeys,
    report: &mut Report,
) {
    let (Some(sums), Some(signature)) = (sums, signature) else {
        report.problem(Code::FileChanged, format!("{} or its signature is missing", envelope::SHA256SUMS));
        return;
    };
    if let Err(error) = keys.check(envelope::SHA256SUMS, sums.as_bytes(), signature) {
        report.problem(Code::NotTrusted, chain(&error));
    }
    if sums.as_bytes() != signed.manifest().sha256_sums(signed.manifest_digest()) {
        report.problem(Code::FileChanged, format!("{} is of another release", envelope::SHA256SUMS));
    }
}

fn check_files(manifest: &Manifest, files: &BTreeMap<&str, &SeenFile>, found: &Examination, report: &mut Report) {
    let mut unchecked = 0;
    let mut listed: BTreeMap<&str, ()> = envelope::ALL.iter().map(|path| (*path, ())).collect();
    for file in &manifest.files {
        let path = file.path.as_str();
        listed.insert(path, ());
        match files.get(path) {
            None => report.problem(Code::FileChanged, format!("{path}: missing")),
            Some(seen) if seen.size_bytes != file.size_bytes => {
                let text = format!("{path}: expected {} bytes, found {}", file.size_bytes, seen.size_bytes);
                report.problem(Code::FileChanged, text);
            }
            Some(SeenFile { blake3: Some(found), .. }) if found.parse() != Ok(file.blake3) => {
                report.problem(Code::FileChanged, format!("{path}: its content was changed"));
            }
            Some(SeenFile { blake3: Some(_), size_bytes, .. }) => report.checked_bytes += size_bytes,
            Some(_) => unchecked += 1,
        }
    }
    if unchecked > 0 {
        report.notes.push(format!("the content of {unchecked} files was not read; `platen verify` does"));
    }
    check_twins(found, report);
    let mut noted: Vec<&str> = Vec::new();
    for path in files.keys().filter(|path| !listed.contains_key(*path)) {
        if is_made_by_system(path) {
            noted.push(path.split('/').next().unwrap_or(path));
        } else {
            report.problem(Code::FileChanged, format!("{path}: not part of the medium"));
        }
    }
    let empty: BTreeSet<&str> = found.empty_folders.iter().map(|folder| &**folder).collect();
    let listed_folders: BTreeSet<&str> = manifest.folders.iter().map(|folder| folder.as_str()).collect();
    noted.extend(empty.difference(&listed_folders));
    for folder in listed_folders.difference(&empty) {
        // Where an operating system put something in it, it is there.
        let start = &*format!("{folder}/");
        let first_in_it = [files.range(start..).next().map(|(path, _)| *path), empty.range(start..).next().copied()];
        if !first_in_it.iter().flatten().any(|path| path.starts_with(start)) {
            report.problem(Code::FileChanged, format!("{start}: missing"));
        }
    }
    noted.dedup();
    report.notes.extend(noted.into_iter().map(|name| format!("{name}: added by an operating system, not checked")));
}

/// Names that FAT takes for one. Firmware opens the first of them, whatever was checked in the other.
fn check_twins(found: &Examination, report: &mut Report) {
    let mut names: BTreeMap<String, &str> = BTreeMap::new();
    for path in found.files.iter().map(|file| &*file.path).chain(found.empty_folders.iter().map(|path| &**path)) {
        if let Some(other) = names.insert(fold_name(path), path) {
            report.problem(Code::FileChanged, format!("{path}: is there twice, also as {other}"));
        }
    }
}

/// Compute partition tables, FAT boot sectors, boot code and the gap between them anew; compare byte for byte. Boot
/// code is compared by digest, because its bytes are in the boot kit, not in the manifest.
fn check_boot_sectors(drive: &mut dyn ReadDrive, claim: &Claim<'_>, report: &mut Report) -> Result<(), DriveError> {
    let facts = drive.facts();
    let shape = DriveShape { size_bytes: facts.size_bytes, sector_bytes: facts.sector_bytes };
    let (manifest, scheme, sector_bytes) = (claim.signed.manifest(), claim.scheme(), claim.ids.sector_bytes);
    if sector_bytes != shape.sector_bytes {
        let text = format!("written for {sector_bytes}-byte sectors, this drive has {}", shape.sector_bytes);
        report.problem(Code::FileChanged, text);
        return Ok(());
    }
    let spec: Result<DiskSpec, _> = disk_spec(manifest, shape, scheme, claim.drive_ids(), None);
    let structures = match spec.and_then(|spec| boot_structures(&spec)) {
        Ok(structures) => structures,
        Err(error) => {
            report.problem(Code::FileChanged, format!("this drive can't hold the medium: {error}"));
            return Ok(());
        }
    };

    let mut gap = read(drive, 0, ALIGN_BYTES as usize)?;
    check_boot_code(manifest, scheme, shape, &mut gap, report);
    for structure in structures {
        let extent = &structure.extent;
        let Data::Bytes(expected) = &extent.data else { continue };
        let mut seen = if extent.end_bytes() <= ALIGN_BYTES {
            let range = extent.offset_bytes as usize..extent.end_bytes() as usize;
            let seen = gap[range.clone()].to_vec();
            gap[range].fill(0);
            seen
        } else {
            read(drive, extent.offset_bytes, expected.len())?.to_vec()
        };
        let mut expected = expected.to_vec();
        if extent.offset_bytes == 0 {
            // Boot code was hashed and blanked above.
            expected[..BOOT_CODE_BYTES].fill(0);
        }
        let is_fat_boot_sector = extent.offset_bytes == ALIGN_BYTES;
        if is_fat_boot_sector && seen.get(DIRTY_FLAG) == Some(&1) {
            seen[DIRTY_FLAG] = 0;
            report.notes.push("an operating system had the volume mounted and did not unmount it".to_owned());
        }
        report.checked_bytes += seen.len() as u64;
        if let Some(at) = seen.iter().zip(&expected).position(|(a, b)| a != b) {
            let at_bytes = extent.offset_bytes + at as u64;
            report.problem(Code::FileChanged, format!("{}: changed at {at_bytes:#x}", structure.name));
        }
    }
    if let Some(at) = gap.iter().position(|&byte| byte != 0) {
        report.problem(Code::FileChanged, format!("the gap before the partition: changed at {at:#x}"));
    }
    Ok(())
}

/// Hash boot code and core image, then blank them, so that what is left of the gap must be zeros.
fn check_boot_code(manifest: &Manifest, scheme: Scheme, shape: DriveShape, gap: &mut [u8], report: &mut Report) {
    let record = manifest.bios.iter().flat_map(|bios| &bios.records).find(|record| record.scheme == scheme);
    // No BIOS starts from a drive with other sectors, so no boot code is laid down there.
    let Some(record) = record.filter(|_| shape.sector_bytes == 512) else { return };
    if Blake3::of(&gap[..BOOT_CODE_BYTES]) != record.boot_code_blake3 {
        report.problem(Code::FileChanged, "BIOS boot code in the master boot record: changed");
    }
    gap[..BOOT_CODE_BYTES].fill(0);
    let start = platen_disk::grub::core_lba(disk_scheme(scheme)) as usize * 512;
    let end = usize::try_from(record.core_size_bytes).ok().and_then(|size| start.checked_add(size));
    match end.and_then(|end| gap.get_mut(start..end)) {
        Some(core) => {
            if Blake3::of(core) != record.core_blake3 {
                report.problem(Code::FileChanged, "GRUB core image: changed");
            }
            core.fill(0);
        }
        None => report.problem(Code::FileChanged, "GRUB core image: the manifest gives an impossible size"),
    }
}

fn read(drive: &mut dyn ReadDrive, offset_bytes: u64, len: usize) -> Result<AlignedBuffer, DriveError> {
    let mut buffer = AlignedBuffer::new(len);
    drive.read_at(offset_bytes, &mut buffer)?;
    Ok(buffer)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(medium) = &self.medium {
            writeln!(f, "medium     {}-r{}  {:?}  {} media", medium.id, medium.revision, medium.name, medium.kind)?;
            writeln!(f, "version    {}  made {}", medium.version, medium.created)?;
            let date = |date: Option<Timestamp>| date.map_or_else(|| "any time".to_owned(), |date| date.to_string());
            writeln!(f, "valid      from {} until {}", date(medium.valid_from), date(medium.valid_until))?;
            writeln!(f, "signed by  {}  manifest sha256:{}", medium.signed_by, medium.manifest_sha256)?;
            writeln!(f, "layout     {}, label {:?}, {} files", medium.scheme, medium.label, medium.files)?;
            if let Some(record) = &medium.record {
                writeln!(
                    f,
                    "written    at {} by {} in port {}",
                    record.verified_at, record.station, record.drive.port
                )?;
            }
        }
        if let Some(image) = &self.image {
            writeln!(f, "image      {image}, compared byte for byte")?;
        }
        for note in &self.notes {
            writeln!(f, "note       {note}")?;
        }
        for problem in &self.problems {
            writeln!(f, "problem    {}  {}", problem.code, problem.text)?;
        }
        if self.is_good() {
            write!(f, "verdict    READY: {} bytes checked, all as signed", self.checked_bytes)
        } else {
            let code = self.problems.first().map_or(Code::NotAMedium, |problem| problem.code);
            write!(f, "verdict    {}: {} {}", code.entry().verdict, code.entry().what, code.entry().todo)
        }
    }
}
