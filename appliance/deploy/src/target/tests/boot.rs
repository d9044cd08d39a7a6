// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What firmware starts, by GRUB's own programs.

use std::fs;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use platen_disk::table::{Listed, PartitionId};
use platen_testkit::need;

use super::bench::{Bench, of_bios, of_uefi, put, said};
use crate::engine::machine::{BootSetup, FileSystem, LinuxBoot, Machine, MachineError, Starts, Volume};
use crate::target::boot;
use crate::target::superblock::Superblock;

const UUID: &str = "01234567-89ab-cdef-0123-456789abcdef";

fn setup(name: &str, kernel: &str, arguments: &str) -> BootSetup {
    let system = Volume {
        disk: 0,
        partition: 2,
        file_system: FileSystem::Ext4,
        size_bytes: 1 << 30,
        label: String::new(),
        letter: Some('C'),
        is_boot: true,
    };
    let linux = LinuxBoot {
        kernel: kernel.to_owned(),
        initrd: Some("/boot/initrd.img".to_owned()),
        arguments: arguments.to_owned(),
    };
    BootSetup { disk: 0, boot: system.clone(), system, name: name.to_owned(), starts: Starts::Linux(linux) }
}

fn config(setup: &BootSetup, id: PartitionId) -> Result<String, MachineError> {
    let superblock = Superblock { file_system: FileSystem::Ext4, uuid: UUID.to_owned(), label: String::new() };
    let Starts::Linux(linux) = &setup.starts else { panic!("a Linux") };
    boot::grub_config(setup, linux, &superblock, id)
}

#[test]
fn the_configuration_is_a_script_for_grub_whatever_the_names() {
    if !need::program("grub-script-check") {
        return;
    }
    let id = PartitionId::Signature(0xab);
    let plain = config(&setup("Debian", "/vmlinuz", "ro quiet"), id).expect("a configuration");
    let expected = format!(
        "set default=0
set timeout=0
menuentry Debian {{
  search --no-floppy --fs-uuid --set=root {UUID}
  if [ ! -f /boot/grub/platen-target-{UUID} ]; then
    echo 'No system was installed here as a whole. Start the deployment medium again.'
    sleep --interruptible 86400
    halt
  fi
  linux /vmlinuz root=UUID={UUID} ro quiet
  initrd /boot/initrd.img
}}
"
    );
    assert_eq!(plain, expected);
    let mut without = setup("Debian", "/vmlinuz", "");
    if let Starts::Linux(linux) = &mut without.starts {
        linux.initrd = None;
    }
    assert!(config(&without, id).expect("a configuration").contains("linux /vmlinuz root=PARTUUID=000000ab-02\n}"));
    let guid = PartitionId::Guid(std::array::from_fn(|at| at as u8));
    let text = config(&without, guid).expect("a configuration");
    assert!(text.contains("root=PARTUUID=03020100-0504-0706-0809-0a0b0c0d0e0f"), "{text}");

    for name in ["it's } ; reboot {", "$(evil) `x` \"", "한글 \\", "a' 'b"] {
        let text = config(&setup(name, "/boot/vm linuz", "a=$x b='c;d'"), id).expect("a configuration");
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), &text).expect("written");
        said(Command::new("grub-script-check").arg(file.path()));
        assert_eq!(text.lines().filter(|line| line.starts_with("menuentry ")).count(), 1, "{text}");
    }
    // The control: without its marks such a name is no script.
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), "menuentry it's } ; reboot {\n}\n").expect("written");
    assert!(!Command::new("grub-script-check").arg(file.path()).output().expect("starts").status.success());
    for (name, kernel) in [("two\nlines", "/k"), ("", "/k"), ("name", "")] {
        assert!(matches!(config(&setup(name, kernel, ""), id), Err(MachineError::Unexpected { .. })));
    }
}

fn medium(folder: &Path) {
    for (path, text) in
        [("EFI/BOOT/BOOTX64.EFI", "shim"), ("EFI/BOOT/grubx64.efi", "grub"), ("EFI/BOOT/mmx64.efi", "mok manager")]
    {
        put(folder, path, text);
    }
}

