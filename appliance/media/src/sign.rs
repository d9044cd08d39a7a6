// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Checking signatures against trusted keys. Signing is elsewhere: a station holds public keys only.
//!
//! minisign, prehashed Ed25519 only; the legacy form signs unhashed data and is refused.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minisign_verify::{PublicKey, Signature};

use crate::manifest::{Manifest, ManifestError};
use crate::{Blake3, Digested, Sha256, chain, envelope, read_at_most, text};

/// minisign makes no longer comments.
const MAX_COMMENT_BYTES: usize = 1024;
/// Algorithm, key number and signature (74 bytes) in base64.
const SIGNATURE_CHARS: usize = 100;
/// A signature (64 bytes) in base64.
const COMMENT_SIGNATURE_CHARS: usize = 88;

/// Why something is not accepted as signed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum SignError {
    /// A public key file that does not hold a key.
    #[error("{path}: expected a minisign public key of two lines, found {found}")]
    BadKey { path: PathBuf, found: String },
    /// A key file or folder that can't be read.
    #[error("reading trusted keys from {path}")]
    ReadKey { path: PathBuf, source: std::io::Error },
    /// An empty folder, or one in which nothing is a key.
    #[error("no trusted key: expected at least one minisign public key (*.pub) in {path}, found {found}")]
    NoKeys { path: PathBuf, found: String },
    /// Not a minisign signature.
    #[error("{what}: expected a minisign signature of four lines and nothing else")]
    Malformed { what: String },
    /// The signature is there, but by somebody else.
    #[error("{what}: signed by key {found}; trusted here: {trusted}")]
    UnknownKey { what: String, found: String, trusted: String },
    /// `minisign -l`.
    #[error("{what}: legacy signature by key {key}; expected a prehashed one")]
    Legacy { what: String, key: String },
    /// The bytes were changed, or the signature was.
    #[error("{what}: the signature does not match; the file or its signature was changed after signing with key {key}")]
    Mismatch { what: String, key: String },
    /// Signed, but not a manifest.
    #[error("signed manifest")]
    Manifest(#[source] ManifestError),
}

impl SignError {
    /// It is signed as it should be, but by a newer version of Platen than this one.
    pub fn is_newer(&self) -> bool {
        matches!(self, Self::Manifest(ManifestError::Newer(_)))
    }
}

/// A public key and the number minisign shows for it.
#[derive(Debug, Clone)]
struct TrustedKey {
    key: PublicKey,
    id: String,
}

/// Public key files have two short lines; a longer file is not one.
const MAX_KEY_BYTES: u64 = 64 << 10;

/// The keys whose signatures count. Several may be trusted at a time, so that keys can be rotated.
#[derive(Debug, Clone)]
pub struct TrustedKeys {
    keys: Vec<TrustedKey>,
    unusable: Vec<String>,
}

