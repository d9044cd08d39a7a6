// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Imports from a medium that was written to a drive: its blobs are put together from its files.

use std::cell::Cell;
use std::collections::HashMap;
use std::io::{self, Read};
use std::path::Path;

use platen_cache::layout::MediaEntry;
use platen_cache::{BlobSource, CacheError, Imported, WrittenFiles, WrittenMedium};
use platen_media::envelope;

use crate::support::{Bench, all, assert_right, chain, name, now};

/// The files of a medium as they are on its drive. One of them breaks once behind so many bytes.
struct Written {
    files: HashMap<String, Vec<u8>>,
    breaks: Cell<Option<(&'static str, usize)>>,
}

impl Written {
    fn of(bench: &Bench) -> Self {
        let entries = bench.source.entries().unwrap();
        let MediaEntry { manifest_bytes, manifest_signature, sums, sums_signature, .. } =
            bench.source.media(&entries[0]).unwrap();
        let mut files = HashMap::from([
            (envelope::MANIFEST.to_owned(), manifest_bytes),
            (envelope::MANIFEST_SIGNATURE.to_owned(), manifest_signature.into_bytes()),
            (envelope::SHA256SUMS.to_owned(), sums),
            (envelope::SHA256SUMS_SIGNATURE.to_owned(), sums_signature.into_bytes()),
        ]);
        for file in &bench.manifest.files {
            let bytes = file.at.map_or_else(Vec::new, |at| {
                let start = at.offset_bytes as usize;
                bench.blobs[at.blob as usize][start..start + file.size_bytes as usize].to_vec()
            });
            files.insert(file.path.as_str().to_owned(), bytes);
        }
        Self { files, breaks: Cell::default() }
    }

    fn import(&self, bench: &Bench) -> Result<Vec<Imported>, CacheError> {
        all(bench.cache().import(&WrittenMedium::open(self)?, None, &bench.keys, now(), &mut |_| {}))
    }
}

impl WrittenFiles for Written {
    fn name(&self) -> &Path {
        Path::new("the drive")
    }

    fn holds(&self, path: &str, size_bytes: u64) -> bool {
        self.files.get(path).is_some_and(|bytes| bytes.len() as u64 == size_bytes)
    }

    fn open(&self, path: &str, from_bytes: u64) -> Result<Box<dyn Read + '_>, CacheError> {
        let failed = |source| CacheError::Io { doing: "opening", path: path.into(), source };
        let bytes = self.files.get(path).ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
        let rest = &bytes[from_bytes as usize..];
        match self.breaks.take() {
            Some((broken, behind)) if broken == path => Ok(Box::new(rest[..behind].chain(Broken))),
            other => {
                self.breaks.set(other);
                Ok(Box::new(rest))
            }
        }
    }
}

struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("pulled"))
    }
}

const FILE: &str = "platen/content/DRV00001/file2.bin";

#[test]
fn a_written_medium_is_the_medium_it_was_made_of() {
    let bench = Bench::new();
    let imported = Written::of(&bench).import(&bench).unwrap();
    assert_eq!((&*imported[0].name, imported[0].was_here), ("PLT00001-r1", false));
    assert_right(&bench.cache().load(&name("PLT00001"), &bench.keys).unwrap(), &bench.manifest);
    // The very blobs of its layout, those with the documents among them.
    assert_eq!(bench.cache().layout().entries().unwrap(), bench.source.entries().unwrap());
    let again = bench.import(&bench.cache()).unwrap();
    assert!(again[0].was_here);
}

#[test]
fn what_is_not_on_the_drive_is_named() {
    type Change = fn(&mut HashMap<String, Vec<u8>>);
    let cases: [(&str, Change); 7] = [
        ("missing content: driver package DRV00001", |files| drop(files.remove(FILE))),
        ("missing content: driver package DRV00001", |files| files.get_mut(FILE).unwrap().push(0)),
        ("is damaged (in the source:", |files| files.get_mut(FILE).unwrap()[5] ^= 1),
        ("reading the drive/platen/manifest.json", |files| {
            files.get_mut(envelope::MANIFEST).unwrap().truncate(100);
        }),
        ("opening SHA256SUMS.minisig", |files| drop(files.remove(envelope::SHA256SUMS_SIGNATURE))),
        ("reading the drive/platen/manifest.json.minisig: expected at most 4096 bytes", |files| {
            files.get_mut(envelope::MANIFEST_SIGNATURE).unwrap().resize(5000, b' ');
        }),
        ("signature", |files| {
            let text = String::from_utf8(files[envelope::MANIFEST].clone()).unwrap();
            files.insert(envelope::MANIFEST.to_owned(), text.replace("Medium PLT", "Nedium PLT").into_bytes());
        }),
    ];
    for (said, change) in cases {
        let bench = Bench::new();
        let mut written = Written::of(&bench);
        change(&mut written.files);
        let error = chain(&written.import(&bench).expect_err(said));
        assert!(error.contains(said), "{said}: {error}");
        assert_eq!(bench.cache().list().unwrap().len(), 0, "{said}");
    }
}

#[test]
fn an_import_that_broke_off_goes_on_and_may_do_so_anywhere() {
    let bench = Bench::new();
    let written = Written::of(&bench);
    written.breaks.set(Some((FILE, 100)));
    let error = chain(&written.import(&bench).expect_err("pulled"));
    assert!(error.contains("pulled"), "{error}");
    written.import(&bench).unwrap();
    assert_right(&bench.cache().load(&name("PLT00001"), &bench.keys).unwrap(), &bench.manifest);
    // From any byte on a blob is what it is.
    let medium = WrittenMedium::open(&written).unwrap();
    let blob = &bench.blobs[0];
    for from in 0..=blob.len() {
        let mut rest = Vec::new();
        medium.read_blob(bench.manifest.blobs[0].sha256, from as u64).unwrap().read_to_end(&mut rest).unwrap();
        assert!(rest == blob[from..], "from {from}");
    }
}
