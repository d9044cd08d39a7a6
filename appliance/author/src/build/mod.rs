// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! From a definition to a medium in a layout.

mod describe;
mod drive;
mod log;

use std::path::{Path, PathBuf};

use platen_cache::free_bytes;
use platen_cache::layout::{Layout, MediaEntry};
use platen_media::manifest::{BiosBoot, ContentKind, MAX_MANIFEST_BYTES, Manifest, MediaKind};
use platen_media::spec::{ImageSpec, MediaSpec};
use platen_media::{Sha256, Timestamp};
use platen_sequence::{Finding, Severity};

use crate::content::gather::{Gathered, gather};
use crate::content::grub::BiosCode;
use crate::content::item::{Item, Planned};
use crate::content::notes::Notes;
use crate::content::policy::policy;
use crate::content::wim::{self, Prepared, Split};
use crate::definition::Definition;
use crate::definition::rules::{self, Architectures};
use crate::definition::sources::Sources;
use crate::definition::times::{self, Dated};
use crate::store::Store;
use crate::store::raw::{self, StoredImage};
use crate::{AuthorError, BuildOptions, Signer};

pub use self::describe::{describe, diff};
pub use self::drive::DriveNeeds;

use self::log::Log;

/// A medium that was made.
#[derive(Debug, Clone)]
pub struct BuildReport {
    /// Name in the layout's index, `<id>-r<revision>`.
    pub name: String,
    /// What was signed.
    pub manifest: Manifest,
    /// SHA-256 of the signed manifest.
    pub manifest_digest: Sha256,
    /// Number of the key that signed it.
    pub key_id: String,
    /// Rules that were broken without stopping the build.
    pub findings: Vec<Finding>,
    /// WIMs that were too large for FAT32.
    pub splits: Vec<Split>,
    /// The creation log.
    pub log: PathBuf,
}

/// What was found without making anything.
#[derive(Debug, Clone)]
pub struct LintReport {
    /// The medium's id.
    pub id: String,
    /// The medium's revision.
    pub revision: u32,
    /// Errors would stop a build.
    pub findings: Vec<Finding>,
    /// Before WIMs are split.
    pub files: u64,
    /// Before WIMs are split; of a packed disk image its packed size.
    pub content_bytes: u64,
    /// About, before WIMs are split; None for a disk image, which is not read.
    pub needs: Option<DriveNeeds>,
    /// Empty when there is no task sequence.
    pub outline: String,
}

impl LintReport {
    /// Whether a build would be refused.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }
}

/// Checks a definition as [`build`] does before it reads contents: only names, sizes, and what images say of
/// themselves are looked at, so a damaged WIM is found by building.
pub fn lint(spec_path: &Path, options: &BuildOptions) -> Result<LintReport, AuthorError> {
    let definition = Definition::load(spec_path, options)?;
    let checked = check(&definition, options)?;
    check_size(&definition.spec, checked.size_bytes)?;
    let items = checked.gathered.contents.iter().map(|content| content.items.len() as u64).sum();
    Ok(LintReport {
        id: definition.spec.id.clone(),
        revision: definition.spec.revision,
        findings: checked.findings,
        files: items,
        content_bytes: checked.size_bytes,
        needs: checked.needs,
        outline: definition.sequence.as_ref().map(platen_sequence::TaskSequence::outline).unwrap_or_default(),
    })
}

/// Makes the medium and adds it to the layout in `out`, replacing an earlier one of the same id and revision.
///
/// `out` is made when it is not there. The index changes last: whatever fails before leaves the layout with the media
/// it had. A creation log is written beside it, for failures too.
pub fn build(
    spec_path: &Path,
    signer: &Signer,
    out: &Path,
    options: &BuildOptions,
) -> Result<BuildReport, AuthorError> {
    let definition = Definition::load(spec_path, options)?;
    let layout = Layout::create(out)?;
    let mut log = Log::new(out, &definition);
    log.definition(&definition);
    match run(&definition, signer, &layout, options, &mut log) {
        Ok(report) => {
            log.write()?;
            Ok(report)
        }
        Err(error) => {
            log.failed(&error);
            // The failure itself is what the caller must hear of.
            if let Err(second) = log.write() {
                tracing::warn!("{}", second.chain());
            }
            Err(error)
        }
    }
}

