// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Cutting the power of the drive in a socket, waiting for it, and what it says of that afterwards.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use platen_events::DriveId;
use udev::{MonitorBuilder, MonitorSocket};

use super::power::PortPower;
use super::scan::{Inserted, Scanner};
use super::socket::Socket;
use super::while_doing;
use crate::machine::Machine;

/// A drive whose port is switched off is gone within milliseconds. After this time its switch is taken for one that does
/// nothing.
const GONE_LIMIT: Duration = Duration::from_secs(5);
/// How long the power stays off. What is stored in capacitors keeps a drive awake for a while.
const OFF: Duration = Duration::from_secs(2);
/// How long a drive may take to come back. Sticks take a second or two; disks in enclosures spin up.
const BACK_LIMIT: Duration = Duration::from_secs(30);
/// How long what a drive says may take from the kernel to here once the drive is there.
const SAY_LIMIT: Duration = Duration::from_millis(500);
const LOOK: Duration = Duration::from_millis(50);

/// A drive that is in a socket after its power was cut: the same, or one that was put in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CameBack {
    /// As it is listed now.
    pub inserted: Inserted,
    /// It said that it was started anew or reset (unit attention, additional sense code 29h; SPC-4, 5.14).
    pub powered_on: bool,
}

impl PortPower {
    /// Cut the power of a drive and give it back. None: the drive was there all the time, so the switch does nothing. An
    /// error means that it is unknown what became of the drive, or that it did not come back.
    pub fn cycle(&self, socket: &Socket, drive: &DriveId) -> io::Result<Option<CameBack>> {
        let mut scanner = Scanner::new(Machine::real());
        let mut in_socket = || -> io::Result<Option<Inserted>> {
            Ok(scanner.scan()?.into_iter().find(|inserted| inserted.socket == *socket))
        };
        let is_same = |inserted: &Inserted| inserted.drive == *drive;
        let mut attentions = Attentions::listen()?;

        let switched = self.off();
        let gone = switched.and_then(|()| {
            let look = || Ok(in_socket()?.is_none_or(|inserted| !is_same(&inserted)).then_some(()));
            within(GONE_LIMIT, look)
        });
        if matches!(gone, Ok(Some(()))) {
            sleep(OFF);
        }
        // Whatever happened, a port that stays off is a port that nobody can use.
        self.on()?;
        if gone?.is_none() {
            return Ok(None);
        }
        let back = within(BACK_LIMIT, || Ok(in_socket()?.filter(|inserted| !is_same(inserted))))?;
        let Some(inserted) = back else {
            let text = format!("it did not come back within {} s", BACK_LIMIT.as_secs());
            return Err(io::Error::new(io::ErrorKind::NotFound, text));
        };
        let powered_on = within(SAY_LIMIT, || Ok(attentions.has(&inserted).then_some(())))?.is_some();
        Ok(Some(CameBack { inserted, powered_on }))
    }
}

/// Look again and again until there is an answer; None: the time is over.
fn within<T>(limit: Duration, mut look: impl FnMut() -> io::Result<Option<T>>) -> io::Result<Option<T>> {
    let begun = Instant::now();
    loop {
        let found = look()?;
        if found.is_some() || begun.elapsed() >= limit {
            return Ok(found);
        }
        sleep(LOOK);
    }
}

/// Which drives have said that they were started anew. The kernel takes this message from a drive as soon as it asks it
/// anything, and passes it on as an event of the SCSI device (Linux `scsi_report_sense`, 4.15).
struct Attentions {
    monitor: MonitorSocket,
    /// Folders of SCSI devices.
    heard: HashSet<PathBuf>,
}

impl Attentions {
    fn listen() -> io::Result<Self> {
        let monitor = MonitorBuilder::new_kernel()
            .and_then(|monitor| monitor.match_subsystem("scsi"))
            .and_then(MonitorBuilder::listen)
            .map_err(while_doing("listening for what drives say"))?;
        Ok(Self { monitor, heard: HashSet::new() })
    }

    fn has(&mut self, inserted: &Inserted) -> bool {
        let says_so =
            |event: &udev::Event| event.property_value("SDEV_UA").is_some_and(|what| what == "POWER_ON_RESET_OCCURRED");
        let folders = self.monitor.iter().filter(says_so).map(|event| event.syspath().to_owned());
        self.heard.extend(folders);
        let name = inserted.path.file_name().unwrap_or_default();
        let device = fs::canonicalize(Machine::real().sys("class/block").join(name).join("device"));
        device.is_ok_and(|device| self.heard.contains(&device))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_the_waiting_and_so_does_the_time() {
        let mut looks = 0;
        let answer = within(Duration::MAX, || {
            looks += 1;
            Ok((looks == 3).then_some(looks))
        });
        assert_eq!(answer.expect("no error"), Some(3));
        assert_eq!(within(Duration::from_millis(60), || Ok(None::<()>)).expect("no error"), None);
        let failed = within(Duration::MAX, || Err::<Option<()>, _>(io::Error::other("x")));
        assert_eq!(failed.expect_err("an error ends it").to_string(), "x");
    }
}