impl TrustedKeys {
    /// From a public key file, or from every `*.pub` in a folder.
    ///
    /// Names that begin with a dot are left out: systems put such files beside people's own. A file that is no key
    /// takes nothing from the others and is named by [`TrustedKeys::unusable`]; no usable key at all is an error.
    pub fn load(path: &Path) -> Result<Self, SignError> {
        if !path.is_dir() {
            return Ok(Self { keys: vec![TrustedKey::load(path)?], unusable: Vec::new() });
        }
        let read = |source| SignError::ReadKey { path: path.to_owned(), source };
        let mut files = Vec::new();
        for entry in std::fs::read_dir(path).map_err(read)? {
            let file = entry.map_err(read)?.path();
            let hidden = file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            if !hidden && file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("pub")) {
                files.push(file);
            }
        }
        files.sort();
        let (mut keys, mut unusable) = (Vec::new(), Vec::new());
        for file in files {
            match TrustedKey::load(&file) {
                Ok(key) => keys.push(key),
                Err(error) => unusable.push(chain(&error)),
            }
        }
        if keys.is_empty() {
            let found = if unusable.is_empty() { "none".to_owned() } else { unusable.join("; ") };
            return Err(SignError::NoKeys { path: path.to_owned(), found });
        }
        Ok(Self { keys, unusable })
    }

    /// From the text of public key files, for programs that carry their keys with them.
    pub fn from_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, SignError> {
        let path = PathBuf::from("built-in keys");
        let parse = |text| {
            TrustedKey::parse(text).map_err(|found| SignError::BadKey { path: path.clone(), found: found.to_owned() })
        };
        let keys: Vec<TrustedKey> = texts.into_iter().map(parse).collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err(SignError::NoKeys { path, found: "none".to_owned() });
        }
        Ok(Self { keys, unusable: Vec::new() })
    }

    /// What is wrong with files in the folder that look like keys and are not: a warning for each.
    pub fn unusable(&self) -> &[String] {
        &self.unusable
    }

    /// The numbers of all trusted keys, as minisign prints them.
    pub fn ids(&self) -> Vec<&str> {
        self.keys.iter().map(|key| &*key.id).collect()
    }

    /// Check `signature` over `bytes`; `what` names the file in errors. Returns the signer's key number.
    pub fn check(&self, what: &str, bytes: &[u8], signature: &str) -> Result<String, SignError> {
        let malformed = || SignError::Malformed { what: what.to_owned() };
        if !has_its_four_lines(signature) {
            return Err(malformed());
        }
        let parsed = Signature::decode(signature).map_err(|_| malformed())?;
        let found = signer(signature).ok_or_else(malformed)?;
        let Some(trusted) = self.keys.iter().find(|key| key.id == found) else {
            return Err(SignError::UnknownKey { what: what.to_owned(), found, trusted: self.ids().join(", ") });
        };
        trusted.key.verify(bytes, &parsed, false).map_err(|error| match error {
            minisign_verify::Error::UnexpectedAlgorithm | minisign_verify::Error::UnsupportedLegacyMode => {
                SignError::Legacy { what: what.to_owned(), key: found.clone() }
            }
            _ => SignError::Mismatch { what: what.to_owned(), key: found.clone() },
        })?;
        Ok(found)
    }
}

impl TrustedKey {
    fn load(path: &Path) -> Result<Self, SignError> {
        let read = |source| SignError::ReadKey { path: path.to_owned(), source };
        let bad = |found: String| SignError::BadKey { path: path.to_owned(), found };
        // Before it is opened: opening a pipe would wait for ever.
        if !std::fs::metadata(path).map_err(read)?.is_file() {
            return Err(bad("something that is no file".to_owned()));
        }
        let bytes = File::open(path).and_then(|file| read_at_most(file, MAX_KEY_BYTES)).map_err(read)?;
        let bytes = bytes.ok_or_else(|| bad(format!("more than {MAX_KEY_BYTES} bytes")))?;
        let text = text::decode(&bytes).map_err(|error| bad(error.to_string()))?;
        Self::parse(&text).map_err(|found| bad(found.to_owned()))
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text::unix_lines(text);
        let key = PublicKey::decode(&text).map_err(|_| "something else")?;
        let id = text.lines().nth(1).and_then(key_number).ok_or("something else")?;
        Ok(Self { key, id })
    }
}

/// Comment, signature, trusted comment, signature of that, and nothing else: what a file has besides would be carried
/// and never be looked at.
fn has_its_four_lines(signature: &str) -> bool {
    let text = signature.strip_suffix('\n').unwrap_or(signature);
    let lines: Vec<&str> = text.split('\n').collect();
    let [untrusted, first, trusted, second] = &lines[..] else { return false };
    // The minisign tool parts its own comments by tabs.
    let is_text = |line: &str| !line.contains(|c: char| c.is_control() && c != '\t');
    let is_comment =
        |line: &str, start: &str| line.starts_with(start) && line.len() <= MAX_COMMENT_BYTES && is_text(line);
    is_comment(untrusted, "untrusted comment: ")
        && first.len() == SIGNATURE_CHARS
        && is_comment(trusted, "trusted comment: ")
        && second.len() == COMMENT_SIGNATURE_CHARS
}

