//! `platen cache`: what is in the store, and how it gets there.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use platen_cache::layout::Layout;
use platen_cache::{Answer, Cache, CacheError, ImportProgress, Minimum};
use platen_engine::NewEntry;
use platen_engine::{Clock, SystemClock};
use platen_media::sign::TrustedKeys;
use serde_json::json;

use crate::args::{CacheVerb, Places};
use crate::exit::{Exit, Failure};
use crate::output::{Output, human_bytes, table};
use crate::verbs::drives::open_ledger;
use crate::verbs::trusted_keys;

/// How long to wait for another process that changes the store.
const PATIENCE: Duration = Duration::from_secs(120);

pub fn run(verb: CacheVerb, places: &Places, output: &Output) -> Result<ExitCode, Failure> {
    match verb {
        CacheVerb::Import { layout, medium, quota } => {
            let keys = trusted_keys(places, output)?;
            let source = Layout::open(&layout)?;
            let cache = Cache::open(&places.cache, quota)?.patient(PATIENCE);
            let bar = output.bar("importing");
            let mut progress = |at: ImportProgress| {
                bar.set_length(at.total_bytes);
                bar.set_position(at.done_bytes);
            };
            let answers = cache.import(&source, medium.as_ref(), &keys, SystemClock::new().now(), &mut progress)?;
            bar.finish_and_clear();
            imported(answers, output)
        }
        CacheVerb::List => list(&open(&places.cache)?, output),
        CacheVerb::Show { medium } => {
            let keys = trusted_keys(places, output)?;
            let media = open(&places.cache)?.load(&medium, &keys)?;
            let manifest = media.manifest();
            output.result(manifest, || platen_author::describe(manifest));
            Ok(ExitCode::SUCCESS)
        }
        CacheVerb::Scrub => {
            let bar = output.bar("scrubbing");
            let scrubbed = open(&places.cache)?.scrub(&mut |at| {
                bar.set_length(at.total_bytes);
                bar.set_position(at.done_bytes);
            })?;
            bar.finish_and_clear();
            let lines = |damage: &platen_cache::Damage| {
                format!("damaged   {} in {} (blob sha256:{})", damage.files.join(", "), damage.medium, damage.digest)
            };
            output.result(&scrubbed, || {
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
            let collected = open(&places.cache)?.collect_garbage()?;
            output.result(&collected, || {
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
        CacheVerb::Minimum { id, set, key } => minimum(id.as_deref(), set, key, places, output),
        CacheVerb::Pin { medium, remove } => {
            let name = open(&places.cache)?.pin(&medium, !remove)?;
            let state = if remove { "no longer pinned" } else { "pinned" };
            output.result(&json!({ "medium": name, "pinned": !remove }), || format!("{name} is {state}"));
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// An existing store; only an import makes a new one.
pub fn open(dir: &Path) -> Result<Cache, Failure> {
    Ok(Cache::open_existing(dir)?.patient(PATIENCE))
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
                let event = if one.was_here { "present" } else { "imported" };
                let value = json!({ "event": event, "medium": name, "copied_bytes": one.copied_bytes, "shared_bytes": one.shared_bytes });
                output.result(&value, || match one.was_here {
                    true => format!("{name} was here already: {shared} checked"),
                    false => format!("{name} imported: {copied} copied, {shared} were here already"),
                });
            }
            Err(error @ CacheError::OlderThanFloor { .. }) => {
                let failure = Failure::from(error);
                let value = json!({ "event": "skipped", "medium": name, "reason": failure.text() });
                output.result(&value, || format!("{name} skipped: {}", failure.text()));
                older.push(failure);
            }
            Err(error) => {
                let failure = Failure::from(error);
                if !alone {
                    let value = json!({ "event": "refused", "medium": name, "exit": failure.exit as u8, "error": failure.text() });
                    output.result(&value, || format!("{name} refused: {}", failure.text()));
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
    let exit = refused.iter().map(|failure| failure.exit).max().unwrap_or(Exit::Request);
    let texts: Vec<String> = refused.iter().map(Failure::text).collect();
    Err(Failure::new(exit, texts.join("\n        ")))
}

/// Show minimums, or change one and record that in the ledger.
fn minimum(
    id: Option<&str>,
    revision: Option<u32>,
    key: Option<String>,
    places: &Places,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let cache = open(&places.cache)?;
    if let (Some(id), true) = (id, revision.is_some() || key.is_some()) {
        let key = key.map(|key| trusted(&key, places)).transpose()?;
        let now = SystemClock::new().now();
        // What was not recorded does not happen.
        let ledger = open_ledger(&places.ledger)?;
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
            ..NewEntry::about_no_drive(&places.station, "minimum-version", &detail, now)
        };
        ledger.append(&row)?;
        let value = json!({ "event": "minimum", "before": before, "after": after, "withdrawn": change.withdrawn });
        change.apply()?;
        output.result(&value, || format!("{id}: {detail}; recorded in {}", ledger.path().display()));
        return Ok(ExitCode::SUCCESS);
    }
    let all = cache.minimums()?;
    let shown: Vec<&Minimum> = all.iter().filter(|minimum| id.is_none_or(|id| minimum.id == id)).collect();
    if let (Some(id), []) = (id, &*shown) {
        return Err(Failure::new(
            Exit::Request,
            format!("no release of {id:?} was ever in {}", places.cache.display()),
        ));
    }
    if output.is_json() {
        for minimum in shown {
            output.result(minimum, String::new);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let row = |minimum: &&Minimum| {
        let made = minimum.created.map_or_else(|| "any time".to_owned(), |made| made.to_string());
        let signer = minimum.signed_by.clone().unwrap_or_else(|| "any trusted key".to_owned());
        vec![minimum.id.clone(), minimum.revision.to_string(), made, signer]
    };
    let rows: Vec<Vec<String>> = shown.iter().map(row).collect();
    output.result(&(), || table(&["ID", "MINIMUM REVISION", "MADE", "SIGNED BY KEY"], &rows));
    Ok(ExitCode::SUCCESS)
}

/// The number of a key, if this station trusts it.
fn trusted(key: &str, places: &Places) -> Result<String, Failure> {
    let keys = TrustedKeys::load(&places.trust)?;
    let found = keys.ids().into_iter().find(|id| id.eq_ignore_ascii_case(key)).map(str::to_owned);
    found.ok_or_else(|| {
        let text = format!("key {key}: expected the number of a trusted key, one of {}", keys.ids().join(", "));
        Failure::new(Exit::Policy, text)
    })
}

fn list(cache: &Cache, output: &Output) -> Result<ExitCode, Failure> {
    let listed = cache.list()?;
    if output.is_json() {
        for line in &listed {
            output.result(line, String::new);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = listed
        .iter()
        .map(|line| {
            let state = line.problem.clone().unwrap_or_else(|| "complete".to_owned());
            let state = if line.pinned { format!("{state}, pinned") } else { state };
            let size = human_bytes(line.content_bytes);
            vec![line.name.clone(), line.title.clone(), line.version.clone(), line.kind.clone(), size, state]
        })
        .collect();
    output.result(&(), || table(&["MEDIUM", "NAME", "VERSION", "KIND", "CONTENT", "STATE"], &rows));
    Ok(ExitCode::SUCCESS)
}
