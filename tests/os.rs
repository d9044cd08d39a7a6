// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The appliance's image (`buildroot/`, `board/`) as far as it can be judged without Buildroot: its scripts make a disk and an
//! update of stand-ins for what Buildroot builds, and other programs look at them. `tests/image BOARD` builds and starts the
//! real one.

mod kernel;
mod settings;
mod usb;
mod usb_guest;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use platen_testkit::need;

use crate::boot::{self, Firmware, Machine, Options};

use crate::common::{Ran, tool};

mod uboot;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const BOARD: &str = "qemu_x86_64";

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).expect(path)
}

fn shell(folder: &Path, line: &str) -> Ran {
    let line = format!("cd '{}' && export PATH=$PATH:/usr/sbin:/sbin && {line}", folder.display());
    tool("bash", &["-c", &line])
}

/// Each `configs/BOARD_defconfig`: its name, and its settings in their order.
fn defconfigs() -> BTreeMap<String, Vec<(String, String)>> {
    let folder = Path::new(ROOT).join("buildroot/configs");
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("configs") {
        let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
        let board = name.strip_suffix("_defconfig").expect("a defconfig").to_owned();
        let mut settings = Vec::new();
        for line in read(&format!("buildroot/configs/{name}")).lines() {
            let off = line.strip_prefix("# ").and_then(|line| line.strip_suffix(" is not set"));
            match (off, line.split_once('=')) {
                (Some(symbol), _) => settings.push((symbol.to_owned(), "n".to_owned())),
                (None, Some((symbol, value))) if !line.starts_with('#') => {
                    settings.push((symbol.to_owned(), value.to_owned()));
                }
                _ => assert!(line.is_empty() || line.starts_with("# "), "{name}: {line}"),
            }
        }
        all.insert(board, settings);
    }
    all
}

#[test]
fn every_board_has_what_its_configuration_names() {
    let boards = defconfigs();
    assert!(boards.len() >= 2, "{boards:?}");
    let mut pinned: BTreeMap<&str, &str> = BTreeMap::new();
    for (board, settings) in &boards {
        let mut seen = BTreeMap::new();
        for (symbol, value) in settings {
            assert!(symbol.starts_with("BR2_"), "{board}: {symbol}");
            assert!(seen.insert(symbol.as_str(), value.as_str()).is_none(), "{board}: {symbol} twice");
            // Files of this tree.
            let value = value.trim_matches('"').replace("$(BR2_EXTERNAL_PLATEN_PATH)/..", ROOT);
            let value = value.replace("$(BR2_EXTERNAL_PLATEN_PATH)", &format!("{ROOT}/buildroot"));
            for path in value.split(' ').filter(|word| word.starts_with('/')) {
                assert!(Path::new(path).exists(), "{board}: {symbol}: {path}");
            }
        }
        // What may not differ from board to board, and what none may leave out.
        for symbol in ["BR2_LINUX_KERNEL_CUSTOM_VERSION_VALUE", "BR2_TARGET_GENERIC_HOSTNAME"] {
            let value = seen.get(symbol).unwrap_or_else(|| panic!("{board}: {symbol}"));
            assert_eq!(pinned.entry(symbol).or_insert(value), value, "{board}: {symbol}");
        }
        for (symbol, value) in [
            ("BR2_DOWNLOAD_FORCE_CHECK_HASHES", "y"),
            ("BR2_REPRODUCIBLE", "y"),
            ("BR2_PACKAGE_PLATEN", "y"),
            ("BR2_PACKAGE_RAUC", "y"),
            ("BR2_TARGET_ENABLE_ROOT_LOGIN", "n"),
            ("BR2_TARGET_GENERIC_GETTY", "n"),
            ("BR2_TARGET_GENERIC_REMOUNT_ROOTFS_RW", "n"),
        ] {
            assert_eq!(seen.get(symbol), Some(&value), "{board}: {symbol}");
        }
        for file in ["board.toml", "linux.config"] {
            assert!(Path::new(ROOT).join("board").join(board).join(file).exists(), "{board}: {file}");
        }
    }
    // The kernel's own sum stands in the tree.
    let version = pinned["BR2_LINUX_KERNEL_CUSTOM_VERSION_VALUE"].trim_matches('"');
    let sums = read("board/common/patches/linux/linux.hash");
    let line = sums.lines().find(|line| line.ends_with(&format!(" linux-{version}.tar.xz")));
    assert!(line.is_some_and(|line| line.starts_with("sha256 ")), "{version}: {sums}");
}

