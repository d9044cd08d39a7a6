// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What the kernel says about one block device, read from sysfs (no udev daemon is needed).

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use nix::sys::stat::{major, minor};
use platen_engine::{DriveFacts, DriveKind, DriveRef};

use crate::machine::{Machine, attribute, number_of};

/// A block device as sysfs shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BlockDevice {
    pub(crate) dir: PathBuf,
    /// As the kernel calls it, for example `sdb`.
    pub(crate) name: String,
    pub(crate) number: u64,
}

impl BlockDevice {
    /// By device number. An error means that the kernel has no such device, or that `/sys` can't be read.
    pub(crate) fn by_number(machine: &Machine, number: u64) -> io::Result<Self> {
        Self::in_folder(&machine.sys(&format!("dev/block/{}:{}", major(number), minor(number))))
    }

    /// By its folder in sysfs, or a link to it.
    pub(crate) fn in_folder(folder: &Path) -> io::Result<Self> {
        let dir = fs::canonicalize(folder)?;
        let name = dir.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let number = number_of(&attribute(&dir.join("dev"))?).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { dir, name, number })
    }

    fn attribute(&self, name: &str) -> io::Result<String> {
        attribute(&self.dir.join(name))
    }

    /// The drive a partition belongs to; None for whole drives.
    pub(crate) fn whole(&self) -> Option<PathBuf> {
        self.dir.join("partition").exists().then(|| {
            let parent = self.dir.parent().and_then(Path::file_name).unwrap_or_default();
            Path::new("/dev").join(parent)
        })
    }

    /// The device itself and all its partitions.
    pub(crate) fn parts(&self) -> io::Result<Vec<Self>> {
        let mut parts = vec![self.clone()];
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            if path.join("partition").exists() {
                parts.push(Self::in_folder(&path)?);
            }
        }
        Ok(parts)
    }

    /// What was put on top of it: device mapper, RAID and the like.
    pub(crate) fn holders(&self) -> io::Result<Vec<Self>> {
        match fs::read_dir(self.dir.join("holders")) {
            Ok(holders) => holders.map(|holder| Self::in_folder(&holder?.path())).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn is_read_only(&self) -> io::Result<bool> {
        Ok(self.attribute("ro")? == "1")
    }

    /// Logical sector size in bytes.
    pub(crate) fn sector_bytes(&self) -> io::Result<u32> {
        self.attribute("queue/logical_block_size")?.parse().map_err(|_| io::ErrorKind::InvalidData.into())
    }

    /// Counts insertions, of media into readers as well; tells a drive from another one that was inserted in its place.
    /// In Linux since 5.15.
    pub(crate) fn disk_sequence(&self) -> io::Result<u64> {
        self.attribute("diskseq")?.parse().map_err(|_| io::ErrorKind::InvalidData.into())
    }

    /// The attribute behind [`Self::disk_sequence`], to be read again and again.
    pub(crate) fn open_disk_sequence(&self) -> io::Result<File> {
        File::open(self.dir.join("diskseq"))
    }

    /// Its capacity in bytes. In sysfs it is counted in sectors of 512 bytes, whatever those of the drive are.
    pub(crate) fn size_bytes(&self) -> io::Result<u64> {
        let sectors: Option<u64> = self.attribute("size")?.parse().ok();
        sectors.and_then(|sectors| sectors.checked_mul(512)).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Nothing is inserted: a reader's empty slot, a loop device that stands on nothing.
    pub(crate) fn is_empty(&self) -> io::Result<bool> {
        Ok(self.attribute("size")? == "0")
    }

    pub(crate) fn kind(&self) -> io::Result<DriveKind> {
        let removable = self.attribute("removable")? == "1";
        Ok(match self.usb() {
            _ if self.name.starts_with("loop") => DriveKind::Loop,
            Some(_) if removable && !self.is_optical() => DriveKind::Usb,
            _ => DriveKind::Other,
        })
    }

    /// For people: what it is instead of a removable USB drive.
    pub(crate) fn describe(&self) -> String {
        match self.usb() {
            _ if self.name.starts_with("loop") => "a loop device".to_owned(),
            _ if self.is_optical() => "an optical drive".to_owned(),
            Some(_) => "a fixed USB disk".to_owned(),
            None => format!("the internal disk {}", self.name),
        }
    }

    /// Type 5 of SCSI's peripheral device types (SPC-4, 6.6.2): "removable" as a stick is, and some can be written.
    pub(crate) fn is_optical(&self) -> bool {
        self.attribute("device/type").is_ok_and(|kind| kind == "5")
    }

    /// What is known of a whole drive before it is touched. `path` is how it is reached: it names a drive that is in no USB
    /// port. Whoever lists drives and whoever opens one asks here, so that both call it by the same name.
    pub(crate) fn facts(
        &self,
        path: &Path,
        kind: DriveKind,
        size_bytes: u64,
        disk_sequence: Option<u64>,
        read_back: String,
    ) -> DriveFacts {
        let usb = self.usb();
        let own_name = || path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        DriveFacts {
            drive: DriveRef {
                port: usb.as_ref().map_or_else(own_name, |usb| usb.port.clone()),
                path: path.display().to_string(),
            },
            kind,
            size_bytes,
            sector_bytes: self.sector_bytes().unwrap_or(512),
            serial: usb.as_ref().and_then(|usb| usb.serial.clone()),
            vendor_product: usb.as_ref().and_then(|usb| usb.vendor_product),
            model: usb.and_then(|usb| usb.model),
            disk_sequence,
            read_back,
            inserted: None,
        }
    }

    /// The folder of the USB device behind it: the nearest on the way up. Hubs are further up.
    pub(crate) fn usb_folder(&self) -> Option<&Path> {
        self.dir.ancestors().find(|folder| is_usb_device(folder))
    }

    /// The USB device behind it.
    pub(crate) fn usb(&self) -> Option<UsbDevice> {
        self.usb_folder().and_then(UsbDevice::read)
    }
}

fn is_usb_device(folder: &Path) -> bool {
    let subsystem = fs::read_link(folder.join("subsystem")).ok();
    let is_usb = subsystem.is_some_and(|bus| bus.file_name().is_some_and(|name| name == "usb"));
    // An interface of the device is of the same subsystem.
    let uevent = || fs::read_to_string(folder.join("uevent")).unwrap_or_default();
    is_usb && uevent().lines().any(|line| line == "DEVTYPE=usb_device")
}

/// The names that are there, one after the other.
fn named(manufacturer: Option<String>, product: Option<String>) -> Option<String> {
    let names: Vec<String> = manufacturer.into_iter().chain(product).filter(|name| !name.is_empty()).collect();
    (!names.is_empty()).then(|| names.join(" "))
}

/// What a USB drive says of itself, and where it is.
pub(crate) struct UsbDevice {
    /// Bus and port path, for example `2-3.1`.
    pub(crate) port: String,
    pub(crate) serial: Option<String>,
    /// Manufacturer and product.
    pub(crate) model: Option<String>,
    pub(crate) vendor_product: Option<(u16, u16)>,
}

impl UsbDevice {
    /// By its folder in sysfs.
    pub(crate) fn read(folder: &Path) -> Option<Self> {
        let text = |name: &str| attribute(&folder.join(name)).ok();
        let number = |name: &str| u16::from_str_radix(&text(name)?, 16).ok();
        Some(Self {
            port: folder.file_name()?.to_string_lossy().into_owned(),
            serial: text("serial"),
            model: named(text("manufacturer"), text("product")),
            vendor_product: number("idVendor").zip(number("idProduct")),
        })
    }
}
