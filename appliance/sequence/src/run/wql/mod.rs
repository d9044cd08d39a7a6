// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The part of WQL that conditions use: `SELECT list FROM class [WHERE terms with AND, OR, NOT]`, a term being a
//! property, one of `= != <> < > <= >= LIKE IS`, and a text, number, TRUE, FALSE or NULL.

mod read;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;

/// A query that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Properties that are asked for; `*` for all.
    pub select: Vec<String>,
    /// The class they are of.
    pub class: String,
    filter: Option<Filter>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    Term { property: String, operator: Operator, value: Value },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Like,
    NotLike,
}

/// A value in a query, or of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Compared without case.
    Text(String),
    /// Whole numbers are all that these classes have.
    Number(i128),
    /// TRUE or FALSE.
    Flag(bool),
    /// No value; nothing but IS NULL is true of it.
    Null,
}

/// Why a text is no query that is understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("WQL: at character {at}: expected {expected}, found {found}")]
pub struct WqlError {
    /// From 1.
    pub at: usize,
    /// What would be right.
    pub expected: &'static str,
    /// What stands there.
    pub found: String,
}

impl Query {
    /// Whether an instance of its class is one of its results. `value` gives the instance's properties, by names in any
    /// case; None for one that the class does not have.
    pub fn takes(&self, value: &impl Fn(&str) -> Option<Value>) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.holds(value))
    }

    /// All properties that it names.
    pub fn properties(&self) -> Vec<&str> {
        let mut found: Vec<&str> = self.select.iter().map(String::as_str).filter(|name| *name != "*").collect();
        if let Some(filter) = &self.filter {
            filter.properties(&mut found);
        }
        found
    }
}

impl Filter {
    fn holds(&self, value: &impl Fn(&str) -> Option<Value>) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.holds(value)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(value)),
            Self::Not(part) => !part.holds(value),
            Self::Term { property, operator, value: wanted } => {
                compare(&value(property).unwrap_or(Value::Null), *operator, wanted)
            }
        }
    }

    fn properties<'q>(&'q self, found: &mut Vec<&'q str>) {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.properties(found)),
            Self::Not(part) => part.properties(found),
            Self::Term { property, .. } => found.push(property),
        }
    }
}

fn compare(found: &Value, operator: Operator, wanted: &Value) -> bool {
    if *wanted == Value::Null || *found == Value::Null {
        let both = found == wanted;
        return match operator {
            Operator::Equal => both,
            Operator::NotEqual => *wanted == Value::Null && !both,
            _ => false,
        };
    }
    if matches!(operator, Operator::Like | Operator::NotLike) {
        return like(&as_text(found), &as_text(wanted)) == (operator == Operator::Like);
    }
    // A number may be written as a text.
    let numbers = as_number(found).zip(as_number(wanted)).map(|(found, wanted)| found.cmp(&wanted));
    let ordering = match (found, wanted) {
        (Value::Text(found), Value::Text(wanted)) => found.to_lowercase().cmp(&wanted.to_lowercase()),
        _ => match numbers {
            Some(ordering) => ordering,
            None => return operator == Operator::NotEqual,
        },
    };
    match operator {
        Operator::Equal => ordering == Ordering::Equal,
        Operator::NotEqual => ordering != Ordering::Equal,
        Operator::Less => ordering == Ordering::Less,
        Operator::LessEqual => ordering != Ordering::Greater,
        Operator::Greater => ordering == Ordering::Greater,
        Operator::GreaterEqual => ordering != Ordering::Less,
        Operator::Like | Operator::NotLike => false,
    }
}

fn as_text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Flag(flag) => flag.to_string(),
        Value::Null => String::new(),
    }
}

fn as_number(value: &Value) -> Option<i128> {
    match value {
        Value::Text(text) if text.eq_ignore_ascii_case("true") => Some(1),
        Value::Text(text) if text.eq_ignore_ascii_case("false") => Some(0),
        Value::Text(text) => text.trim().parse().ok(),
        Value::Number(number) => Some(*number),
        Value::Flag(flag) => Some(i128::from(*flag)),
        Value::Null => None,
    }
}

/// `%` is any number of characters, `_` one, `[a-f]` one of these, `[^a-f]` one that is none of these. Without case.
fn like(text: &str, pattern: &str) -> bool {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let pattern = elements(&pattern.to_lowercase());
    let (mut at, mut of, mut back) = (0, 0, None);
    while at < text.len() {
        match pattern.get(of) {
            Some(Element::Any) => {
                back = Some((of, at));
                of += 1;
            }
            Some(Element::One(set)) if set.has(text[at]) => (at, of) = (at + 1, of + 1),
            _ => match back {
                Some((star, from)) => {
                    back = Some((star, from + 1));
                    (at, of) = (from + 1, star + 1);
                }
                None => return false,
            },
        }
    }
    pattern[of..].iter().all(|element| matches!(element, Element::Any))
}

enum Element {
    Any,
    One(Set),
}

struct Set {
    ranges: Vec<(char, char)>,
    inverted: bool,
}

impl Set {
    fn has(&self, c: char) -> bool {
        self.ranges.iter().any(|&(from, to)| (from..=to).contains(&c)) != self.inverted
    }
}

fn elements(pattern: &str) -> Vec<Element> {
    let pattern: Vec<char> = pattern.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < pattern.len() {
        let c = pattern[at];
        let close = (c == '[').then(|| pattern[at..].iter().position(|&c| c == ']')).flatten().filter(|&it| it > 1);
        match (c, close) {
            ('%', _) => found.push(Element::Any),
            ('_', _) => found.push(Element::One(Set { ranges: Vec::new(), inverted: true })),
            ('[', Some(close)) => {
                let inside = &pattern[at + 1..at + close];
                let inverted = inside.len() > 1 && inside[0] == '^';
                found.push(Element::One(Set { ranges: ranges(&inside[usize::from(inverted)..]), inverted }));
                at += close;
            }
            _ => found.push(Element::One(Set { ranges: vec![(c, c)], inverted: false })),
        }
        at += 1;
    }
    found
}

fn ranges(inside: &[char]) -> Vec<(char, char)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < inside.len() {
        match inside[at..] {
            [from, '-' | '=', to, ..] => {
                found.push((from, to));
                at += 3;
            }
            [one, ..] => {
                found.push((one, one));
                at += 1;
            }
            [] => break,
        }
    }
    found
}
