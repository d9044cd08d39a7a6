// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The light behind a display, as the kernel has it (`Documentation/ABI/stable/sysfs-class-backlight`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where the kernel has its backlights.
const BACKLIGHTS: &str = "/sys/class/backlight";

/// A backlight, and what it was set to.
#[derive(Debug)]
pub struct Backlight {
    folder: PathBuf,
    percent: Option<u8>,
    /// What could not be done was said.
    is_said: bool,
}

impl Backlight {
    /// By its name below `/sys/class/backlight`. It may come later.
    pub fn open(name: &str) -> Self {
        Self::open_in(Path::new(BACKLIGHTS), name)
    }

    fn open_in(backlights: &Path, name: &str) -> Self {
        Self { folder: backlights.join(name), percent: None, is_said: false }
    }

    /// So much of its light, of a hundred; it is never switched off by this. What failed is tried again.
    pub fn set(&mut self, percent: u8) {
        if self.percent == Some(percent) {
            return;
        }
        match self.write(percent) {
            Ok(()) => (self.percent, self.is_said) = (Some(percent), false),
            Err(error) if !self.is_said => {
                tracing::warn!("the backlight {} can't be changed: {error}", self.folder.display());
                self.is_said = true;
            }
            Err(_) => {}
        }
    }

    fn write(&self, percent: u8) -> io::Result<()> {
        let most = fs::read_to_string(self.folder.join("max_brightness"))?;
        let most: u64 = most.trim().parse().map_err(io::Error::other)?;
        let value = (most * u64::from(percent.min(100)) / 100).max(1);
        fs::write(self.folder.join("brightness"), value.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlight_is_written_when_it_changes_and_once_it_is_there() {
        let backlights = tempfile::tempdir().expect("a folder");
        let file = |name: &str| backlights.path().join("panel").join(name);
        let read = || fs::read_to_string(file("brightness")).expect("reads");
        let mut backlight = Backlight::open_in(backlights.path(), "panel");
        backlight.set(80);
        fs::create_dir(backlights.path().join("panel")).expect("a folder");
        fs::write(file("max_brightness"), "31\n").expect("writes");
        for (percent, written) in [(80, "24"), (30, "9"), (1, "1"), (100, "31"), (0, "1")] {
            backlight.set(percent);
            assert_eq!(read(), written, "{percent}");
        }
        fs::write(file("brightness"), "untouched").expect("writes");
        backlight.set(0);
        assert_eq!(read(), "untouched", "the control: it did not change");
    }
}
