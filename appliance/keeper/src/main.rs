// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The program that keeps an appliance's own system. `platen-keeper run` is the service; `platen-keeper bootloader` answers what
//! RAUC asks of the boot loader ("Custom Bootloader Backend" of its manual).

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use platen_keeper::error::{KeeperError, in_full};
use platen_keeper::kernel::{self, End};
use platen_keeper::log::{Log, OwnLines};
use platen_keeper::places::Places;
use platen_keeper::service;
use platen_keeper::slots::Slot;
use platen_keeper::station::{self, become_station};
use tracing_subscriber::EnvFilter;

/// Before a machine that can't be kept is started anew: somebody may be reading.
const PAUSE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let places = Places::below(Path::new("/"));
    match words.as_slice() {
        ["run"] => run(places),
        [station::VERB, user, program, rest @ ..] => {
            let rest: Vec<String> = rest.iter().map(|&word| word.to_owned()).collect();
            match become_station(user, program, &rest) {
                Ok(never) => match never {},
                Err(error) => ended(Err(error)),
            }
        }
        ["bootloader", question @ ..] => match boot_loader(&places, question) {
            Some(answered) => ended(answered),
            None => usage(),
        },
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!(
        "platen-keeper: expected run, or bootloader get-primary, set-primary SLOT, get-state SLOT, \
         set-state SLOT good|bad or get-current; slots are A and B"
    );
    ExitCode::from(2)
}

fn ended(result: Result<(), KeeperError>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("platen-keeper: {}", in_full(&error));
            ExitCode::from(4)
        }
    }
}

fn run(places: Places) -> ExitCode {
    let log = Arc::new(Log::at_console());
    let filter = EnvFilter::try_from_env("PLATEN_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(OwnLines(Arc::clone(&log)))
        .with_ansi(false)
        .with_target(false)
        .log_internal_errors(false)
        .without_time()
        .init();
    match service::run(places, log) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nothing without this program; another start, and in the end the other slot, may do better.
            tracing::error!("{}; the machine starts anew in {} s", in_full(&error), PAUSE.as_secs());
            thread::sleep(PAUSE);
            tracing::error!("the machine does not start anew: {}", kernel::end(End::Restart));
            ExitCode::from(4)
        }
    }
}

/// What RAUC asks. None: it is no such question.
fn boot_loader(places: &Places, words: &[&str]) -> Option<Result<(), KeeperError>> {
    let store = service::store(places);
    let change = |name: &str, change: &dyn Fn(Slot) -> Result<(), KeeperError>| Slot::from_name(name).and_then(change);
    Some(match words {
        ["get-primary"] => store.read().map(|boot| println!("{}", boot.first)),
        ["get-current"] => service::slot(places).map(|slot| println!("{slot}")),
        ["get-state", name] => change(name, &|slot| {
            let boot = store.read()?;
            let state = boot.slot(slot);
            println!("{}", if state.is_good && state.starts_left > 0 { "good" } else { "bad" });
            Ok(())
        }),
        ["set-primary", name] => change(name, &|slot| store.change(&|boot| boot.set_primary(slot)).map(drop)),
        ["set-state", name, state @ ("good" | "bad")] => {
            change(name, &|slot| store.change(&|boot| boot.set_good(slot, *state == "good")).map(drop))
        }
        _ => return None,
    })
}
