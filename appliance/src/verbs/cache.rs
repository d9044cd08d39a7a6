// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! `platen cache`: what is in the store, and how it gets there.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use platen_cache::layout::Layout;
use platen_cache::{Answer, Cache, CacheError, CachedMedia, Minimum};
use platen_engine::{Clock, SystemClock};
use platen_engine::{NewEntry, Subject};
use platen_events::answer::DocumentFormat;
use platen_events::{Action, Answer as Told, Code, Event};
use platen_media::sign::TrustedKeys;
use platen_station::{Exit, Failure, Paths, open_ledger};

use crate::answers;
use crate::args::CacheVerb;
use crate::output::{Output, human_bytes, table};
use crate::verbs::trusted_keys;

/// How long to wait for another process that changes the store.
const PATIENCE: Duration = Duration::from_secs(120);

pub fn run(verb: CacheVerb, paths: &Paths, output: &Arc<Output>) -> Result<ExitCode, Failure> {
    match verb {
        CacheVerb::Import { layout, medium, quota } => {
            let keys = trusted_keys(paths, output)?;
            let source = Layout::open(&layout)?;
            let cache = Cache::open(&paths.cache, quota)?.patient(PATIENCE);
            let answers = {
                let action = output.action(Action::Import, layout.display().to_string(), "importing");
                let now = SystemClock::new().now();
                cache.import(&source, medium.as_ref(), &keys, now, &mut |at| {
                    action.progress(at.done_bytes, at.total_bytes);
                })?
            };
            imported(answers, output)
        }
        CacheVerb::List => list(&open(&paths.cache)?, output),
        CacheVerb::Show { medium } => {
            let keys = trusted_keys(paths, output)?;
            let media = open(&paths.cache)?.load(&medium, &keys)?;
            output.answer(manifest(&media)?, || platen_author::describe(media.manifest()));
            Ok(ExitCode::SUCCESS)
        }
        CacheVerb::Scrub => {
            let cache = open(&paths.cache)?;
            let scrubbed = {
                let action = output.action(Action::Scrub, paths.cache.display().to_string(), "scrubbing");
                cache.scrub(&mut |at| action.progress(at.done_bytes, at.total_bytes))?
            };
            let lines = |damage: &platen_cache::Damage| {
                format!("damaged   {} in {} (blob sha256:{})", damage.files.join(", "), damage.medium, damage.digest)
            };
            let told = Told::Scrubbed {
                checked_bytes: scrubbed.checked_bytes,
                damage: scrubbed.damage.iter().map(answers::damage).collect(),
            };
            output.answer(told, || {
                let mut text: Vec<String> = scrubbed.damage.iter().map(lines).collect();
                let checked = human_bytes(scrubbed.checked_bytes);
                text.push(match scrubbed.damage.len() {
                    0 => format!("{checked} checked, all digests right"),
                    n => format!("{checked} checked, {n} damaged; import the named media again"),
                });
                text.join("\n")
            });
            Ok(if scrubbed.damage.is_empty() { ExitCode::SUCCESS } else { Exit::Machine.into() })
        }
        CacheVerb::Gc => {
            let collected = open(&paths.cache)?.collect_garbage()?;
            let told = Told::GarbageCollected {
                media: collected.media.clone(),
                in_use: collected.in_use,
                removed_blobs: collected.removed_blobs,
                removed_bytes: collected.removed_bytes,
            };
            output.answer(told, || {
                let media = if collected.media.is_empty() { "none".to_owned() } else { collected.media.join(", ") };
                let freed = human_bytes(collected.removed_bytes);
                let in_use = match collected.in_use {
                    0 => String::new(),
                    count => format!("; content of {count} removed medium(s) stays while it is being used"),
                };
                format!("media removed: {media}; {} blobs removed, {freed} freed{in_use}", collected.removed_blobs)
            });
            Ok(ExitCode::SUCCESS)
        }
        CacheVerb::Minimum { id, set, key } => minimum(id.as_deref(), set, key, paths, output),
        CacheVerb::Pin { medium, remove } => {
            let name = open(&paths.cache)?.pin(&medium, !remove)?;
            let state = if remove { "no longer pinned" } else { "pinned" };
            output.answer(Told::PinChanged { medium: name.clone(), pinned: !remove }, || format!("{name} is {state}"));
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// An existing store; only an import makes a new one.
pub fn open(dir: &Path) -> Result<Cache, Failure> {
    Ok(Cache::open_existing(dir)?.patient(PATIENCE))
}

/// The very bytes that were signed.
fn manifest(media: &CachedMedia) -> Result<Told, Failure> {
    let mut bytes = vec![0; media.signed().manifest_size_bytes() as usize];
    let blob = media.store().open(media.signed().manifest_digest())?;
    blob.read_exact_at(&mut bytes, 0).map_err(|error| Failure::new(Exit::Machine, error))?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Told::Document { format: DocumentFormat::Manifest, of: Some(media.name().to_owned()), text })
}

/// Say what became of each medium. Older revisions beside ones that are wanted are no failure; where there is nothing
/// else, or one was refused, it is.
fn imported(answers: Vec<Answer>, output: &Output) -> Result<ExitCode, Failure> {
    let alone = answers.len() == 1;
    let (mut accepted, mut older, mut refused) = (0, Vec::new(), Vec::new());
    for Answer { name, result } in answers {
        match result {
            Ok(one) => {
                accepted += 1;
                let (copied, shared) = (human_bytes(one.copied_bytes), human_bytes(one.shared_bytes));
                let (medium, shared_bytes) = (name.clone(), one.shared_bytes);
                output.event(match one.was_here {
                    true => Event::MediumPresent { medium, shared_bytes },
                    false => Event::MediumImported { medium, copied_bytes: one.copied_bytes, shared_bytes },
                });
                output.text(|| match one.was_here {
                    true => format!("{name} was here already: {shared} checked"),
                    false => format!("{name} imported: {copied} copied, {shared} were here already"),
                });
            }
            Err(error @ CacheError::OlderThanMinimum { .. }) => {
                let failure = Failure::from(error);
                let (code, text) = (Code::OlderThanMinimum.into(), failure.reason());
                output.event(Event::MediumSkipped { medium: name.clone(), code, text });
                output.text(|| format!("{name} skipped: {}", failure.text()));
                older.push(failure);
            }
            Err(error) => {
                let failure = Failure::from(error);
                let (code, exit, text) = (failure.code.map(Into::into), failure.exit as u8, failure.reason());
                output.event(Event::MediumRefused { medium: name.clone(), code, exit, text });
                if !alone {
                    output.text(|| format!("{name} refused: {}", failure.text()));
                }
                refused.push(failure);
            }
        }
    }
    match (accepted, &*refused) {
        (1.., []) => return Ok(ExitCode::SUCCESS),
        (0, []) => refused = older,
        _ => {}
    }
    Err(Failure::of_all(None, &refused))
}

/// Show minimums, or change one and record that in the ledger.
fn minimum(
    id: Option<&str>,
    revision: Option<u32>,
    key: Option<String>,
    paths: &Paths,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let cache = open(&paths.cache)?;
    if let (Some(id), true) = (id, revision.is_some() || key.is_some()) {
        let key = key.map(|key| trusted(&key, paths)).transpose()?;
        let now = SystemClock::new().now();
        // What was not recorded does not happen.
        let ledger = open_ledger(&paths.ledger)?;
        let change = cache.change_minimum(id, revision, key.as_deref())?;
        let (before, after) = (change.before.clone(), change.after.clone());
        let signer = |minimum: &Minimum| minimum.signed_by.clone().unwrap_or_else(|| "any trusted key".to_owned());
        let mut detail = format!(
            "minimum revision {} signed by {}, before: {} signed by {}",
            after.revision,
            signer(&after),
            before.revision,
            signer(&before)
        );
        if !change.withdrawn.is_empty() {
            detail += &format!("; taken off the list: {}", change.withdrawn.join(", "));
        }
        let row = NewEntry {
            medium: id.to_owned(),
            ..NewEntry::about_no_drive(&paths.station, Subject::MinimumVersion, &detail, now)
        };
        ledger.append(&row)?;
        let told = Told::MinimumChanged {
            before: answers::minimum(&before),
            after: answers::minimum(&after),
            withdrawn: change.withdrawn.clone(),
        };
        change.apply()?;
        output.answer(told, || format!("{id}: {detail}; recorded in {}", ledger.path().display()));
        return Ok(ExitCode::SUCCESS);
    }
    let all = cache.minimums()?;
    let shown: Vec<&Minimum> = all.iter().filter(|minimum| id.is_none_or(|id| minimum.id == id)).collect();
    if let (Some(id), []) = (id, &*shown) {
        return Err(Failure::new(Exit::Request, format!("no release of {id:?} was ever in {}", paths.cache.display())));
    }
    let row = |minimum: &&Minimum| {
        let made = minimum.created.map_or_else(|| "any time".to_owned(), |made| made.to_string());
        let signer = minimum.signed_by.clone().unwrap_or_else(|| "any trusted key".to_owned());
        vec![minimum.id.clone(), minimum.revision.to_string(), made, signer]
    };
    let rows: Vec<Vec<String>> = shown.iter().map(row).collect();
    let told = shown.iter().map(|minimum| Told::Minimum(answers::minimum(minimum)));
    output.answers(told, || table(&["ID", "MINIMUM REVISION", "MADE", "SIGNED BY KEY"], &rows));
    Ok(ExitCode::SUCCESS)
}

/// The number of a key, if this station trusts it.
fn trusted(key: &str, paths: &Paths) -> Result<String, Failure> {
    let keys = TrustedKeys::load(&paths.trust)?;
    let found = keys.ids().into_iter().find(|id| id.eq_ignore_ascii_case(key)).map(str::to_owned);
    found.ok_or_else(|| {
        let text = format!("key {key}: expected the number of a trusted key, one of {}", keys.ids().join(", "));
        Failure::new(Exit::Policy, text)
    })
}

fn list(cache: &Cache, output: &Output) -> Result<ExitCode, Failure> {
    let listed = cache.list()?;
    let rows: Vec<Vec<String>> = listed
        .iter()
        .map(|line| {
            let state = line.problem.clone().unwrap_or_else(|| "complete".to_owned());
            let state = if line.pinned { format!("{state}, pinned") } else { state };
            let size = human_bytes(line.content_bytes);
            vec![line.name.clone(), line.title.clone(), line.version.clone(), line.kind.clone(), size, state]
        })
        .collect();
    output.answers(listed.iter().map(answers::cached_medium), || {
        table(&["MEDIUM", "NAME", "VERSION", "KIND", "CONTENT", "STATE"], &rows)
    });
    Ok(ExitCode::SUCCESS)
}
