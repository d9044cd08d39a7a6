//! What the kernel says about a block device, read from sysfs and udev's library (no udev daemon is needed).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sys::stat::{major, minor};
use platen_engine::DriveKind;

/// A block device as sysfs shows it.
pub(crate) struct BlockDevice {
    dir: PathBuf,
    name: String,
}

impl BlockDevice {
    /// By device number.
    pub(crate) fn by_number(number: u64) -> Option<Self> {
        let link = format!("/sys/dev/block/{}:{}", major(number), minor(number));
        let dir = fs::canonicalize(link).ok()?;
        let name = dir.file_name()?.to_str()?.to_owned();
        Some(Self { dir, name })
    }

    fn attribute(&self, name: &str) -> Option<String> {
        Some(fs::read_to_string(self.dir.join(name)).ok()?.trim().to_owned())
    }

    /// The drive a partition belongs to; None for whole drives.
    pub(crate) fn whole(&self) -> Option<PathBuf> {
        self.dir.join("partition").exists().then(|| {
            let parent = self.dir.parent().and_then(Path::file_name).unwrap_or_default();
            Path::new("/dev").join(parent)
        })
    }

    pub(crate) fn is_read_only(&self) -> bool {
        self.attribute("ro").as_deref() == Some("1")
    }

    /// Logical sector size in bytes.
    pub(crate) fn sector_bytes(&self) -> Option<u32> {
        self.attribute("queue/logical_block_size")?.parse().ok()
    }

    /// Counts insertions; tells a drive from another one that was inserted in its place.
    pub(crate) fn disk_sequence(&self) -> Option<u64> {
        self.attribute("diskseq")?.parse().ok()
    }

    pub(crate) fn kind(&self) -> DriveKind {
        let removable = self.attribute("removable").as_deref() == Some("1");
        match self.usb() {
            _ if self.name.starts_with("loop") => DriveKind::Loop,
            Some(_) if removable => DriveKind::Usb,
            _ => DriveKind::Other,
        }
    }

    /// For people: what it is instead of a removable USB drive.
    pub(crate) fn describe(&self) -> String {
        match self.usb() {
            _ if self.name.starts_with("loop") => "a loop device".to_owned(),
            Some(_) => "a fixed USB disk".to_owned(),
            None => format!("the internal disk {}", self.name),
        }
    }

    /// The USB device behind it.
    pub(crate) fn usb(&self) -> Option<UsbDevice> {
        let device = udev::Device::from_syspath(&self.dir).ok()?;
        let usb = device.parent_with_subsystem_devtype("usb", "usb_device").ok()??;
        let text = |name: &str| usb.attribute_value(name).map(|value| value.to_string_lossy().trim().to_owned());
        let number = |name: &str| u16::from_str_radix(&text(name)?, 16).ok();
        Some(UsbDevice {
            port: usb.sysname().to_string_lossy().into_owned(),
            serial: text("serial"),
            vendor_product: number("idVendor").zip(number("idProduct")),
        })
    }

    /// Who uses this drive or one of its partitions: mounts, swap, device-mapper and RAID.
    pub(crate) fn users(&self) -> Vec<String> {
        let mut parts = vec![self.dir.clone()];
        let children = fs::read_dir(&self.dir).into_iter().flatten().flatten().map(|entry| entry.path());
        parts.extend(children.filter(|path| path.join("partition").exists()));
        let numbers: Vec<String> = parts
            .iter()
            .filter_map(|part| Some(fs::read_to_string(part.join("dev")).ok()?.trim().to_owned()))
            .collect();
        let names: Vec<String> =
            parts.iter().filter_map(|part| Some(format!("/dev/{}", part.file_name()?.to_str()?))).collect();

        let mut users = Vec::new();
        // proc(5), mountinfo: the third field is major:minor, the fifth the mount point.
        for line in fs::read_to_string("/proc/self/mountinfo").unwrap_or_default().lines() {
            let fields: Vec<&str> = line.split(' ').collect();
            if let (Some(number), Some(mount_point)) = (fields.get(2), fields.get(4))
                && numbers.iter().any(|n| n == number)
            {
                users.push(format!("mounted at {mount_point}"));
            }
        }
        for line in fs::read_to_string("/proc/swaps").unwrap_or_default().lines().skip(1) {
            if line.split_whitespace().next().is_some_and(|device| names.iter().any(|name| name == device)) {
                users.push("swap".to_owned());
            }
        }
        for part in &parts {
            for holder in fs::read_dir(part.join("holders")).into_iter().flatten().flatten() {
                users.push(format!("held by {}", holder.file_name().to_string_lossy()));
            }
        }
        users
    }
}

/// What a USB drive says of itself, and where it is.
pub(crate) struct UsbDevice {
    /// Bus and port path, for example `2-3.1`.
    pub(crate) port: String,
    pub(crate) serial: Option<String>,
    pub(crate) vendor_product: Option<(u16, u16)>,
}

/// Mount points that make a disk a system disk, whatever was allowed.
pub(crate) fn is_system_mount(user: &str) -> bool {
    let mounts = ["/", "/boot", "/boot/efi", "/usr", "/var", "/home", "/etc"];
    user == "swap" || user.strip_prefix("mounted at ").is_some_and(|point| mounts.contains(&point))
}

/// The loop device that has this file open, if any.
pub(crate) fn loop_device_of(file: &fs::Metadata) -> Option<String> {
    let devices = fs::read_dir("/sys/block").ok()?.flatten();
    devices.filter(|entry| entry.file_name().to_string_lossy().starts_with("loop")).find_map(|entry| {
        let backing = fs::read_to_string(entry.path().join("loop/backing_file")).ok()?;
        let other = fs::metadata(backing.trim_end()).ok()?;
        let same = (other.dev(), other.ino()) == (file.dev(), file.ino());
        same.then(|| format!("/dev/{}", entry.file_name().to_string_lossy()))
    })
}