/// kconfiglib reads the files as Buildroot's own program would; what they use of Buildroot stands in for it here.
#[test]
fn the_tree_s_options_depend_on_what_there_is() {
    let stand_in = "mainmenu \"stand-in\"\n\
        config BR2_PACKAGE_HAS_UDEV\n\tbool \"udev\"\n\
        config BR2_PACKAGE_HOST_RUSTC_TARGET_ARCH_SUPPORTS\n\tbool \"rust\"\n\
        config BR2_PACKAGE_HOST_RUSTC\n\tbool \"host rust\"\n\
        config BR2_TOOLCHAIN_USES_GLIBC\n\tbool \"glibc\"\n\
        config BR2_TOOLCHAIN_HAS_THREADS\n\tbool \"threads\"\n\
        config BR2_USE_MMU\n\tbool \"mmu\"\n\
        source \"$(BR2_EXTERNAL_PLATEN_PATH)/Config.in\"\n";
    let folder = tempfile::tempdir().expect("a folder");
    tool("cp", &["-r", &format!("{ROOT}/buildroot"), folder.path().to_str().expect("UTF-8")]).expect(0);
    fs::write(folder.path().join("Kconfig"), stand_in).expect("writes");
    let script = "import kconfiglib, sys\n\
        k = kconfiglib.Kconfig('Kconfig')\n\
        print(len([s for s in k.unique_defined_syms if s.name.startswith('BR2_PACKAGE_')]))\n\
        print('\\n'.join(k.warnings))\n";
    fs::write(folder.path().join("read.py"), script).expect("writes");
    let line = "BR2_EXTERNAL_PLATEN_PATH=buildroot KCONFIG_WARN_UNDEF=y /usr/bin/python3 read.py";
    let good = shell(folder.path(), line).expect(0).stdout;
    assert_eq!(good.trim_end(), "5", "no warning, and each of our packages");
    // The control: a name that there is not.
    let path = folder.path().join("buildroot/package/platen/Config.in");
    let text = fs::read_to_string(&path).expect("reads").replace("BR2_TOOLCHAIN_USES_GLIBC", "BR2_TOOLCHAIN_USES_GLIB");
    fs::write(path, text).expect("writes");
    let bad = shell(folder.path(), line).expect(0).stdout;
    assert!(bad.contains("BR2_TOOLCHAIN_USES_GLIB"), "{bad}");
}

/// Every file that is fetched has a sum, and every licence's text too.
#[test]
fn every_package_that_is_fetched_has_its_sums() {
    let folder = Path::new(ROOT).join("buildroot/package");
    let mut fetched = 0;
    for entry in fs::read_dir(folder).expect("packages") {
        let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
        let text = read(&format!("buildroot/package/{name}/{name}.mk"));
        let value = |field: &str| {
            let begin = format!("{}_{field} = ", name.to_uppercase().replace('-', "_"));
            text.lines().find_map(|line| line.strip_prefix(&begin).map(str::to_owned))
        };
        assert!(value("LICENSE").is_some(), "{name}");
        if value("SITE_METHOD").as_deref() == Some("local") {
            continue;
        }
        fetched += 1;
        let version = value("VERSION").expect("a version");
        let sums = read(&format!("buildroot/package/{name}/{name}.hash"));
        let licences = value("LICENSE_FILES").expect("licences");
        for file in licences.split(' ').map(str::to_owned).chain([format!("{name}-{version}.tar.")]) {
            let has = |line: &&str| {
                let mut words = line.split_whitespace();
                words.next() == Some("sha256")
                    && words.next().is_some_and(|sum| sum.len() == 64)
                    && words
                        .next()
                        .is_some_and(|named| named == file || named.starts_with(&file) && file.ends_with('.'))
            };
            assert!(sums.lines().any(|line| has(&line)), "{name}: {file}");
        }
    }
    assert!(fetched >= 1);
}

