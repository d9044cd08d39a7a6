// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The real machine: this computer's disks, volumes and programs, as Linux has them.
//!
//! Everything goes out from [`Places`], so that tests give it a recorded machine, or image files for disks.

mod boot;
mod choice;
mod command;
mod disks;
mod facts;
mod format;
mod image;
mod mounts;
mod partition;
mod places;
mod programs;
mod superblock;
#[cfg(test)]
mod tests;
mod view;

use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use platen_disk::table::{LIST_BYTES, Listed, PartitionId, list};
use platen_media::Scheme;
use platen_sequence::run::Computer;
use platen_windows::bcd::Partition;
use platen_windows::drivers::Device;
use platen_windows::registry::Change;
use rustix::fs::{StatVfs, statvfs};

pub use self::image::apply;
pub use self::places::Places;

use self::mounts::Mounts;
use self::superblock::Superblock;
use crate::engine::checked::CheckedImage;
use crate::engine::machine::{
    BootSetup, Ended, FileSystem, LinuxBoot, Machine, MachineError, Order, Progress, Starts, TargetDisk, Volume,
};
use platen_sequence::layout::DiskLayout;

/// Letters that volumes get, in this order. Windows PE gives from C on, and has X for itself.
const LETTERS: &str = "CDEFGHIJKLMNOPQRSTUVWYZ";

/// This computer.
#[derive(Debug)]
pub struct RealMachine {
    places: Places,
    computer: Computer,
    disks: Vec<TargetDisk>,
    volumes: Vec<Known>,
    mounts: Mounts,
    notes: Vec<String>,
}

/// A volume, and what the sequence has to do with it.
#[derive(Debug)]
struct Known {
    volume: Volume,
    /// It is one of those that get a letter.
    has_letter: bool,
    /// This sequence has made it: its letter stays.
    is_made: bool,
    /// It was formatted and nobody has seen its root since.
    is_empty: bool,
}

impl RealMachine {
    /// Looks at the machine. `medium` is the name of the disk that the medium is, such as `sda`: it is none of the disks here.
    pub fn look(places: Places, medium: Option<&str>) -> Self {
        let variables = variables(&places);
        if facts::is_uefi(&places) && places::names(&variables).is_empty() {
            // Firmware may keep none.
            let _ = mount(Some("efivarfs"), &variables, Some("efivarfs"), MsFlags::empty(), None::<&str>);
        }
        let disks = disks::disks(&places, medium);
        let computer = facts::computer(&places, &disks);
        let mounts = Mounts::new(places.clone());
        let mut machine = Self { places, computer, disks, volumes: Vec::new(), mounts, notes: Vec::new() };
        for disk in 0..machine.disks.len() {
            machine.find_volumes(disk);
        }
        machine.give_letters();
        machine
    }

    /// What went otherwise than wished but does no harm, for the log; each is said once.
    pub fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// Takes all volumes away from their folders.
    pub fn unmount_all(&mut self) -> Result<(), MachineError> {
        self.mounts.unmount_all("")
    }

    fn disk(&self, index: usize) -> Result<&TargetDisk, MachineError> {
        self.disks.get(index).ok_or_else(|| MachineError::NoDisk {
            index,
            expected: "a disk of this computer".to_owned(),
            found: match self.disks.len() {
                0 => "none that a system can be installed on".to_owned(),
                count => format!("disks 0 to {}", count - 1),
            },
        })
    }

    fn device(&self, volume: &Volume) -> Result<PathBuf, MachineError> {
        Ok(disks::partition_device(&self.places, &self.disk(volume.disk)?.name, volume.partition))
    }

    /// The table of a disk.
    fn table(&self, index: usize) -> Result<(Scheme, Vec<Listed>), MachineError> {
        let disk = self.disk(index)?;
        let path = self.places.dev.join(&disk.name);
        let head = places::bytes(&path, LIST_BYTES as u64);
        let head = head.map_err(|source| MachineError::Io { doing: "reading", path: path.clone(), source })?;
        list(&head, disk.sector_bytes).ok_or_else(|| MachineError::Unexpected {
            what: path.display().to_string(),
            expected: "a partition table".to_owned(),
            found: "none".to_owned(),
        })
    }

    fn listed(&self, volume: &Volume) -> Result<(Scheme, Vec<Listed>, Listed), MachineError> {
        let (scheme, listed) = self.table(volume.disk)?;
        let own = listed.iter().copied().find(|one| one.number == volume.partition);
        let own = own.ok_or_else(|| MachineError::Unexpected {
            what: format!("partition {} of disk {}", volume.partition, volume.disk),
            expected: "to be in the disk's table".to_owned(),
            found: format!("{} others", listed.len()),
        })?;
        Ok((scheme, listed, own))
    }

