// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The two digests Platen uses: SHA-256 names content and is what anyone can check with common tools; BLAKE3 is
//! what the station computes while streaming and reading back (ten times cheaper without SHA instructions).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Text that is not a digest of 32 bytes in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 lower-case hexadecimal digits, found {found:?}")]
pub struct ParseDigestError {
    found: String,
}

/// A manifest can hold a hundred thousand digests, so this does not go through the formatter for each byte.
fn to_hex(bytes: &[u8; 32]) -> [u8; 64] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 64];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    text
}

fn write_hex(bytes: &[u8; 32], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(std::str::from_utf8(&to_hex(bytes)).expect("digits are ASCII"))
}

fn from_hex(text: &str) -> Result<[u8; 32], ParseDigestError> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    let fail = || ParseDigestError { found: text.chars().take(80).collect() };
    if text.len() != 64 {
        return Err(fail());
    }
    let mut out = [0; 32];
    for (byte, pair) in out.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = (digit(pair[0]).ok_or_else(fail)? << 4) | digit(pair[1]).ok_or_else(fail)?;
    }
    Ok(out)
}

macro_rules! digest {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub [u8; 32]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseDigestError;
            fn from_str(text: &str) -> Result<Self, ParseDigestError> {
                from_hex(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl serde::de::Visitor<'_> for Visitor {
                    type Value = [u8; 32];
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("64 lower-case hexadecimal digits")
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<[u8; 32], E> {
                        from_hex(text).map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Visitor).map(Self)
            }
        }
    };
}

digest!(
    /// A SHA-256 digest; in OCI layouts written `sha256:<hex>`.
    Sha256
);
digest!(
    /// A BLAKE3 digest (256 bits).
    Blake3
);

impl Sha256 {
    /// Digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Sha256Hasher::new();
        hasher.update(bytes);
        hasher.finish()
    }

    /// The digest as lower-case hexadecimal ASCII.
    pub(crate) fn hex(&self) -> [u8; 64] {
        to_hex(&self.0)
    }
}

/// Bytes together with their SHA-256. What holds one need not digest the bytes again, which for a large manifest takes
/// longer than reading it.
#[derive(Debug, Clone, Copy)]
pub struct Digested<B> {
    bytes: B,
    sha256: Sha256,
}

impl<B: AsRef<[u8]>> Digested<B> {
    /// Digest `bytes`.
    pub fn new(bytes: B) -> Self {
        let sha256 = Sha256::of(bytes.as_ref());
        Self { bytes, sha256 }
    }

    /// The same, borrowed.
    pub fn as_ref(&self) -> Digested<&[u8]> {
        Digested { bytes: self.bytes.as_ref(), sha256: self.sha256 }
    }

    /// The bytes that were digested.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }

    /// Their SHA-256.
    pub fn sha256(&self) -> Sha256 {
        self.sha256
    }

    /// The bytes alone.
    pub fn into_bytes(self) -> B {
        self.bytes
    }
}

impl Blake3 {
    /// Digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

/// SHA-256 over a stream of pieces.
#[derive(Clone)]
pub struct Sha256Hasher(ring::digest::Context);

impl Sha256Hasher {
    /// An empty stream.
    pub fn new() -> Self {
        Self(ring::digest::Context::new(&ring::digest::SHA256))
    }

    /// Append `bytes` to the stream.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of everything appended.
    pub fn finish(self) -> Sha256 {
        let digest = self.0.finish();
        let mut out = [0; 32];
        out.copy_from_slice(digest.as_ref());
        Sha256(out)
    }
}

impl Default for Sha256Hasher {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_vectors_and_round_trip() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Sha256::of(b"").to_string(), empty);
        assert_eq!(empty.parse::<Sha256>().expect("valid"), Sha256::of(b""));
        let b3 = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
        assert_eq!(Blake3::of(b"").to_string(), b3);
        // Too short; and of the right length in the other spelling, of which there is one only.
        for bad in ["E3B0", &empty.to_uppercase()] {
            let refused = bad.parse::<Sha256>().expect_err(bad);
            assert!(refused.to_string().contains(bad), "{refused}");
        }
        let all_digits = Sha256(std::array::from_fn(|n| (n as u8).wrapping_mul(0x11)));
        assert_eq!(all_digits.to_string().parse::<Sha256>().expect("what is written is read"), all_digits);
    }
}
