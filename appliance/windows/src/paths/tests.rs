// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

use super::*;

fn volume() -> (tempfile::TempDir, Volume) {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |path: &str| folder.path().join(path);
    std::fs::create_dir_all(at("Windows/System32/Drivers/Größe")).expect("makes");
    std::fs::create_dir_all(at("Program Files (x86)")).expect("makes");
    std::fs::create_dir_all(at("twins/A")).expect("makes");
    std::fs::create_dir_all(at("twins/a")).expect("makes");
    std::fs::write(at("Windows/System32/cmd.exe"), "x").expect("writes");
    std::os::unix::fs::symlink("/etc", at("Windows/out")).expect("links");
    let volume = Volume::new(folder.path(), 'c');
    (folder, volume)
}

#[test]
fn capitals_and_small_letters_count_alike() {
    let (folder, volume) = volume();
    for (path, below, exists) in [
        (r"C:\WINDOWS\system32\CMD.EXE", "Windows/System32/cmd.exe", true),
        (r#""c:/windows/./system32//cmd.exe""#, "Windows/System32/cmd.exe", true),
        (r"\windows\SYSTEM32\drivers\GRÖßE", "Windows/System32/Drivers/Größe", true),
        (r"%WinDir%\System32\New\File.txt", "Windows/System32/New/File.txt", false),
        (r"%OSDisk%\Install", "Install", false),
        (r"%SystemDrive%", "", true),
        (r"C:\", "", true),
        (r"%ProgramFiles(x86)%\Tool", "Program Files (x86)/Tool", false),
        (r"C:\Windows\System32\cmd.exe\below", "Windows/System32/cmd.exe/below", false),
        (r"C:\twins\a", "twins/a", true),
        (r"C:\console\comment.txt", "console/comment.txt", false),
    ] {
        let resolved = volume.resolve(path).expect(path);
        let expected = if below.is_empty() { folder.path().to_owned() } else { folder.path().join(below) };
        assert_eq!((resolved.path, resolved.exists), (expected, exists), "{path}");
    }
}

#[test]
fn nothing_leads_out_of_the_volume() {
    let (folder, volume) = volume();
    let long = format!(r"C:\{}", "a".repeat(40_000));
    for (path, said) in [
        (r"C:\Windows\..\..\etc\passwd", ".. is not taken"),
        (r"C:\Windows\out\passwd", "is a link or a junction"),
        (r"D:\x", "expected a path on C:"),
        (r"\\server\share", "expected a path on C:"),
        (r"\\?\C:\x", "expected a path on C:"),
        (r"C:x", "expected a path on C:"),
        (r"x\y", "expected a path on C:"),
        ("", "expected a path on C:"),
        (r"%TEMP%\x", "expected a path on C:"),
        (r"%windir%x", "expected a path on C:"),
        (r"C:\a:stream", "no file called"),
        (r"C:\nul", "no file called"),
        (r"C:\COM1.txt", "no file called"),
        (r"C:\a\b. ", "no file called"),
        (r"C:\%x%\b", "no file called"),
        ("C:\\a\0b", "no file called"),
        (r"C:\*.txt", "no file called"),
        (r"C:\TWINS\a\b\..", ".. is not taken"),
        (&long, "a path of 40003 characters"),
    ] {
        let error = volume.resolve(path).expect_err(path).to_string();
        assert!(error.contains(said), "{path:.80}: {error}");
    }
    std::fs::create_dir(folder.path().join("Twins")).expect("makes");
    let error = volume.resolve(r"C:\TWINS\a").expect_err("two").to_string();
    assert!(error.contains("several entries"), "{error}");
}
