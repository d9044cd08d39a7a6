// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The played station. What it does is in a file of the image; what it saw is said in its own folder.

use std::env;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use nix::sys::prctl::get_no_new_privs;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{getgid, getgroups, getuid};

/// What a real one calls wrong settings.
const WRONG_SETTINGS: u8 = 2;

pub(crate) fn run(arguments: Vec<String>) -> ExitCode {
    let settings = fs::read_to_string("/run/platen-config/station.toml").unwrap_or_default();
    if arguments.iter().any(|argument| argument == "check-config") {
        let is_right = settings.starts_with("name = ");
        return if is_right { ExitCode::SUCCESS } else { ExitCode::from(WRONG_SETTINGS) };
    }
    let mode = fs::read_to_string("/usr/share/platen/mode").expect("a mode");
    if mode == "dies" {
        return ExitCode::FAILURE;
    }
    if fs::read("/data/platen/ports.toml").is_err() {
        println!("the played station has no map of ports");
        return ExitCode::from(WRONG_SETTINGS);
    }
    // Whoever started it hears its signals in another way.
    let blocked = SigSet::thread_get_mask().expect("known");
    let mut end = SigSet::empty();
    end.add(Signal::SIGTERM);
    end.thread_block().expect("blocked");
    let said = format!(
        "uid {} gid {} groups {} no_new_privs {} core {} deaf {}\n{settings}",
        getuid(),
        getgid(),
        getgroups().expect("groups").iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        u8::from(get_no_new_privs().expect("known")),
        getrlimit(Resource::RLIMIT_CORE).expect("a limit").0,
        blocked.contains(Signal::SIGTERM),
    );
    fs::write("/data/platen/said", &said).expect("its own folder");
    println!("the played station is well");
    let socket = UnixDatagram::unbound().expect("a socket");
    let to = env::var_os("NOTIFY_SOCKET").expect("somebody who asks");
    socket.send_to(b"READY=1\nSTATUS=playing", &to).expect("sent");
    if mode == "quits" {
        thread::sleep(Duration::from_secs(1));
        return ExitCode::SUCCESS;
    }
    thread::spawn(move || {
        loop {
            socket.send_to(b"WATCHDOG=1", &to).expect("sent");
            thread::sleep(Duration::from_secs(1));
        }
    });
    end.wait().expect("a signal");
    fs::write("/data/platen/said", said + "asked to end\n").expect("its own folder");
    ExitCode::SUCCESS
}
