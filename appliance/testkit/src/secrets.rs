// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Looking for a planted secret in everything that was made: as it is, in the encodings in which programs store and show
//! text, and inside compressed content, however often it is packed.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::process::Command;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// How deep packed content in packed content is opened.
const DEEPEST: u32 = 4;
/// Most that is unpacked of one stream, in bytes.
const MOST_BYTES: u64 = 1 << 30;

/// What compressed content begins with.
const PACKED: [(&str, &[u8]); 4] = [
    ("gzip", &[0x1f, 0x8b, 8]),
    ("zstd", &[0x28, 0xb5, 0x2f, 0xfd]),
    ("xz", &[0xfd, b'7', b'z', b'X', b'Z', 0]),
    ("WIM", b"MSWIM\0\0\0"),
];

/// A search for one secret.
pub struct Search {
    forms: Vec<String>,
    patterns: AhoCorasick,
    /// Beginnings of packed content that was looked into, so that copies are not looked into again.
    seen: HashSet<Vec<u8>>,
}

impl Search {
    /// For a secret of at least eight bytes: shorter ones are found by chance.
    pub fn new(secret: &str) -> Self {
        assert!(secret.len() >= 8, "too short to be looked for");
        let forms = forms(secret);
        let needles = forms.iter().map(|(_, needle)| &**needle).chain(PACKED.map(|(_, magic)| magic));
        let patterns = AhoCorasick::builder().match_kind(MatchKind::Standard).build(needles).unwrap();
        Self { forms: forms.iter().map(|(name, _)| name.clone()).collect(), patterns, seen: HashSet::new() }
    }

    /// Where below a folder the secret is: the file, and how it is encoded and packed there.
    pub fn below(&mut self, folder: &Path) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(next) = folders.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                let metadata = path.symlink_metadata().unwrap();
                if metadata.is_dir() {
                    folders.push(path);
                } else if metadata.is_file() {
                    let inside = self.inside(&fs::read(&path).unwrap());
                    found.extend(inside.into_iter().map(|how| format!("{}: {how}", path.display())));
                }
            }
        }
        found
    }

    /// How the secret stands in these bytes, for example `UTF-16 LE in gzip`; each way once.
    pub fn inside(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        self.look(bytes, "", DEEPEST, &mut found);
        found
    }

    fn look(&mut self, bytes: &[u8], place: &str, deepest: u32, found: &mut Vec<String>) {
        // One pass; what is packed is looked into afterwards, since a needle may begin within a magic number.
        let patterns = self.patterns.clone();
        for hit in patterns.find_overlapping_iter(bytes) {
            let number = hit.pattern().as_usize();
            if let Some(form) = self.forms.get(number) {
                let how = format!("{form}{place}");
                if !found.contains(&how) {
                    found.push(how);
                }
                continue;
            }
            let (kind, _) = PACKED[number - self.forms.len()];
            let packed = &bytes[hit.start()..];
            if deepest > 0 && self.seen.insert(packed[..packed.len().min(4096)].to_vec()) {
                let unpacked = unpack(kind, packed);
                self.look(&unpacked, &format!(" in {kind}{place}"), deepest - 1, found);
            }
        }
    }
}

/// Every form of the text that is looked for, with its name.
fn forms(secret: &str) -> Vec<(String, Vec<u8>)> {
    let plain = secret.as_bytes().to_vec();
    let little: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = secret.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let mut forms = Vec::new();
    for (name, bytes) in [("plain", plain), ("UTF-16 LE", little), ("UTF-16 BE", big)] {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        forms.push((format!("{name} as hex"), hex.to_uppercase().into_bytes()));
        forms.push((format!("{name} as hex"), hex.into_bytes()));
        for (before, text) in (0..3).flat_map(|before| base64(&bytes, before).map(|text| (before, text))) {
            forms.push((format!("{name} as base64 ({before} bytes before it)"), text.into_bytes()));
        }
        forms.push((name.to_owned(), bytes));
    }
    // What JSON writers may make of it; the same as plain for plain characters.
    let escaped: String = secret.encode_utf16().map(escape).collect();
    if escaped != secret {
        forms.push(("JSON escapes".to_owned(), escaped.into_bytes()));
    }
    forms
}

