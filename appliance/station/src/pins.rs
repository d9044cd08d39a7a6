// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! PINs of the roles: what a keypad beside a station's display asks for.
//!
//! A PIN keeps colleagues from doing what is not theirs to do. It keeps out nobody who can read the station's disk: four
//! digits are found from their hash in minutes, however slow the hash. What makes guessing hopeless is the [`Throttle`],
//! for each role its own, so that nobody who mistypes his keeps the administrator out.
//!
//! There is no default PIN. Until an administrator's is set ([`Pins::is_first_start`]), whoever is at the station sets it.

mod reset;
#[cfg(test)]
mod tests;
mod throttle;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use platen_media::sign::TrustedKeys;
use platen_media::stored::{self, NewerSchema, Stored, StoredError, first_schema};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub use self::reset::{Challenge, ResetError, request_text};
pub use self::throttle::{Throttle, Wait};
use crate::config::Role;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::replace::replace;

/// The file in the state folder.
const FILE: &str = "pins.json";
/// Longest file that is read, in bytes. Three hashes have 500.
const MAX_FILE_BYTES: u64 = 64 << 10;
/// Memory, passes, lanes: the least that OWASP gives for argon2id, sized for a small computer that writes drives meanwhile.
const COST: (u32, u32, u32) = (19 * 1024, 2, 1);
/// How many digits a PIN has.
const DIGITS: std::ops::RangeInclusive<usize> = 4..=12;
/// The ten commonest PINs that are not one digit repeated and no digits in a row.
const COMMONEST: [&str; 10] = ["1212", "1004", "2000", "6969", "1122", "1313", "2001", "1010", "2580", "123123"];

/// Four to twelve digits. Overwritten when dropped, and never shown.
#[derive(Clone)]
pub struct Pin(Zeroizing<String>);

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(..)")
    }
}

impl Pin {
    /// What somebody typed; it is overwritten whether it is a PIN or not. It need not be one that may be set: a wrong try
    /// is one however easy.
    pub fn new(typed: String) -> Result<Self, PinError> {
        let typed = Zeroizing::new(typed);
        let is_pin = DIGITS.contains(&typed.len()) && typed.bytes().all(|b| b.is_ascii_digit());
        if is_pin { Ok(Self(typed)) } else { Err(PinError::Form) }
    }

    /// By what somebody would guess it, if that is easy.
    fn guessable(&self) -> Option<&'static str> {
        let digits = self.0.as_bytes();
        // Modulo ten, so that 7890 and 3210 are as easy as 1234.
        let all_differ_by = |by: u8| digits.windows(2).all(|pair| (pair[0] + by - pair[1]).is_multiple_of(10));
        match () {
            () if all_differ_by(10) => Some("one digit repeated"),
            () if all_differ_by(11) || all_differ_by(19) => Some("digits in a row"),
            () if COMMONEST.contains(&self.0.as_str()) => Some("one of the commonest"),
            () => None,
        }
    }

    fn hash(&self) -> Result<String, PinError> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|error| PinError::Random { found: error.to_string() })?;
        let failed = |error: &dyn fmt::Display| PinError::Hashing { found: error.to_string() };
        let salt = SaltString::encode_b64(&salt).map_err(|error| failed(&error))?;
        let (memory_kib, passes, lanes) = COST;
        let params = Params::new(memory_kib, passes, lanes, None).map_err(|error| failed(&error))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let hash = argon2.hash_password(self.0.as_bytes(), &salt).map_err(|error| failed(&error))?;
        Ok(hash.to_string())
    }

    /// Whether the hash is of this PIN.
    fn matches(&self, hash: &str) -> Result<bool, PinError> {
        let failed = |error: argon2::password_hash::Error| PinError::Hashing { found: error.to_string() };
        let parsed = PasswordHash::new(hash).map_err(failed)?;
        // Its cost is the one it was made with, which may be another release's.
        match Argon2::default().verify_password(self.0.as_bytes(), &parsed) {
            Ok(()) => Ok(true),
            Err(argon2::password_hash::Error::Password) => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }
}

/// Why a PIN is not taken, or can't be asked for. No message shows one.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum PinError {
    #[error("expected a PIN of {} to {} digits, found something else", DIGITS.start(), DIGITS.end())]
    Form,
    #[error("expected a PIN that is not guessed at once, found {why}; choose another")]
    Guessable { why: &'static str },
    #[error("expected a PIN of its own for the {role}, found that of the {other}; choose another")]
    Taken { role: Role, other: Role },
    #[error("the administrator's PIN can be changed, not taken away")]
    Needed,
    #[error("no random numbers: {found}")]
    Random { found: String },
    #[error("hashing a PIN: {found}")]
    Hashing { found: String },
    #[error("{doing} {path}")]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("{path}")]
    Newer { path: PathBuf, source: NewerSchema },
    /// It is not taken for a station without PINs.
    #[error("{path} can't be read; restore it, or remove it to set all PINs anew")]
    Damaged { path: PathBuf, source: StoredError },
}