    fn superblock(&self, volume: &Volume) -> Result<Superblock, MachineError> {
        let device = self.device(volume)?;
        Superblock::read(&device)?.ok_or_else(|| MachineError::Unexpected {
            what: device.display().to_string(),
            expected: format!("an {} volume", volume.file_system),
            found: "another one or none".to_owned(),
        })
    }

    /// Volumes that were there. What can't be read is none.
    fn find_volumes(&mut self, index: usize) {
        let Ok((_, listed)) = self.table(index) else { return };
        let Ok(disk) = self.disk(index).cloned() else { return };
        let found = listed.iter().filter_map(|one| {
            let device = disks::partition_device(&self.places, &disk.name, one.number);
            let superblock = Superblock::read(&device).ok()??;
            let volume = Volume {
                disk: index,
                partition: one.number,
                file_system: superblock.file_system,
                size_bytes: one.sectors.saturating_mul(disk.sector_bytes.into()),
                label: superblock.label,
                letter: None,
                is_boot: one.is_boot,
            };
            Some(Known { volume, has_letter: one.has_letter, is_made: false, is_empty: false })
        });
        let found: Vec<Known> = found.collect();
        self.volumes.extend(found);
    }

    /// Something comes onto a volume. Whether nothing was on it until now.
    fn fills(&mut self, volume: &Volume) -> bool {
        let is = |known: &&mut Known| (known.volume.disk, known.volume.partition) == (volume.disk, volume.partition);
        self.volumes.iter_mut().find(is).is_some_and(|known| std::mem::replace(&mut known.is_empty, false))
    }

    /// Refuses an image whose files alone need more than the volume has of blocks.
    fn expect_room(
        &mut self,
        volume: &Volume,
        needed_bytes: Option<u64>,
        blocks: fn(&StatVfs) -> u64,
    ) -> Result<(), MachineError> {
        let Some(needed_bytes) = needed_bytes else { return Ok(()) };
        let path = self.root(volume)?;
        let room = statvfs(&path).map_err(|error| MachineError::Io {
            doing: "asking for the room of",
            path,
            source: error.into(),
        })?;
        let found_bytes = blocks(&room).saturating_mul(room.f_frsize);
        if needed_bytes <= found_bytes {
            return Ok(());
        }
        let Volume { disk, partition, file_system, .. } = volume;
        Err(MachineError::Unexpected {
            what: format!("room for the image on disk {disk} partition {partition} ({file_system})"),
            expected: format!("{needed_bytes} bytes or more"),
            found: format!("{found_bytes}; make the partition larger, or use a smaller image"),
        })
    }

    /// In the order of disks and partitions, first to those that this sequence has made, which then keep theirs. What comes
    /// behind the last letter has none.
    fn give_letters(&mut self) {
        self.volumes.sort_by_key(|known| (known.volume.disk, known.volume.partition));
        for known in self.volumes.iter_mut().filter(|known| !known.is_made) {
            known.volume.letter = None;
        }
        let taken: Vec<char> = self.volumes.iter().filter_map(|known| known.volume.letter).collect();
        let mut free = LETTERS.chars().filter(|letter| !taken.contains(letter));
        for made in [true, false] {
            let without =
                |known: &&mut Known| known.is_made == made && known.has_letter && known.volume.letter.is_none();
            for known in self.volumes.iter_mut().filter(without) {
                known.volume.letter = free.next();
            }
        }
    }

    /// A volume of Linux: what is to be started, and its files.
    fn start_linux(&mut self, setup: &BootSetup, linux: &LinuxBoot, boot_files: &Path) -> Result<(), MachineError> {
        let superblock = self.superblock(&setup.system)?;
        let (scheme, listed, system) = self.listed(&setup.system)?;
        let config = boot::grub_config(setup, linux, &superblock, system.id)?;
        if facts::is_uefi(&self.places) {
            let (_, _, esp) = self.listed(&setup.boot)?;
            let system = self.root(&setup.system)?;
            boot::mark_whole(&system, &superblock.uuid)?;
            let root = self.root(&setup.boot)?;
            boot::uefi(&root, boot_files, &config)?;
            self.sync()?;
            self.add_entry(&setup.name, &esp, boot::LINUX_LOADER);
            return Ok(());
        }
        let disk = self.disk(setup.disk)?.clone();
        let code = boot::Code::new(boot_files, &disk, scheme, &listed)?;
        let root = self.root(&setup.system)?;
        boot::mark_whole(&root, &superblock.uuid)?;
        boot::bios(&root, &config)?;
        self.sync()?;
        code.write(self.places.dev.join(&disk.name), &disk)
    }

