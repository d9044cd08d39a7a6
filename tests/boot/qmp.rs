// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! QEMU's own control socket: commands and their answers, and what happens in between (QEMU Machine Protocol).

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The one connection to a computer that it takes at a time.
pub(crate) struct Qmp {
    stream: UnixStream,
    lines: BufReader<UnixStream>,
    /// Nobody has waited for them yet.
    events: Vec<Value>,
}

impl Qmp {
    pub(super) fn connect(socket: &Path) -> Self {
        // It listens a moment after it was started.
        let begun = Instant::now();
        while !socket.exists() && begun.elapsed() < Duration::from_secs(20) {
            sleep(Duration::from_millis(20));
        }
        let stream = UnixStream::connect(socket).expect("QEMU listens");
        stream.set_read_timeout(Some(Duration::from_secs(120))).expect("settable");
        let lines = BufReader::new(stream.try_clone().expect("second handle"));
        let mut qmp = Self { stream, lines, events: Vec::new() };
        let greeting = qmp.line();
        assert!(greeting.get("QMP").is_some(), "{greeting}");
        qmp.ask("qmp_capabilities", &json!({}));
        qmp
    }

    /// One command, and what is returned. A command that is refused fails the test.
    #[track_caller]
    pub(crate) fn ask(&mut self, command: &str, arguments: &Value) -> Value {
        let line = json!({ "execute": command, "arguments": arguments });
        writeln!(&self.stream, "{line}").expect("QEMU takes commands");
        loop {
            let mut answer = self.line();
            if answer.get("event").is_some() {
                self.events.push(answer);
                continue;
            }
            assert!(answer.get("error").is_none(), "{line}: {answer}");
            return answer["return"].take();
        }
    }

    /// Wait until this event has happened to this device.
    pub(crate) fn wait_for(&mut self, event: &str, device: &str) {
        let is_it = |found: &Value| found["event"] == event && found["data"]["device"] == device;
        while !self.events.iter().any(is_it) {
            let line = self.line();
            self.events.push(line);
        }
        self.events.retain(|event| !is_it(event));
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("QEMU answers");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("expected JSON from QEMU: {error}: {line:?}"))
    }
}
