//! `platen plan` and `platen write`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use platen_cache::{CacheError, CachedMedia, MediaRef};
use platen_device::{OpenedDrive, open_for_reading, open_for_writing};
use platen_engine::ledger::Ledger;
use platen_engine::plan::{DriveShape, WritePlan, fresh_ids, plan as plan_drive};
use platen_engine::{Clock, Context, ReadDrive, Sources, SystemClock, write_drive};
use platen_events::{Code, DriveRef, Outcome};
use platen_media::manifest::Scheme;
use platen_media::sign::TrustedKeys;
use serde_json::json;

use crate::args::{Places, PlanOptions, WriteOptions};
use crate::exit::{Exit, Failure};
use crate::output::{DriveBoard, Output, human_bytes, table};
use crate::verbs::cache;

pub fn plan(options: &PlanOptions, places: &Places, output: &Output) -> Result<ExitCode, Failure> {
    let keys = TrustedKeys::load(&places.trust)?;
    let media = load(places, &options.medium, &keys)?;
    let shape = match (&options.drive, options.size) {
        (Some(drive), _) => shape_of(&open_for_reading(drive)?),
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
        "payload_extents": plan.payload().len(), "seal_extents": plan.seal().len(), "map": map,
    });
    output.result(&value, || {
        let lines =
            map.iter().flatten().map(|(set, offset, len, name)| format!("{set:<8}{offset:#014x} {len:>12}  {name}"));
        std::iter::once(plan.to_string()).chain(lines).collect::<Vec<_>>().join("\n")
    });
    Ok(ExitCode::SUCCESS)
}

