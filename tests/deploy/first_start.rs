// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The rest of a sequence in Windows: the tree that a computer has really put on its disk is laid on the disk of a Windows
//! that Wine plays, and what Setup would start there is started.

use std::path::{Path, PathBuf};

use platen_testkit::wine::{self, Computer};

use super::SECRET;
use crate::common::{Station, tool};

fn model() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("wine-deployed")
}

/// What goes on in Windows. None: this machine may lack what it needs, and what is to stand in for it is never started.
pub(super) fn program() -> Option<&'static Path> {
    wine::program(&model())
}

/// Puts what the applications of [`SOFTWARE`] are into the station's folder.
pub(super) fn add_files(station: &Station) {
    for (folder, script) in [
        ("windows-first", "@echo first>>C:\\order.txt\r\n@exit /b 3010\r\n"),
        ("windows-second", "@echo second>>C:\\order.txt\r\n"),
        ("windows-third", "@echo third>>C:\\order.txt\r\n@exit /b 7\r\n"),
    ] {
        station.files(folder, &[("install.cmd", script.as_bytes())]);
    }
}

/// A file of the package with the answers: it says whether it got the secret.
pub(super) fn word() -> String {
    format!("@if \"%~1\"==\"{SECRET}\" echo word>>C:\\order.txt\r\n@echo it is %~1\r\n")
}

/// Of the definition.
pub(super) const SOFTWARE: &str = r#"
[[application]]
id = "APP1"
name = "First"
version = "1"
path = "windows-first"
install = "install.cmd"

[[application]]
id = "APP2"
name = "Second"
version = "1"
path = "windows-second"
install = "install.cmd"
depends-on = ["APP1"]

[[application]]
id = "APP3"
name = "Third"
version = "1"
path = "windows-third"
install = "install.cmd"

[[variable]]
name = "Word"
value = "PLANTED-deployment-secret"
secret = true
"#;

/// Of the sequence, behind Setup Windows and ConfigMgr.
pub(super) const REST: &str = r#"
[[do]]
step = "Applications"
type = "Install Application"
variables = [{ property = "ApplicationName", value = "APP2" }]
[[do]]
step = "Forgiven"
type = "Install Application"
continue-on-error = true
variables = [{ property = "ApplicationName", value = "APP3" }]
[[do]]
step = "A word"
type = "Run Command Line"
command = 'word.cmd "%Word%"'
variables = [{ property = "PackageID", value = "PKG3" }]
[[do]]
step = "What the boot system has set"
type = "Run Command Line"
command = 'echo %Greeting% %OSDComputerName% %OSDisk% %_SMSTSInWinPE% %_SMSTSBootUEFI%>>C:\order.txt'
[[do]]
step = "Restart"
type = "Restart Computer"
[[do]]
step = "A file of the image"
type = "Run Command Line"
command = 'if exist "C:\Program Files\Tools\run.cmd" echo last>>C:\order.txt'
"#;

/// `volume` is the NTFS volume of Windows as the boot system left it; libntfs-3g reads it, inside wimlib.
pub(super) fn runs_in_windows(volume: &Path) {
    let Some(computer) = Computer::new(&model()) else { return };
    let (wim, tree) = (volume.with_extension("wim"), volume.with_extension("tree"));
    let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    tool("wimlib-imagex", &["capture", &text(volume), &text(&wim), "--compress=none"]).expect(0);
    tool("wimlib-imagex", &["apply", &text(&wim), "1", &text(&tree)]).expect(0);
    let kept = computer.lay_tree(&tree);
    assert_eq!(kept, ["Windows/System32/ntoskrnl.exe"], "what the image has and Wine, too");
    let names = |files: Vec<PathBuf>| {
        let name = |path: &PathBuf| path.file_name().expect("a name").to_string_lossy().into_owned();
        let mut names: Vec<String> = files.iter().map(name).collect();
        names.sort();
        names
    };
    let with_it = ["secrets.json", "unattend.xml", "word.cmd"];
    assert_eq!(names(computer.files_with(SECRET)), with_it, "the control: it is seen where it is");

    // As Setup does it: the image's own script, and a task that waits until Setup has ended.
    let setup = computer.end_setup();
    assert_eq!(setup.status, 0, "{}", setup.said);
    for expected in ["the image's own", "goes on when Setup has ended"] {
        assert!(setup.said.contains(expected), "{expected}: {}", setup.said);
    }
    assert_eq!(computer.text("order.txt"), "");

    // As the task, after each restart: up to the application's, up to the sequence's own, to the end.
    let order = "first\nsecond\nthird\nword\ntoken-0815 BRANCH-17 C: false true\nlast\n";
    let upto = |word: &str| format!("{}{word}\n", order.split_once(word).expect("a line").0);
    let mut said = setup.said;
    for (restarts, last) in [(1, "first"), (2, "token-0815 BRANCH-17 C: false true"), (2, "last")] {
        let started = computer.start();
        assert_eq!((started.status, computer.text("order.txt")), (0, upto(last)), "{}", started.said);
        assert_eq!(computer.restarts().len(), restarts, "{}", started.said);
        said += &started.said;
    }
    assert!(said.ends_with("PLATEN DEPLOYMENT FINISHED\n"), "{said}");

    // One log has it all, from the first step in the boot system on.
    let log = computer.text("_SMSTaskSequence/Logs/smsts.log");
    for expected in [
        "Apply Operating System: done",
        "Setup Windows and ConfigMgr: done",
        "Applications: done; a restart follows: APP1 installed; it asked for a restart",
        "Forgiven: failed with code 7, and the sequence goes on",
        "A word: done: word.cmd \"********\"; it is ********",
        "End of the task sequence: done",
    ] {
        assert!(log.contains(expected), "{expected}\n{log}");
    }
    assert_eq!(computer.left(), ["Logs", "installed-by.txt"]);
    assert!(!said.contains(SECRET));
    assert_eq!(computer.files_with(SECRET), Vec::<PathBuf>::new(), "nothing secret is left");
    assert!(!computer.path("windows/Panther/unattend/unattend.xml").exists());
    assert_eq!(computer.text("windows/Setup/Scripts/SetupComplete.cmd"), "@echo the image's own\n");
    assert!(!computer.path("windows/Setup/Scripts/SetupComplete.image.cmd").exists());
}
