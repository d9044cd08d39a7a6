// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The Windows that is on a computer before a sequence begins, as far as conditions ask about it.

use std::cmp::Ordering;

use platen_media::fields::Fields;

use super::computer::{number, text, word};
use crate::condition::{Comparison, Expression, VariableOperator};

/// A described Windows. What it does not list is not there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Windows {
    /// For example `10.0.19045`.
    pub version: String,
    /// It is one for servers.
    pub is_server: bool,
    /// `x86_64`, `x86` or `arm64`.
    pub architecture: String,
    /// Files and folders.
    pub entries: Vec<Entry>,
    /// Values of the registry.
    pub registry: Vec<RegistryValue>,
    /// What the Windows Installer knows.
    pub products: Vec<Product>,
}

/// A file or folder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    /// With its drive letter.
    pub path: String,
    /// It is a folder.
    pub is_folder: bool,
    /// Of the program in it; empty where it has none.
    pub version: String,
    /// When it was changed last, in UTC; empty where nobody says.
    pub date_time: String,
}

/// A value of the registry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RegistryValue {
    /// With its hive.
    pub key: String,
    /// Empty: the key's own.
    pub name: String,
    /// As text; numbers in decimal.
    pub data: String,
}

/// An installed product.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Product {
    /// The GUID of this version of it.
    pub code: String,
    /// The GUID of all versions of it; may be empty.
    pub upgrade_code: String,
}

/// What is known of the Windows that was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldWindows<'w> {
    /// Nothing, not even whether there is one.
    Unknown,
    /// It was there, and a step has put something else in its place.
    Gone,
    /// It is there.
    Here(&'w Windows),
}

impl<'w> OldWindows<'w> {
    /// Before the first step.
    pub fn of(windows: Option<&'w Windows>) -> Self {
        windows.map_or(Self::Unknown, Self::Here)
    }

    /// The answer to a question about it, with what was found; `expand` puts values of variables in.
    pub(super) fn answer(
        self,
        question: &Expression,
        expand: &dyn Fn(&str) -> String,
    ) -> Result<(bool, String), String> {
        match self {
            Self::Unknown => Err("nothing is known of the Windows on this computer".to_owned()),
            Self::Gone => Err("the Windows that was on this computer is gone".to_owned()),
            Self::Here(windows) => windows.answer(question, expand),
        }
    }
}

impl Windows {
    fn answer(&self, question: &Expression, expand: &dyn Fn(&str) -> String) -> Result<(bool, String), String> {
        match question {
            Expression::File { path, version, date_time } => self.entry(expand(path), false, version, date_time),
            Expression::Folder { path, date_time } => self.entry(expand(path), true, &None, date_time),
            Expression::Registry { key_path, value, operator, data, .. } => {
                self.registry(&expand(key_path), &expand(value), operator, &expand(data))
            }
            Expression::Software { operator, product_code, upgrade_code, .. } => {
                let is_any = operator.eq_ignore_ascii_case("AnyVersion") && !upgrade_code.is_empty();
                let same = |own: &str, other: &str| guid(own) == guid(other);
                let found = self.products.iter().any(|product| match is_any {
                    true => same(&product.upgrade_code, upgrade_code),
                    false => same(&product.code, product_code),
                });
                Ok((found, if found { "it is installed" } else { "it is not installed" }.to_owned()))
            }
            Expression::OperatingSystem { architecture, version, operator } => {
                let own = match &*self.architecture {
                    "x86_64" => "x64",
                    other => other,
                };
                let of_architecture = architecture.is_empty() || architecture.eq_ignore_ascii_case(own);
                let of_version = version.is_empty() || compared(operator, versions(&self.version, version))?;
                Ok((of_architecture && of_version, format!("it is {:?} {own}", self.version)))
            }
            _ => Err("this is no question about Windows".to_owned()),
        }
    }

    fn entry(
        &self,
        path: String,
        is_folder: bool,
        version: &Option<Comparison>,
        date_time: &Option<Comparison>,
    ) -> Result<(bool, String), String> {
        let is = |entry: &&Entry| entry.is_folder == is_folder && plain(&entry.path) == plain(&path);
        let Some(entry) = self.entries.iter().find(is) else { return Ok((false, "it is not there".to_owned())) };
        let mut holds = true;
        if let Some(Comparison { operator, value }) = version {
            holds &= !entry.version.is_empty() && compared(operator, versions(&entry.version, value))?;
        }
        if let Some(Comparison { operator, value }) = date_time {
            holds &= !entry.date_time.is_empty() && compared(operator, digits(&entry.date_time).cmp(&digits(value)))?;
        }
        let more = [&entry.version, &entry.date_time].into_iter().filter(|text| !text.is_empty());
        let found = more.fold("it is there".to_owned(), |line, text| format!("{line}, {text}"));
        Ok((holds, found))
    }

