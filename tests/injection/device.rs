// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A block device that lies: our plug-in in nbdkit, exported by nbdfuse, attached as a loop device with direct I/O.
//! One device serves many lies; starting one takes a twentieth of a second.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use platen_testkit::need;

use crate::common::tool;
use crate::direct;
use crate::judge::Medium;
use crate::process::tied;

/// All devices have this size.
pub const DEVICE_MIB: usize = 40;
const DEVICE_BYTES: u64 = (DEVICE_MIB as u64) << 20;

/// How a device lies; the numbers are those of `liar.c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Model {
    Honest,
    FlipRead,
    FlipWrite,
    Misplace,
    Stale,
    DropFromByte,
    Wrap,
    Limbo,
    LimboLastMib,
    Hole,
    UpperHalf,
    NthLost,
    Hang,
    Die,
}

/// What is read of a place that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Fill {
    Zeros,
    Ones,
    Noise,
}

/// A lie in full.
#[derive(Debug, Clone, Copy)]
pub struct Lie {
    pub model: Model,
    pub real_bytes: u64,
    pub nth: u64,
    pub argument: u64,
    pub cache_bytes: u64,
    pub fill: Fill,
}

impl Lie {
    pub const HONEST: Self = Self::new(Model::Honest);

    pub const fn new(model: Model) -> Self {
        Self { model, real_bytes: DEVICE_BYTES, nth: 0, argument: 0, cache_bytes: 0, fill: Fill::Zeros }
    }
}

/// The word of the control file that counts how often the lie made a difference.
const STRUCK: u64 = 11;
const WORDS: usize = 12;

pub struct Device {
    server: Child,
    export: Child,
    mount: PathBuf,
    device: String,
    store: PathBuf,
    control: File,
}

impl Device {
    /// Start, or plug in again what is in `folder`.
    pub fn start(liar: &Path, folder: &Path) -> Self {
        std::fs::create_dir_all(folder).expect("folder");
        let [store, control, mount, socket] = ["store", "control", "export", "socket"].map(|name| folder.join(name));
        let _ = std::fs::remove_file(&socket);
        let open = |path: &Path| File::options().create(true).truncate(false).write(true).read(true).open(path);
        open(&store).and_then(|file| file.set_len(DEVICE_BYTES)).expect("the store");
        let control = open(&control).expect("the control file");
        control.set_len(8 * WORDS as u64).expect("sparse");
        write_words(&control, Lie::HONEST);
        File::create(&mount).expect("the mount point");

        let mut server = tied("nbdkit");
        server.args(["--foreground", "--unix"]).arg(&socket).arg(liar);
        let text = |name: &str, path: &Path| format!("{name}={}", path.display());
        server.arg(text("store", &store)).arg(text("control", &folder.join("control")));
        let server = server.arg(format!("size={DEVICE_BYTES}")).stderr(Stdio::null()).spawn().expect("nbdkit starts");
        wait_for("nbdkit", || socket.exists());
        let mut export = tied("nbdfuse");
        export.arg(&mount).arg(format!("nbd+unix:///?socket={}", socket.display()));
        // It complains at length about servers that die, which is what they are for.
        let export = export.stderr(Stdio::null()).spawn().expect("nbdfuse starts");
        let mut device = Self { server, export, mount, device: String::new(), store, control };
        wait_for("nbdfuse", || std::fs::metadata(&device.mount).is_ok_and(|found| found.len() == DEVICE_BYTES));
        device.device = attach(&device.mount);
        device
    }

    /// The block device.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(&self.device)
    }

    /// From now on it lies like this; its cache is empty, as after being plugged in again.
    pub fn lie(&self, lie: Lie) {
        write_words(&self.control, lie);
    }

    /// How often the lie made a difference.
    pub fn struck(&self) -> u64 {
        let mut word = [0; 8];
        self.control.read_exact_at(&mut word, STRUCK * 8).expect("reads");
        u64::from_ne_bytes(word)
    }

    /// What was there before is put on it, behind the device's back.
    pub fn prepare(&self, medium: &Medium, before: usize) {
        assert_eq!(medium.size_bytes, DEVICE_BYTES, "all devices have one size");
        direct::write(&self.store, &medium.regions, &medium.before[before]);
    }
}

fn write_words(control: &File, lie: Lie) {
    let mut words = [0; WORDS];
    // The seventh says that the cache is to be emptied.
    words[..7].copy_from_slice(&[
        lie.model as u64,
        lie.real_bytes,
        lie.nth,
        lie.argument,
        lie.cache_bytes,
        lie.fill as u64,
        1,
    ]);
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    control.write_all_at(&bytes, 0).expect("writes");
}

impl Drop for Device {
    fn drop(&mut self) {
        // Whoever waits for an answer gets an error, so that the device can be let go.
        let _ = self.server.kill();
        let _ = self.server.wait();
        if !self.device.is_empty() {
            detach(&self.device);
        }
        let _ = Command::new("fusermount3").args(["-u", "-q", "-z"]).arg(&self.mount).status();
        let _ = self.export.kill();
        let _ = self.export.wait();
    }
}

/// A loop device on this file, with direct I/O.
pub fn attach(file: &Path) -> String {
    let path = file.to_str().expect("UTF-8");
    // Another program may take the free device between the search and the attaching.
    for _ in 0..5 {
        let attached = tool("losetup", &["--find", "--show", "--direct-io=on", path]);
        if attached.status == 0 {
            return attached.stdout.trim().to_owned();
        }
    }
    panic!("no loop device for {path}");
}

pub fn detach(device: &str) {
    // Also when this program was asked to stop, so not by way of what gives up then.
    let _ = Command::new("timeout").args(["20", "losetup", "--detach", device]).status();
}

fn wait_for(what: &str, ready: impl Fn() -> bool) {
    let started = Instant::now();
    while !ready() {
        assert!(started.elapsed() < Duration::from_secs(20), "{what} did not start");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Whether this machine can have such devices. What it lacks is a failure, unless it may be skipped.
pub fn can_be_had() -> bool {
    let opens = |path: &str| File::options().read(true).write(true).open(path).is_ok();
    let devices = ["/dev/fuse", "/dev/loop-control"];
    ["nbdkit", "nbdfuse", "losetup", "fusermount3", "setpriv"].into_iter().all(need::program)
        && devices.iter().all(|path| need::demand("root", opens(path), &format!("{path} can't be opened; run as root")))
}
