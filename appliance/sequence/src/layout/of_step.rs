// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What a step Format and Partition Disk says, in the forms in which Configuration Manager and MDT write it.
//!
//! Partitions are counted from 0 in names (`OSDPartitions0Type`) and from 1 in what people are told.

use platen_media::{Scheme, VolumeLabel};

use super::{DiskLayout, FileSystem, LayoutProblem, PartitionUse, PartitionWish, Size};
use crate::Step;
use crate::run::Environment;

/// 1 PiB: no disk is larger, and sums of so many MiB stay far from the end of their numbers.
const MAX_MIB: u64 = 1 << 30;
/// The partition the firmware starts from, where a step has no list. Microsoft asks for 200 MB or more, and for 260 MB with
/// sectors of 4096 bytes ("UEFI/GPT-based hard drive partitions").
const BOOT_MIB: u64 = 500;
/// "The size of the MSR is 16 MB", says the same page.
const RESERVED_MIB: u64 = 16;

impl DiskLayout {
    /// The number of the disk and how it is to be divided. What the sequence has set under a property's variable counts
    /// before what the step says.
    pub fn of_step(step: &Step, environment: &Environment, is_uefi: bool) -> Result<(usize, Self), LayoutProblem> {
        let of = Properties { step, environment };
        let disk = of.number(&["DiskIndex", "DiskNumber"], "OSDDiskIndex", 255)?.unwrap_or(0);
        of.word("DiskType", "OSDDiskType", "BASIC, for dynamic disks can't be made here", |word| {
            (word == "BASIC").then_some(())
        })?;
        let scheme = of.scheme(is_uefi)?;
        let most = match (scheme, is_uefi) {
            (Scheme::Mbr, _) => 4,
            (Scheme::Gpt, true) => 128,
            // One is GRUB's.
            (Scheme::Gpt, false) => 127,
        };
        let count = of.number(&["Partitions"], "OSDPartitions", most)?.unwrap_or(0);
        let mut partitions = match count {
            0 => without_list(scheme, is_uefi),
            count => (0..count).map(|index| of.partition(index, scheme)).collect::<Result<Vec<_>, _>>()?,
        };
        refuse_nothing_left(&partitions)?;
        choose_boot(&mut partitions, is_uefi)?;
        if scheme == Scheme::Gpt && !is_uefi {
            partitions.push(wish(PartitionUse::BiosBoot, Size::Mib(1), None, "", false));
        }
        Ok((disk as usize, Self { scheme, partitions }))
    }
}

/// The layout of a step that only names the disk.
fn without_list(scheme: Scheme, is_uefi: bool) -> Vec<PartitionWish> {
    let boot = if is_uefi {
        wish(PartitionUse::Efi, Size::Mib(BOOT_MIB), Some(FileSystem::Fat32), "SYSTEM", false)
    } else {
        wish(PartitionUse::Primary, Size::Mib(BOOT_MIB), Some(FileSystem::Ntfs), "System Reserved", false)
    };
    let reserved = wish(PartitionUse::MicrosoftReserved, Size::Mib(RESERVED_MIB), None, "", false);
    let rest = Size::PercentOfRemaining(100);
    let system = wish(PartitionUse::Primary, rest, Some(FileSystem::Ntfs), "OSDisk", true);
    match scheme {
        Scheme::Mbr => vec![boot, system],
        Scheme::Gpt => vec![boot, reserved, system],
    }
}

fn wish(
    purpose: PartitionUse,
    size: Size,
    file_system: Option<FileSystem>,
    label: &str,
    has_letter: bool,
) -> PartitionWish {
    PartitionWish {
        purpose,
        size,
        file_system,
        is_quick: true,
        is_boot: false,
        label: label.to_owned(),
        has_letter,
        letter_variable: None,
    }
}

/// Behind 100 percent there is nothing to take another percentage of.
fn refuse_nothing_left(partitions: &[PartitionWish]) -> Result<(), LayoutProblem> {
    let shares = partitions.iter().enumerate().filter_map(|(index, partition)| match partition.size {
        Size::PercentOfRemaining(percent) => Some((index, percent)),
        Size::Mib(_) => None,
    });
    let shares: Vec<(usize, u8)> = shares.collect();
    match shares
        .split_last()
        .and_then(|(last, before)| Some((last, before.iter().find(|(_, percent)| *percent == 100)?)))
    {
        Some((_, (index, _))) => Err(LayoutProblem::Property {
            property: name_of(*index as u64, "Size"),
            expected: "less than 100 percent, for a later partition takes a percentage too".to_owned(),
            found: "100 percent".to_owned(),
        }),
        None => Ok(()),
    }
}

