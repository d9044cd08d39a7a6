// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Hives before and after changes, as hivexsh, reged and reglookup see them; hostile ones; ends that come too early.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use platen_hive::{HiveError, apply, apply_in_process_of_its_own, empty_hive};
use platen_testkit::need;
use platen_windows::registry::{Action, Change, Data, REG_SZ};

const PROGRAM: &str = env!("CARGO_BIN_EXE_platen-hive");

fn program() -> &'static Path {
    Path::new(PROGRAM)
}

/// A folder with the hive that hivex' own shell filled: the start of every test.
struct Sample {
    folder: tempfile::TempDir,
}

impl Sample {
    /// None where hivex' programs may be missing and are.
    fn new() -> Option<Self> {
        let programs = ["hivexsh", "hivexml", "reglookup", "reged"];
        if !programs.iter().all(|program| need::program(program)) {
            return None;
        }
        let sample = Self { folder: tempfile::tempdir().expect("a folder") };
        std::fs::write(sample.path(), empty_hive("ROOT")).expect("writes");
        sample.shell(
            "add Select\ncd Select\nsetval 1\nCurrent\ndword:2\ncd \\\nadd ControlSet002\ncd ControlSet002\nadd Control\n\
             cd Control\nsetval 2\n@\nstring:kept\nOther\nhex:3:00,01,02,03,04,05\ncd \\\nadd Ünïcode\ncommit\n",
            true,
        );
        Some(sample)
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("SYSTEM")
    }

