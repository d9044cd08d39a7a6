// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! When the administrator's PIN is lost: the station shows a challenge, and whoever holds a trusted key signs a request
//! that names the station and the challenge. The station needs no network for it, and no way in that is always open.

use std::fmt;

use platen_media::sign::{SignError, TrustedKeys};
use platen_media::stored::{self, Stored, StoredError};
use serde::{Deserialize, Serialize};

use super::PinError;
use crate::exit::Exit;
use crate::failure::Failure;

/// Longest request, in bytes.
const MAX_REQUEST_BYTES: usize = 4096;
/// Digits and letters that are not taken for one another when read out (Crockford's base 32): five bits each.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// 80 bits: nobody meets one a second time.
const CHALLENGE_CHARS: usize = 16;

/// What a request must contain to be of use: random, and good for one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Challenge(String);

impl Challenge {
    /// A new one.
    pub(super) fn random() -> Result<Self, PinError> {
        let mut bytes = [0; CHALLENGE_CHARS];
        getrandom::fill(&mut bytes).map_err(|error| PinError::Random { found: error.to_string() })?;
        // Of each byte the lowest five bits: every letter is as likely.
        Ok(Self(bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte & 31)])).collect()))
    }

    /// Whether somebody wrote this one: case, blanks and dashes don't count.
    fn is(&self, text: &str) -> bool {
        let letters = text.chars().filter(|c| !matches!(c, ' ' | '-')).map(|c| c.to_ascii_uppercase());
        letters.eq(self.0.chars())
    }
}

/// In fours, as it is read out: `7K3M-9QRT-04XZ-V2AB`.
impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, letter) in self.0.chars().enumerate() {
            if at > 0 && at.is_multiple_of(4) {
                f.write_str("-")?;
            }
            write!(f, "{letter}")?;
        }
        Ok(())
    }
}

/// What is asked. The keys sign media too: nothing else that they ever signed must be taken for this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Asked {
    ResetAdministratorPin,
}

/// The signed file, in JSON. Nothing in it is passed over: it says all that was meant, or nothing is done.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    schema: u32,
    #[serde(rename = "request")]
    _asked: Asked,
    station: String,
    challenge: String,
}

impl Stored for Request {
    const SCHEMA: u32 = 1;

    fn schema(&self) -> u32 {
        self.schema
    }
}

/// Why a request is not followed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum ResetError {
    #[error("expected a request of at most {MAX_REQUEST_BYTES} bytes, found {found}")]
    TooLong { found: usize },
    #[error("the request is not signed as it should be")]
    Signature(#[source] SignError),
    #[error("expected a request to reset the administrator's PIN, found something else")]
    NoRequest(#[source] StoredError),
    #[error("expected a request for station {expected:?}, found one for {found:?}")]
    OtherStation { expected: String, found: String },
    #[error("no challenge is open; have the station show one, and sign a request with it")]
    NoChallenge,
    #[error("expected a request with the challenge {expected}, found {found:?}; sign one with the challenge shown now")]
    OtherChallenge { expected: Challenge, found: String },
    #[error(transparent)]
    Pins(#[from] PinError),
}

impl From<ResetError> for Failure {
    fn from(error: ResetError) -> Self {
        match error {
            ResetError::Pins(error) => error.into(),
            ResetError::TooLong { .. } | ResetError::NoRequest(_) => Self::new(Exit::Request, error),
            _ => Self::new(Exit::Policy, error),
        }
    }
}

/// Checks a request against the open challenge. Returns the number of the key that signed it.
pub(super) fn check(
    request: &[u8],
    signature: &str,
    keys: &TrustedKeys,
    station: &str,
    open: Option<&Challenge>,
) -> Result<String, ResetError> {
    if request.len() > MAX_REQUEST_BYTES {
        return Err(ResetError::TooLong { found: request.len() });
    }
    // Before a byte of it is looked at.
    let key = keys.check("the request", request, signature).map_err(ResetError::Signature)?;
    let request = stored::read::<Request>(request).map_err(ResetError::NoRequest)?;
    if request.station != station {
        return Err(ResetError::OtherStation { expected: station.to_owned(), found: request.station });
    }
    let expected = open.ok_or(ResetError::NoChallenge)?;
    if !expected.is(&request.challenge) {
        return Err(ResetError::OtherChallenge { expected: expected.clone(), found: request.challenge });
    }
    Ok(key)
}

/// The text of a request, for whoever signs it.
pub fn request_text(station: &str, challenge: &Challenge) -> String {
    let station = serde_json::Value::from(station);
    format!(
        "{{\"schema\": 1, \"request\": \"reset-administrator-pin\", \"station\": {station}, \
         \"challenge\": \"{challenge}\"}}\n"
    )
}