/// What the firmware starts from: with UEFI the first EFI system partition, with BIOS what the step marks, else its first
/// primary partition.
fn choose_boot(partitions: &mut [PartitionWish], is_uefi: bool) -> Result<(), LayoutProblem> {
    let marked: Vec<usize> = (0..partitions.len()).filter(|&index| partitions[index].is_boot).collect();
    let first = |purpose| partitions.iter().position(|partition| partition.purpose == purpose);
    let chosen = match (is_uefi, &marked[..]) {
        (true, _) => first(PartitionUse::Efi),
        (false, []) => first(PartitionUse::Primary),
        (false, [one]) => Some(*one),
        (false, [_, second, ..]) => {
            return Err(LayoutProblem::Property {
                property: name_of(*second as u64, "Bootable"),
                expected: "one partition to start from".to_owned(),
                found: "another one before it".to_owned(),
            });
        }
    };
    for (index, partition) in partitions.iter_mut().enumerate() {
        partition.is_boot = Some(index) == chosen;
    }
    Ok(())
}

fn name_of(index: u64, what: &str) -> String {
    format!("OSDPartitions{index}{what}")
}

/// The properties of the step as they count now.
struct Properties<'a> {
    step: &'a Step,
    environment: &'a Environment,
}

impl Properties<'_> {
    /// By the first of its names that the step has, or as a variable that only the sequence sets.
    fn text(&self, names: &[&str], variable: &str) -> Option<String> {
        let own = names.iter().find_map(|name| self.environment.property(self.step, name));
        own.or_else(|| self.environment.get(variable).map(|value| value.trim().to_owned()))
            .filter(|text| !text.is_empty())
    }

    fn number(&self, names: &[&str], variable: &str, most: u64) -> Result<Option<u64>, LayoutProblem> {
        let Some(text) = self.text(names, variable) else { return Ok(None) };
        match text.parse().ok().filter(|number| *number <= most) {
            Some(number) => Ok(Some(number)),
            None => Err(unexpected(variable, &format!("a whole number up to {most}"), &text)),
        }
    }

    /// A word in any case.
    fn word<T>(
        &self,
        name: &str,
        variable: &str,
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, LayoutProblem> {
        let Some(text) = self.text(&[name], variable) else { return Ok(None) };
        let read = read(&text.to_ascii_uppercase());
        read.map(Some).ok_or_else(|| unexpected(variable, expected, &text))
    }

    fn scheme(&self, is_uefi: bool) -> Result<Scheme, LayoutProblem> {
        let native = if is_uefi { Scheme::Gpt } else { Scheme::Mbr };
        let Some(text) = self.text(&["PartitionStyle", "DiskStyle"], "OSDPartitionStyle") else { return Ok(native) };
        match &*text.to_ascii_uppercase() {
            "GPT" => Ok(Scheme::Gpt),
            "MBR" => Ok(Scheme::Mbr),
            _ => Err(unexpected("OSDPartitionStyle", "MBR or GPT", &text)),
        }
    }

    fn partition(&self, index: u64, scheme: Scheme) -> Result<PartitionWish, LayoutProblem> {
        let of = PartitionProperties { all: self, index };
        let purpose = of.purpose(scheme)?;
        let file_system = of.file_system(purpose)?;
        let is_volume = purpose == PartitionUse::Primary;
        Ok(PartitionWish {
            purpose,
            size: of.size()?,
            file_system,
            is_quick: of.flag("QuickFormat")?.unwrap_or(true),
            is_boot: of.flag("Bootable")?.unwrap_or(false),
            label: of.label(file_system)?,
            has_letter: is_volume && of.flag("AssignVolumeLetter")?.unwrap_or(true),
            letter_variable: of.text("VolumeLetterVariable").filter(|_| is_volume),
        })
    }
}

/// Those of one partition.
struct PartitionProperties<'a> {
    all: &'a Properties<'a>,
    index: u64,
}

