//! GRUB's configuration on a medium, and the BIOS boot code that reads it.

use platen_disk::BootRecords;
use platen_disk::grub::patch;
use platen_media::Blake3;
use platen_media::manifest::{BiosRecords, Scheme, is_id};

use crate::AuthorError;
use crate::boot_kit::{BootKit, Role};

/// What the menu starts.
pub(crate) enum Start<'a> {
    /// A boot image of ours.
    Linux { boot_image_id: &'a str, media_id: &'a str },
    /// A Windows boot manager at the root of the volume.
    BootManager { path: &'a str },
}

/// The configuration. Equal for UEFI and BIOS; what only one of them has is asked for first.
pub(crate) fn configuration(title: &str, start: &Start<'_>) -> String {
    let commands = match start {
        Start::Linux { boot_image_id, media_id } => {
            // Ids have neither spaces nor quotes, so nothing here needs quoting.
            debug_assert!(is_id(boot_image_id) && is_id(media_id));
            format!(
                "  linux /boot/{boot_image_id}/vmlinuz console=tty0 console=ttyS0,115200 quiet platen.media={media_id}\n  \
                 initrd /boot/{boot_image_id}/initrd.img\n"
            )
        }
        Start::BootManager { path } => format!("  ntldr /{path}\n"),
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
         menuentry \"{}\" {{\n\
         {commands}\
         }}\n",
        plain(title)
    )
}

/// What GRUB's text console can show and its language does not interpret.
fn plain(title: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || " .,-_()+:/".contains(c) { c } else { '?' };
    title.chars().map(keep).collect()
}

/// BIOS boot code of a kit: the three images as they are, and what they become on a drive of each scheme.
pub(crate) struct BiosCode {
    pub(crate) boot_img: Vec<u8>,
    pub(crate) core_mbr: Vec<u8>,
    pub(crate) core_gpt: Vec<u8>,
    pub(crate) records: Vec<BiosRecords>,
}

impl BiosCode {
    pub(crate) fn of(kit: &BootKit) -> Result<Self, AuthorError> {
        let read = |role| {
            let (_, path) = kit.file(role).map_err(AuthorError::BootKit)?;
            std::fs::read(&path).map_err(AuthorError::io("reading", &path))
        };
        let (boot_img, core_mbr, core_gpt) =
            (read(Role::BiosBoot)?, read(Role::BiosCoreMbr)?, read(Role::BiosCoreGpt)?);
        let mut records = Vec::new();
        for (scheme, on_disk, core) in
            [(Scheme::Mbr, platen_disk::Scheme::Mbr, &core_mbr), (Scheme::Gpt, platen_disk::Scheme::Gpt, &core_gpt)]
        {
            let patched = patch(&boot_img, core, on_disk)
                .map_err(|source| AuthorError::BootCode { path: kit.folder().to_owned(), source })?;
            records.push(record(scheme, patched));
        }
        Ok(Self { boot_img, core_mbr, core_gpt, records })
    }
}

fn record(scheme: Scheme, patched: BootRecords) -> BiosRecords {
    // Laid down in whole sectors.
    let mut core = patched.core;
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

    #[test]
    fn the_configuration_is_what_grub_expects() {
        let start = Start::Linux { boot_image_id: "PLTBOOT", media_id: "PLT00001" };
        let expected = "\
set default=0
set timeout=3
if [ \"$grub_platform\" = \"pc\" ]; then
  if serial --unit=0 --speed=115200; then
    terminal_input console serial
    terminal_output console serial
  fi
fi
menuentry \"Windows 11 ??? ?reboot\" {
  linux /boot/PLTBOOT/vmlinuz console=tty0 console=ttyS0,115200 quiet platen.media=PLT00001
  initrd /boot/PLTBOOT/initrd.img
}
";
        assert_eq!(configuration("Windows 11 한국어 \"reboot", &start), expected);
        assert!(configuration("T", &Start::BootManager { path: "bootmgr" }).contains("  ntldr /bootmgr\n"));
        for hostile in ["\"\n", "$(reboot)", "`x`", "a\\", "a;b", "{}", "'"] {
            let line = configuration(hostile, &start).lines().nth(8).expect("the menu entry").to_owned();
            assert!(line.ends_with("\" {") && line.matches('"').count() == 2 && !line.contains('$'), "{line}");
        }
    }

    #[test]
    fn grub_itself_can_parse_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("grub.cfg");
        std::fs::write(&path, configuration("Windows 11 (24H2)", &Start::BootManager { path: "bootmgr" }))
            .expect("writes");
        match std::process::Command::new("grub-script-check").arg(&path).status() {
            Ok(status) => assert!(status.success()),
            Err(_) => eprintln!("skipped: grub-script-check is not installed"),
        }
    }
}
