// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! `grub.cfg` of a deployed computer.

use platen_disk::table::PartitionId;

use super::mark;
use crate::engine::machine::{BootSetup, LinuxBoot, MachineError};
use crate::target::superblock::Superblock;

/// Starts the system at once; its menu is there when it does not start.
pub(in crate::target) fn grub_config(
    setup: &BootSetup,
    boot: &LinuxBoot,
    system: &Superblock,
    partition: PartitionId,
) -> Result<String, MachineError> {
    let root = match (&boot.initrd, partition) {
        (Some(_), _) => format!("UUID={}", system.uuid),
        // Without an initramfs nobody but the kernel looks for it, by what the table says (`init/do_mounts.c`).
        (None, PartitionId::Guid(guid)) => format!("PARTUUID={}", guid_text(&guid)),
        (None, PartitionId::Signature(signature)) => format!("PARTUUID={signature:08x}-{:02x}", setup.system.partition),
    };
    let arguments = boot.arguments.split_whitespace().map(|argument| word("the kernel's arguments", argument));
    let arguments = arguments.collect::<Result<Vec<_>, _>>()?;
    let mut lines = vec![
        "set default=0".to_owned(),
        "set timeout=0".to_owned(),
        format!("menuentry {} {{", word("the system's name", &setup.name)?),
        format!("  search --no-floppy --fs-uuid --set=root {}", word("the volume's number", &system.uuid)?),
        format!("  if [ ! -f {} ]; then", word("the mark", &format!("/{}", mark(&system.uuid)))?),
        "    echo 'No system was installed here as a whole. Start the deployment medium again.'".to_owned(),
        "    sleep --interruptible 86400".to_owned(),
        "    halt".to_owned(),
        "  fi".to_owned(),
        format!("  linux {} root={root} {}", word("the kernel", &boot.kernel)?, arguments.join(" "))
            .trim_end()
            .to_owned(),
    ];
    if let Some(initrd) = &boot.initrd {
        lines.push(format!("  initrd {}", word("the initramfs", initrd)?));
    }
    lines.push("}\n".to_owned());
    Ok(lines.join("\n"))
}

/// Windows' boot manager, on the volume where this configuration was found.
pub(in crate::target) fn windows_config(name: &str) -> Result<String, MachineError> {
    let name = word("the system's name", name)?;
    Ok(format!("set default=0\nset timeout=0\nmenuentry {name} {{\n  ntldr /bootmgr\n}}\n"))
}

/// A word as GRUB's script takes it, whatever is in it.
fn word(what: &str, text: &str) -> Result<String, MachineError> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(MachineError::Unexpected {
            what: what.to_owned(),
            expected: "some text without control characters".to_owned(),
            found: format!("{text:?}"),
        });
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-=,:+@".contains(c);
    Ok(if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) })
}

/// As it is written; on the disk the first three fields are little-endian (UEFI appendix A).
fn guid_text(guid: &[u8; 16]) -> String {
    const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    let digits: String = ORDER.iter().map(|&at| format!("{:02x}", guid[at])).collect();
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}
