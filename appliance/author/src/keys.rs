// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Keys that sign media. They live on the authoring machine and nowhere else; stations hold public keys only.
//!
//! Key files are minisign's, with or without a password. Signatures are minisign's too, but made without random
//! numbers (RFC 8032), so that the same medium gives the same bytes twice.

use std::fs::Permissions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use blake2::{Blake2b512, Digest};
use minisign::{KeyPair, SecretKey, SecretKeyBox};
use platen_media::manifest::is_id;
use platen_media::sign::TrustedKeys;
use platen_media::text;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

/// Algorithms and lengths in a secret key file: signature, derivation, checksum, salt, two limits.
const HEADER_BYTES: usize = 2 + 2 + 2 + 32 + 8 + 8;
const NUMBER_BYTES: usize = 8;
const SEED_BYTES: usize = 32;
const PUBLIC_BYTES: usize = 32;
const CHECKSUM_BYTES: usize = 32;
const KEY_BYTES: usize = HEADER_BYTES + NUMBER_BYTES + SEED_BYTES + PUBLIC_BYTES + CHECKSUM_BYTES;
/// minisign refuses longer ones.
const MAX_TRUSTED_COMMENT_BYTES: usize = 8192;
const MAX_KEY_FILE_BYTES: usize = 64 << 10;

/// Why a key can't be made or used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum KeyError {
    /// A key file that can't be used.
    #[error("key {}: expected {expected}, found {found}", path.display())]
    Key { path: PathBuf, expected: &'static str, found: String },
    /// What was signed does not verify.
    #[error("key {}: the signature it made does not verify; the key file is damaged", path.display())]
    Signature { path: PathBuf },
    /// A key file can't be written.
    #[error("making {}", path.display())]
    Make { path: PathBuf, source: std::io::Error },
}

/// A key pair that was just written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// The file that signs; it stays with its owner.
    pub secret: PathBuf,
    /// The file that stations and boot images get.
    pub public: PathBuf,
    /// The number minisign shows.
    pub id: String,
}

/// A public key file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// The number minisign shows.
    pub id: String,
    /// The key itself, as `minisign -P` takes it.
    pub base64: String,
}

/// Writes `NAME.key` (readable by its owner only) and `NAME.pub` into `dir`. Never overwrites.
pub fn generate(dir: &Path, name: &str, password: Option<&str>) -> Result<NewKey, KeyError> {
    let bad = |path: &Path, expected, found: &str| KeyError::Key { path: path.into(), expected, found: found.into() };
    if !is_id(name) {
        return Err(bad(Path::new(name), "a name of 1 to 32 of A-Z a-z 0-9 - _ .", "another"));
    }
    if password == Some("") {
        return Err(bad(Path::new(name), "a password, or none at all", "an empty one"));
    }
    let (secret, public) = (dir.join(format!("{name}.key")), dir.join(format!("{name}.pub")));
    for path in [&secret, &public] {
        if path.symlink_metadata().is_ok() {
            return Err(bad(path, "no such file yet (keys are never overwritten)", "one"));
        }
    }
    let pair = match password {
        Some(password) => KeyPair::generate_encrypted_keypair(Some(text::composed(password))),
        None => KeyPair::generate_unencrypted_keypair(),
    };
    let failed = |error: minisign::PError| bad(&secret, "a new key pair", &error.to_string());
    let pair = pair.map_err(failed)?;
    let id = number(pair.pk.keynum());
    let secret_text = pair.sk.to_box(Some(&format!("platen secret key {id}"))).map_err(failed)?.into_string();
    let public_text = format!("untrusted comment: minisign public key {id}\n{}\n", pair.pk.to_base64());
    std::fs::create_dir_all(dir).map_err(|source| KeyError::Make { path: dir.to_owned(), source })?;
    write_new(&secret, 0o600, &secret_text)?;
    // Two files come together or not at all; the secret one is ours to take back.
    if let Err(error) = write_new(&public, 0o644, &public_text) {
        let _ = std::fs::remove_file(&secret);
        return Err(error);
    }
    Ok(NewKey { secret, public, id })
}

/// The whole file appears under its name or nothing does, and never in place of another.
fn write_new(path: &Path, mode: u32, text: &str) -> Result<(), KeyError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().set_permissions(Permissions::from_mode(mode))?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => KeyError::Key {
            path: path.to_owned(),
            expected: "no such file yet (keys are never overwritten)",
            found: "one".into(),
        },
        _ => KeyError::Make { path: path.to_owned(), source: error },
    })
}

