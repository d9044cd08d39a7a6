// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Configuration Manager's limits for task sequences. Lengths are in characters where nothing else is said.

/// Longest name of a step or group.
pub const MAX_NAME: usize = 50;
/// Longest description of a step or group.
pub const MAX_DESCRIPTION: usize = 256;
/// Longest value of a variable.
pub const MAX_VALUE: usize = 4000;
/// Longest property of a step: scripts and rules are properties, and longer than a variable may be.
pub const MAX_PROPERTY: usize = 1 << 20;
/// Longest name of a variable.
pub const MAX_VARIABLE_NAME: usize = 256;
/// All names and values together, in bytes.
pub const MAX_ENVIRONMENT_BYTES: u64 = 32 << 20;
/// Longest command line (Windows' own limit).
pub const MAX_ACTION: usize = 32_767;
/// Most retries of one step.
pub const MAX_RETRY_COUNT: u32 = 99;
/// Longest time-out of one step, in seconds: one week.
pub const MAX_TIMEOUT_S: u32 = 7 * 24 * 3600;
/// Deepest nesting of groups, or of conditions.
pub const MAX_DEPTH: usize = 32;
/// Most groups and steps of a sequence: a hundred times what real ones have.
pub const MAX_NODES: usize = 20_000;
/// Most variables of a step or of the sequence: ten times what real ones have.
pub const MAX_VARIABLES: usize = 1000;
/// Largest XML that is read, in bytes.
pub const MAX_XML_BYTES: usize = 16 << 20;

/// What a limit expects and what was found instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// What would be within the limit.
    pub expected: String,
    /// What was given instead; never a secret.
    pub found: String,
}

fn at_most(limit: usize, text: &str) -> Result<(), Limit> {
    match text.chars().count() {
        found if found > limit => {
            Err(Limit { expected: format!("at most {limit} characters"), found: format!("{found}") })
        }
        _ => Ok(()),
    }
}

/// Name of a step or group: 1 to 50 characters on one line.
pub fn name(text: &str) -> Result<(), Limit> {
    if text.trim().is_empty() {
        return Err(Limit { expected: format!("1 to {MAX_NAME} characters"), found: "none".into() });
    }
    if text.chars().any(char::is_control) {
        return Err(Limit { expected: "one line of text".into(), found: format!("{text:?}") });
    }
    at_most(MAX_NAME, text)
}

/// Description of a step or group: at most 256 characters.
pub fn description(text: &str) -> Result<(), Limit> {
    at_most(MAX_DESCRIPTION, text)
}

/// Value of a variable: at most 4,000 characters. The value itself is never part of the answer.
pub fn value(text: &str) -> Result<(), Limit> {
    at_most(MAX_VALUE, text)
}

/// Property of a step: at most 1,048,576 characters. The value itself is never part of the answer.
pub fn property(text: &str) -> Result<(), Limit> {
    at_most(MAX_PROPERTY, text)
}

/// A step's command line: at most 32,767 characters. The text itself is never part of the answer.
pub fn action(text: &str) -> Result<(), Limit> {
    at_most(MAX_ACTION, text)
}

/// Name of a variable that may be set: `[A-Za-z][A-Za-z0-9_-]{0,255}`.
pub fn variable_name(text: &str) -> Result<(), Limit> {
    if text.starts_with('_') {
        let expected = "a name without a leading '_' (those are built in and read-only)".into();
        return Err(Limit { expected, found: shown(text) });
    }
    any_variable_name(text)
}

/// Name of a variable that is only read, or that a step sets as one of its own properties: built-in ones too.
pub fn any_variable_name(text: &str) -> Result<(), Limit> {
    let rest = text.strip_prefix('_').unwrap_or(text);
    let good = rest.starts_with(|c: char| c.is_ascii_alphabetic())
        && rest.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        && text.len() <= MAX_VARIABLE_NAME;
    if good {
        return Ok(());
    }
    let expected = "a variable name: a letter, then up to 255 of A-Z a-z 0-9 _ -".into();
    Err(Limit { expected, found: shown(text) })
}

fn shown(text: &str) -> String {
    let head: String = text.chars().take(60).collect();
    if head.len() < text.len() {
        format!("{head:?}... ({} characters)", text.chars().count())
    } else {
        format!("{head:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_at_the_limit_passes_and_one_more_fails() {
        for (check, limit) in [
            (name as fn(&str) -> Result<(), Limit>, MAX_NAME),
            (description, MAX_DESCRIPTION),
            (value, MAX_VALUE),
            (property, MAX_PROPERTY),
            (action, MAX_ACTION),
            (variable_name, MAX_VARIABLE_NAME),
        ] {
            assert_eq!(check(&"x".repeat(limit)), Ok(()), "{limit}");
            let refused = check(&"x".repeat(limit + 1)).expect_err("one more");
            let counts =
                refused.expected == format!("at most {limit} characters") && refused.found == format!("{}", limit + 1);
            // A name that is too long is said to be no name.
            let names = refused.expected.contains("up to 255 of") && refused.found.contains("(257 characters)");
            assert!(counts || names, "{refused:?}");
        }
        assert_eq!(name(&"이".repeat(50)), Ok(()), "characters, not bytes");
    }

    #[test]
    fn variable_names() {
        for good in ["A", "OSDComputerName", "AA001", "a-b_c"] {
            assert_eq!(variable_name(good), Ok(()), "{good}");
        }
        for bad in ["", "1A", "-a", "_SMSTSInWinPE", "a b", "ä", "a%", "__x"] {
            let refused = variable_name(bad).expect_err(bad);
            let expected = if bad.starts_with('_') { "without a leading '_'" } else { "a letter, then up to 255 of" };
            assert!(refused.expected.contains(expected) && refused.found == format!("{bad:?}"), "{refused:?}");
        }
        assert_eq!(any_variable_name("_SMSTSInWinPE"), Ok(()));
        assert!(any_variable_name("__x").expect_err("two").expected.starts_with("a variable name: a letter"));
    }
}
