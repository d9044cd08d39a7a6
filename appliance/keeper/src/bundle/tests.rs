// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

use super::rauc::{code_of_install, code_of_look, parse, progress};
use super::*;

#[test]
fn what_rauc_says_of_a_bundle_is_understood() {
    let shell = "RAUC_MF_COMPATIBLE='platen-qemu_x86_64'\nRAUC_MF_VERSION='1.5.0'\nRAUC_MF_DESCRIPTION=''\n";
    let info = parse(shell).expect("both are there");
    assert_eq!((info.compatible.as_str(), info.version.as_str()), ("platen-qemu_x86_64", "1.5.0"));
    for shell in [
        "",
        "RAUC_MF_VERSION='1.5.0'\n",
        "RAUC_MF_COMPATIBLE='it'\\''s'\nRAUC_MF_VERSION='1.5.0'\n",
        "RAUC_MF_VERSION=1",
    ] {
        assert_eq!(parse(shell), None, "{shell}");
    }
}

/// Sentences of RAUC 1.8 and 1.15, as they were seen. Where they are seen in a test: tests/box.
#[test]
fn what_goes_wrong_has_its_code() {
    for (said, code) in [
        ("signature verification failed: Verify error: self-signed certificate", Code::UpdateUntrusted),
        ("signature verification failed: Verify error: certificate has expired", Code::UpdateUntrusted),
        ("signature verification failed: error:02000068:rsa routines::bad signature", Code::UpdateDamaged),
        ("Invalid bundle format: Signature size (13074990245587136862) exceeds bundle size", Code::UpdateDamaged),
        (
            "Invalid bundle format: Failed to seek to end of bundle: Error seeking in file: Invalid argument",
            Code::UpdateDamaged,
        ),
        ("failed to load CA file '/etc/rauc/keyring.pem' and/or directory '(null)'", Code::UpdateFailed),
    ] {
        assert_eq!(code_of_look(said), code, "{said}");
    }
    for (said, code) in [
        (
            "LastError: Installation error: Failed updating slot rootfs.1: failed to write: No space left on device",
            Code::UpdateNoRoom,
        ),
        (
            "LastError: Installation error: Failed updating slot rootfs.1: Error reading from file: Input/output error",
            Code::UpdateDamaged,
        ),
        ("Compatible mismatch: Expected 'platen-a' but bundle manifest has 'platen-b'", Code::UpdateOtherBoard),
        ("Error creating proxy: Could not connect: No such file or directory", Code::UpdateFailed),
    ] {
        assert_eq!(code_of_install(said), code, "{said}");
    }
}

#[test]
fn how_far_it_is_is_read_and_nothing_else() {
    assert_eq!(progress("  0% Installing"), Some(0));
    assert_eq!(progress(" 40% Checking bundle done."), Some(40));
    assert_eq!(progress("100% Installing done."), Some(100));
    for line in ["", "Installing", "250% x", "-1% x", "Updating slot at 40% done"] {
        assert_eq!(progress(line), None, "{line}");
    }
}

/// A played RAUC: what it says as it installs, and how it ends.
#[test]
fn installing_tells_how_far_it_is_and_why_it_failed() {
    let folder = tempfile::tempdir().expect("a folder");
    let rauc = folder.path().join("rauc");
    let play = |script: &str| {
        std::fs::write(&rauc, format!("#!/bin/sh\n{script}\n")).expect("written");
        std::fs::set_permissions(&rauc, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("made a program");
        let mut seen = Vec::new();
        let ended = install(&rauc, &folder.path().join("x.raucb"), &mut |percent| seen.push(percent));
        (ended, seen)
    };
    let (ended, seen) =
        play("echo '  0% Installing'; echo ' 40% Copying'; echo '100% Installing done.'; echo 'succeeded'");
    assert_eq!((ended, seen), (Ok(()), vec![0, 40, 100]));
    // Much is said, and what matters last; some of it beside.
    let (ended, seen) = play(
        "echo ' 20% Copying'; i=0; while [ $i -lt 3000 ]; do echo noise $i; echo other $i >&2; i=$((i+1)); done; \
         echo 'LastError: Error reading from file: Input/output error' >&2; exit 1",
    );
    let refusal = ended.expect_err("failed");
    assert_eq!((refusal.code, seen), (Code::UpdateDamaged, vec![20]));
    assert!(refusal.text.contains("Input/output error") && refusal.text.len() < 2000, "{}", refusal.text);
    let missing = install(&folder.path().join("none"), &rauc, &mut |_| {}).expect_err("there is none");
    assert_eq!(missing.code, Code::UpdateFailed);
}
