//! `platen plan` and `platen write`.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use platen_cache::{CacheError, CachedMedia, MediaRef};
use platen_device::{Candidate, OpenError, OpenedDrive};
use platen_engine::plan::plan_update;
use platen_engine::plan::{DriveShape, WritePlan, fresh_ids, plan as plan_drive};
use platen_engine::{Clock, Drive, ReadDrive, SystemClock, chain};
use platen_events::Code;
use platen_media::manifest::Scheme;
use platen_media::sign::TrustedKeys;
use serde_json::json;

use crate::args::{DepthArg, Places, PlanOptions, WriteOptions};
use crate::attend::Signs;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::verbs::cache;
use crate::verbs::drives::{answer_of, begin, coded, open_failure, prepare, run, shape_of};
use crate::verbs::examine::look;
use crate::verbs::{trusted_keys, warn_of_unusable};

pub fn plan(options: &PlanOptions, places: &Places, output: &Output) -> Result<ExitCode, Failure> {
    let keys = trusted_keys(places, output)?;
    let media = load(places, &options.medium, &keys)?;
    let shape = match (&options.drive, options.size) {
        (Some(drive), _) => shape_of(&Candidate::find(drive).and_then(Candidate::for_reading).map_err(open_failure)?),
        (None, size) => DriveShape { size_bytes: size.unwrap_or(0), sector_bytes: options.sector_size },
    };
    let plan = new_plan(&media, shape, options.scheme.into())?;
    let extents = || plan.payload().iter().map(|e| ("payload", e)).chain(plan.seal().iter().map(|e| ("seal", e)));
    let map = options.map.then(|| {
        extents().map(|(set, e)| (set, e.offset_bytes, e.len_bytes, plan.name_of(&e.source))).collect::<Vec<_>>()
    });
    let value = json!({
        "medium": media.name(), "size_bytes": shape.size_bytes, "sector_bytes": shape.sector_bytes,
        "write_bytes": plan.write_bytes(), "free_bytes": plan.free_bytes(),
        "notices": plan.notices().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "payload_extents": plan.payload().len(), "seal_extents": plan.seal().len(), "map": map,
    });
    output.result(&value, || {
        let lines =
            map.iter().flatten().map(|(set, offset, len, name)| format!("{set:<8}{offset:#014x} {len:>12}  {name}"));
        std::iter::once(plan.to_string()).chain(lines).collect::<Vec<_>>().join("\n")
    });
    Ok(ExitCode::SUCCESS)
}

pub fn write(options: &WriteOptions, places: &Places, output: &Arc<Output>) -> Result<ExitCode, Failure> {
    let stop = begin(options.on.drives.len())?;
    let stall_limit = Duration::from_secs(options.on.stall_limit);
    let (keys, media) = {
        let (places, medium) = (places.clone(), options.medium.clone());
        answer_of(&stop, stall_limit, Code::CacheStalled, move || {
            let keys = TrustedKeys::load(&places.trust)?;
            let media = load(&places, &medium, &keys)?;
            Ok((keys, media))
        })?
    };
    warn_of_unusable(&keys, output);
    let batch = {
        let (media, scheme, update) = (media.clone(), options.scheme.into(), options.update);
        let job = if update { "update" } else { "write" };
        prepare(job, &options.on, places, &stop, move |drive, signs| match update {
            true => update_plan(&media, drive, &keys, signs),
            false => new_plan(&media, shape_of(drive), scheme),
        })?
    };
    let (manifest, count) = (media.manifest(), batch.jobs.len());
    output.say(&format!(
        "writing {} {:?} version {} to {count} drive(s)",
        media.name(),
        manifest.name,
        manifest.version
    ));
    run(batch, &options.on, places, &stop, output)
}

/// A medium that may be written now: signature, version floor and content are checked here.
fn load(places: &Places, medium: &MediaRef, keys: &TrustedKeys) -> Result<CachedMedia, Failure> {
    cache::open(&places.cache)?.load(medium, keys).map_err(|error| {
        let code = match &error {
            CacheError::Signature { source, .. } if source.is_newer() => Some(Code::NewerMedium),
            CacheError::Signature { .. } => Some(Code::NotTrusted),
            CacheError::OlderThanFloor { .. } => Some(Code::OlderThanFloor),
            CacheError::OtherSigner { .. } => Some(Code::OtherSigner),
            CacheError::Missing { .. } => Some(Code::CacheMissing),
            CacheError::Entry { .. } | CacheError::Json { .. } | CacheError::Manifest { .. } => {
                Some(Code::CacheDamaged)
            }
            CacheError::Newer { .. } => Some(Code::CacheNewer),
            _ => None,
        };
        let failure = Failure::from(error);
        match code {
            Some(code) => coded(code, failure),
            None => failure,
        }
    })
}

fn new_plan(media: &CachedMedia, shape: DriveShape, scheme: Scheme) -> Result<WritePlan, Failure> {
    let ids = fresh_ids().map_err(|error| Failure::new(Exit::Machine, error.to_string()))?;
    plan_drive(media, shape, scheme, ids, SystemClock::new().now()).map_err(|error| {
        let code = error.code();
        coded(code, Failure::from(error))
    })
}

/// The plan of a drive that carries an older version of the medium.
fn update_plan(
    media: &CachedMedia,
    drive: &mut OpenedDrive,
    keys: &TrustedKeys,
    signs: &Signs,
) -> Result<WritePlan, Failure> {
    let path = drive.facts().drive.path.clone();
    let seen = look(drive, DepthArg::Places, signs);
    drive.confirm().map_err(|_| open_failure(OpenError::Gone { path: path.clone().into() }))?;
    let found = seen?.map_err(|died| {
        let text = format!("{path}: what is on it can't be read: {}", chain(&died));
        coded(Code::NothingToUpdate, Failure::new(Exit::Request, text))
    })?;
    let ids = fresh_ids().map_err(|error| Failure::new(Exit::Machine, error.to_string()))?;
    plan_update(media, shape_of(drive), &found, ids, keys, SystemClock::new().now()).map_err(|error| {
        let exit = if error.is_policy() { Exit::Policy } else { Exit::Request };
        coded(error.code(), Failure::new(exit, format!("{path}: {}", chain(&error))))
    })
}
