// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The volumes of this computer: which there are, and what stands on them.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount, umount};
use platen_media::Sha256;
use platen_media::sign::TrustedKeys;

use crate::boot_menu::{VolumeSerial, Wanted};
use crate::check::signature;
use crate::lines::plain;
use crate::medium::Medium;
use crate::refusal::Refusal;

/// A block device that may hold a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Volume {
    pub(crate) name: String,
    /// None when it is not behind USB.
    pub(crate) port: Option<String>,
}

impl fmt::Display for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.port {
            Some(port) => write!(f, "{} on USB port {port}", self.name),
            None => write!(f, "{}, not on USB", self.name),
        }
    }
}

impl Volume {
    /// Its serial number, if it could be a FAT volume: so the kernel is not asked to mount just anything.
    pub(crate) fn serial(&self) -> Option<VolumeSerial> {
        let mut sector = [0; 512];
        File::open(format!("/dev/{}", self.name)).and_then(|mut file| file.read_exact(&mut sector)).ok()?;
        VolumeSerial::of_sector(&sector)
    }

    /// Name of the disk that it is on, or that it is.
    pub(crate) fn disk(&self) -> String {
        let link = std::fs::read_link(Path::new("/sys/class/block").join(&self.name)).unwrap_or_default();
        let above = link.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        // Of a partition, the folder above is its disk's; of a disk, it is `block`.
        above.filter(|name| name != "block").unwrap_or_else(|| self.name.clone())
    }

    /// Mounts it, reading only.
    pub(crate) fn mount(&self) -> Option<Mounted> {
        let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        let device = format!("/dev/{}", self.name);
        let point = Path::new("/run/volumes").join(&self.name);
        std::fs::create_dir_all(&point).ok()?;
        // Names are written in UTF-16; with utf8 the two tables serve short names only, and both are in the boot image.
        let options = "utf8=1,codepage=437,iocharset=ascii";
        mount(Some(&*device), &point, Some("vfat"), flags, Some(options)).ok()?;
        Some(Mounted { point })
    }
}

/// A volume that is mounted as long as this lives.
#[derive(Debug)]
pub(crate) struct Mounted {
    point: PathBuf,
}

impl Mounted {
    pub(crate) fn point(&self) -> &Path {
        &self.point
    }

    pub(crate) fn medium(&self) -> Medium {
        Medium::new(&self.point)
    }
}

/// Lets something be written to a volume that is mounted here, and only that: before and after, it is read only.
pub(crate) fn writing<T>(point: &Path, write: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let remount = |flags: MsFlags| {
        let flags = flags | MsFlags::MS_REMOUNT | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        let none: Option<&str> = None;
        mount(none, point, none, flags, none).map_err(io::Error::from)
    };
    remount(MsFlags::empty())?;
    let written = write();
    let closed = remount(MsFlags::MS_RDONLY);
    written.and_then(|written| closed.map(|()| written))
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = umount(&self.point);
    }
}

/// What a volume is, compared with the one that is wanted.
#[derive(Debug)]
pub(crate) enum Standing {
    /// Signed by a trusted key, and the medium the boot menu names; with its manifest's digest.
    Right(Sha256),
    /// It has a manifest, which is not the right one or not trusted.
    Wrong(Refusal),
    /// It is no medium.
    NoMedium,
}

impl Standing {
    pub(crate) fn of(medium: &Medium, wanted: &Wanted, keys: &TrustedKeys) -> Self {
        match signature(medium, wanted, keys) {
            Ok(signed) => Self::Right(signed.manifest_digest()),
            Err(_) if !medium.has_manifest() => Self::NoMedium,
            Err(refusal) => Self::Wrong(refusal),
        }
    }
}

/// One look at all volumes.
#[derive(Debug)]
pub(crate) struct Round<T> {
    /// What was passed over and why, for the operator.
    pub(crate) seen: Vec<String>,
    /// In the order in which they were looked at.
    right: Vec<(Volume, T, Sha256)>,
    wrong: Option<(Volume, T)>,
}

/// What a round came to.
#[derive(Debug)]
pub(crate) enum Verdict<T> {
    /// The medium, and others that hold the same.
    Found {
        volume: Volume,
        mounted: T,
        copies: Vec<Volume>,
    },
    /// Several that differ, of which any could be the one that was started from.
    Twins(Vec<Volume>),
    /// Nothing but a medium that will be refused.
    Wrong {
        volume: Volume,
        mounted: T,
    },
    Nothing,
}

impl<T> Default for Round<T> {
    fn default() -> Self {
        Self { seen: Vec::new(), right: Vec::new(), wrong: None }
    }
}

impl<T> Round<T> {
    /// Takes in a volume; `mounted` is unmounted at once when it is of no use.
    pub(crate) fn enter(&mut self, volume: Volume, mounted: T, standing: Standing) {
        match standing {
            Standing::Right(digest) => self.right.push((volume, mounted, digest)),
            Standing::NoMedium => self.seen.push(format!("{} (no manifest)", volume.name)),
            Standing::Wrong(refusal) => {
                self.seen.push(format!("{} ({})", volume.name, plain(&refusal.chain())));
                self.wrong.get_or_insert((volume, mounted));
            }
        }
    }

