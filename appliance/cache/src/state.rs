// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What a station remembers of media, beyond the media themselves: the newest revision of each, whose they are, and
//! which ones are pinned.

use std::collections::BTreeMap;

use platen_media::Timestamp;
use platen_media::manifest::Manifest;
use platen_media::sign::{SignedMedia, TrustedKeys};
use platen_media::stored::{self, Stored, StoredError, first_schema};
use serde::{Deserialize, Serialize};

use crate::CacheError;
use crate::files::{read_bounded, replace_file};
use crate::lock::Lock;
use crate::store::Cache;

/// A medium made later than this after the station's clock has a time that can't be. Clocks that keep local time are
/// up to 14 hours off; a day leaves room.
const AHEAD_LIMIT_S: i64 = 24 * 3600;

/// The schema number this version writes, and the newest it reads.
const SCHEMA: u32 = 1;

/// What a later version of Platen added, kept for it.
type Others = BTreeMap<String, serde_json::Value>;

/// The newest release of a medium that was ever here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct MinimumVersion {
    revision: u32,
    /// None when that time could not be, or nobody knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created: Option<Timestamp>,
    #[serde(flatten)]
    others: Others,
}

impl MinimumVersion {
    /// By which releases are ordered: revision, then time of authoring.
    fn order(&self) -> (u32, Option<Timestamp>) {
        (self.revision, self.created)
    }
}

/// What a cache remembers of all media, those that are no longer here too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    #[serde(default = "first_schema")]
    schema: u32,
    #[serde(default)]
    #[serde(rename = "floors")]
    minimum_versions: BTreeMap<String, MinimumVersion>,
    /// Number of the key that signs a medium's releases, by the medium's id.
    #[serde(default)]
    signers: BTreeMap<String, String>,
    /// The clock can't be right when it is before this.
    pub(crate) newest_signed: Option<Timestamp>,
    #[serde(default)]
    pub(crate) pinned: Vec<String>,
    #[serde(flatten)]
    others: Others,
}

impl Default for State {
    fn default() -> Self {
        Self {
            schema: SCHEMA,
            minimum_versions: BTreeMap::new(),
            signers: BTreeMap::new(),
            newest_signed: None,
            pinned: Vec::new(),
            others: Others::new(),
        }
    }
}

impl Stored for State {
    const SCHEMA: u32 = SCHEMA;

    fn schema(&self) -> u32 {
        self.schema
    }
}

impl State {
    /// Refuse what is older than the newest release seen.
    pub(crate) fn check_minimum(&self, manifest: &Manifest) -> Result<(), CacheError> {
        let Some(minimum) = self.minimum_versions.get(&manifest.id) else { return Ok(()) };
        let is_older = manifest.revision < minimum.revision
            || (manifest.revision == minimum.revision && minimum.created.is_some_and(|made| manifest.created < made));
        if !is_older {
            return Ok(());
        }
        Err(CacheError::OlderThanMinimum {
            id: manifest.id.clone(),
            found: manifest.revision,
            found_made: manifest.created.to_string(),
            minimum: minimum.revision,
            minimum_made: minimum.created.map_or_else(|| "at an unknown time".to_owned(), |made| made.to_string()),
        })
    }

    /// Refuse a release that another key signed than the one its id belongs to. A key that is no longer trusted owns
    /// nothing: that is how keys are rotated.
    pub(crate) fn check_signer(&self, signed: &SignedMedia, keys: &TrustedKeys) -> Result<(), CacheError> {
        match self.signers.get(&signed.manifest().id) {
            Some(owner) if owner != signed.key_id() && keys.ids().contains(&&**owner) => Err(CacheError::OtherSigner {
                id: signed.manifest().id.clone(),
                found: signed.key_id().to_owned(),
                expected: owner.clone(),
            }),
            _ => Ok(()),
        }
    }

    pub(crate) fn has_signer(&self, id: &str) -> bool {
        self.signers.contains_key(id)
    }

    /// Releases of `id` are signed by this key.
    pub(crate) fn set_signer(&mut self, id: &str, key_id: &str) {
        self.signers.insert(id.to_owned(), key_id.to_owned());
    }

