// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! How much memory an export of 10 MB takes. One test for the whole program: what the kernel counts is the program's.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;

use platen_sequence::Imported;

const LIMIT_KIB: u64 = 64 << 10;
const STEPS: usize = 19_000;

/// A line of `/proc/self/status`, in KiB.
fn status_kib(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The most memory that was in use at once while this ran, beyond what was in use before.
fn peak_kib(run: impl FnOnce()) -> u64 {
    // "5" forgets the highest mark so far (proc(5), clear_refs).
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = status_kib("VmRSS:");
    run();
    status_kib("VmHWM:").saturating_sub(before)
}

/// As Configuration Manager exports it: the sequence on one line, as CDATA. Written piece by piece, to leave nothing in memory.
fn write_export(path: &Path) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    write!(file, "<INSTANCE CLASSNAME=\"SMS_TaskSequencePackage\"><PROPERTY NAME=\"Name\" TYPE=\"string\"><VALUE>Large</VALUE></PROPERTY>").unwrap();
    write!(file, "<PROPERTY NAME=\"Sequence\" TYPE=\"string\"><VALUE><![CDATA[<sequence version=\"3.10\">").unwrap();
    for number in 0..STEPS {
        let command = format!("reg add HKLM\\SOFTWARE\\Example\\{number:05} /v Value /t REG_SZ /d {}", "x".repeat(20));
        write!(
            file,
            "<step type=\"SMS_TaskSequence_RunCommandLineAction\" name=\"Step {number}\" description=\"\" runIn=\"WinPEandFullOS\" \
             successCodeList=\"0 3010\" retryCount=\"0\" runFromNet=\"false\"><action>smsswd.exe /run: {command}</action>\
             <defaultVarList><variable name=\"CommandLine\" property=\"CommandLine\" hidden=\"true\">{command}</variable>\
             <variable name=\"SuccessCodes\" property=\"SuccessCodes\" hidden=\"true\">0 3010</variable></defaultVarList></step>"
        )
        .unwrap();
    }
    write!(file, "</sequence>]]></VALUE></PROPERTY></INSTANCE>").unwrap();
    file.flush().unwrap();
}

#[test]
fn an_export_of_ten_megabytes_is_taken_within_64_mib() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("object.xml");
    write_export(&path);
    let size_bytes = fs::metadata(&path).unwrap().len();
    assert!((9_500_000..12_000_000).contains(&size_bytes), "{size_bytes} bytes");

    let import = || {
        let imported = Imported::from_bytes(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(imported.sequence.steps().len(), STEPS);
        imported.sequence
    };
    let taken = peak_kib(|| drop(import()));
    assert!((10_000..=LIMIT_KIB).contains(&taken), "{taken} KiB to take it");
    let written = peak_kib(|| assert!(import().to_toml().toml.len() > 5_000_000));
    assert!(written <= LIMIT_KIB, "{written} KiB to take it and write it");

    // The control: what is held is counted.
    let held = peak_kib(|| {
        let several: Vec<_> = (0..6).map(|_| import()).collect();
        assert_eq!(several.len(), 6);
    });
    assert!(held > LIMIT_KIB, "{held} KiB for six of them");
}