pub fn write(options: &WriteOptions, places: &Places, output: &Output) -> Result<ExitCode, Failure> {
    let cancelled = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&cancelled);
    platen_device::signals::on_termination(move || stop.store(true, Ordering::Relaxed))
        .map_err(|error| Failure::new(Exit::Machine, error))?;

    let keys = TrustedKeys::load(&places.trust)?;
    let media = load(places, &options.medium, &keys)?;
    let mut jobs = prepare(&media, options)?;
    let ledger = open_ledger(&places.ledger)?;

    output.say(&format!(
        "writing {} {:?} version {} to {} drive(s)",
        media.name(),
        media.manifest().name,
        media.manifest().version,
        jobs.len()
    ));
    let drives: Vec<DriveRef> = jobs.iter().map(|(drive, _)| drive.facts().drive.clone()).collect();
    let board = DriveBoard::new(output, &drives);
    let clock = SystemClock::new();
    let sources = Sources::new();
    // One thread for each drive, and nothing shared that one drive could hold up: a drive that hangs for a minute in
    // a reset is felt by nobody else.
    let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        let threads: Vec<_> = jobs
            .iter_mut()
            .map(|(drive, plan)| {
                let (board, ledger, clock, cancelled, sources) = (&board, &ledger, &clock, &*cancelled, &sources);
                scope.spawn(move || {
                    let report = |event| board.show(&event);
                    let drive_ref = drive.facts().drive.clone();
                    let context = Context::new(drive_ref, &places.station, clock, &report, cancelled, sources);
                    write_drive(plan, drive, ledger, &context)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    summary(&drives, &outcomes, ledger.path(), output);
    let failed = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Failed { .. }));
    Ok(if failed { Exit::Drive.into() } else { ExitCode::SUCCESS })
}

/// Open and plan every drive before the first byte is erased on any of them; if one is refused, all are left alone.
fn prepare(media: &CachedMedia, options: &WriteOptions) -> Result<Vec<(OpenedDrive, WritePlan)>, Failure> {
    let mut jobs = Vec::new();
    let mut refused: Vec<Failure> = Vec::new();
    for path in &options.drives {
        let job = || -> Result<(OpenedDrive, WritePlan), Failure> {
            let drive = open_for_writing(path, &options.allow_device).map_err(|error| {
                let code = error.code();
                coded(code, Failure::from(error))
            })?;
            let plan = new_plan(media, shape_of(&drive), options.scheme.into())?;
            Ok((drive, plan))
        };
        match job() {
            Ok(job) => jobs.push(job),
            Err(failure) => refused.push(failure),
        }
    }
    if refused.is_empty() {
        return Ok(jobs);
    }
    let exit = refused.iter().map(|failure| failure.exit).max().unwrap_or(Exit::Request);
    let texts: Vec<String> = refused.iter().map(Failure::text).collect();
    Err(Failure::new(exit, format!("nothing was written: {}", texts.join("\n        "))))
}

/// A medium that may be written now: signature, version floor and content are checked here.
fn load(places: &Places, medium: &MediaRef, keys: &TrustedKeys) -> Result<CachedMedia, Failure> {
    cache::open(&places.cache)?.load(medium, keys).map_err(|error| {
        let code = match &error {
            CacheError::Signature { .. } => Some(Code::NotTrusted),
            CacheError::OlderThanFloor { .. } => Some(Code::OlderThanFloor),
            CacheError::Missing { .. } => Some(Code::CacheMissing),
            CacheError::Entry { .. } | CacheError::Json { .. } | CacheError::Manifest { .. } => {
                Some(Code::CacheDamaged)
            }
            _ => None,
        };
        let failure = Failure::from(error);
        match code {
            Some(code) => coded(code, failure),
            None => failure,
        }
    })
}

/// The operator's code in front of an error.
fn coded(code: Code, failure: Failure) -> Failure {
    let text = format!("{code}  {}", failure.text());
    Failure::new(failure.exit, text)
}

fn new_plan(media: &CachedMedia, shape: DriveShape, scheme: Scheme) -> Result<WritePlan, Failure> {
    let ids = fresh_ids().map_err(|error| Failure::new(Exit::Machine, error.to_string()))?;
    plan_drive(media, shape, scheme, ids, SystemClock::new().now()).map_err(|error| {
        let code = error.code();
        coded(code, Failure::from(error))
    })
}

pub fn shape_of(drive: &dyn ReadDrive) -> DriveShape {
    let facts = drive.facts();
    DriveShape { size_bytes: facts.size_bytes, sector_bytes: facts.sector_bytes }
}

fn open_ledger(path: &Path) -> Result<Ledger, Failure> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let text = |error| format!("making the ledger's folder {}: {error}", folder.display());
        std::fs::create_dir_all(folder).map_err(|error| Failure::new(Exit::Machine, text(error)))?;
    }
    Ok(Ledger::open(path)?)
}

fn summary(drives: &[DriveRef], outcomes: &[Outcome], ledger: &Path, output: &Output) {
    if output.is_json() {
        let ready = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Ready { .. })).count();
        let ledger: PathBuf = ledger.to_owned();
        let value = json!({ "event": "done", "ready": ready, "failed": outcomes.len() - ready, "ledger": ledger });
        output.result(&value, String::new);
        return;
    }
    let speed = |bytes: u64, ms: u64| format!("{:.0} MiB/s", bytes as f64 / 1_048_576.0 / (ms.max(1) as f64 / 1000.0));
    let row = |(drive, outcome): (&DriveRef, &Outcome)| match outcome {
        Outcome::Ready { written_bytes, verified_bytes, write_ms, verify_ms } => vec![
            drive.port.clone(),
            human_bytes(*written_bytes),
            speed(*written_bytes, *write_ms),
            human_bytes(*verified_bytes),
            speed(*verified_bytes, *verify_ms),
            "READY".to_owned(),
        ],
        Outcome::Failed { code, .. } => {
            let verdict = format!("{} {code}", code.entry().verdict);
            vec![drive.port.clone(), "-".into(), "-".into(), "-".into(), "-".into(), verdict]
        }
    };
    let rows: Vec<Vec<String>> = drives.iter().zip(outcomes).map(row).collect();
    let header = ["PORT", "WRITTEN", "AT", "READ BACK", "AT", "VERDICT"];
    output.result(&(), || format!("\n{}\n\nledger: {}", table(&header, &rows), ledger.display()));
}
