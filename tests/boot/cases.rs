// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What a medium must do on the computers it is made for, and what it must refuse.

use std::path::Path;
use std::process::Command;

use super::machine::ChangedDrive;
use super::{
    AFTER_THE_END, BEFORE_IT_WAS_MADE, Firmware, MEDIA_ID, Machine, Options, PASSWORD, PASSWORD_ON_GERMAN_KEYS,
    Variant, wanted,
};
use crate::boot_drives::drive;

/// A file of every medium that is not read while it boots.
const UNUSED_FILE: &str = "EFI/BOOT/mmx64.efi";

fn accepted(machine: &Machine) -> String {
    let said = machine.wait_for_one_of(&["Press Enter to turn", "PLATEN MEDIA REFUSED"]);
    assert!(said.contains(&format!("PLATEN MEDIA OK id={MEDIA_ID} version=")), "refused:\n{said}");
    said
}

fn refused(machine: &Machine, code: &str) -> String {
    let said = machine.wait_for_one_of(&["Press Enter to turn", "PLATEN MEDIA OK"]);
    assert!(said.contains(&format!("PLATEN MEDIA REFUSED code={code} ")), "expected {code}:\n{said}");
    assert!(said.contains(&format!("PORT 2-1  {code}  ")), "the operator's sentence names the port:\n{said}");
    assert!(!said.contains("PLATEN MEDIA OK"), "{said}");
    said
}

/// What was said without its line breaks, which come where a line is full.
fn joined(said: &str) -> String {
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn boots(firmware: Firmware, variant: Variant) {
    if wanted() {
        let drive = drive(variant);
        let mut machine = Machine::start(&Options::new(firmware, &drive));
        let said = accepted(&machine);
        assert!(said.contains(&format!("medium {MEDIA_ID}")) && said.contains("files, "), "{said}");
        machine.type_line("");
        machine.wait_for_power_off();
    }
}

#[test]
fn mbr_starts_under_bios() {
    boots(Firmware::SeaBios, Variant::Mbr);
}

#[test]
fn mbr_starts_under_uefi() {
    boots(Firmware::Ovmf, Variant::Mbr);
}

#[test]
fn mbr_starts_under_secure_boot() {
    boots(Firmware::OvmfSecureBoot, Variant::Mbr);
}

#[test]
fn gpt_starts_under_bios() {
    boots(Firmware::SeaBios, Variant::Gpt);
}

#[test]
fn gpt_starts_under_uefi() {
    boots(Firmware::Ovmf, Variant::Gpt);
}

#[test]
fn gpt_starts_under_secure_boot() {
    boots(Firmware::OvmfSecureBoot, Variant::Gpt);
}

#[test]
fn nothing_is_written_to_the_medium() {
    if wanted() {
        let copy = ChangedDrive::of(&drive(Variant::Mbr));
        let before = digest(&copy.path());
        let mut machine = Machine::start(&Options::new(Firmware::Ovmf, &copy.path()));
        accepted(&machine);
        machine.type_line("");
        machine.wait_for_power_off();
        assert_eq!(digest(&copy.path()), before);
    }
}

fn digest(path: &Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().expect("sha256sum starts");
    assert!(output.status.success());
    String::from_utf8_lossy(&output.stdout).chars().take(64).collect()
}

#[test]
fn a_second_disk_is_not_mistaken_for_the_medium() {
    if wanted() {
        let (medium, decoy) = (drive(Variant::Mbr), ChangedDrive::of(&drive(Variant::Mbr)));
        for config in ["boot/grub/grub.cfg", "EFI/debian/grub.cfg"] {
            decoy.change(config, |text| *text = b"echo wrong disk\nsleep 3600\n".to_vec());
        }
        decoy.delete("platen/manifest.json");
        for firmware in [Firmware::SeaBios, Firmware::Ovmf] {
            let disk = decoy.path();
            let machine = Machine::start(&Options { disk: Some(&disk), ..Options::new(firmware, &medium) });
            let said = accepted(&machine);
            assert!(said.contains("on USB port 2-1"), "{said}");
        }
    }
}

/// What is used is the drive this computer started from, whatever is in the ports before it.
#[test]
fn other_sticks_of_the_same_medium_are_passed_over() {
    if wanted() {
        let (medium, older) = (drive(Variant::MbrWithPassword), drive(Variant::Mbr));
        // A stranger's: the same id and the very serial number, but not signed as it is.
        let stranger = ChangedDrive::of(&medium);
        stranger.change("platen/manifest.json", |bytes| {
            let at = bytes.windows(9).position(|w| w == b"\"version\"").expect("it has one") + 11;
            bytes[at] ^= 1;
        });
        let stranger = stranger.path();
        let earlier = [&*older, &*stranger];
        // A clock on local time in America: nine hours before the medium was made.
        let clock = Command::new("date").args(["-u", "-d", "-9 hours", "+%Y-%m-%dT%H:%M:%S"]).output().expect("date");
        let clock = String::from_utf8_lossy(&clock.stdout).trim().to_owned();
        let firmware = Firmware::SeaBios;
        let options = Options { earlier: &earlier, clock: Some(&clock), ..Options::new(firmware, &medium) };
        let mut machine = Machine::start(&options);
        machine.wait_for("Password    (US keys):");
        machine.type_line(PASSWORD);
        let said = accepted(&machine);
        assert!(said.contains("on USB port 2-3") && said.contains(" revision=2"), "{said}");
        assert!(joined(&said).contains("does it keep local time?"), "{said}");
    }
}

#[test]
fn mbr_starts_under_32_bit_uefi() {
    boots(Firmware::Ovmf32, Variant::Mbr);
}

#[test]
fn a_32_bit_processor_is_told_so() {
    if wanted() {
        let drive = drive(Variant::Gpt);
        let options = Options { processor: Some("qemu32"), ..Options::new(Firmware::SeaBios, &drive) };
        Machine::start(&options).wait_for("this computer has a 32-bit processor");
    }
}

#[test]
fn every_changed_file_is_named() {
    if wanted() {
        let copy = ChangedDrive::of(&drive(Variant::Gpt));
        copy.change(UNUSED_FILE, |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        });
        copy.change("notes.txt", |bytes| bytes.extend(b"put there later"));
        let said = refused(&Machine::start(&Options::new(Firmware::SeaBios, &copy.path())), "P-T-003");
        assert!(joined(&said).contains(&format!("{UNUSED_FILE}: content changed")), "{said}");

        copy.delete(UNUSED_FILE);
        let said = refused(&Machine::start(&Options::new(Firmware::Ovmf, &copy.path())), "P-T-003");
        assert!(said.contains(&format!("{UNUSED_FILE}: missing")), "{said}");
    }
}

