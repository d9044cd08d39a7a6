// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! JSON documents that one version of Platen stores and another may read.
//!
//! Every such document has a number, `schema`, and it counts before everything else. A version that only adds fields
//! leaves the number as it is: older versions pass over what they don't know. What an older version must understand to
//! do the right thing (a limit, a condition, a check) is never a mere addition: it raises the number, and older versions
//! refuse the document by name. A document without the number has schema 1.

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A document with a schema number.
pub trait Stored: DeserializeOwned {
    /// The newest schema this version of Platen understands.
    const SCHEMA: u32;

    /// The number in this document.
    fn schema(&self) -> u32;
}

/// A schema number this version does not understand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "made by a newer version of Platen: expected schema {newest} or an older one, found {found}; update Platen here, \
     then try again"
)]
pub struct NewerSchema {
    /// The newest that is understood.
    pub newest: u32,
    /// What the document says.
    pub found: u64,
}

/// Why a stored document can't be read.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// Made by a newer version of Platen.
    #[error(transparent)]
    Newer(#[from] NewerSchema),
    /// Not the JSON that is expected; the source says where.
    #[error("reading its fields")]
    Syntax(#[source] serde_json::Error),
}

/// The schema number of a document that has none.
pub fn first_schema() -> u32 {
    1
}

/// Reads a document whose schema is understood. Fields that are not known are passed over.
pub fn read<T: Stored>(bytes: &[u8]) -> Result<T, StoredError> {
    let read = serde_json::from_slice::<T>(bytes);
    let found = match &read {
        Ok(document) => u64::from(document.schema()),
        // What a newer version wrote need not have one field that is known here, but the number.
        Err(_) => schema_of(bytes),
    };
    if found > u64::from(T::SCHEMA) {
        return Err(NewerSchema { newest: T::SCHEMA, found }.into());
    }
    read.map_err(StoredError::Syntax)
}

/// The schema number of any document; 1 where none can be made out.
fn schema_of(bytes: &[u8]) -> u64 {
    #[derive(Deserialize)]
    struct Head {
        schema: u64,
    }
    serde_json::from_slice::<Head>(bytes).map_or_else(|_| u64::from(first_schema()), |head| head.schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Note {
        #[serde(default = "first_schema")]
        schema: u32,
        text: String,
    }

    impl Stored for Note {
        const SCHEMA: u32 = 2;

        fn schema(&self) -> u32 {
            self.schema
        }
    }

    #[test]
    fn older_and_longer_documents_are_read_and_newer_ones_named() {
        let note = |schema| Note { schema, text: "x".into() };
        for (json, schema) in [
            (r#"{"text":"x"}"#, 1),
            (r#"{"schema":1,"text":"x"}"#, 1),
            (r#"{"schema":2,"text":"x","added":{"schema":9}}"#, 2),
        ] {
            assert_eq!(read::<Note>(json.as_bytes()).expect(json), note(schema));
        }
        for json in [r#"{"schema":3,"text":"x"}"#, r#"{"text":7,"schema":3}"#, r#"{"schema":4294967299}"#] {
            let said = read::<Note>(json.as_bytes()).expect_err(json).to_string();
            assert!(said.contains("newer version of Platen") && said.contains("schema 2"), "{said}");
        }
        for json in
            [r#"{"schema":2}"#, r#"{"schema":"3","text":"x"}"#, r#"{"text":"x""#, "", r#"{"schema":-1,"text":"x"}"#]
        {
            assert!(matches!(read::<Note>(json.as_bytes()), Err(StoredError::Syntax(_))), "{json}");
        }
    }
}
