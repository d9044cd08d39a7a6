// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The Raspberry Pi's card, and what U-Boot does with its script: Debian's build of it for QEMU's `virt` computer.
//!
//! That one differs from the board's in three ways, and so does the script that it gets. Its disk is at virtio, not an SD
//! card. It knows no squashfs, so the kernel's slot is FAT here. And QEMU 7.2 loses what U-Boot writes to flash (its issue
//! 2343), which is all that this build could save to; so its variables are written to the disk, where the board's are.

use std::fs;
use std::path::Path;

use platen_testkit::need;

use super::{Built, ROOT, can_make, read, shell};
use crate::boot::{Machine, wanted};

const BOARD: &str = "raspberrypi4_64";
const SCRIPT: &str = "board/raspberrypi4_64/boot.cmd";

/// Board's word, the word here, and how often it comes.
const CHANGED: [(&str, &str, usize); 3] = [
    ("mmc 0:", "virtio 0:", 2),
    ("saveenv\n", "env export -c -s 0x4000 ${ramdisk_addr_r}; virtio write ${ramdisk_addr_r} 0x400 0x20\n", 1),
    ("sleep 30\n", "sleep 1\n", 1),
];
/// What the board's U-Boot does before it reads the script.
const BEFORE: &str = "virtio read ${ramdisk_addr_r} 0x400 0x20; env import -c ${ramdisk_addr_r} 0x4000\n";

/// What U-Boot takes for a kernel (Documentation/arch/arm64/booting.rst, "Call the kernel image"). It looks in the tree of
/// devices for its command line, says it on the serial line and starts the machine anew.
fn stand_in_kernel() -> Vec<u8> {
    const CODE: [u32; 22] = [
        0x528d_ee41, // mov w1, 'ro'
        0x72ae_8de1, // movk w1, 'ot', lsl 16
        0x5285_e7a2, // mov w2, '=/'
        0x72ac_ac82, // movk w2, 'de', lsl 16
        0xb840_4403, // next: ldr w3, [x0], 4    (values in the tree are aligned to 4)
        0x6b01_007f, // cmp w3, w1
        0x54ff_ffc1, // b.ne next
        0xb940_0003, // ldr w3, [x0]
        0x6b02_007f, // cmp w3, w2
        0x54ff_ff61, // b.ne next
        0xd100_1000, // sub x0, x0, 4
        0xd2a1_2004, // mov x4, 0x9000000        (the PL011's data register)
        0x3840_1403, // letter: ldrb w3, [x0], 1
        0x3400_0063, // cbz w3, done
        0xb900_0083, // str w3, [x4]
        0x17ff_fffd, // b letter
        0x5280_0143, // done: mov w3, '\n'
        0xb900_0083, // str w3, [x4]
        0x5280_0120, // mov w0, 9
        0x72b0_8000, // movk w0, 0x8400, lsl 16  (PSCI's SYSTEM_RESET)
        0xd400_0002, // hvc 0
        0x1400_0000, // b .
    ];
    let mut kernel = vec![0; 64];
    kernel[..4].copy_from_slice(&0x1400_0010_u32.to_le_bytes()); // b 64
    kernel[16..24].copy_from_slice(&4096_u64.to_le_bytes()); // image_size
    kernel[24..32].copy_from_slice(&0xa_u64.to_le_bytes()); // flags: little endian, pages of 4 KiB, anywhere
    kernel[56..60].copy_from_slice(b"ARM\x64");
    kernel.extend(CODE.iter().flat_map(|word| word.to_le_bytes()));
    kernel.resize(4096, 0);
    kernel
}

fn built() -> Built {
    let built = Built::with_a_root(BOARD);
    let folder = built.folder.path();
    let line = format!(
        "mkdir images/rpi-firmware && cp {ROOT}/board/{BOARD}/config.txt images/rpi-firmware/ && cd images && \
         touch rpi-firmware/start4.elf rpi-firmware/fixup4.dat u-boot.bin bcm2711-rpi-4-b.dtb"
    );
    shell(folder, &line).expect(0);
    fs::write(folder.join("images/Image"), stand_in_kernel()).expect("writes");
    built.post_image().expect(0);
    built
}

/// The script as it is for this computer.
fn script() -> String {
    let mut script = read(SCRIPT);
    for (word, other, times) in CHANGED {
        assert_eq!(script.matches(word).count(), times, "{word}");
        script = script.replace(word, other);
    }
    BEFORE.to_owned() + &script
}

/// A card of stand-ins at that computer.
struct Card {
    built: Built,
}

impl Card {
    fn new() -> Self {
        let card = Self { built: built() };
        card.shell(
            "unsquashfs -quiet -no-progress -d slot images/kernel.img && truncate -s 4M fat.img && mkfs.fat fat.img",
        );
        card.shell("mcopy -i fat.img slot/* ::");
        card.put_script(&script());
        card.put_kernel("kernel-a");
        // What its U-Boot's `fw_env.config` says, with one copy of the variables.
        let place = format!("{} 0x80000 0x4000\n", card.image());
        fs::write(card.built.folder.path().join("fw_env.config"), place).expect("writes");
        card
    }

    fn image(&self) -> String {
        self.built.image().to_str().expect("UTF-8").to_owned()
    }

    fn shell(&self, line: &str) -> String {
        shell(self.built.folder.path(), line).expect(0).stdout
    }

    fn put_script(&self, script: &str) {
        fs::write(self.built.folder.path().join("boot.cmd"), script).expect("writes");
        self.shell("mkimage -A arm64 -T script -C none -d boot.cmd boot.scr");
        self.shell(&format!("mcopy -D o -i '{}@@1M' boot.scr ::", self.image()));
    }

