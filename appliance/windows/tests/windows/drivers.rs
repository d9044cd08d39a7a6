// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! INF files and ranks, as a script says that was written from the documentation alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use platen_testkit::need;
use platen_windows::drivers::{Device, DriverIndex};
use platen_windows::inf::{DriverPackage, NotADriver, read};
use platen_windows::{Architecture, ProductType, System};
use serde_json::{Value, json};

use crate::generator::{Dice, device, inf};

const SYSTEMS: [System; 4] = [
    system(Architecture::Amd64, (10, 0, 19045), ProductType::Workstation),
    system(Architecture::Amd64, (10, 0, 20348), ProductType::Server),
    system(Architecture::Amd64, (6, 1, 7601), ProductType::Workstation),
    system(Architecture::X86, (10, 0, 22631), ProductType::Workstation),
];

const fn system(architecture: Architecture, (major, minor, build): (u32, u32, u32), product: ProductType) -> System {
    System { architecture, major, minor, build, product, suite_mask: 0x100 }
}

/// What the script says.
fn judge(folder: &Path, system: &System, devices: &[Device]) -> Value {
    let devices: Vec<Value> =
        devices.iter().map(|it| json!({"hardware": it.hardware_ids, "compatible": it.compatible_ids})).collect();
    let question = json!({
        "folder": folder,
        "system": {
            "architecture": system.architecture.name(), "major": system.major, "minor": system.minor,
            "build": system.build, "product": system.product as u32, "suite": system.suite_mask,
        },
        "devices": devices,
    });
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), question.to_string()).expect("writes");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judge_drivers.py");
    let output = Command::new("python3").arg(script).arg(file.path()).output().expect("python3 runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn read_folder(folder: &Path) -> BTreeMap<String, Result<DriverPackage, NotADriver>> {
    let entries = std::fs::read_dir(folder).expect("lists").map(|entry| entry.expect("an entry").path());
    let file = |path: PathBuf| {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let found = read(&name, &std::fs::read(&path).expect("reads"));
        (name, found)
    };
    entries.map(file).collect()
}

/// Compares what is read and chosen; gives how many drivers and matches there were.
fn compare(folder: &Path, devices: &[Device]) -> (usize, usize) {
    let files = read_folder(folder);
    let packages: Vec<DriverPackage> = files.values().filter_map(|it| it.clone().ok()).collect();
    let mut matches = 0;
    for system in &SYSTEMS {
        let said = judge(folder, system, devices);
        for (name, found) in &files {
            let said = &said["files"][name];
            let Ok(package) = found else {
                assert!(said.is_null(), "{name}: {found:?}, the judge read {said}");
                continue;
            };
            let lists = package.manufacturers.iter().map(|of| &of.lists).filter(|lists| !lists.is_empty());
            let ids: Vec<Vec<Vec<&Vec<String>>>> = lists
                .map(|lists| lists.iter().map(|list| list.models.iter().map(|model| &model.ids).collect()).collect())
                .collect();
            let (year, month, day) = package.release.date;
            let mine = json!({
                "class": package.class, "provider": package.provider, "date": [year, month, day],
                "version": package.release.version, "signed": package.has_catalog(), "ids": ids,
            });
            let theirs_lists = said["lists"].as_array().unwrap_or_else(|| panic!("{name}: the judge read {said}"));
            let ids_of = |list: &Value| -> Vec<Value> {
                list[1].as_array().expect("models").iter().map(|model| model["ids"].clone()).collect()
            };
            let theirs: Vec<Vec<Vec<Value>>> = theirs_lists
                .iter()
                .map(|of| of.as_array().expect("lists").iter().map(ids_of).collect::<Vec<_>>())
                .filter(|lists| !lists.is_empty())
                .collect();
            let mut theirs_of = said.clone();
            theirs_of.as_object_mut().expect("an object").remove("lists");
            theirs_of["ids"] = json!(theirs);
            assert_eq!(mine, theirs_of, "{name}");
        }
        let index = DriverIndex::new(&packages, system);
        for (device, said) in devices.iter().zip(said["devices"].as_array().expect("devices")) {
            let found = index.matches(device);
            let ranks = |name: &str, rank: u64, id: &str| json!([name, rank, id.to_lowercase()]);
            let mine: Vec<Value> =
                found.iter().map(|it| ranks(&packages[it.package].name, it.rank.0.into(), &it.id)).collect();
            assert_eq!(&json!(mine), said, "{device:?} on {system:?}");
            matches += mine.len();
        }
    }
    (packages.len(), matches)
}

#[test]
fn drivers_are_read_and_ranked_as_the_documentation_says() {
    if !need::program("python3") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut dice = Dice(0x0070_6c61_7465_6e31);
    for number in 0..300 {
        let (name, bytes) = inf(number, &mut dice);
        std::fs::write(folder.path().join(name), bytes).expect("writes");
    }
    let devices: Vec<Device> = (0..60).map(|_| device(&mut dice)).collect();
    let (drivers, matches) = compare(folder.path(), &devices);
    assert!(drivers > 200 && drivers < 300 && matches > 2000, "{drivers} drivers, {matches} matches: the control");
}

#[test]
fn real_files_are_read_as_the_script_reads_them() {
    if !need::program("python3") {
        return;
    }
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::copy(samples.join("qemu-pci-serial.inf"), folder.path().join("qemu-pci-serial.inf")).expect("copies");
    let template = std::fs::read_to_string(samples.join("vioscsi.inx")).expect("reads").replace('\n', "\r\n");
    let template = ["\u{feff}", &template].concat().encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    std::fs::write(folder.path().join("vioscsi.inx"), template).expect("writes");
    let pci = |device: &str| {
        let modalias = format!("pci:v00001B36d0000{device}sv00001AF4sd00001100bc07sc00i02");
        platen_windows::modalias::device(&modalias, Default::default()).expect("a PCI device")
    };
    let (drivers, matches) = compare(folder.path(), &[pci("0002"), pci("0003"), pci("0005")]);
    assert_eq!((drivers, matches), (1, 16), "hardware and compatible id, of two devices, on four systems");
    let found = read_folder(folder.path());
    assert_eq!(found["vioscsi.inx"], Err(NotADriver::BuildInput));
    let driver = found["qemu-pci-serial.inf"].as_ref().expect("a driver");
    assert_eq!(driver.includes, ["mf.inf"]);
    assert_eq!(driver.manufacturers[0].lists[1].models[2].description, "4x QEMU PCI Serial Card");
}

/// The bound is ten times what it takes; the benchmark measures.
#[test]
fn two_thousand_files_are_matched_in_no_time() {
    let mut dice = Dice(7);
    let files: Vec<(String, Vec<u8>)> = (0..2000).map(|number| inf(number, &mut dice)).collect();
    let devices: Vec<Device> = (0..60).map(|_| device(&mut dice)).collect();
    let begun = Instant::now();
    let packages: Vec<DriverPackage> = files.iter().filter_map(|(name, bytes)| read(name, bytes).ok()).collect();
    let selection = DriverIndex::new(&packages, &SYSTEMS[0]).select(&devices);
    let taken = begun.elapsed();
    println!("{} packages of {} for {} devices in {taken:?}", selection.packages.len(), packages.len(), devices.len());
    assert!(taken.as_secs() < 2, "{taken:?}");
    assert!(selection.devices.iter().all(|it| it.driver.is_some()), "the control");
}
