// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Volumes of the target as folders.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::places::Places;
use super::programs::{end_of, failed, program};
use crate::engine::machine::{FileSystem, MachineError};

const NTFS: &str = "ntfs-3g";
/// It looks at the journal first.
const MOUNTS_WITHIN: Duration = Duration::from_secs(60);

/// What is mounted, by the folder's name.
#[derive(Debug)]
pub(super) struct Mounts {
    places: Places,
    mounted: BTreeMap<String, Mounted>,
}

#[derive(Debug)]
struct Mounted {
    point: PathBuf,
    /// The program that serves it: NTFS is no matter of the kernel here, whose own is missing in Debian 12.
    server: Option<Child>,
}

impl Mounts {
    pub(super) fn new(places: Places) -> Self {
        Self { places, mounted: BTreeMap::new() }
    }

    /// The folder of a volume, which is mounted the first time.
    pub(super) fn mount(
        &mut self,
        name: String,
        device: &Path,
        file_system: FileSystem,
    ) -> Result<PathBuf, MachineError> {
        if let Some(mounted) = self.mounted.get(&name) {
            return Ok(mounted.point.clone());
        }
        let point = self.places.mounts.join(&name);
        let failed = |doing, path: &Path, source| MachineError::Io { doing, path: path.to_owned(), source };
        std::fs::create_dir_all(&point).map_err(|source| failed("making the folder", &point, source))?;
        let by_kernel = |kind: &str, options: &str| {
            let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
            mount(Some(device), &point, Some(kind), flags, Some(options))
                .map_err(|error| failed("mounting", device, error.into()))
        };
        let server = match file_system {
            FileSystem::Ext4 => by_kernel("ext4", "").map(|()| None),
            // As the medium is mounted: with utf8 the two tables serve short names only, and both are in the boot image.
            FileSystem::Fat32 => by_kernel("vfat", "utf8=1,codepage=437,iocharset=ascii").map(|()| None),
            FileSystem::Ntfs => serve_ntfs(&self.places, device, &point, "noatime").map(Some),
        }?;
        self.mounted.insert(name, Mounted { point: point.clone(), server });
        Ok(point)
    }

    /// Whether a volume is in its folder now.
    pub(super) fn has(&self, name: &str) -> bool {
        self.mounted.contains_key(name)
    }

    /// Takes a volume away from its folder; nothing where it is not mounted.
    pub(super) fn unmount(&mut self, name: &str) -> Result<(), MachineError> {
        let Some(mounted) = self.mounted.get_mut(name) else { return Ok(()) };
        umount2(&mounted.point, MntFlags::empty()).map_err(|error| MachineError::Io {
            doing: "unmounting",
            path: mounted.point.clone(),
            source: error.into(),
        })?;
        // The volume is free when its server has ended.
        if let Some(server) = &mut mounted.server {
            server.wait().map_err(|error| failed(NTFS, format!("can't be waited for: {error}")))?;
        }
        self.mounted.remove(name);
        Ok(())
    }

    /// All of them whose name begins so.
    pub(super) fn unmount_all(&mut self, beginning: &str) -> Result<(), MachineError> {
        let names: Vec<String> = self.mounted.keys().filter(|name| name.starts_with(beginning)).cloned().collect();
        names.iter().try_for_each(|name| self.unmount(name))
    }
}

impl Drop for Mounts {
    fn drop(&mut self) {
        let _ = self.unmount_all("");
    }
}

/// Starts the program that serves an NTFS volume in a folder, with some options more. Unless they say otherwise it repairs what
/// a power cut left.
pub(super) fn serve_ntfs(places: &Places, device: &Path, point: &Path, more: &str) -> Result<Child, MachineError> {
    // The same device says that nothing is mounted there yet.
    let device_of = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.dev()).ok();
    let before = device_of(point);
    let mut command = program(places, NTFS)?;
    command.arg(device).arg(point).arg("-o").arg(format!("no_detach,nosuid,nodev,{more}"));
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut server = command.spawn().map_err(|error| failed(NTFS, format!("can't be started: {error}")))?;
    let began = Instant::now();
    while device_of(point) == before {
        let ended = server.try_wait().map_err(|error| failed(NTFS, format!("can't be waited for: {error}")))?;
        if ended.is_some() || began.elapsed() > MOUNTS_WITHIN {
            let _ = server.kill();
            let said = server.wait_with_output().map(|output| output.stderr).unwrap_or_default();
            return Err(failed(NTFS, format!("{} can't be mounted: {}", device.display(), end_of(&said))));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    // Nobody reads what it says from now on; it is used to that (`fuse_set_signal_handlers` ignores SIGPIPE).
    drop(server.stderr.take());
    Ok(server)
}
