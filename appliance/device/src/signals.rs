// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Being asked to stop, politely.

use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal};

/// So long a program that was asked to stop is left to wipe and record its drives, however often it is asked again.
const TIME_TO_STOP: Duration = Duration::from_secs(15);

/// From now on SIGINT and SIGTERM no longer end the process: the first one calls `stop` on a thread of its own, and one
/// that comes when stopping should have been done ends it after all. SIGHUP changes nothing: when the terminal is closed,
/// the drives that are being written are finished and recorded all the same. Must be called before any other thread is
/// started.
pub fn on_termination(stop: impl Fn() + Send + 'static) -> std::io::Result<()> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    signals.add(Signal::SIGHUP);
    signals.thread_block()?;
    std::thread::Builder::new().spawn(move || {
        let mut asked: Option<Instant> = None;
        while let Ok(signal) = signals.wait() {
            match asked {
                _ if signal == Signal::SIGHUP => {}
                None => {
                    asked = Some(Instant::now());
                    stop();
                }
                Some(first) if first.elapsed() >= TIME_TO_STOP => std::process::exit(130),
                Some(_) => {}
            }
        }
    })?;
    Ok(())
}
