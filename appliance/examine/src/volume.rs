// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Clusters, and the tables that chain them.

use std::io::{self, Read, Seek, SeekFrom};

use platen_disk::VolumeShape;

/// Clusters are read together up to this size, in bytes, and so are the tables.
const RUN_BYTES: usize = 1 << 20;
/// Numbers of clusters have 28 bits; the other four mean nothing, and are left zero.
const NUMBER_BITS: u32 = 0x0fff_ffff;
const BAD: u32 = 0x0fff_fff7;
/// `ClnShutBitMask` in the second entry: cleared by an operating system that has the volume mounted.
const CLEAN: u32 = 0x0800_0000;

/// Why the clusters of a file or folder are not what they must be.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChainFault {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("its cluster {0} belongs to something else too")]
    Shared(u32),
    #[error("its chain leads to cluster {0}, which is none of it")]
    Astray(u32),
    #[error("it has more clusters than it may, {0} and more")]
    TooLong(u32),
    #[error("it has {found} clusters, expected {expected}")]
    TooShort { found: u32, expected: u32 },
}

/// How many clusters are right.
#[derive(Debug, Clone, Copy)]
pub(super) struct Length {
    pub(super) least: u32,
    pub(super) most: u32,
}

/// The volume inside the drive.
pub(super) struct Volume<D> {
    drive: D,
    pub(super) shape: VolumeShape,
    /// A bit for each cluster that belongs to a file or folder: no cluster is read twice, so nothing leads in circles.
    used: Vec<u64>,
    /// A piece of the first table, and the cluster its first entry is for.
    window: Vec<u8>,
    window_first: u32,
}

impl<D: Read + Seek> Volume<D> {
    pub(super) fn new(drive: D, shape: VolumeShape) -> Self {
        let used = vec![0; shape.end_cluster as usize / 64 + 1];
        Self { drive, shape, used, window: Vec::new(), window_first: 0 }
    }

