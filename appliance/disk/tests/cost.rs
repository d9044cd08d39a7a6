//! What laying out many files costs in memory, as Linux counts it (what it costs in time is `tests/bench`'s business).
//! A test program of its own, because other tests would be counted too.

#![allow(clippy::unwrap_used, reason = "tests")]

use platen_disk::{DiskSpec, DriveIds, FatTime, FileSpec, Scheme, VolumeLabel, lay_out};

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
    let files: Vec<FileSpec<'_>> =
        paths.iter().zip(0..).map(|(path, n)| FileSpec { path, size_bytes: sizes(n), sealed: false }).collect();

    let before = peak_kib();
    let layout = lay_out(&spec, &files).unwrap();
    let memory = peak_kib() - before;
    println!("{memory} KiB more at the peak, {:?}", layout.stats);
    assert_eq!(layout.stats.directories, 604);
    assert!(memory <= 40 << 10, "{memory} KiB");
}