    pub(crate) fn verdict(mut self) -> Verdict<T> {
        let digests: HashSet<Sha256> = self.right.iter().map(|&(.., digest)| digest).collect();
        if digests.len() > 1 {
            return Verdict::Twins(self.right.into_iter().map(|(volume, ..)| volume).collect());
        }
        if self.right.is_empty() {
            return match self.wrong {
                Some((volume, mounted)) => Verdict::Wrong { volume, mounted },
                None => Verdict::Nothing,
            };
        }
        let (volume, mounted, _) = self.right.remove(0);
        let copies = self.right.into_iter().map(|(volume, ..)| volume).collect();
        Verdict::Found { volume, mounted, copies }
    }
}

/// Partitions, and drives without any; USB first, else by name.
pub(crate) fn volumes(class: &Path) -> Vec<Volume> {
    let names = || std::fs::read_dir(class).into_iter().flatten().flatten();
    let name_of = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let all: Vec<String> = names().map(|entry| name_of(&entry)).collect();
    let mut volumes: Vec<Volume> = all
        .iter()
        .filter(|name| !["loop", "ram", "zram", "dm-", "md", "sr", "fd"].iter().any(|kind| name.starts_with(kind)))
        .filter(|name| {
            // A drive with partitions has a folder for each of them, of the same name and a number.
            let parts = all.iter().filter(|other| other.len() > name.len() && other.starts_with(&***name));
            !parts.into_iter().any(|part| class.join(name).join(part).is_dir())
        })
        .map(|name| {
            let device = std::fs::canonicalize(class.join(name)).unwrap_or_default();
            Volume { name: name.clone(), port: usb_port(&device) }
        })
        .collect();
    volumes.sort_by(|a, b| (a.port.is_none(), &a.name).cmp(&(b.port.is_none(), &b.name)));
    volumes
}

/// The port in a device's path through the machine: `.../usb2/2-1/2-1.3/2-1.3:1.0/...` is port `2-1.3`.
fn usb_port(device: &Path) -> Option<String> {
    let is_port = |name: &str| {
        name.split_once('-').is_some_and(|(bus, ports)| {
            let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            number(bus) && ports.split('.').all(number)
        })
    };
    let names: Vec<_> = device.iter().map(|name| name.to_string_lossy()).collect();
    names.iter().rfind(|name| is_port(name)).map(|name| name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(name: &str, port: Option<&str>) -> Volume {
        Volume { name: name.to_owned(), port: port.map(str::to_owned) }
    }

    fn right(what: &str) -> Standing {
        Standing::Right(Sha256::of(what.as_bytes()))
    }

    #[test]
    fn what_is_not_right_is_passed_over_and_copies_are_named() {
        let wrong = || Standing::Wrong(Refusal::NoMediaId { found: "none".into() });
        let mut round = Round::default();
        round.enter(volume("sda1", Some("1-1")), 1, wrong());
        round.enter(volume("sdb1", Some("1-2")), 2, right("ours"));
        round.enter(volume("sdc1", Some("1-3")), 3, Standing::NoMedium);
        round.enter(volume("sdd1", None), 4, right("ours"));
        assert!(round.seen[0].starts_with("sda1 (") && round.seen[1] == "sdc1 (no manifest)", "{:?}", round.seen);
        match round.verdict() {
            Verdict::Found { volume, mounted: 2, copies } => {
                assert_eq!((&*volume.name, copies[0].to_string()), ("sdb1", "sdd1, not on USB".to_owned()));
            }
            other => panic!("{other:?}"),
        }
        let mut round = Round::default();
        round.enter(volume("sda1", Some("1-1")), 1, wrong());
        assert!(matches!(round.verdict(), Verdict::Wrong { mounted: 1, .. }));
        assert!(matches!(Round::<u8>::default().verdict(), Verdict::Nothing));
    }

    #[test]
    fn two_that_differ_are_not_chosen_from() {
        let mut round = Round::default();
        round.enter(volume("sda1", Some("1-1")), 1, right("one state"));
        round.enter(volume("sdb1", Some("1-2")), 2, right("another state"));
        match round.verdict() {
            Verdict::Twins(volumes) => assert_eq!(volumes.len(), 2),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_usb_port_is_the_last_one_on_the_way() {
        let port = |path: &str| usb_port(Path::new(path));
        let behind_hub =
            "/sys/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2.1/1-2.1:1.0/host6/target6:0:0/6:0:0:0/block/sda/sda1";
        assert_eq!(port(behind_hub).as_deref(), Some("1-2.1"));
        assert_eq!(port("/sys/devices/pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/block/sda/sda1"), None);
        assert_eq!(port("/sys/devices/pci0000:00/0000:00:03.0/nvme/nvme0/nvme0n1/nvme0n1p1"), None);
    }

    #[test]
    fn partitions_stand_for_their_drive_and_usb_comes_first() {
        let root = tempfile::tempdir().expect("temporary folder");
        let class = root.path().join("class");
        std::fs::create_dir_all(&class).expect("made");
        for (name, device) in [
            ("nvme0n1", "pci/nvme/nvme0/nvme0n1"),
            ("nvme0n1p1", "pci/nvme/nvme0/nvme0n1/nvme0n1p1"),
            ("sda", "pci/ata1/block/sda"),
            ("sdb", "pci/usb2/2-3/2-3:1.0/block/sdb"),
            ("sdb1", "pci/usb2/2-3/2-3:1.0/block/sdb/sdb1"),
            ("loop0", "virtual/block/loop0"),
        ] {
            std::fs::create_dir_all(root.path().join(device)).expect("made");
            std::os::unix::fs::symlink(root.path().join(device), class.join(name)).expect("linked");
        }
        let expected = [volume("sdb1", Some("2-3")), volume("nvme0n1p1", None), volume("sda", None)];
        assert_eq!(volumes(&class), expected);
    }
}