    /// A volume of Windows, whose boot manager and boot store are on the boot volume.
    fn start_windows(&mut self, setup: &BootSetup, boot_files: &Path) -> Result<(), MachineError> {
        let (scheme, listed, boot) = self.listed(&setup.boot)?;
        let is_uefi = facts::is_uefi(&self.places);
        let expected = if is_uefi { Scheme::Gpt } else { Scheme::Mbr };
        if scheme != expected {
            let (firmware, what) = (if is_uefi { "UEFI" } else { "BIOS" }, format!("the table of disk {}", setup.disk));
            let expected = format!("{expected}, for Windows starts by {firmware} from no other");
            return Err(MachineError::Unexpected { what, expected, found: scheme.to_string() });
        }
        if is_uefi {
            let esp = self.root(&setup.boot)?;
            boot::uefi_windows(&esp)?;
            self.sync()?;
            self.add_entry(&setup.name, &boot, boot::WINDOWS_LOADER);
            return Ok(());
        }
        let disk = self.disk(setup.disk)?.clone();
        let code = boot::Code::new(boot_files, &disk, scheme, &listed)?;
        let config = boot::windows_config(&setup.name)?;
        let root = self.root(&setup.boot)?;
        boot::bios(&root, &config)?;
        self.sync()?;
        code.write(self.places.dev.join(&disk.name), &disk)
    }

    fn add_entry(&mut self, name: &str, esp: &Listed, loader: &str) {
        if let Err(error) = boot::add_entry(&variables(&self.places), name, esp, loader) {
            self.notes.push(format!(
                "the firmware took no entry ({error}); it starts the disk's fallback, EFI/BOOT/BOOTX64.EFI"
            ));
        }
    }
}

/// The disk's GUID, in its byte order on the disk (UEFI 5.3.2: the header is in sector 1, `DiskGUID` at 56).
fn disk_guid(head: &[u8], sector_bytes: u32) -> Option<[u8; 16]> {
    let header = head.get(usize::try_from(sector_bytes).ok()?..)?;
    header.starts_with(b"EFI PART").then(|| header.get(56..)?.first_chunk().copied())?
}

/// Where the firmware's variables are.
fn variables(places: &Places) -> PathBuf {
    places.sys.join("firmware/efi/efivars")
}

/// How the names of a disk's mounted volumes begin.
fn of_disk(disk: usize) -> String {
    format!("{disk}-")
}

fn mount_name(volume: &Volume) -> String {
    format!("{}{}", of_disk(volume.disk), volume.partition)
}

impl Machine for RealMachine {
    fn computer(&self) -> Computer {
        self.computer.clone()
    }

    fn disks(&self) -> &[TargetDisk] {
        &self.disks
    }

    fn partition(&mut self, index: usize, layout: &DiskLayout) -> Result<Vec<Volume>, MachineError> {
        let disk = self.disk(index)?.clone();
        self.mounts.unmount_all(&of_disk(index))?;
        self.volumes.retain(|known| known.volume.disk != index);
        // Whatever becomes of it, it is no longer known to be empty.
        self.disks[index].has_data = true;
        let table = partition::partition(&self.places, index, &disk, layout)?;
        for ((wish, placed), partition) in layout.partitions.iter().zip(&table.partitions).zip(1..) {
            let Some(file_system) = wish.file_system else { continue };
            let device = disks::partition_device(&self.places, &disk.name, partition);
            format::format(&self.places, &device, placed.first_lba, file_system, wish)?;
            let volume = Volume {
                disk: index,
                partition,
                file_system,
                size_bytes: placed.sectors * u64::from(disk.sector_bytes),
                label: wish.label.clone(),
                letter: None,
                is_boot: wish.is_boot,
            };
            self.volumes.push(Known { volume, has_letter: wish.has_letter, is_made: true, is_empty: true });
        }
        self.sync()?;
        self.give_letters();
        Ok(self.volumes().into_iter().filter(|volume| volume.disk == index).collect())
    }

    fn volumes(&self) -> Vec<Volume> {
        self.volumes.iter().map(|known| known.volume.clone()).collect()
    }

    fn adopt(&mut self, volumes: &[Volume]) {
        let made = volumes.iter().cloned();
        let made =
            made.map(|volume| Known { has_letter: volume.letter.is_some(), is_made: true, is_empty: false, volume });
        self.volumes.retain(|known| {
            !volumes.iter().any(|made| (made.disk, made.partition) == (known.volume.disk, known.volume.partition))
        });
        self.volumes.extend(made);
        self.give_letters();
    }