    /// Follow a chain from its first cluster and give all its bytes to `take`.
    pub(super) fn read_chain(
        &mut self,
        first: u32,
        length: Length,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<(), ChainFault> {
        let mut piece = Vec::new();
        self.follow(first, length, |volume, first, clusters| {
            let offset_bytes = volume.shape.cluster_start(first).ok_or(ChainFault::Astray(first))?;
            piece.resize(clusters as usize * volume.shape.cluster_bytes as usize, 0);
            volume.read_at(offset_bytes, &mut piece)?;
            take(&piece);
            Ok(())
        })
    }

    /// Follow a chain without reading what is in it.
    pub(super) fn pass_chain(&mut self, first: u32, length: Length) -> Result<(), ChainFault> {
        self.follow(first, length, |_, _, _| Ok(()))
    }

    /// `take` gets clusters that follow each other on the drive: the first, and how many.
    fn follow(
        &mut self,
        first: u32,
        length: Length,
        mut take: impl FnMut(&mut Self, u32, u32) -> Result<(), ChainFault>,
    ) -> Result<(), ChainFault> {
        let most_in_run = (RUN_BYTES as u32 / self.shape.cluster_bytes).max(1);
        let (mut next, mut found) = (Some(first), 0);
        while let Some(start) = next {
            let mut clusters = 0;
            while let Some(cluster) = next.filter(|next| *next == start + clusters && clusters < most_in_run) {
                if found == length.most {
                    return Err(ChainFault::TooLong(found));
                }
                self.claim(cluster)?;
                (clusters, found) = (clusters + 1, found + 1);
                next = match self.entry(cluster)? & NUMBER_BITS {
                    number if number > BAD => None,
                    number => Some(number),
                };
            }
            take(self, start, clusters)?;
        }
        let expected = length.least;
        if found < expected { Err(ChainFault::TooShort { found, expected }) } else { Ok(()) }
    }

    fn claim(&mut self, cluster: u32) -> Result<(), ChainFault> {
        if self.shape.cluster_start(cluster).is_none() {
            return Err(ChainFault::Astray(cluster));
        }
        let (word, bit) = (&mut self.used[cluster as usize / 64], 1 << (cluster % 64));
        if *word & bit != 0 {
            return Err(ChainFault::Shared(cluster));
        }
        *word |= bit;
        Ok(())
    }

    /// The entry of a cluster in the first table.
    fn entry(&mut self, cluster: u32) -> io::Result<u32> {
        let in_window = |volume: &Self| {
            let at = cluster.checked_sub(volume.window_first)? as usize * 4;
            volume.window.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
        };
        if let Some(entry) = in_window(self) {
            return Ok(entry);
        }
        let first = cluster / (RUN_BYTES as u32 / 4) * (RUN_BYTES as u32 / 4);
        let mut window = std::mem::take(&mut self.window);
        self.read_table(0, u64::from(first) * 4, &mut window)?;
        (self.window, self.window_first) = (window, first);
        in_window(self).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// The next piece of a table, [`RUN_BYTES`] long if there is so much.
    fn read_table(&mut self, which: usize, at_bytes: u64, piece: &mut Vec<u8>) -> io::Result<()> {
        let left_bytes = self.shape.table_bytes.saturating_sub(at_bytes);
        piece.resize(left_bytes.min(RUN_BYTES as u64) as usize, 0);
        self.read_at(self.shape.table_starts[which] + at_bytes, piece)
    }

    fn read_at(&mut self, offset_bytes: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.drive.seek(SeekFrom::Start(offset_bytes))?;
        self.drive.read_exact(bytes)
    }

    /// Compare both tables with each other and with what belongs to files and folders. All chains were followed before.
    pub(super) fn check_tables(&mut self) -> io::Result<TableFindings> {
        let mut findings = TableFindings::default();
        let (mut first, mut second) = (Vec::new(), Vec::new());
        let mut cluster = 0_u64;
        loop {
            self.read_table(0, cluster * 4, &mut first)?;
            self.read_table(1, cluster * 4, &mut second)?;
            if first.is_empty() {
                return Ok(findings);
            }
            for (one, other) in first.chunks_exact(4).zip(second.chunks_exact(4)) {
                let (one, other) = (number(one), number(other));
                // Nearly all of most tables.
                if (one, other) != (0, 0) || cluster < 2 {
                    self.check_entry(cluster, one, other, &mut findings);
                }
                cluster += 1;
            }
        }
    }

    fn check_entry(&self, cluster: u64, one: u32, other: u32, findings: &mut TableFindings) {
        let end = u64::from(self.shape.end_cluster);
        match cluster {
            // The reserved bits of these two are set by some systems and not by others.
            0 => findings.head_is_wrong |= [one, other].iter().any(|entry| entry & NUMBER_BITS != 0x0fff_fff8),
            1 => {
                findings.head_is_wrong |= [one, other].iter().any(|entry| (entry | CLEAN) & NUMBER_BITS != NUMBER_BITS);
                findings.is_dirty = one & other & CLEAN == 0;
            }
            _ if one != other => findings.differing.note(cluster),
            _ if cluster >= end || one > NUMBER_BITS => findings.astray.note(cluster),
            _ if self.used[cluster as usize / 64] & (1 << (cluster % 64)) == 0 => findings.unowned.note(cluster),
            _ => {}
        }
    }
}

fn number(entry: &[u8]) -> u32 {
    entry.try_into().map_or(0, u32::from_le_bytes)
}

/// What is wrong with the tables as a whole.
#[derive(Debug, Default)]
pub(super) struct TableFindings {
    head_is_wrong: bool,
    /// An operating system had the volume mounted and did not say that it was done.
    pub(super) is_dirty: bool,
    differing: Entries,
    astray: Entries,
    unowned: Entries,
}

/// Some entries of a table.
#[derive(Debug, Default)]
struct Entries {
    count: u64,
    first: u64,
}

impl Entries {
    fn note(&mut self, cluster: u64) {
        if self.count == 0 {
            self.first = cluster;
        }
        self.count += 1;
    }

    fn problem(&self, what: &str) -> Option<String> {
        let Self { count, first } = self;
        (*count > 0).then(|| format!("file allocation tables: {count} entries {what}, the first for cluster {first}"))
    }
}

impl TableFindings {
    pub(super) fn problems(&self) -> Vec<String> {
        let head = "file allocation tables: their first two entries are wrong, or say that the drive had errors";
        let head = self.head_is_wrong.then(|| head.to_owned());
        let differing = self.differing.problem("differ between the two, so that systems read different files");
        let astray = self.astray.problem("where there must be none");
        let unowned = self.unowned.problem("belong to no file");
        [head, differing, astray, unowned].into_iter().flatten().collect()
    }
}
