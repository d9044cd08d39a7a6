// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! GRUB's configuration on a medium, and the BIOS boot code that reads it.

use platen_disk::BootRecords;
use platen_disk::grub::patch;
use platen_media::manifest::{BiosRecords, is_id};
use platen_media::spec::MediaSpec;
use platen_media::{Blake3, Scheme};

use crate::AuthorError;
use crate::boot::kit::{BootKit, Role};

/// What the menu starts.
pub(crate) enum Start<'a> {
    /// A boot image of ours. GRUBs of old boot kits can't ask for the processor: then a 32-bit one shows nothing.
    Linux { boot_image_id: &'a str, asks_processor: bool },
    /// A Windows boot manager at the root of the volume.
    BootManager { path: &'a str },
}

/// The configuration. Equal for UEFI and BIOS; what only one of them has is asked for first.
pub(crate) fn configuration(spec: &MediaSpec, start: &Start<'_>) -> String {
    let entry = match start {
        Start::Linux { boot_image_id, asks_processor } => {
            // Ids have neither spaces nor quotes, so nothing here needs quoting.
            debug_assert!(is_id(boot_image_id) && is_id(&spec.id));
            let MediaSpec { id, revision, keyboard, .. } = spec;
            // The serial number of the very volume this is read from: it differs from drive to drive, so it can't
            // stand here.
            let linux = format!(
                "set volume=\n\
                 probe --set=volume --fs-uuid $root\n\
                 menuentry \"{}\" {{\n\
                 \x20 linux /boot/{boot_image_id}/vmlinuz console=tty0 console=ttyS0,115200 quiet platen.media={id} \
                 platen.revision={revision} platen.volume=$volume platen.keyboard={keyboard}\n\
                 \x20 initrd /boot/{boot_image_id}/initrd.img\n\
                 }}\n",
                title(spec)
            );
            match asks_processor {
                true => format!("if cpuid -l; then\n{linux}else\n{NO_64_BIT}fi\n"),
                false => linux,
            }
        }
        Start::BootManager { path } => format!("menuentry \"{}\" {{\n  ntldr /{path}\n}}\n", title(spec)),
    };
    format!(
        "set default=0\n\
         set timeout=3\n\
         if [ \"$grub_platform\" = \"pc\" ]; then\n\
         \x20 if serial --unit=0 --speed=115200; then\n\
         \x20   terminal_input console serial\n\
         \x20   terminal_output console serial\n\
         \x20 fi\n\
         fi\n\
         {entry}"
    )
}

/// Said instead of a menu: a 64-bit kernel would leave an empty screen.
const NO_64_BIT: &str = "\
    echo \"PLATEN MEDIA REFUSED: this computer has a 32-bit processor.\"\n\
    echo \"This medium needs a 64-bit (x86-64) one. Use another computer.\"\n\
    echo \"Press Escape to turn this computer off.\"\n\
    sleep --interruptible 86400\n\
    halt\n";

/// The menu's line: the id first, by which people call a medium; then its name, where GRUB's text screen and language
/// can take it.
fn title(spec: &MediaSpec) -> String {
    let MediaSpec { id, revision, name, version, .. } = spec;
    let shown: Vec<&str> = [name, version].into_iter().map(|text| text.trim()).filter(|text| is_plain(text)).collect();
    match shown.is_empty() {
        true => format!("{id} revision {revision}"),
        false => format!("{id} revision {revision}: {}", shown.join(" ")),
    }
}

/// What GRUB's text console can show and its language does not interpret.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || " .,-_()+:/".contains(c))
}

/// BIOS boot code of a kit: the three images as they are, and what they become on a drive of each scheme.
pub(crate) struct BiosCode {
    pub(crate) boot_img: Vec<u8>,
    pub(crate) core_mbr: Vec<u8>,
    pub(crate) core_gpt: Vec<u8>,
    mbr: BootRecords,
    gpt: BootRecords,
}

