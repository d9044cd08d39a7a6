// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What is inserted at this moment, as sysfs says it.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use platen_events::{DriveId, DriveLabel};
use serde::{Deserialize, Serialize};

use super::socket::{Bus, Socket};
use super::while_doing;
use crate::block::BlockDevice;
use crate::machine::{Machine, attribute};

/// A whole drive with a medium in it, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Inserted {
    /// Where it is inserted.
    pub socket: Socket,
    /// How it is attached.
    pub bus: Bus,
    /// Where it is opened: `/dev/sdb`. Only good as long as this drive is inserted.
    pub path: PathBuf,
    /// What it is known by in the record, the same as when it is opened.
    pub drive: DriveId,
    /// What people call it, the same as when it is opened.
    pub label: DriveLabel,
    /// Its capacity in bytes, never 0.
    pub size_bytes: u64,
    /// Logical sector size in bytes.
    pub sector_bytes: u32,
    /// It says that its medium can be taken out. Sticks do; USB disks don't, and some internal disks do.
    pub is_removable: bool,
    /// Write-protected, as far as the kernel knows.
    pub is_read_only: bool,
    /// Media were exchanged in it while it stayed connected: it is a card reader, and the serial number is the reader's.
    pub is_in_reader: bool,
}

/// Lists drives, again and again. What does not change as long as a drive is inserted is read once.
#[derive(Debug)]
pub(super) struct Scanner {
    machine: Machine,
    /// By the kernel's name.
    known: HashMap<String, Known>,
    /// What was in each USB disk last, by its folder, as long as that disk is connected.
    media: HashMap<PathBuf, Medium>,
    /// Drives that can't be made sense of, so that each is complained of once.
    odd: HashSet<String>,
}

#[derive(Debug)]
struct Known {
    now: Now,
    /// Its folder, and that of the USB device behind it.
    disk: PathBuf,
    usb: Option<PathBuf>,
    inserted: Inserted,
}

/// What is in a disk. A stick is connected anew each time; a reader stays, and its cards come and go.
#[derive(Debug)]
struct Medium {
    disk_sequence: Option<u64>,
    was_exchanged: bool,
}

/// What may change with the drive inserted, or shows that it is another one.
#[derive(Debug, PartialEq, Eq)]
struct Now {
    disk_sequence: String,
    size: String,
    read_only: String,
}

impl Now {
    /// Everything, and the folders it is in.
    fn read(folder: &Path) -> io::Result<Self> {
        let text = |name: &str| attribute(&folder.join(name));
        Ok(Self { disk_sequence: text("diskseq")?, size: text("size")?, read_only: text("ro")? })
    }
}

impl Scanner {
    pub(super) fn new(machine: Machine) -> Self {
        Self { machine, known: HashMap::new(), media: HashMap::new(), odd: HashSet::new() }
    }

    /// All drives, sorted by socket. A drive that vanishes meanwhile is not among them, and that is no error.
    pub(super) fn scan(&mut self) -> io::Result<Vec<Inserted>> {
        let folder = self.machine.sys("block");
        let mut before = std::mem::take(&mut self.known);
        let mut inserted = Vec::with_capacity(before.len());
        for entry in fs::read_dir(&folder).map_err(while_doing(format!("listing {}", folder.display())))? {
            let folder = entry?.path();
            let Some(name) = folder.file_name().and_then(|name| name.to_str()).map(str::to_owned) else { continue };
            match look(&folder, before.remove(&name)) {
                // Whoever opened it now would be refused: it becomes the station's by a rule of udev's, which says so again.
                Ok(Some(_)) if !self.machine.is_set_up(&folder) => {}
                Ok(Some(mut known)) => {
                    known.inserted.is_in_reader = self.was_exchanged(&known);
                    inserted.push(known.inserted.clone());
                    self.odd.remove(&name);
                    self.known.insert(name, known);
                }
                Ok(None) => {
                    self.odd.remove(&name);
                }
                Err(error) => self.complain(name, &folder, &error),
            }
        }
        self.media.retain(|disk, _| disk.exists());
        inserted.sort_by(|a, b| (&a.socket, &a.path).cmp(&(&b.socket, &b.path)));
        Ok(inserted)
    }