impl From<PinError> for Failure {
    fn from(error: PinError) -> Self {
        let exit = match &error {
            PinError::Form | PinError::Guessable { .. } | PinError::Taken { .. } | PinError::Needed => Exit::Request,
            _ => Exit::Machine,
        };
        Self::new(exit, error)
    }
}

/// What came of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Answer {
    /// It is the role's PIN.
    Right,
    /// It is not, and the next try must wait for so long, if it must.
    Wrong(Option<Wait>),
    /// It was not looked at: too many were wrong.
    Refused(Wait),
    /// The role has no PIN.
    NoPin,
}

/// What a later version of Platen added, kept for it.
type Others = BTreeMap<String, serde_json::Value>;

/// One role's part of the file.
#[derive(Clone, Serialize, Deserialize)]
struct Entry {
    /// argon2id, as a PHC string.
    hash: String,
    #[serde(default)]
    failed: u32,
    /// What was left of the wait, in seconds of running.
    #[serde(default)]
    wait_s: u64,
    #[serde(flatten)]
    others: Others,
}

/// The file.
#[derive(Clone, Serialize, Deserialize)]
struct Document {
    #[serde(default = "first_schema")]
    schema: u32,
    /// By the word of the role.
    #[serde(default)]
    roles: BTreeMap<String, Entry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    challenge: Option<Challenge>,
    #[serde(flatten)]
    others: Others,
}

impl Stored for Document {
    const SCHEMA: u32 = 1;

    fn schema(&self) -> u32 {
        self.schema
    }
}

/// The PINs of a station. `now` is always the time since the same moment, by a clock that only moves forward; what is
/// left of waits is stored, and goes on after a restart.
pub struct Pins {
    path: PathBuf,
    document: Document,
    throttles: BTreeMap<Role, Throttle>,
}

impl fmt::Debug for Pins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let roles: Vec<&String> = self.document.roles.keys().collect();
        f.debug_struct("Pins").field("path", &self.path).field("roles", &roles).finish_non_exhaustive()
    }
}

