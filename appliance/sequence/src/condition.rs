// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Conditions of steps and groups.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// A tree of expressions. When it is false the step or group is skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// True when all are.
    All(Vec<Condition>),
    /// True when at least one is.
    Any(Vec<Condition>),
    /// True when none is.
    None(Vec<Condition>),
    /// True when the expression is.
    If(Expression),
}

/// The ten operators of a variable's condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum VariableOperator {
    /// The variable is set.
    Exists,
    /// The variable is not set.
    NotExists,
    /// Its value is this one.
    Equals,
    /// Its value is another one.
    NotEquals,
    /// Its value comes after this one.
    Greater,
    /// Its value is this one or comes after it.
    GreaterEqual,
    /// Its value comes before this one.
    Less,
    /// Its value is this one or comes before it.
    LessEqual,
    /// Its value fits a pattern with `*` and `?`.
    Like,
    /// Its value does not fit the pattern.
    NotLike,
}

impl VariableOperator {
    /// As in XML, and what is expected when it is another.
    pub const ALL: [(&str, Self); 10] = [
        ("exists", Self::Exists),
        ("notExists", Self::NotExists),
        ("equals", Self::Equals),
        ("notEquals", Self::NotEquals),
        ("greater", Self::Greater),
        ("greaterEqual", Self::GreaterEqual),
        ("less", Self::Less),
        ("lessEqual", Self::LessEqual),
        ("like", Self::Like),
        ("notLike", Self::NotLike),
    ];

    /// Whether it is true of a variable's value, which is empty when the variable is not set. Case does not count.
    pub fn holds(self, found: &str, value: &str) -> bool {
        match self {
            Self::Exists => !found.is_empty(),
            Self::NotExists => found.is_empty(),
            Self::Equals => found.to_lowercase() == value.to_lowercase(),
            Self::NotEquals => found.to_lowercase() != value.to_lowercase(),
            Self::Greater => order(found, value).is_gt(),
            Self::GreaterEqual => order(found, value).is_ge(),
            Self::Less => order(found, value).is_lt(),
            Self::LessEqual => order(found, value).is_le(),
            Self::Like => fits(found, value),
            Self::NotLike => !fits(found, value),
        }
    }

    /// The word in XML.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, operator)| *operator == self).map_or("", |(word, _)| word)
    }
}

/// A version or time stamp and how it is compared, both as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// How, in the word of the XML.
    pub operator: String,
    /// With what.
    pub value: String,
}

/// One question about the computer or the environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Expression {
    /// About a variable of the task sequence.
    Variable {
        /// Its name.
        variable: String,
        /// How its value is compared.
        operator: VariableOperator,
        /// With what; empty where nothing is compared.
        value: String,
    },
    /// A WMI query gives at least one result.
    Wmi {
        /// For example `root\\cimv2`.
        namespace: String,
        /// In WQL.
        query: String,
    },
    /// A file is there, and is such a one.
    File {
        /// On the computer that is deployed.
        path: String,
        /// Of the program in it.
        version: Option<Comparison>,
        /// When it was changed last.
        date_time: Option<Comparison>,
    },
    /// A folder is there, and is such a one.
    Folder {
        /// On the computer that is deployed.
        path: String,
        /// When it was changed last.
        date_time: Option<Comparison>,
    },
    /// A value of the registry is such a one.
    Registry {
        /// The key, with its hive.
        key_path: String,
        /// The value's name.
        value: String,
        /// For example `REG_SZ`.
        value_type: String,
        /// How it is compared, in the word of the XML.
        operator: String,
        /// With what.
        data: String,
    },
    /// A product is installed.
    Software {
        /// Which version counts, in the word of the XML.
        operator: String,
        /// The GUID of this version of it.
        product_code: String,
        /// The GUID of all versions of it.
        upgrade_code: String,
        /// For people.
        product_name: String,
        /// As the product writes it.
        version: String,
    },
    /// The running Windows is such a one.
    OperatingSystem {
        /// `x64` or `x86`, as written.
        architecture: String,
        /// For example `10.00.19041`.
        version: String,
        /// How the version is compared, in the word of the XML.
        operator: String,
    },
    /// The computer is of such a make and model.
    MakeModel {
        /// With `*` and `?`.
        make: String,
        /// With `*` and `?`.
        model: String,
    },
    /// Another question, kept as it was written and never decided.
    Other {
        /// The class name, as in the `type` attribute.
        type_name: String,
        /// Names and values, in the order of the file.
        fields: Vec<(String, String)>,
    },
}

impl Condition {
    /// The answer as far as `known` values of variables (names in any case) decide it; None when they do not.
    ///
    /// `known` says None for a variable nothing is known about.
    pub fn decide(&self, known: &impl Fn(&str) -> Option<String>) -> Option<bool> {
        let any = |parts: &[Self]| {
            let answers: Vec<_> = parts.iter().map(|part| part.decide(known)).collect();
            if answers.contains(&Some(true)) {
                Some(true)
            } else if answers.contains(&None) {
                None
            } else {
                Some(false)
            }
        };
        match self {
            Self::Any(parts) => any(parts),
            Self::None(parts) => any(parts).map(|answer| !answer),
            Self::All(parts) => {
                let answers: Vec<_> = parts.iter().map(|part| part.decide(known)).collect();
                if answers.contains(&Some(false)) {
                    Some(false)
                } else if answers.contains(&None) {
                    None
                } else {
                    Some(true)
                }
            }
            Self::If(Expression::Variable { variable, operator, value }) => {
                known(variable).map(|found| operator.holds(&found, value))
            }
            Self::If(_) => None,
        }
    }