/// The key number in a signature's text, as minisign prints it (16 hexadecimal digits).
pub fn signer(signature: &str) -> Option<String> {
    key_number(signature.lines().nth(1)?)
}

/// Key and signature lines both begin with two bytes of algorithm and eight of key number (little-endian), which are
/// in the first 16 characters of base64. `minisign-verify` keeps the number to itself.
fn key_number(line: &str) -> Option<String> {
    let start = STANDARD.decode(line.as_bytes().get(..16)?).ok()?;
    let number: [u8; 8] = start.get(2..10)?.try_into().ok()?;
    Some(format!("{:016X}", u64::from_le_bytes(number)))
}

/// A manifest whose signature was checked against trusted keys, and the digests of the very bytes that were checked.
///
/// The bytes themselves are not kept (a manifest of 60,000 files has 18 MB): whoever puts them on a drive reads them
/// again and holds them against [`SignedMedia::manifest_blake3`].
#[derive(Debug, Clone)]
pub struct SignedMedia {
    manifest: Arc<Manifest>,
    size_bytes: u64,
    sha256: Sha256,
    blake3: Blake3,
    signature: String,
    key_id: String,
}

impl SignedMedia {
    /// Check `manifest_bytes` against its signature; this and [`SignedMedia::check_digested`] are the only ways to make one.
    pub fn check(manifest_bytes: &[u8], signature: String, keys: &TrustedKeys) -> Result<Self, SignError> {
        Self::check_digested(Digested::new(manifest_bytes), signature, keys)
    }

    /// The same for bytes that were already digested.
    pub fn check_digested(bytes: Digested<&[u8]>, signature: String, keys: &TrustedKeys) -> Result<Self, SignError> {
        let key_id = keys.check(envelope::MANIFEST, bytes.bytes(), &signature)?;
        let manifest = Manifest::from_json(bytes.bytes()).map_err(SignError::Manifest)?;
        Ok(Self {
            manifest: Arc::new(manifest),
            size_bytes: bytes.bytes().len() as u64,
            sha256: bytes.sha256(),
            blake3: Blake3::of(bytes.bytes()),
            signature,
            key_id,
        })
    }

    /// What was signed.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Size of the signed bytes.
    pub fn manifest_size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// SHA-256 of the signed bytes: what ledgers and reports name a release by.
    pub fn manifest_digest(&self) -> Sha256 {
        self.sha256
    }

    /// BLAKE3 of the signed bytes.
    pub fn manifest_blake3(&self) -> Blake3 {
        self.blake3
    }

    /// The signature's text.
    pub fn signature(&self) -> &str {
        &self.signature
    }

    /// Number of the key that signed it.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use minisign::KeyPair;

    fn pair() -> (KeyPair, TrustedKeys) {
        let pair = KeyPair::generate_unencrypted_keypair().expect("random numbers");
        let text = pair.pk.to_box().expect("key").to_string();
        let keys = TrustedKeys::from_texts([&*text]).expect("valid");
        (pair, keys)
    }

    fn sign(pair: &KeyPair, bytes: &[u8]) -> String {
        minisign::sign(None, &pair.sk, bytes, Some("test"), None).expect("signs").to_string()
    }

    #[test]
    fn accepts_only_the_signed_bytes_by_a_trusted_key() {
        let (ours, keys) = pair();
        let (theirs, _) = pair();
        let signature = sign(&ours, b"bytes");
        let key = keys.check("f", b"bytes", &signature).expect("valid");
        let shown = format!("{:016X}", u64::from_le_bytes(ours.pk.keynum().try_into().expect("eight bytes")));
        assert_eq!(key, shown, "the number is the one minisign prints");
        assert!(matches!(keys.check("f", b"bytez", &signature), Err(SignError::Mismatch { .. })));
        assert!(matches!(keys.check("f", b"bytes", &sign(&theirs, b"bytes")), Err(SignError::UnknownKey { .. })));
        assert!(matches!(keys.check("f", b"bytes", ""), Err(SignError::Malformed { .. })));
        let comment_changed = signature.replace("trusted comment: test", "trusted comment: tset");
        assert!(matches!(keys.check("f", b"bytes", &comment_changed), Err(SignError::Mismatch { .. })));
    }

