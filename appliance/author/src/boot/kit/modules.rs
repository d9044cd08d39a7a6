// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Which kernel modules a boot image needs, and in which order they must be loaded.
//!
//! The kernel's package has no `modules.dep` (it is made on the machine where it is installed), so the same facts are
//! read from where `depmod` has them: the `.modinfo` section of each module. Modules are never changed: their signature
//! is at their end, and under Secure Boot the kernel loads no other.

use std::collections::{BTreeMap, BTreeSet};

use object::LittleEndian;
use object::elf::FileHeader64;
use object::read::elf::{FileHeader, SectionHeader};

/// A module that is wanted, in the order in which boot images load them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) name: &'static str,
    /// No boot image works without it. The others serve some machines only, and not every kernel has them.
    pub(crate) required: bool,
}

const fn required(name: &'static str) -> Wanted {
    Wanted { name, required: true }
}

const fn optional(name: &'static str) -> Wanted {
    Wanted { name, required: false }
}

/// Everything by which the medium is reached, the password typed and the screen seen; these are in the initramfs. Sound
/// and real graphics drivers are left out: the firmware's frame buffer and text screen are built into the kernel.
pub(crate) const WANTED: &[Wanted] = &[
    // Keyboards first: whoever waits for a slow drive may want to press a key.
    required("xhci_pci"),
    required("ehci_pci"),
    optional("ohci_pci"),
    optional("uhci_hcd"),
    required("hid_generic"),
    required("usbhid"),
    // Which keys are pressed, for the layouts of other countries.
    required("evdev"),
    // Surface laptops: their keyboard is behind a serial bus.
    optional("intel_lpss_pci"),
    optional("surface_aggregator_registry"),
    optional("surface_hid"),
    optional("surface_kbd"),
    optional("hyperv_keyboard"),
    // The volume, before the drives on which it will be found.
    required("vfat"),
    required("nls_cp437"),
    required("nls_ascii"),
    required("nls_utf8"),
    optional("nls_iso8859_1"),
    required("sd_mod"),
    required("usb_storage"),
    required("uas"),
    optional("nvme"),
    optional("vmd"),
    optional("ahci"),
    optional("ata_piix"),
    optional("virtio_pci"),
    optional("virtio_blk"),
    optional("virtio_scsi"),
    optional("hv_storvsc"),
    optional("vmw_pvscsi"),
    // Virtual machines whose screen the firmware can't hand over.
    optional("virtio_gpu"),
];

/// What a deployment needs beyond that: file systems of the target, its disks and its network. They are loaded from the
/// medium when it was checked, so that they cost the start nothing. Firmware files are left out, and what does nothing
/// without them.
pub(crate) const WANTED_BY_DEPLOYMENT: &[Wanted] = &[
    // ext4 asks the kernel for its checksum by name, not by dependency.
    required("crc32c_generic"),
    optional("crc32c_intel"),
    required("ext4"),
    optional("ntfs3"),
    // NTFS by a program, for the kernels without ntfs3.
    required("fuse"),
    required("loop"),
    // Boot entries of UEFI firmware.
    required("efivarfs"),
    // Disks behind RAID and SAS controllers, and soldered ones.
    optional("mpt3sas"),
    optional("mptsas"),
    optional("mptspi"),
    optional("megaraid_sas"),
    optional("hpsa"),
    optional("smartpqi"),
    optional("aacraid"),
    optional("isci"),
    optional("mmc_block"),
    optional("sdhci_pci"),
    optional("sdhci_acpi"),
    // Raw packets, in which a computer without an address asks for one.
    required("af_packet"),
    optional("virtio_net"),
    optional("vmxnet3"),
    optional("hv_netvsc"),
    optional("e1000"),
    optional("e1000e"),
    optional("igb"),
    optional("igc"),
    optional("ixgbe"),
    optional("i40e"),
    optional("ice"),
    // The part of these chips that the driver finds by itself only where modprobe is.
    optional("realtek"),
    optional("r8169"),
    optional("8139too"),
    optional("8139cp"),
    optional("tg3"),
    optional("bnxt_en"),
    optional("atlantic"),
    optional("alx"),
    optional("sky2"),
    optional("r8152"),
    optional("ax88179_178a"),
    optional("asix"),
    optional("cdc_ether"),
    optional("cdc_ncm"),
];

/// Parameters given to a module when it is loaded.
///
/// `hid` leaves many keyboards to a driver of their maker, none of which is in a boot image; as plain keyboards all of
/// them work.
pub(crate) fn parameters(name: &str) -> &'static str {
    match name {
        "hid" => "ignore_special_drivers=1",
        _ => "",
    }
}

/// A module's name as the kernel has it: its file's name without ending, `-` as `_`.
pub(crate) fn module_name(file_name: &str) -> Option<String> {
    let stem = ["", ".xz", ".zst"].iter().find_map(|packing| file_name.strip_suffix(&format!(".ko{packing}")))?;
    Some(stem.replace('-', "_"))
}

