// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

use super::*;

fn ids(modalias: &str, details: Details) -> (Vec<String>, Vec<String>) {
    let found = device(modalias, details).expect(modalias);
    (found.hardware_ids, found.compatible_ids)
}

/// The display adapter of "Identifiers for PCI Devices".
#[test]
fn a_pci_device_has_the_documented_ids() {
    let details = Details { revision: Some(4), ..Details::default() };
    let (hardware, compatible) = ids("pci:v0000102Cd000000E0sv00001179sd00000001bc03sc00i00\n", details);
    assert_eq!(
        hardware,
        [
            "PCI\\VEN_102C&DEV_00E0&SUBSYS_00011179&REV_04",
            "PCI\\VEN_102C&DEV_00E0&SUBSYS_00011179",
            "PCI\\VEN_102C&DEV_00E0&REV_04",
            "PCI\\VEN_102C&DEV_00E0",
            "PCI\\VEN_102C&DEV_00E0&CC_030000",
            "PCI\\VEN_102C&DEV_00E0&CC_0300",
        ]
    );
    assert_eq!(
        compatible,
        [
            "PCI\\VEN_102C&DEV_00E0&REV_04",
            "PCI\\VEN_102C&DEV_00E0",
            "PCI\\VEN_102C&CC_030000",
            "PCI\\VEN_102C&CC_0300",
            "PCI\\VEN_102C",
            "PCI\\CC_030000",
            "PCI\\CC_0300",
        ]
    );
}

#[test]
fn a_usb_interface_is_looked_for_by_itself_and_as_its_device() {
    let (hardware, compatible) = ids("usb:v0BDAp8153d3100dc00dsc00dp00icFFiscFFip00in01", Details::default());
    let whole = "USB\\VID_0BDA&PID_8153";
    assert_eq!(
        hardware,
        [&*format!("{whole}&REV_3100&MI_01"), &format!("{whole}&MI_01"), &format!("{whole}&REV_3100"), whole]
    );
    assert_eq!(
        compatible,
        ["USB\\Class_FF&SubClass_FF&Prot_00", "USB\\Class_FF&SubClass_FF", "USB\\Class_FF", "USB\\COMPOSITE"]
    );
}

#[test]
fn a_codec_is_known_by_its_subsystem_first() {
    let details = Details { subsystem: Some(0x1028_0456), ..Details::default() };
    let (hardware, compatible) = ids("hdaudio:v10EC0269r00100100a01", details);
    let one = "HDAUDIO\\FUNC_01&VEN_10EC&DEV_0269";
    assert_eq!(hardware, [format!("{one}&SUBSYS_10280456&REV_1001"), format!("{one}&SUBSYS_10280456")]);
    assert_eq!(compatible, [&*format!("{one}&REV_1001"), one, "HDAUDIO\\FUNC_01&VEN_10EC", "HDAUDIO\\FUNC_01"]);
}

#[test]
fn acpi_names_come_in_three_forms() {
    let (hardware, compatible) = ids("acpi:INTC1055:PNP0C50:", Details::default());
    assert_eq!(hardware, ["ACPI\\VEN_INTC&DEV_1055", "ACPI\\INTC1055", "*INTC1055"]);
    assert_eq!(compatible, ["ACPI\\VEN_PNP&DEV_0C50", "ACPI\\PNP0C50", "*PNP0C50"]);
}

#[test]
fn what_is_no_modalias_has_no_ids() {
    for none in [
        "",
        "pci",
        "pci:",
        "pci:v00008086",
        "pci:v0000808ßd000000E0sv00001179sd00000001bc03sc00i00",
        "virtio:d00000001v00001AF4",
        "platform:Fixed MDIO bus",
        "acpi::",
        "acpi:ä:",
        "usb:v0BDAp8153",
        "hdaudio:v10EC0269r001",
    ] {
        assert_eq!(device(none, Details::default()), None, "{none}");
    }
    assert!(device("acpi:ABC:", Details::default()).is_some(), "a short name is a name");
}
