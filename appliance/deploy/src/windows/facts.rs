// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What conditions ask about a computer, as far as Windows has it in its registry.

use platen_sequence::run::Computer;

use super::command::own_program;

/// What the firmware says of the computer.
const FIRMWARE: &str = r"HKLM\HARDWARE\DESCRIPTION\System\BIOS";
/// Its `PEFirmwareType` is 2 where the computer was started by UEFI (`GetFirmwareType`).
const CONTROL: &str = r"HKLM\SYSTEM\CurrentControlSet\Control";
const SECURE_BOOT: &str = r"HKLM\SYSTEM\CurrentControlSet\Control\SecureBoot\State";
/// Of the first processor.
const PROCESSOR: &str = r"HKLM\HARDWARE\DESCRIPTION\System\CentralProcessor\0";

pub(super) fn computer() -> Computer {
    let text = |name: &str| value(FIRMWARE, name).unwrap_or_default();
    Computer {
        make: text("SystemManufacturer"),
        model: text("SystemProductName"),
        product: text("BaseBoardProduct"),
        bios_version: text("BIOSVersion"),
        is_uefi: number(CONTROL, "PEFirmwareType") == Some(2),
        has_secure_boot: number(SECURE_BOOT, "UEFISecureBootEnabled") == Some(1),
        architecture: std::env::consts::ARCH.replace("aarch64", "arm64"),
        processor_mhz: number(PROCESSOR, "~MHz").unwrap_or(0),
        ..Computer::default()
    }
}

/// A value of the registry as text; None where there is none.
pub(super) fn value(key: &str, name: &str) -> Option<String> {
    let ended = own_program("reg.exe", &["query", key, "/v", name]).ok().filter(|ended| ended.code == 0)?;
    ended.output.lines().find_map(|line| after_type(line.trim(), name))
}

/// A line is `name    REG_SZ    text`.
fn after_type(line: &str, name: &str) -> Option<String> {
    let is_name = line.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name));
    let rest = is_name.then(|| line[name.len()..].trim_start())?;
    let (kind, value) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    kind.starts_with("REG_").then(|| value.trim().to_owned())
}

/// A REG_DWORD, which is shown as `0x2`.
pub(super) fn number(key: &str, name: &str) -> Option<u32> {
    u32::from_str_radix(value(key, name)?.trim_start_matches("0x"), 16).ok()
}