    fn root(&mut self, volume: &Volume) -> Result<PathBuf, MachineError> {
        let device = self.device(volume)?;
        self.fills(volume);
        self.mounts.mount(mount_name(volume), &device, volume.file_system)
    }

    fn apply_image(
        &mut self,
        image: &CheckedImage,
        index: u32,
        volume: &Volume,
        protected: &[String],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), MachineError> {
        let was_mounted = self.mounts.has(&mount_name(volume));
        let (was_empty, needed_bytes) = (self.fills(volume), image::needed_bytes(&self.places, image, index)?);
        // What is there now stays where the image would not fit without it either.
        self.expect_room(volume, needed_bytes, |room| room.f_blocks)?;
        if !was_empty {
            // What starts it may stand on another volume, unless that was formatted just now.
            let is_boot = |it: &&Known| it.volume.disk == volume.disk && it.volume.is_boot && !it.is_empty;
            let boot = self.volumes.iter().find(is_boot).map(|known| known.volume.clone());
            for starts in boot.iter().chain([volume]) {
                let root = self.root(starts)?;
                boot::unmark(&root)?;
            }
            let root = self.root(volume)?;
            self.sync()?;
            image::clear(&root, protected)?;
        }
        self.expect_room(volume, needed_bytes, |room| room.f_bfree)?;
        if volume.file_system != FileSystem::Ntfs {
            let root = self.root(volume)?;
            image::apply(&self.places, image, index, &root, volume.file_system, progress)?;
            return self.sync();
        }
        // The program writes to the volume itself. Who had files there finds them again.
        self.mounts.unmount(&mount_name(volume))?;
        let applied = image::apply(&self.places, image, index, &self.device(volume)?, volume.file_system, progress);
        self.sync()?;
        if was_mounted {
            self.root(volume)?;
        }
        applied
    }

    fn devices(&self) -> Vec<Device> {
        facts::devices(&self.places)
    }

    fn change_hive(&mut self, hive: &Path, changes: &[Change]) -> Result<(), MachineError> {
        const PROGRAM: &str = "platen-hive";
        let program = programs::path(&self.places, PROGRAM)?;
        let applied = platen_hive::apply_in_process_of_its_own(&program, hive, changes);
        let applied = applied.map_err(|error| programs::failed(PROGRAM, platen_media::chain(&error)))?;
        if applied.was_dirty {
            self.notes.push(format!("{}: Windows had not written all of it when it was captured", hive.display()));
        }
        Ok(())
    }

    fn boot_id(&self, volume: &Volume) -> Result<Partition, MachineError> {
        let (_, _, own) = self.listed(volume)?;
        let disk = self.disk(volume.disk)?;
        let sector_bytes = u64::from(disk.sector_bytes);
        Ok(match own.id {
            PartitionId::Signature(disk_signature) => {
                Partition::Mbr { disk_signature, offset_bytes: own.first_lba.saturating_mul(sector_bytes) }
            }
            PartitionId::Guid(partition) => {
                let path = self.places.dev.join(&disk.name);
                let head = places::bytes(&path, 2 * sector_bytes);
                let head = head.map_err(|source| MachineError::Io { doing: "reading", path, source })?;
                Partition::Gpt { disk: disk_guid(&head, disk.sector_bytes).unwrap_or_default(), partition }
            }
        })
    }

    fn random(&mut self) -> Result<[u8; 32], MachineError> {
        partition::random()
    }

    fn make_bootable(&mut self, setup: &BootSetup, boot_files: &Path) -> Result<(), MachineError> {
        let wrong = |expected: &str| MachineError::Unexpected {
            what: "making the disk start".to_owned(),
            expected: expected.to_owned(),
            found: setup.system.file_system.to_string(),
        };
        match (&setup.starts, setup.system.file_system) {
            (Starts::Linux(linux), FileSystem::Ext4 | FileSystem::Fat32) => self.start_linux(setup, linux, boot_files),
            (Starts::Linux(_), FileSystem::Ntfs) => Err(wrong("a Linux on ext4 or FAT32")),
            (Starts::Windows, FileSystem::Ntfs) => self.start_windows(setup, boot_files),
            (Starts::Windows, _) => Err(wrong("a Windows on NTFS")),
        }
    }

    fn run(&mut self, order: &Order) -> Result<Ended, MachineError> {
        command::run(&self.places, order)
    }

    fn sync(&mut self) -> Result<(), MachineError> {
        rustix::fs::sync();
        Ok(())
    }
}
