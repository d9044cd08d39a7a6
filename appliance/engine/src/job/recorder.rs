// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Appending to the ledger without waiting for its disk longer than for a drive.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Instant;

use platen_events::{Code, DriveLabel, JobKind, Verdict};

use super::engine::{CANCEL_LIMIT, LOOK};
use super::{Conclusion, Engine, NewEntry, Subject, Unrecorded};

const WAITING: u8 = 0;
const RECORDED: u8 = 1;
const GIVEN_UP: u8 = 2;

impl Engine {
    /// Append a row. A disk that does not answer in the stall limit (of a job that was cancelled, in a shorter one) is no
    /// longer waited for, and the drive is not kept; if its row is written after all, the next one takes it back.
    pub(crate) fn record(&self, entry: &NewEntry, cancelled: &AtomicBool) -> Result<(), Unrecorded> {
        let (journal, entry, begun) = (Arc::clone(&self.journal), entry.clone(), Instant::now());
        let (state, (say, said)) = (Arc::new(AtomicU8::new(WAITING)), channel());
        let recording = {
            let state = Arc::clone(&state);
            thread::Builder::new().spawn(move || {
                let appended = journal.append(&entry);
                let too_late = state.compare_exchange(WAITING, RECORDED, Ordering::AcqRel, Ordering::Acquire).is_err();
                if too_late && appended.is_ok() && entry.code.is_empty() {
                    let _ = journal.append(&taken_back(entry));
                }
                // Whoever hears the answer can rely on it that the ledger is no longer held.
                drop(journal);
                let _ = say.send(appended);
            })
        };
        let failed = |code, detail| Err(Unrecorded { code, detail });
        if let Err(error) = recording {
            return failed(Code::LedgerFailed, format!("no thread can be started: {error}"));
        }
        let given_up = || state.compare_exchange(WAITING, GIVEN_UP, Ordering::AcqRel, Ordering::Acquire).is_ok();
        loop {
            let stall = self.limits.stall;
            let limit = if cancelled.load(Ordering::Relaxed) { stall.min(CANCEL_LIMIT) } else { stall };
            let waited = begun.elapsed();
            match said.recv_timeout(LOOK.min(limit.saturating_sub(waited))) {
                Err(RecvTimeoutError::Timeout) if waited < limit => {}
                Err(RecvTimeoutError::Timeout) if given_up() => {
                    return failed(Code::LedgerStalled, format!("no answer for {} s", waited.as_secs()));
                }
                // In this very moment it was recorded.
                Err(RecvTimeoutError::Timeout) => return answer(said.recv().ok()),
                appended => return answer(appended.ok()),
            }
        }
    }

    /// A row for a drive that could not even be looked at. Says why there is none.
    pub fn record_unopened(&self, kind: JobKind, drive: &DriveLabel, code: Code, detail: &str) -> Result<(), String> {
        let mut entry = NewEntry {
            port: drive.port.clone(),
            path: drive.path.clone(),
            ..NewEntry::about_no_drive(&self.name, Subject::Job(kind), detail, self.clock.now())
        };
        entry.conclude(Conclusion::Ended(&Verdict::of_code(code)));
        self.record(&entry, &AtomicBool::new(false)).map_err(|unrecorded| unrecorded.detail)
    }
}

fn answer(appended: Option<Result<(), Unrecorded>>) -> Result<(), Unrecorded> {
    let panicked = || Unrecorded { code: Code::LedgerFailed, detail: "recording it panicked".to_owned() };
    appended.unwrap_or_else(|| Err(panicked()))
}

fn taken_back(mut entry: NewEntry) -> NewEntry {
    entry.detail = format!("the row before was recorded too late: this drive was not kept as {}", entry.verdict);
    entry.conclude(Conclusion::Ended(&Verdict::of_code(Code::LedgerStalled)));
    entry
}
