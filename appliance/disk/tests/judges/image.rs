// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A drive as a sparse file.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use platen_disk::{ALIGN_BYTES, Data, DiskLayout, DiskSpec, Extent, Scheme};
use tempfile::TempDir;

use crate::tools;
use crate::trees::{MIB, TreeFile, content};

/// What a used drive has everywhere before Platen writes to it.
const STALE: u8 = 0xd1;

pub(crate) struct Image {
    folder: TempDir,
    pub(crate) sector_bytes: u32,
    /// The last byte of any used cluster, rounded up and a little more.
    used_end: u64,
    partition_bytes: u64,
}

impl Image {
    /// Writes the extents, and nothing else, over a file full of 0xD1. (Full as far as anything is in use, and at its
    /// end; what is beyond stays sparse. That everything due is covered is `shape`'s business.)
    pub(crate) fn render(spec: &DiskSpec, files: &[TreeFile], layout: &DiskLayout) -> Self {
        let partition_end = layout.stats.partition_start_bytes + layout.stats.partition_len_bytes;
        let used_end = layout
            .payload
            .iter()
            .chain(&layout.seal)
            .map(Extent::end_bytes)
            .filter(|&e| e <= partition_end)
            .max()
            .unwrap();
        let used_end = (used_end + MIB).min(partition_end);
        let image = Self {
            folder: tempfile::tempdir().unwrap(),
            sector_bytes: spec.sector_bytes,
            used_end,
            partition_bytes: layout.stats.partition_len_bytes,
        };
        let mut drive = File::create(image.path()).unwrap();
        drive.set_len(spec.size_bytes).unwrap();
        let stale = vec![STALE; MIB as usize];
        let mut fill = |start: u64, end: u64| {
            drive.seek(SeekFrom::Start(start)).unwrap();
            for at in (start..end).step_by(stale.len()) {
                drive.write_all(&stale[..stale.len().min((end - at) as usize)]).unwrap();
            }
        };
        fill(0, used_end);
        fill(partition_end, spec.size_bytes);
        image.write(&drive, files, layout);
        image
    }

    /// The same without the stale bytes, for drives too large to fill; zeros are not written, and neither are files of
    /// more than 64 MiB, which are zeros here. Makes the partition's own file too.
    pub(crate) fn render_sparse(spec: &DiskSpec, files: &[TreeFile], layout: &DiskLayout) -> Self {
        let partition_bytes = layout.stats.partition_len_bytes;
        let image = Self {
            folder: tempfile::tempdir().unwrap(),
            sector_bytes: spec.sector_bytes,
            used_end: 0,
            partition_bytes,
        };
        let mut written = layout.clone();
        written.payload.retain(|e| match e.data {
            Data::Bytes(_) => true,
            Data::File { index, .. } => files[index as usize].size <= 64 * MIB,
            Data::Zero => false,
        });
        let drive = File::create(image.path()).unwrap();
        drive.set_len(spec.size_bytes).unwrap();
        image.write(&drive, files, &written);
        for list in [&mut written.payload, &mut written.seal] {
            list.retain(|e| (ALIGN_BYTES..ALIGN_BYTES + partition_bytes).contains(&e.offset_bytes));
            list.iter_mut().for_each(|e| e.offset_bytes -= ALIGN_BYTES);
        }
        let partition = File::create(image.partition_path()).unwrap();
        partition.set_len(partition_bytes).unwrap();
        image.write(&partition, files, &written);
        image
    }

    fn write(&self, drive: &File, files: &[TreeFile], layout: &DiskLayout) {
        let zeros = vec![0; MIB as usize];
        for extent in layout.payload.iter().chain(&layout.seal) {
            match &extent.data {
                Data::Bytes(bytes) => {
                    assert_eq!(bytes.len() as u64, extent.len_bytes);
                    drive.write_all_at(bytes, extent.offset_bytes).unwrap();
                }
                Data::Zero => {
                    for at in (0..extent.len_bytes).step_by(zeros.len()) {
                        let n = MIB.min(extent.len_bytes - at) as usize;
                        drive.write_all_at(&zeros[..n], extent.offset_bytes + at).unwrap();
                    }
                }
                Data::File { index, offset_bytes } => {
                    let index = *index as usize;
                    let bytes = content(index, files[index].size);
                    let part = &bytes[*offset_bytes as usize..][..extent.len_bytes as usize];
                    drive.write_all_at(part, extent.offset_bytes).unwrap();
                }
            }
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("drive.img")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn overwrite(&self, offset: u64, bytes: &[u8]) {
        let drive = OpenOptions::new().write(true).open(self.path()).unwrap();
        drive.write_all_at(bytes, offset).unwrap();
        assert!(!self.partition_path().exists(), "overwrite first, then ask");
    }

    pub(crate) fn bytes_at(&self, offset: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        File::open(self.path()).unwrap().read_exact_at(&mut bytes, offset).unwrap();
        bytes
    }

    /// The partition's used beginning in memory, and its whole length in bytes.
    pub(crate) fn partition(&self) -> (Vec<u8>, u64) {
        let mut drive = File::open(self.path()).unwrap();
        drive.seek(SeekFrom::Start(ALIGN_BYTES)).unwrap();
        let mut bytes = Vec::new();
        drive.take(self.used_end - ALIGN_BYTES).read_to_end(&mut bytes).unwrap();
        (bytes, self.partition_bytes)
    }

    fn partition_path(&self) -> PathBuf {
        self.folder().join("partition.img")
    }

    /// A copy of the partition alone, for judges that know no offset; made once.
    pub(crate) fn partition_file(&self) -> PathBuf {
        let path = self.partition_path();
        if !path.exists() {
            let (bytes, len) = self.partition();
            let mut file = File::create(&path).unwrap();
            file.write_all(&bytes).unwrap();
            file.set_len(len).unwrap();
        }
        path
    }

    /// `fsck.fat -n`: no complaint and exit status 0.
    pub(crate) fn fsck(&self) -> Result<(), String> {
        tools::fsck(&self.partition_file())
    }

    /// What partitioning programs say. `sfdisk` and `sgdisk` read image files as 512-byte sectors; a drive of 4096 is listed
    /// by `fdisk`, and its GPT read with the `gpt` crate, which also looks at the backup.
    pub(crate) fn tables(&self, scheme: Scheme) -> Result<(), String> {
        let path = self.path();
        if self.sector_bytes == 512 {
            tools::sfdisk(&path)?;
        } else {
            tools::fdisk_4096(&path)?;
        }
        match (scheme, self.sector_bytes) {
            (Scheme::Mbr, _) => {}
            (Scheme::Gpt, 512) => tools::sgdisk(&path)?,
            (Scheme::Gpt, _) => {
                let block = gpt::disk::LogicalBlockSize::Lb4096;
                let disk = gpt::GptConfig::new().logical_block_size(block).only_valid_headers(true).open(&path);
                let disk = disk.map_err(|e| e.to_string())?;
                let names: Vec<_> =
                    disk.partitions().values().filter(|p| p.is_used()).map(|p| p.name.as_str()).collect();
                if names != ["EFI system partition"] || disk.backup_header().is_err() {
                    return Err(format!("gpt crate: {disk:?}"));
                }
            }
        }
        Ok(())
    }
}
