// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! `make FOLDER COUNT` writes INF files of the shapes that real ones have; `match FOLDER COUNT` reads all that are there and
//! chooses among them for as many devices. `tests/bench` takes the time of the second.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use platen_windows::drivers::{Device, DriverIndex};
use platen_windows::inf::{DriverPackage, read};
use platen_windows::modalias::{self, Details};
use platen_windows::{Architecture, ProductType, System};

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

/// Devices of the vendor whose drivers these are.
const DEVICES: usize = 100;

fn make(folder: &Path, count: usize) -> io::Result<()> {
    (0..count).try_for_each(|number| std::fs::write(folder.join(format!("{number:04}.inf")), inf(number)))
}

/// Three lists of models with twenty devices each; every other file in UTF-16, as the most of makers' are.
fn inf(number: usize) -> Vec<u8> {
    let mut text = format!(
        "[Version]\r\nSignature=\"$WINDOWS NT$\"\r\nClass=Net\r\nClassGUID={{4D36E972-E325-11CE-BFC1-08002BE10318}}\r\n\
         Provider=%Maker%\r\nCatalogFile=driver.cat\r\nDriverVer={:02}/{:02}/20{:02},1.{number}.0.0\r\n\
         [Manufacturer]\r\n%Maker%=Models,NTamd64.10.0,NTamd64.10.0...16299,NTx86\r\n",
        number % 12 + 1,
        number % 28 + 1,
        number % 10 + 15
    );
    for list in ["NTamd64.10.0", "NTamd64.10.0...16299", "NTx86"] {
        let _ = write!(text, "[Models.{list}]\r\n");
        for at in 0..20 {
            let device = 0x1500 + (number * 3 + at * 5) % DEVICES;
            let id = format!("PCI\\VEN_8086&DEV_{device:04X}");
            let _ = write!(text, "%Device%=Install,{id}&SUBSYS_00011028,{id}&REV_01,{id}\r\n");
        }
    }
    text += "[Install]\r\nFeatureScore=80\r\n[Strings]\r\nMaker=\"A maker\"\r\nDevice=\"A device\"\r\n";
    match number % 2 {
        0 => text.into_bytes(),
        _ => std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect(),
    }
}

/// As Linux describes one.
fn device(number: usize) -> Option<Device> {
    let device = 0x1500 + number % DEVICES;
    let modalias = format!("pci:v00008086d{device:08X}sv00001028sd00000001bc02sc00i00");
    modalias::device(&modalias, Details { revision: Some(1), ..Details::default() })
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
    let devices: Vec<Device> = (0..count).filter_map(device).collect();
    let (architecture, product) = (Architecture::Amd64, ProductType::Workstation);
    let system = System { architecture, major: 10, minor: 0, build: 22631, product, suite_mask: 0x100 };
    let selection = DriverIndex::new(&packages, &system).select(&devices);
    let found = selection.devices.iter().filter(|chosen| chosen.driver.is_some()).count();
    println!("{files} files, {} drivers; {found} of {count} devices have one", packages.len());
    Ok(())
}
