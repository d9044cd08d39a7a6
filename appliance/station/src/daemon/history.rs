// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The record as it is told to clients: each line numbered once, the last ones kept for clients that come back.

use std::collections::VecDeque;
use std::sync::Arc;

use platen_device::{boot_id, since_boot};
use platen_events::{Event, Hello, Line, Record, SCHEMA, Stamper, StationState};

use crate::line::now;

/// How many lines are kept: some minutes of a busy station.
const KEPT_LINES: usize = 20_000;

/// Where a client was, when it comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct From {
    /// The stream it read.
    pub(crate) stream: String,
    /// The number of the last record it read.
    pub(crate) after: u64,
}

/// What was told so far.
pub(crate) struct History {
    stamper: Stamper,
    /// Of this start of the program: numbers mean nothing in another.
    stream: String,
    kept: VecDeque<Arc<str>>,
    last_seq: u64,
}

impl History {
    pub(crate) fn new() -> Self {
        let stream = format!("{:016x}", getrandom::u64().unwrap_or_else(|_| since_boot().as_nanos() as u64));
        Self { stamper: Stamper::default(), stream, kept: VecDeque::new(), last_seq: 0 }
    }

    /// The line of what has happened.
    pub(crate) fn take(&mut self, event: Event) -> Arc<str> {
        let (wall_ms, mono_ms) = now();
        let record = self.stamper.stamp(event, wall_ms, mono_ms);
        self.last_seq = record.seq;
        let line: Arc<str> = line(&Line::Record(record)).into();
        if self.kept.len() == KEPT_LINES {
            self.kept.pop_front();
        }
        self.kept.push_back(Arc::clone(&line));
        line
    }

    /// What a client is told first: what it missed, or else the whole state.
    pub(crate) fn beginning(&self, from: Option<&From>, state: &StationState) -> Vec<Arc<str>> {
        let known = from.filter(|from| from.stream == self.stream && from.after <= self.last_seq);
        let missed =
            known.map(|from| (self.last_seq - from.after) as usize).filter(|missed| *missed <= self.kept.len());
        let after = match (known, missed) {
            (Some(from), Some(_)) => from.after,
            _ => self.last_seq,
        };
        let hello = Line::Hello(Hello {
            schema: SCHEMA,
            program: "platend".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            boot_id: boot_id(),
            stream: Some(self.stream.clone()),
            after,
        });
        let mut lines: Vec<Arc<str>> = vec![line(&hello).into()];
        match missed {
            Some(missed) => lines.extend(self.kept.iter().skip(self.kept.len() - missed).cloned()),
            None => {
                let (wall_ms, mono_ms) = now();
                let record = |event| Line::Record(Record { seq: self.last_seq, wall_ms, mono_ms, event });
                lines.extend(state.replicate().into_iter().map(|event| line(&record(event)).into()));
            }
        }
        lines
    }
}

fn line(line: &Line) -> String {
    crate::line::line(line) + "\n"
}

#[cfg(test)]
mod tests {
    use platen_events::{PortUse, Replay};

    use super::*;

    fn read(lines: &[Arc<str>]) -> Replay {
        let mut replay = Replay::default();
        for line in lines {
            replay.take(&serde_json::from_str(line).expect("JSON")).expect("follows");
        }
        replay
    }

    #[test]
    fn whoever_comes_late_and_whoever_comes_back_know_as_much() {
        let (mut history, mut state) = (History::new(), StationState::default());
        let mut tell = |history: &mut History, port: &str| {
            let event = Event::PortSet { port: port.to_owned(), used: PortUse::default() };
            state.apply(&event).expect("can happen");
            history.take(event);
            state.clone()
        };
        tell(&mut history, "1");
        let first = tell(&mut history, "2");
        let early = history.beginning(None, &first);
        let now = tell(&mut history, "3");
        assert_eq!(read(&history.beginning(None, &now)).state(), &now);
        // It goes on where it was.
        let Ok(Line::Hello(hello)) = serde_json::from_str(&early[0]) else { panic!("no hello") };
        let from = From { stream: hello.stream.expect("one"), after: hello.after };
        let missed = history.beginning(Some(&from), &now);
        assert_eq!(missed.len(), 2);
        let all: Vec<Arc<str>> = early.iter().chain(&missed[1..]).cloned().collect();
        assert_eq!(read(&all).state(), &now);
        // Numbers of another start of the program mean nothing.
        let other = From { stream: "other".to_owned(), after: 1 };
        assert_eq!(history.beginning(Some(&other), &now).len(), 4);
        for n in 0..KEPT_LINES {
            tell(&mut history, &(n % 7).to_string());
        }
        let now = tell(&mut history, "3");
        assert_eq!(read(&history.beginning(Some(&from), &now)).state(), &now, "too long ago: the whole state");
    }
}
