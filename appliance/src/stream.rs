// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Standard output with `--json`: the record of this run, line by line. Here and nowhere else are events numbered and
//! given their times.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use platen_device::{boot_id, since_boot};
use platen_events::{Event, Hello, Line, Record, SCHEMA, Stamper, is_plain};

/// A clock that says it is before 2026 is wrong: there was no Platen then.
const FIRST_WALL_MS: u64 = 1_767_225_600_000;

/// The record of this run.
#[derive(Debug, Default)]
pub struct Stream {
    stamper: Stamper,
}

impl Stream {
    /// Say who speaks.
    pub fn begin(&self) -> std::io::Result<()> {
        write(&Line::Hello(Hello {
            schema: SCHEMA,
            program: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            boot_id: boot_id(),
            stream: None,
            after: 0,
        }))
    }

    /// Say what happened, now.
    pub fn event(&mut self, event: Event) -> std::io::Result<()> {
        let mono_ms = since_boot().as_millis() as u64;
        let record: Record = self.stamper.stamp(event, wall_ms(SystemTime::now()), mono_ms);
        write(&Line::Record(record))
    }
}

fn wall_ms(now: SystemTime) -> Option<u64> {
    let since = now.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok().filter(|ms| *ms >= FIRST_WALL_MS)
}

fn write(line: &Line) -> std::io::Result<()> {
    let json = serde_json::to_string(line).expect("records have only strings, numbers and lists");
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", ascii_where_hidden(&json))?;
    out.flush()
}

/// JSON says the same with escapes.
fn ascii_where_hidden(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if is_plain(c) {
            escaped.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                escaped += &format!("\\u{unit:04x}");
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_clock_that_can_not_be_right_is_not_believed() {
        let at = |ms| UNIX_EPOCH + Duration::from_millis(ms);
        assert_eq!(wall_ms(at(FIRST_WALL_MS)), Some(FIRST_WALL_MS));
        assert_eq!(wall_ms(at(FIRST_WALL_MS - 1)), None);
        assert_eq!(wall_ms(UNIX_EPOCH - Duration::from_secs(1)), None);
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped_and_means_the_same() {
        let text = "a\u{1b}[2J\u{202e}b\u{e0041}é";
        let json = ascii_where_hidden(&serde_json::to_string(text).expect("a string"));
        assert!(json.chars().all(is_plain), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).expect("a string"), text);
    }
}
