// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Reading a stream line by line: is it whole, and what state does it lead to?

use crate::record::{Line, Record, SCHEMA};
use crate::state::{Illegal, StationState};

/// Follows a stream from its first line.
#[derive(Debug, Clone, Default)]
pub struct Replay {
    state: StationState,
    /// None: before the first line.
    at: Option<Place>,
}

/// How far a stream was followed.
#[derive(Debug, Clone, Copy)]
struct Place {
    seq: u64,
    mono_ms: u64,
    /// Still among the records that rebuild the state from before.
    in_head: bool,
}

/// Why a line can't follow those before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum Broken {
    #[error("the stream does not begin with a line that says who speaks")]
    NoHello,
    #[error("the stream is of schema {found}; expected {SCHEMA}: read it with the version that wrote it")]
    OtherSchema { found: u32 },
    #[error("record {after}: another first line follows it")]
    HelloAgain { after: u64 },
    #[error("record {found}: expected number {expected}; lines are missing, or there twice")]
    Hole { expected: u64, found: u64 },
    #[error("record {seq}: its time is before that of the record before")]
    TimeWentBack { seq: u64 },
    #[error("record {seq}: it can't happen now")]
    Illegal { seq: u64, source: Illegal },
}

impl Replay {
    /// What the lines so far lead to.
    pub fn state(&self) -> &StationState {
        &self.state
    }

    /// Number of the last record; 0 before the first.
    pub fn seq(&self) -> u64 {
        self.at.map_or(0, |at| at.seq)
    }

    /// Go on by one line.
    pub fn take(&mut self, line: &Line) -> Result<(), Broken> {
        match (line, self.at) {
            (Line::Hello(hello), None) if hello.schema == SCHEMA => {
                self.at = Some(Place { seq: hello.after, mono_ms: 0, in_head: true });
                Ok(())
            }
            (Line::Hello(hello), None) => Err(Broken::OtherSchema { found: hello.schema }),
            (Line::Hello(_), Some(at)) => Err(Broken::HelloAgain { after: at.seq }),
            (Line::Record(_), None) => Err(Broken::NoHello),
            (Line::Record(record), Some(at)) => self.record(record, at),
        }
    }

    fn record(&mut self, record: &Record, at: Place) -> Result<(), Broken> {
        let Record { seq, mono_ms, .. } = *record;
        let in_head = at.in_head && seq == at.seq && seq > 0;
        if !in_head && seq != at.seq + 1 {
            return Err(Broken::Hole { expected: at.seq + 1, found: seq });
        }
        if mono_ms < at.mono_ms {
            return Err(Broken::TimeWentBack { seq });
        }
        self.state.apply(&record.event).map_err(|source| Broken::Illegal { seq, source })?;
        self.at = Some(Place { seq, mono_ms, in_head });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DriveId, DriveLabel, Event, Hello};

    fn hello(schema: u32, after: u64) -> Line {
        Line::Hello(Hello { schema, program: "test".into(), version: "1".into(), boot_id: None, stream: None, after })
    }

    fn record(seq: u64, mono_ms: u64) -> Line {
        let drive = DriveId { place: "2-1".into(), disk_sequence: Some(3) };
        Line::Record(Record {
            seq,
            wall_ms: None,
            mono_ms,
            event: Event::DriveSeen { drive, label: DriveLabel::default() },
        })
    }

    fn follow(lines: &[Line]) -> Result<u64, Broken> {
        let mut replay = Replay::default();
        lines.iter().try_for_each(|line| replay.take(line)).map(|()| replay.seq())
    }

    #[test]
    fn a_stream_has_one_first_line_and_no_holes() {
        assert_eq!(follow(&[hello(SCHEMA, 0), record(1, 5), record(2, 5), record(3, 6)]), Ok(3));
        assert_eq!(follow(&[record(1, 5)]), Err(Broken::NoHello));
        assert_eq!(follow(&[hello(SCHEMA + 1, 0)]), Err(Broken::OtherSchema { found: SCHEMA + 1 }));
        assert_eq!(follow(&[hello(SCHEMA, 0), record(1, 0), hello(SCHEMA, 0)]), Err(Broken::HelloAgain { after: 1 }));
        assert_eq!(follow(&[hello(SCHEMA, 0), record(0, 5)]), Err(Broken::Hole { expected: 1, found: 0 }));
        assert_eq!(
            follow(&[hello(SCHEMA, 0), record(1, 5), record(1, 5)]),
            Err(Broken::Hole { expected: 2, found: 1 })
        );
        assert_eq!(
            follow(&[hello(SCHEMA, 0), record(1, 5), record(3, 5)]),
            Err(Broken::Hole { expected: 2, found: 3 })
        );
        assert_eq!(follow(&[hello(SCHEMA, 0), record(1, 5), record(2, 4)]), Err(Broken::TimeWentBack { seq: 2 }));
    }

    #[test]
    fn who_comes_later_is_told_the_state_first() {
        assert_eq!(follow(&[hello(SCHEMA, 7), record(7, 5), record(7, 5), record(8, 5)]), Ok(8));
        assert_eq!(follow(&[hello(SCHEMA, 7), record(8, 5), record(9, 5)]), Ok(9));
        assert_eq!(
            follow(&[hello(SCHEMA, 7), record(7, 5), record(8, 5), record(8, 5)]),
            Err(Broken::Hole { expected: 9, found: 8 })
        );
        assert_eq!(follow(&[hello(SCHEMA, 7), record(1, 5)]), Err(Broken::Hole { expected: 8, found: 1 }));
    }
}