/// A definition whose contents were found, but not read.
struct Checked {
    gathered: Gathered,
    findings: Vec<Finding>,
    size_bytes: u64,
    /// What of it may have to be stored.
    stored_bytes: u64,
    /// About; None for a disk image.
    needs: Option<DriveNeeds>,
    /// Every file that is read.
    sources: Sources,
}

fn check(definition: &Definition, options: &BuildOptions) -> Result<Checked, AuthorError> {
    let mut gathered = gather(definition, options)?;
    let mut architectures = Architectures {
        boot_image: gathered.boot_image.as_ref().map(|image| image.record().architecture.clone()),
        operating_system_image: None,
    };
    if let Some(image) = &definition.spec.operating_system_image {
        let items = gathered.contents.iter().flat_map(|content| content.items.iter().map(move |item| (content, item)));
        let is_system = |content: &Planned| content.kind == ContentKind::OperatingSystemImage;
        for (_, item) in items.filter(|(content, _)| is_system(content)) {
            let Item::Wim(wim) = item else { continue };
            let info = wim::info(wim)?;
            let Some(found) = info.images.iter().find(|found| found.index == image.index) else {
                return Err(AuthorError::Wim {
                    path: image.content.path.clone(),
                    expected: format!("operating-system-image.index from 1 to {}", info.image_count),
                    found: image.index.to_string(),
                });
            };
            architectures.operating_system_image = found.architecture.clone();
        }
    }
    let mut size_bytes = gathered.size_bytes();
    let mut stored_bytes = size_bytes;
    let mut dated = [definition.dated.clone(), gathered.dated()].concat();
    let mut notes = Notes { findings: std::mem::take(&mut gathered.findings), ..Notes::default() };
    let mut sources = std::mem::take(&mut gathered.sources);
    if let Some(image) = &definition.spec.image {
        let source = raw::Source::open(image)?;
        source.check(&mut notes);
        size_bytes += source.size_bytes();
        stored_bytes += source.allocated_bytes;
        let (of, path) = ("image".to_owned(), image.path.display().to_string());
        dated.push(Dated { of, path, modified_s: source.modified_s });
        sources.add(&image.path, source.stamp);
    }
    let mut findings = rules::check(definition, architectures, notes.findings, Timestamp::from_unix_s(options.now_s));
    findings.extend(times::findings(&definition.spec, options, &dated));
    let needs = match definition.spec.kind {
        MediaKind::Raw => None,
        MediaKind::StandAlone | MediaKind::Tree => Some(drive::about_needed(&definition.spec, &gathered, options)?),
    };
    Ok(Checked { findings, gathered, size_bytes, stored_bytes, needs, sources })
}

fn check_size(spec: &MediaSpec, needed_bytes: u64) -> Result<(), AuthorError> {
    match spec.media_size_bytes {
        Some(limit_bytes) if needed_bytes > limit_bytes => Err(AuthorError::MediaSize { limit_bytes, needed_bytes }),
        _ => Ok(()),
    }
}