    /// Remember a release. Minimum versions only rise here, and never to a time that can't be.
    pub(crate) fn raise(&mut self, manifest: &Manifest, now: Timestamp) {
        let can_be = manifest.created.unix_s() <= now.unix_s() + AHEAD_LIMIT_S;
        let created = can_be.then_some(manifest.created);
        let seen = MinimumVersion { revision: manifest.revision, created, others: Others::new() };
        let minimum = self.minimum_versions.entry(manifest.id.clone()).or_insert_with(|| seen.clone());
        if seen.order() > minimum.order() {
            (minimum.revision, minimum.created) = seen.order();
        }
        self.newest_signed = self.newest_signed.max(created);
    }

    /// The newest revision seen of a medium.
    pub(crate) fn newest_revision(&self, id: &str) -> Option<u32> {
        self.minimum_versions.get(id).map(|minimum| minimum.revision)
    }

    fn minimum(&self, id: &str) -> Option<Minimum> {
        let minimum = self.minimum_versions.get(id)?;
        let signed_by = self.signers.get(id).cloned();
        Some(Minimum { id: id.to_owned(), revision: minimum.revision, created: minimum.created, signed_by })
    }
}

/// The oldest release of a medium that a station accepts, and whose they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Minimum {
    /// The medium's id.
    pub id: String,
    /// The oldest revision that is accepted.
    pub revision: u32,
    /// A release of that revision may not be older than this.
    pub created: Option<Timestamp>,
    /// Number of the key that signs them.
    pub signed_by: Option<String>,
}

/// A change of a minimum that was asked for and not made yet. Nobody else changes the store meanwhile.
pub struct MinimumChange<'a> {
    cache: &'a Cache,
    state: State,
    /// What held until now; `None`: nothing was known of this id.
    pub before: Minimum,
    /// What holds from now on.
    pub after: Minimum,
    /// Media that are newer than the new minimum and leave the store's list, so that going back is possible.
    pub withdrawn: Vec<String>,
    _lock: Lock,
}

impl Cache {
    /// The minimum of every medium that was ever here, in the order of their ids.
    pub fn minimums(&self) -> Result<Vec<Minimum>, CacheError> {
        let state = self.state()?;
        Ok(state.minimum_versions.keys().filter_map(|id| state.minimum(id)).collect())
    }

    /// Prepare to set the minimum of `id` to `revision`, or to let another key sign it; [`MinimumChange::apply`] does
    /// it.
    pub fn change_minimum(
        &self,
        id: &str,
        revision: Option<u32>,
        key_id: Option<&str>,
    ) -> Result<MinimumChange<'_>, CacheError> {
        let lock = self.lock()?;
        let mut state = self.state()?;
        let before = state.minimum(id).ok_or_else(|| {
            let known: Vec<&str> = state.minimum_versions.keys().map(|id| &**id).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            CacheError::UnknownMedia { wanted: id.to_owned(), path: self.layout().dir().to_owned(), known }
        })?;
        let mut withdrawn = Vec::new();
        if let Some(revision) = revision {
            if let Some(minimum) = state.minimum_versions.get_mut(id) {
                (minimum.revision, minimum.created) = (revision, None);
            }
            let newer = |name: &str| name.parse().is_ok_and(|name: crate::MediaRef| name.revision > Some(revision));
            let entries = self.layout().entries()?.into_iter();
            withdrawn.extend(entries.filter(|it| it.media_id == id && newer(&it.name)).map(|it| it.name));
            state.pinned.retain(|name| !withdrawn.contains(name));
        }
        if let Some(key_id) = key_id {
            state.set_signer(id, key_id);
        }
        let after = state.minimum(id).expect("it was there before");
        Ok(MinimumChange { cache: self, state, before, after, withdrawn, _lock: lock })
    }

    pub(crate) fn state(&self) -> Result<State, CacheError> {
        let path = self.layout().dir().join("state.json");
        match read_bounded(&path, 16 << 20) {
            Ok(bytes) => stored::read(&bytes).map_err(|error| match error {
                StoredError::Newer(source) => CacheError::Newer { path, source },
                StoredError::Syntax(source) => CacheError::Json { path, source },
            }),
            Err(CacheError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(State::default()),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn write_state(&self, state: &State) -> Result<(), CacheError> {
        let mut bytes = serde_json::to_vec_pretty(state).expect("the state has only strings, numbers and lists");
        bytes.push(b'\n');
        replace_file(&self.layout().dir().join("state.json"), &bytes)
    }
}

impl MinimumChange<'_> {
    /// Make it so.
    pub fn apply(self) -> Result<(), CacheError> {
        if !self.withdrawn.is_empty() {
            self.cache.layout().unpublish(&self.withdrawn)?;
        }
        self.cache.write_state(&self.state)
    }
}
