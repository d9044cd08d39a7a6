// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The lines of a record and of answers, whoever writes them: when something happened, and how it is put.

use std::time::{SystemTime, UNIX_EPOCH};

use platen_device::since_boot;
use platen_events::is_plain;
use serde::Serialize;

/// A clock that says it is before 2026 is wrong: there was no Platen then.
const FIRST_WALL_MS: u64 = 1_767_225_600_000;

/// Now, in milliseconds: since 1970, where the clock can be right; and since the computer was started.
pub fn now() -> (Option<u64>, u64) {
    (wall_ms(SystemTime::now()), since_boot().as_millis() as u64)
}

fn wall_ms(now: SystemTime) -> Option<u64> {
    let since = now.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok().filter(|ms| *ms >= FIRST_WALL_MS)
}

/// As one line of JSON, without its end, that can be shown on a terminal as it is.
pub fn line(value: &impl Serialize) -> String {
    ascii_where_hidden(&serde_json::to_string(value).expect("lines have only strings, numbers and lists"))
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