    fn put_kernel(&self, partition: &str) {
        let image = self.image();
        let start = self.shell(&format!(
            "sfdisk --json '{image}' | python3 -c \"import json, sys; \
             print(*[p['start'] for p in json.load(sys.stdin)['partitiontable']['partitions'] if p['name'] == '{partition}'])\""
        ));
        self.shell(&format!("dd if=fat.img of='{image}' bs=512 seek={} conv=notrunc status=none", start.trim_end()));
    }

    /// As the board's own command does, typed before it asks whether to wait for a key.
    fn start(&self) -> Machine {
        let mut machine = Machine::start_uboot(Path::new(&self.image()));
        machine.type_line("\rvirtio scan; load virtio 0:1 ${scriptaddr} boot.scr; source ${scriptaddr}");
        machine
    }

    /// What U-Boot handed to the kernel, and how many starts slots A and B have left afterwards.
    fn once(&self) -> (String, String) {
        let mut machine = self.start();
        let said = machine.wait_for("panic=5");
        machine.wait_for_power_off();
        (said, self.left())
    }

    fn left(&self) -> String {
        let printed = self.shell("fw_printenv -c fw_env.config -n BOOT_A_LEFT BOOT_B_LEFT");
        printed.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// As the keeper does.
    fn set(&self, variables: &str) {
        fs::write(self.built.folder.path().join("variables"), variables).expect("writes");
        self.shell("fw_setenv -c fw_env.config --script variables");
    }
}

#[test]
fn the_card_of_stand_ins_is_right_to_those_who_read_it() {
    if !can_make() || !need::program("mkimage") {
        return;
    }
    let built = built();
    let (folder, image) = (built.folder.path(), built.image());
    let image = image.display();
    let checked = shell(folder, &format!("sgdisk -v '{image}' && sfdisk --json '{image}'")).expect(0).stdout;
    assert!(checked.contains("No problems found"), "{checked}");
    // Their numbers are in the script. Before the first there is room for U-Boot's variables.
    let names = checked.split("\"name\": \"").skip(1).filter_map(|rest| rest.split('"').next()).collect::<Vec<_>>();
    assert_eq!(names, ["PLATEN-BOOT", "kernel-a", "root-a", "kernel-b", "root-b", "data"]);
    let places = read("board/raspberrypi4_64/overlay/etc/fw_env.config");
    for place in places.lines().filter(|line| line.starts_with('/')) {
        let numbers = place.split(' ').skip(1).map(|word| u64::from_str_radix(&word[2..], 16).expect("a number"));
        let end: u64 = numbers.sum();
        assert!(end <= 1 << 20, "{place}");
    }
    let listed =
        shell(folder, &format!("mdir -b -/ -i '{image}@@1M' :: && fsck.fat -n images/boot.vfat")).expect(0).stdout;
    for file in ["boot.scr", "config.txt", "start4.elf", "fixup4.dat", "u-boot.bin", "bcm2711-rpi-4-b.dtb"] {
        assert!(listed.contains(&format!("::/{file}\n")), "{file}: {listed}");
    }
    let script = "unsquashfs -cat images/kernel.img slot.env && dumpimage -l images/boot/boot.scr";
    let shown = shell(folder, script).expect(0).stdout;
    assert!(shown.contains("set_slot=setenv version \"1.4.0\"; ") && shown.contains("AArch64 Linux Script"), "{shown}");
}

#[test]
fn u_boot_counts_starts_and_goes_to_the_other_slot() {
    if !wanted() || !can_make() || !["mkimage", "fw_printenv"].into_iter().all(need::program) {
        return;
    }
    let card = Card::new();
    // As it leaves the factory: no variables. What nobody calls well is tried three times.
    for expected in ["2 3", "1 3", "0 3"] {
        let (said, left) = card.once();
        for part in ["root=/dev/dm-0", " platen.slot=a ", "PARTLABEL=root-a", "restart_on_corruption\"", "verity 1"] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert_eq!(left, expected, "{said}");
    }
    // Then people are told, and later it is tried again.
    let mut machine = card.start();
    let said = machine.wait_for("platen.slot=a");
    assert!(said.contains("Platen cannot start.") && said.contains("Write them again."), "{said}");
    machine.wait_for_power_off();
    assert_eq!(card.left(), "0 1");
    // An update was written to the other slot and is first.
    card.put_kernel("kernel-b");
    card.set("BOOT_ORDER=B A\nBOOT_A_LEFT=3\nBOOT_B_LEFT=1\n");
    let (said, left) = card.once();
    assert!(said.contains(" platen.slot=b ") && said.contains("PARTLABEL=root-b"), "{said}");
    assert_eq!(left, "3 0");
    // It did not come up, so the old one is back.
    assert!(card.once().0.contains(" platen.slot=a "));
    // What is known to be broken is not started, however many starts it would have.
    card.set("BOOT_B_OK=0\nBOOT_B_LEFT=3\n");
    assert!(card.once().0.contains(" platen.slot=a "));
    // Nobody knows what the variables said: as from the factory.
    card.shell(&format!("dd if=/dev/urandom of='{}' bs=4096 seek=128 count=4 conv=notrunc status=none", card.image()));
    let (said, left) = card.once();
    assert!(said.contains("bad CRC, import failed") && said.contains(" platen.slot=a "), "{said}");
    assert_eq!(left, "2 3");
    // A control that must fail: an apostrophe is a quotation's begin, and nothing of the script is done.
    card.put_script(&script().replace("cannot", "can't"));
    let said = card.start().wait_for("syntax error");
    assert!(!said.contains("panic=5"), "{said}");
    assert_eq!(card.left(), "2 3");
}