    fn registry(&self, key: &str, name: &str, operator: &str, data: &str) -> Result<(bool, String), String> {
        let key = hive(key);
        let below = format!("{key}\\");
        let is_key = |value: &&RegistryValue| hive(&value.key) == key || hive(&value.key).starts_with(&below);
        let found = match name {
            "" => self.registry.iter().find(is_key),
            _ => self.registry.iter().find(|value| hive(&value.key) == key && value.name.eq_ignore_ascii_case(name)),
        };
        let operator = operator_of(operator)?;
        let shown = match found {
            None => "it is not there".to_owned(),
            Some(_) if name.is_empty() => "it is there".to_owned(),
            Some(value) if crate::lint::holds_secret(name, &value.data) => "it is ********".to_owned(),
            Some(value) => format!("it is {:?}", value.data),
        };
        let holds = match (operator, found) {
            (VariableOperator::Exists, found) => found.is_some(),
            (VariableOperator::NotExists, found) => found.is_none(),
            // What is not there is compared with nothing.
            (_, None) => false,
            (operator, Some(value)) => operator.holds(&decimal(&value.data), &decimal(data)),
        };
        Ok((holds, shown))
    }
}

/// The word of the XML; the registry's condition has one of its own.
fn operator_of(word: &str) -> Result<VariableOperator, String> {
    if word.eq_ignore_ascii_case("nonExists") {
        return Ok(VariableOperator::NotExists);
    }
    let known = VariableOperator::ALL.iter().find(|(known, _)| known.eq_ignore_ascii_case(word));
    known.map(|(_, operator)| *operator).ok_or_else(|| format!("nobody here knows the operator {word:?}"))
}

/// Whether two things that stand in this order are as the operator wants them.
fn compared(operator: &str, order: Ordering) -> Result<bool, String> {
    Ok(match operator_of(if operator.is_empty() { "equals" } else { operator })? {
        VariableOperator::Equals => order.is_eq(),
        VariableOperator::NotEquals => order.is_ne(),
        VariableOperator::Greater => order.is_gt(),
        VariableOperator::GreaterEqual => order.is_ge(),
        VariableOperator::Less => order.is_lt(),
        VariableOperator::LessEqual => order.is_le(),
        _ => return Err(format!("the operator {operator:?} compares nothing in order")),
    })
}

/// `10.00.19041` is `10.0.19041`, and `10` is `10.0`.
fn versions(left: &str, right: &str) -> Ordering {
    let parts = |text: &str| -> Vec<u64> {
        let mut parts: Vec<u64> = text.split('.').map(|part| part.trim().parse().unwrap_or(0)).collect();
        while parts.last() == Some(&0) {
            parts.pop();
        }
        parts
    };
    parts(left).cmp(&parts(right))
}

/// `2026-11-21T09:30:00Z` and CIM's `20261121093000.000000+000` by what they share.
fn digits(text: &str) -> String {
    let digits: String = text.chars().filter(char::is_ascii_digit).take(14).collect();
    format!("{digits:0<14}")
}

fn plain(path: &str) -> String {
    path.trim().replace('/', "\\").trim_end_matches('\\').to_lowercase()
}

fn guid(text: &str) -> String {
    text.trim().trim_matches(['{', '}']).to_lowercase()
}

/// `0x10` as 16, as the registry's editor shows numbers.
fn decimal(text: &str) -> String {
    let number = text.trim().strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok());
    number.map_or_else(|| text.to_owned(), |number| number.to_string())
}

/// A key with the long name of its hive, in lower case.
fn hive(key: &str) -> String {
    let key = plain(key);
    let (hive, rest) = key.split_once('\\').unwrap_or((&key, ""));
    let hive = match hive {
        "hklm" => "hkey_local_machine",
        "hkcu" => "hkey_current_user",
        "hkcr" => "hkey_classes_root",
        "hku" => "hkey_users",
        other => other,
    };
    if rest.is_empty() { hive.to_owned() } else { format!("{hive}\\{rest}") }
}

/// The table `[windows]` of a description.
pub(super) fn read(mut of: Fields<'_, '_, '_>) -> Windows {
    let windows = Windows {
        version: needed(&mut of, "version", "its version, such as \"10.0.19045\""),
        is_server: of.flag("server").is_some_and(|flag| flag.value),
        architecture: word(&mut of, "architecture", &["x86_64", "x86", "arm64"]),
        entries: [("file", false), ("folder", true)]
            .into_iter()
            .flat_map(|(name, is_folder)| of.tables(name).into_iter().map(move |table| entry(table, is_folder)))
            .collect(),
        registry: of.tables("registry").into_iter().map(registry).collect(),
        products: of.tables("product").into_iter().map(product).collect(),
    };
    of.finish();
    windows
}

fn needed(of: &mut Fields<'_, '_, '_>, name: &'static str, expected: &str) -> String {
    if !of.has(name) {
        of.missing(name, expected);
    }
    text(of, name)
}

fn entry(mut of: Fields<'_, '_, '_>, is_folder: bool) -> Entry {
    let path = needed(&mut of, "path", "a path with its drive letter");
    let version = if is_folder { String::new() } else { text(&mut of, "version") };
    let entry = Entry { path, is_folder, version, date_time: text(&mut of, "date-time") };
    of.finish();
    entry
}

fn registry(mut of: Fields<'_, '_, '_>) -> RegistryValue {
    let key = needed(&mut of, "key", "a key with its hive");
    let name = text(&mut of, "name");
    let data = if of.has("number") { number(&mut of, "number").to_string() } else { text(&mut of, "data") };
    of.finish();
    RegistryValue { key, name, data }
}

fn product(mut of: Fields<'_, '_, '_>) -> Product {
    let product =
        Product { code: needed(&mut of, "code", "its product code"), upgrade_code: text(&mut of, "upgrade-code") };
    of.finish();
    product
}