/// What a public key file says.
pub fn show(path: &Path) -> Result<PublicKey, KeyError> {
    let text = read(path)?;
    let bad = || KeyError::Key {
        path: path.to_owned(),
        expected: "a minisign public key of two lines",
        found: "something else".into(),
    };
    let trusted = TrustedKeys::from_texts([&*text]).map_err(|_| bad())?;
    let id = trusted.ids().first().map(|id| (*id).to_owned()).ok_or_else(bad)?;
    Ok(PublicKey { id, base64: text.lines().nth(1).unwrap_or_default().trim().to_owned() })
}

fn read(path: &Path) -> Result<String, KeyError> {
    let found = |found: String| KeyError::Key { path: path.to_owned(), expected: "a minisign key file", found };
    let bytes = match std::fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(found("no such file".into())),
        Err(error) => return Err(found(format!("a file that can't be read ({error})"))),
        Ok(bytes) => bytes,
    };
    if bytes.len() > MAX_KEY_FILE_BYTES {
        return Err(found(format!("{} bytes", bytes.len())));
    }
    text::decode(&bytes).map(|text| text::unix_lines(&text)).map_err(|error| found(error.to_string()))
}

/// Opens a secret key. Other tools take a password as it was typed, so each way to write its accents is tried.
fn open_box(text: &str, password: &str) -> Option<SecretKey> {
    let mut forms = vec![password.to_owned(), text::composed(password), text::decomposed(password)];
    forms.dedup();
    forms.into_iter().find_map(|form| SecretKeyBox::from(text.to_owned()).into_secret_key(Some(form)).ok())
}

/// minisign prints numbers big-endian.
fn number(bytes: &[u8]) -> String {
    bytes.iter().rev().map(|byte| format!("{byte:02X}")).collect()
}

/// A secret key that is open and can sign.
pub struct Signer {
    path: PathBuf,
    number: [u8; NUMBER_BYTES],
    pair: Ed25519KeyPair,
    public: minisign_verify::PublicKey,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({})", self.id())
    }
}

impl Signer {
    /// Opens a key file: one of [`generate`]'s or of the minisign tool, with its password when it has one.
    pub fn load(path: &Path, password: Option<&str>) -> Result<Self, KeyError> {
        let bad = |expected, found: &str| KeyError::Key { path: path.to_owned(), expected, found: found.into() };
        let text = read(path)?;
        let line = text.lines().nth(1).unwrap_or_default().trim();
        let mut bytes = STANDARD.decode(line).unwrap_or_default();
        if bytes.len() != KEY_BYTES || !bytes.starts_with(b"Ed") {
            return Err(bad("a minisign secret key of two lines", "something else"));
        }
        match (&bytes[2..4], password) {
            ([0, 0], _) => {}
            (b"Sc", None) => return Err(bad("its password", "none")),
            (b"Sc", Some(password)) => {
                bytes = open_box(&text, password).ok_or_else(|| bad("its password", "another one"))?.to_bytes();
            }
            _ => return Err(bad("a key without password or one with scrypt", "another")),
        }
        let (number_bytes, rest) = bytes[HEADER_BYTES..].split_at(NUMBER_BYTES);
        let (seed, rest) = rest.split_at(SEED_BYTES);
        let public = &rest[..PUBLIC_BYTES];
        // Refuses a public half that is not the seed's: such a pair would give the seed away.
        let pair = Ed25519KeyPair::from_seed_and_public_key(seed, public)
            .map_err(|_| bad("a secret key with its own public key", "halves that do not fit; the file is damaged"))?;
        let mut number = [0; NUMBER_BYTES];
        number.copy_from_slice(number_bytes);
        let public_line = STANDARD.encode([b"Ed", &number[..], pair.public_key().as_ref()].concat());
        let public = minisign_verify::PublicKey::from_base64(&public_line)
            .map_err(|_| bad("a minisign secret key", "something else"))?;
        Ok(Self { path: path.to_owned(), number, pair, public })
    }

    /// The number minisign shows for this key.
    pub fn id(&self) -> String {
        number(&self.number)
    }

