// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The schema of a line, made from the types, and that `events.schema.json` is that schema.
//!
//! It says what this version writes, and nothing else: a field or word that is not in it is a fault of ours. Readers are
//! not to be so strict, since newer versions add some.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use crate::record::Line;

const STALE: &str = "appliance/events/events.schema.json is not what the types say; \
                     make it anew: PLATEN_WRITE_SCHEMA=1 cargo test -p platen-events schema";

fn schema() -> String {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Line>().to_value();
    close(&mut schema);
    walk(&mut schema);
    let root = schema.as_object_mut().unwrap();
    root.insert("title".to_owned(), "A line of a station's record, schema 2".into());
    serde_json::to_string_pretty(&schema).unwrap() + "\n"
}

/// The first line's kind, which is no field of its type.
pub(crate) fn say_hello(schema: &mut schemars::Schema) {
    schema.pointer_mut("/properties").unwrap()["event"] = serde_json::json!({ "const": "hello", "type": "string" });
    schema.pointer_mut("/required").unwrap().as_array_mut().unwrap().push("event".into());
}

/// Whatever stands for a value of its own is closed: it has the fields that are described and no others.
fn walk(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get_mut("properties") {
                properties.values_mut().for_each(value);
            }
            if let Some(items) = object.get_mut("items") {
                value(items);
            }
            object.values_mut().for_each(walk);
        }
        Value::Array(list) => list.iter_mut().for_each(walk),
        _ => {}
    }
}

/// A field that is not known is absent, never null.
fn value(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    object.remove("default");
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [one] = &types[..] {
            let one = one.clone();
            object.insert("type".to_owned(), one);
        }
    }
    if let Some(Value::Array(choices)) = object.remove("anyOf") {
        let mut choices: Vec<Value> = choices.into_iter().filter(|choice| choice["type"] != "null").collect();
        match (choices.len(), choices.pop()) {
            (1, Some(Value::Object(only))) => object.extend(only),
            (_, last) => {
                choices.extend(last);
                object.insert("anyOf".to_owned(), choices.into());
            }
        }
    }
    close(schema);
}

fn close(schema: &mut Value) {
    let is_object = |object: &Map<String, Value>| {
        object.contains_key("$ref") || object.contains_key("anyOf") || object.get("type") == Some(&"object".into())
    };
    if let Some(object) = schema.as_object_mut().filter(|object| is_object(object)) {
        object.insert("unevaluatedProperties".to_owned(), false.into());
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "this test keeps a file of the repository")]
fn the_schema_in_the_repository_is_that_of_the_types() {
    if std::env::var("PLATEN_WRITE_SCHEMA").is_ok() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/events.schema.json"), schema()).unwrap();
    }
    let stored = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/events.schema.json")).unwrap();
    assert!(stored == schema(), "{STALE}");
}

/// Each kind of event and answer, and each field, is named in the document that readers are written from.
#[test]
fn the_document_names_everything_in_the_schema() {
    let document = include_str!("../../../docs/formats/events.md");
    let mut names = std::collections::BTreeSet::new();
    collect(&serde_json::from_str(&schema()).unwrap(), &mut names);
    assert!(names.len() > 100, "{names:?}");
    let missing: Vec<&String> = names.iter().filter(|name| !document.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "docs/formats/events.md does not name {missing:?}");
}

/// Names of fields, and words that are constants.
fn collect(schema: &Value, names: &mut std::collections::BTreeSet<String>) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get("properties") {
                names.extend(properties.keys().cloned());
            }
            names.extend(object.get("const").and_then(Value::as_str).map(str::to_owned));
            object.values().for_each(|value| collect(value, names));
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, names)),
        _ => {}
    }
}
