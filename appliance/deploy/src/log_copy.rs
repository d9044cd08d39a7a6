// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The log of a deployment, copied to the medium it came from. Secrets were masked when it was written.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use platen_media::{LOGS_FOLDER, Timestamp, read_at_most};
use rustix::fs::statvfs;

/// Much longer than a log gets (`engine::log` begins anew before).
const MAX_LOG_BYTES: u64 = 8 << 20;
/// What stays free on the medium: a full one would look damaged to whoever writes to it next.
const SPARE_BYTES: u64 = 1 << 20;
/// Of a serial number in a name.
const MAX_SERIAL: usize = 32;

/// `PLT00001-ABC123-20261130-194501.log`: the medium, the computer, the time by its clock.
pub(crate) fn name(media_id: &str, serial_number: &str, now: Timestamp) -> String {
    let kept = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
    let serial: String = serial_number.chars().filter(kept).take(MAX_SERIAL).collect();
    let serial = if serial.is_empty() { "computer" } else { &serial };
    // 2026-11-30T19:45:01Z
    let time: String = now.to_string().replace('T', "-").chars().filter(|c| c.is_ascii_digit() || *c == '-').collect();
    let (date, time) = time.rsplit_once('-').unwrap_or(("", &time));
    format!("{media_id}-{serial}-{}-{time}.log", date.replace('-', ""))
}

/// Copies the log into a folder of the medium, if there is room. After an error no part of it is left there.
pub(crate) fn keep(medium: &Path, log: &Path, name: &str) -> io::Result<()> {
    let too_long = || io::Error::other(format!("expected a log of at most {MAX_LOG_BYTES} bytes, found a longer one"));
    let bytes = read_at_most(File::open(log)?, MAX_LOG_BYTES)?.ok_or_else(too_long)?;
    let room = statvfs(medium)?;
    let needed_bytes = bytes.len() as u64 + SPARE_BYTES;
    let free_bytes = room.f_bavail.saturating_mul(room.f_frsize);
    if free_bytes < needed_bytes {
        let text = format!("expected {needed_bytes} bytes of room on the medium, found {free_bytes}");
        return Err(io::Error::new(io::ErrorKind::StorageFull, text));
    }
    let folder = medium.join(LOGS_FOLDER);
    fs::create_dir_all(&folder)?;
    let path = folder.join(name);
    let written = File::create(&path).and_then(|mut file| {
        file.write_all(&bytes)?;
        file.sync_all()
    });
    if written.is_err() {
        let _ = fs::remove_file(&path);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_which_medium_which_computer_and_when_in_signs_that_fat_takes() {
        let at = Timestamp::from_unix_s(1_796_067_901);
        assert_eq!(name("PLT00001", "ABC-123", at), "PLT00001-ABC-123-20261130-194501.log");
        assert_eq!(name("PLT00001", "../\\:*한국 ", at), "PLT00001-computer-20261130-194501.log");
        assert_eq!(name("PLT00001", &"9".repeat(80), at).len(), "PLT00001--20261130-194501.log".len() + MAX_SERIAL);
    }

    #[test]
    fn a_log_is_copied_as_it_is_and_a_missing_one_leaves_nothing() {
        let (medium, state) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let log = state.path().join("smsts.log");
        assert_eq!(keep(medium.path(), &log, "x.log").expect_err("no log").kind(), io::ErrorKind::NotFound);
        assert!(!medium.path().join(LOGS_FOLDER).exists());
        fs::write(&log, "an entry").expect("writes");
        keep(medium.path(), &log, "x.log").expect("copied");
        assert_eq!(fs::read(medium.path().join(LOGS_FOLDER).join("x.log")).expect("reads"), b"an entry");
        let long = File::create(&log).expect("makes");
        long.set_len(MAX_LOG_BYTES + 1).expect("a sparse file");
        assert!(keep(medium.path(), &log, "y.log").expect_err("too long").to_string().contains("at most"));
        assert!(!medium.path().join(LOGS_FOLDER).join("y.log").exists());
    }
}
