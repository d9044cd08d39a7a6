// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Whether a condition holds on a computer, and why.

use super::computer::Computer;
use super::environment::Environment;
use super::windows::OldWindows;
use super::wql::{Query, Value};
use crate::condition::{Condition, Expression, fits};

/// An answer with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The condition is true.
    pub holds: bool,
    /// What made it so, for people; secrets are masked.
    pub why: String,
}

/// What conditions ask about.
#[derive(Debug, Clone, Copy)]
pub struct World<'w> {
    /// Variables as they are now.
    pub environment: &'w Environment,
    /// The computer it runs on.
    pub computer: &'w Computer,
    /// The Windows that was on it before.
    pub windows: OldWindows<'w>,
}

impl Condition {
    /// The answer. A question that nobody can answer there is false, and the reason says so.
    pub fn evaluate(&self, world: World<'_>) -> Decision {
        let first = |parts: &[Self], wanted: bool| {
            parts.iter().map(|part| part.evaluate(world)).find(|decision| decision.holds == wanted)
        };
        let each = |parts: &[Self]| parts.iter().map(|part| part.evaluate(world).why).collect::<Vec<_>>().join("; ");
        match self {
            Self::All(parts) => match first(parts, false) {
                Some(decision) => decision,
                None => Decision { holds: true, why: each(parts) },
            },
            Self::Any(parts) => match first(parts, true) {
                Some(decision) => decision,
                None => Decision { holds: false, why: format!("none is true: {}", each(parts)) },
            },
            Self::None(parts) => match first(parts, true) {
                Some(Decision { why, .. }) => Decision { holds: false, why: format!("must not be true: {why}") },
                None => Decision { holds: true, why: each(parts) },
            },
            Self::If(expression) => expression.evaluate(world),
        }
    }
}

impl Expression {
    fn evaluate(&self, world: World<'_>) -> Decision {
        let line = self.to_line();
        let unknown = |why: &str| Decision { holds: false, why: format!("{line}: {why}, taken as false") };
        match self {
            Self::Variable { variable, operator, value } => {
                let found = world.environment.get(variable).unwrap_or_default();
                let wanted = world.environment.expand(value);
                let shown = match world.environment.expand_shown(&format!("%{variable}%")) {
                    _ if found.is_empty() => "it is not set".to_owned(),
                    shown => format!("it is {shown:?}"),
                };
                Decision { holds: operator.holds(found, &wanted), why: format!("{line}: {shown}") }
            }
            Self::Wmi { namespace, query } => {
                let query = world.environment.expand(query);
                let query = match Query::parse(&query) {
                    Ok(query) => query,
                    Err(error) => return unknown(&error.to_string()),
                };
                let Some(instances) = world.computer.instances(namespace, &query.class) else {
                    return unknown(&format!("there is no class {} in the boot system", query.class));
                };
                let of = |instance: &Vec<(&'static str, Value)>, name: &str| {
                    instance.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
                };
                let results = instances.iter().filter(|instance| query.takes(&|name| of(instance, name))).count();
                let plural = if results == 1 { "" } else { "s" };
                Decision { holds: results > 0, why: format!("{line}: {results} result{plural}") }
            }
            Self::MakeModel { make, model } => {
                let computer = world.computer;
                // An empty pattern asks nothing.
                let is = |pattern: &str, text: &str| pattern.is_empty() || fits(text, pattern);
                let holds = is(make, &computer.make) && is(model, &computer.model);
                Decision { holds, why: format!("{line}: it is {:?} {:?}", computer.make, computer.model) }
            }
            Self::File { .. }
            | Self::Folder { .. }
            | Self::Registry { .. }
            | Self::Software { .. }
            | Self::OperatingSystem { .. } => {
                match world.windows.answer(self, &|text| world.environment.expand(text)) {
                    Ok((holds, found)) => Decision { holds, why: format!("{line}: {found}") },
                    Err(why) => unknown(&why),
                }
            }
            Self::Other { .. } => unknown("nobody here knows this question"),
        }
    }
}