    #[test]
    fn a_signature_file_with_more_or_less_in_it_is_refused() {
        let (ours, keys) = pair();
        let good = sign(&ours, b"bytes");
        keys.check("f", b"bytes", &good).expect("the control");
        keys.check("f", b"bytes", good.trim_end()).expect("without its last line end");
        let lines: Vec<&str> = good.lines().collect();
        let changes = [
            format!("{good}\n"),
            format!("{good}more\n"),
            format!("{good}{good}"),
            format!("\n{good}"),
            good.replace('\n', "\r\n"),
            good.replacen("untrusted comment: ", "untrusted comment: \u{1b}[2J", 1),
            good.replacen("untrusted comment: ", "", 1),
            good.replacen("untrusted comment: ", &format!("untrusted comment: {}", "x".repeat(5000)), 1),
            good.replacen(lines[1], &format!("{} ", lines[1]), 1),
            good.replacen(lines[1], &format!("{}AAAA", lines[1]), 1),
            good.replacen(lines[3], &format!("{}AAAA", lines[3]), 1),
            lines[..3].join("\n"),
        ];
        for changed in changes {
            let refused = keys.check("f", b"bytes", &changed);
            assert!(matches!(refused, Err(SignError::Malformed { .. })), "{changed:?}: {refused:?}");
        }
    }

    #[test]
    fn strays_in_the_trust_folder_stop_nobody() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let put = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).expect("written");
        let texts: Vec<String> = (0..3).map(|_| pair().0.pk.to_box().expect("key").to_string()).collect();
        put("office.pub", format!("\u{feff}{}", texts[0].replace('\n', "\r\n")).as_bytes());
        put(
            "PLANT.PUB",
            &format!("\u{feff}{}", texts[1]).encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(),
        );
        put("plain.pub", texts[2].as_bytes());
        put("._office.pub", b"\0\x05\x16\x07");
        put(".DS_Store", b"\0\0\0\x01Bud1");
        put("notes.txt", b"not a key");
        let good = TrustedKeys::load(dir.path()).expect("three good keys");
        assert_eq!((good.ids().len(), good.unusable()), (3, &[][..]));

        put("broken.pub", b"untrusted comment: x\nnot base64\n");
        put("ansi.pub", b"untrusted comment: B\xfcro\n");
        std::fs::create_dir(dir.path().join("folder.pub")).expect("made");
        let keys = TrustedKeys::load(dir.path()).expect("the good keys work");
        assert_eq!(keys.ids().len(), 3);
        let said = keys.unusable().join("\n");
        for culprit in ["broken.pub: expected a minisign public key", "ansi.pub", "0xfc at byte 20", "folder.pub"] {
            assert!(said.contains(culprit), "{culprit:?} is not named: {said}");
        }
        assert_eq!(keys.unusable().len(), 3);

        for name in ["office.pub", "PLANT.PUB", "plain.pub"] {
            std::fs::remove_file(dir.path().join(name)).expect("removed");
        }
        let none = TrustedKeys::load(dir.path()).expect_err("no key at all").to_string();
        assert!(none.contains("broken.pub") && none.contains("folder.pub"), "{none}");
    }

    #[test]
    fn no_keys_is_an_error_not_a_pass() {
        let empty = tempfile::tempdir().expect("temporary folder");
        assert!(matches!(TrustedKeys::load(empty.path()), Err(SignError::NoKeys { .. })));
        assert!(matches!(TrustedKeys::load(&empty.path().join("none.pub")), Err(SignError::ReadKey { .. })));
        assert!(matches!(TrustedKeys::from_texts([]), Err(SignError::NoKeys { .. })));
    }
}