/// A folder in which `post-image.sh` finds what it finds at the end of a build, of stand-ins.
struct Built {
    board: &'static str,
    folder: tempfile::TempDir,
}

impl Built {
    fn new() -> Self {
        let built = Self::with_a_root(BOARD);
        let grub = "grub-mkimage -O i386-pc -o images/grub.img -p '(,gpt2)/boot/grub' -c /dev/null \
                    all_video biosdisk boot configfile echo eval fat linux loadenv normal part_gpt reboot regexp sleep squash4 test true";
        let line = format!(
            "mkdir -p images/efi-part/EFI/BOOT build/grub2-2.14/build-i386-pc/grub-core && \
             cp /usr/lib/grub/i386-pc/boot.img build/grub2-2.14/build-i386-pc/grub-core/ && {grub} && \
             echo 'stand-in for GRUB' > images/efi-part/EFI/BOOT/bootx64.efi"
        );
        shell(built.folder.path(), &line).expect(0);
        fs::write(built.folder.path().join("images/bzImage"), stand_in_kernel()).expect("writes");
        built
    }

    /// What every board has: a root, and its version.
    fn with_a_root(board: &'static str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let line = "mkdir -p images target/usr/lib host/bin root && \
             seq 200000 > root/numbers && mksquashfs root images/rootfs.squashfs -comp zstd -all-root -quiet -no-progress && \
             printf 'ID=platen\\nVERSION_ID=1.4.0\\n' > target/usr/lib/os-release";
        shell(folder.path(), line).expect(0);
        Self { board, folder }
    }

    fn post_image(&self) -> Ran {
        let at = |name: &str| self.folder.path().join(name);
        let mut command = Command::new(Path::new(ROOT).join("board/common/post-image.sh"));
        command.arg(at("images")).arg(self.board).current_dir(self.folder.path());
        for (name, path) in [("TARGET_DIR", "target"), ("HOST_DIR", "host"), ("BUILD_DIR", "build"), ("BASE_DIR", ".")]
        {
            command.env(name, at(path));
        }
        command.env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()));
        // As Buildroot sets it for a build that gives the same bytes again.
        command.env("SOURCE_DATE_EPOCH", "1780000000");
        let output = command.output().expect("post-image.sh runs");
        Ran::new(&command, output)
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join(format!("images/platen-{}.img", self.board))
    }
}

/// What GRUB takes for a kernel (Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header", protocol 2.06). It says its
/// command line on the first serial line and starts the machine anew.
fn stand_in_kernel() -> Vec<u8> {
    const CODE: &[u8] = &[
        0x8b, 0xb6, 0x28, 0x02, 0x00, 0x00, // mov esi, [esi + cmd_line_ptr]
        0xba, 0xf8, 0x03, 0x00, 0x00, // mov edx, 0x3f8
        0xac, 0x84, 0xc0, 0x74, 0x03, // next: lodsb; test al, al; jz done
        0xee, 0xeb, 0xf8, // out dx, al; jmp next
        0xb0, 0x0a, 0xee, // done: a line's end
        0xb0, 0xfe, 0xe6, 0x64, // the keyboard controller's pulse to the processor's reset line
        0xf4, 0xeb, 0xfd, // hlt, for ever
    ];
    let mut kernel = vec![0; 1024];
    let mut put = |at: usize, bytes: &[u8]| kernel[at..at + bytes.len()].copy_from_slice(bytes);
    put(0x1f1, &[1]); // setup_sects
    put(0x1fe, &[0x55, 0xaa]);
    put(0x200, &[0xeb, 0x66]);
    put(0x202, b"HdrS");
    put(0x206, &0x0206_u16.to_le_bytes());
    put(0x211, &[1]); // LOADED_HIGH
    put(0x214, &0x0010_0000_u32.to_le_bytes()); // code32_start
    put(0x22c, &0x37ff_ffff_u32.to_le_bytes()); // initrd_addr_max
    put(0x238, &2047_u32.to_le_bytes()); // cmdline_size
    kernel.extend_from_slice(CODE);
    kernel.resize(8192, 0);
    kernel
}

