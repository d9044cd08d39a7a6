// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

use std::time::Instant;

use super::*;
use crate::{Architecture, ProductType};

const HEAD: &str = "[Version]\nSignature=\"$Windows NT$\"\n";

fn package(text: &str) -> DriverPackage {
    read("a.inf", text.as_bytes()).expect("a driver")
}

#[test]
fn what_is_no_driver_says_why() {
    for (name, text, why) in [
        ("autorun.inf", "[autorun]\nopen=setup.exe", NotADriver::NoVersion),
        ("secure.inf", "[Version]\nSignature=x\n[Registry Values]\na=1", NotADriver::NoManufacturer),
        ("a.inf", "[Version]\n[Manufacturer]\n%x%=M,NTamd64\n[M.NTamd64]\n", NotADriver::NoModels),
        ("a.inf", "[Version]\n[Manufacturer]\n%x%=M,NT$ARCH$\n[M.NT$ARCH$]\nd=i,PCI\\X\n", NotADriver::BuildInput),
        ("a.INX", "[Version]\n[Manufacturer]\nx=M\n[M]\nd=i,PCI\\X\n", NotADriver::BuildInput),
        ("empty.inf", "", NotADriver::NoVersion),
    ] {
        assert_eq!(read(name, text.as_bytes()), Err(why), "{text}");
    }
}

#[test]
fn lines_are_taken_apart_as_setup_does() {
    let text = format!(
        "{HEAD}Class=Net;x\nProvider=\"A ; b = \"\"c\"\", d\"\nDriverVer= 02/29/2020 , 10.1.2\n\
         CatalogFile=\n[manufacturer]\nM\n[m]\n%d%=In st , \\ ; goes on\n  pci\\a ,, \" pci\\b \", \"pci\"\\c\n\
         nothing\nonly=section\n[M]\n\"%%\"=x,%id%\n[Strings]\nD = \"%%d%% is %d%\"\nID=USB\\1\n"
    );
    let found = package(&text);
    assert_eq!((&*found.class, &*found.provider), ("Net", "A ; b = \"c\", d"));
    assert_eq!(found.release, Release { date: (2020, 2, 29), version: [10, 1, 2, 0] });
    assert!(!found.has_catalog(), "an empty name is none");
    let models = &found.manufacturers[0].lists[0].models;
    assert_eq!(models.len(), 2, "a section that comes twice is one: {models:?}");
    assert_eq!(models[0].description, "%%d%% is %d%", "strings are put in once");
    assert_eq!(
        (&*models[0].section, &*models[0].ids),
        ("In st", &["pci\\a", "pci\\b", "pci\\c"].map(str::to_owned)[..])
    );
    assert_eq!((&*models[1].description, &*models[1].ids[0]), ("%", "USB\\1"));
}

#[test]
fn dates_that_are_none_are_the_oldest() {
    for (written, date) in [
        ("DriverVer=05-21-2022", (2022, 5, 21)),
        ("DriverVer=13/01/2022,1.0", (0, 0, 0)),
        ("DriverVer=,1.2.3.4", (0, 0, 0)),
        ("DriverVer=tomorrow", (0, 0, 0)),
        ("", (0, 0, 0)),
    ] {
        let found = package(&format!("{HEAD}{written}\n[Manufacturer]\nM\n[M]\nd=i,PCI\\A\n"));
        assert_eq!(found.release.date, date, "{written}");
    }
}

#[test]
fn a_decoration_says_for_which_windows() {
    let system = |major, minor, build| System {
        architecture: Architecture::Amd64,
        major,
        minor,
        build,
        product: ProductType::Workstation,
        suite_mask: 0x100,
    };
    let fits = |text: &str, system: &System| Decoration::parse(text).expect(text).fits(system);
    let (ten, seven) = (system(10, 0, 19045), system(6, 1, 7601));
    for (text, on_ten, on_seven) in [
        ("NTamd64", true, true),
        ("ntAMD64.6.1", true, true),
        ("NTamd64.10.0", true, false),
        ("NTamd64.10", true, false),
        ("NTamd64.10.0...19045", true, false),
        ("NTamd64.10.0...22000", false, false),
        // Builds of an older version say nothing of a newer one.
        ("NTamd64.6.1...9999", true, false),
        ("NTamd64.10.0.1", true, false),
        ("NTamd64.10.0.3", false, false),
        ("NTamd64....0x100", true, true),
        ("NTamd64....0x80", false, false),
        ("NTx86", false, false),
        ("NT", false, false),
        ("NTarm64.10.0", false, false),
    ] {
        assert_eq!((fits(text, &ten), fits(text, &seven)), (on_ten, on_seven), "{text}");
    }
    for none in ["", "amd64", "NTvax", "NT.x", "NTamd64.1.2.3.4.5.6", "ä", "n"] {
        assert_eq!(Decoration::parse(none), None, "{none}");
    }
}

