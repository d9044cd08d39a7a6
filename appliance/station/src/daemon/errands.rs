// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What clients ask for that is about no drive, each on a thread of its own.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

use platen_cache::layout::Layout;
use platen_cache::{Answer, Cache, CacheError};
use platen_engine::{Clock, SystemClock};
use platen_events::{Action, AnyCode, Code, Event};
use platen_ledger::{Ledger, LedgerEntry};
use platen_media::sign::TrustedKeys;
use serde_json::{Value, json};

use super::conditions::media;
use super::{Happening, Say};
use crate::core::{ClientId, Errand, Input};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::media::PATIENCE;
use crate::paths::Paths;

/// The most rows that are told at once.
const MAX_ROWS: usize = 10_000;

pub(super) fn run(client: ClientId, request: u64, errand: Errand, paths: &Paths, stop: &Arc<AtomicBool>, say: &Say) {
    let (paths, stop, own) = (paths.clone(), Arc::clone(stop), say.clone());
    let thread = std::thread::Builder::new().name("errand".to_owned()).spawn(move || {
        let ran = match errand {
            Errand::Import { folder } => import(Path::new(&folder), &paths, &own),
            Errand::Media => listed(&paths),
            Errand::History { serial, limit } => history(serial.as_deref(), limit, &paths),
            Errand::Scrub => scrub(&paths, &own, || {}),
            // It is told of what only the station knows.
            Errand::Diagnostics { .. } => Ok(Value::Null),
            Errand::ShutDown => {
                stop.store(true, Ordering::Relaxed);
                Ok(Value::Null)
            }
        };
        own.say(Happening::Ran(client, request, ran));
    });
    if let Err(error) = thread {
        say.say(Happening::Ran(client, request, Err(Failure::new(Exit::Machine, error))));
    }
}

/// An action says that it begins, how it gets on, and that it ends, whatever comes of it.
fn acting<T>(
    action: Action,
    of: String,
    say: &Say,
    act: impl FnOnce(&mut dyn FnMut(u64, u64)) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let under_way = || say.under_way.lock().unwrap_or_else(PoisonError::into_inner);
    {
        let mut under_way = under_way();
        if under_way.contains(&action) {
            let text = "the same is under way already, for somebody else or by itself; wait for its end";
            return Err(Failure::new(Exit::Request, text));
        }
        under_way.push(action);
    }
    say.say(Happening::Told(Event::ActionStarted { action, of }));
    let mut last = std::time::Instant::now();
    let result = act(&mut |done_bytes, total_bytes| {
        if last.elapsed().as_millis() >= 100 {
            last = std::time::Instant::now();
            say.say(Happening::Told(Event::ActionProgress { action, done_bytes, total_bytes }));
        }
    });
    say.say(Happening::Told(Event::ActionEnded { action }));
    under_way().retain(|other| *other != action);
    result
}

fn import(folder: &Path, paths: &Paths, say: &Say) -> Result<Value, Failure> {
    let keys = TrustedKeys::load(&paths.trust)?;
    let source = Layout::open(folder)?;
    let cache = Cache::open(&paths.cache, None)?.patient(PATIENCE);
    let now = SystemClock::new().now();
    let answers = acting(Action::Import, folder.display().to_string(), say, |progress| {
        Ok(cache.import(&source, None, &keys, now, &mut |at| progress(at.done_bytes, at.total_bytes))?)
    })?;
    let (mut imported, mut refused) = (Vec::new(), Vec::new());
    for Answer { name, result } in answers {
        let event = match result {
            Ok(one) => {
                imported.push(name.clone());
                let (medium, shared_bytes) = (name, one.shared_bytes);
                match one.was_here {
                    true => Event::MediumPresent { medium, shared_bytes },
                    false => Event::MediumImported { medium, copied_bytes: one.copied_bytes, shared_bytes },
                }
            }
            Err(error) => {
                let is_older = matches!(error, CacheError::OlderThanMinimum { .. });
                let failure = Failure::from(error);
                let (medium, text) = (name, failure.reason());
                refused.push(failure.clone());
                match is_older {
                    true => Event::MediumSkipped { medium, code: Code::OlderThanMinimum.into(), text },
                    false => {
                        let code = failure.code.map(AnyCode::from);
                        Event::MediumRefused { medium, code, exit: failure.exit as u8, text }
                    }
                }
            }
        };
        say.say(Happening::Told(event));
    }
    say.say(Happening::Input(Input::Media(media(&paths.cache))));
    match (&*imported, &*refused) {
        ([], [_, ..]) => Err(Failure::of_all(None, &refused)),
        _ => Ok(json!({ "imported": imported, "refused": refused.iter().map(Failure::reason).collect::<Vec<_>>() })),
    }
}

fn listed(paths: &Paths) -> Result<Value, Failure> {
    let cache = Cache::open_existing(&paths.cache)?.patient(PATIENCE);
    let line = |medium: platen_cache::Listed| {
        json!({
            "medium": medium.name.to_string(),
            "title": medium.title,
            "version": medium.version,
            "kind": medium.kind,
            "content_bytes": medium.content_bytes,
            "pinned": medium.pinned,
            "problem": medium.problem,
        })
    };
    Ok(cache.list()?.into_iter().map(line).collect())
}

fn history(serial: Option<&str>, limit: u32, paths: &Paths) -> Result<Value, Failure> {
    let wanted = |row: &LedgerEntry| serial.is_none_or(|serial| row.entry.serial.contains(serial));
    let mut rows: Vec<LedgerEntry> = Ledger::open_existing(&paths.ledger)?.entries()?;
    rows.retain(wanted);
    let limit = (limit as usize).min(MAX_ROWS);
    let newest = rows.split_off(rows.len().saturating_sub(limit));
    serde_json::to_value(newest).map_err(|error| Failure::new(Exit::Machine, error))
}

/// `give_way` is called between pieces.
pub(super) fn scrub(paths: &Paths, say: &Say, give_way: impl Fn()) -> Result<Value, Failure> {
    let cache = Cache::open_existing(&paths.cache)?.patient(PATIENCE);
    let of = paths.cache.display().to_string();
    let scrubbed = acting(Action::Scrub, of, say, |progress| {
        Ok(cache.scrub(&mut |at| {
            give_way();
            progress(at.done_bytes, at.total_bytes);
        })?)
    })?;
    let damage = scrubbed.damage.iter().map(|damage| json!({ "medium": damage.medium, "files": damage.files }));
    Ok(json!({ "checked_bytes": scrubbed.checked_bytes, "damage": damage.collect::<Vec<_>>() }))
}
