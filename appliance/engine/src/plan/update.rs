// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The plan of a drive that carries an older release of the same medium: everything is as in any other plan, but
//! files stay where they are, and the plan says which bytes should be there already.
//!
//! What a drive says of itself is a hint and no more. A wrong hint makes a plan that writes less well or expects bytes
//! that are not there; it never makes a plan for anything but the medium.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use platen_cache::CachedMedia;
use platen_disk::DriveIds;
use platen_events::Code;
use platen_media::examination::Examination;
use platen_media::sign::{SignError, TrustedKeys};
use platen_media::{Blake3, Timestamp};

use super::signed_claim::{NoClaim, SignedClaim};
use super::{
    DriveShape, PlanError, PlannedExtent, Source, WritePlan, disk_spec, layout_error, notices, own_files, plan_files,
};

/// Why a drive can't be updated. Nothing was touched; most of them can be written as a whole.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum UpdateError {
    /// An image has no files that could stay.
    #[error("{name}: expected a medium of files, found a disk image; write it as a whole")]
    DiskImage { name: String },
    /// Nothing to update.
    #[error("{name}: expected an older release of it on the drive, found {found}")]
    NoMedium { name: String, found: &'static str },
    /// Somebody else's medium, or one that was changed.
    #[error("{name}: expected an older release of it on the drive, found one that is not trusted")]
    NotTrusted { name: String, source: SignError },
    /// Ours, but of another series.
    #[error("{name}: expected an older release of it on the drive, found {found}")]
    OtherMedium { name: String, found: String },
    /// It would be a step back.
    #[error("{name}: expected an older release of it on the drive, found the newer {found}")]
    Newer { name: String, found: String },
    /// Copied from a drive of another kind: nothing is where it would have to be.
    #[error(
        "{name}: expected a medium laid out for {expected}-byte sectors on the drive, found one for {found}-byte ones"
    )]
    Sectors { name: String, expected: u32, found: u32 },
    /// The new medium can't be written to this drive, updated or not.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

impl UpdateError {
    /// What the operator is told.
    pub fn code(&self) -> Code {
        match self {
            Self::NoMedium { .. } | Self::OtherMedium { .. } => Code::NothingToUpdate,
            Self::NotTrusted { source, .. } if source.is_newer() => Code::NewerMedium,
            Self::NotTrusted { .. } => Code::NotTrusted,
            Self::Newer { .. } => Code::OlderThanMinimum,
            Self::DiskImage { .. } | Self::Sectors { .. } => Code::DoesNotFit,
            Self::Plan(error) => error.code(),
        }
    }

    /// Refused by policy (signature, release, dates), not because the request is wrong.
    pub fn is_policy(&self) -> bool {
        match self {
            Self::NotTrusted { .. } | Self::Newer { .. } => true,
            Self::Plan(error) => error.is_policy(),
            _ => false,
        }
    }
}

/// Compute the plan for a drive on which `found` was found, looked at deep enough to know where files begin
/// (`Depth::Places` of the examiner).
///
/// The drive keeps its scheme and gets `ids`: drives that were cloned must not stay alike. The release on it may be out of
/// date, and may be the very one that is to be written; the new one has to be valid `now`.
pub fn plan_update(
    media: &CachedMedia,
    shape: DriveShape,
    found: &Examination,
    ids: DriveIds,
    keys: &TrustedKeys,
    now: Timestamp,
) -> Result<WritePlan, UpdateError> {
    let name = || media.name().to_owned();
    let manifest = media.manifest();
    if manifest.image.is_some() {
        return Err(UpdateError::DiskImage { name: name() });
    }
    let claim = SignedClaim::of(found, keys).map_err(|error| match error {
        NoClaim::NoMedium(found) => UpdateError::NoMedium { name: name(), found },
        NoClaim::NotTrusted(source) => UpdateError::NotTrusted { name: name(), source },
    })?;
    let former = claim.signed.manifest();
    let release = || format!("{}-r{}", former.id, former.revision);
    if former.id != manifest.id {
        return Err(UpdateError::OtherMedium { name: name(), found: release() });
    }
    if former.revision > manifest.revision {
        return Err(UpdateError::Newer { name: name(), found: release() });
    }
    let (expected, found) = (shape.sector_bytes, claim.ids.sector_bytes);
    if expected != found {
        return Err(UpdateError::Sectors { name: name(), expected, found });
    }
    let notices = notices(media, now)?;

    let scheme = claim.scheme();
    let cluster_bytes =
        disk_spec(manifest, shape, scheme, ids, None).and_then(|spec| platen_disk::cluster_bytes(&spec));
    let cluster_bytes = cluster_bytes.map_err(|source| layout_error(media, shape, source))?;
    let on_drive = OnDrive::new(&claim);
    let places = on_drive.places(media, u64::from(cluster_bytes));
    let plan = plan_files(media, shape, scheme, ids, &places)?;
    let present = on_drive.present(&plan);
    Ok(WritePlan { notices, ..plan.with_present(present) })
}