#[test]
fn the_esp_has_every_file_and_the_fallback_is_written_last() {
    let folder = tempfile::tempdir().expect("a folder");
    let (esp, source) = (folder.path().join("esp"), folder.path().join("medium"));
    medium(&source);
    fs::create_dir(&esp).expect("made");
    // A power cut just before the last one: no firmware finds anything by itself.
    fs::create_dir_all(esp.join("EFI/BOOT/BOOTX64.EFI")).expect("in the way");
    boot::uefi(&esp, &source, "config").expect_err("can't be written");
    for path in ["EFI/debian/grub.cfg", "EFI/debian/shimx64.efi", "EFI/BOOT/grubx64.efi", "EFI/BOOT/mmx64.efi"] {
        assert!(esp.join(path).is_file(), "{path}");
    }
    fs::remove_dir(esp.join("EFI/BOOT/BOOTX64.EFI")).expect("out of the way");
    boot::uefi(&esp, &source, "config").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(fs::read_to_string(esp.join("EFI/BOOT/BOOTX64.EFI")).expect("there"), "shim");
    let names = said(Command::new("find").arg(&esp).args(["-type", "f", "-printf", "%f\\n"]));
    assert_eq!(names.lines().count(), 7, "{names}");
    // A medium that lacks one is named before anything is written.
    fs::remove_file(source.join("EFI/BOOT/grubx64.efi")).expect("removed");
    let empty = tempfile::tempdir().expect("a folder");
    let error = boot::uefi(empty.path(), &source, "config").expect_err("incomplete").to_string();
    assert!(error.ends_with("EFI/BOOT/grubx64.efi"), "{error}");
    assert_eq!(fs::read_dir(empty.path()).expect("listed").count(), 0);
}

/// Reads an entry as the specification lays it out, in another language.
const DECODE: &str = r#"
import struct, sys, uuid
raw = open(sys.argv[1], 'rb').read()
attributes, active, length = struct.unpack_from('<IIH', raw)
text = raw[10:].decode('utf-16-le', 'surrogatepass')
name = text.split('\0')[0]
at = 10 + 2 * len(name.encode('utf-16-le')) // 2 + 2
nodes, end = [], at + length
while at < end:
    kind, sub, size = struct.unpack_from('<BBH', raw, at)
    body = raw[at + 4:at + size]
    if (kind, sub) == (4, 1):
        number, start, count = struct.unpack_from('<IQQ', body)
        nodes.append(f'HD({number},{uuid.UUID(bytes_le=body[20:36])},{start:#x},{count:#x},{body[36]},{body[37]})')
    elif (kind, sub) == (4, 4):
        nodes.append('File(' + body.decode('utf-16-le').rstrip('\0') + ')')
    else:
        nodes.append(f'{kind:#x}/{sub:#x}')
    at += size
print(attributes, active, name, '/'.join(nodes), at == len(raw))
"#;

#[test]
fn the_firmware_gets_one_entry_and_it_is_the_first() {
    if !need::program("python3") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let guid = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
    let file = |name: &str| folder.path().join(format!("{name}-{guid}"));
    fs::write(file("BootOrder"), b"\x07\0\0\0\x03\0\x00\0").expect("written");
    for taken in ["Boot0000", "Boot0003", "BootCurrent", "Boot00"] {
        fs::write(file(taken), b"\x07\0\0\0\x01\0\0\0\x04\0X\0\0\0\x7f\xff\x04\0").expect("written");
    }
    let id = PartitionId::Guid(std::array::from_fn(|at| at as u8));
    let esp = Listed { number: 1, id, first_lba: 2048, sectors: 0x32000, is_boot: true, has_letter: false };
    for _ in 0..2 {
        boot::add_entry(folder.path(), "Debian 12", &esp, boot::LINUX_LOADER).expect("an entry");
        let order = fs::read(file("BootOrder")).expect("there");
        assert_eq!(order, b"\x07\0\0\0\x01\0\x03\0\x00\0");
        assert!(!file("Boot0002").exists());
    }
    let decoded = said(Command::new("python3").arg("-c").arg(DECODE).arg(file("Boot0001")));
    let expected = "7 1 Debian 12 HD(1,03020100-0504-0706-0809-0a0b0c0d0e0f,0x800,0x32000,2,2)/\
                    File(\\EFI\\debian\\shimx64.efi)/0x7f/0xff True\n";
    assert_eq!(decoded, expected);
}