#[test]
fn an_empty_list_keeps_a_package_away() {
    let text = format!(
        "{HEAD}[Manufacturer]\n%m%=M,NTamd64,NTamd64.10.0\n[M.NTamd64]\nd=i,PCI\\A\n[M.NTamd64.10.0]\n[Strings]\nm=M\n"
    );
    let found = package(&text);
    let system = |major| System {
        architecture: Architecture::Amd64,
        major,
        minor: 0,
        build: 1,
        product: ProductType::Server,
        suite_mask: 0,
    };
    assert_eq!(found.models_for(&system(10)).count(), 0);
    assert_eq!(found.models_for(&system(6)).count(), 1);
}

#[test]
fn what_a_package_brings_is_listed() {
    let found = package(&format!(
        "{HEAD}Class=Extension\nExtensionId={{AB}}\n[Manufacturer]\nM\n[M]\nd=i,PCI\\A\n\
         [i]\nInclude=b.inf, a.inf\nNeeds=x\n[i.Components]\nAddComponent=c,,c_install\n[c_install]\nComponentIDs=VID0001&PID0002\n\
         [SourceDisksFiles]\na.sys=1,\\bin\n[SourceDisksFiles.amd64]\nb.dll=1\na.sys=1,\\bin\n"
    ));
    assert_eq!(found.kind, PackageKind::Extension { id: "{ab}".to_owned() });
    assert_eq!(found.includes, ["a.inf", "b.inf"]);
    assert_eq!(found.component_ids, ["VID0001&PID0002"]);
    assert_eq!(found.source_files, ["b.dll", "bin\\a.sys"]);
}

/// Each of these would take minutes if anything were looked through again and again.
#[test]
fn hostile_files_end_soon() {
    let model = format!("d=i,{}\n", "PCI\\A,".repeat(200_000));
    let drivers: [String; 5] = [
        format!("{HEAD}[Manufacturer]\n{}[M]\n{}", "x=M\n".repeat(50_000), "d=i,PCI\\A\n".repeat(50_000)),
        format!("{HEAD}[Manufacturer]\nM\n[M]\n{model}[Strings]\n{}", "a=b\n".repeat(100_000)),
        format!("{HEAD}[Manufacturer]\nM\n[M]\n{}[i]\n{}", "d=i,PCI\\A\n".repeat(50_000), "x=y\n".repeat(50_000)),
        format!("{HEAD}[Manufacturer]\nM\n[M]\nd=i,PCI\\{}\n", "A".repeat(1 << 20)),
        // 100 GB if all of it were put in.
        format!(
            "{HEAD}[Manufacturer]\nM\n[M]\n{}[Strings]\nl={}\n",
            "%l%=i,PCI\\A\n".repeat(100_000),
            "L".repeat(1 << 20)
        ),
    ];
    for text in drivers {
        let begun = Instant::now();
        assert!(read("a.inf", text.as_bytes()).is_ok());
        assert!(begun.elapsed().as_secs() < 5, "{:?} for {:.80}", begun.elapsed(), text);
    }
    for text in
        ["%".repeat(1 << 20), "\"".repeat(1 << 20), "\\\n".repeat(1 << 19), "[".repeat(1 << 20), "=".repeat(1 << 20)]
    {
        let begun = Instant::now();
        let found = read("a.inf", format!("[Version]\n[Manufacturer]\n{text}").as_bytes());
        assert_eq!(found, Err(NotADriver::NoModels), "{:.80}", text);
        assert!(begun.elapsed().as_secs() < 5, "{:?} for {:.80}", begun.elapsed(), text);
    }
    let size_bytes = MAX_INF_BYTES + 1;
    assert_eq!(read("a.inf", &vec![b' '; size_bytes]), Err(NotADriver::TooLarge { size_bytes }));
}
