// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A station that runs: the program `platend` with simulated ports, a connection to it, and what it said.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use platen_events::{Line, Replay, StationState};
use serde_json::Value;

use crate::station::{Ran, Station, program};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running `platend`. It is killed when this is dropped.
pub struct Daemon<'a> {
    station: &'a Station,
    child: Option<Child>,
}

impl<'a> Daemon<'a> {
    /// With ports `1`, `2`, … in sockets of the same names, and what `policy` says besides. Drives are files in the station's
    /// folder `ports`.
    pub fn new(station: &'a Station, ports: usize, policy: &str) -> Self {
        std::fs::create_dir_all(station.path("ports")).expect("folder");
        let port = |n: usize| format!("[[port]]\nlabel = \"{n}\"\nsocket = \"{n}\"\n");
        let map: String = (1..=ports).map(port).collect();
        std::fs::write(station.path("ports.toml"), format!("schema = 1\n{map}")).expect("writes");
        let path = |name: &str| station.text(name);
        let config = format!(
            "name = \"test\"\n[paths]\ncache = {:?}\ntrust = {:?}\nledger = {:?}\nstate = {:?}\nsocket = {:?}\nports = {:?}\n\
             [policy]\nlowest-free = \"1 MiB\"\n{policy}\n",
            path("cache"),
            path("trusted"),
            path("ledger.db"),
            path("state"),
            path("station.sock"),
            path("ports.toml"),
        );
        std::fs::write(station.path("station.toml"), config).expect("writes");
        let mut daemon = Self { station, child: None };
        daemon.start();
        daemon
    }

    /// The program as it would be started, not yet started.
    pub fn command(station: &Station) -> Command {
        let mut command = Command::new(program().with_file_name("platend"));
        let ports = format!("simulated:{}", station.text("ports"));
        command.args(["--config", &station.text("station.toml"), "--ports", &ports]);
        command.current_dir(station.path("")).stdin(Stdio::null());
        command
    }

    /// Start it, and wait until it listens.
    pub fn start(&mut self) {
        let log = std::fs::File::options().create(true).append(true).open(self.station.path("platend.log"));
        let child = Self::command(self.station).stderr(log.expect("opens")).spawn().expect("platend runs");
        self.child = Some(child);
        let begun = Instant::now();
        while UnixStream::connect(self.station.path("station.sock")).is_err() {
            assert!(begun.elapsed() < PATIENCE, "platend does not listen:\n{}", self.log());
            let ended = self.child.as_mut().expect("started").try_wait().expect("a process");
            assert!(ended.is_none(), "platend ended:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What it said to people.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.station.path("platend.log")).unwrap_or_default()
    }

    /// As if the power was cut: it ends at this moment.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("kills");
            child.wait().expect("ends");
        }
    }

    /// Ask it to end, as systemd does. Returns its exit status.
    pub fn stop(&mut self) -> i32 {
        let mut child = self.child.take().expect("started");
        let pid = child.id().to_string();
        assert!(Command::new("kill").arg(pid).status().expect("kill runs").success());
        child.wait().expect("ends").code().unwrap_or(-1)
    }

    /// `platen station …` on it.
    pub fn ask(&self, args: &[&str]) -> Ran {
        Self::asked(self.asking(args))
    }

    /// The same by somebody who knows a PIN.
    pub fn ask_with_pin(&self, pin: &str, args: &[&str]) -> Ran {
        let mut command = self.asking(args);
        command.env("PLATEN_PIN", pin);
        Self::asked(command)
    }

    fn asking(&self, args: &[&str]) -> Command {
        let socket = self.station.text("station.sock");
        self.station.command(&[&["station", "--socket", &socket], args].concat())
    }

    fn asked(mut command: Command) -> Ran {
        let output = command.output().expect("platen runs");
        Ran::new(&command, output)
    }