fn can_make() -> bool {
    ["genimage", "veritysetup", "mksquashfs", "rauc", "openssl", "sgdisk", "grub-mkimage"]
        .into_iter()
        .all(need::program)
}

#[test]
fn the_disk_of_stand_ins_is_right_to_those_who_read_it() {
    if !can_make() {
        return;
    }
    let built = Built::new();
    built.post_image().expect(0);
    let image = built.image();
    let image = image.to_str().expect("UTF-8");
    let folder = built.folder.path();
    let checked = shell(folder, &format!("sgdisk -v '{image}'")).expect(0).stdout;
    assert!(checked.contains("No problems found"), "{checked}");
    let table = shell(folder, &format!("sfdisk --json '{image}'")).expect(0).stdout;
    let table: serde_json::Value = serde_json::from_str(&table).expect("JSON");
    let parts = table["partitiontable"]["partitions"].as_array().expect("partitions");
    let names: Vec<&str> = parts.iter().filter_map(|part| part["name"].as_str()).collect();
    assert_eq!(names, ["bios-boot", "PLATEN-BOOT", "kernel-a", "root-a", "kernel-b", "root-b", "data"]);
    let place = |name: &str| {
        let part = parts.iter().find(|part| part["name"] == name).expect(name);
        (part["start"].as_u64().expect("a start"), part["size"].as_u64().expect("a size"))
    };
    // Both slots are alike in size, so that what fits the one fits the other.
    assert_eq!((place("kernel-a").1, place("root-a").1), (place("kernel-b").1, place("root-b").1));

    // The boot partition: whole, with GRUB's files and an environment that GRUB's own tool reads.
    let (start, size) = place("PLATEN-BOOT");
    shell(folder, &format!("dd if='{image}' of=boot bs=512 skip={start} count={size} status=none && fsck.fat -n boot"))
        .expect(0);
    let listed = shell(folder, "mdir -b -/ -i boot ::/").expect(0).stdout;
    for file in ["/EFI/BOOT/", "/boot/grub/grub.cfg", "/boot/grub/grubenv", "/platen/"] {
        assert!(listed.to_lowercase().contains(&file.to_lowercase()), "{file}: {listed}");
    }
    let environment =
        shell(folder, "mcopy -n -i boot ::/boot/grub/grubenv env && grub-editenv env list").expect(0).stdout;
    assert_eq!(environment.trim_end(), "ORDER=A B\nA_OK=1\nA_LEFT=3\nB_OK=0\nB_LEFT=0");

    // The root in slot A is what its tree of hashes says, which begins where the kernel's slot says; the control is one bit.
    let (kernel, root) = (place("kernel-a"), place("root-a"));
    let cut = |(start, size): (u64, u64), name: &str| {
        shell(folder, &format!("dd if='{image}' of={name} bs=512 skip={start} count={size} status=none")).expect(0)
    };
    cut(kernel, "kernel-a");
    cut(root, "root-a");
    let slot = shell(folder, "unsquashfs -cat kernel-a slot.cfg").expect(0).stdout;
    shell(folder, "unsquashfs -cat kernel-a slot.cfg > slot.cfg && grub-script-check slot.cfg").expect(0);
    let table =
        slot.lines().find_map(|line| line.strip_prefix("set verity=")).expect("a table").trim_matches('"').to_owned();
    let words: Vec<&str> = table.split(' ').collect();
    let verify = format!(
        "veritysetup verify --no-superblock --hash=sha256 --salt={} --data-block-size=4096 --hash-block-size=4096 \
         --data-blocks={} --hash-offset=$(({} * 4096)) root-a root-a {}",
        words[12], words[8], words[9], words[11]
    );
    shell(folder, &verify).expect(0);
    shell(folder, "printf X | dd of=root-a bs=1 seek=70000 conv=notrunc status=none").expect(0);
    let flipped = shell(folder, &verify);
    assert_ne!(flipped.status, 0, "a flipped block is seen");
    let (start, size) = place("data");
    shell(folder, &format!("dd if='{image}' of=data bs=512 skip={start} count={size} status=none && e2fsck -fn data"))
        .expect(0);

    // The same build again gives the same bytes, but for the update, whose signature is new each time.
    let sums = "sha256sum images/*.img images/*.vfat images/*.ext4 2>/dev/null";
    let first = shell(folder, sums).expect(0).stdout;
    built.post_image().expect(0);
    assert_eq!(shell(folder, sums).expect(0).stdout, first);
}

