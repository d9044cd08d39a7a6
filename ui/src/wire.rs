// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Lines of the station's socket, as `docs/formats/socket.md` describes them.

use platen_events::{AnyCode, Line};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::request::{Answer, Errand, Request};
use crate::ui::Ui;

/// The line that begins a connection: from now on, what happens is told.
pub const SUBSCRIBE: &str = "{\"id\":0,\"request\":\"subscribe\"}\n";

#[derive(Serialize)]
struct Asked<'a> {
    id: u64,
    #[serde(flatten)]
    request: &'a Request,
}

#[derive(Deserialize)]
struct Answered {
    id: u64,
    #[serde(default)]
    ok: Option<Value>,
    #[serde(default)]
    error: Option<Refused>,
}

#[derive(Deserialize)]
struct Refused {
    #[serde(default)]
    code: Option<AnyCode>,
    text: String,
}

/// The line that asks for this.
pub fn line(id: u64, request: &Request) -> String {
    let text = serde_json::to_string(&Asked { id, request }).expect("texts and numbers become JSON");
    text + "\n"
}

impl Ui {
    /// A line that the station sent. One that can't be read is passed over: a newer station may say more.
    pub fn read(&mut self, line: &str, now_ms: u64) {
        if let Ok(Answered { id, ok, error }) = serde_json::from_str(line) {
            let answer = match (error, ok) {
                (Some(Refused { code, text }), _) => Answer::Refused { code, text },
                (None, ok) => self.understood(id, ok.unwrap_or_default()),
            };
            return self.answer(id, answer, now_ms);
        }
        match serde_json::from_str(line) {
            Ok(Line::Hello(_)) => self.begin(),
            Ok(Line::Record(record)) => self.take(&record.event, now_ms),
            Err(_) => {}
        }
    }

    /// What an answer is, which only the question says.
    fn understood(&self, id: u64, value: Value) -> Answer {
        let read = match self.pending.get(&id) {
            Some(Request::Errand(Errand::Media)) => serde_json::from_value(value).map(Answer::Media),
            Some(Request::Errand(Errand::History { .. })) => serde_json::from_value(value).map(Answer::Rows),
            _ => Ok(Answer::Done),
        };
        read.unwrap_or(Answer::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Panel;
    use crate::request::{Pin, Role, Settings, Wish};
    use platen_events::{JobKind, Work};

    #[test]
    fn requests_are_lines_as_the_format_says() {
        let work = Work { kind: JobKind::Write, medium: Some("TREE-r1".to_owned()) };
        let arm = Request::Arm { ports: vec!["1".to_owned(), "2".to_owned()], work, wanted: Some(20) };
        let expected =
            r#"{"id":7,"request":"arm","ports":["1","2"],"work":{"kind":"write","medium":"TREE-r1"},"wanted":20}"#;
        assert_eq!(line(7, &arm).trim_end(), expected);
        let login = Request::Login { role: Role::Operator, pin: Pin("4711".to_owned()) };
        assert_eq!(line(8, &login).trim_end(), r#"{"id":8,"request":"login","role":"operator","pin":"4711"}"#);
        assert!(!format!("{login:?}").contains("4711"), "a PIN is never printed");
        let history = Request::Errand(Errand::History { serial: None, limit: 5 });
        assert_eq!(line(9, &history).trim_end(), r#"{"id":9,"request":"errand","errand":"history","limit":5}"#);
    }

    #[test]
    fn lines_of_a_station_are_understood() {
        let panel = Panel { size: embedded_graphics::prelude::Size::new(320, 240), is_mono: false, has_light: true };
        let mut ui = Ui::new(panel, crate::board::Board::default(), Settings::default(), false);
        ui.read(r#"{"schema":1,"hello":1}"#, 1);
        ui.begin();
        let Some(Wish::Ask(id, _)) = ui.wishes().pop() else { panic!("media are asked for") };
        let media = r#"[{"medium":"A-r1","title":"A","version":"1","kind":"image","content_bytes":5,"pinned":false,"problem":null}]"#;
        ui.read(&format!("{{\"id\":{id},\"ok\":{media}}}"), 2);
        assert_eq!(ui.media.as_ref().map(Vec::len), Some(1));
        let port =
            r#"{"seq":1,"mono_ms":5,"wall_ms":5,"event":"port-set","port":"1","mode":"armed","is_paused":false}"#;
        ui.read(port, 3);
        assert_eq!(ui.station.labels(), ["1"]);
        for broken in ["", "{", "[]", "{\"id\":-1}", "{\"event\":\"dance\"}"] {
            ui.read(broken, 4);
        }
        assert_eq!(ui.station.labels(), ["1"]);
    }
}
