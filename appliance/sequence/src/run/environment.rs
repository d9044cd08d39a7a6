// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The variables of a sequence while it runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Step, limits};

/// Who set a variable. Of what is set before the first step, the later of these counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// What was found out about the computer.
    Gathered,
    /// The sequence itself, before its first step.
    Sequence,
    /// The medium.
    Medium,
    /// A step, or somebody who was asked.
    Step,
    /// Read-only: nothing else may set it.
    BuiltIn,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    name: String,
    value: String,
    secret: bool,
    origin: Origin,
}

/// A variable as it is kept over a restart.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptVariable {
    /// As it was written when it was set last.
    pub name: String,
    /// Not empty.
    pub value: String,
    /// Never shown, never logged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secret: bool,
    /// Who set it.
    pub origin: Origin,
}

impl std::fmt::Debug for KeptVariable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = if self.secret { MASK } else { &self.value };
        write!(f, "{}={value:?} by {:?}", self.name, self.origin)
    }
}

/// Why a variable was not set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum EnvironmentError {
    #[error("variable {name}: expected {expected}, found {found}")]
    Name { name: String, expected: String, found: String },
    #[error("variable {name} is built in and read-only")]
    ReadOnly { name: String },
    #[error("variable {name}: expected a value of {expected}, found {found}")]
    Value { name: String, expected: String, found: String },
    #[error("expected at most {} bytes of names and values, found {found_bytes}", limits::MAX_ENVIRONMENT_BYTES)]
    Full { found_bytes: u64 },
}

/// Names and values; the case of names does not count. A variable without a value is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Environment {
    entries: BTreeMap<String, Entry>,
    bytes: u64,
}

/// What is shown instead of a secret.
const MASK: &str = "********";

impl Environment {
    /// Sets a variable, or takes it away when the value is empty. What a stronger origin set before stays.
    pub fn set(&mut self, name: &str, value: &str, secret: bool, origin: Origin) -> Result<(), EnvironmentError> {
        let checked = match origin {
            Origin::BuiltIn => limits::any_variable_name(name),
            _ => limits::variable_name(name),
        };
        checked.map_err(|limit| EnvironmentError::Name {
            name: name.to_owned(),
            expected: limit.expected,
            found: limit.found,
        })?;
        limits::value(value).map_err(|limit| EnvironmentError::Value {
            name: name.to_owned(),
            expected: limit.expected,
            found: limit.found,
        })?;
        let key = name.to_ascii_lowercase();
        match self.entries.get(&key) {
            Some(entry) if entry.origin == Origin::BuiltIn && origin != Origin::BuiltIn => {
                return Err(EnvironmentError::ReadOnly { name: name.to_owned() });
            }
            Some(entry) if entry.origin > origin => return Ok(()),
            _ => {}
        }
        let size = |value: &str| (key.len() + value.len()) as u64;
        let before = self.entries.get(&key).map_or(0, |entry| size(&entry.value));
        let after = self.bytes - before + if value.is_empty() { 0 } else { size(value) };
        if after > limits::MAX_ENVIRONMENT_BYTES {
            return Err(EnvironmentError::Full { found_bytes: after });
        }
        self.bytes = after;
        if value.is_empty() {
            self.entries.remove(&key);
        } else {
            let entry = Entry { name: name.to_owned(), value: value.to_owned(), secret, origin };
            self.entries.insert(key, entry);
        }
        Ok(())
    }

    /// All variables, for [`Environment::of_kept`]. Whoever writes them down sees to the secrets.
    pub fn kept(&self) -> Vec<KeptVariable> {
        let kept = |Entry { name, value, secret, origin }: &Entry| KeptVariable {
            name: name.clone(),
            value: value.clone(),
            secret: *secret,
            origin: *origin,
        };
        self.entries.values().map(kept).collect()
    }

    /// The environment that was kept; limits hold as when they were set.
    pub fn of_kept(variables: &[KeptVariable]) -> Result<Self, EnvironmentError> {
        let mut environment = Self::default();
        for KeptVariable { name, value, secret, origin } in variables {
            environment.set(name, value, *secret, *origin)?;
        }
        Ok(environment)
    }

