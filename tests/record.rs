//! What `--json` says, read as a stranger reads it: line by line, each one strictly, and all of them as one history.

use platen_events::{Answer, DriveLabel, Event, JobEnd, JobId, JobKind, Line, Replay, StationState};

use crate::common::Ran;

/// A whole record and the state it leads to.
#[derive(Debug)]
pub struct Recorded {
    pub events: Vec<Event>,
    pub state: StationState,
}

impl Recorded {
    /// Panics at a line that is none, at a hole, and at an event that can't happen.
    #[track_caller]
    pub fn read(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line is not whole: {text}");
        Self::read_until_killed(text)
    }

    /// The same of a program that may have been killed in the middle of a line.
    #[track_caller]
    pub fn read_until_killed(text: &str) -> Self {
        let text = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let mut replay = Replay::default();
        let mut events = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let parsed: Line = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            if let Err(broken) = replay.take(&parsed) {
                panic!("line {}: {broken:?}: {line}\n{text}", number + 1);
            }
            match parsed {
                Line::Hello(hello) => assert_eq!((number, &*hello.program, hello.after), (0, "platen", 0)),
                Line::Record(record) => {
                    assert_eq!(record.seq, number as u64, "the first line has no number");
                    assert_ne!(record.event, Event::Unknown, "{line}");
                    assert_ne!(record.event, Event::Answer(Box::new(Answer::Unknown)), "{line}");
                    events.push(record.event);
                }
            }
        }
        Self { events, state: replay.state().clone() }
    }

    /// The end of each job: what the drive is called, what was done, and how that came out.
    pub fn ends(&self) -> Vec<(&DriveLabel, JobKind, &JobEnd)> {
        let started = |wanted: JobId| {
            self.events.iter().find_map(|event| match event {
                Event::JobStarted { job, kind, drive, .. } if *job == wanted => Some((drive, *kind)),
                _ => None,
            })
        };
        let end = |event| match event {
            &Event::JobEnded { job, ref end } => {
                let (drive, kind) = started(job).expect("it began");
                Some((&self.state.drives()[drive].label, kind, end))
            }
            _ => None,
        };
        self.events.iter().filter_map(end).collect()
    }

    /// What was asked for.
    pub fn answers(&self) -> Vec<&Answer> {
        let mut answers = Vec::new();
        for event in &self.events {
            if let Event::Answer(answer) = event {
                answers.push(&**answer);
            }
        }
        answers
    }
}

impl Ran {
    /// What a run with `--json` recorded.
    #[track_caller]
    pub fn recorded(&self) -> Recorded {
        Recorded::read(&self.stdout)
    }

    /// How the only job of a run with `--json` ended.
    #[track_caller]
    pub fn end(&self) -> JobEnd {
        let recorded = self.recorded();
        let ends = recorded.ends();
        assert_eq!(ends.len(), 1, "{}", self.stdout);
        ends[0].2.clone()
    }
}
