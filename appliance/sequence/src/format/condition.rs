// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Conditions in TOML: inline tables, each a list of others or one question.

use platen_media::fields::{self, Fields};

use super::read::{anything, needed, text};
use super::write::quoted;
use crate::condition::{Comparison, Condition, Expression, VariableOperator};
use crate::limits;

/// What a condition's table may begin with.
const BEGINNINGS: [&str; 12] = [
    "all",
    "any",
    "none",
    "variable",
    "wmi",
    "file",
    "folder",
    "registry",
    "software",
    "operating-system",
    "make-model",
    "other",
];

/// The field `condition` of a group or step.
pub(super) fn read(of: &mut Fields<'_, '_, '_>) -> Option<Condition> {
    of.table("condition").and_then(|table| condition(table, 1))
}

fn condition(mut table: Fields<'_, '_, '_>, depth: usize) -> Option<Condition> {
    let given: Vec<&str> = BEGINNINGS.into_iter().filter(|name| table.has(name)).collect();
    let [beginning] = given[..] else {
        let found = if given.is_empty() { "none of them".to_owned() } else { given.join(" and ") };
        table.note(
            table.line,
            given.first().unwrap_or(&"all"),
            format!("one of the fields {}", BEGINNINGS.join(", ")),
            found,
        );
        return None;
    };
    let found = match beginning {
        "all" => Condition::All(parts(&mut table, "all", depth)),
        "any" => Condition::Any(parts(&mut table, "any", depth)),
        "none" => Condition::None(parts(&mut table, "none", depth)),
        _ => Condition::If(expression(&mut table, beginning)?),
    };
    table.finish();
    Some(found)
}

fn parts(table: &mut Fields<'_, '_, '_>, name: &'static str, depth: usize) -> Vec<Condition> {
    if depth > limits::MAX_DEPTH {
        let expected = format!("at most {} levels of operators", limits::MAX_DEPTH);
        table.note(table.line, name, expected, depth.to_string());
        table.take(name);
        return Vec::new();
    }
    let tables = table.tables(name);
    if tables.is_empty() {
        table.missing(name, "at least one condition");
    }
    tables.into_iter().filter_map(|part| condition(part, depth + 1)).collect()
}

fn expression(table: &mut Fields<'_, '_, '_>, beginning: &str) -> Option<Expression> {
    Some(match beginning {
        "variable" => {
            let variable = needed(table, "variable", limits::any_variable_name);
            Expression::Variable { variable, operator: operator(table)?, value: text(table, "value", anything) }
        }
        "wmi" => {
            Expression::Wmi { namespace: text(table, "namespace", anything), query: needed(table, "wmi", anything) }
        }
        "file" => Expression::File {
            path: needed(table, "file", anything),
            version: comparison(table, "version"),
            date_time: comparison(table, "date-time"),
        },
        "folder" => {
            Expression::Folder { path: needed(table, "folder", anything), date_time: comparison(table, "date-time") }
        }
        "registry" => Expression::Registry {
            key_path: needed(table, "registry", anything),
            value: text(table, "value", anything),
            value_type: text(table, "value-type", anything),
            operator: needed(table, "operator", anything),
            data: text(table, "data", anything),
        },
        "software" => {
            let (product_code, upgrade_code) =
                (text(table, "software", anything), text(table, "upgrade-code", anything));
            if product_code.is_empty() && upgrade_code.is_empty() {
                table.missing("software", "a text here or in upgrade-code");
            }
            let (operator, product_name) = (text(table, "operator", anything), text(table, "product-name", anything));
            let version = text(table, "version", anything);
            Expression::Software { operator, product_code, upgrade_code, product_name, version }
        }
        "operating-system" => {
            let mut of = table.table("operating-system")?;
            let (architecture, version) = (text(&mut of, "architecture", anything), text(&mut of, "version", anything));
            let operator = text(&mut of, "operator", anything);
            of.finish();
            Expression::OperatingSystem { architecture, version, operator }
        }
        "make-model" => {
            let mut of = table.table("make-model")?;
            let (make, model) = (text(&mut of, "make", anything), text(&mut of, "model", anything));
            of.finish();
            Expression::MakeModel { make, model }
        }
        _ => {
            let type_name = text(table, "other", anything);
            let mut fields = Vec::new();
            for mut field in table.tables("fields") {
                fields.push((text(&mut field, "name", anything), text(&mut field, "value", anything)));
                field.finish();
            }
            Expression::Other { type_name, fields }
        }
    })
}

