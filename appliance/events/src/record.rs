// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The lines of a stream: one that says who speaks, then one for each event, numbered and with its time.

use serde::{Deserialize, Serialize};

use crate::event::Event;

/// The shape of streams. A version that adds events, fields or words keeps the number; one that changes the meaning of what
/// is there takes the next, and a reader refuses a number it does not know.
pub const SCHEMA: u32 = 2;

/// The first line of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(transform = crate::schema::say_hello))]
#[serde(tag = "event", rename = "hello")]
pub struct Hello {
    /// [`SCHEMA`]. Look at this first: of another number nothing else need be as it is here.
    pub schema: u32,
    /// Who writes the stream, such as `platen`.
    pub program: String,
    /// The program's version.
    pub version: String,
    /// Which start of the computer this is (Linux `boot_id`): monotonic times of one start can be compared, whatever
    /// program wrote them. Absent where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    /// Which stream this is: numbers of records mean something in one and the same stream only. Absent where nobody can
    /// come back to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// Number of the last event that happened before this stream was opened; 0 for a stream that is there from the
    /// beginning. Records with this number rebuild the state as it was then; what happens follows from the next number on.
    pub after: u64,
}

/// One event in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Record {
    /// 1, 2, 3, … without a hole.
    pub seq: u64,
    /// Milliseconds since 1970-01-01 UTC. Absent where the clock can't be right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_ms: Option<u64>,
    /// Milliseconds since the computer was started (Linux `CLOCK_BOOTTIME`). Never goes back.
    pub mono_ms: u64,
    /// What happened; its fields stand beside these.
    #[serde(flatten)]
    pub event: Event,
}

/// A line of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Line {
    /// The first, and no other.
    Hello(Hello),
    /// Every other.
    Record(Record),
}

/// Numbers the records of one stream. Whoever writes the stream has one, and hands the times in.
#[derive(Debug, Clone, Default)]
pub struct Stamper {
    last_seq: u64,
    last_mono_ms: u64,
}

impl Stamper {
    /// The next record. A monotonic time that is before the last one's is taken for the same.
    pub fn stamp(&mut self, event: Event, wall_ms: Option<u64>, mono_ms: u64) -> Record {
        self.last_seq += 1;
        self.last_mono_ms = self.last_mono_ms.max(mono_ms);
        Record { seq: self.last_seq, wall_ms, mono_ms: self.last_mono_ms, event }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DriveId, JobId, JobKind, Step};

    fn read(json: &str) -> Line {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_record_is_one_flat_object() {
        let drive = DriveId { place: "2-3.1".into(), disk_sequence: Some(17) };
        let event = Event::JobStarted { job: JobId(1), kind: JobKind::Write, drive, medium: Some("TREE-r1".into()) };
        let record = Stamper::default().stamp(event, Some(1_790_000_000_000), 12);
        let json = r#"{"seq":1,"wall_ms":1790000000000,"mono_ms":12,"event":"job-started","job":1,"kind":"write","#
            .to_owned()
            + r#""drive":{"place":"2-3.1","disk_sequence":17},"medium":"TREE-r1"}"#;
        assert_eq!(serde_json::to_string(&record).unwrap(), json);
        assert_eq!(read(&json), Line::Record(record));
    }

    #[test]
    fn the_first_line_says_who_speaks() {
        let hello = Hello {
            schema: SCHEMA,
            program: "platen".into(),
            version: "0.1.0".into(),
            boot_id: None,
            stream: None,
            after: 0,
        };
        let json = r#"{"event":"hello","schema":2,"program":"platen","version":"0.1.0","after":0}"#;
        assert_eq!(serde_json::to_string(&hello).unwrap(), json);
        assert_eq!(read(json), Line::Hello(hello));
    }

    #[test]
    fn what_a_newer_version_adds_is_skipped() {
        let json =
            r#"{"seq":7,"mono_ms":1,"event":"step-started","job":3,"step":"write","total_bytes":9,"mood":{"a":[1]}}"#;
        let event = Event::StepStarted { job: JobId(3), step: Step::Write, total_bytes: Some(9) };
        assert_eq!(read(json), Line::Record(Record { seq: 7, wall_ms: None, mono_ms: 1, event }));
        let json = r#"{"seq":8,"mono_ms":1,"event":"coffee-made","cups":[1,{"hot":true}]}"#;
        assert_eq!(read(json), Line::Record(Record { seq: 8, wall_ms: None, mono_ms: 1, event: Event::Unknown }));
        let json = r#"{"seq":8,"mono_ms":1,"event":"answer","answer":"horoscope","sign":"ram"}"#;
        let Line::Record(Record { event: Event::Answer(answer), .. }) = read(json) else { panic!("{json}") };
        assert_eq!(*answer, crate::answer::Answer::Unknown);
    }

    #[test]
    fn what_is_no_line_is_no_line() {
        for json in [
            r#"{"mono_ms":1,"event":"drive-released","drive":{"place":"a"}}"#,
            r#"{"seq":1,"event":"drive-released","drive":{"place":"a"}}"#,
            r#"{"seq":1,"mono_ms":1,"drive":{"place":"a"}}"#,
            r#"{"seq":1,"mono_ms":1,"event":"drive-released"}"#,
            r#"{"seq":1,"mono_ms":-1,"event":"drive-released","drive":{"place":"a"}}"#,
            r#"[]"#,
        ] {
            assert!(serde_json::from_str::<Line>(json).is_err(), "{json}");
        }
    }
}
