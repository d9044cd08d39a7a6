// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! `make FOLDER COUNT` writes INF files of the shapes that real ones have; `match FOLDER COUNT` reads all that are there and
//! chooses among them for as many devices. `tests/bench` takes the time of the second.

#[path = "../tests/windows/generator.rs"]
mod generator;

use std::io;
use std::path::Path;

use platen_windows::drivers::{Device, DriverIndex};
use platen_windows::inf::{DriverPackage, read};
use platen_windows::{Architecture, ProductType, System};

use self::generator::{Dice, device, inf};

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let usage = || io::Error::other("expected: make|match FOLDER COUNT");
    let [verb, folder, count] = &arguments[..] else { return Err(usage()) };
    let (folder, count) = (Path::new(folder), count.parse().map_err(|_| usage())?);
    match &**verb {
        "make" => make(folder, count),
        "match" => choose(folder, count),
        _ => Err(usage()),
    }
}

fn make(folder: &Path, count: usize) -> io::Result<()> {
    let mut dice = Dice(20_261_130);
    (0..count).try_for_each(|number| {
        let (name, bytes) = inf(number, &mut dice);
        std::fs::write(folder.join(name), bytes)
    })
}

fn choose(folder: &Path, count: usize) -> io::Result<()> {
    let mut packages: Vec<DriverPackage> = Vec::new();
    let mut files = 0;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        files += 1;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        packages.extend(read(&name, &std::fs::read(&path)?).ok());
    }
    let mut dice = Dice(60);
    let devices: Vec<Device> = (0..count).map(|_| device(&mut dice)).collect();
    let (architecture, product) = (Architecture::Amd64, ProductType::Workstation);
    let system = System { architecture, major: 10, minor: 0, build: 22631, product, suite_mask: 0x100 };
    let selection = DriverIndex::new(&packages, &system).select(&devices);
    let found = selection.devices.iter().filter(|chosen| chosen.driver.is_some()).count();
    println!("{files} files, {} drivers; {found} of {count} devices have one", packages.len());
    Ok(())
}