fn operator(table: &mut Fields<'_, '_, '_>) -> Option<VariableOperator> {
    let words: Vec<&str> = VariableOperator::ALL.iter().map(|(word, _)| *word).collect();
    let expected = format!("one of {}", words.join(", "));
    let Some(word) = table.text("operator") else {
        table.missing("operator", &expected);
        return None;
    };
    let found = VariableOperator::ALL.iter().find(|(known, _)| *known == word.value);
    if found.is_none() {
        let near = fields::nearest(&word.value, words.iter().copied());
        let hint = near.map_or(String::new(), |near| format!("; did you mean {near:?}?"));
        table.note(word.line, "operator", expected, format!("{:?}{hint}", word.value));
    }
    found.map(|(_, operator)| *operator)
}

fn comparison(table: &mut Fields<'_, '_, '_>, name: &'static str) -> Option<Comparison> {
    let mut of = table.table(name)?;
    let (operator, value) = (text(&mut of, "operator", anything), needed(&mut of, "value", anything));
    of.finish();
    Some(Comparison { operator, value })
}

/// An inline table. Lists of conditions have a line for each of theirs.
pub(super) fn write(condition: &Condition, indent: usize) -> String {
    let list = |word: &str, parts: &[Condition]| {
        let inside = "  ".repeat(indent + 1);
        let lines: String = parts.iter().map(|part| format!("{inside}{},\n", write(part, indent + 1))).collect();
        format!("{{ {word} = [\n{lines}{}] }}", "  ".repeat(indent))
    };
    match condition {
        Condition::All(parts) => list("all", parts),
        Condition::Any(parts) => list("any", parts),
        Condition::None(parts) => list("none", parts),
        Condition::If(expression) => question(expression),
    }
}

/// Fields in this order; empty ones are left out, but for the first, which says what is asked.
fn table(fields: &[(&str, &str)]) -> String {
    let first = fields.first().map(|(name, _)| *name);
    let is_said = |(name, value): &&(&str, &str)| !value.is_empty() || Some(*name) == first;
    let fields = fields.iter().filter(is_said).map(|(name, value)| format!("{name} = {}", quoted(value)));
    inline(fields.collect())
}

fn inline(fields: Vec<String>) -> String {
    if fields.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", fields.join(", ")) }
}

fn question(expression: &Expression) -> String {
    let compared = |name: &str, comparison: &Option<Comparison>| {
        comparison.as_ref().map(|it| format!("{name} = {}", table(&[("operator", &it.operator), ("value", &it.value)])))
    };
    match expression {
        Expression::Variable { variable, operator, value } => {
            table(&[("variable", variable), ("operator", operator.word()), ("value", value)])
        }
        Expression::Wmi { namespace, query } => table(&[("wmi", query), ("namespace", namespace)]),
        Expression::File { path, version, date_time } => {
            let mut fields = vec![format!("file = {}", quoted(path))];
            fields.extend(compared("version", version));
            fields.extend(compared("date-time", date_time));
            inline(fields)
        }
        Expression::Folder { path, date_time } => {
            let mut fields = vec![format!("folder = {}", quoted(path))];
            fields.extend(compared("date-time", date_time));
            inline(fields)
        }
        Expression::Registry { key_path, value, value_type, operator, data } => table(&[
            ("registry", key_path),
            ("value", value),
            ("value-type", value_type),
            ("operator", operator),
            ("data", data),
        ]),
        Expression::Software { operator, product_code, upgrade_code, product_name, version } => table(&[
            ("software", product_code),
            ("operator", operator),
            ("upgrade-code", upgrade_code),
            ("product-name", product_name),
            ("version", version),
        ]),
        Expression::OperatingSystem { architecture, version, operator } => {
            let of = table(&[("version", version), ("operator", operator), ("architecture", architecture)]);
            inline(vec![format!("operating-system = {of}")])
        }
        Expression::MakeModel { make, model } => {
            inline(vec![format!("make-model = {}", table(&[("make", make), ("model", model)]))])
        }
        Expression::Other { type_name, fields } => {
            let pair = |(name, value): &(String, String)| table(&[("name", name), ("value", value)]);
            let list: Vec<String> = fields.iter().map(pair).collect();
            let mut written = vec![format!("other = {}", quoted(type_name))];
            if !list.is_empty() {
                written.push(format!("fields = [{}]", list.join(", ")));
            }
            inline(written)
        }
    }
}
