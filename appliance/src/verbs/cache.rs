//! `platen cache`: what is in the store, and how it gets there.

use std::path::Path;
use std::process::ExitCode;

use platen_cache::layout::Layout;
use platen_cache::{Cache, ImportProgress};
use platen_engine::{Clock, SystemClock};
use serde_json::json;

use crate::args::{CacheVerb, Places};
use crate::exit::{Exit, Failure};
use crate::output::{Output, human_bytes, table};
use crate::verbs::trusted_keys;

pub fn run(verb: CacheVerb, places: &Places, output: &Output) -> Result<ExitCode, Failure> {
    match verb {
        CacheVerb::Import { layout, medium, quota } => {
            let keys = trusted_keys(places, output)?;
            let source = Layout::open(&layout)?;
            let cache = Cache::open(&places.cache, quota)?;
            let bar = output.bar("importing");
            let mut progress = |at: ImportProgress| {
                bar.set_length(at.total_bytes);
                bar.set_position(at.done_bytes);
            };
            let imported = cache.import(&source, medium.as_ref(), &keys, SystemClock::new().now(), &mut progress)?;
            bar.finish_and_clear();
            for one in imported {
                let (copied, shared) = (human_bytes(one.copied_bytes), human_bytes(one.shared_bytes));
                let value = json!({ "event": "imported", "medium": one.name, "copied_bytes": one.copied_bytes, "shared_bytes": one.shared_bytes });
                output.result(&value, || format!("{} imported: {copied} copied, {shared} were here already", one.name));
            }
            Ok(ExitCode::SUCCESS)
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
                format!("media removed: {media}; {} blobs removed, {freed} freed", collected.removed_blobs)
            });
            Ok(ExitCode::SUCCESS)
        }
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
    Layout::open(dir)?;
    Ok(Cache::open(dir, None)?)
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
