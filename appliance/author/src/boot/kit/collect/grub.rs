// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! GRUB's images that no package has ready: put together from its modules by its own program.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::packages::run;
use super::super::{BootKitError, DISK_MARKER, GRUB_CONFIG_FOLDER, Role};
use super::Collecting;
use crate::boot::cpio;

/// GRUB's parts for every firmware: enough to read a FAT volume on either kind of table and say which it is, and to
/// start Linux on a 64-bit processor.
const GRUB_MODULES: &[&str] = &[
    "part_msdos",
    "part_gpt",
    "fat",
    "search",
    "search_fs_uuid",
    "search_fs_file",
    "search_label",
    "normal",
    "linux",
    "configfile",
    "echo",
    "ls",
    "test",
    "halt",
    "reboot",
    "boot",
    "sleep",
    "minicmd",
    "probe",
    "cpuid",
];

/// For BIOS also what reads drives and hands over to a Windows boot manager; no more, because all of it must fit the
/// gap before the first partition.
const GRUB_BIOS_MODULES: &[&str] = &["biosdisk", "linux16", "chain", "ntldr", "serial", "terminal"];

/// For UEFI also the screen, which the kernel can't find by itself.
const GRUB_EFI_MODULES: &[&str] = &["all_video", "efi_gop", "efi_uga"];

/// For the disks of deployed computers: the file systems that Linux and Windows are installed on, what starts Windows' boot
/// manager, and what [`disk_configuration`] uses.
const GRUB_DISK_MODULES: &[&str] =
    &["biosdisk", "ext2", "ntfs", "ntldr", "serial", "terminal", "memdisk", "newc", "regexp"];

/// What GRUB runs first on a deployed computer's disk.
///
/// Which partition the system is on differs from disk to disk, and the core image must not: so it looks for a marker, on
/// the disk that firmware started (`cmdpath`) and on no other. Another disk may have an older system of the same kind.
fn disk_configuration() -> String {
    format!(
        "regexp --set=1:disk '^[(]([^,)]+)' \"$cmdpath\"\n\
         for marker in ($disk,*)/{DISK_MARKER}; do\n\
         \x20 if [ -f \"$marker\" ]; then\n\
         \x20   regexp --set=1:root '^[(]([^)]+)' \"$marker\"\n\
         \x20   set prefix=\"($root)/boot/grub\"\n\
         \x20   configfile \"$prefix/grub.cfg\"\n\
         \x20 fi\n\
         done\n\
         if serial --unit=0 --speed=115200; then\n\
         \x20 terminal_output console serial\n\
         fi\n\
         echo \"No partition of the disk $disk has the file {DISK_MARKER}: no system was installed on it as a whole.\"\n\
         echo \"Start the deployment medium again. Press Escape to turn this computer off.\"\n\
         sleep --interruptible 86400\n\
         halt\n"
    )
}

/// What is put together, and for which platform.
struct Image<'a> {
    format: &'a str,
    prefix: &'a str,
    more_modules: &'a [&'a str],
    /// A file that is `boot/grub/grub.cfg` in the image's own memory disk.
    configuration: Option<String>,
}

impl Collecting {
    /// GRUB for BIOS. The prefix has no drive before its comma: GRUB fills in the one it was started from, so that all
    /// drives share the same core image and no second drive can be mistaken for the medium.
    pub(super) fn bios(&mut self) -> Result<(), BootKitError> {
        self.unpack("grub-common")?;
        let modules = self.unpack("grub-pc-bin")?.join("usr/lib/grub/i386-pc");
        self.take("grub-pc-bin", &modules.join("boot.img"), Role::BiosBoot, "bios/boot.img")?;
        for (role, partition, to) in
            [(Role::BiosCoreMbr, "msdos1", "bios/core-mbr.img"), (Role::BiosCoreGpt, "gpt1", "bios/core-gpt.img")]
        {
            let prefix = format!("(,{partition})/boot/grub");
            let image =
                Image { format: "i386-pc", prefix: &prefix, more_modules: GRUB_BIOS_MODULES, configuration: None };
            let image = self.grub_image(&modules, image)?;
            self.take("grub-pc-bin", &image, role, to)?;
        }
        let image = Image {
            format: "i386-pc",
            prefix: "(memdisk)/boot/grub",
            more_modules: GRUB_DISK_MODULES,
            configuration: Some(disk_configuration()),
        };
        let image = self.grub_image(&modules, image)?;
        self.take("grub-pc-bin", &image, Role::BiosDiskCore, "bios/disk-core.img")
    }

    /// GRUB for 32-bit UEFI. It looks where the signed one looks, on the drive it was started from.
    pub(super) fn efi_32_bit(&mut self) -> Result<(), BootKitError> {
        let modules = self.unpack("grub-efi-ia32-bin")?.join("usr/lib/grub/i386-efi");
        let prefix = format!("/{GRUB_CONFIG_FOLDER}");
        let image = Image { format: "i386-efi", prefix: &prefix, more_modules: GRUB_EFI_MODULES, configuration: None };
        let image = self.grub_image(&modules, image)?;
        self.take("grub-efi-ia32-bin", &image, Role::GrubIa32, "efi/BOOTIA32.EFI")
    }

    /// Puts an image together from the modules of a package.
    fn grub_image(&self, modules: &Path, of: Image<'_>) -> Result<PathBuf, BootKitError> {
        let tool = self.unpacked.join("grub-common/usr/bin/grub-mkimage");
        if !tool.is_file() {
            return Err(self.no_file("grub-common", &tool));
        }
        let image = self.unpacked.join("core.img");
        let mut command = Command::new(&tool);
        command.arg("--directory").arg(modules).args(["--format", of.format, "--prefix", of.prefix]);
        command.arg("--output").arg(&image);
        if let Some(configuration) = of.configuration {
            let mut memory_disk = cpio::Archive::default();
            memory_disk.file("boot/grub/grub.cfg", 0o644, configuration.into_bytes());
            let path = self.unpacked.join("memdisk.cpio");
            std::fs::write(&path, memory_disk.bytes()).map_err(BootKitError::io("writing", &path))?;
            command.arg("--memdisk").arg(&path);
        }
        command.args(GRUB_MODULES).args(of.more_modules);
        // The program is the package's own, but its libraries are this machine's.
        run(&mut command, "grub-mkimage", "grub-common")?;
        Ok(image)
    }
}