/// A content of the former release.
type Content = (Blake3, u64);

/// Where the drive has what, as far as it can be believed: contents by the signed manifest, places as seen.
struct OnDrive<'a> {
    claim: &'a SignedClaim<'a>,
    by_path: BTreeMap<&'a str, (Content, u64)>,
    by_content: HashMap<Content, Vec<u64>>,
    by_place: HashMap<u64, Content>,
}

impl<'a> OnDrive<'a> {
    fn new(claim: &'a SignedClaim<'a>) -> Self {
        let (mut by_path, mut by_content, mut by_place) = (BTreeMap::new(), HashMap::new(), HashMap::new());
        for file in &claim.signed.manifest().files {
            let path = file.path.as_str();
            // Another size, another content.
            let seen = claim.files.get(path).filter(|seen| seen.size_bytes == file.size_bytes);
            if let Some(at) = seen.and_then(|seen| seen.offset_bytes) {
                let content = (file.blake3, file.size_bytes);
                by_path.insert(path, (content, at));
                by_content.entry(content).or_insert_with(Vec::new).push(at);
                by_place.insert(at, content);
            }
        }
        Self { claim, by_path, by_content, by_place }
    }

    /// Where the files of the new release would best be, by path.
    fn places<'m>(&self, media: &'m CachedMedia, cluster_bytes: u64) -> BTreeMap<&'m str, u64> {
        let listed = media.manifest().files.iter();
        let listed: Vec<_> = listed.map(|file| (file.path.as_str(), (file.blake3, file.size_bytes))).collect();
        let mut places = BTreeMap::new();
        let mut taken = BTreeSet::new();
        // What did not change comes before everything else.
        for (path, content) in &listed {
            if let Some((former, at)) = self.by_path.get(path)
                && former == content
                && taken.insert(*at)
            {
                places.insert(*path, *at);
            }
        }
        // What was there under another name.
        for (path, content) in &listed {
            let free = || self.by_content.get(content)?.iter().find(|at| !taken.contains(*at)).copied();
            if !places.contains_key(path)
                && let Some(at) = free()
            {
                taken.insert(at);
                places.insert(*path, at);
            }
        }
        // What needs no more room than before stays too: folders then are the same, byte for byte.
        let own = own_files(media).map(|(path, size_bytes, _)| (path, size_bytes));
        for (path, size_bytes) in own.into_iter().chain(listed.iter().map(|(path, (_, size))| (*path, *size))) {
            let Some(seen) = self.claim.files.get(path).filter(|_| !places.contains_key(path)) else { continue };
            let fits = size_bytes.div_ceil(cluster_bytes) <= seen.size_bytes.div_ceil(cluster_bytes);
            if let Some(at) = seen.offset_bytes.filter(|_| fits)
                && taken.insert(at)
            {
                places.insert(path, at);
            }
        }
        places
    }

    /// The contents of the plan that should be where they belong.
    fn present(&self, plan: &WritePlan) -> Vec<Range<u64>> {
        let is_there = |extent: &&PlannedExtent| match extent.source {
            Source::Content(id) => plan.content(id).is_some_and(|content| {
                self.by_place.get(&extent.offset_bytes) == Some(&(content.blake3, extent.len_bytes))
            }),
            _ => false,
        };
        let range = |extent: &PlannedExtent| extent.offset_bytes..extent.offset_bytes + extent.len_bytes;
        plan.payload().iter().filter(is_there).map(range).collect()
    }
}