fn escape(unit: u16) -> String {
    match u8::try_from(unit) {
        Ok(byte) if byte.is_ascii() => char::from(byte).to_string(),
        _ => format!("\\u{unit:04x}"),
    }
}

/// The characters that depend on these bytes alone, when so many others stand before them in their group of three.
fn base64(bytes: &[u8], before: usize) -> [String; 2] {
    let padded = [&vec![0; before], bytes].concat();
    let first = (before * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)].map(|text| text[first..last].to_owned())
}

/// As much as there is of what the bytes begin with; nothing if they only look like it.
fn unpack(kind: &str, bytes: &[u8]) -> Vec<u8> {
    let mut unpacked = Vec::new();
    // An error ends the stream: what came before it counts, and what follows a stream is none of it.
    let _: io::Result<usize> = match kind {
        "gzip" => flate2::bufread::GzDecoder::new(bytes).take(MOST_BYTES).read_to_end(&mut unpacked),
        "xz" => liblzma::bufread::XzDecoder::new(bytes).take(MOST_BYTES).read_to_end(&mut unpacked),
        "zstd" => zstd::stream::read::Decoder::with_buffer(bytes)
            .and_then(|decoder| decoder.single_frame().take(MOST_BYTES).read_to_end(&mut unpacked)),
        _ => return unpack_wim(bytes).unwrap_or_default(),
    };
    unpacked
}

