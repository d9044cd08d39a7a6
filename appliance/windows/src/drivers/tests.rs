// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

use super::*;
use crate::{Architecture, ProductType};

const SYSTEM: System = System {
    architecture: Architecture::Amd64,
    major: 10,
    minor: 0,
    build: 19045,
    product: ProductType::Workstation,
    suite_mask: 0,
};

fn package(name: &str, version: &str, models: &str) -> DriverPackage {
    let text =
        format!("[Version]\n{version}\n[Manufacturer]\nm=M,NTamd64\n[M.NTamd64]\n{models}\n[i]\nFeatureScore=0\n");
    crate::inf::read(name, text.as_bytes()).expect("a driver")
}

fn device(hardware: &[&str], compatible: &[&str]) -> Device {
    let owned = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
    Device { hardware_ids: owned(hardware), compatible_ids: owned(compatible) }
}

/// The table of "Driver Rank Example", with a feature score of 0 and a signature.
#[test]
fn ranks_are_those_of_the_documented_example() {
    let of = [package("a.inf", "CatalogFile=a.cat", "d=i,INF_HWID,INF_CID_1,INF_CID_2")];
    let index = DriverIndex::new(&of, &SYSTEM);
    for (at, id, ranks) in [
        ("HwID_1", "INF_HWID", 0x0000),
        ("HwID_1", "INF_CID_1", 0x1000),
        ("HwID_1", "INF_CID_2", 0x1000),
        ("HwID_2", "INF_HWID", 0x0001),
        ("HwID_2", "INF_CID_2", 0x1001),
        ("CID_1", "INF_HWID", 0x2000),
        ("CID_1", "INF_CID_1", 0x3000),
        ("CID_1", "INF_CID_2", 0x3100),
        ("CID_2", "INF_HWID", 0x2001),
        ("CID_2", "INF_CID_1", 0x3001),
        ("CID_2", "INF_CID_2", 0x3101),
    ] {
        let name = |place: &str| if place == at { id.to_lowercase() } else { place.to_owned() };
        let (hw1, hw2, c1, c2) = (name("HwID_1"), name("HwID_2"), name("CID_1"), name("CID_2"));
        let found = index.matches(&device(&[&hw1, &hw2], &[&c1, &c2]));
        assert_eq!(found.iter().map(|it| it.rank.0).collect::<Vec<_>>(), [ranks], "{at} {id}");
    }
}

#[test]
fn signature_then_feature_then_id_then_date_then_version() {
    let of = [
        package("unsigned.inf", "DriverVer=01/01/2030,9.9", "d=i,PCI\\A&B"),
        package("general.inf", "CatalogFile=c\nDriverVer=01/01/2030,9.9", "d=i,PCI\\A"),
        package("old.inf", "CatalogFile=c\nDriverVer=12/31/2019,9.9", "d=i,PCI\\A&B"),
        package("low.inf", "CatalogFile=c\nDriverVer=01/01/2020,9.9", "d=i,PCI\\A&B"),
        package("best.inf", "CatalogFile=c\nDriverVer=01/01/2020,10.1", "d=i,pci\\a&b"),
        package("plain.inf", "CatalogFile=c\nDriverVer=01/01/2031,10.1", "d=none,PCI\\A&B"),
    ];
    let index = DriverIndex::new(&of, &SYSTEM);
    let found = index.matches(&device(&["PCI\\A&B", "PCI\\A"], &[]));
    let names: Vec<&str> = found.iter().map(|it| &*of[it.package].name).collect();
    assert_eq!(names, ["best.inf", "low.inf", "old.inf", "general.inf", "plain.inf", "unsigned.inf"]);
}

#[test]
fn extensions_and_software_devices_come_along_once() {
    let component = "\n[i.Components]\nAddComponent=x,,c\n[c]\nComponentIDs=VID1&PID2";
    let of = [
        package("base.inf", "CatalogFile=c", &format!("d=i,PCI\\A\nd=i,PCI\\B{component}")),
        package("old-extension.inf", "CatalogFile=c\nClass=Extension\nExtensionId={1}", "d=i,PCI\\A"),
        package("extension.inf", "CatalogFile=c\nClass=Extension\nExtensionId={1}\nDriverVer=1/1/2020,1", "d=i,PCI\\A"),
        package("second.inf", "CatalogFile=c\nClass=Extension\nExtensionId={2}", "d=i,PCI\\B"),
        package("component.inf", "CatalogFile=c\nClass=SoftwareComponent", &format!("d=i,SWC\\VID1&PID2{component}")),
        package("other.inf", "CatalogFile=c", "d=i,PCI\\C"),
    ];
    let index = DriverIndex::new(&of, &SYSTEM);
    let found = index.select(&[device(&["PCI\\A"], &[]), device(&["PCI\\B"], &[]), device(&["PCI\\Z"], &[])]);
    assert_eq!(found.packages, [0, 2, 3, 4].into(), "a component that makes itself ends too");
    assert_eq!(found.devices[2], Chosen::default());
    assert_eq!(found.devices[0].extensions[0].package, 2);
}
