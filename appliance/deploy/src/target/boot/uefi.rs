// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Starting by UEFI: the files on the EFI system partition, and the firmware's entry.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use platen_disk::table::Listed;
use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};

use super::load_option::{load_option, name_of};
use super::{boot_file, place};
use crate::engine::machine::MachineError;
use crate::target::places::{bytes, names};

/// Where the signed GRUB looks for its configuration, wherever it was started from. Its own files are there as well, so that
/// the entry does not point to the fallback's place, which systems that are installed later may take.
const FOLDER: &str = "EFI/debian";
/// What the entry of a Linux starts.
pub(in crate::target) const LINUX_LOADER: &str = r"\EFI\debian\shimx64.efi";
/// And that of a Windows.
pub(in crate::target) const WINDOWS_LOADER: &str = r"\EFI\Microsoft\Boot\bootmgfw.efi";
/// On the medium, and on the disk for firmware without an entry: shim last, for it is what is started first.
const FALLBACK: [&str; 3] = ["EFI/BOOT/mmx64.efi", "EFI/BOOT/grubx64.efi", "EFI/BOOT/BOOTX64.EFI"];
/// For 32-bit firmware, where the medium has it. It is GRUB itself.
const FALLBACK_32_BIT: &str = "EFI/BOOT/BOOTIA32.EFI";

/// The namespace of the firmware's own variables (UEFI 3.3).
const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
/// Kept without power, there for firmware and system (UEFI 8.2).
const ATTRIBUTES: u32 = 7;
/// No variable read here is larger.
const MAX_VARIABLE_BYTES: u64 = 64 << 10;

/// Puts the files on the EFI system partition.
pub(in crate::target) fn write(esp: &Path, boot_files: &Path, config: &str) -> Result<(), MachineError> {
    let [mok_manager, grub, shim] = FALLBACK.map(|path| boot_file(boot_files, path));
    let (mok_manager, grub, shim) = (mok_manager?, grub?, shim?);
    place(esp, &format!("{FOLDER}/grub.cfg"), config.as_bytes())?;
    place(esp, &format!("{FOLDER}/mmx64.efi"), &mok_manager)?;
    place(esp, &format!("{FOLDER}/grubx64.efi"), &grub)?;
    place(esp, &format!("{FOLDER}/shimx64.efi"), &shim)?;
    if boot_files.join(FALLBACK_32_BIT).exists() {
        place(esp, FALLBACK_32_BIT, &boot_file(boot_files, FALLBACK_32_BIT)?)?;
    }
    FALLBACK.iter().zip([mok_manager, grub, shim]).try_for_each(|(path, bytes)| place(esp, path, &bytes))
}

/// For firmware without an entry: the image's own boot manager, which is on the partition already.
pub(in crate::target) fn write_windows(esp: &Path) -> Result<(), MachineError> {
    place(esp, FALLBACK[2], &boot_file(esp, &WINDOWS_LOADER[1..].replace('\\', "/"))?)
}

/// Adds an entry to the firmware's list and puts it first. One of the same name is replaced: firmware with a full list is known
/// to start no more.
pub(in crate::target) fn add_entry(variables: &Path, name: &str, partition: &Listed, loader: &str) -> io::Result<()> {
    let read = |variable: &str| bytes(&variables.join(format!("{variable}-{GLOBAL}")), MAX_VARIABLE_BYTES);
    let entries: Vec<(u16, Option<String>)> = names(variables)
        .iter()
        .filter_map(|file| {
            let number = file.strip_prefix("Boot")?.strip_suffix(GLOBAL)?.strip_suffix('-')?;
            let number = u16::from_str_radix(number, 16).ok().filter(|_| number.len() == 4)?;
            let option = read(&format!("Boot{number:04X}")).ok();
            Some((number, option.and_then(|option| name_of(option.get(4..)?))))
        })
        .collect();
    let same = entries.iter().find(|(_, found)| found.as_deref() == Some(name));
    let free = || (0..=u16::MAX).find(|number| entries.iter().all(|(taken, _)| taken != number));
    let number = same.map(|(number, _)| *number).or_else(free).ok_or_else(|| io::Error::other("no number is free"))?;
    set(variables, &format!("Boot{number:04X}"), &load_option(name, partition, loader))?;
    // The list may be missing where nothing was ever added.
    let order = read("BootOrder").unwrap_or_default();
    let order = order.get(4..).unwrap_or_default().chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
    let order = std::iter::once(number).chain(order.filter(|other| *other != number));
    set(variables, "BootOrder", &order.flat_map(u16::to_le_bytes).collect::<Vec<_>>())
}

/// One write makes a variable (kernel documentation, efivarfs); those that are there are protected from an `rm -r`.
fn set(variables: &Path, name: &str, value: &[u8]) -> io::Result<()> {
    let path = variables.join(format!("{name}-{GLOBAL}"));
    if let Ok(file) = File::open(&path)
        && let Ok(flags) = ioctl_getflags(&file)
        && flags.contains(IFlags::IMMUTABLE)
    {
        ioctl_setflags(&file, flags - IFlags::IMMUTABLE)?;
    }
    let mut file = File::options().write(true).create(true).truncate(false).open(&path)?;
    file.write_all(&[&ATTRIBUTES.to_le_bytes()[..], value].concat())
}
