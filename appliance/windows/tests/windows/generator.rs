// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! INF files of the shapes that were counted among real ones, and machines that some of them are for.

use std::fmt::Write as _;

use platen_windows::drivers::Device;

/// A stream of numbers that is the same on every run.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[usize::try_from(self.below(of.len() as u64)).expect("small")]
    }
}

const DECORATIONS: [&str; 10] = [
    "NTamd64",
    "NTx86",
    "NTARM64",
    "NTamd64.10.0",
    "NTamd64.10.0...16299",
    "NTamd64.10.0...22000",
    "NTamd64.6.1",
    "NTamd64.10.0.1..16299",
    "NTamd64.10.0.3",
    "NT.6.0",
];

/// A device's id, from so few that several packages are for one.
fn id(dice: &mut Dice) -> String {
    let (vendor, device) = (dice.below(6) + 0x8086, dice.below(12) + 0x1500);
    let one = format!("PCI\\VEN_{vendor:04X}&DEV_{device:04x}");
    match dice.below(8) {
        0 => format!("{one}&SUBSYS_00011028&REV_01"),
        1 => format!("{one}&SUBSYS_00011028"),
        2 => format!("{one}&REV_01"),
        3 => format!("PCI\\VEN_{vendor:04X}&CC_0200"),
        4 => "PCI\\CC_0200".to_owned(),
        5 => format!("USB\\VID_{vendor:04X}&PID_{device:04X}"),
        _ => one,
    }
}

/// The name and bytes of a file.
pub(crate) fn inf(number: usize, dice: &mut Dice) -> (String, Vec<u8>) {
    if dice.one_in(9) {
        let text = match dice.below(3) {
            0 => "[autorun]\r\nopen=setup.exe\r\n",
            1 => "[Version]\r\nsignature=\"$CHICAGO$\"\r\n[System Access]\r\nMinimumPasswordLength = 8\r\n",
            _ => "; nothing\n[Version]\nSignature=\"$Windows NT$\"\n[Manufacturer]\n%m%=M,NTamd64\n[M.NTamd64]\n",
        };
        return (format!("{number:04}.inf"), text.as_bytes().to_vec());
    }
    let text = driver(dice);
    let text = if dice.one_in(2) { text.replace('\n', "\r\n") } else { text };
    let bytes = match dice.below(10) {
        0 => [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect(),
        1 => [0xfe, 0xff].into_iter().chain(text.encode_utf16().flat_map(u16::to_be_bytes)).collect(),
        2 => [&b"\xef\xbb\xbf"[..], text.as_bytes()].concat(),
        // é in the code page of western Windows.
        3 => text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect(),
        _ => text.into_bytes(),
    };
    (format!("{number:04}.inf"), bytes)
}

fn driver(dice: &mut Dice) -> String {
    let mut text = String::from("; A driver; as it may be\n[version]\nSignature = \"$Windows NT$\"\n");
    let (month, day, year) = (dice.below(12) + 1, dice.below(28) + 1, 2015 + dice.below(3));
    let apart = if dice.one_in(9) { "-" } else { "/" };
    let _ = writeln!(text, "Class={}", dice.pick(&["Net", "\"System\"", "%ClassName%", "Media ; sound"]));
    let _ = writeln!(text, "ClassGUID={{4D36E972-E325-11CE-BFC1-08002BE10318}}\nPROVIDER = %Maker%");
    let version = format!("{}.{}.0.{}", dice.below(3), dice.below(30), dice.below(2000));
    let _ = writeln!(text, "DriverVer = {month:02}{apart}{day:02}{apart}{year}, {version}");
    if !dice.one_in(6) {
        let _ = writeln!(text, "{}=driver.cat", dice.pick(&["CatalogFile", "CatalogFile.NTamd64", "catalogfile.nt"]));
    }
    let mut lists = vec![];
    text += "\n[Manufacturer]\n";
    for maker in 0..=dice.below(2) {
        let mut decorations: Vec<&str> = DECORATIONS.iter().copied().filter(|_| dice.one_in(3)).collect();
        if dice.one_in(20) {
            decorations.push("NTvax.1");
        }
        let base = format!("{} {maker}", dice.pick(&["Models", "Devices", "The.List"]));
        let _ = write!(text, "%Maker% = \"{base}\"");
        decorations.iter().for_each(|decoration| text.extend([", ", decoration]));
        text += "\n";
        if decorations.is_empty() || dice.one_in(5) {
            lists.push(base.clone());
        }
        lists.extend(decorations.iter().map(|decoration| format!("{base}.{decoration}")));
    }
    for list in lists {
        let _ = writeln!(text, "[{}]", if dice.one_in(3) { list.to_uppercase() } else { list });
        for _ in 0..dice.below(6) {
            let section = dice.pick(&["Install_A", "Install_B", "Install_C"]);
            let _ = write!(text, "%Device%\t= {section}");
            for at in 0..=dice.below(4) {
                let id = id(dice);
                let id = if dice.one_in(7) { format!("\"{id}\"") } else { id };
                text += if at > 0 && dice.one_in(9) { " , \\ ; more\n    " } else { ", " };
                text += &id;
            }
            text += if dice.one_in(4) { "   ; a comment, with = signs\n" } else { "\n" };
        }
    }
    let _ = writeln!(text, "[Install_A]\nFeatureScore = 0x{:X}\nInclude=machine.inf", dice.below(256));
    let _ = writeln!(text, "[install_b]\nCopyFiles = @a.sys\nfeaturescore={:x}", dice.below(256));
    text += "[Strings]\nMaker = \"Société \"\"One\"\", Inc.\" ; not two\nclassname=Display\nDevice = \"100%% real; truly\"\n";
    text
}

/// A machine's device as Linux would describe it.
pub(crate) fn device(dice: &mut Dice) -> Device {
    let (vendor, device) = (dice.below(6) + 0x8086, dice.below(12) + 0x1500);
    let modalias = format!("pci:v{vendor:08X}d{device:08X}sv00001028sd00000001bc02sc00i00");
    let details = platen_windows::modalias::Details { revision: Some(1), ..Default::default() };
    platen_windows::modalias::device(&modalias, details).expect("a PCI device")
}
