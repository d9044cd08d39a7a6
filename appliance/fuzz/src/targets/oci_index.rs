// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The index of an OCI image layout, and what it leads to.

use std::collections::HashSet;
use std::fs;

use platen_cache::layout::Layout;
use platen_testkit::media::{Bench, packs};
use serde_json::Value;

use crate::Answer;

thread_local! {
    /// A layout with two media.
    static BENCH: Bench = {
        let bench = Bench::in_memory();
        bench.add("PLT00002", 3, &packs(4));
        bench
    };
}

pub(super) fn samples() -> Vec<Vec<u8>> {
    // The second as copying tools leave it: without annotations but the name.
    let index = BENCH.with(|bench| fs::read(bench.source.dir().join("index.json")).unwrap());
    let mut bare: Value = serde_json::from_slice(&index).unwrap();
    for entry in bare["manifests"].as_array_mut().unwrap() {
        entry["annotations"].as_object_mut().unwrap().retain(|name, _| name.ends_with("ref.name"));
    }
    vec![index, serde_json::to_vec(&bare).unwrap()]
}

pub(super) fn ask(bytes: &[u8]) -> Answer {
    BENCH.with(|bench| judge(bench, bytes))
}

fn judge(bench: &Bench, bytes: &[u8]) -> Answer {
    let folder = bench.source.dir();
    fs::write(folder.join("index.json"), bytes).unwrap();
    let layout = Layout::open(folder).unwrap();
    let Ok(entries) = layout.entries() else { return Answer::Refused };
    // What nobody asks for is passed over without a look at its escapes; this reader looks.
    let Ok(index) = serde_json::from_slice::<Value>(bytes) else { return Answer::Accepted };
    let listed = index["manifests"].as_array().expect("accepted, so it has a list");
    assert!(entries.len() <= listed.len());
    let distinct: HashSet<_> = entries.iter().collect();
    assert_eq!(distinct.len(), entries.len(), "each once");
    for entry in &entries {
        let digest = format!("sha256:{}", entry.oci_manifest);
        let stands = |other: &Value| {
            other["digest"] == *digest && other["annotations"]["org.opencontainers.image.ref.name"] == *entry.name
        };
        assert!(listed.iter().any(stands), "{entry:?} is of the index");
        // What is behind it is one of the media that are here, byte for byte, or an error.
        if let Ok(media) = layout.media(entry) {
            let first = media.manifest_bytes == bench.manifest.to_json();
            let second = media.manifest_bytes.windows(8).any(|window| window == b"PLT00002");
            assert!(first || second);
        }
    }
    Answer::Accepted
}
