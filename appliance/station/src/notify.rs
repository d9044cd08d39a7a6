// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Telling whoever started this program how it gets on: systemd's protocol `sd_notify`, as its manual pages
//! sd_notify(3) and sd_watchdog_enabled(3) describe it. It is a datagram with a few words; no library is needed for it.
//!
//! Without `NOTIFY_SOCKET` nobody asked, and nothing is sent. The variables stay in the environment (taking them out is
//! not safe where there are threads); programs that are started from here get an environment of their own.
//!
//! [`Notifier::alive`] must be called by the loop that decides, after it decided something. A thread that does nothing
//! else would go on saying that all is well when nothing is.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Longest status, in characters; it is shown on one line.
const MAX_STATUS: usize = 200;
/// How long sending may take. The other side takes messages one by one, and is not waited for when it hangs: its own
/// watchdog is the machine's.
const PATIENCE: Duration = Duration::from_secs(1);

/// Says how this program gets on, to whom it may concern.
#[derive(Debug)]
pub struct Notifier {
    to: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// As the environment says. A variable that can't be understood is an error: who set it waits for an answer, and
    /// would stop this program for not giving any.
    pub fn from_environment() -> io::Result<Self> {
        let get = |name| env::var_os(name);
        Self::new(get("NOTIFY_SOCKET"), get("WATCHDOG_USEC"), get("WATCHDOG_PID"), std::process::id())
    }

    /// The same with the variables' values and the number of this process.
    fn new(socket: Option<OsString>, usec: Option<OsString>, pid: Option<OsString>, own: u32) -> io::Result<Self> {
        let Some(socket) = socket.filter(|socket| !socket.is_empty()) else {
            return Ok(Self { to: None, watchdog: None });
        };
        let address = match socket.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(&socket)?,
            _ => return Err(wrong("NOTIFY_SOCKET", "a path from / or a name after @", &socket)),
        };
        let sender = UnixDatagram::unbound()?;
        sender.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { to: Some((sender, address)), watchdog: watchdog(usec, pid, own)? })
    }

    /// How often [`Notifier::alive`] is to be called: twice in the time after which this program is taken for hung.
    /// None: nobody watches.
    pub fn interval(&self) -> Option<Duration> {
        self.watchdog.map(|limit| limit / 2)
    }

    /// The program has started: whoever waits for it need not wait any more.
    pub fn ready(&self, status: &str) -> io::Result<()> {
        self.send(&format!("READY=1\nSTATUS={}", line(status)))
    }

    /// What it does now, for people who look at its service.
    pub fn status(&self, status: &str) -> io::Result<()> {
        self.send(&format!("STATUS={}", line(status)))
    }

    /// It decides, and does not hang.
    pub fn alive(&self) -> io::Result<()> {
        if self.watchdog.is_some() { self.send("WATCHDOG=1") } else { Ok(()) }
    }

    /// It was asked to end, and does.
    pub fn stopping(&self, status: &str) -> io::Result<()> {
        self.send(&format!("STOPPING=1\nSTATUS={}", line(status)))
    }

    fn send(&self, text: &str) -> io::Result<()> {
        let Some((sender, address)) = &self.to else { return Ok(()) };
        let sent = sender.send_to_addr(text.as_bytes(), address)?;
        if sent == text.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }
}

/// The time after which this process is taken for hung. Without a process number it is meant for whoever reads it.
fn watchdog(usec: Option<OsString>, pid: Option<OsString>, own: u32) -> io::Result<Option<Duration>> {
    let Some(usec) = usec else { return Ok(None) };
    if let Some(pid) = pid {
        let number: Option<u32> = pid.to_str().and_then(|text| text.parse().ok());
        match number {
            Some(number) if number == own => {}
            Some(_) => return Ok(None),
            None => return Err(wrong("WATCHDOG_PID", "the number of a process", &pid)),
        }
    }
    let number: Option<u64> = usec.to_str().and_then(|text| text.parse().ok());
    match number {
        Some(number) if number > 0 => Ok(Some(Duration::from_micros(number))),
        _ => Err(wrong("WATCHDOG_USEC", "a number of microseconds greater than 0", &usec)),
    }
}

fn wrong(name: &str, expected: &str, found: &OsStr) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{name}: expected {expected}, found {found:?}"))
}

