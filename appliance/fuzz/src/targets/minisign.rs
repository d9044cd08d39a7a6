// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Signature files and public key files. The `minisign` crate says the same of what is accepted.

use std::io::Cursor;
use std::sync::LazyLock;

use minisign::{PublicKeyBox, SignatureBox};
use platen_media::sign::TrustedKeys;
use platen_testkit::media::Signer;

use crate::Answer;

const MESSAGE: &[u8] = b"{\"schema\":2}\n";

/// A key, a signature of [`MESSAGE`] by it, and one of something else.
struct Signed {
    public: String,
    keys: TrustedKeys,
    signature: String,
    other: String,
}

static SIGNED: LazyLock<Signed> = LazyLock::new(|| {
    let signer = Signer::new();
    let (signature, other) = (signer.sign(MESSAGE), signer.sign(b"something else"));
    Signed { public: signer.public_text(), keys: signer.keys(), signature, other }
});

/// The first byte says which of the two kinds of file it is.
pub(super) fn samples() -> Vec<Vec<u8>> {
    let signature = [b"s", SIGNED.signature.as_bytes()].concat();
    let key = [b"k", SIGNED.public.as_bytes()].concat();
    // As an editor on Windows saves it.
    let windows = [b"k", SIGNED.public.replace('\n', "\r\n").as_bytes()].concat();
    vec![signature, key, windows]
}

pub(super) fn ask(bytes: &[u8]) -> Answer {
    let Some((kind, text)) = bytes.split_first() else { return Answer::Refused };
    let Ok(text) = std::str::from_utf8(text) else { return Answer::Refused };
    let accepted = if *kind == b'k' { key(text) } else { signature(text) };
    if accepted { Answer::Accepted } else { Answer::Refused }
}

fn signature(text: &str) -> bool {
    if SIGNED.keys.check("manifest", MESSAGE, text).is_err() {
        return false;
    }
    assert!(SIGNED.keys.check("other", b"{\"schema\":3}\n", text).is_err(), "of these very bytes");
    let public = PublicKeyBox::from_string(&SIGNED.public).unwrap().into_public_key().unwrap();
    let signature = SignatureBox::from_string(text).expect("accepted, so it is a signature");
    minisign::verify(&public, &signature, Cursor::new(MESSAGE), true, false, false).expect("accepted, so it holds");
    // All that may differ is the comment that is not signed.
    let (ours, theirs): (Vec<&str>, Vec<&str>) =
        (text.lines().skip(1).collect(), SIGNED.signature.lines().skip(1).collect());
    assert_eq!(ours, theirs);
    true
}

fn key(text: &str) -> bool {
    let Ok(keys) = TrustedKeys::from_texts([text]) else { return false };
    let is_the_same = keys.check("manifest", MESSAGE, &SIGNED.signature).is_ok();
    assert_eq!(keys.check("other", b"something else", &SIGNED.other).is_ok(), is_the_same, "a key is right or wrong");
    if is_the_same {
        assert_eq!(keys.ids(), SIGNED.keys.ids());
    }
    true
}