#[test]
fn the_update_is_signed_for_its_board_and_by_no_stranger() {
    if !can_make() {
        return;
    }
    let built = Built::new();
    built.post_image().expect(0);
    let folder = built.folder.path();
    let bundle = format!("images/platen-{BOARD}-1.4.0.raucb");
    // As the appliance asks: by its own configuration, in which only the places differ.
    let ask = |keyring: &Path, bundle: &str| {
        let conf = read("board/common/rauc.conf").replace("@BOARD@", BOARD);
        let conf = conf.replace("/etc/rauc/keyring.pem", keyring.to_str().expect("UTF-8"));
        fs::write(folder.join("system.conf"), conf).expect("writes");
        shell(folder, &format!("rauc --conf=system.conf info {bundle}"))
    };
    let own = folder.join("update-keys/keyring.pem");
    let info = ask(&own, &bundle).expect(0).stdout;
    for said in ["platen-qemu_x86_64", "1.4.0", "verity", "rootfs", "kernel"] {
        assert!(info.contains(said), "{said}: {info}");
    }
    // The controls: another keyring, one byte of the content, half of the file.
    let other = Built::new();
    other.post_image().expect(0);
    let keyring = other.folder.path().join("update-keys/keyring.pem");
    let refused = ask(&keyring, &bundle);
    assert!(refused.status != 0 && refused.stderr.contains("signature verification failed"), "{}", refused.stderr);
    shell(folder, &format!("head -c $(($(stat -c %s {bundle}) / 2)) {bundle} > half.raucb")).expect(0);
    assert_ne!(ask(&own, "half.raucb").status, 0);
    // Keys that a build makes for itself say what they are, and are not in the tree.
    let names =
        shell(folder, "ls update-keys && openssl x509 -in update-keys/cert.pem -noout -subject").expect(0).stdout;
    assert!(names.contains("INSECURE-test-update.key") && names.contains("INSECURE test update key"), "{names}");
    let listed = tool("git", &["-C", ROOT, "ls-files", "board", "buildroot"]).expect(0).stdout;
    assert!(!listed.lines().any(|line| line.ends_with(".key") || line.ends_with(".pem")), "{listed}");
}

#[test]
fn what_grub_reads_is_grub_s_language() {
    if !need::program("grub-script-check") {
        return;
    }
    let path = "board/common/x86_64/grub.cfg";
    tool("grub-script-check", &[&format!("{ROOT}/{path}")]).expect(0);
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("grub.cfg"), read(path).replacen("; then", "", 1)).expect("writes");
    assert_ne!(shell(folder.path(), "grub-script-check grub.cfg").status, 0, "a control that must fail");
}

/// A disk of stand-ins in a computer with a BIOS: which slot GRUB starts, and what it counts.
struct Started {
    built: Built,
}

impl Started {
    /// What GRUB handed to the kernel, and its environment afterwards.
    fn once(&self) -> (String, String) {
        let image = self.built.image();
        let mut machine = Machine::start(&Options { disk: Some(&image), ..Options::without_medium(Firmware::SeaBios) });
        let said = machine.wait_for("panic=5");
        machine.wait_for_power_off();
        (said, self.environment())
    }

