// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A tree with the shape of an installed Windows, none of it Windows': hives made with hivexsh, and programs that say
//! one word on the serial line.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// What the boot manager's stand-in says: by UEFI, by BIOS.
pub const UEFI_WORD: &str = "STAND-IN BOOTMGFW STARTED\r\n";
/// The same by BIOS.
pub const BIOS_WORD: &str = "STAND-IN BOOTMGR STARTED\r\n";
/// `IMAGE_FILE_MACHINE_AMD64`.
pub const AMD64: u16 = 0x8664;
/// `IMAGE_FILE_MACHINE_ARM64`.
pub const ARM64: u16 = 0xaa64;

/// Puts the tree into a folder. `empty_hive` gives the bytes of a hive with a root of that name.
pub fn make(folder: &Path, machine: u16, empty_hive: &dyn Fn(&str) -> Vec<u8>) {
    let put = |path: &str, bytes: &[u8]| {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, bytes).expect("written");
    };
    put("Windows/System32/ntoskrnl.exe", &kernel(machine));
    put("Windows/Professional.xml", b"<edition/>");
    put("Windows/notepad.exe", b"MZ");
    put("Program Files/desktop.ini", b"[x]\r\n");
    put("Windows/Boot/EFI/bootmgfw.efi", &efi_program(machine, UEFI_WORD));
    put("Windows/Boot/EFI/bootmgr.efi", b"MZ");
    put("Windows/Boot/EFI/memtest.efi", b"MZ");
    put("Windows/Boot/EFI/ko-KR/bootmgfw.efi.mui", b"words");
    put("Windows/Boot/PCAT/bootmgr", &real_mode_program(BIOS_WORD));
    put("Windows/Boot/PCAT/bootnxt", b"next");
    put("Windows/Boot/PCAT/memtest.exe", b"MZ");
    put("Windows/Boot/PCAT/ko-KR/bootmgr.exe.mui", b"words");
    put("Windows/Boot/Fonts/wgl4_boot.ttf", b"font");
    put("Windows/Boot/Resources/bootres.dll", b"MZ");
    put("Windows/Setup/Scripts/SetupComplete.cmd", b"@echo the image's own\r\n");
    let config = |name: &str| format!("Windows/System32/config/{name}");
    for (name, script) in [("SYSTEM", SYSTEM), ("SOFTWARE", SOFTWARE), ("DEFAULT", ""), ("BCD-Template", TEMPLATE)] {
        put(&config(name), &empty_hive(if name == "BCD-Template" { "NewStoreRoot" } else { "ROOT" }));
        hivexsh(&folder.join(config(name)), script);
    }
    put("Users/Default/NTUSER.DAT", &empty_hive("ROOT"));
}

/// `Select\Current` is 2, so that nobody takes the first control set for the current one.
const SYSTEM: &str = "add Select\ncd Select\nsetval 1\nCurrent\ndword:2\ncd ..\nadd ControlSet001\nadd ControlSet002\n";
const SOFTWARE: &str = "add Microsoft\ncd Microsoft\nadd Windows\ncd Windows\nadd CurrentVersion\ncd CurrentVersion\n\
    setval 2\nDevicePath\nexpandstring:%SystemRoot%\\inf\nProgramFilesDir\nstring:C:\\Program Files\n";
/// A setting to be kept, a model to be left out, and a boot manager that knows no disk.
const TEMPLATE: &str = "add Description\nadd Objects\ncd Objects\n\
    add {7ea2e1ac-2e61-4728-aaa3-896d9d0a9f0e}\ncd {7ea2e1ac-2e61-4728-aaa3-896d9d0a9f0e}\nadd Elements\ncd Elements\n\
    add 16000048\ncd 16000048\nsetval 1\nElement\nhex:3:01\ncd ..\ncd ..\ncd ..\n\
    add {a1943bbc-ea85-487c-97c7-c9ede908a38a}\n\
    add {9dea862c-5cdd-4e70-acc1-f32b344d4795}\ncd {9dea862c-5cdd-4e70-acc1-f32b344d4795}\nadd Elements\ncd Elements\n\
    add 23000003\ncd 23000003\nsetval 1\nElement\nstring:{nobody}\n";

fn hivexsh(hive: &Path, script: &str) {
    let mut child = Command::new("hivexsh").arg("-w").arg(hive).stdin(Stdio::piped()).spawn().expect("libhivex-bin");
    let script = format!("{script}commit\nquit\n");
    child.stdin.take().expect("piped").write_all(script.as_bytes()).expect("taken");
    assert!(child.wait().expect("ended").success(), "{script}");
}