impl PartitionProperties<'_> {
    fn text(&self, what: &str) -> Option<String> {
        self.all.text(&[&format!("Partitions{}{what}", self.index)], &name_of(self.index, what))
    }

    fn word<T>(
        &self,
        what: &str,
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, LayoutProblem> {
        self.all.word(&format!("Partitions{}{what}", self.index), &name_of(self.index, what), expected, read)
    }

    fn flag(&self, what: &str) -> Result<Option<bool>, LayoutProblem> {
        self.word(what, "true or false", |word| match word {
            "TRUE" => Some(true),
            "FALSE" => Some(false),
            _ => None,
        })
    }

    fn purpose(&self, scheme: Scheme) -> Result<PartitionUse, LayoutProblem> {
        let expected = match scheme {
            Scheme::Mbr => "Primary, Hidden, Recovery or EFI, at most four, for logical drives can't be made here",
            Scheme::Gpt => "Primary, Hidden, Recovery, EFI or MSR",
        };
        let found = self.word("Type", expected, |word| match (word, scheme) {
            ("PRIMARY", _) => Some(PartitionUse::Primary),
            ("HIDDEN", _) => Some(PartitionUse::Hidden),
            ("RECOVERY", _) => Some(PartitionUse::Recovery),
            ("EFI", _) => Some(PartitionUse::Efi),
            ("MSR", Scheme::Gpt) => Some(PartitionUse::MicrosoftReserved),
            _ => None,
        })?;
        Ok(found.unwrap_or(PartitionUse::Primary))
    }

    fn file_system(&self, purpose: PartitionUse) -> Result<Option<FileSystem>, LayoutProblem> {
        let said = |expected: &str, all: &[(&str, FileSystem)]| {
            let is_known = |word: &str| all.iter().find(|(name, _)| *name == word).map(|(_, known)| *known);
            self.word("FileSystem", expected, is_known)
        };
        const NTFS: (&str, FileSystem) = ("NTFS", FileSystem::Ntfs);
        const FAT32: (&str, FileSystem) = ("FAT32", FileSystem::Fat32);
        const EXT4: (&str, FileSystem) = ("EXT4", FileSystem::Ext4);
        Ok(match purpose {
            // Some editors leave a word there that nobody reads.
            PartitionUse::MicrosoftReserved | PartitionUse::BiosBoot => None,
            // UEFI 13.3: nothing else is one.
            PartitionUse::Efi => Some(FileSystem::Fat32),
            PartitionUse::Primary => {
                Some(said("NTFS, FAT32 or EXT4", &[NTFS, FAT32, EXT4])?.unwrap_or(FileSystem::Ntfs))
            }
            PartitionUse::Recovery | PartitionUse::Hidden => {
                Some(said("NTFS, as Windows has it", &[NTFS])?.unwrap_or(FileSystem::Ntfs))
            }
        })
    }

    fn size(&self) -> Result<Size, LayoutProblem> {
        let units = self.word("SizeUnits", "MB, GB or PERCENT", |word| match word {
            "MB" => Some(Some(1)),
            "GB" => Some(Some(1024)),
            "PERCENT" | "%" => Some(None),
            _ => None,
        })?;
        let name = name_of(self.index, "Size");
        let text = self.text("Size").unwrap_or_default();
        let number = text.parse::<u64>().ok().filter(|number| *number > 0);
        match units.unwrap_or(Some(1)) {
            Some(mib) => number
                .and_then(|number| number.checked_mul(mib))
                .filter(|size| *size <= MAX_MIB)
                .map(Size::Mib)
                .ok_or_else(|| unexpected(&name, &format!("a whole number of 1 to {}", MAX_MIB / mib), &text)),
            None => number
                .and_then(|number| u8::try_from(number).ok())
                .filter(|percent| *percent <= 100)
                .map(Size::PercentOfRemaining)
                .ok_or_else(|| unexpected(&name, "a whole number of 1 to 100", &text)),
        }
    }

    /// A name that the file system can hold.
    fn label(&self, file_system: Option<FileSystem>) -> Result<String, LayoutProblem> {
        let Some(label) = self.text("VolumeName") else { return Ok(String::new()) };
        let refused = |expected: &str| Err(unexpected(&name_of(self.index, "VolumeName"), expected, &label));
        if label.chars().any(char::is_control) {
            return refused("no control characters");
        }
        match file_system {
            None => Ok(String::new()),
            Some(FileSystem::Fat32) => match VolumeLabel::new(&label) {
                Ok(label) => Ok(label.to_string()),
                Err(error) => refused(&format!("a FAT label ({error})")),
            },
            Some(FileSystem::Ntfs) if label.encode_utf16().count() > 32 => refused("at most 32 characters"),
            // The superblock's field (kernel documentation, ext4, "Super Block": s_volume_name).
            Some(FileSystem::Ext4) if label.len() > 16 => refused("at most 16 bytes"),
            Some(FileSystem::Ntfs | FileSystem::Ext4) => Ok(label),
        }
    }
}

fn unexpected(property: &str, expected: &str, found: &str) -> LayoutProblem {
    let found = if found.is_empty() { "nothing".to_owned() } else { format!("{found:?}") };
    LayoutProblem::Property { property: property.to_owned(), expected: expected.to_owned(), found }
}
