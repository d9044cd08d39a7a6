// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Drives as image files of the host: made, looked at and judged from outside of the guest.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::common::{Station, tool};

/// A drive that the station writes.
pub(super) const SIZE_MIB: u64 = 40;
/// `largest-drive`, and a drive that is larger: the station refuses it for what it is, so that any byte written to it was
/// meant for another drive.
pub(super) const LARGEST_MIB: u64 = 300;
const TOO_LARGE_MIB: u64 = LARGEST_MIB + 4;

/// How it is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Stick,
    /// It says that it can't be written to.
    ReadOnly,
    /// It writes so slowly that it can be held while it is in the making. In ports without SuperSpeed only: where one
    /// command writes more, the kernel would take a drive that is held for one that hangs.
    Slow,
    /// By the other protocol of USB drives.
    Uas,
}

#[derive(Debug, Clone)]
pub(super) struct Drive {
    pub(super) serial: String,
    pub(super) image: PathBuf,
    pub(super) how: How,
}

/// What was on a drive, to find every byte that was changed since.
pub(super) struct Before {
    image: PathBuf,
    copy: PathBuf,
}

impl Before {
    pub(super) fn of(image: &Path) -> Self {
        let copy = image.with_extension("before");
        tool("cp", &["--sparse=always", text(image), text(&copy)]).expect(0);
        Self { image: image.to_owned(), copy }
    }

    pub(super) fn changed_bytes(&self) -> usize {
        let open = |path: &Path| File::open(path).expect("opens");
        let (mut now, mut before) = (open(&self.image), open(&self.copy));
        assert_eq!(now.metadata().expect("asks").len(), before.metadata().expect("asks").len(), "{:?}", self.image);
        let (mut here, mut there) = (vec![0; 1 << 20], vec![0; 1 << 20]);
        let mut changed = 0;
        loop {
            let len = now.read(&mut here).expect("reads");
            if len == 0 {
                return changed;
            }
            before.read_exact(&mut there[..len]).expect("reads");
            if here[..len] != there[..len] {
                changed += here[..len].iter().zip(&there[..len]).filter(|(here, there)| here != there).count();
            }
        }
    }

    #[track_caller]
    pub(super) fn assert_unchanged(&self) {
        assert_eq!(self.changed_bytes(), 0, "{} was written to", self.image.display());
    }
}

/// An image with a pattern where a partition table, a medium or a backup table would be written.
pub(super) fn pattern(image: &Path, mib: u64) {
    let file = File::create(image).expect("makes");
    file.set_len(mib << 20).expect("sets");
    let pattern = vec![0xd1; 8 << 20];
    file.write_all_at(&pattern, 0).expect("writes");
    file.write_all_at(&pattern, (mib - 8) << 20).expect("writes");
}

pub(super) fn drive(station: &Station, serial: &str, how: How, mib: u64) -> Drive {
    let image = station.path(&format!("{serial}.img"));
    pattern(&image, mib);
    Drive { serial: serial.to_owned(), image, how }
}

pub(super) fn bait(station: &Station, serial: &str) -> Drive {
    drive(station, serial, How::Stick, TOO_LARGE_MIB)
}

/// By judges that are not ours and by the tool on the host: these are whole media, each of which says in which port it
/// was written.
#[track_caller]
pub(super) fn assert_media(station: &Station, drives: &[(&Path, &str)]) {
    let images: Vec<&str> = drives.iter().map(|(image, _)| text(image)).collect();
    station.platen(&[&["verify"], &*images].concat()).expect(0);
    for (image, port) in drives {
        let said = station.platen(&["inspect", text(image), "--json"]).expect(0).stdout;
        assert!(said.contains(&format!("\"port\":\"{port}\"")), "{}: expected port {port}: {said}", image.display());
        let listed = tool("mdir", &["-b", "-i", &format!("{}@@1M", image.display()), "::/"]).expect(0).stdout;
        assert!(listed.contains("readme.txt"), "{listed}");
        let bytes = std::fs::read(image).expect("reads");
        // LBA 0, the first partition: its begin and length in sectors.
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four")) as usize * 512;
        let (begin, len) = (number(446 + 8), number(446 + 12));
        let volume = image.with_extension("fat");
        std::fs::write(&volume, &bytes[begin..begin + len]).expect("writes");
        let fsck = tool("fsck.fat", &["-n", text(&volume)]);
        assert_eq!(fsck.status, 0, "{}: {fsck:?}", image.display());
    }
}

pub(super) fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
