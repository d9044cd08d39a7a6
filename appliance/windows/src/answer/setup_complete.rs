// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! `Windows\Setup\Scripts\SetupComplete.cmd`: what Windows Setup starts when it is done, before anybody logs on.

/// The text of the script, in ASCII with the line ends of Windows. It starts `platen-deploy.exe` in `state_folder`, a path
/// with drive letter of the deployed Windows, and ends with its exit status.
///
/// `previous` is where a script of the image's own was put, if it had one; it runs first. None: the folder or that path
/// has characters that a command file gives another meaning.
pub fn setup_complete(state_folder: &str, previous: Option<&str>, disable_administrator: bool) -> Option<String> {
    let is_plain = |path: &str| {
        let path = path.as_bytes();
        let has_drive = path.len() > 3 && path[0].is_ascii_alphabetic() && &path[1..3] == b":\\";
        has_drive && path[2..].iter().all(|byte| byte.is_ascii_alphanumeric() || b"\\._- ".contains(byte))
    };
    if !is_plain(state_folder) || !previous.is_none_or(is_plain) {
        return None;
    }
    let mut lines = vec!["@echo off".to_owned()];
    lines.extend(previous.map(|path| format!("call \"{path}\"")));
    if disable_administrator {
        // By the end of its SID, for its name is another in each language.
        lines.push(
            "powershell.exe -NoProfile -NonInteractive -Command \"Get-LocalUser | Where-Object { $_.SID -like \
             'S-1-5-21-*-500' } | Disable-LocalUser\""
                .to_owned(),
        );
    }
    lines.push(format!("cd /d \"{state_folder}\""));
    lines.push(format!("\"{state_folder}\\platen-deploy.exe\""));
    lines.push("exit /b %ERRORLEVEL%".to_owned());
    Some(lines.into_iter().map(|line| line + "\r\n").collect())
}