    /// A drive is inserted in a port; `traits` say what kind of drive it is.
    pub fn insert(&self, port: usize, serial: &str, traits: &str) -> PathBuf {
        let path = self.station.path("ports").join(port.to_string());
        let _ = std::fs::remove_file(&path);
        let text = format!("serial = {serial:?}\n{traits}\n");
        std::fs::write(path.with_file_name(format!("{port}.toml")), text).expect("writes");
        // It is there as a whole at once, as a drive is.
        let making = self.station.path(&format!("making-{port}"));
        std::fs::File::create(&making).and_then(|file| file.set_len(64 << 20)).expect("makes");
        std::fs::rename(&making, &path).expect("renames");
        path
    }

    /// It is pulled. Returns the file that is the drive.
    pub fn pull(&self, port: usize) -> PathBuf {
        let (path, away) =
            (self.station.path("ports").join(port.to_string()), self.station.path(&format!("away-{port}")));
        std::fs::rename(path, &away).expect("renames");
        away
    }

    /// A drive that was pulled is inserted again, in any port.
    pub fn insert_again(&self, port: usize, serial: &str, drive: &Path) {
        let path = self.station.path("ports").join(port.to_string());
        std::fs::write(path.with_file_name(format!("{port}.toml")), format!("serial = {serial:?}\n")).expect("writes");
        std::fs::rename(drive, path).expect("renames");
    }

    /// A connection of its own.
    pub fn connect(&self) -> Connection {
        Connection::open(&self.station.path("station.sock"))
    }

    /// Wait until the station's state is as it should be.
    #[track_caller]
    pub fn until(&self, what: &str, is_so: impl Fn(&StationState) -> bool) -> StationState {
        let mut connection = self.connect();
        connection.send(r#"{"id":1,"request":"subscribe"}"#);
        // Its answer comes when the whole state was told; before that there are only parts of one.
        connection.send(r#"{"id":2,"request":"errand","errand":"media"}"#);
        let (mut replay, mut is_whole) = (Replay::default(), false);
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < PATIENCE, "never: {what}\n{:#?}\n{}", replay.state(), self.log());
            let Some(line) = connection.line() else { continue };
            if line.starts_with("{\"id\":") {
                is_whole |= line.starts_with("{\"id\":2,");
            } else {
                let line: Line = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
                replay.take(&line).unwrap_or_else(|broken| panic!("{broken:?}: {line:?}"));
            }
            if is_whole && is_so(replay.state()) {
                return replay.state().clone();
            }
        }
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A client.
pub struct Connection {
    stream: UnixStream,
    lines: BufReader<UnixStream>,
    /// A line as far as it has come.
    begun: Vec<u8>,
}

impl Connection {
    fn open(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).expect("connects");
        stream.set_read_timeout(Some(Duration::from_secs(2))).expect("sets");
        let lines = BufReader::new(stream.try_clone().expect("clones"));
        Self { stream, lines, begun: Vec::new() }
    }

    /// One line. A station that has ended the connection takes none.
    pub fn send(&mut self, line: &str) {
        let _ = self.stream.write_all(format!("{line}\n").as_bytes());
    }

    /// The next line; None: nothing was said for a while. Panics when the connection has ended.
    pub fn line(&mut self) -> Option<String> {
        match self.lines.read_until(b'\n', &mut self.begun) {
            Ok(0) => panic!("the station ended the connection"),
            Ok(_) => Some(String::from_utf8(std::mem::take(&mut self.begun)).expect("UTF-8")),
            Err(_) => None,
        }
    }

    /// The connection is over.
    pub fn has_ended(&mut self) -> bool {
        let mut line = String::new();
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            match self.lines.read_line(&mut line) {
                Ok(0) => return true,
                Ok(_) => line.clear(),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => return true,
            }
        }
        false
    }

    /// Send a request, and wait for its answer.
    #[track_caller]
    pub fn ask(&mut self, line: &str) -> Value {
        self.send(line);
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let Some(line) = self.line() else { continue };
            let value: Value = serde_json::from_str(&line).expect("JSON");
            if value.get("event").is_none() {
                return value;
            }
        }
        panic!("no answer to {line}");
    }
}
