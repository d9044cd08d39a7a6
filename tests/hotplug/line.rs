// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The line to the station in the guest: requests, answers, and everything it says in between.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use platen_events::{Code, Event, Line as Told, Replay, StationState, Verdict};
use serde_json::{Value, json};

/// Longer than anything here takes on a busy machine without acceleration.
pub(super) const PATIENCE: Duration = Duration::from_secs(400);

/// After so long without a word the station is asked something. An emulated serial port on a busy machine was seen to keep
/// what it was given until more came; a station that does not answer what it read still fails the test.
const SILENCE: Duration = Duration::from_secs(10);

/// What became of a drive: its job's end, or why it had none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) port: String,
    pub(super) serial: Option<String>,
    /// None: it was refused.
    pub(super) verdict: Option<Verdict>,
    pub(super) code: Option<Code>,
}

pub(super) struct Line {
    stream: UnixStream,
    said: Receiver<String>,
    replay: Replay,
    last_id: u64,
    last_heard: Instant,
    /// In the order in which it was said, since the line was opened.
    pub(super) fates: Vec<Fate>,
}

impl Line {
    pub(super) fn new(stream: UnixStream) -> Self {
        let reader = BufReader::new(stream.try_clone().expect("second handle"));
        let (say, said) = channel();
        // A client that does not read is cut off by the station, whatever else the host has to do. It ends with QEMU.
        std::thread::spawn(move || {
            let lines = reader.split(b'\n').map_while(Result::ok);
            lines.map(|line| String::from_utf8_lossy(&line).into_owned()).try_for_each(|line| say.send(line))
        });
        Self { stream, said, replay: Replay::default(), last_id: 0, last_heard: Instant::now(), fates: Vec::new() }
    }

    /// Begin again, after the station was started.
    pub(super) fn begin(&mut self) {
        self.fates.clear();
        self.replay = Replay::default();
        let id = self.send(json!({ "request": "subscribe" }));
        // What comes before is of the program before.
        let mine = format!("{{\"id\":{id},");
        while !self.next("the station's answer").starts_with(&mine) {}
        // Its answer comes when the whole state was told.
        self.ask(json!({ "request": "errand", "errand": "media" }));
    }

    pub(super) fn state(&self) -> &StationState {
        self.replay.state()
    }

    pub(super) fn send(&mut self, mut request: Value) -> u64 {
        self.last_id += 1;
        request["id"] = self.last_id.into();
        // In one piece: formatting it straight into the stream would send every word by itself.
        self.stream.write_all(format!("{request}\n").as_bytes()).expect("the guest takes lines");
        self.last_id
    }

    /// The answer to a request.
    pub(super) fn ask(&mut self, request: Value) -> Value {
        let id = self.send(request);
        self.answer(id)
    }

    pub(super) fn answer(&mut self, id: u64) -> Value {
        loop {
            let line = self.next("an answer");
            if line.starts_with("{\"id\":") {
                let answer: Value = serde_json::from_str(&line).expect("JSON");
                if answer["id"] == id {
                    return answer;
                }
            } else {
                self.take(&line);
            }
        }
    }

    /// Wait for something to be so.
    pub(super) fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is_so(self) {
            assert!(Instant::now() < end, "never: {what}\n{:#?}\n{:#?}", self.fates, self.state());
            match self.heard(what) {
                // Requests whose answers nobody waits for.
                Some(line) if line.starts_with("{\"id\":") => {}
                Some(line) => self.take(&line),
                None => {}
            }
        }
    }

    fn next(&mut self, what: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(line) = self.heard(what) {
                return line;
            }
            assert!(Instant::now() < end, "never: {what}");
        }
    }

    /// The next line, if one comes within a second.
    fn heard(&mut self, what: &str) -> Option<String> {
        match self.said.recv_timeout(Duration::from_secs(1)) {
            Ok(line) => {
                self.last_heard = Instant::now();
                Some(line)
            }
            Err(RecvTimeoutError::Timeout) => {
                if self.last_heard.elapsed() > SILENCE {
                    println!("waiting for {what}: nothing was said for {} s; asking", SILENCE.as_secs());
                    self.last_heard = Instant::now();
                    self.send(json!({ "request": "errand", "errand": "media" }));
                }
                None
            }
            Err(RecvTimeoutError::Disconnected) => panic!("QEMU ended before: {what}"),
        }
    }

    fn take(&mut self, line: &str) {
        let Ok(told) = serde_json::from_str::<Told>(line) else { return };
        self.replay.take(&told).unwrap_or_else(|broken| panic!("{broken:?}: {line}"));
        let Told::Record(record) = told else { return };
        let state = self.replay.state();
        let (label, verdict, code) = match &record.event {
            Event::JobEnded { job, end } => {
                let Some((_, label)) = state.job(*job) else { return };
                (label, Some(end.verdict.clone()), end.verdict.code())
            }
            Event::DriveRefused { drive, code, .. } => {
                let Some(drive) = state.drives().get(drive) else { return };
                (&drive.label, None, code.as_ref().and_then(|code| code.known()))
            }
            _ => return,
        };
        self.fates.push(Fate { port: label.port.clone(), serial: label.serial.clone(), verdict, code });
    }

    /// What became of the drive with this serial number, the last time something did.
    pub(super) fn fate(&self, serial: &str) -> Option<&Fate> {
        self.fates.iter().rev().find(|fate| fate.serial.as_deref() == Some(serial))
    }

    pub(super) fn is_ready(&self, serial: &str) -> bool {
        self.fate(serial).is_some_and(|fate| fate.verdict == Some(Verdict::Ready))
    }

    pub(super) fn is_refused(&self, serial: &str, code: Code) -> bool {
        self.fate(serial).is_some_and(|fate| fate.verdict.is_none() && fate.code == Some(code))
    }
}
