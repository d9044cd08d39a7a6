// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What laying out many files costs in memory, as Linux counts it (what it costs in time is `tests/bench`'s business).
//! A test program of its own, because other tests would be counted too.

#![allow(clippy::unwrap_used, reason = "tests")]

use platen_disk::{Data, DiskSpec, DriveIds, Extent, FatTime, FileSpec, Scheme, VolumeLabel, lay_out};

/// The most memory this process has had, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn sixty_thousand_files_are_laid_out_in_little_memory() {
    let spec = DiskSpec {
        size_bytes: 256 << 30,
        sector_bytes: 512,
        scheme: Scheme::Mbr,
        label: VolumeLabel::new("PLATEN").unwrap(),
        ids: DriveIds::default(),
        modified: FatTime::from_unix_seconds(1_770_000_000),
        boot: None,
        folders: Vec::new(),
    };
    let paths: Vec<String> = (0..60_000)
        .map(|n| {
            format!(
                "platen/content/drivers/Vendor Family {:03}/network adapter driver component {:02}.inf",
                n / 100,
                n % 100
            )
        })
        .collect();
    let sizes = |n: u64| 700 + n * 7919 % 52_000;
    let mut files: Vec<FileSpec<'_>> = paths
        .iter()
        .zip(0..)
        .map(|(path, n)| FileSpec { path, size_bytes: sizes(n), sealed: false, keep_at_bytes: None, modified: None })
        .collect();

    let before = peak_kib();
    let layout = lay_out(&spec, &files).unwrap();
    let memory = peak_kib() - before;
    println!("{memory} KiB more at the peak, {:?}", layout.stats);
    assert_eq!(layout.stats.directories, 604);
    assert!(memory <= 40 << 10, "{memory} KiB");

    // Every other file stays, the rest move; the first fit is looked for among 30,000 runs.
    for extent in &layout.payload {
        if let Data::File { index, .. } = extent.data {
            files[index as usize].keep_at_bytes = (index % 2 == 0).then_some(extent.offset_bytes);
        }
    }
    files.iter_mut().skip(1).step_by(2).for_each(|file| file.size_bytes += 33_000);
    let kept = lay_out(&spec, &files).unwrap();
    let memory = peak_kib() - before;
    println!("{memory} KiB with what stays");
    assert!(memory <= 80 << 10, "{memory} KiB");
    let stays = |extent: &&Extent| matches!(extent.data, Data::File { index, .. } if files[index as usize].keep_at_bytes == Some(extent.offset_bytes));
    assert_eq!(kept.payload.iter().filter(stays).count(), 30_000);
}