impl Pins {
    /// Reads the PINs in the state folder. No file is a station on its first start; one that can't be read is not.
    pub fn open(folder: &Path, now: Duration) -> Result<Self, PinError> {
        let path = folder.join(FILE);
        let io = |source| PinError::Io { doing: "reading", path: path.clone(), source };
        let document = match std::fs::File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Document { schema: Document::SCHEMA, roles: BTreeMap::new(), challenge: None, others: Others::new() }
            }
            file => {
                let bytes = file.and_then(|file| platen_media::read_at_most(file, MAX_FILE_BYTES)).map_err(io)?;
                // A longer file is not ours; no bytes are no JSON.
                let bytes = bytes.unwrap_or_default();
                stored::read(&bytes).map_err(|error| match error {
                    StoredError::Newer(source) => PinError::Newer { path: path.clone(), source },
                    source => PinError::Damaged { path: path.clone(), source },
                })?
            }
        };
        let throttle = |role: &Role| {
            let entry = document.roles.get(role.word())?;
            Some((*role, Throttle::resumed(entry.failed, Duration::from_secs(entry.wait_s), now)))
        };
        let throttles = Role::ALL.iter().filter_map(throttle).collect();
        Ok(Self { path, document, throttles })
    }

    /// Nobody has set an administrator's PIN, or it was reset: whoever is here sets it before anything else.
    pub fn is_first_start(&self) -> bool {
        !self.is_set(Role::Administrator)
    }

    /// Whether a role has a PIN.
    pub fn is_set(&self, role: Role) -> bool {
        self.document.roles.contains_key(role.word())
    }

    /// Whether a role's PIN could be tried now.
    pub fn may_try(&self, role: Role, now: Duration) -> Result<(), Wait> {
        self.throttles.get(&role).map_or(Ok(()), |throttle| throttle.may_try(now))
    }

    /// Tries a PIN. It is counted as wrong, on the disk, before it is looked at: without that, cutting the power in time
    /// or a disk that is full would make tries free. So an error here lets nobody in.
    pub fn check(&mut self, role: Role, pin: &Pin, now: Duration) -> Result<Answer, PinError> {
        let Some(hash) = self.document.roles.get(role.word()).map(|entry| entry.hash.clone()) else {
            return Ok(Answer::NoPin);
        };
        if let Err(wait) = self.may_try(role, now) {
            return Ok(Answer::Refused(wait));
        }
        self.throttles.entry(role).or_default().failed(now);
        self.save(now)?;
        if !pin.matches(&hash)? {
            return Ok(Answer::Wrong(self.may_try(role, now).err()));
        }
        self.throttles.entry(role).or_default().succeeded();
        if role == Role::Administrator {
            // Who has the PIN needs no request; one that is still on its way must not be of use later.
            self.document.challenge = None;
        }
        // Whoever has the PIN comes in, whether that can be written or not; what stays on the disk is one wrong try.
        let _ = self.save(now);
        Ok(Answer::Right)
    }

    /// Sets or changes a role's PIN. Who may, whoever calls decides.
    pub fn set(&mut self, role: Role, pin: &Pin, now: Duration) -> Result<(), PinError> {
        if let Some(why) = pin.guessable() {
            return Err(PinError::Guessable { why });
        }
        for &other in Role::ALL.iter().filter(|&&other| other != role) {
            if let Some(entry) = self.document.roles.get(other.word())
                && pin.matches(&entry.hash)?
            {
                return Err(PinError::Taken { role, other });
            }
        }
        let hash = pin.hash()?;
        self.change(now, |document, throttles| {
            let others = document.roles.remove(role.word()).map_or_else(Others::new, |entry| entry.others);
            document.roles.insert(role.word().to_owned(), Entry { hash, failed: 0, wait_s: 0, others });
            throttles.insert(role, Throttle::default());
            if role == Role::Administrator {
                document.challenge = None;
            }
        })
    }

    /// Takes a role's PIN away, but for the administrator's: without one, anybody could become it.
    pub fn clear(&mut self, role: Role, now: Duration) -> Result<(), PinError> {
        if role == Role::Administrator {
            return Err(PinError::Needed);
        }
        self.change(now, |document, throttles| {
            document.roles.remove(role.word());
            throttles.remove(&role);
        })
    }

    /// What a request to reset the administrator's PIN must contain: the same until it is used, or an administrator
    /// comes in.
    pub fn challenge(&mut self, now: Duration) -> Result<Challenge, PinError> {
        if let Some(challenge) = &self.document.challenge {
            return Ok(challenge.clone());
        }
        let challenge = Challenge::random()?;
        self.change(now, |document, _| document.challenge = Some(challenge.clone()))?;
        Ok(challenge)
    }

    /// Follows a signed request: takes away the administrator's PIN and nothing else, so that it is set as on the first
    /// start. The request is of no use a second time. Returns the number of the key that signed it.
    pub fn reset_with(
        &mut self,
        request: &[u8],
        signature: &str,
        keys: &TrustedKeys,
        station: &str,
        now: Duration,
    ) -> Result<String, ResetError> {
        let key = reset::check(request, signature, keys, station, self.document.challenge.as_ref())?;
        self.change(now, |document, throttles| {
            document.roles.remove(Role::Administrator.word());
            throttles.remove(&Role::Administrator);
            document.challenge = None;
        })?;
        Ok(key)
    }

    /// Stores what is left of waits, if there are any. Called every minute or so, a restart costs no more than that.
    pub fn keep(&mut self, now: Duration) -> Result<(), PinError> {
        let stored = self.document.roles.values().any(|entry| entry.wait_s > 0);
        if stored { self.save(now) } else { Ok(()) }
    }

    /// Changes everything, or nothing if it can't be written.
    fn change(
        &mut self,
        now: Duration,
        change: impl FnOnce(&mut Document, &mut BTreeMap<Role, Throttle>),
    ) -> Result<(), PinError> {
        let before = (self.document.clone(), self.throttles.clone());
        change(&mut self.document, &mut self.throttles);
        self.save(now).inspect_err(|_| (self.document, self.throttles) = before)
    }

    fn save(&mut self, now: Duration) -> Result<(), PinError> {
        for (role, throttle) in &self.throttles {
            if let Some(entry) = self.document.roles.get_mut(role.word()) {
                // Up, so that many restarts take nothing off.
                entry.wait_s = throttle.left(now).as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX);
                entry.failed = throttle.failures();
            }
        }
        let io = |source| PinError::Io { doing: "writing", path: self.path.clone(), source };
        let bytes = serde_json::to_vec_pretty(&self.document).map_err(|error| io(error.into()))?;
        replace(&self.path, &bytes, 0o600).map_err(io)
    }
}
