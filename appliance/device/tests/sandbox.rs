// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What the process that reads a foreign drive can't do. Each act is tried by a child: confined it must die of the system
//! call filter, not confined it must succeed, so that the test is known to see.

// System calls that no library offers by themselves.
#![allow(unsafe_code)]

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};

use nix::libc;
use platen_device::sandbox::confine;

/// Signal 31: killed by a system call filter.
const SIGSYS: i32 = 31;

/// A child that tries one thing; see [`child`].
fn try_to(act: &str, confined: bool) -> ExitStatus {
    let victim = std::process::id().to_string();
    Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"])
        .env("PLATEN_TEST_ACT", act)
        .env("PLATEN_TEST_CONFINED", if confined { "yes" } else { "no" })
        .env("PLATEN_TEST_VICTIM", victim)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("starts")
}

/// A system call of numbers only; whether it was granted.
fn call(number: libc::c_long, arguments: [i32; 3]) -> bool {
    let [first, second, third] = arguments;
    // SAFETY: only calls that take numbers are made so; they touch no memory of this process.
    unsafe { libc::syscall(number, first, second, third) >= 0 }
}

/// Signal 0 to a thread of another process: it is asked whether that may be signalled, and nothing is sent.
fn signal_another(victim: i32) -> bool {
    call(libc::SYS_tgkill, [victim, victim, 0])
}

/// A second process that ends at once.
fn fork() -> bool {
    // SAFETY: the new process makes no other call than the one that ends it.
    match unsafe { libc::fork() } {
        // SAFETY: it ends this process and returns to nobody.
        0 => unsafe { libc::_exit(0) },
        child => child > 0,
    }
}

#[test]
#[ignore = "the inner half of the others"]
fn child() {
    let variable = |name: &str| std::env::var(name).expect("set by the outer half");
    let (act, victim) = (variable("PLATEN_TEST_ACT"), variable("PLATEN_TEST_VICTIM"));
    let victim: i32 = victim.parse().expect("a number");
    let own = i32::try_from(std::process::id()).expect("a number");
    if variable("PLATEN_TEST_CONFINED") == "yes" {
        confine().expect("confines");
    }
    let done = match &*act {
        "read the drive" => std::io::Read::read(&mut std::io::stdin(), &mut [0; 16]).is_ok(),
        "take memory" => vec![1_u8; 64 << 20].iter().all(|&byte| byte == 1),
        "abort" => std::process::abort(),
        "open a file" => std::fs::File::open("/etc/passwd").is_ok(),
        "make a file" => tempfile::tempfile().is_ok(),
        "list a folder" => std::fs::read_dir("/").is_ok(),
        "open a socket" => std::net::UdpSocket::bind("127.0.0.1:0").is_ok(),
        "start a program" => Command::new("true").status().is_ok(),
        "become another program" => {
            // Returns only if it fails.
            let _ = std::os::unix::process::CommandExt::exec(&mut Command::new("true"));
            false
        }
        "fork" => fork(),
        "ask the drive for something" => call(libc::SYS_ioctl, [0, libc::FIOCLEX as i32, 0]),
        "duplicate a handle" => call(libc::SYS_dup, [0, 0, 0]),
        "take hold of another process" => call(libc::SYS_pidfd_open, [victim, 0, 0]),
        "take another namespace" => call(libc::SYS_unshare, [0, 0, 0]),
        "change its user" => call(libc::SYS_setuid, [nix::unistd::getuid().as_raw() as i32, 0, 0]),
        "wait for others" => call(libc::SYS_epoll_create1, [0, 0, 0]),
        "start a thread" => std::thread::Builder::new().spawn(|| {}).is_ok(),
        "signal another process" => signal_another(victim),
        "signal itself" => signal_another(own),
        "kill" => nix::sys::signal::kill(nix::unistd::Pid::from_raw(victim), None).is_ok(),
        "map memory that can be executed" => {
            memmap2::MmapOptions::new().len(4096).map_anon().is_ok_and(|map| map.make_exec().is_ok())
        }
        "map a file for execution" => {
            let file = std::fs::File::open(std::env::current_exe().expect("this program"));
            // SAFETY: nobody changes a program that runs.
            file.is_ok_and(|file| unsafe { memmap2::MmapOptions::new().len(4096).map_exec(&file) }.is_ok())
        }
        "raise its limits" => {
            use nix::sys::resource::{Resource, getrlimit, setrlimit};
            getrlimit(Resource::RLIMIT_CORE).and_then(|(_, hard)| setrlimit(Resource::RLIMIT_CORE, 0, hard)).is_ok()
        }
        other => panic!("unknown act {other:?}"),
    };
    // Not through the test harness, which would print.
    std::process::exit(i32::from(!done));
}

#[test]
fn what_it_needs_it_may_do() {
    for act in ["read the drive", "take memory", "signal itself"] {
        assert!(try_to(act, true).success(), "{act}: {:?}", try_to(act, true));
    }
    // A panic that can't unwind ends it, and is told from a breach.
    assert_eq!(try_to("abort", true).signal(), Some(libc::SIGABRT));
}

#[test]
fn everything_else_kills_it() {
    let acts = [
        "open a file",
        "make a file",
        "list a folder",
        "open a socket",
        "start a program",
        "become another program",
        "fork",
        "start a thread",
        "ask the drive for something",
        "duplicate a handle",
        "take hold of another process",
        "take another namespace",
        "change its user",
        "wait for others",
        "signal another process",
        "kill",
        "map memory that can be executed",
        "map a file for execution",
        "raise its limits",
    ];
    for act in acts {
        assert!(try_to(act, false).success(), "control, not confined: {act}");
        let ended = try_to(act, true);
        assert_eq!(ended.signal(), Some(SIGSYS), "{act}: {ended:?}");
    }
}
