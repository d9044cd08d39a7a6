// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

use super::*;

fn store(firmware: Firmware) -> BootStore {
    let gpt = Partition::Gpt { disk: [0xd1; 16], partition: [0xe1; 16] };
    let mbr = Partition::Mbr { disk_signature: 0x1234_5678, offset_bytes: 1 << 20 };
    let system = if firmware == Firmware::Uefi { gpt } else { mbr };
    BootStore {
        firmware,
        system,
        windows: system,
        description: "Windows 11".to_owned(),
        locale: "ko-KR".to_owned(),
        loader_id: [1; 16],
        resume_id: [2; 16],
    }
}

/// Bits 24 to 27 of a type are the form of its value.
#[test]
fn every_element_has_the_form_that_its_type_says() {
    let mut seen = std::collections::BTreeSet::new();
    for firmware in [Firmware::Uefi, Firmware::Bios] {
        let of = store(firmware);
        let objects = [of.boot_manager(), of.memory_tester(), of.loader(), of.resume()].into_iter().chain(settings());
        for (kind, element) in objects.flat_map(|object| object.elements) {
            let form = match element {
                Element::Device(_) => 1,
                Element::Text(_) => 2,
                Element::Object(_) => 3,
                Element::Objects(_) => 4,
                Element::Number(_) => 5,
                Element::Flag(_) => 6,
                Element::Numbers(_) => 7,
            };
            assert_eq!(kind >> 24 & 0xf, form, "{kind:08x}");
            seen.insert(form);
        }
    }
    assert_eq!(seen.len(), 7);
}

#[test]
fn a_device_has_88_bytes_with_the_ids_in_their_places() {
    let (gpt, mbr) = (store(Firmware::Uefi).system.device(), store(Firmware::Bios).system.device());
    assert_eq!((gpt[0x10], gpt[0x18], gpt[0x34], mbr[0x34]), (6, 72, 0, 1));
    assert_eq!((&gpt[0x20..0x30], &gpt[0x38..0x48]), (&[0xe1; 16][..], &[0xd1; 16][..]));
    assert_eq!((&mbr[0x20..0x28], &mbr[0x38..0x3c]), (&[0, 0, 0x10, 0, 0, 0, 0, 0][..], &[0x78, 0x56, 0x34, 0x12][..]));
}

#[test]
fn whatever_is_referred_to_is_there() {
    for firmware in [Firmware::Uefi, Firmware::Bios] {
        let changes = store(firmware).changes(Base::Empty);
        let text = format!("{changes:?}");
        for change in &changes {
            let Action::SetValue { data, .. } = &change.action else { continue };
            let units = data.bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
            let value: String = char::decode_utf16(units).map(|c| c.unwrap_or('?')).collect();
            for id in value.split('\0').filter(|id| id.starts_with('{')) {
                assert!(text.contains(&format!("Objects\\\\{id}\\\\Description")), "{id} of {}", change.key);
            }
        }
    }
    assert_eq!(id(&[1; 16]), "{01010101-0101-4101-8101-010101010101}");
}