fn run(
    definition: &Definition,
    signer: &Signer,
    layout: &Layout,
    options: &BuildOptions,
    log: &mut Log,
) -> Result<BuildReport, AuthorError> {
    let spec = &definition.spec;
    let Checked { gathered, mut findings, size_bytes, stored_bytes, sources, .. } = check(definition, options)?;
    log.findings(&findings);
    if findings.iter().any(|finding| finding.severity == Severity::Error) {
        return Err(AuthorError::Rules { path: definition.file.clone(), findings });
    }
    if spec.kind != MediaKind::Raw {
        check_size(spec, size_bytes)?;
    }
    check_space(layout, &gathered, stored_bytes, options)?;
    sources.settle();

    let stored = store_all(definition, gathered, layout, options, size_bytes, log);
    // If a source changed while it was read, that is the cause of whatever else went wrong.
    let Stored { store, splits, code, bios, image, found } =
        stored.map_err(|error| sources.check().err().unwrap_or(error))?;
    findings.extend(found);
    let created = times::made(spec, options);
    let (needs_drive_bytes, image) = image.map(|image| (image.needs_drive_bytes, image.image)).unzip();
    let mut manifest = Manifest {
        schema: spec.validity.schema(),
        id: spec.id.clone(),
        kind: spec.kind,
        name: spec.name.clone(),
        version: spec.version.clone(),
        revision: spec.revision,
        comment: spec.comment.clone(),
        label: spec.label,
        created,
        validity: spec.validity,
        unattended: spec.unattended,
        password_required: definition.password.is_some(),
        size_limit_bytes: spec.media_size_bytes,
        needs_drive_bytes,
        needs_drive_4096_bytes: None,
        bios,
        contents: store.contents,
        blobs: store.blobs,
        files: store.files,
        folders: store.folders,
        image,
    };
    let mut own_bytes = 0;
    if spec.kind != MediaKind::Raw {
        let comment = comment(&manifest);
        own_bytes = drive::lay_out(&mut manifest, signer, &comment, code.as_ref())?.signed_bytes();
    }
    check_size(spec, manifest.content_bytes() + own_bytes)?;
    log.contents(&manifest);
    sources.check()?;
    let (digest, entry) = sign(&manifest, signer)?;
    let key_id = signer.id();
    log.signed(created, digest, &key_id);
    // The log first: once the index names the medium, nothing may fail any more.
    let log = log.write()?;
    let name = layout.publish(&manifest, &entry)?.name;
    Ok(BuildReport { name, manifest, manifest_digest: digest, key_id, findings, splits, log })
}

/// Contents that were read and are in the layout's store.
struct Stored<'a> {
    store: Store<'a>,
    splits: Vec<Split>,
    code: Option<BiosCode>,
    bios: Option<BiosBoot>,
    image: Option<StoredImage>,
    /// While reading.
    found: Vec<Finding>,
}

fn store_all<'a>(
    definition: &Definition,
    gathered: Gathered,
    layout: &'a Layout,
    options: &'a BuildOptions,
    size_bytes: u64,
    log: &mut Log,
) -> Result<Stored<'a>, AuthorError> {
    // On the layout's own file system; gone whatever happens.
    let staging = tempfile::Builder::new().prefix(".staging-").tempdir_in(layout.dir());
    let staging = staging.map_err(AuthorError::io("making a folder in", layout.dir()))?;
    let mut store = Store::new(layout, options, size_bytes);
    let (mut splits, mut system_files, mut bios) = (Vec::new(), Vec::new(), None);
    for mut planned in gathered.contents {
        prepare(&mut planned, staging.path(), options, &mut splits)?;
        if planned.kind == ContentKind::OperatingSystemImage {
            system_files = planned.items.iter().map(|item| item.place().clone()).collect();
        }
        let slices = store.content(&planned)?;
        if let (Some(code), [boot_img, core_mbr, core_gpt]) = (&gathered.bios, &slices[..]) {
            let (boot_img, core_mbr, core_gpt, records) = (*boot_img, *core_mbr, *core_gpt, code.records());
            bios = Some(BiosBoot { boot_img, core_mbr, core_gpt, records });
        }
    }
    drop(staging);
    log.splits(&splits);
    if let Some(planned) = policy(definition, &system_files)? {
        store.content(&planned)?;
    }
    store.sort();
    let (mut image, mut notes) = (None, Notes::default());
    if let Some(of_spec) = &definition.spec.image {
        image = Some(raw_content(of_spec, layout, options, &mut store, &mut notes)?);
        log.findings_while_reading(&notes.findings);
    }
    Ok(Stored { store, splits, code: gathered.bios, bios, image, found: notes.findings })
}

