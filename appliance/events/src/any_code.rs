// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Operator codes in a stream, which a newer version may have written.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::code::Code;

/// A code as it stands in a stream. One that this version does not know is kept as it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AnyCode {
    /// One of this version's table.
    Known(Code),
    /// Of a newer version; its text is in that version's table.
    Newer(String),
}

impl AnyCode {
    /// The row of this version's table, if it has one.
    pub fn known(&self) -> Option<Code> {
        match self {
            Self::Known(code) => Some(*code),
            Self::Newer(_) => None,
        }
    }
}

impl From<Code> for AnyCode {
    fn from(code: Code) -> Self {
        Self::Known(code)
    }
}

impl PartialEq<Code> for AnyCode {
    fn eq(&self, other: &Code) -> bool {
        self.known() == Some(*other)
    }
}

impl fmt::Display for AnyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(code) => code.fmt(f),
            Self::Newer(id) => f.write_str(id),
        }
    }
}

#[cfg(test)]
impl schemars::JsonSchema for AnyCode {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Code".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let ids: Vec<&str> = Code::ALL.iter().map(|code| code.entry().id).collect();
        schemars::json_schema!({
            "type": "string",
            "description": "An operator's code; CODES.md has their texts.",
            "enum": ids,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_of_a_newer_version_is_kept() {
        let read = |json: &str| serde_json::from_str::<AnyCode>(json).unwrap();
        assert_eq!(read("\"P-W-005\""), AnyCode::Known(Code::Stalled));
        let newer = read("\"P-Z-099\"");
        assert_eq!((newer.known(), newer.to_string()), (None, "P-Z-099".to_owned()));
        assert_eq!(serde_json::to_string(&newer).unwrap(), "\"P-Z-099\"");
    }
}