/// On one line: what follows a line's end would be an order to systemd.
fn line(text: &str) -> String {
    text.chars().take(MAX_STATUS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: u32 = 4711;

    fn notifier(socket: &str, usec: Option<&str>, pid: Option<&str>) -> io::Result<Notifier> {
        Notifier::new(Some(socket.into()), usec.map(OsString::from), pid.map(OsString::from), OWN)
    }

    fn received(socket: &UnixDatagram) -> String {
        socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a socket");
        let mut buffer = [0; 4096];
        let count = socket.recv(&mut buffer).expect("a message");
        String::from_utf8(buffer[..count].to_vec()).expect("text")
    }

    fn everything_is_heard(name: &str, listener: &UnixDatagram) {
        let notifier = notifier(name, Some("3000000"), Some(&OWN.to_string())).expect("valid");
        notifier.ready("16 ports").expect("sent");
        assert_eq!(received(listener), "READY=1\nSTATUS=16 ports");
        notifier.status("3 drives are written").expect("sent");
        assert_eq!(received(listener), "STATUS=3 drives are written");
        notifier.alive().expect("sent");
        assert_eq!(received(listener), "WATCHDOG=1");
        notifier.stopping("2 jobs end").expect("sent");
        assert_eq!(received(listener), "STOPPING=1\nSTATUS=2 jobs end");
        assert_eq!(notifier.interval(), Some(Duration::from_millis(1500)));
    }

    #[test]
    fn a_socket_in_a_folder_hears_everything() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("notify");
        let listener = UnixDatagram::bind(&path).expect("binds");
        everything_is_heard(path.to_str().expect("text"), &listener);
    }

    #[test]
    fn an_abstract_socket_hears_everything() {
        let name = format!("platen-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let listener = UnixDatagram::bind_addr(&address).expect("binds");
        everything_is_heard(&format!("@{name}"), &listener);
    }

    #[test]
    fn without_a_socket_nothing_is_said_and_nothing_is_wrong() {
        for socket in [None, Some(OsString::new())] {
            let notifier = Notifier::new(socket, Some("x".into()), None, OWN).expect("nobody asked");
            assert_eq!(notifier.interval(), None);
            for said in [notifier.ready("x"), notifier.status("x"), notifier.alive(), notifier.stopping("x")] {
                said.expect("nothing");
            }
        }
    }

    #[test]
    fn the_watchdog_is_this_processs_or_nobodys() {
        let interval = |usec, pid| notifier("@x", usec, pid).map(|notifier| notifier.interval());
        let second = Some(Duration::from_secs(1));
        assert_eq!(interval(Some("2000000"), Some("4711")).expect("ours"), second);
        assert_eq!(interval(Some("2000000"), None).expect("without a number it is ours"), second);
        assert_eq!(interval(Some("2000000"), Some("4712")).expect("another's"), None);
        assert_eq!(interval(None, Some("4711")).expect("none"), None);
        for (usec, pid) in [("0", "4711"), ("-1", "4711"), ("2s", "4711"), ("", "4711"), ("2000000", "x")] {
            let error = interval(Some(usec), Some(pid)).expect_err("can't be understood").to_string();
            assert!(error.contains("WATCHDOG_") && error.contains("expected"), "{error}");
        }
        let error = notifier("vsock:2:1234", None, None).expect_err("another kind of address").to_string();
        assert!(error.contains("NOTIFY_SOCKET") && error.contains("vsock:2:1234"), "{error}");
    }

    #[test]
    fn a_status_is_one_line_whatever_is_in_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("notify");
        let listener = UnixDatagram::bind(&path).expect("binds");
        let notifier = notifier(path.to_str().expect("text"), None, None).expect("valid");
        notifier.status("a drive called x\nMAINPID=1\r\0y").expect("sent");
        assert_eq!(received(&listener), "STATUS=a drive called x MAINPID=1  y");
        notifier.status(&"é".repeat(5000)).expect("sent");
        assert_eq!(received(&listener), format!("STATUS={}", "é".repeat(MAX_STATUS)));
    }

    #[test]
    fn who_does_not_listen_holds_nobody_up() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("notify");
        let deaf = UnixDatagram::bind(&path).expect("binds");
        let notifier = notifier(path.to_str().expect("text"), Some("1000000"), None).expect("valid");
        let refused = (0..10_000).find_map(|_| notifier.alive().err()).expect("the queue is full at some time");
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        drop(deaf);
        notifier.ready("x").expect_err("and one that is gone is told of");
    }
}
