// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! `platen inspect --used`: what the program says of foreign drives, through the process without rights. What it says is
//! judged on file systems of all kinds in `appliance/examine/tests/used`.

use std::os::unix::fs::FileExt;

use platen_events::Answer;
use platen_events::answer::DriveUse;

use crate::common::{Station, tool};

/// A drive with a FAT16 volume that holds one file, an ext4 volume, and a partition that nobody knows.
fn master(station: &Station) -> String {
    let line = "truncate -s 96M master.img && sgdisk -n 1:1M:+30M -n 2:0:+40M -n 3:0:+4M master.img && \
                head -c 3000000 /dev/urandom > file && truncate -s 30M fat && mkfs.fat -F 16 fat && mcopy -i fat file ::/ && \
                truncate -s 40M ext && mke2fs -q -F -t ext4 ext && debugfs -w -R 'write file file' ext && \
                dd if=fat of=master.img bs=1M seek=1 conv=notrunc && dd if=ext of=master.img bs=1M seek=31 conv=notrunc && \
                dd if=/dev/urandom of=master.img bs=1M seek=71 count=4 conv=notrunc";
    shell(station, line);
    station.text("master.img")
}

fn shell(station: &Station, line: &str) {
    let line = format!("cd '{}' && export PATH=$PATH:/usr/sbin:/sbin && {line}", station.text(""));
    tool("bash", &["-c", &line]).expect(0);
}

#[track_caller]
fn in_use(station: &Station, drive: &str, more: &[&str]) -> DriveUse {
    let said = station.platen(&[&["inspect", "--used", "--json", drive], more].concat()).expect(0).recorded();
    match said.answers()[..] {
        [Answer::DriveUse(used)] => used.clone(),
        _ => panic!("one answer: {said:?}"),
    }
}

#[test]
fn what_is_in_use_on_a_foreign_drive_is_enough_for_a_copy() {
    let station = Station::new();
    let master = master(&station);
    let used = in_use(&station, &master, &["--map"]);
    let map = used.map.expect("it was asked for");
    assert_eq!(map.len() as u64, used.extents);
    assert_eq!(map.iter().map(|extent| extent.len_bytes).sum::<u64>(), used.used_bytes);
    let (from, to) = (std::fs::read(&master).expect("reads"), station.text("copy.img"));
    std::fs::write(&to, vec![0xa5; from.len()]).expect("writes");
    let copy = std::fs::File::options().write(true).open(&to).expect("opens");
    for extent in map {
        let range = extent.offset_bytes as usize..(extent.offset_bytes + extent.len_bytes) as usize;
        copy.write_all_at(&from[range], extent.offset_bytes).expect("writes");
    }
    assert!(used.used_bytes < 24 << 20, "{:?}", used.regions);
    assert!(in_use(&station, &master, &[]).map.is_none());
    let line = "sgdisk -v copy.img | grep -q 'No problems found' && dd if=copy.img of=fat bs=1M skip=1 count=30 && \
                dd if=copy.img of=ext bs=1M skip=31 count=40 && fsck.fat -n fat && e2fsck -fn ext && \
                mcopy -i fat ::/file fat.file && cmp file fat.file && \
                debugfs -R 'dump file ext.file' ext && cmp file ext.file && cmp -i 71M -n 4M master.img copy.img";
    shell(&station, line);
}

#[test]
fn people_are_told_what_is_in_use_and_why() {
    let station = Station::new();
    let master = master(&station);
    let said = station.platen(&["inspect", "--used", &master]).expect(0).stdout;
    for shown in
        ["before the first partition", "partition 1", "FAT16", "ext4", "not recognised", "copied whole: its format"]
    {
        assert!(said.contains(shown), "{shown:?} is not in\n{said}");
    }
    assert!(said.lines().count() < 12, "{said}");
    station.platen(&["inspect", "--map", &master]).refused(2, &["--used"]);
    station.platen(&["inspect", "--used", &station.text("nothing.img")]).refused(2, &["nothing.img"]);
    let none = station.drive("none.img", 2);
    let used = in_use(&station, &none, &[]);
    assert_eq!((used.used_bytes, used.extents), (2 << 20, 1));
}