/// Refuses before anything is read what can't end well. Counts everything as new and every large WIM twice.
fn check_space(
    layout: &Layout,
    gathered: &Gathered,
    stored_bytes: u64,
    options: &BuildOptions,
) -> Result<(), AuthorError> {
    let items = gathered.contents.iter().flat_map(|content| &content.items);
    let staged: u64 = items
        .filter(|item| matches!(item, Item::Wim(wim) if wim::is_too_large(wim, options.max_file_bytes)))
        .map(Item::size_bytes)
        .sum();
    let needed_bytes = stored_bytes.saturating_add(staged);
    match free_bytes(layout.dir()) {
        Some(free_bytes) if free_bytes < needed_bytes => {
            Err(AuthorError::Space { path: layout.dir().to_owned(), needed_bytes, free_bytes })
        }
        _ => Ok(()),
    }
}

/// Puts verified files in the place of WIMs.
fn prepare(
    planned: &mut Planned,
    staging: &Path,
    options: &BuildOptions,
    splits: &mut Vec<Split>,
) -> Result<(), AuthorError> {
    let mut items = Vec::new();
    for item in std::mem::take(&mut planned.items) {
        match item {
            Item::Wim(wim) => {
                let Prepared { files, split } = wim::prepare(&wim, staging, options.max_file_bytes)?;
                splits.extend(split);
                items.extend(files.into_iter().map(Item::File));
            }
            other => items.push(other),
        }
    }
    planned.items = items;
    Ok(())
}

fn raw_content(
    spec: &ImageSpec,
    layout: &Layout,
    options: &BuildOptions,
    store: &mut Store<'_>,
    notes: &mut Notes,
) -> Result<StoredImage, AuthorError> {
    let stored = raw::Source::open(spec)?.store(layout, options, notes)?;
    if let Some(blob) = stored.blob {
        store.blob(blob.sha256, blob.size_bytes);
    }
    let planned = Planned {
        id: "image".into(),
        kind: ContentKind::Tree,
        name: "Disk image".into(),
        version: String::new(),
        items: Vec::new(),
        folders: Vec::new(),
        slices: Vec::new(),
    };
    store.content(&planned)?;
    if let Some(content) = store.contents.last_mut() {
        content.size_bytes = stored.image.size_bytes;
    }
    Ok(stored)
}

fn comment(manifest: &Manifest) -> String {
    format!("platen medium {} version {} revision {}", manifest.id, manifest.version, manifest.revision)
}

/// Manifest, SHA256SUMS and their signatures, after the manifest was read back and found possible.
fn sign(manifest: &Manifest, signer: &Signer) -> Result<(Sha256, MediaEntry), AuthorError> {
    let manifest_bytes = manifest.to_json();
    let (files, len_bytes) = (manifest.files.len(), manifest_bytes.len() as u64);
    if len_bytes > MAX_MANIFEST_BYTES {
        let text = format!(
            "{files} files make a manifest of {len_bytes} bytes: expected at most {MAX_MANIFEST_BYTES} (some 80,000 files); \
             put many small files into an archive or a WIM"
        );
        return Err(AuthorError::Contents { problems: vec![text] });
    }
    Manifest::from_json(&manifest_bytes).map_err(AuthorError::Manifest)?;
    let digest = Sha256::of(&manifest_bytes);
    let sums = manifest.sha256_sums(digest);
    let comment = comment(manifest);
    let manifest_signature = signer.sign(&manifest_bytes, &comment)?;
    let sums_signature = signer.sign(&sums, &comment)?;
    let blobs = manifest.blobs.clone();
    Ok((digest, MediaEntry { manifest_bytes, manifest_signature, sums, sums_signature, blobs }))
}