    /// A text in which every secret value was replaced, wherever it came from. Values of fewer than four characters
    /// are left alone: they would blot out everything.
    pub fn masked(&self, text: &str) -> String {
        const SHORTEST: usize = 4;
        let secrets = self.entries.values().filter(|entry| entry.secret && entry.value.chars().count() >= SHORTEST);
        let mut values: Vec<&str> = secrets.map(|entry| &*entry.value).collect();
        // The longer first: one may be a part of another.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        values.into_iter().fold(text.to_owned(), |text, value| text.replace(value, MASK))
    }

    fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.get(&name.to_ascii_lowercase())
    }

    /// The value; None when the variable is not set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.entry(name).map(|entry| &*entry.value)
    }

    /// All that may be shown, by name; secrets are masked.
    pub fn shown(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.values().map(|entry| (&*entry.name, if entry.secret { MASK } else { &*entry.value }))
    }

    /// A text with the values of its variables. `%x%` that is no variable stays as it is: commands have their own.
    pub fn expand(&self, text: &str) -> String {
        self.replace(text, |entry| &entry.value)
    }

    /// The same for people: secrets are masked.
    pub fn expand_shown(&self, text: &str) -> String {
        self.replace(text, |entry| if entry.secret { MASK } else { &entry.value })
    }

    /// Whether a secret goes into a text.
    pub fn has_secret(&self, text: &str) -> bool {
        let mut found = false;
        self.visit(text, |part| found |= matches!(part, Part::Variable(entry) if entry.secret));
        found
    }

    fn replace<'e>(&'e self, text: &str, value: impl Fn(&'e Entry) -> &'e str) -> String {
        let mut out = String::with_capacity(text.len());
        self.visit(text, |part| match part {
            Part::Text(text) => out.push_str(text),
            Part::Variable(entry) => out.push_str(value(entry)),
        });
        out
    }

    /// Once from left to right: values are not expanded again.
    fn visit<'e, 't>(&'e self, text: &'t str, mut part: impl FnMut(Part<'e, 't>)) {
        let mut rest = text;
        while let Some(begin) = rest.find('%') {
            let (before, from) = rest.split_at(begin);
            part(Part::Text(before));
            let end = from[1..].find('%').map(|at| at + 1);
            match end.and_then(|end| Some((end, self.entry(&from[1..end])?))) {
                Some((end, entry)) => {
                    part(Part::Variable(entry));
                    rest = &from[end + 1..];
                }
                // The next one may begin with the sign that would have ended this one.
                None => {
                    part(Part::Text("%"));
                    rest = &from[1..];
                }
            }
        }
        part(Part::Text(rest));
    }

    /// A property of a step as it counts when the step runs: what the sequence has under the property's variable comes before
    /// what the step itself says. A hidden property is no variable. Expanded; None when it is empty.
    pub fn property(&self, step: &Step, name: &str) -> Option<String> {
        let is = |property: &str| property.eq_ignore_ascii_case(name);
        let own = step.variables.iter().find(|variable| variable.property.as_deref().is_some_and(is))?;
        let set = if own.hidden { None } else { self.get(&own.name) };
        let value = self.expand(set.unwrap_or(&own.value));
        Some(value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// The values of an array: `Base01`, `Base02` … (or with three digits, as packages have them) up to the first gap.
    pub fn list(&self, base: &str) -> Vec<&str> {
        let values = |digits: usize| {
            let names =
                (1..10usize.pow(u32::try_from(digits).unwrap_or(3))).map(move |n| format!("{base}{n:0digits$}"));
            names.map_while(|name| self.get(&name)).collect::<Vec<_>>()
        };
        let of_three = values(3);
        if of_three.is_empty() { values(2) } else { of_three }
    }
}

enum Part<'e, 't> {
    Text(&'t str),
    Variable(&'e Entry),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> Environment {
        let mut environment = Environment::default();
        for (name, value) in pairs {
            environment.set(name, value, false, Origin::Sequence).expect("within the limits");
        }
        environment
    }

    #[test]
    fn the_stronger_origin_counts_and_case_does_not() {
        let mut environment = with(&[("Make", "sequence")]);
        environment.set("MAKE", "gathered", false, Origin::Gathered).expect("is passed over");
        assert_eq!(environment.get("make"), Some("sequence"));
        environment.set("make", "medium", false, Origin::Medium).expect("is stronger");
        environment.set("make", "again", false, Origin::Sequence).expect("is passed over");
        assert_eq!(environment.get("Make"), Some("medium"));
        environment.set("Make", "step", false, Origin::Step).expect("is stronger");
        environment.set("Make", "", false, Origin::Step).expect("takes it away");
        assert_eq!(environment.get("Make"), None);
        assert_eq!(environment, Environment::default());
    }

    #[test]
    fn what_is_built_in_is_read_only() {
        let mut environment = Environment::default();
        environment.set("_SMSTSInWinPE", "true", false, Origin::BuiltIn).expect("built in");
        let refused = environment.set("_SMSTSInWinPE", "false", false, Origin::Step).expect_err("read-only");
        assert!(matches!(refused, EnvironmentError::Name { .. }), "{refused}");
        environment.set("Chassis", "1", false, Origin::BuiltIn).expect("built in");
        let refused = environment.set("chassis", "2", false, Origin::Step).expect_err("read-only");
        assert_eq!(refused.to_string(), "variable chassis is built in and read-only");
        assert_eq!(environment.get("_smstsinwinpe"), Some("true"));
    }

    #[test]
    fn limits_hold_and_a_full_environment_takes_less() {
        let mut environment = Environment::default();
        let refused = environment.set("A", &"x".repeat(4001), false, Origin::Step).expect_err("too long");
        assert!(refused.to_string().contains("at most 4000 characters, found 4001"), "{refused}");
        let value = "x".repeat(4000);
        let full = (0..).find_map(|n| environment.set(&format!("V{n}"), &value, false, Origin::Step).err());
        assert!(matches!(full, Some(EnvironmentError::Full { .. })), "{full:?}");
        environment.set("V0", "", false, Origin::Step).expect("makes room");
        environment.set("Last", &value, false, Origin::Step).expect("there is room again");
    }

    #[test]
    fn only_variables_are_expanded_and_once() {
        let environment = with(&[("A", "1"), ("B", "%A%"), ("Long-Name_2", "x")]);
        for (text, expanded) in [
            ("%A%", "1"),
            ("%a%%A%", "11"),
            ("%B%", "%A%"),
            ("%ComSpec% /c for %i in (%A%)", "%ComSpec% /c for %i in (1)"),
            ("100% %A% 50%", "100% 1 50%"),
            ("%%A%%", "%1%"),
            ("%unknown%A%", "%unknown1"),
            ("%long-name_2%", "x"),
            ("%", "%"),
            ("", ""),
            ("이%A%", "이1"),
        ] {
            assert_eq!(environment.expand(text), expanded, "{text}");
        }
    }

    #[test]
    fn secrets_are_masked_where_people_see_them() {
        let mut environment = with(&[("Domain", "corp")]);
        environment.set("Word", "hunter2", true, Origin::Medium).expect("within the limits");
        assert_eq!(environment.expand("%Domain%\\%Word%"), "corp\\hunter2");
        assert_eq!(environment.expand_shown("%Domain%\\%Word%"), "corp\\********");
        assert!(environment.has_secret("-p %WORD%") && !environment.has_secret("%Domain% Word"));
        assert!(environment.shown().all(|(_, value)| value != "hunter2"));
    }

    #[test]
    fn what_is_kept_comes_back_and_secrets_are_masked_in_any_text() {
        let mut environment = with(&[("Domain", "corp")]);
        environment.set("_SMSTSInWinPE", "true", false, Origin::BuiltIn).expect("built in");
        environment.set("Word", "hunter2", true, Origin::Medium).expect("within the limits");
        environment.set("Longer", "hunter22", true, Origin::Step).expect("within the limits");
        environment.set("Pin", "12", true, Origin::Step).expect("within the limits");
        let kept = environment.kept();
        assert!(!format!("{kept:?}").contains("hunter"), "{kept:?}");
        let back = Environment::of_kept(&kept).expect("was within the limits");
        assert_eq!(back, environment);
        assert_eq!(back.masked("net use hunter22 12 xhunter2"), "net use ******** 12 x********");
    }

    #[test]
    fn arrays_end_at_their_first_gap() {
        let environment = with(&[("App01", "a"), ("App02", "b"), ("App04", "d"), ("Pkg001", "p"), ("Pkg002", "q")]);
        assert_eq!(environment.list("APP"), ["a", "b"]);
        assert_eq!(environment.list("Pkg"), ["p", "q"]);
        assert_eq!(environment.list("None"), Vec::<&str>::new());
    }
}
