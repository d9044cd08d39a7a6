// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Other people's tools read the cache: `skopeo` is the judge.

use std::process::Command;

use platen_cache::Cache;
use platen_cache::layout::Layout;

use crate::support::{Bench, assert_right, import, name};

/// A missing judge is a failure, not a reason to skip.
fn skopeo(arguments: &[&str]) -> String {
    let output = Command::new("skopeo").args(arguments).output().expect("skopeo (appliance/install-packages test)");
    assert!(output.status.success(), "skopeo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn skopeo_inspects_and_copies_the_cache_and_the_copy_imports() {
    let bench = Bench::new();
    let cache = bench.cache();
    bench.import(&cache).unwrap();
    let digest = cache.find(&name("PLT00001")).unwrap().oci_manifest;
    let here = format!("oci:{}:PLT00001-r1", cache.layout().dir().display());
    let raw = skopeo(&["inspect", "--raw", &here]);
    assert_eq!(platen_media::Sha256::of(raw.as_bytes()), digest);
    let shown = skopeo(&["inspect", &here]);
    assert!(shown.contains(&format!("sha256:{digest}")), "{shown}");

    let copy = bench.dir.path().join("copy");
    let there = format!("oci:{}:PLT00001-r1", copy.display());
    skopeo(&["--insecure-policy", "copy", &here, &there]);
    let raw_copy = skopeo(&["inspect", "--raw", &there]);
    assert_eq!(raw_copy, raw, "the same manifest, so the same digest");
    let layout = Layout::open(&copy).unwrap();
    assert_eq!(layout.entries().unwrap()[0].oci_manifest, digest);
    let fresh = Cache::open(&bench.dir.path().join("fresh"), None).unwrap();
    let imported = import(&fresh, &layout, &bench.keys).unwrap();
    assert_eq!(imported[0].name, "PLT00001-r1");
    assert_right(&fresh.load(&name("PLT00001"), &bench.keys).unwrap(), &bench.manifest);
}
