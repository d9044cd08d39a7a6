// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! INF files of driver packages.

use platen_windows::drivers::{Device, DriverIndex};
use platen_windows::inf::read;
use platen_windows::{Architecture, ProductType, System};

use crate::Answer;

const SYSTEM: System = System {
    architecture: Architecture::Amd64,
    major: 10,
    minor: 0,
    build: 22_631,
    product: ProductType::Workstation,
    suite_mask: 0x100,
};

pub(super) fn samples() -> Vec<Vec<u8>> {
    let real: &[u8] = include_bytes!("../../../windows/tests/samples/qemu-pci-serial.inf");
    let made = "[Version]\nSignature=\"$Windows NT$\"\nClass=Net\nProvider=%P%\nDriverVer=01/02/2023,1.2.3.4\nCatalogFile=a.cat\n\
                [Manufacturer]\n%P%=List,NTamd64.10.0...16299,NTamd64\n[List.NTamd64.10.0...16299]\n\
                %D%=In,PCI\\VEN_1AF4&DEV_1000, \\\nPCI\\CC_0200 ; more\n[List.NTamd64]\n\"%D% 100%%\"=In,\"PCI\\VEN_1AF4\"\n\
                [In]\nFeatureScore=0x7F\n[Strings]\nP=\"A, \"\"B\"\"\"\nD=Card\n";
    vec![real.to_vec(), made.as_bytes().to_vec()]
}

pub(super) fn ask(bytes: &[u8]) -> Answer {
    let found = read("a.inf", bytes);
    if let Ok(text) = std::str::from_utf8(bytes)
        && !text.contains('\u{feff}')
    {
        let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert_eq!(read("a.inf", &utf16), found, "the encoding changes nothing");
    }
    let Ok(package) = found else { return Answer::Refused };
    let packages = [package];
    let index = DriverIndex::new(&packages, &SYSTEM);
    for model in packages[0].models_for(&SYSTEM) {
        assert!(!model.ids.is_empty() && model.ids.iter().all(|id| !id.is_empty() && id.trim() == id));
        let device = Device { hardware_ids: model.ids.clone(), compatible_ids: Vec::new() };
        let matches = index.matches(&device);
        assert!(!matches.is_empty() && matches.is_sorted_by_key(|it| it.rank), "what it has it is for");
    }
    Answer::Accepted
}
