// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A small Linux system as a split WIM: Debian's signed kernel, an initramfs with its drivers, busybox and four files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::common::{Station, tool};
use crate::guest::{Guest, Parts, add_busybox};

/// For its disk, in the order in which they are loaded.
const MODULES: [&str; 16] = [
    "drivers/scsi/scsi_common",
    "drivers/scsi/scsi_mod",
    "crypto/crct10dif_common",
    "lib/crc-t10dif",
    "lib/crc64",
    "lib/crc64-rocksoft",
    "block/t10-pi",
    "drivers/scsi/sd_mod",
    "drivers/ata/libata",
    "drivers/ata/libahci",
    "drivers/ata/ahci",
    "crypto/crc32c_generic",
    "lib/crc16",
    "fs/mbcache",
    "fs/jbd2/jbd2",
    "fs/ext4/ext4",
];

/// Puts `system.swm` and its further parts into the station's folder.
pub(super) fn make(station: &Station) {
    let parts = Parts { modules: &MODULES, programs: &[], scripts: "tests/deploy/initramfs", kept: &[] };
    let guest = Guest::build(station, &parts);
    let tree = station.path("system");
    for folder in ["bin", "boot", "dev", "etc", "proc", "root", "run", "sbin", "sys", "tmp", "var"] {
        fs::create_dir_all(tree.join(folder)).expect("folder");
    }
    add_busybox(&tree);
    symlink("../bin/busybox", tree.join("sbin/init")).expect("links");
    let kernel = guest.kernel.file_name().and_then(|name| name.to_str()).expect("a name");
    let initrd = kernel.replace("vmlinuz", "initrd.img");
    fs::copy(&guest.kernel, tree.join("boot").join(kernel)).expect("copies");
    tool("gzip", &["-k", text(&guest.initramfs())]).expect(0);
    fs::copy(guest.initramfs().with_extension("gz"), tree.join("boot").join(initrd)).expect("copies");
    fs::write(tree.join("etc/os-release"), "ID=platen-test\nPRETTY_NAME=\"A small Linux\"\n").expect("writes");
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/deploy/system/.");
    tool("cp", &["-r", text(&scripts), text(&tree.join("etc"))]).expect(0);
    let wim = station.text("system.wim");
    tool("wimlib-imagex", &["capture", "--unix-data", text(&tree), &wim, "Small Linux", "--compress=XPRESS"]).expect(0);
    tool("wimlib-imagex", &["split", &wim, &station.text("system.swm"), "8"]).expect(0);
    assert!(station.path("system2.swm").is_file(), "it comes in parts");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