/// All images of a WIM without compression, by wimlib's own tool.
fn unpack_wim(bytes: &[u8]) -> Option<Vec<u8>> {
    let word = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    // The header's places of the lookup table, the XML and the integrity table: size in 56 bits, then the offset. What
    // ends last ends the WIM.
    let end = |at: usize| (word(at)? & 0x00ff_ffff_ffff_ffff).checked_add(word(at + 8)?);
    let len = [48, 72, 124].into_iter().map(end).collect::<Option<Vec<u64>>>()?.into_iter().max()?;
    let whole = bytes.get(..usize::try_from(len).ok()?)?;
    let folder = tempfile::tempdir().unwrap();
    let (packed, plain) = (folder.path().join("packed.wim"), folder.path().join("plain.wim"));
    fs::write(&packed, whole).unwrap();
    let export =
        Command::new("wimlib-imagex").arg("export").arg(&packed).arg("all").arg(&plain).arg("--compress=none").output();
    let export = export.expect("wimlib-imagex is here (appliance/install-packages test)");
    // A WIM that is damaged is no place where anybody could read a secret.
    // Without the magic number: that this is a WIM too is known.
    export.status.success().then(|| fs::read(plain).unwrap().split_off(8))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::files::{noise, put, run};
    use crate::need;

    const SECRET: &str = "PLANTED-Adm1n ß secret-value";

    fn around(inner: &[u8]) -> Vec<u8> {
        [&noise(1, 5_000), inner, &noise(2, 5_000)].concat()
    }

    /// Among what can be compressed, so that it does not show where it was.
    fn among(inner: &[u8]) -> Vec<u8> {
        let digits = |from: u64| (from..from + 2000).map(|n| format!("{:08} ", n * 2_654_435_761 % 100_000_000));
        let text = |from: u64| digits(from).collect::<String>().into_bytes();
        [&*text(0), inner, &*text(5000)].concat()
    }

    fn found(bytes: &[u8]) -> Vec<String> {
        Search::new(SECRET).inside(bytes)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    }

    /// Packed so that what is packed does not show.
    fn hidden(name: &str, packed: Vec<u8>) -> Vec<u8> {
        let plain = SECRET.as_bytes();
        assert!(!packed.windows(plain.len()).any(|window| window == plain), "{name} shows it as it is");
        packed
    }

    #[test]
    fn every_encoding_is_seen() {
        let utf16 = |bytes: fn(u16) -> [u8; 2]| SECRET.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        for (encoded, name) in [
            (SECRET.as_bytes().to_vec(), "plain"),
            (utf16(u16::to_le_bytes), "UTF-16 LE"),
            (utf16(u16::to_be_bytes), "UTF-16 BE"),
            (hex(SECRET.as_bytes()).into_bytes(), "plain as hex"),
            (hex(&utf16(u16::to_le_bytes)).to_uppercase().into_bytes(), "UTF-16 LE as hex"),
            (serde_escaped().into_bytes(), "JSON escapes"),
        ] {
            assert_eq!(found(&around(&encoded)), [name]);
        }
        // Wherever it stands among what is encoded with it, in either alphabet, also of UTF-16 as PowerShell takes it.
        for before in 0..7 {
            for (text, name) in [(SECRET.as_bytes().to_vec(), "plain"), (utf16(u16::to_le_bytes), "UTF-16 LE")] {
                let text = [&noise(before as u64 + 5, before), &*text, b"tail"].concat();
                for encoded in [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
                    let name = format!("{name} as base64 ({} bytes before it)", before % 3);
                    assert_eq!(found(&around(encoded.as_bytes())), [name], "{before} bytes before it");
                }
            }
        }
        // Control: what is not there is not found.
        assert_eq!(found(&around(b"PLANTED-Adm1n secret-valu")), Vec::<String>::new());
    }

    /// By hand, so that the search is not its own judge.
    fn serde_escaped() -> String {
        SECRET.replace('ß', "\\u00df")
    }

    #[test]
    fn every_way_of_packing_is_seen() {
        let text = among(SECRET.as_bytes());
        let xz = liblzma::encode_all(&*text, 6).unwrap();
        let zstd = zstd::encode_all(&*text, 3).unwrap();
        for (packed, name) in [(gzip(&text), "gzip"), (xz, "xz"), (zstd, "zstd")] {
            let packed = hidden(name, packed);
            assert_eq!(found(&around(&packed)), [format!("plain in {name}")]);
            if name != "zstd" {
                // Cut short it still shows what came before the cut, unless all of it is one block.
                assert_eq!(found(&packed[..packed.len() * 3 / 4]), [format!("plain in {name}")]);
            }
        }
        // In an archive in a packed file in a packed file, as an initramfs of a boot image is.
        let deep = zstd::encode_all(&*among(&gzip(&among(&base64_of(SECRET)))), 3).unwrap();
        assert_eq!(found(&deep), ["plain as base64 (0 bytes before it) in gzip in zstd"]);
    }

    fn base64_of(text: &str) -> Vec<u8> {
        STANDARD_NO_PAD.encode(text).into_bytes()
    }

    #[test]
    fn archives_and_images_are_looked_into() {
        if !need::program("cpio") || !need::program("wimlib-imagex") {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        put(&tree.join("etc/answer.txt"), &among(SECRET.as_bytes()));
        put(&tree.join("other.bin"), &noise(7, 100_000));
        run(Command::new("sh").args(["-c", "find . | cpio -o -H newc --quiet > ../archive.cpio"]).current_dir(&tree));
        let archive = fs::read(folder.path().join("archive.cpio")).unwrap();
        assert!(archive.len() > 100_000, "{}", archive.len());
        assert_eq!(found(&hidden("zstd", zstd::encode_all(&*archive, 3).unwrap())), ["plain in zstd"]);
        for how in ["--compress=XPRESS", "--compress=LZX", "--solid"] {
            let image = folder.path().join(format!("image{how}.wim"));
            run(Command::new("wimlib-imagex").arg("capture").args([&tree, &image]).args(["Test", how]));
            let image = hidden(how, fs::read(image).unwrap());
            assert_eq!(found(&around(&image)), ["plain in WIM"], "{how}");
        }
        // As a file below a folder, with its name.
        let below = Search::new(SECRET).below(folder.path());
        assert!(below.iter().any(|place| place.ends_with("answer.txt: plain")), "{below:?}");
    }
}
