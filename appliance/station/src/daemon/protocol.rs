// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The lines that clients and a station exchange over its socket: one JSON object each, as `docs/formats/socket.md`
//! describes them.

use platen_events::AnyCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::history::From;
use crate::config::Role;
use crate::core::{Ask, Reply};
use crate::failure::Failure;

/// The longest line a client may send, in bytes.
pub(crate) const LINE_BYTES: usize = 64 << 10;

/// What a client can ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wish {
    /// The record from now on, or from the number after this one on if it is still known.
    Subscribe { from: Option<From> },
    /// A role, by its PIN.
    Login { role: Role, pin: Option<Secret> },
    /// A PIN for a role; the first is free.
    SetPin { role: Role, pin: Secret },
    /// The text to be signed when the administrator's PIN is lost.
    Challenge,
    /// That text, signed by a trusted key.
    ResetPin { text: String, signature: String },
    /// Everything else.
    Ask(Ask),
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(pub(crate) String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subscribe {
    /// Where the client was, as the stream's first line and last record said.
    #[serde(default)]
    stream: Option<String>,
    #[serde(default)]
    after: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    role: Role,
    #[serde(default)]
    pin: Option<Secret>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetPin {
    role: Role,
    pin: Secret,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Challenge {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResetPin {
    text: String,
    signature: String,
}

/// A request and its number. The error is for the client: which request it is about, if that can be said, and what is
/// wrong with it.
pub(crate) fn read(line: &[u8]) -> Result<(u64, Wish), (Option<u64>, String)> {
    let value: Value = serde_json::from_slice(line).map_err(|error| (None, format!("expected JSON: {error}")))?;
    let Value::Object(mut fields) = value else { return Err((None, "expected a JSON object".to_owned())) };
    let id = match fields.remove("id") {
        Some(id) => id.as_u64().ok_or((None, format!("id: expected a whole number, found {id}")))?,
        None => return Err((None, "id: expected a whole number, found nothing".to_owned())),
    };
    let wrong = |error: serde_json::Error| (Some(id), error.to_string());
    let name = fields.get("request").and_then(Value::as_str).unwrap_or_default().to_owned();
    let wish = match name.as_str() {
        "subscribe" | "login" | "set-pin" | "pin-challenge" | "reset-pin" => {
            fields.remove("request");
            let fields = Value::Object(fields);
            match name.as_str() {
                "subscribe" => serde_json::from_value(fields).map(|Subscribe { stream, after }| {
                    let from = stream.zip(after).map(|(stream, after)| From { stream, after });
                    Wish::Subscribe { from }
                }),
                "pin-challenge" => serde_json::from_value(fields).map(|Challenge {}| Wish::Challenge),
                "reset-pin" => serde_json::from_value(fields)
                    .map(|ResetPin { text, signature }| Wish::ResetPin { text, signature }),
                "login" => serde_json::from_value(fields).map(|Login { role, pin }| Wish::Login { role, pin }),
                _ => serde_json::from_value(fields).map(|SetPin { role, pin }| Wish::SetPin { role, pin }),
            }
        }
        _ => serde_json::from_value(Value::Object(fields)).map(Wish::Ask),
    };
    wish.map(|wish| (id, wish)).map_err(wrong)
}

/// The answer to a request.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    /// Of the request; absent where it has none that can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    #[serde(flatten)]
    content: Content<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Content<'a> {
    Ok(Value),
    Error {
        /// As the exit status of the tool: 2 the request is wrong, 3 refused by policy, 4 the machine lacks something.
        exit: u8,
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<AnyCode>,
        text: &'a str,
    },
}

fn line(answer: &Answer<'_>) -> String {
    crate::line::line(answer) + "\n"
}

/// A request that was done, and what came of it.
pub(crate) fn done(id: u64, value: Value) -> String {
    line(&Answer { id: Some(id), content: Content::Ok(value) })
}

/// A request that could not be read.
pub(crate) fn unread(id: Option<u64>, text: &str) -> String {
    line(&Answer { id, content: Content::Error { exit: 2, code: None, text } })
}

/// What came of a request.
pub(crate) fn answered(id: u64, reply: Result<Reply, Failure>) -> String {
    match reply {
        Ok(reply) => done(id, serde_json::to_value(reply).unwrap_or_default()),
        Err(failure) => failed(id, &failure),
    }
}

/// A request that could not be done.
pub(crate) fn failed(id: u64, failure: &Failure) -> String {
    let (exit, code, text) = (failure.exit as u8, failure.code.map(AnyCode::from), &*failure.reason());
    line(&Answer { id: Some(id), content: Content::Error { exit, code, text } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use platen_events::{JobKind, Work};
    use serde_json::json;

    /// Everything the panel asks for, once. A request that is new there is missing here until it is added: `name` doesn't
    /// compile without it.
    fn of_the_panel() -> Vec<platen_ui::Request> {
        use platen_ui::{Errand, Request, Role};
        let name = |request: &Request| match request {
            Request::Login { .. } | Request::SetPin { .. } | Request::Start { .. } | Request::Arm { .. } => (),
            Request::Disarm { .. } | Request::Cancel { .. } | Request::Pause { .. } | Request::Resume { .. } => (),
            Request::Learn { .. } | Request::LearnEnd { .. } => (),
            Request::Errand(Errand::Media | Errand::Import { .. } | Errand::History { .. } | Errand::ShutDown) => (),
            Request::Errand(Errand::Restart | Errand::InstallUpdate { .. } | Errand::MakeDataAnew) => (),
        };
        let pin = || platen_ui::Pin::from("4711");
        let ports = || vec!["1".to_owned(), "left".to_owned()];
        let work = |kind| Work { kind, medium: Some("TREE-r1".to_owned()) };
        let drive = platen_events::DriveId { place: "2-1.4".to_owned(), disk_sequence: Some(7) };
        let start = |kind| Request::Start { port: "4".to_owned(), drive: drive.clone(), work: work(kind) };
        let all = vec![
            Request::Login { role: Role::Technician, pin: pin() },
            Request::Login { role: Role::Operator, pin: pin() },
            Request::SetPin { role: Role::Administrator, pin: pin() },
            start(JobKind::Write),
            start(JobKind::Import),
            Request::Arm { ports: Vec::new(), work: work(JobKind::Write), wanted: None },
            Request::Arm { ports: ports(), work: work(JobKind::Write), wanted: Some(40) },
            Request::Disarm { ports: ports() },
            Request::Cancel { ports: ports() },
            Request::Pause { ports: Vec::new() },
            Request::Resume { ports: ports() },
            Request::Learn { label: "1".to_owned() },
            Request::LearnEnd { keep: true },
            Request::Errand(Errand::Media),
            Request::Errand(Errand::Import { folder: "/media".to_owned() }),
            Request::Errand(Errand::History { serial: Some("0A".to_owned()), limit: 200 }),
            Request::Errand(Errand::History { serial: None, limit: 1 }),
            Request::Errand(Errand::ShutDown),
            Request::Errand(Errand::Restart),
            Request::Errand(Errand::InstallUpdate { version: "2.0.0".to_owned(), older: true }),
            Request::Errand(Errand::MakeDataAnew),
        ];
        all.iter().for_each(name);
        all
    }

    #[test]
    fn every_request_of_the_panel_is_understood() {
        for (request, id) in of_the_panel().iter().zip(1..) {
            let line = platen_ui::wire::line(id, request);
            let (read_id, wish) = read(line.trim_end().as_bytes()).unwrap_or_else(|error| panic!("{line}: {error:?}"));
            assert_eq!(read_id, id);
            // Nothing of it is lost or taken for something else.
            let mut sent: Value = serde_json::from_str(&line).expect("JSON");
            sent.as_object_mut().expect("an object").remove("id");
            let meant = match wish {
                Wish::Ask(ask) => serde_json::to_value(ask).expect("JSON"),
                Wish::Login { role, pin: Some(Secret(pin)) } => json!({ "request": "login", "role": role, "pin": pin }),
                Wish::SetPin { role, pin: Secret(pin) } => json!({ "request": "set-pin", "role": role, "pin": pin }),
                other => panic!("{line}: taken for {other:?}"),
            };
            assert_eq!(sent, meant);
        }
    }

    #[test]
    fn requests_are_read_strictly() {
        let arm = r#"{"id":3,"request":"arm","work":{"kind":"write","medium":"TREE-r1"},"wanted":5}"#;
        let work = Work { kind: JobKind::Write, medium: Some("TREE-r1".to_owned()) };
        let expected = Wish::Ask(Ask::Arm { ports: Vec::new(), work, wanted: Some(5) });
        assert_eq!(read(arm.as_bytes()), Ok((3, expected)));
        let login = read(br#"{"id":4,"request":"login","role":"operator","pin":"4711"}"#).expect("good");
        assert_eq!(login.0, 4);
        assert!(!format!("{login:?}").contains("4711"));
        for (line, id, said) in [
            (&b"\xff\xfe"[..], None, "expected JSON"),
            (b"[]", None, "a JSON object"),
            (b"{}", None, "id: expected a whole number, found nothing"),
            (br#"{"id":-1}"#, None, "found -1"),
            (br#"{"id":1}"#, Some(1), "missing field `request`"),
            (br#"{"id":1,"request":"dance"}"#, Some(1), "unknown variant `dance`"),
            (br#"{"id":1,"request":"arm","work":{"kind":"write"},"wnated":5}"#, Some(1), "unknown field `wnated`"),
            (br#"{"id":1,"request":"subscribe","afer":5}"#, Some(1), "unknown field `afer`"),
            (br#"{"id":1,"request":"login","role":"king"}"#, Some(1), "unknown variant `king`"),
        ] {
            let (found, text) = read(line).expect_err("refused");
            assert!(found == id && text.contains(said), "{text}");
        }
    }
}