    /// One line for people.
    pub fn to_line(&self) -> String {
        let join = |parts: &[Self]| parts.iter().map(Self::to_line).collect::<Vec<_>>().join(", ");
        match self {
            Self::All(parts) if parts.len() == 1 => parts[0].to_line(),
            Self::All(parts) => format!("all of ({})", join(parts)),
            Self::Any(parts) => format!("any of ({})", join(parts)),
            Self::None(parts) => format!("none of ({})", join(parts)),
            Self::If(expression) => expression.to_line(),
        }
    }
}

/// Numbers by their size, texts without case.
fn order(left: &str, right: &str) -> Ordering {
    match (left.trim().parse::<i64>(), right.trim().parse::<i64>()) {
        (Ok(left), Ok(right)) => left.cmp(&right),
        _ => left.to_lowercase().cmp(&right.to_lowercase()),
    }
}

/// Whether a text is of a pattern: `*` is any number of characters, `?` one; people write `%` for `*` as in WQL.
pub(crate) fn fits(text: &str, pattern: &str) -> bool {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let pattern: Vec<char> = pattern.to_lowercase().chars().collect();
    let is_any = |c: char| matches!(c, '*' | '%');
    // Where to go back to when the rest does not fit: behind the last `*`, one character further in the text.
    let (mut at, mut of, mut back) = (0, 0, None);
    while at < text.len() {
        match pattern.get(of) {
            Some(&c) if is_any(c) => {
                back = Some((of, at));
                of += 1;
            }
            Some(&c) if c == '?' || c == text[at] => (at, of) = (at + 1, of + 1),
            _ => match back {
                Some((star, from)) => {
                    back = Some((star, from + 1));
                    (at, of) = (from + 1, star + 1);
                }
                None => return false,
            },
        }
    }
    pattern[of..].iter().all(|&c| is_any(c))
}

impl Expression {
    pub(crate) fn to_line(&self) -> String {
        match self {
            Self::Variable { variable, operator, value } => match operator {
                VariableOperator::Exists | VariableOperator::NotExists => format!("{variable} {}", operator.word()),
                _ => format!("{variable} {} {value:?}", operator.word()),
            },
            Self::Wmi { query, .. } => format!("WMI {query:?}"),
            Self::File { path, .. } => format!("file {path:?}"),
            Self::Folder { path, .. } => format!("folder {path:?}"),
            Self::Registry { key_path, value, operator, .. } => format!("registry {key_path:?} {value:?} {operator}"),
            Self::Software { product_name, product_code, .. } => format!("software {product_name:?} {product_code}"),
            Self::OperatingSystem { architecture, version, operator } => {
                format!("Windows {operator} {version:?} {architecture}")
            }
            Self::MakeModel { make, model } => format!("make {make:?} model {model:?}"),
            Self::Other { type_name, .. } => format!("unknown question {type_name:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media_type(operator: VariableOperator, value: &str) -> Condition {
        Condition::If(Expression::Variable { variable: "_SMSTSMediaType".into(), operator, value: value.into() })
    }

    fn unknown() -> Condition {
        Condition::If(Expression::Wmi { namespace: String::new(), query: "SELECT".into() })
    }

    #[test]
    fn three_valued_answers() {
        let known = |name: &str| name.eq_ignore_ascii_case("_smstsmediatype").then(|| "FullMedia".to_owned());
        let not_full = media_type(VariableOperator::NotEquals, "fullmedia");
        assert_eq!(not_full.decide(&known), Some(false), "values and names are compared without case");
        assert_eq!(Condition::All(vec![unknown(), not_full.clone()]).decide(&known), Some(false));
        assert_eq!(Condition::Any(vec![unknown(), not_full.clone()]).decide(&known), None);
        assert_eq!(Condition::None(vec![not_full.clone()]).decide(&known), Some(true));
        assert_eq!(Condition::None(vec![unknown()]).decide(&known), None);
        assert_eq!(Condition::All(vec![]).decide(&known), Some(true));
        assert_eq!(
            Condition::Any(vec![media_type(VariableOperator::Equals, "FullMedia"), unknown()]).decide(&known),
            Some(true)
        );
    }

    #[test]
    fn all_ten_operators_answer() {
        use VariableOperator as O;
        let of = |operator, found: &str, value: &str| {
            media_type(operator, value).decide(&|_: &str| Some(found.to_owned())).expect("decided")
        };
        for (operator, found, value, expected) in [
            (O::Exists, "x", "", true),
            (O::NotExists, "x", "", false),
            (O::Equals, "Full", "full", true),
            (O::NotEquals, "Full", "full", false),
            (O::Greater, "10", "9", true),
            (O::Greater, "b10", "b9", false),
            (O::GreaterEqual, "2", "2", true),
            (O::Less, "9", "10", true),
            (O::LessEqual, "10", "9", false),
            (O::Like, "FullMedia", "full*", true),
            (O::Like, "FullMedia", "Full%", true),
            (O::Like, "FullMedia", "*d?a", true),
            (O::Like, "FullMedia", "*d?x", false),
            (O::Like, "FullMedia", "Full", false),
            (O::Like, "abcabd", "*abd", true),
            (O::Like, "", "*", true),
            (O::Like, "", "?", false),
            (O::NotLike, "FullMedia", "Full%", false),
        ] {
            assert_eq!(of(operator, found, value), expected, "{operator:?} {found} {value}");
        }
    }
}
