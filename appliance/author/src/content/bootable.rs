// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Whether a tree can start a computer, as far as its files show it: what firmware looks for is there, and is a program
//! of the kind that firmware starts. Nothing is executed.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use object::read::pe::{ImageNtHeaders, ImageOptionalHeader, PeFile, PeFile32, PeFile64};
use object::{FileKind, LittleEndian, pe};
use platen_media::fold_name;

use crate::content::item::Item;
use crate::content::notes::Notes;
use crate::content::walk::SourceFile;

/// UEFI 2.10, 3.5.1.1: what firmware starts from a removable drive, and the machine it must be for.
const LOADERS: [(&str, &[u16], &str); 5] = [
    ("EFI/BOOT/BOOTX64.EFI", &[pe::IMAGE_FILE_MACHINE_AMD64], "x86_64"),
    ("EFI/BOOT/BOOTIA32.EFI", &[pe::IMAGE_FILE_MACHINE_I386], "x86"),
    ("EFI/BOOT/BOOTAA64.EFI", &[pe::IMAGE_FILE_MACHINE_ARM64], "arm64"),
    // The specification's, and Windows' own.
    ("EFI/BOOT/BOOTARM.EFI", &[pe::IMAGE_FILE_MACHINE_THUMB, pe::IMAGE_FILE_MACHINE_ARMNT], "arm"),
    ("EFI/BOOT/BOOTRISCV64.EFI", &[pe::IMAGE_FILE_MACHINE_RISCV64], "riscv64"),
];

/// Longest EFI program that is read: they are at most some MiB, and firmware loads them as a whole.
const MAX_PROGRAM_BYTES: u64 = 256 << 20;

/// Notes what keeps a tree from starting. `bios`: it gets BIOS boot code, which starts its `bootmgr`.
pub(crate) fn check(items: &[Item], bios: bool, notes: &mut Notes) {
    let files = || items.iter().filter_map(|item| if let Item::File(file) = item { Some(file) } else { None });
    let find = |path: &str| files().find(|file| file.place.case_folded() == fold_name(path));
    let mut found_loader = false;
    for (path, machines, name) in LOADERS {
        let Some(file) = find(path) else { continue };
        found_loader = true;
        judge(file, Some((machines, name)), notes);
    }
    // Windows' own, which the one in EFI/BOOT is a copy of or leads to.
    for path in ["bootmgr.efi", "EFI/Microsoft/Boot/bootmgfw.efi"] {
        if let Some(file) = find(path) {
            judge(file, None, notes);
        }
    }
    if let Some(file) = find("bootmgr").filter(|_| bios)
        && let Err(found) = boot_manager(&file.path)
    {
        let text = format!("expected the boot manager that GRUB starts under BIOS, found {found}; replace it");
        notes.error("BOOT-PROGRAM", file.place.as_str(), text);
    }
    if !found_loader {
        let text =
            "expected EFI/BOOT/BOOTX64.EFI or that of another architecture, which UEFI firmware starts, found none";
        if bios {
            notes.warning("BOOT-UEFI", "tree", format!("{text}; it starts under BIOS only"));
        } else {
            notes.error("BOOT-LOADER", "tree", format!("{text}; no computer starts from it"));
        }
    }
}

fn judge(file: &SourceFile, expected: Option<(&[u16], &str)>, notes: &mut Notes) {
    if let Err(found) = efi_application(&file.path, expected.map(|(machines, _)| machines)) {
        let name = expected.map_or_else(String::new, |(_, name)| format!(" for {name}"));
        let text = format!("expected an EFI application{name}, found {found}; replace it");
        notes.error("BOOT-PROGRAM", file.place.as_str(), text);
    }
}

fn read(path: &Path, limit_bytes: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| crate::definition::sources::reason(&error))?;
    file.take(limit_bytes).read_to_end(&mut bytes).map_err(|error| crate::definition::sources::reason(&error))?;
    Ok(bytes)
}

/// What a file is instead of an EFI application for one of these machines.
fn efi_application(path: &Path, machines: Option<&[u16]>) -> Result<(), String> {
    let bytes = read(path, MAX_PROGRAM_BYTES)?;
    match FileKind::parse(&*bytes) {
        Ok(FileKind::Pe64) => program(&PeFile64::parse(&*bytes).map_err(damaged)?, bytes.len(), machines),
        Ok(FileKind::Pe32) => program(&PeFile32::parse(&*bytes).map_err(damaged)?, bytes.len(), machines),
        _ if bytes.is_empty() => Err("an empty file".into()),
        _ if bytes.starts_with(b"MZ") => Err("a program that is cut short or is none for UEFI".into()),
        _ => Err("something that is no program".into()),
    }
}

fn damaged(error: object::Error) -> String {
    format!("a damaged program ({error})")
}

fn program<H: ImageNtHeaders>(
    found: &PeFile<'_, H>,
    size_bytes: usize,
    machines: Option<&[u16]>,
) -> Result<(), String> {
    let machine = found.nt_headers().file_header().machine.get(LittleEndian);
    if machines.is_some_and(|machines| !machines.contains(&machine)) {
        let known = LOADERS.iter().find(|(_, machines, _)| machines.contains(&machine));
        return Err(
            known.map_or_else(|| format!("one for machine {machine:#06x}"), |(.., name)| format!("one for {name}"))
        );
    }
    let subsystem = found.nt_headers().optional_header().subsystem();
    if subsystem != pe::IMAGE_SUBSYSTEM_EFI_APPLICATION {
        let found = match subsystem {
            pe::IMAGE_SUBSYSTEM_EFI_BOOT_SERVICE_DRIVER | pe::IMAGE_SUBSYSTEM_EFI_RUNTIME_DRIVER => {
                "an EFI driver".into()
            }
            pe::IMAGE_SUBSYSTEM_WINDOWS_GUI | pe::IMAGE_SUBSYSTEM_WINDOWS_CUI => "a program for Windows".into(),
            other => format!("a program of subsystem {other}"),
        };
        return Err(found);
    }
    let ends = found.section_table().iter().map(|section| {
        let (start, len) = section.pe_file_range();
        u64::from(start) + u64::from(len)
    });
    match ends.max() {
        Some(end_bytes) if end_bytes > size_bytes as u64 => {
            Err(format!("one that is cut short: {size_bytes} of at least {end_bytes} bytes"))
        }
        _ => Ok(()),
    }
}

/// Windows' `bootmgr` for BIOS begins with a jump of 16-bit code.
fn boot_manager(path: &Path) -> Result<(), String> {
    let bytes = read(path, 4096)?;
    match bytes[..] {
        [] => Err("an empty file".into()),
        [b'M', b'Z', ..] => Err("a program for Windows or UEFI".into()),
        [0xe9 | 0xeb, ..] => Ok(()),
        _ => Err("something that does not begin like one".into()),
    }
}