    /// Whether another medium was in this disk before, since it was connected. Its folder has the number of the connection in
    /// it (`host4`), which is never used again.
    fn was_exchanged(&mut self, known: &Known) -> bool {
        let now = known.inserted.drive.disk_sequence;
        if known.inserted.bus != Bus::Usb {
            return false;
        }
        let first = Medium { disk_sequence: now, was_exchanged: false };
        let medium = self.media.entry(known.disk.clone()).or_insert(first);
        medium.was_exchanged |= medium.disk_sequence != now;
        medium.disk_sequence = now;
        medium.was_exchanged
    }

    /// One drive that makes no sense hides no other. The guard would refuse it.
    fn complain(&mut self, name: String, folder: &Path, error: &io::Error) {
        // The hidden ways to an NVMe drive have no number (probert 86), and what was pulled has nothing.
        let is_there = folder.join("dev").exists();
        if is_there && self.odd.insert(name.clone()) {
            tracing::warn!("{name} is not listed as a drive, since what the kernel says of it can't be read: {error}");
        }
    }
}

/// None: there is no drive, or nothing in it.
fn look(folder: &Path, mut known: Option<Known>) -> io::Result<Option<Known>> {
    // Loop devices, device mapper, RAID, memory, network: often more of them than drives.
    if fs::read_link(folder)?.to_str().is_some_and(|target| target.contains("/devices/virtual/block/")) {
        return Ok(None);
    }
    // A card may be changed between two attributes. What was read between two equal looks belongs together.
    for _ in 0..3 {
        let now = Now::read(folder)?;
        if now.size == "0" {
            return Ok(None);
        }
        if let Some(mut known) = known.take_if(|known| known.now == now) {
            // The other half of its port may have been found since, so where it is, is asked every time.
            let Some((_, socket)) = Socket::of_disk(&known.disk, known.usb.as_deref()) else { return Ok(None) };
            known.inserted.socket = socket;
            return Ok(Some(known));
        }
        let Some((disk, usb, inserted)) = read(folder)? else { return Ok(None) };
        if Now::read(folder)? == now {
            return Ok(Some(Known { now, disk, usb, inserted }));
        }
    }
    // It will be asked again before long: whatever changes so often makes events.
    Ok(None)
}

/// Everything, and the folders it is in.
fn read(folder: &Path) -> io::Result<Option<(PathBuf, Option<PathBuf>, Inserted)>> {
    let device = BlockDevice::in_folder(folder)?;
    let Some((bus, socket)) = socket_of(&device) else { return Ok(None) };
    let usb = device.usb_folder().map(Path::to_owned);
    // A slash can't be in the name of a folder.
    let path = Path::new("/dev").join(device.name.replace('!', "/"));
    let disk_sequence = Some(device.disk_sequence()?);
    let facts = device.facts(&path, device.kind()?, device.size_bytes()?, disk_sequence, String::new());
    let is_removable = attribute(&device.dir.join("removable"))? == "1";
    let inserted = Inserted {
        socket,
        bus,
        drive: facts.id(),
        label: facts.label(),
        size_bytes: facts.size_bytes,
        sector_bytes: facts.sector_bytes,
        is_removable,
        is_read_only: device.is_read_only()?,
        is_in_reader: false,
        path,
    };
    Ok(Some((device.dir, usb, inserted)))
}

/// Where a whole disk that can be written is inserted; None: it is something else.
pub(super) fn socket_of(device: &BlockDevice) -> Option<(Bus, Socket)> {
    // Parts of soldered memory that look like disks stand in the folder of the disk that they are part of.
    let is_part = device.whole().is_some() || device.dir.parent().is_some_and(|above| above.join("diskseq").exists());
    if is_part || device.is_optical() {
        return None;
    }
    Socket::of_disk(&device.dir, device.usb_folder())
}
