// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A job that was started, for whoever started it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use platen_events::{JobEnd, JobId};

/// A running job. Dropping this neither stops the job nor waits for it.
#[derive(Debug)]
pub struct JobHandle {
    id: JobId,
    cancelled: Arc<AtomicBool>,
    /// None once its end was asked for and there.
    watching: Option<JoinHandle<JobEnd>>,
    end: Option<JobEnd>,
}

impl JobHandle {
    pub(super) fn new(id: JobId, cancelled: Arc<AtomicBool>, watching: JoinHandle<JobEnd>) -> Self {
        Self { id, cancelled, watching: Some(watching), end: None }
    }

    /// Its number in the record.
    pub fn id(&self) -> JobId {
        self.id
    }

    /// Stop it. It ends soon, with a code of its own and with the drive wiped where that is possible; a drive that hangs
    /// is waited for ten seconds.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// How it ended, if it has.
    pub fn try_wait(&mut self) -> Option<&JobEnd> {
        if let Some(thread) = self.watching.take_if(|thread| thread.is_finished()) {
            self.end = Some(join(thread));
        }
        self.end.as_ref()
    }

    /// Wait for its end, which comes in bounded time: a drive that hangs is given up, its thread is left behind.
    pub fn wait(mut self) -> JobEnd {
        if let Some(thread) = self.watching.take() {
            return join(thread);
        }
        self.end.expect("without a thread there is an end")
    }
}

fn join(thread: JoinHandle<JobEnd>) -> JobEnd {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
