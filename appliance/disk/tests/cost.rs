//! What laying out many files costs: processor time and memory of this process, as Linux counts them. A test program of
//! its own, because other tests would be counted too.

#![allow(clippy::unwrap_used, reason = "tests")]

use platen_disk::{DiskSpec, DriveIds, FatTime, FileSpec, Scheme, VolumeLabel, lay_out};

/// User and system time of this process, in seconds.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // After the name in brackets: field 14 and 15 of proc(5), in ticks of 1/100 s.
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

/// The most memory this process has had, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn sixty_thousand_files_are_laid_out_in_little_time_and_memory() {
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

    let (cpu, memory) = (cpu_seconds(), peak_kib());
    let layout = lay_out(&spec, &files).unwrap();
    let (cpu, memory) = (cpu_seconds() - cpu, peak_kib() - memory);
    println!("{cpu:.2} s of processor time, {memory} KiB more at the peak, {:?}", layout.stats);
    assert_eq!(layout.stats.directories, 604);
    assert!(memory <= 40 << 10, "{memory} KiB");
    // Release builds are held to the figure of the design; others are some times slower.
    let most = if cfg!(debug_assertions) { 3.0 } else { 0.3 };
    assert!(cpu <= most, "{cpu} s");

    // Six thousand names of one beginning in one directory: the quadratic case of others.
    let paths: Vec<String> =
        (0..6_000).map(|n| format!("drivers/network adapter driver component {n:04}.inf")).collect();
    let files: Vec<FileSpec<'_>> =
        paths.iter().map(|path| FileSpec { path, size_bytes: 1000, sealed: false }).collect();
    let cpu = cpu_seconds();
    lay_out(&spec, &files).unwrap();
    let cpu = cpu_seconds() - cpu;
    println!("{cpu:.2} s for 6,000 names that are alike");
    assert!(cpu <= most / 3.0, "{cpu} s");
}