/// The modules that must be loaded before this one, by kernel name, from its `.modinfo` section; the error says what the
/// bytes are instead of a module.
pub(crate) fn depends(elf: &[u8]) -> Result<Vec<String>, String> {
    let fields = modinfo(elf).map_err(|error| format!("something else ({error})"))?;
    let list = fields.split(|&b| b == 0).find_map(|field| field.strip_prefix(b"depends="));
    let list = String::from_utf8_lossy(list.unwrap_or_default()).into_owned();
    Ok(list.split(',').filter(|name| !name.is_empty()).map(|name| name.replace('-', "_")).collect())
}

/// The `.modinfo` section of a 64-bit little-endian ELF file: fields `key=value`, each ended by a zero.
fn modinfo(elf: &[u8]) -> Result<&[u8], Box<dyn std::error::Error>> {
    let header = FileHeader64::<LittleEndian>::parse(elf)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, elf)?;
    let (_, section) = sections.section_by_name(endian, b".modinfo").ok_or("without a section .modinfo")?;
    Ok(section.data(endian, elf)?)
}

/// Puts `roots` and all they depend on in an order in which each module comes after those it needs.
///
/// `depends_on` maps every known module to its needs; a root or need that is not in it is passed over (it is built into
/// the kernel, or was checked before).
pub(crate) fn load_order<'a>(
    roots: impl IntoIterator<Item = &'a str>,
    depends_on: &'a BTreeMap<String, Vec<String>>,
) -> Vec<String> {
    fn enter<'a>(
        name: &'a str,
        all: &'a BTreeMap<String, Vec<String>>,
        entered: &mut BTreeSet<&'a str>,
        order: &mut Vec<String>,
    ) {
        let Some(needs) = all.get(name) else { return };
        // Entered before its needs, so that a ring of modules would end here instead of never.
        if !entered.insert(name) {
            return;
        }
        for need in needs {
            enter(need, all, entered, order);
        }
        order.push(name.to_owned());
    }
    let (mut entered, mut order) = (BTreeSet::new(), Vec::new());
    for root in roots {
        enter(root, depends_on, &mut entered, &mut order);
    }
    order
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A module with nothing in it but its `.modinfo` section.
    pub(crate) fn module(depends: &str) -> Vec<u8> {
        let info = format!("license=GPL\0depends={depends}\0name=x\0");
        let strings = b"\0.modinfo\0";
        let mut elf = vec![0u8; 64];
        elf[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        let (info_at, strings_at) = (64, 64 + info.len());
        let table = strings_at + strings.len();
        elf[0x28..0x30].copy_from_slice(&(table as u64).to_le_bytes());
        elf[0x3a] = 64;
        elf[0x3c] = 3;
        elf[0x3e] = 2;
        elf.extend(info.as_bytes());
        elf.extend(strings);
        let section = |name: u32, kind: u32, at: usize, size: usize| {
            let mut header = vec![0u8; 64];
            header[..4].copy_from_slice(&name.to_le_bytes());
            header[4..8].copy_from_slice(&kind.to_le_bytes());
            header[0x18..0x20].copy_from_slice(&(at as u64).to_le_bytes());
            header[0x20..0x28].copy_from_slice(&(size as u64).to_le_bytes());
            header
        };
        elf.extend(section(0, object::elf::SHT_NULL, 0, 0));
        elf.extend(section(1, object::elf::SHT_PROGBITS, info_at, info.len()));
        elf.extend(section(0, object::elf::SHT_STRTAB, strings_at, strings.len()));
        elf
    }

    #[test]
    fn needs_are_read_from_the_module_itself() {
        assert_eq!(depends(&module("usbcore,scsi-mod")), Ok(vec!["usbcore".to_owned(), "scsi_mod".to_owned()]));
        assert_eq!(depends(&module("")), Ok(vec![]));
        let whole = module("usbcore");
        for length in 0..whole.len() - 64 {
            let found = depends(&whole[..length]).expect_err("its tables are behind its end");
            assert!(found.starts_with("something else ("), "{length} bytes: {found}");
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] = 0xff;
            let _ = depends(&changed);
        }
    }

    #[test]
    fn what_is_needed_comes_first_and_once() {
        let all: BTreeMap<String, Vec<String>> =
            [("a", vec!["b", "builtin"]), ("b", vec!["c"]), ("c", vec![]), ("d", vec!["c"])]
                .into_iter()
                .map(|(name, needs)| (name.to_owned(), needs.into_iter().map(str::to_owned).collect()))
                .collect();
        assert_eq!(load_order(["a", "d", "absent"], &all), ["c", "b", "a", "d"]);
        let ring = [("x".to_owned(), vec!["y".to_owned()]), ("y".to_owned(), vec!["x".to_owned()])].into();
        assert_eq!(load_order(["x"], &ring), ["y", "x"], "a ring ends");
    }

    #[test]
    fn names_are_the_kernels() {
        assert_eq!(module_name("usb-storage.ko").as_deref(), Some("usb_storage"));
        assert_eq!(module_name("xhci-hcd.ko.xz").as_deref(), Some("xhci_hcd"));
        assert_eq!(module_name("modules.order"), None);
    }
}
