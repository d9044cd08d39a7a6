// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What clients ask for that is about no drive, each on a thread of its own.

use std::fs;
use std::io::ErrorKind::NotFound;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use platen_cache::layout::Layout;
use platen_cache::{Answer, Cache, CacheError, Listed};
use platen_engine::plan::check_dates;
use platen_engine::{Clock, SystemClock};
use platen_events::{Action, AnyCode, Code, Event, SystemRequest};
use platen_ledger::{Ledger, LedgerEntry};
use platen_media::Timestamp;
use platen_media::manifest::NotValid;
use platen_media::sign::TrustedKeys;
use serde_json::{Value, json};

use super::conditions::media;
use super::{Daemon, Happening, Say, diagnostics};
use crate::core::{ClientId, Errand, Input};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::media::PATIENCE;
use crate::paths::Paths;

/// The most rows that are told at once.
const MAX_ROWS: usize = 10_000;
/// How often an action says how it gets on.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// An errand, ready to run on any thread.
type Work = Box<dyn FnOnce() -> Result<Value, Failure> + Send>;

impl Daemon {
    /// Run it on a thread of its own; what comes of it is a happening.
    pub(super) fn run_errand(&mut self, client: ClientId, request: u64, errand: Errand) {
        let work = self.work(errand);
        let say = self.say.clone();
        let thread = std::thread::Builder::new()
            .name("errand".to_owned())
            .spawn(move || say.say(Happening::Ran(client, request, work())));
        if let Err(error) = thread {
            self.say.say(Happening::Ran(client, request, Err(Failure::new(Exit::Machine, error))));
        }
    }

    fn work(&mut self, errand: Errand) -> Work {
        let (paths, say) = (self.paths.clone(), self.say.clone());
        match errand {
            Errand::Import { folder } => Box::new(move || import(Path::new(&folder), &paths, &say)),
            Errand::Media => Box::new(move || listed(&paths)),
            Errand::History { serial, limit } => Box::new(move || {
                let limit = (limit as usize).min(MAX_ROWS);
                as_json(newest_rows(&paths.ledger, limit, |row| {
                    serial.as_ref().is_none_or(|serial| row.entry.serial.contains(serial))
                })?)
            }),
            Errand::Scrub => Box::new(move || scrub(&paths, &say, || {})),
            Errand::Diagnostics { folder } => {
                let record = self.history.beginning(None, self.station.record());
                self.journal.save();
                let config = self.config.clone();
                Box::new(move || {
                    let folder = diagnostics::write(Path::new(&folder), &config, &record)?;
                    Ok(json!({ "folder": folder }))
                })
            }
            Errand::Restart => self.ask_keeper(SystemRequest::Restart),
            Errand::InstallUpdate { version, older } => self.ask_keeper(SystemRequest::Install { version, older }),
            Errand::MakeDataAnew => self.ask_keeper(SystemRequest::MakeDataAnew),
            Errand::ShutDown => {
                let stop = Arc::clone(&self.stop);
                Box::new(move || {
                    stop.store(true, Ordering::Relaxed);
                    Ok(Value::Null)
                })
            }
        }
    }
}

impl Daemon {
    fn ask_keeper(&self, request: SystemRequest) -> Work {
        let keeper = self.keeper.clone();
        Box::new(move || keeper.ask(&request).map(|()| Value::Null))
    }
}

/// An action that is under way. However it ends, also by a panic, it is said and the next may begin.
struct UnderWay<'a> {
    action: Action,
    say: &'a Say,
}

impl<'a> UnderWay<'a> {
    fn begin(action: Action, of: String, say: &'a Say) -> Result<Self, Failure> {
        let mut under_way = say.under_way();
        if under_way.contains(&action) {
            let text = "the same is under way already, for somebody else or by itself; wait for its end";
            return Err(Failure::new(Exit::Request, text));
        }
        under_way.push(action);
        say.say(Happening::Told(Event::ActionStarted { action, of }));
        Ok(Self { action, say })
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.say.say(Happening::Told(Event::ActionEnded { action: self.action }));
        self.say.under_way().retain(|other| *other != self.action);
    }
}

/// An action says that it begins, how it gets on, and that it ends, whatever comes of it.
fn acting<T>(
    action: Action,
    of: String,
    say: &Say,
    act: impl FnOnce(&mut dyn FnMut(u64, u64)) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let _under_way = UnderWay::begin(action, of, say)?;
    let mut last = Instant::now();
    act(&mut |done_bytes, total_bytes| {
        if last.elapsed() >= PROGRESS_INTERVAL {
            last = Instant::now();
            say.say(Happening::Told(Event::ActionProgress { action, done_bytes, total_bytes }));
        }
    })
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
    // A new station has none before its first import.
    if fs::read_dir(&paths.cache).map_or_else(|error| error.kind() == NotFound, |mut inside| inside.next().is_none()) {
        return Ok(json!([]));
    }
    let cache = Cache::open_existing(&paths.cache)?.patient(PATIENCE);
    let now = SystemClock::new().now();
    let line = |medium: Listed| {
        json!({
            "medium": medium.name.to_string(),
            "title": medium.title,
            "version": medium.version,
            "kind": medium.kind,
            "content_bytes": medium.content_bytes,
            "signed_by": medium.signed_by,
            "valid_from": medium.validity.from,
            "valid_until": medium.validity.until,
            "dates": dates(&medium, now),
            "pinned": medium.pinned,
            "problem": medium.problem,
        })
    };
    Ok(cache.list()?.into_iter().map(line).collect())
}

/// What the station's clock says to a medium's dates.
fn dates(medium: &Listed, now: Timestamp) -> &'static str {
    match check_dates(medium.validity, medium.created.unwrap_or(now), now) {
        Ok(None) => "good",
        Ok(Some(_)) => "not-yet",
        Err(NotValid::Expired { .. }) => "expired",
        Err(_) => "clock-behind",
    }
}

/// The newest rows of the ledger that are wanted, the oldest of them first.
pub(super) fn newest_rows(
    ledger: &Path,
    limit: usize,
    wanted: impl Fn(&LedgerEntry) -> bool,
) -> Result<Vec<LedgerEntry>, Failure> {
    let mut rows = Ledger::open_existing(ledger)?.entries()?;
    rows.retain(wanted);
    Ok(rows.split_off(rows.len().saturating_sub(limit)))
}

pub(super) fn as_json(rows: Vec<LedgerEntry>) -> Result<Value, Failure> {
    serde_json::to_value(rows).map_err(|error| Failure::new(Exit::Machine, error))
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