    /// The text of a minisign signature over `bytes`; `trusted_comment` is signed too. Checked before it is returned.
    pub fn sign(&self, bytes: &[u8], trusted_comment: &str) -> Result<String, KeyError> {
        if trusted_comment.len() > MAX_TRUSTED_COMMENT_BYTES || trusted_comment.contains(char::is_control) {
            return Err(KeyError::Key {
                path: self.path.clone(),
                expected: "a trusted comment of one line",
                found: format!("{} bytes", trusted_comment.len()),
            });
        }
        let signature = self.pair.sign(&Blake2b512::digest(bytes));
        let over_comment = self.pair.sign(&[signature.as_ref(), trusted_comment.as_bytes()].concat());
        let text = format!(
            "untrusted comment: signature of platen key {}\n{}\ntrusted comment: {trusted_comment}\n{}\n",
            self.id(),
            STANDARD.encode([b"ED", &self.number[..], signature.as_ref()].concat()),
            STANDARD.encode(over_comment.as_ref()),
        );
        let verified = minisign_verify::Signature::decode(&text)
            .and_then(|signature| self.public.verify(bytes, &signature, false));
        verified.map_err(|_| KeyError::Signature { path: self.path.clone() })?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn minisign(arguments: &[&str], dir: &Path) -> bool {
        let output = Command::new("minisign").args(arguments).current_dir(dir).output().expect("minisign is installed");
        output.status.success()
    }

    #[test]
    fn the_minisign_tool_accepts_our_signatures_and_they_repeat() {
        let dir = tempfile::tempdir().expect("a folder");
        for (name, password) in [("open", None), ("closed", Some("correct horse"))] {
            let new = generate(dir.path(), name, password).expect("a key");
            assert_eq!(new.secret.metadata().expect("there").permissions().mode() & 0o777, 0o600);
            let signer = Signer::load(&new.secret, password).expect("opens");
            assert_eq!((signer.id(), show(&new.public).expect("public").id), (new.id.clone(), new.id));
            for (at, bytes) in [b"".as_slice(), b"hello", &[7; 70_000]].into_iter().enumerate() {
                let signature = signer.sign(bytes, "medium PLT 한국 r1").expect("signs");
                assert_eq!(signature, signer.sign(bytes, "medium PLT 한국 r1").expect("signs"));
                let file = format!("{name}{at}");
                std::fs::write(dir.path().join(&file), bytes).expect("writes");
                std::fs::write(dir.path().join(format!("{file}.minisig")), &signature).expect("writes");
                let public = format!("{name}.pub");
                assert!(minisign(&["-V", "-p", &public, "-m", &file], dir.path()));
                assert!(minisign(&["-V", "-H", "-p", &public, "-m", &file], dir.path()), "prehashed");
                std::fs::write(dir.path().join(&file), b"changed").expect("writes");
                assert!(!minisign(&["-V", "-p", &public, "-m", &file], dir.path()), "the control must fail");
            }
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_made() {
        let dir = tempfile::tempdir().expect("a folder");
        let new = generate(&dir.path().join("new/keys"), "office", None).expect("a key");
        assert!(new.secret.ends_with("new/keys/office.key") && new.public.is_file());
        std::fs::write(dir.path().join("file"), b"x").expect("writes");
        let refused = generate(&dir.path().join("file"), "office", None).expect_err("a file is no folder");
        assert!(matches!(refused, KeyError::Make { .. }), "{refused}");
    }

    #[test]
    fn keys_of_the_minisign_tool_are_accepted() {
        let dir = tempfile::tempdir().expect("a folder");
        assert!(minisign(&["-G", "-W", "-p", "tool.pub", "-s", "tool.key"], dir.path()));
        let signer = Signer::load(&dir.path().join("tool.key"), None).expect("opens");
        assert_eq!(signer.id(), show(&dir.path().join("tool.pub")).expect("public").id);
        std::fs::write(dir.path().join("f"), b"bytes").expect("writes");
        std::fs::write(dir.path().join("f.minisig"), signer.sign(b"bytes", "c").expect("signs")).expect("writes");
        assert!(minisign(&["-V", "-p", "tool.pub", "-m", "f"], dir.path()));
    }

    #[test]
    fn wrong_keys_are_refused_by_name_and_nothing_is_overwritten() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = |name: &str| dir.path().join(name);
        let new = generate(dir.path(), "a", Some("right")).expect("a key");
        let before = std::fs::read(&new.secret).expect("there");
        assert!(generate(dir.path(), "a", None).expect_err("exists").to_string().contains("never overwritten"));
        std::fs::remove_file(&new.public).expect("removes");
        assert!(generate(dir.path(), "a", None).expect_err("half of it").to_string().contains("never overwritten"));
        assert_eq!(std::fs::read(&new.secret).expect("there"), before);
        for (name, password) in [("../b", None), ("b", Some(""))] {
            let refused = generate(dir.path(), name, password).expect_err(name);
            assert!(matches!(refused, KeyError::Key { .. }), "{refused}");
        }

        let said = |path: &Path, password| {
            let error = Signer::load(path, password).expect_err("refused");
            assert!(matches!(error, KeyError::Key { .. }), "{error}");
            let text = error.to_string();
            assert!(text.contains(path.to_str().expect("UTF-8")), "{text}");
            text
        };
        assert!(said(&new.secret, None).contains("expected its password, found none"));
        assert!(said(&new.secret, Some("wrong")).contains("expected its password, found another one"));
        assert!(said(&path("none.key"), None).contains("no such file"));
        let open = generate(dir.path(), "open", None).expect("a key");
        assert!(said(&open.public, None).contains("expected a minisign secret key of two lines"));
        assert!(show(&open.secret).expect_err("secret").to_string().contains("expected a minisign public key"));
        let text = std::fs::read_to_string(&open.secret).expect("there");
        let line = text.lines().nth(1).expect("two lines");
        let mut bytes = STANDARD.decode(line).expect("base64");
        bytes[HEADER_BYTES + NUMBER_BYTES] ^= 1;
        std::fs::write(path("flipped.key"), format!("untrusted comment: x\n{}\n", STANDARD.encode(bytes)))
            .expect("writes");
        assert!(said(&path("flipped.key"), None).contains("halves that do not fit"));
    }

    #[test]
    fn of_many_who_make_a_key_of_one_name_one_does_and_its_halves_fit() {
        for _ in 0..20 {
            let dir = tempfile::tempdir().expect("a folder");
            let made: Vec<NewKey> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..6).map(|_| scope.spawn(|| generate(dir.path(), "a", None).ok())).collect();
                threads.into_iter().filter_map(|thread| thread.join().expect("no panic")).collect()
            });
            let [key] = &made[..] else { panic!("{} were told that the key is theirs", made.len()) };
            let signer = Signer::load(&key.secret, None).expect("opens");
            assert_eq!((signer.id(), show(&key.public).expect("public").id), (key.id.clone(), key.id.clone()));
            assert_eq!(std::fs::read_dir(dir.path()).expect("lists").count(), 2, "nothing is left over");
        }
    }

    #[test]
    fn keys_and_passwords_may_come_from_any_system() {
        let dir = tempfile::tempdir().expect("a folder");
        let (composed, decomposed) =
            ("pässwort 한국", "pa\u{308}sswort \u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}");
        let new = generate(dir.path(), "mac", Some(decomposed)).expect("a key");
        for password in [composed, decomposed] {
            assert_eq!(Signer::load(&new.secret, Some(password)).expect("opens").id(), new.id);
        }
        let control = Signer::load(&new.secret, Some("passwort 한국")).expect_err("another password");
        assert!(control.to_string().contains("password"), "{control}");
        // minisign itself takes what it is given.
        let pair = KeyPair::generate_encrypted_keypair(Some(decomposed.to_owned())).expect("a key");
        let text = pair.sk.to_box(None).expect("a key").into_string();
        let windows = |text: &str| format!("\u{feff}{}", text.replace('\n', "\r\n"));
        std::fs::write(dir.path().join("tool.key"), windows(&text)).expect("writes");
        assert!(Signer::load(&dir.path().join("tool.key"), Some(composed)).is_ok());

        let public = std::fs::read_to_string(&new.public).expect("there");
        let utf16: Vec<u8> = windows(&public).encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (name, bytes) in [("windows.pub", windows(&public).into_bytes()), ("notepad.pub", utf16)] {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).expect("writes");
            assert_eq!(show(&path).expect("a key"), show(&new.public).expect("a key"), "{name}");
        }
    }

    #[test]
    fn nothing_of_a_key_is_ever_printed() {
        let dir = tempfile::tempdir().expect("a folder");
        let new = generate(dir.path(), "a", None).expect("a key");
        let signer = Signer::load(&new.secret, None).expect("opens");
        assert_eq!(format!("{signer:?}"), format!("Signer({})", new.id));
        let refused = signer.sign(b"x", "two\nlines").expect_err("two lines").to_string();
        assert!(refused.contains("a trusted comment of one line"), "{refused}");
    }
}