    fn environment(&self) -> String {
        let line = format!(
            "mcopy -n -i '{}@@1M' ::/boot/grub/grubenv env && grub-editenv env list",
            self.built.image().display()
        );
        shell(self.built.folder.path(), &line).expect(0).stdout
    }

    fn set(&self, environment: &str) {
        let line =
            format!("{environment} && mcopy -D o -i '{}@@1M' env ::/boot/grub/grubenv", self.built.image().display());
        shell(self.built.folder.path(), &line).expect(0);
    }
}

#[test]
fn grub_counts_starts_and_goes_to_the_other_slot() {
    if !boot::wanted() || !can_make() {
        return;
    }
    let built = Built::new();
    built.post_image().expect(0);
    let started = Started { built };
    let left = |environment: &str, slot: char| {
        let begin = format!("{slot}_LEFT=");
        environment.lines().find_map(|line| line.strip_prefix(&begin)).expect("counted").to_owned()
    };
    // As it leaves the factory: one slot. What nobody calls well is tried three times.
    for expected in ["2", "1", "0"] {
        let (said, environment) = started.once();
        for part in ["root=/dev/dm-0", "platen.slot=a", "PARTLABEL=root-a", "restart_on_corruption", "verity 1"] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert_eq!(left(&environment, 'A'), expected, "{environment}");
    }
    // Then people are told, and later it is tried again.
    let image = started.built.image();
    let machine = Machine::start(&Options { disk: Some(&image), ..Options::without_medium(Firmware::SeaBios) });
    // Its last line.
    let shown = screen_with(&machine, "Write them again.");
    assert!(shown.contains("Platen can't start.") && shown.contains("A: 1.4.0, B: none"), "{shown}");
    machine.wait_for("platen.slot=a");
    drop(machine);
    assert_eq!(left(&started.environment(), 'A'), "0");
    // An update was written to the other slot and is first.
    let folder = started.built.folder.path();
    let copy = "dd if=images/kernel.img of=\"$image\" bs=512 seek=\"$start\" conv=notrunc status=none";
    let place = "start=$(sfdisk --json \"$image\" | python3 -c \"import json, sys; print([p['start'] for p in json.load(sys.stdin)['partitiontable']['partitions'] if p['name'] == 'kernel-b'][0])\")";
    shell(folder, &format!("image='{}'; {place}; {copy}", image.display())).expect(0);
    started.set("grub-editenv env set 'ORDER=B A' A_OK=1 A_LEFT=3 B_OK=1 B_LEFT=1");
    let (said, environment) = started.once();
    assert!(said.contains("platen.slot=b") && said.contains("PARTLABEL=root-b"), "{said}");
    assert_eq!((left(&environment, 'A'), left(&environment, 'B')), ("3".to_owned(), "0".to_owned()));
    // It did not come up, so the old one is back.
    assert!(started.once().0.contains("platen.slot=a"));
    // Nobody knows what the environment said: as from the factory, without counting.
    started.set("head -c 1024 /dev/zero > env");
    let (image, options) = (started.built.image(), Options::without_medium(Firmware::SeaBios));
    let machine = Machine::start(&Options { disk: Some(&image), ..options });
    machine.wait_for("platen.slot=a");
}

/// What stands on the screen in letters, once this is among it.
fn screen_with(machine: &Machine, text: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("letters");
    for _ in 0..600 {
        // 80 by 25 letters, each with its colours (the adapter's memory of text, VGA).
        machine.qmp().ask("pmemsave", &serde_json::json!({ "val": 0xb8000, "size": 4000, "filename": path }));
        let memory = fs::read(&path).unwrap_or_default();
        let lines =
            memory.chunks(160).map(|line| line.iter().step_by(2).map(|byte| char::from(*byte)).collect::<String>());
        let shown: String = lines.map(|line| line.trim_end().to_owned() + "\n").collect();
        if shown.contains(text) {
            return shown;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    panic!("{text:?} is not on the screen");
}
