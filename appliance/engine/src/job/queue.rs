// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Events on their way from jobs to whoever listens.
//!
//! Whoever tells never waits, however slow the listener is, and the queue stays small all the same: how far a step is
//! replaces what was said of it before, as long as that was not taken yet. All else a job tells is a few events for each
//! of its steps, and is never lost.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use platen_events::Event;

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<Event>,
    /// The listener has something else to do.
    woken: bool,
}

/// Where jobs tell what happens. Clones lead to the same listener.
#[derive(Debug, Clone)]
pub struct EventSender(Arc<Queue>);

/// Where it is listened to.
#[derive(Debug)]
pub struct EventReceiver(Arc<Queue>);

/// An empty queue.
pub fn event_queue() -> (EventSender, EventReceiver) {
    let queue = Arc::new(Queue::default());
    (EventSender(Arc::clone(&queue)), EventReceiver(queue))
}

impl EventSender {
    /// Tell, without ever waiting. Progress wakes nobody: with dozens of drives that alone would keep the listener busy, and
    /// whoever shows it looks often enough.
    pub fn send(&self, event: Event) {
        let is_urgent = !matches!(event, Event::Progress { .. });
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match latest_progress(&mut waiting.events, &event) {
            Some(latest) => *latest = event,
            None => waiting.events.push_back(event),
        }
        drop(waiting);
        if is_urgent {
            self.0.arrived.notify_one();
        }
    }

    /// Let the listener go on although there is no event.
    pub fn wake(&self) {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).woken = true;
        self.0.arrived.notify_one();
    }
}

impl EventReceiver {
    /// The next event; None: nothing but progress happened for so long, or somebody woke the listener.
    pub fn recv_timeout(&self, limit: Duration) -> Option<Event> {
        let waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let nothing = |waiting: &mut Waiting| waiting.events.is_empty() && !waiting.woken;
        let waited = self.0.arrived.wait_timeout_while(waiting, limit, nothing);
        let mut waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
        waiting.woken = false;
        waiting.events.pop_front()
    }
}

/// What was said last of the same job, if `event` may take its place.
fn latest_progress<'q>(events: &'q mut VecDeque<Event>, event: &Event) -> Option<&'q mut Event> {
    let Event::Progress { job, .. } = event else { return None };
    let of_this_job = |other: &&mut Event| match &**other {
        Event::Progress { job: other, .. } | Event::StepStarted { job: other, .. } => other == job,
        Event::JobRetried { job: other, .. } | Event::JobStarted { job: other, .. } => other == job,
        _ => false,
    };
    events.iter_mut().rev().find(of_this_job).filter(|latest| matches!(latest, Event::Progress { .. }))
}

#[cfg(test)]
mod tests {
    use platen_events::{DriveId, JobId, JobKind, Step};

    use super::*;

    fn started(job: u64) -> Event {
        let drive = DriveId { place: job.to_string(), disk_sequence: None };
        Event::JobStarted { job: JobId(job), kind: JobKind::Write, drive, medium: None }
    }

    fn step(job: u64, step: Step) -> Event {
        Event::StepStarted { job: JobId(job), step, total_bytes: None }
    }

    fn progress(job: u64, done_bytes: u64) -> Event {
        Event::Progress { job: JobId(job), done_bytes }
    }

    fn rest(receiver: &EventReceiver) -> Vec<Event> {
        std::iter::from_fn(|| receiver.recv_timeout(Duration::ZERO)).collect()
    }

    #[test]
    fn only_the_latest_progress_of_a_step_is_kept() {
        let (sender, receiver) = event_queue();
        for job in [1, 2] {
            sender.send(started(job));
            sender.send(step(job, Step::Write));
        }
        for done_bytes in 1..=1000 {
            sender.send(progress(1, done_bytes));
            sender.send(progress(2, 2 * done_bytes));
        }
        sender.send(step(1, Step::Verify));
        sender.send(progress(1, 1));
        sender.send(progress(2, 2001));
        let expected = vec![
            started(1),
            step(1, Step::Write),
            started(2),
            step(2, Step::Write),
            progress(1, 1000),
            progress(2, 2001),
            step(1, Step::Verify),
            progress(1, 1),
        ];
        assert_eq!(rest(&receiver), expected);
        // What was taken is not replaced, but followed.
        sender.send(progress(1, 2));
        assert_eq!(rest(&receiver), [progress(1, 2)]);
    }

    #[test]
    fn nobody_waits_for_a_listener_that_does_not_listen() {
        let (sender, receiver) = event_queue();
        let telling = std::thread::spawn(move || {
            for round in 0..100_000 {
                if round % 1000 == 0 {
                    sender.send(step(1, Step::Write));
                }
                sender.send(progress(1, round));
            }
        });
        telling.join().expect("it ends, although nobody listens");
        assert_eq!(rest(&receiver).len(), 200);
    }
}
