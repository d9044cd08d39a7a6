// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The station as a process: under its own user, heard by systemd's protocol (sd_notify(3), sd_watchdog_enabled(3)).

use std::convert::Infallible;
use std::fs;
use std::io::{self, BufRead, BufReader, PipeReader, Read};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::prctl::{set_no_new_privs, set_pdeathsig};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal, kill, killpg};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Pid, Uid, User, initgroups, setgid, setsid, setuid};

use crate::core::{Input, SILENCE_LIMIT_MS};
use crate::error::KeeperError;
use crate::log::Log;
use crate::places::{Places, USER};

/// The verb by which this program becomes the station.
pub const VERB: &str = "as-station";
/// The station can't do more than its user may.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
const MAX_LINE_BYTES: u64 = 4096;
const MAX_MESSAGE_BYTES: usize = 4096;

/// User and group that the station runs as.
#[derive(Debug, Clone, Copy)]
pub struct Owner {
    /// The user.
    pub uid: Uid,
    /// Its own group.
    pub gid: Gid,
}

impl Owner {
    /// By the user's name.
    pub fn by_name(name: &str) -> Result<Self, KeeperError> {
        let wrong = |found: String| KeeperError::Word { what: "user", expected: "one of this system", found };
        match User::from_name(name) {
            Ok(Some(user)) => Ok(Self { uid: user.uid, gid: user.gid }),
            Ok(None) => Err(wrong(name.to_owned())),
            Err(error) => Err(wrong(format!("{name}: {error}"))),
        }
    }
}

/// A command that runs a program as the station's user: this program, which gives up its rights and becomes it.
pub fn command(program: &Path) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args([VERB, USER]).arg(program);
    command.env_clear().env("PATH", PATH).stdin(Stdio::null());
    command
}

/// Become a program of the station's: no rights but its user's, no way back to more, and no life without this program's.
pub fn become_station(user: &str, program: &str, arguments: &[String]) -> Result<Infallible, KeeperError> {
    let owner = Owner::by_name(user)?;
    let wrong = |error: io::Error| KeeperError::program(program, error);
    let give_up = || -> nix::Result<()> {
        let name = std::ffi::CString::new(user).map_err(|_| Errno::EINVAL)?;
        // The service waits for signals, and has them blocked; what it starts would be deaf to them.
        SigSet::all().thread_unblock()?;
        umask(Mode::from_bits_truncate(0o077));
        // PINs and the station's key are in its memory.
        setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
        initgroups(&name, owner.gid)?;
        setgid(owner.gid)?;
        setuid(owner.uid)?;
        set_no_new_privs()?;
        // After the change of user, which clears it.
        set_pdeathsig(Signal::SIGTERM)?;
        // A group of its own, so that whatever it leaves behind is found.
        match setsid() {
            Ok(_) | Err(Errno::EPERM) => Ok(()),
            Err(error) => Err(error),
        }
    };
    give_up().map_err(|error| wrong(error.into()))?;
    Err(wrong(Command::new(program).args(arguments).exec()))
}

/// Starts the station, and knows how it gets on.
pub struct Station {
    listener: UnixDatagram,
    child: Option<Child>,
    log: Arc<Log>,
}

impl Station {
    /// Listen for what it will say.
    pub fn new(places: &Places, owner: Owner, log: Arc<Log>) -> Result<Self, KeeperError> {
        let path = places.notify_socket();
        let bind = || {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let listener = UnixDatagram::bind(&path)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
            chown(&path, Some(owner.uid.as_raw()), Some(owner.gid.as_raw()))?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        };
        let listener = bind().map_err(KeeperError::file(&path, "listen at it"))?;
        Ok(Self { listener, child: None, log })
    }

    /// Start it.
    pub fn start(&mut self, mut command: Command, places: &Places) -> io::Result<()> {
        // What one before it said is not about this one.
        while self.message().is_some() {}
        let (reader, writer) = io::pipe()?;
        command.env("NOTIFY_SOCKET", places.notify_socket());
        command.env("WATCHDOG_USEC", Duration::from_millis(SILENCE_LIMIT_MS).as_micros().to_string());
        command.stdout(writer.try_clone()?).stderr(writer);
        self.child = Some(command.spawn()?);
        let log = Arc::clone(&self.log);
        thread::spawn(move || keep(reader, &log));
        Ok(())
    }

    /// Ask it to end, or make it.
    pub fn signal(&self, signal: Signal) {
        let Some(child) = &self.child else { return };
        // It has not been waited for, so the number is its own.
        if let Err(error) = kill(Pid::from_raw(child.id() as i32), signal) {
            tracing::error!("the station: {signal}: {error}");
        }
    }

    /// What has come of it since: in the order in which it happened.
    pub fn look(&mut self) -> Vec<Input> {
        let mut inputs = Vec::new();
        while let Some(message) = self.message() {
            inputs.extend(message.lines().filter_map(|line| match line {
                "READY=1" => Some(Input::Ready),
                "WATCHDOG=1" => Some(Input::Alive),
                _ => None,
            }));
        }
        if let Some(child) = &mut self.child {
            match child.try_wait() {
                Ok(None) => {}
                Ok(Some(status)) => {
                    // Those who look at drives for it, and whoever else it started.
                    let _ = killpg(Pid::from_raw(child.id() as i32), Signal::SIGKILL);
                    self.child = None;
                    inputs.push(Input::Ended(status.code()));
                }
                Err(error) => tracing::error!("waiting for the station: {error}"),
            }
        }
        inputs
    }

    fn message(&self) -> Option<String> {
        let mut buffer = [0; MAX_MESSAGE_BYTES];
        match self.listener.recv(&mut buffer) {
            Ok(length) => Some(String::from_utf8_lossy(&buffer[..length]).into_owned()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) => {
                tracing::error!("listening to the station: {error}");
                None
            }
        }
    }
}

/// What it says goes to the log, line by line.
fn keep(reader: PipeReader, log: &Log) {
    let mut reader = BufReader::new(reader);
    loop {
        let mut line = Vec::new();
        match reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line) {
            Ok(0) => return,
            Ok(_) => log.line("platend", &String::from_utf8_lossy(&line)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return log.line("platen-keeper", &format!("reading what the station says: {error}")),
        }
    }
}