impl BiosCode {
    pub(crate) fn of(kit: &BootKit) -> Result<Self, AuthorError> {
        let read = |role| {
            let (_, path) = kit.file(role).map_err(AuthorError::BootKit)?;
            std::fs::read(&path).map_err(AuthorError::io("reading", &path))
        };
        let (boot_img, core_mbr, core_gpt) =
            (read(Role::BiosBoot)?, read(Role::BiosCoreMbr)?, read(Role::BiosCoreGpt)?);
        let patched = |core: &[u8], scheme| {
            patch(&boot_img, core, scheme)
                .map_err(|source| AuthorError::BootCode { path: kit.folder().to_owned(), source })
        };
        let (mbr, gpt) = (patched(&core_mbr, Scheme::Mbr)?, patched(&core_gpt, Scheme::Gpt)?);
        Ok(Self { boot_img, core_mbr, core_gpt, mbr, gpt })
    }

    /// What stands on a drive of this scheme.
    pub(crate) fn of_scheme(&self, scheme: Scheme) -> &BootRecords {
        match scheme {
            Scheme::Mbr => &self.mbr,
            Scheme::Gpt => &self.gpt,
        }
    }

    /// What the manifest says of that.
    pub(crate) fn records(&self) -> Vec<BiosRecords> {
        Scheme::ALL.into_iter().map(|scheme| record(scheme, self.of_scheme(scheme))).collect()
    }
}

fn record(scheme: Scheme, patched: &BootRecords) -> BiosRecords {
    // Laid down in whole sectors.
    let mut core = patched.core.clone();
    core.resize(core.len().next_multiple_of(512), 0);
    BiosRecords {
        scheme,
        boot_code_blake3: Blake3::of(&patched.boot_code),
        core_size_bytes: core.len() as u64,
        core_blake3: Blake3::of(&core),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str) -> MediaSpec {
        let text = format!(
            "kind = \"tree\"\nid = \"PLT00001\"\nname = {name:?}\nversion = \"24.2\"\nrevision = 7\n[tree]\npath = \"t\"\n"
        );
        MediaSpec::parse(&text, std::path::Path::new("medium.toml")).expect("valid")
    }

    const LINUX: Start<'_> = Start::Linux { boot_image_id: "PLTBOOT", asks_processor: true };

    #[test]
    fn the_configuration_is_what_grub_expects() {
        let expected = "\
set default=0
set timeout=3
if [ \"$grub_platform\" = \"pc\" ]; then
  if serial --unit=0 --speed=115200; then
    terminal_input console serial
    terminal_output console serial
  fi
fi
if cpuid -l; then
set volume=
probe --set=volume --fs-uuid $root
menuentry \"PLT00001 revision 7: Windows 11 24.2\" {
  linux /boot/PLTBOOT/vmlinuz console=tty0 console=ttyS0,115200 quiet platen.media=PLT00001 platen.revision=7 platen.volume=$volume platen.keyboard=us
  initrd /boot/PLTBOOT/initrd.img
}
else
echo \"PLATEN MEDIA REFUSED: this computer has a 32-bit processor.\"
echo \"This medium needs a 64-bit (x86-64) one. Use another computer.\"
echo \"Press Escape to turn this computer off.\"
sleep --interruptible 86400
halt
fi
";
        assert_eq!(configuration(&spec("Windows 11"), &LINUX), expected);
        let tree = configuration(&spec("T"), &Start::BootManager { path: "bootmgr" });
        assert!(tree.contains("  ntldr /bootmgr\n") && !tree.contains("cpuid"), "a tree may be for any processor");
    }

    #[test]
    fn the_menu_names_the_medium_whatever_it_is_called() {
        assert_eq!(title(&spec("윈도우 11 배포")), "PLT00001 revision 7: 24.2");
        for hostile in ["\"\n", "$(reboot)", "`x`", "a\\", "a;b", "{}", "'"] {
            assert_eq!(title(&MediaSpec { name: hostile.to_owned(), ..spec("x") }), "PLT00001 revision 7: 24.2");
        }
    }

    #[test]
    fn grub_itself_can_parse_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("grub.cfg");
        for start in [LINUX, Start::BootManager { path: "bootmgr" }] {
            std::fs::write(&path, configuration(&spec("Windows 11 (24H2)"), &start)).expect("writes");
            let status = std::process::Command::new("grub-script-check").arg(&path).status();
            assert!(status.expect("grub-script-check is here (appliance/install-packages test)").success());
        }
    }
}
