// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What a test needs of its machine. What is missing fails the test, unless the person who runs it said beforehand that
//! it may be missing; then the skip is counted, and `tests/run` says so in its last line.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Names of what may be missing here, between commas.
const MAY_SKIP: &str = "PLATEN_MAY_SKIP";
/// A file that gets a line for each test that was skipped.
const SKIPPED: &str = "PLATEN_SKIPPED";

/// A program that judges or prepares. True: it is here.
#[must_use]
#[track_caller]
pub fn program(name: &str) -> bool {
    let folders = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let is_here = std::env::split_paths(&folders).any(|folder| folder.join(name).is_file());
    demand(name, is_here, &format!("no program {name}; run appliance/install-packages test"))
}

/// Root's rights: to mount, to attach loop devices, to become somebody else. True: this is root.
#[must_use]
#[track_caller]
pub fn root() -> bool {
    let is_root = Path::new("/proc/self").metadata().is_ok_and(|metadata| metadata.uid() == 0);
    demand("root", is_root, "not root; run the tests as root")
}

/// Anything else that a test can find out by looking. True: it is here.
#[must_use]
#[track_caller]
pub fn demand(name: &str, is_here: bool, why_not: &str) -> bool {
    let allowed = std::env::var(MAY_SKIP).unwrap_or_default();
    match judge(name, is_here, &allowed) {
        Answer::Here => true,
        Answer::MayBeMissing => {
            skipped(name);
            false
        }
        Answer::Missing => panic!("{why_not} (or name \"{name}\" in {MAY_SKIP}, and this is skipped)"),
    }
}

/// Note that the test that runs was skipped, for want of `name` or because nobody wanted it.
pub fn skipped(name: &str) {
    let thread = std::thread::current();
    let line = format!("{name}\t{}\n", thread.name().unwrap_or_default());
    if let Some(path) = std::env::var_os(SKIPPED) {
        let file = std::fs::File::options().append(true).create(true).open(path);
        // One write each, so that lines of several programs don't mix.
        file.and_then(|mut file| file.write_all(line.as_bytes())).expect("the list of skipped tests can be written");
    }
    print!("skipped for want of {line}");
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Here,
    MayBeMissing,
    Missing,
}

fn judge(name: &str, is_here: bool, may_skip: &str) -> Answer {
    match () {
        () if is_here => Answer::Here,
        () if may_skip.split(',').any(|allowed| allowed.trim() == name) => Answer::MayBeMissing,
        () => Answer::Missing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_fails_unless_it_is_named() {
        assert_eq!(judge("cpio", true, ""), Answer::Here);
        assert_eq!(judge("cpio", false, ""), Answer::Missing);
        assert_eq!(judge("cpio", false, "root, cpio"), Answer::MayBeMissing);
        // A part of a name is not the name.
        assert_eq!(judge("cpio", false, "cpio2,pio,*"), Answer::Missing);
    }

    #[test]
    fn a_program_that_is_nowhere_is_named_with_what_to_do() {
        assert!(program("sh"), "control");
        let failed = std::panic::catch_unwind(|| program("platen-no-such-program")).expect_err("fails");
        let said = failed.downcast_ref::<String>().expect("a message");
        for part in ["platen-no-such-program", "install-packages", MAY_SKIP] {
            assert!(said.contains(part), "{said}");
        }
    }
}
