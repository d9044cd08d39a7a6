// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Imports from a source that is no folder: it can only stream, and it breaks.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use platen_cache::layout::{IndexEntry, Layout};
use platen_cache::{BlobSource, CacheError};
use platen_media::Sha256;

use crate::support::{Bench, Pack, all, assert_right, chain, name, noise, now};

/// All blobs of a layout in memory. Reading a blob fails once at `breaks_at`, and endures from then on.
struct Memory {
    name: PathBuf,
    entries: Vec<IndexEntry>,
    blobs: HashMap<Sha256, Vec<u8>>,
    /// Which blob breaks, and behind how many of its bytes.
    breaks_at: RefCell<Option<(Sha256, u64)>>,
    /// Where each reading of a blob began.
    asked: RefCell<Vec<(Sha256, u64)>>,
}

impl Memory {
    fn of(layout: &Layout) -> Self {
        let folder = layout.dir().join("blobs/sha256");
        let blob = |path: PathBuf| {
            let digest = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
            (digest, std::fs::read(path).unwrap())
        };
        Self {
            name: PathBuf::from("memory"),
            entries: layout.entries().unwrap(),
            blobs: std::fs::read_dir(folder).unwrap().map(|file| blob(file.unwrap().path())).collect(),
            breaks_at: RefCell::default(),
            asked: RefCell::default(),
        }
    }
}

impl BlobSource for Memory {
    fn name(&self) -> &Path {
        &self.name
    }

    fn entries(&self) -> Result<Vec<IndexEntry>, CacheError> {
        Ok(self.entries.clone())
    }

    fn blob_size_bytes(&self, digest: Sha256) -> Result<Option<u64>, CacheError> {
        Ok(self.blobs.get(&digest).map(|bytes| bytes.len() as u64))
    }

    fn read_blob(&self, digest: Sha256, from_bytes: u64) -> Result<Box<dyn Read + '_>, CacheError> {
        self.asked.borrow_mut().push((digest, from_bytes));
        let bytes = &self.blobs[&digest];
        let rest = &bytes[from_bytes as usize..];
        let breaks = self.breaks_at.borrow_mut().take_if(|(blob, _)| *blob == digest);
        let Some((_, at)) = breaks else { return Ok(Box::new(rest)) };
        Ok(Box::new(rest.take(at - from_bytes).chain(Broken)))
    }
}

struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::new(io::ErrorKind::ConnectionReset, "the line broke"))
    }
}

/// One large content between two small ones.
fn bench() -> Bench {
    let large = Pack::single("OSD00001", "platen/content/OSD00001/install.wim", noise(5, 9 << 20));
    Bench::with("PLT00001", 1, &[Pack::small("DRV00001", 1), large, Pack::small("APP00001", 2)])
}

#[test]
fn an_import_that_breaks_within_a_blob_goes_on_from_there() {
    let bench = bench();
    let source = Memory::of(&bench.source);
    let large = bench.manifest.blobs[1];
    let cache = bench.cache();
    *source.breaks_at.borrow_mut() = Some((large.sha256, 5 << 20));
    let import = || all(cache.import(&source, None, &bench.keys, now(), &mut |_| {}));
    let broken = import().unwrap_err();
    let said = chain(&broken);
    assert!(said.contains("the line broke") && said.contains(&format!("memory/{}", large.sha256)), "{said}");
    assert!(cache.list().unwrap().is_empty(), "nothing is visible before it is whole");

    let imported = import().unwrap();
    let begun: Vec<u64> =
        source.asked.borrow().iter().filter(|(blob, _)| *blob == large.sha256).map(|(_, from)| *from).collect();
    assert_eq!(begun.len(), 2, "{begun:?}");
    assert!(begun[0] == 0 && begun[1] >= 4 << 20, "it goes on where it broke: {begun:?}");
    let rest = large.size_bytes - begun[1];
    assert_eq!(imported[0].copied_bytes, rest + bench.manifest.blobs[2].size_bytes);
    assert_right(&cache.load(&name("PLT00001"), &bench.keys).unwrap(), &bench.manifest);
}

#[test]
fn a_source_that_can_only_stream_is_checked_like_a_folder() {
    let bench = bench();
    let refused = |change: &dyn Fn(&mut Memory)| {
        let mut source = Memory::of(&bench.source);
        change(&mut source);
        let dir = tempfile::tempdir().unwrap();
        let cache = platen_cache::Cache::open(dir.path(), None).unwrap();
        let answer = all(cache.import(&source, None, &bench.keys, now(), &mut |_| {}));
        assert_eq!(answer.is_ok(), !cache.list().unwrap().is_empty(), "visible exactly when it was accepted");
        answer.map(drop)
    };
    refused(&|_| ()).expect("the control: unchanged, it is accepted");
    let flip = |source: &mut Memory, digest: Sha256| source.blobs.get_mut(&digest).unwrap()[9] ^= 1;

    let content = refused(&|source| flip(source, bench.manifest.blobs[1].sha256)).unwrap_err();
    assert!(matches!(content, CacheError::Damaged { .. }), "{content}");
    let manifest = Sha256::of(&bench.manifest.to_json());
    let small = refused(&|source| flip(source, manifest)).unwrap_err();
    assert!(matches!(&small, CacheError::Entry { path, .. } if path == Path::new("memory")), "{small}");
    let missing = refused(&|source| drop(source.blobs.remove(&bench.manifest.blobs[1].sha256))).unwrap_err();
    assert!(matches!(missing, CacheError::Missing { .. }), "{missing}");
    let empty = refused(&|source| source.entries.clear()).unwrap_err();
    assert!(empty.to_string().contains("holds no Platen medium"), "{empty}");
    let unknown = Memory::of(&bench.source).find(&name("PLT00009")).unwrap_err();
    assert!(unknown.to_string().contains("in memory"), "{unknown}");
}
