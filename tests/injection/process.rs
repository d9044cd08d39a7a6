// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Programs that must not outlive their time, nor this one.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal, killpg};
use nix::unistd::Pid;

/// Set when this program is asked to end: whoever waits for something gives up by panicking, which cleans up.
pub static STOP: AtomicBool = AtomicBool::new(false);

/// Must be called before any other thread is started.
pub fn stop_when_asked() {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    signals.thread_block().expect("blocks signals");
    // However often: some programs send one twice, and devices are to be let go in order.
    std::thread::spawn(move || {
        while signals.wait().is_ok() {
            STOP.store(true, Ordering::Relaxed);
        }
    });
}

/// How a program ended.
pub struct Ended {
    /// None when a signal ended it.
    pub status: Option<i32>,
    /// It outlived its time and was killed.
    pub stuck: bool,
    pub stdout: String,
    pub stderr: String,
}

/// A program with all it started, in a process group of its own. Killed when dropped.
pub struct Running {
    child: Child,
    ended: Option<ExitStatus>,
    stdout: File,
    stderr: File,
    started: Instant,
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        // Files and not pipes: a pipe nobody reads would make a program hang that does not.
        let (stdout, stderr) = (tempfile::tempfile().expect("a file"), tempfile::tempfile().expect("a file"));
        let handle = |file: &File| Stdio::from(file.try_clone().expect("a second handle"));
        command.stdin(Stdio::null()).stdout(handle(&stdout)).stderr(handle(&stderr)).process_group(0);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child, ended: None, stdout, stderr, started: Instant::now() }
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().expect("waits");
        }
        self.ended
    }

    /// What it has said so far.
    pub fn stdout(&self) -> String {
        text(&self.stdout)
    }

    /// End it and all it started.
    pub fn kill(&mut self) {
        if self.ended().is_none() {
            // It may have ended by itself meanwhile.
            let _ = killpg(Pid::from_raw(self.child.id() as i32), Signal::SIGKILL);
        }
    }

    /// Wait for the end; `tick` is called again and again until then, and may interfere.
    pub fn finish(mut self, limit: Duration, mut tick: impl FnMut(&mut Self, Duration)) -> Ended {
        let mut stuck = false;
        while self.ended().is_none() {
            assert!(!STOP.load(Ordering::Relaxed), "asked to stop");
            let elapsed = self.started.elapsed();
            if elapsed > limit {
                stuck = true;
                self.kill();
            } else {
                tick(&mut self, elapsed);
            }
            // A thread that waits in the kernel for a device keeps even a killed process: that is the device's
            // doing, and the caller's to end.
            if elapsed > limit + Duration::from_secs(5) {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let status = self.ended().and_then(|status| status.code());
        Ended { status, stuck, stdout: text(&self.stdout), stderr: text(&self.stderr) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
        for _ in 0..500 {
            if self.ended().is_some() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Ended {
    /// What matters of what it said: progress is left out.
    pub fn told(&self) -> String {
        let lines = self.stdout.lines().filter(|line| !line.contains("\"event\":\"progress\""));
        let lines: Vec<&str> = lines.chain(self.stderr.lines().take(8)).collect();
        format!("exit {:?}; {}", self.status, lines.join("; "))
    }

    /// Killed by a signal that was meant for it.
    pub fn killed(&self) -> bool {
        self.status.is_none() && !self.stuck
    }
}

/// Run to the end, within the limit.
pub fn run(command: &mut Command, limit: Duration) -> Ended {
    Running::start(command).finish(limit, |_, _| {})
}

/// `program`, killed by the kernel should this program die without cleaning up.
pub fn tied(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", program]);
    command
}

fn text(file: &File) -> String {
    let len = file.metadata().expect("metadata").len();
    let mut bytes = vec![0; len as usize];
    // The position is shared with the program that writes: read without moving it.
    file.read_exact_at(&mut bytes, 0).expect("reads");
    String::from_utf8_lossy(&bytes).into_owned()
}
