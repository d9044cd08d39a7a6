// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! `ports.toml`: from TOML to ports, and back.

use std::collections::BTreeMap;

use platen_media::fields::{self, Fields, Located, Problem, Report};
use platen_media::stored::NewerSchema;
use serde::Serialize;

use super::ports::{Accepts, DriveClass, MAX_PLACE, Port, problems};
use super::words::Word;

/// The number of the format. The station writes the file too, so a release that went back must be able to read it: a field
/// that is added raises the number, and the file is refused by name, since nothing in it is ever passed over.
const SCHEMA: u32 = 1;

/// What the written file begins with.
const HEAD: &str =
    "# The station's ports. The station writes this file when ports are learnt; comments are lost then.\n\n";

/// Line and name of each field, for what is wrong only when ports are seen together.
type Places = BTreeMap<&'static str, (usize, String)>;

pub(super) fn read(text: &str) -> Result<Vec<Port>, Vec<Problem>> {
    fields::read(text, document)
}

fn document(report: &Report<'_>, mut top: Fields<'_, '_, '_>) -> Option<Vec<Port>> {
    if let Some(schema) = top.number("schema")
        && schema.value > SCHEMA
    {
        // Nothing else is said: what a newer version wrote is not wrong.
        let newer = NewerSchema { newest: SCHEMA, found: schema.value.into() };
        report.note(schema.line, "schema", format!("{SCHEMA} or less"), format!("{} ({newer})", schema.value));
        return None;
    }
    let (mut ports, mut places) = (Vec::new(), Vec::new());
    for mut table in top.tables("port") {
        let mut seen = Places::new();
        if let Some(port) = port(&mut table, &mut seen) {
            ports.push(port);
            places.push(seen);
        }
        table.finish();
    }
    for problem in problems(&ports) {
        let place = places.get(problem.index).and_then(|seen| seen.get(problem.field));
        let (line, field) = place.cloned().unwrap_or((1, problem.field.to_owned()));
        report.note(line, &field, problem.expected, problem.found);
    }
    top.finish();
    Some(ports)
}

/// What is written of one port, whether it makes sense or not.
fn port(table: &mut Fields<'_, '_, '_>, places: &mut Places) -> Option<Port> {
    let mut seen = |name: &'static str, line: usize, field: &str| places.insert(name, (line, field.to_owned()));
    let mut text = |table: &mut Fields<'_, '_, '_>, name: &'static str| -> Option<String> {
        let Located { value, line, field } = table.text(name)?;
        seen(name, line, &field);
        Some(value)
    };
    let (label, socket, bank) = (text(table, "label"), text(table, "socket"), text(table, "bank"));
    if label.is_none() {
        table.missing("label", "what is painted beside the socket");
    }
    if socket.is_none() {
        table.missing("socket", "the kernel's name of it, such as \"pci-0000:00:14.0-usb-3.1\"");
    }
    let mut number = |name: &'static str| -> Option<u32> {
        let Located { value, line, field } = table.number_within(name, 1..=MAX_PLACE, "")?;
        places.insert(name, (line, field));
        Some(value)
    };
    let (row, column) = (number("row"), number("column"));
    let accepts = accepts(table);
    Some(Port { label: label?, socket: socket?, accepts, row, column, bank })
}

fn accepts(table: &mut Fields<'_, '_, '_>) -> Accepts {
    let is_given = table.has("accepts");
    let words = table.texts("accepts");
    if is_given && words.is_empty() {
        table.missing("accepts", &format!("at least one of {}", DriveClass::choice()));
    }
    let mut classes: Vec<DriveClass> = Vec::new();
    for word in &words {
        match DriveClass::of(&word.value) {
            None => table.note(word.line, "accepts", DriveClass::choice(), format!("{:?}", word.value)),
            Some(class) if classes.contains(&class) => {
                table.note(word.line, "accepts", "each kind once", format!("{:?} again", word.value));
            }
            Some(class) => classes.push(class),
        }
    }
    Accepts::new(classes).unwrap_or_default()
}

/// The whole file.
#[derive(Serialize)]
struct Document<'p> {
    schema: u32,
    #[serde(skip_serializing_if = "<[Port]>::is_empty")]
    port: &'p [Port],
}

pub(super) fn write(ports: &[Port]) -> String {
    let text = toml::to_string(&Document { schema: SCHEMA, port: ports });
    // Texts, small numbers and lists: nothing that TOML could not say.
    HEAD.to_owned() + &text.expect("ports can be said in TOML")
}
