// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Crates as judges.

use std::io::{self, Read, Seek, SeekFrom, Write};

use hadris_fs::{DirCursor, FileType, MountOptions, Name, NodeId, OpenMode};
use hadris_storage::BlockSize;
use hadris_storage::host::FileDevice;

use crate::image::Image;
use crate::trees::Listing;

/// Everything the crate `fatfs` finds.
pub(crate) fn fatfs(image: &Image) -> Listing {
    let (bytes, len) = image.partition();
    let volume = fatfs::FileSystem::new(Memory { bytes, len, position: 0 }, fatfs::FsOptions::new()).unwrap();
    assert_eq!(volume.volume_label(), "PLATEN TEST");
    assert_eq!(volume.read_volume_label_from_root_dir().unwrap().as_deref(), Some("PLATEN TEST"));
    let status = volume.read_status_flags().unwrap();
    assert!(!status.dirty() && !status.io_error());
    let mut listing = Listing::new();
    let mut folders = vec![(String::new(), volume.root_dir())];
    while let Some((prefix, folder)) = folders.pop() {
        for entry in folder.iter() {
            let entry = entry.unwrap();
            let path = format!("{prefix}{}", entry.file_name());
            if entry.is_file() {
                let mut content = Vec::new();
                entry.to_file().read_to_end(&mut content).unwrap();
                assert_eq!(content.len() as u64, entry.len(), "{path}");
                listing.insert(path, Some(blake3::hash(&content)));
            } else if !matches!(entry.short_file_name().as_str(), "." | "..") {
                folders.push((format!("{path}/"), entry.to_dir()));
                listing.insert(path, None);
            }
        }
    }
    listing
}

/// A partition whose beginning is in memory and whose rest is zeros. Nothing may write to it.
struct Memory {
    bytes: Vec<u8>,
    len: u64,
    position: u64,
}

impl Read for Memory {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = buf.len().min((self.len - self.position) as usize);
        buf[..n].fill(0);
        if let Some(stored) = self.bytes.get(self.position as usize..) {
            let kept = stored.len().min(n);
            buf[..kept].copy_from_slice(&stored[..kept]);
        }
        self.position += n as u64;
        Ok(n)
    }
}

impl Write for Memory {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        panic!("a reader wrote to the volume")
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Memory {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = match to {
            SeekFrom::Start(n) => n,
            SeekFrom::End(n) => self.len.checked_add_signed(n).unwrap(),
            SeekFrom::Current(n) => self.position.checked_add_signed(n).unwrap(),
        };
        assert!(self.position <= self.len);
        Ok(self.position)
    }
}

fn device(image: &Image) -> FileDevice {
    FileDevice::open_with_block_size(image.partition_file(), BlockSize::new(image.sector_bytes).unwrap()).unwrap()
}

/// `hadris-fat`'s checker: not one finding, notices included.
pub(crate) fn hadris_check(image: &Image) -> Result<(), String> {
    let mut findings = Vec::new();
    let mut scratch = vec![0; 1 << 20];
    let report = hadris_fat::sync::check(&mut device(image), &mut scratch, |f| findings.push(f.to_string()));
    let report = report.map_err(|e| format!("{e:?}"))?;
    if report.is_clean() && findings.is_empty() { Ok(()) } else { Err(findings.join("; ")) }
}

/// Everything the crate `hadris-fat` finds.
pub(crate) fn hadris(image: &Image) -> Listing {
    let mut volume = hadris_fat::sync::FatFs::mount(device(image), MountOptions::new().read_only()).unwrap();
    let mut listing = Listing::new();
    let root = volume.root();
    hadris_folder(&mut volume, root, "", &mut listing);
    listing
}

fn hadris_folder(
    volume: &mut hadris_fat::sync::FatFs<FileDevice>,
    folder: NodeId,
    prefix: &str,
    listing: &mut Listing,
) {
    let mut cursor = DirCursor::START;
    while let Some(entry) = volume.readdir(folder, cursor).unwrap() {
        cursor = entry.next_cursor();
        let name = entry.name().to_str().unwrap();
        let path = format!("{prefix}{name}");
        let node = volume.lookup(folder, Name::new(name)).unwrap();
        if entry.file_type() == FileType::Dir {
            hadris_folder(volume, node, &format!("{path}/"), listing);
            listing.insert(path, None);
        } else {
            volume.open(node, OpenMode::Read).unwrap();
            let mut content = vec![0; entry.metadata().len() as usize];
            let mut done = 0;
            while done < content.len() {
                let n = volume.read(node, done as u64, &mut content[done..]).unwrap();
                assert_ne!(n, 0, "{path}");
                done += n;
            }
            volume.close(node).unwrap();
            listing.insert(path, Some(blake3::hash(&content)));
        }
        volume.forget(node, 1);
    }
}