#[test]
fn a_bios_finds_grub_and_the_table_stays() {
    if !["grub-mkimage", "sfdisk", "sgdisk", "cmp"].iter().all(|name| need::program(name)) {
        return;
    }
    let mut of_gpt = of_uefi();
    of_gpt.partitions.drain(..4);
    of_gpt.partitions.push(super::bench::wish(
        platen_sequence::layout::PartitionUse::BiosBoot,
        platen_sequence::layout::Size::Mib(1),
        None,
        "",
    ));
    for layout in [of_bios(), of_gpt] {
        let Some(mut bench) = Bench::new(600 << 20, false) else { return };
        let source = bench.path().join("medium");
        fs::create_dir_all(source.join("platen/bios")).expect("made");
        let core = source.join("platen/bios/disk-core.img");
        said(
            Command::new("grub-mkimage")
                .args(["-O", "i386-pc", "-p", "(hd0)", "-o"])
                .arg(&core)
                .args(["biosdisk", "ext2"]),
        );
        fs::copy("/usr/lib/grub/i386-pc/boot.img", source.join("platen/bios/boot.img")).expect("grub-pc-bin");
        let mut machine = bench.machine(&layout);
        let volumes = machine.partition(0, &layout).unwrap_or_else(|error| panic!("{error}"));
        let system = volumes[0].clone();
        let root = machine.root(&system).unwrap_or_else(|error| panic!("{error}"));
        // An image whose links lead out of it.
        let outside = bench.path().join("outside");
        fs::create_dir(&outside).expect("made");
        fs::create_dir_all(root.join("boot/grub")).expect("made");
        symlink(outside.join("trap"), root.join("boot/grub/grub.cfg")).expect("linked");
        let table = || said(Command::new("sfdisk").arg("--dump").arg(bench.image()));
        let before = table();
        let setup = BootSetup { system: system.clone(), boot: system, ..setup("Debian", "/vmlinuz", "quiet") };
        machine.make_bootable(&setup, &source).unwrap_or_else(|error| panic!("{error}"));
        let text = fs::read_to_string(root.join("boot/grub/grub.cfg")).expect("written");
        assert!(text.contains("menuentry Debian"), "{text}");
        assert_eq!(fs::read_dir(&outside).expect("listed").count(), 0);
        assert!(root.join("boot/grub/platen-target").is_file());
        machine.unmount_all().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(table(), before);

        // Code and core are on the disk as grub-mkimage made them, but for the fields that say where.
        let core = fs::read(core).expect("read");
        let disk = fs::File::open(bench.disk()).expect("opened");
        let mut sector = [0; 512];
        disk.read_exact_at(&mut sector, 0).expect("read");
        let core_lba = u64::from_le_bytes(sector[0x5c..0x64].try_into().expect("eight"));
        assert_eq!((core_lba, &sector[510..]), (if before.contains("gpt") { 34 } else { 1 }, &[0x55, 0xaa][..]));
        let mut found = vec![0; core.len()];
        disk.read_exact_at(&mut found, core_lba * 512).expect("read");
        assert_eq!(found[512..], core[512..]);

        // An image that is put over it takes the mark away first, whatever happens then.
        let names = |root: &Path| said(Command::new("ls").arg(root.join("boot/grub")));
        let root = machine.root(&setup.system).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(names(&root).lines().filter(|name| name.starts_with("platen-target")).count(), 2);
        boot::unmark(&root).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(names(&root), "grub.cfg\n");
        fs::remove_dir_all(root.join("boot/grub")).expect("removed");
        fs::create_dir(outside.join("grub")).expect("made");
        fs::write(outside.join("grub/platen-target"), "of somebody else").expect("written");
        symlink(outside.join("grub"), root.join("boot/grub")).expect("linked");
        boot::unmark(&root).unwrap_or_else(|error| panic!("{error}"));
        assert!(outside.join("grub/platen-target").exists());

        // Without its core image nothing is written: the sector is as it was.
        fs::remove_file(source.join("platen/bios/disk-core.img")).expect("removed");
        let error = machine.make_bootable(&setup, &source).expect_err("incomplete").to_string();
        assert!(error.ends_with("platen/bios/disk-core.img"), "{error}");
    }
}

#[test]
fn a_linux_on_ntfs_is_refused_by_name() {
    let Some(bench) = Bench::new(64 << 20, true) else { return };
    let mut setup = setup("Debian", "/vmlinuz", "");
    setup.system.file_system = FileSystem::Ntfs;
    let error = bench.look().make_bootable(&setup, bench.path()).expect_err("refused").to_string();
    assert!(error.contains("NTFS"), "{error}");
}

#[test]
fn an_image_that_is_put_over_a_windows_takes_its_boot_store_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let (root, outside) = (folder.path().join("root"), folder.path().join("outside"));
    for path in ["efi/Microsoft/BOOT/bcd", "efi/Microsoft/BOOT/bootmgfw.efi", "boot/bcd"] {
        put(&root, path, path);
    }
    boot::unmark(&root).unwrap_or_else(|error| panic!("{error}"));
    assert!(!root.join("efi/Microsoft/BOOT/bcd").exists() && !root.join("boot/bcd").exists());
    assert!(root.join("efi/Microsoft/BOOT/bootmgfw.efi").exists(), "nothing else");
    // Behind a link is another volume's, or the boot system's own.
    put(&outside, "BCD", "of somebody else");
    fs::remove_dir_all(root.join("boot")).expect("removed");
    symlink(&outside, root.join("boot")).expect("linked");
    boot::unmark(&root).unwrap_or_else(|error| panic!("{error}"));
    assert!(outside.join("BCD").exists());
}

#[test]
fn windows_boot_manager_is_started_whatever_its_name() {
    if !need::program("grub-script-check") {
        return;
    }
    let text = boot::windows_config("it's } ; reboot {").expect("a configuration");
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), &text).expect("written");
    said(Command::new("grub-script-check").arg(file.path()));
    assert!(text.contains("menuentry 'it'\\''s } ; reboot {' {\n  ntldr /bootmgr\n}\n"), "{text}");
    boot::windows_config("a\nb").expect_err("no name");
}
