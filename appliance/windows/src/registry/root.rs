// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! From a key as people write it to a hive and the key in it.

use super::{Hive, RegistryError, short};

/// `is_32_bit` is the view of 32-bit programs (`/reg:32`).
pub(super) fn split(key: &str, is_32_bit: bool) -> Result<(Hive, String), RegistryError> {
    let key = key.trim().trim_end_matches('\\');
    let refused = |reason| Err(RegistryError::NotOffline { key: short(key), reason });
    if key.starts_with("\\\\") {
        return refused("it is another computer's");
    }
    if key.split('\\').any(str::is_empty) || key.contains('\0') {
        return Err(RegistryError::Argument {
            expected: "a key, such as HKLM\\SOFTWARE\\Name".into(),
            found: short(key),
        });
    }
    let (root, rest) = key.split_once('\\').unwrap_or((key, ""));
    let (first, below) = rest.split_once('\\').unwrap_or((rest, ""));
    let view = |below: &str| match (is_32_bit, below) {
        (false, below) => below.to_owned(),
        (true, "") => "WOW6432Node".to_owned(),
        (true, below) => format!("WOW6432Node\\{below}"),
    };
    match (&*root.to_uppercase(), &*first.to_uppercase()) {
        ("HKLM" | "HKEY_LOCAL_MACHINE", "SOFTWARE") => Ok((Hive::Software, view(below))),
        ("HKLM" | "HKEY_LOCAL_MACHINE", "SYSTEM") => Ok((Hive::System, below.to_owned())),
        ("HKLM" | "HKEY_LOCAL_MACHINE", "SAM") => Ok((Hive::Sam, below.to_owned())),
        ("HKLM" | "HKEY_LOCAL_MACHINE", "SECURITY") => Ok((Hive::Security, below.to_owned())),
        ("HKLM" | "HKEY_LOCAL_MACHINE", "HARDWARE") => refused("Windows makes it anew at each start"),
        ("HKLM" | "HKEY_LOCAL_MACHINE", "BCD00000000") => refused("it is the boot store"),
        ("HKLM" | "HKEY_LOCAL_MACHINE" | "HKU" | "HKEY_USERS", "") => refused("it is no key of a file"),
        ("HKLM" | "HKEY_LOCAL_MACHINE", name) => {
            Ok((Hive::Loaded(format!("hklm\\{}", name.to_lowercase())), below.to_owned()))
        }
        ("HKU" | "HKEY_USERS", ".DEFAULT" | "S-1-5-18") => Ok((Hive::Default, below.to_owned())),
        ("HKU" | "HKEY_USERS", sid) if sid.starts_with("S-1-") => refused("it is a user's who logs on later"),
        ("HKU" | "HKEY_USERS", name) => Ok((Hive::Loaded(format!("hku\\{}", name.to_lowercase())), below.to_owned())),
        ("HKCR" | "HKEY_CLASSES_ROOT", _) => {
            let classes = if rest.is_empty() { "Classes".to_owned() } else { format!("Classes\\{rest}") };
            Ok((Hive::Software, view(&classes)))
        }
        ("HKCU" | "HKEY_CURRENT_USER", _) => refused("nobody is logged on; HKU\\.DEFAULT is the system's own user"),
        ("HKCC" | "HKEY_CURRENT_CONFIG", _) => refused("Windows makes it anew at each start"),
        _ => Err(RegistryError::Argument { expected: "a key, such as HKLM\\SOFTWARE\\Name".into(), found: short(key) }),
    }
}
