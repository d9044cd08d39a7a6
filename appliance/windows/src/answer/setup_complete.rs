// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! `Windows\Setup\Scripts\SetupComplete.cmd`: what Windows Setup starts when it is done, before anybody logs on.

/// Where Setup looks for it, below the volume of Windows.
pub const SETUP_COMPLETE: &str = "Windows\\Setup\\Scripts\\SetupComplete.cmd";
/// Where a script that the image had there is put.
pub const IMAGES_SETUP_COMPLETE: &str = "Windows\\Setup\\Scripts\\SetupComplete.image.cmd";
/// By this line ours is known.
const MARK: &str = "rem platen: goes on with the task sequence";

/// Whether a script is one of [`setup_complete`].
pub fn is_setup_complete(script: &[u8]) -> bool {
    script.split(|byte| *byte == b'\n').any(|line| line.trim_ascii() == MARK.as_bytes())
}

/// The text of the script, in ASCII with the line ends of Windows. It runs the image's own script first if there is
/// one, has the drivers in `\Drivers` installed, then starts `platen-deploy.exe`, which goes on with the task sequence, and ends with its exit status.
pub fn setup_complete(has_images_own: bool, disable_administrator: bool) -> String {
    let mut lines = vec!["@echo off".to_owned(), MARK.to_owned()];
    if has_images_own {
        lines.push(format!("call \"%SystemDrive%\\{IMAGES_SETUP_COMPLETE}\""));
    }
    if disable_administrator {
        // By the end of its SID, for its name is another in each language.
        lines.push(
            "powershell.exe -NoProfile -NonInteractive -Command \"Get-LocalUser | Where-Object { $_.SID -like \
             'S-1-5-21-*-500' } | Disable-LocalUser\""
                .to_owned(),
        );
    }
    // What Windows did not take from the folders in `DevicePath` by itself, it is given here; an older pnputil refuses.
    lines.push(
        "if exist \"%SystemDrive%\\Drivers\" \"%SystemRoot%\\System32\\pnputil.exe\" /add-driver \
         \"%SystemDrive%\\Drivers\\*.inf\" /subdirs /install"
            .to_owned(),
    );
    lines.push("cd /d \"%SystemDrive%\\_SMSTaskSequence\"".to_owned());
    lines.push("\"%SystemDrive%\\_SMSTaskSequence\\platen-deploy.exe\" first-start".to_owned());
    lines.push("exit /b %ERRORLEVEL%".to_owned());
    lines.into_iter().map(|line| line + "\r\n").collect()
}