    /// What hivexsh prints.
    fn shell(&self, commands: &str, writable: bool) -> String {
        let mut shell = Command::new("hivexsh");
        shell.args(writable.then_some("-w")).arg(self.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = shell.spawn().expect("hivexsh runs");
        shell.stdin.take().expect("a pipe").write_all(commands.as_bytes()).expect("writes");
        let output = shell.wait_with_output().expect("hivexsh runs");
        assert!(output.status.success(), "{commands}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn output(&self, program: &str, arguments: &[&str]) -> String {
        let output = Command::new(program).args(arguments).arg(self.path()).output().expect(program);
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn apply(&self, changes: &[Change]) -> Result<platen_hive::Applied, HiveError> {
        apply_in_process_of_its_own(program(), &self.path(), changes)
    }

    /// The hive is the only file: no copy was left.
    fn is_alone(&self) -> bool {
        std::fs::read_dir(self.folder.path()).expect("lists").count() == 1
    }
}

fn change(key: &str, action: Action) -> Change {
    Change { key: key.to_owned(), action }
}

fn set(key: &str, name: &str, data: Data) -> Change {
    change(key, Action::SetValue { name: name.to_owned(), data })
}

#[test]
fn changes_are_seen_by_other_programs() {
    let Some(sample) = Sample::new() else { return };
    let changes = [
        set("CurrentControlSet\\Control", "Text", Data::text(REG_SZ, "größe \"x\"")),
        set("controlset002\\control\\New\\Deep", "Number", Data::dword(0xfffe)),
        set("ControlSet002\\Control", "", Data::text(REG_SZ, "default")),
        set("ÜNÏCODE", "한", Data::texts(["a", "bc"])),
        set("", "Empty", Data::binary(Vec::new())),
        change("Made", Action::CreateKey),
    ];
    let applied = sample.apply(&changes).expect("applies");
    assert_eq!((applied.changes, applied.was_dirty), (6, false));
    assert!(sample.is_alone());

    assert_eq!(sample.shell("cd \\ControlSet002\\Control\nlsval Text\n", false).trim_end(), "größe \"x\"");
    assert_eq!(sample.shell("cd \\ControlSet002\\Control\nlsval @\n", false).trim_end(), "default");
    let kept = sample.shell("cd \\ControlSet002\\Control\nlsval\n", false);
    assert!(kept.contains("\"Other\"=hex(3):00,01,02,03,04,05"), "{kept}");
    assert!(sample.shell("cd \\Ünïcode\nlsval\n", false).contains("\"한\"=hex(7):61,00,00,00,62,00,63,00,00,00,00,00"));
    let keys = sample.shell("cd \\\nls\n", false);
    assert_eq!(keys.lines().collect::<Vec<_>>(), ["ControlSet002", "Made", "Select", "Ünïcode"], "none twice");

    let lookup = sample.output("reglookup", &[]);
    for line in [
        "/ControlSet002/Control/New/Deep/Number,DWORD,0x0000FFFE,",
        "/Empty,BINARY,",
        "/Select/Current,DWORD,0x00000002,",
        "/Made,KEY,,",
    ] {
        assert!(lookup.contains(line), "{line}: {lookup}");
    }
    let out = sample.folder.path().join("out.reg");
    let reged =
        Command::new("reged").arg("-x").arg(sample.path()).args(["HKLM\\S", "\\ControlSet002"]).arg(&out).output();
    let reged = reged.expect("reged runs");
    let exported = std::fs::read(&out).unwrap_or_else(|error| panic!("{error}: {reged:?}"));
    let exported = String::from_utf8_lossy(&exported);
    assert!(exported.contains("\"Number\"=dword:0000fffe"), "{exported}");
    Command::new("hivexml").arg(sample.path()).output().map(|it| assert!(it.status.success())).expect("hivexml runs");
}

#[test]
fn what_is_deleted_is_gone_and_the_rest_stays() {
    let Some(sample) = Sample::new() else { return };
    let delete = |key: &str| change(key, Action::DeleteKey);
    let changes = [
        change("ControlSet002\\Control", Action::DeleteValue { name: "OTHER".to_owned() }),
        change("ControlSet002\\Control", Action::DeleteValue { name: "no such".to_owned() }),
        delete("Ünïcode"),
        delete("no\\such\\key"),
        set("A\\B\\C", "x", Data::dword(1)),
        delete("A\\B"),
        set("V", "x", Data::dword(1)),
        change("V", Action::DeleteAllValues),
    ];
    sample.apply(&changes).expect("applies");
    assert_eq!(sample.shell("ls\n", false).lines().collect::<Vec<_>>(), ["A", "ControlSet002", "Select", "V"]);
    assert_eq!(sample.shell("cd A\nls\ncd \\V\nlsval\n", false).trim(), "");
    assert_eq!(sample.shell("cd \\ControlSet002\\Control\nlsval\n", false).lines().next(), Some("\"@\"=\"kept\""));
    assert!(!sample.shell("cd \\ControlSet002\\Control\nlsval\n", false).contains("Other"));
}

#[test]
fn all_changes_are_made_or_none() {
    let Some(sample) = Sample::new() else { return };
    std::fs::set_permissions(sample.path(), PermissionsExt::from_mode(0o640)).expect("sets");
    let before = std::fs::read(sample.path()).expect("reads");
    let good = set("Made", "x", Data::dword(1));
    let error = sample.apply(&[good.clone(), change("a\0b", Action::CreateKey)]).expect_err("a zero");
    assert!(error.to_string().contains("without zeros"), "{error}");
    assert!(std::fs::read(sample.path()).expect("reads") == before && sample.is_alone());

    // Left by a power cut before the rename.
    std::fs::write(sample.folder.path().join("SYSTEM.platen-new"), "half").expect("writes");
    sample.apply(&[good]).expect("applies");
    assert!(std::fs::read(sample.path()).expect("reads") != before && sample.is_alone(), "the control");
    let mode = std::fs::metadata(sample.path()).expect("is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[test]
fn the_current_control_set_is_asked_for() {
    let Some(sample) = Sample::new() else { return };
    let current = set("currentcontrolset\\X", "x", Data::dword(1));
    sample.shell("cd Select\nsetval 1\nCurrent\ndword:0\ncommit\n", true);
    let error = sample.apply(std::slice::from_ref(&current)).expect_err("no set 0").to_string();
    assert!(error.contains("Select\\Current, found 0"), "{error}");
    std::fs::write(sample.path(), empty_hive("ROOT")).expect("writes");
    let error = sample.apply(&[current]).expect_err("not SYSTEM").to_string();
    assert!(error.contains("Select\\Current, found none"), "{error}");
}

#[test]
fn a_hive_that_windows_did_not_write_to_the_end_is_named() {
    let Some(sample) = Sample::new() else { return };
    let mut bytes = std::fs::read(sample.path()).expect("reads");
    // And its checksum, which is over all words before it.
    bytes[4] ^= 1;
    bytes[0x1fc] ^= 1;
    std::fs::write(sample.path(), bytes).expect("writes");
    assert!(sample.apply(&[change("a", Action::CreateKey)]).expect("applies").was_dirty);
    assert!(!sample.apply(&[change("a", Action::CreateKey)]).expect("applies").was_dirty, "it was written now");
}

/// On NTFS, where Windows' access rights are extended attributes: a hive that anybody may write would be a way in.
#[test]
fn access_rights_of_windows_are_kept() {
    let is_here = need::root() && need::program("ntfs-3g") && need::program("mkntfs");
    if !is_here || !need::demand("fuse", Path::new("/dev/fuse").exists(), "no /dev/fuse") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (image, mounted) = (folder.path().join("image"), folder.path().join("mounted"));
    std::fs::File::create(&image).and_then(|file| file.set_len(32 << 20)).expect("makes");
    std::fs::create_dir(&mounted).expect("makes");
    let run = |program: &str, arguments: &[&Path]| {
        let output = Command::new(program).args(arguments).output().expect(program);
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    run("mkntfs", &[Path::new("-F"), Path::new("-q"), &image]);
    run("ntfs-3g", &[&image, &mounted]);
    let unmount = Unmount(&mounted);
    let hive = mounted.join("SYSTEM");
    std::fs::write(&hive, empty_hive("ROOT")).expect("writes");
    let script = "import os, sys\n\
                  sid = bytes([1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0])\n\
                  entry = bytes([0, 0, 20, 0, 255, 1, 31, 0]) + sid\n\
                  acl = bytes([2, 0, 28, 0, 1, 0, 0, 0]) + entry\n\
                  wanted = bytes([1, 0, 4, 128, 48, 0, 0, 0, 60, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0]) + acl + sid + sid\n\
                  rights, kind = 'system.ntfs_acl', 'system.ntfs_attrib_be'\n\
                  if sys.argv[1] == 'set':\n\
                  \x20   os.setxattr(sys.argv[2], rights, wanted)\n\
                  \x20   os.setxattr(sys.argv[2], kind, bytes([0, 0, 0, 38]))\n\
                  print(os.getxattr(sys.argv[2], rights) == wanted, os.getxattr(sys.argv[2], kind).hex())";
    let rights = |verb: &str| run("python3", &[Path::new("-c"), Path::new(script), Path::new(verb), &hive]);
    assert!(rights("see").starts_with("False"), "the control");
    assert_eq!(rights("set").trim(), "True 00000026");
    let applied = apply_in_process_of_its_own(program(), &hive, &[change("a", Action::CreateKey)]);
    assert_eq!(applied.expect("applies").changes, 1);
    assert_eq!(rights("see").trim(), "True 00000026");
    drop(unmount);
}

struct Unmount<'p>(&'p Path);

impl Drop for Unmount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

/// A value that Windows keeps in pieces would be written back in one, which it does not read.
#[test]
fn nothing_is_changed_beside_a_value_in_pieces() {
    let Some(sample) = Sample::new() else { return };
    let big = set("Big", "big", Data::binary(vec![7; 20_000]));
    apply(&sample.path(), &[big]).expect("hivex writes it");
    let error = sample.apply(&[set("Big", "other", Data::dword(1))]).expect_err("refused").to_string();
    assert!(error.contains("20000 bytes"), "{error}");
    sample.apply(&[set("Big\\below", "other", Data::dword(1))]).expect("the control");
}

#[test]
fn damaged_and_hostile_hives_end_in_an_error_or_a_sound_hive() {
    let Some(sample) = Sample::new() else { return };
    let good = std::fs::read(sample.path()).expect("reads");
    let changes = [
        set("CurrentControlSet\\Control\\A", "x", Data::dword(1)),
        change("Ünïcode", Action::DeleteKey),
        change("ControlSet002", Action::DeleteKey),
    ];
    let begun = Instant::now();
    let (mut refused, mut taken) = (0, 0);
    let mut ask = |bytes: &[u8]| {
        std::fs::write(sample.path(), bytes).expect("writes");
        match sample.apply(&changes) {
            Ok(_) => {
                let open =
                    Command::new("hivexsh").arg(sample.path()).stdin(Stdio::null()).output().expect("hivexsh runs");
                assert!(open.status.success(), "{}", String::from_utf8_lossy(&open.stderr));
                taken += 1;
            }
            Err(HiveError::Refused { .. } | HiveError::Ended { .. }) => {
                assert!(std::fs::read(sample.path()).expect("reads") == bytes, "it is as it was");
                refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
        // Ended by a signal, the program leaves its copy, and the next one removes it.
        let left = std::fs::read_dir(sample.folder.path()).expect("lists").count();
        assert!(left <= 2, "{left} files");
    };
    for length in [0, 1, 100, 0x1000, 0x1fff, good.len() - 1] {
        ask(&good[..length.min(good.len())]);
    }
    // Every word of what is in use, with numbers that point out of the file, at itself, or to nothing.
    for at in (0x1000..0x1300).step_by(4) {
        for word in [0_u32, u32::MAX, 0x20] {
            let mut bytes = good.clone();
            bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
            ask(&bytes);
        }
    }
    println!("{taken} taken, {refused} refused in {:?}", begun.elapsed());
    assert!(taken > 100 && refused > 20, "{taken} taken, {refused} refused: the control");
}

#[test]
fn programs_that_give_no_answer_are_named() {
    let Some(sample) = Sample::new() else { return };
    let none = apply_in_process_of_its_own(Path::new("/bin/false"), &sample.path(), &[]).expect_err("no answer");
    assert!(matches!(none, HiveError::Ended { .. }), "{none}");
    let missing = apply_in_process_of_its_own(Path::new("/no/such"), &sample.path(), &[]).expect_err("no program");
    assert!(matches!(missing, HiveError::Io { .. }), "{missing}");
    let gone = apply_in_process_of_its_own(program(), Path::new("/no/hive"), &[]).expect_err("no hive").to_string();
    assert!(gone.contains("No such file"), "{gone}");
    let output = Command::new(PROGRAM).stdin(Stdio::null()).output().expect("runs");
    assert!(!output.status.success() && output.stdout.starts_with(b"{\"error\":"), "{output:?}");
}

/// What is made anew is a hive for others too.
#[test]
fn an_empty_hive_is_one_for_other_programs() {
    let Some(sample) = Sample::new() else { return };
    std::fs::write(sample.path(), empty_hive("NewStoreRoot")).expect("writes");
    assert_eq!(sample.output("hivexml", &[]).matches("<node name=\"NewStoreRoot\" root=\"1\">").count(), 1);
    let lookup = sample.output("reglookup", &["-s"]);
    assert!(lookup.contains("/,KEY,,") || lookup.contains("KEY"), "{lookup}");
    assert!(lookup.to_uppercase().contains("S-1-5-32-544"), "administrators own it: {lookup}");
}

/// A boot store, with what each element must be, written out by hand: of GPT and UEFI, then of MBR and BIOS.
mod boot_store {
    use super::*;
    use platen_windows::bcd::{Base, BootStore, Firmware, Partition, ROOT_NAME};

    const LOADER: &str = "{01010101-0101-4101-8101-010101010101}";
    const RESUME: &str = "{02020202-0202-4202-8202-020202020202}";
    const MANAGER: &str = "{9dea862c-5cdd-4e70-acc1-f32b344d4795}";
    const GLOBAL: &str = "{7ea2e1ac-2e61-4728-aaa3-896d9d0a9f0e}";
    const MODEL: &str = "{b012b84d-c47c-4ed5-b722-c0c42163e569}";

    fn store(firmware: Firmware) -> BootStore {
        let gpt = |partition| Partition::Gpt { disk: [0xd1; 16], partition: [partition; 16] };
        let mbr = |offset_bytes| Partition::Mbr { disk_signature: 0x1234_5678, offset_bytes };
        let (system, windows) = match firmware {
            Firmware::Uefi => (gpt(0xe1), gpt(0xe2)),
            Firmware::Bios => (mbr(0x10_0000), mbr(0x1_2340_0000)),
        };
        BootStore {
            firmware,
            system,
            windows,
            description: "Windows 11".to_owned(),
            locale: "ko-KR".to_owned(),
            loader_id: [1; 16],
            resume_id: [2; 16],
        }
    }

    fn element(sample: &Sample, object: &str, kind: &str) -> String {
        let commands = format!("cd \\Objects\\{object}\\Elements\\{kind}\nlsval\n");
        let said = sample.shell(&commands, false);
        said.trim().strip_prefix("\"Element\"=").unwrap_or_else(|| panic!("{object} {kind}: {said}")).to_owned()
    }

    fn hexadecimal(kind: &str, bytes: &[u8]) -> String {
        let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("hex({kind}):{}", digits.join(","))
    }

    fn check(sample: &Sample, firmware: Firmware) {
        let device = |partition: [u8; 16], style: u8, disk: [u8; 16]| {
            let parts = [&[0; 16][..], &[6, 0, 0, 0, 0, 0, 0, 0, 72, 0, 0, 0, 0, 0, 0, 0], &partition];
            let rest = [&[0, 0, 0, 0, style, 0, 0, 0][..], &disk, &[0; 16]];
            hexadecimal("3", &[parts.concat(), rest.concat()].concat())
        };
        let first = |bytes: &[u8]| {
            let mut all = [0; 16];
            all[..bytes.len()].copy_from_slice(bytes);
            all
        };
        let signature = first(&[0x78, 0x56, 0x34, 0x12]);
        let (system, windows, program) = match firmware {
            Firmware::Uefi => (device([0xe1; 16], 0, [0xd1; 16]), device([0xe2; 16], 0, [0xd1; 16]), "winload.efi"),
            Firmware::Bios => {
                let (at, far) = (first(&[0, 0, 0x10]), first(&[0, 0, 0x40, 0x23, 1]));
                (device(at, 1, signature), device(far, 1, signature), "winload.exe")
            }
        };
        assert_eq!(element(sample, MANAGER, "11000001"), system);
        assert_eq!(element(sample, LOADER, "11000001"), windows);
        assert_eq!(element(sample, LOADER, "21000001"), windows);
        assert_eq!(element(sample, LOADER, "12000002"), format!("\"\\\\Windows\\\\system32\\\\{program}\""));
        assert_eq!(element(sample, LOADER, "12000004"), "\"Windows 11\"");
        assert_eq!(element(sample, LOADER, "22000002"), "\"\\\\Windows\"");
        assert_eq!(element(sample, LOADER, "23000003"), format!("\"{RESUME}\""));
        assert_eq!(element(sample, MANAGER, "23000003"), format!("\"{LOADER}\""));
        assert_eq!(element(sample, MANAGER, "25000004"), hexadecimal("3", &[30, 0, 0, 0, 0, 0, 0, 0]));
        let order: Vec<u8> = LOADER.bytes().flat_map(|byte| [byte, 0]).chain([0; 4]).collect();
        assert_eq!(element(sample, MANAGER, "24000001"), hexadecimal("7", &order));
        let kind = sample.shell(&format!("cd \\Objects\\{LOADER}\\Description\nlsval\n"), false);
        assert_eq!(kind.trim(), "\"Type\"=dword:10200003");
        let root = sample.shell("cd \\Description\nlsval\n", false);
        assert!(
            root.contains("\"KeyName\"=\"BCD00000000\"") && root.contains("\"TreatAsSystem\"=dword:00000001"),
            "{root}"
        );
        sample.output("hivexml", &[]);
    }

    #[test]
    fn a_new_store_has_what_every_store_has() {
        for firmware in [Firmware::Uefi, Firmware::Bios] {
            let Some(sample) = Sample::new() else { return };
            std::fs::write(sample.path(), empty_hive(ROOT_NAME)).expect("writes");
            sample.apply(&store(firmware).changes(Base::Empty)).expect("applies");
            check(&sample, firmware);
            assert_eq!(sample.shell("cd Objects\nls\n", false).lines().count(), 11);
            assert_eq!(element(&sample, GLOBAL, "14000006").matches("7b,00").count(), 3, "it inherits from three");
        }
    }

    /// The template as hivexsh makes it: with a model of what is started, and a setting of its own.
    #[test]
    fn a_template_keeps_its_settings_and_loses_its_models() {
        for firmware in [Firmware::Uefi, Firmware::Bios] {
            let Some(sample) = Sample::new() else { return };
            std::fs::write(sample.path(), empty_hive(ROOT_NAME)).expect("writes");
            let object = |id: &str, kind: &str, element: &str| {
                format!(
                    "cd \\Objects\nadd {id}\ncd {id}\nadd Elements\ncd Elements\nadd {kind}\ncd {kind}\nsetval 1\nElement\n{element}\n"
                )
            };
            let commands = [
                "add Description\nadd Objects\n".to_owned(),
                object(GLOBAL, "1500000c", "hex:3:07,00,00,00,00,00,00,00"),
                object(MODEL, "42000002", "string:\\system32\\winload.efi"),
                object(MANAGER, "25000004", "hex:3:05,00,00,00,00,00,00,00"),
                format!("cd \\Objects\\{MANAGER}\\Elements\nadd 45000001\n"),
                "commit\n".to_owned(),
            ];
            sample.shell(&commands.concat(), true);
            sample.apply(&store(firmware).changes(Base::Template)).expect("applies");
            check(&sample, firmware);
            assert_eq!(element(&sample, GLOBAL, "1500000c"), hexadecimal("3", &[7, 0, 0, 0, 0, 0, 0, 0]), "its own");
            assert!(!sample.shell("cd \\Objects\nls\n", false).contains(MODEL));
            let elements = sample.shell(&format!("cd \\Objects\\{MANAGER}\\Elements\nls\n"), false);
            assert!(!elements.contains("45000001") && elements.contains("11000001"), "{elements}");
        }
    }
}