#[test]
fn a_file_that_was_added_is_named_and_not_used() {
    if wanted() {
        let copy = ChangedDrive::of(&drive(Variant::Mbr));
        copy.change("notes.txt", |bytes| bytes.extend(b"put there later"));
        let said = accepted(&Machine::start(&Options::new(Firmware::SeaBios, &copy.path())));
        assert!(said.contains("not part of the medium") && said.contains("notes.txt"), "{said}");
    }
}

#[test]
fn a_changed_manifest_is_not_trusted() {
    if wanted() {
        let copy = ChangedDrive::of(&drive(Variant::Mbr));
        copy.change("platen/manifest.json", |bytes| {
            let at = bytes.windows(9).position(|w| w == b"\"version\"").expect("it has one") + 11;
            bytes[at] ^= 1;
        });
        refused(&Machine::start(&Options::new(Firmware::SeaBios, &copy.path())), "P-T-002");
    }
}

#[test]
fn a_medium_without_its_manifest_is_not_found() {
    if wanted() {
        let copy = ChangedDrive::of(&drive(Variant::Mbr));
        copy.delete("platen/manifest.json");
        let machine = Machine::start(&Options::new(Firmware::SeaBios, &copy.path()));
        let said = machine.wait_for("Press Enter to turn");
        assert!(said.contains("PLATEN MEDIA REFUSED code=P-T-001 "), "{said}");
        assert!(joined(&said).contains("volumes seen: sda1"), "{said}");
    }
}

#[test]
fn dates_are_kept_by_the_computers_clock() {
    if wanted() {
        let drive = drive(Variant::Mbr);
        for (clock, code) in [(AFTER_THE_END, "P-T-005"), (BEFORE_IT_WAS_MADE, "P-T-008")] {
            let options = Options { clock: Some(clock), ..Options::new(Firmware::SeaBios, &drive) };
            let said = refused(&Machine::start(&options), code);
            assert!(joined(&said).contains(&format!("the clock here says {}", &clock[..11])), "{said}");
        }
    }
}

#[test]
fn the_password_is_asked_for_on_the_serial_line() {
    if wanted() {
        let drive = drive(Variant::MbrWithPassword);
        let mut machine = Machine::start(&Options::new(Firmware::SeaBios, &drive));
        machine.wait_for("Password    (US keys):");
        machine.type_line("wrong");
        machine.wait_for("attempt 2 of 3");
        machine.type_line(PASSWORD);
        let said = accepted(&machine);
        assert!(!said.contains(PASSWORD) && said.contains(&"*".repeat(PASSWORD.chars().count())), "{said}");
    }
}

#[test]
fn three_wrong_passwords_end_it() {
    if wanted() {
        let drive = drive(Variant::MbrWithPassword);
        let mut machine = Machine::start(&Options::new(Firmware::SeaBios, &drive));
        for question in ["Password    (US keys):", "attempt 2 of 3", "attempt 3 of 3"] {
            machine.wait_for(question);
            machine.type_line("wrong");
        }
        refused(&machine, "P-T-006");
    }
}

#[test]
fn the_password_can_be_typed_on_the_keyboard_and_is_not_on_the_screen() {
    if wanted() {
        let drive = drive(Variant::MbrWithPassword);
        let mut machine = Machine::start(&Options::new(Firmware::Ovmf, &drive));
        machine.wait_for("Password    (US keys):");
        // Tab once is the British keyboard, twice the German one.
        machine.type_line_on_keyboard(&format!("\t\t{PASSWORD_ON_GERMAN_KEYS}"));
        let said = accepted(&machine);
        assert!(said.contains("Password    (DE keys):"), "{said}");
        let folder = tempfile::tempdir().expect("temporary folder");
        let png = folder.path().join("screen.png");
        machine.screendump(&png);
        let bytes = std::fs::read(&png).expect("dumped");
        assert!(bytes.starts_with(b"\x89PNG") && bytes.len() > 4096, "a screen with text on it: {} bytes", bytes.len());
        machine.type_line_on_keyboard("");
        machine.wait_for_power_off();
    }
}