/// A PE header, and the version 10.0.19041 where version resources have it.
fn kernel(machine: u16) -> Vec<u8> {
    let mut program = vec![0; 0x400];
    program[..2].copy_from_slice(b"MZ");
    program[0x3c] = 0x80;
    program[0x80..0x84].copy_from_slice(b"PE\0\0");
    program[0x84..0x86].copy_from_slice(&machine.to_le_bytes());
    program[0x200..0x208].copy_from_slice(&[0xbd, 0x04, 0xef, 0xfe, 0, 0, 1, 0]);
    program[0x208..0x20c].copy_from_slice(&(10_u32 << 16).to_le_bytes());
    program[0x20c..0x210].copy_from_slice(&(19041_u32 << 16).to_le_bytes());
    program
}

/// Says a word on the first serial port and stops. Position-independent, so it needs no relocations.
fn efi_program(machine: u16, word: &str) -> Vec<u8> {
    const CODE_AT: u32 = 0x1000;
    #[rustfmt::skip]
    let code = [
        0x48, 0x8d, 0x35, 0x1c, 0, 0, 0, // lea rsi, [rip+28]: behind the code
        0xac, // next: lodsb
        0x84, 0xc0, 0x74, 0x14, // test al, al; jz end
        0x88, 0xc4, 0x66, 0xba, 0xfd, 0x03, // mov ah, al; mov dx, 0x3fd
        0xec, 0xa8, 0x20, 0x74, 0xfb, // wait: in al, dx; test al, 0x20; jz wait
        0x88, 0xe0, 0x66, 0xba, 0xf8, 0x03, 0xee, // mov al, ah; mov dx, 0x3f8; out dx, al
        0xeb, 0xe7, // jmp next
        0xf4, 0xeb, 0xfd, // end: hlt; jmp end
    ];
    let mut program = vec![0; 0x400];
    let mut put = |at: usize, bytes: &[u8]| program[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"MZ");
    put(0x3c, &0x40_u32.to_le_bytes());
    put(0x40, b"PE\0\0");
    // COFF: machine, one section, size of the optional header, executable and large-address aware.
    put(0x44, &machine.to_le_bytes());
    put(0x46, &1_u16.to_le_bytes());
    put(0x54, &240_u16.to_le_bytes());
    put(0x56, &0x22_u16.to_le_bytes());
    // PE32+ for an EFI application.
    put(0x58, &0x20b_u16.to_le_bytes());
    put(0x5c, &0x200_u32.to_le_bytes());
    put(0x68, &CODE_AT.to_le_bytes());
    put(0x6c, &CODE_AT.to_le_bytes());
    put(0x78, &0x1000_u32.to_le_bytes());
    put(0x7c, &0x200_u32.to_le_bytes());
    put(0x90, &0x2000_u32.to_le_bytes());
    put(0x94, &0x200_u32.to_le_bytes());
    put(0x9c, &10_u16.to_le_bytes());
    put(0xc4, &16_u32.to_le_bytes());
    // The section.
    put(0x148, b".text\0\0\0");
    put(0x150, &0x200_u32.to_le_bytes());
    put(0x154, &CODE_AT.to_le_bytes());
    put(0x158, &0x200_u32.to_le_bytes());
    put(0x15c, &0x200_u32.to_le_bytes());
    put(0x16c, &0x6000_0020_u32.to_le_bytes());
    put(0x200, &code);
    put(0x200 + code.len(), word.as_bytes());
    program
}

/// The same in real mode, loaded to any segment's beginning.
fn real_mode_program(word: &str) -> Vec<u8> {
    #[rustfmt::skip]
    let code = [
        0xfc, 0x0e, 0x1f, 0xbe, 0x20, 0x00, // cld; push cs; pop ds; mov si, 32
        0xac, // next: lodsb
        0x84, 0xc0, 0x74, 0x12, // test al, al; jz end
        0x88, 0xc4, 0xba, 0xfd, 0x03, // mov ah, al; mov dx, 0x3fd
        0xec, 0xa8, 0x20, 0x74, 0xfb, // wait: in al, dx; test al, 0x20; jz wait
        0x88, 0xe0, 0xba, 0xf8, 0x03, 0xee, // mov al, ah; mov dx, 0x3f8; out dx, al
        0xeb, 0xe9, // jmp next
        0xf4, 0xeb, 0xfd, // end: hlt; jmp end
    ];
    let mut program = code.to_vec();
    program.resize(32, 0);
    program.extend(word.as_bytes());
    program.resize(512, 0);
    program
}
