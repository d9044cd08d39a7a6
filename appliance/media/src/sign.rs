//! Checking signatures against trusted keys. Signing is elsewhere: a station holds public keys only.
//!
//! minisign, prehashed Ed25519 only; the legacy form signs unhashed data and is refused.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use minisign_verify::{PublicKey, Signature};

use crate::manifest::{Manifest, ManifestError};
use crate::{Blake3, Sha256, envelope};

/// A comment longer than this is none of minisign's.
const MAX_COMMENT_BYTES: usize = 1024;
/// Algorithm, key number and signature (74 bytes) in base64.
const SIGNATURE_CHARS: usize = 100;
/// A signature (64 bytes) in base64.
const COMMENT_SIGNATURE_CHARS: usize = 88;

/// Why something is not accepted as signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// A public key file that is none.
    #[error("{path}: expected a minisign public key of two lines")]
    BadKey { path: PathBuf, source: minisign_verify::Error },
    /// A key file or folder that can't be read.
    #[error("reading trusted keys from {path}")]
    ReadKey { path: PathBuf, source: std::io::Error },
    /// An empty folder, or none given.
    #[error("no trusted key: expected at least one minisign public key (*.pub) in {path}")]
    NoKeys { path: PathBuf },
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

/// A public key and the number minisign shows for it.
#[derive(Debug, Clone)]
struct TrustedKey {
    key: PublicKey,
    id: String,
}

/// The keys whose signatures count. Several may be trusted at a time, so that keys can be rotated.
#[derive(Debug, Clone)]
pub struct TrustedKeys {
    keys: Vec<TrustedKey>,
}

impl TrustedKeys {
    /// From a public key file, or from every `*.pub` in a folder.
    pub fn load(path: &Path) -> Result<Self, SignError> {
        let read = |source| SignError::ReadKey { path: path.to_owned(), source };
        let mut files = Vec::new();
        if path.is_dir() {
            for entry in std::fs::read_dir(path).map_err(read)? {
                let file = entry.map_err(read)?.path();
                if file.extension().is_some_and(|extension| extension == "pub") {
                    files.push(file);
                }
            }
            files.sort();
        } else {
            files.push(path.to_owned());
        }
        let mut keys = Vec::new();
        for file in files {
            let text =
                std::fs::read_to_string(&file).map_err(|source| SignError::ReadKey { path: file.clone(), source })?;
            keys.push(TrustedKey::parse(&text).map_err(|source| SignError::BadKey { path: file, source })?);
        }
        if keys.is_empty() { Err(SignError::NoKeys { path: path.to_owned() }) } else { Ok(Self { keys }) }
    }

    /// From the text of public key files, for programs that carry their keys with them.
    pub fn from_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, SignError> {
        let path = PathBuf::from("built-in keys");
        let keys = texts.into_iter().map(TrustedKey::parse).collect::<Result<Vec<_>, _>>();
        match keys {
            Ok(keys) if keys.is_empty() => Err(SignError::NoKeys { path }),
            Ok(keys) => Ok(Self { keys }),
            Err(source) => Err(SignError::BadKey { path, source }),
        }
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
    fn parse(text: &str) -> Result<Self, minisign_verify::Error> {
        let key = PublicKey::decode(text)?;
        let id = text.lines().nth(1).and_then(key_number).ok_or(minisign_verify::Error::InvalidEncoding)?;
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
/// the first 14 characters of base64. `minisign-verify` keeps the number to itself.
fn key_number(line: &str) -> Option<String> {
    let sextet = |c: u8| match c {
        b'A'..=b'Z' => Some(c - b'A'),
        b'a'..=b'z' => Some(c - b'a' + 26),
        b'0'..=b'9' => Some(c - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let mut bits: u128 = 0;
    for &c in line.as_bytes().get(..16)? {
        bits = (bits << 6) | u128::from(sextet(c)?);
    }
    // 96 bits: two bytes of algorithm, eight of key number, two more.
    let number = (bits >> 16) as u64;
    Some(format!("{:016X}", number.swap_bytes()))
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
    /// The only way to make one.
    pub fn check(manifest_bytes: &[u8], signature: String, keys: &TrustedKeys) -> Result<Self, SignError> {
        let key_id = keys.check(envelope::MANIFEST, manifest_bytes, &signature)?;
        let manifest = Manifest::from_json(manifest_bytes).map_err(SignError::Manifest)?;
        Ok(Self {
            manifest: Arc::new(manifest),
            size_bytes: manifest_bytes.len() as u64,
            sha256: Sha256::of(manifest_bytes),
            blake3: Blake3::of(manifest_bytes),
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
    fn no_keys_is_an_error_not_a_pass() {
        let empty = tempfile::tempdir().expect("temporary folder");
        assert!(matches!(TrustedKeys::load(empty.path()), Err(SignError::NoKeys { .. })));
        assert!(matches!(TrustedKeys::load(&empty.path().join("none.pub")), Err(SignError::ReadKey { .. })));
        assert!(matches!(TrustedKeys::from_texts([]), Err(SignError::NoKeys { .. })));
    }
}
