// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The station's own key: it says that something comes from this station, and nothing else. It is made beside the
//! ledger at first start, never leaves the station, and never counts as an author's key.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use minisign::{KeyPair, PublicKey, SecretKey, SecretKeyBox};

use crate::LedgerError;

const SECRET: &str = "station.key";
const PUBLIC: &str = "station.pub";

/// A key pair in minisign's format, the secret half without a password: a station starts with nobody there.
pub(crate) struct StationKey {
    secret: SecretKey,
    path: PathBuf,
}

/// Nothing of the secret.
impl fmt::Debug for StationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StationKey").field("path", &self.path).finish_non_exhaustive()
    }
}

impl StationKey {
    /// Read the key in `folder`; make it where there is none.
    pub(crate) fn open(folder: &Path) -> Result<Self, LedgerError> {
        let path = folder.join(SECRET);
        if let Err(error) = fs::symlink_metadata(&path)
            && error.kind() == io::ErrorKind::NotFound
        {
            make(&path)?;
        }
        let unreadable = |found: String| LedgerError::Key { path: path.clone(), found };
        let text = fs::read_to_string(&path).map_err(|error| unreadable(error.to_string()))?;
        let none = |_| unreadable("expected a minisign secret key without password, found something else".to_owned());
        let boxed = SecretKeyBox::from_string(&text).map_err(none)?;
        let secret = boxed.into_unencrypted_secret_key().map_err(none)?;
        let key = Self { secret, path };
        key.publish(&folder.join(PUBLIC))?;
        Ok(key)
    }

    /// The public half as text, for those who check what the station signed.
    pub(crate) fn public_text(&self) -> Result<String, LedgerError> {
        let public = PublicKey::from_secret_key(&self.secret).map_err(|error| self.failed(&error))?;
        let number: String = public.keynum().iter().rev().map(|byte| format!("{byte:02X}")).collect();
        Ok(format!("untrusted comment: platen station key {number}, not an author's key\n{}\n", public.to_base64()))
    }

    /// A minisign signature over `bytes`; `comment` is signed too and must be one line.
    pub(crate) fn sign(&self, bytes: &[u8], comment: &str) -> Result<String, LedgerError> {
        let untrusted = Some("signature of a platen station");
        let signed = minisign::sign(None, &self.secret, bytes, Some(comment), untrusted);
        signed.map(minisign::SignatureBox::into_string).map_err(|error| self.failed(&error))
    }

    /// Put the public half beside the ledger, unless it is there.
    fn publish(&self, path: &Path) -> Result<(), LedgerError> {
        if path.exists() { Ok(()) } else { write_new(path, 0o644, &self.public_text()?) }
    }

    fn failed(&self, error: &minisign::PError) -> LedgerError {
        LedgerError::Key { path: self.path.clone(), found: error.to_string() }
    }
}

fn make(path: &Path) -> Result<(), LedgerError> {
    let failed = |error: minisign::PError| LedgerError::Key { path: path.to_owned(), found: error.to_string() };
    let pair = KeyPair::generate_unencrypted_keypair().map_err(failed)?;
    write_new(path, 0o600, &pair.sk.to_box(Some("platen station key")).map_err(failed)?.into_string())
}

/// Whole or not at all; a file that another process made meanwhile is as good.
fn write_new(path: &Path, mode: u32, text: &str) -> Result<(), LedgerError> {
    let write = || -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
        file.write_all(text.as_bytes())?;
        file.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
        file.as_file().sync_all()?;
        match file.persist_noclobber(path) {
            Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(error.error),
            _ => Ok(()),
        }
    };
    write().map_err(|error| LedgerError::Key { path: path.to_owned(), found: format!("can't be made: {error}") })
}
