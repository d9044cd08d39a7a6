// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The target guard on real block devices: what may be written to, judged by what was opened, not by what it is called.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use platen_testkit::need;

use crate::common::{Ran, Station, tool};

/// A loop device over a file; detached when dropped, also when its test fails.
pub(crate) struct Loop(pub(crate) String);

impl Loop {
    pub(crate) fn over(backing: &str) -> Self {
        let attached = tool("losetup", &["--find", "--show", backing]).expect(0);
        Self(attached.stdout.trim().to_owned())
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        tool("losetup", &["--detach", &self.0]);
    }
}

/// Killed when dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Exchanges two names as fast as it can until dropped.
struct Swapper {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<u64>>,
}

impl Swapper {
    fn start(one: &Path, other: &Path) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopping, one, other) = (Arc::clone(&stop), one.to_owned(), other.to_owned());
        let thread = std::thread::spawn(move || {
            let mut swaps = 0;
            while !stopping.load(Ordering::Relaxed) {
                renameat2(AT_FDCWD, &one, AT_FDCWD, &other, RenameFlags::RENAME_EXCHANGE).expect("exchanges");
                swaps += 1;
            }
            swaps
        });
        Self { stop, thread: Some(thread) }
    }

    fn stop(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().expect("once").join().expect("swaps")
    }
}

/// A device node of our own for a device.
fn node(station: &Station, name: &str, device: &str) -> String {
    let number = tool("stat", &["--format", "%Hr %Lr", device]).expect(0).stdout;
    let numbers: Vec<&str> = number.split_whitespace().collect();
    let path = station.text(name);
    tool("mknod", &[&path, "b", numbers[0], numbers[1]]).expect(0);
    path
}

/// An image with an ext4 file system on it.
pub(crate) fn ext4(station: &Station, name: &str) -> String {
    let image = station.drive(name, 64);
    tool("mkfs.ext4", &["-q", "-F", &image]).expect(0);
    image
}

#[test]
fn a_name_that_is_swapped_never_leads_to_another_drive() {
    if !need::root() {
        return;
    }
    let station = Station::with_medium();
    let (wanted, other) = (station.drive("wanted.img", 64), ext4(&station, "other.img"));
    let (one, two) = (Loop::over(&wanted), Loop::over(&other));
    let mount = station.path("mounted");
    fs::create_dir(&mount).expect("folder");
    tool("mount", &[&two.0, &station.text("mounted")]).expect(0);
    let result = std::panic::catch_unwind(|| {
        let (a, b) = (node(&station, "a", &one.0), node(&station, "b", &two.0));
        // Control: the name works as long as it stands still.
        station.platen(&["write", "TREE", &a, "--allow-device", &a]).expect(0);
        let swapper = Swapper::start(Path::new(&a), Path::new(&b));
        let statuses: Vec<i32> =
            (0..25).map(|_| station.platen(&["write", "TREE", &a, "--allow-device", &a]).status).collect();
        let swaps = swapper.stop();
        assert!(swaps > 1000 && statuses.iter().all(|status| [0, 2, 3].contains(status)), "{swaps} {statuses:?}");
        fs::remove_file(&b).expect("removes");

        // A file that is allowed, and a device that is mounted.
        let image = station.drive("image.img", 64);
        let c = node(&station, "c", &two.0);
        let swapper = Swapper::start(Path::new(&image), Path::new(&c));
        for _ in 0..25 {
            let ran = station.platen(&["write", "TREE", &image]);
            assert!([0, 2, 3].contains(&ran.status), "{ran:?}");
        }
        assert!(swapper.stop() > 1000);
    });
    tool("umount", &[&station.text("mounted")]).expect(0);
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    assert_eq!(tool("fsck.ext4", &["-n", "-f", &other]).status, 0, "the mounted device was written to");
}

#[test]
fn a_device_under_the_name_of_another_is_refused() {
    if !need::root() {
        return;
    }
    let station = Station::with_medium();
    let (first, second) = (station.drive("first.img", 64), station.drive("second.img", 64));
    let (one, two) = (Loop::over(&first), Loop::over(&second));
    let name = Path::new(&two.0).file_name().expect("a name").to_str().expect("UTF-8").to_owned();
    let wrong = node(&station, &name, &one.0);
    let before = fs::read(&first).expect("reads");
    station.platen(&["write", "TREE", &wrong, "--allow-device", &wrong]).refused(3, &["P-D-006", &one.0[5..]]);
    assert!(before == fs::read(&first).expect("reads"));
}

#[test]
fn every_chain_of_users_is_seen() {
    if !need::root() {
        return;
    }
    let station = Station::with_medium();
    let image = ext4(&station, "drive.img");
    let lower = Loop::over(&image);
    let write = || station.platen(&["write", "TREE", &lower.0, "--allow-device", &lower.0]);
    let before = fs::read(&image).expect("reads");
    let unchanged = |why: &str| assert!(before == fs::read(&image).expect("reads"), "{why}: it was changed");
    {
        // A loop device on the drive, and a file system mounted from that.
        let upper = Loop::over(&lower.0);
        write().refused(2, &["P-D-003", &upper.0[5..]]);
        let mount = station.text("mounted");
        fs::create_dir(&mount).expect("folder");
        tool("mount", &["-o", "ro,noload", &upper.0, &mount]).expect(0);
        let ran = write();
        tool("umount", &[&mount]).expect(0);
        ran.refused(2, &["P-D-003", "mounted at", "through loop"]);
    }
    unchanged("a loop device on it");
    {
        let holder = format!("exec 3<>{}; echo ready; sleep 600", lower.0);
        let mut child = Command::new("bash").args(["-c", &holder]).stdout(Stdio::piped()).spawn().expect("starts");
        let mut ready = [0; 6];
        std::io::Read::read_exact(child.stdout.as_mut().expect("piped"), &mut ready).expect("says so");
        let child = Killed(child);
        write().refused(2, &["P-D-003", "opened for writing by", &child.0.id().to_string()]);
    }
    unchanged("a program that writes");
    {
        // Mounted where this process does not see it.
        let mount = station.text("elsewhere");
        fs::create_dir(&mount).expect("folder");
        let script = format!("mount -o ro,noload {} {mount}; echo ready; sleep 600", lower.0);
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "bash", "-c", &script]).stdout(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        let mut ready = [0; 6];
        std::io::Read::read_exact(child.stdout.as_mut().expect("piped"), &mut ready).expect("says so");
        let _child = Killed(child);
        write().refused(2, &["P-D-003", "mounted at", "elsewhere"]);
    }
    unchanged("another mount namespace");
    // Control: nobody uses it any more.
    write().expect(0);
}

#[test]
fn what_the_station_keeps_is_no_drive() {
    let station = Station::with_medium();
    let drive = station.drive("drive.img", 64);
    station.platen(&["write", "TREE", &drive]).expect(0);
    let blobs = fs::read_dir(station.path("cache/blobs/sha256")).expect("lists");
    let blob =
        blobs.map(|entry| entry.expect("lists").path()).max_by_key(|path| path.metadata().expect("metadata").len());
    let blob = blob.expect("a blob").to_str().expect("UTF-8").to_owned();
    let linked = station.text("linked.img");
    fs::hard_link(&blob, &linked).expect("links");
    let pointed = station.text("pointed.img");
    std::os::unix::fs::symlink(&blob, &pointed).expect("links");
    let copied = station.text("copied.db");
    fs::copy(station.path("ledger.db"), &copied).expect("copies");
    let key = station.text("test-insecure.key");
    let layout = fs::read_dir(station.path("layout/blobs/sha256")).expect("lists").next().expect("one").expect("lists");
    let layout = layout.path().to_str().expect("UTF-8").to_owned();
    let ledger = station.text("ledger.db");
    for path in [&blob, &linked, &pointed, &copied, &key, &layout, &ledger, &station.text("trusted/test-insecure.pub")]
    {
        let before = fs::read(path).expect("reads");
        for verb in [&["write", "TREE"][..], &["erase"], &["erase", "--full"], &["test"]] {
            station.platen(&[verb, &[path]].concat()).refused(3, &["P-D-004", path]);
        }
        assert!(before == fs::read(path).expect("reads"), "{path} was changed");
    }
    station.platen(&["cache", "scrub"]).expect(0);
    station.platen(&["ledger", "check"]).expect(0);
}

#[test]
fn image_files_that_no_drive_could_be_are_refused() {
    let station = Station::with_medium();
    for size_bytes in [0, 300, 511, 812, 513, (64 << 20) + 300] {
        let path = station.text("odd.img");
        fs::write(&path, vec![0xd1; size_bytes]).expect("writes");
        for verb in [&["write", "TREE"][..], &["erase"], &["erase", "--full"], &["test"]] {
            let ran = station.platen(&[verb, &[&path]].concat());
            ran.refused(2, &["P-D-005", "odd.img", &format!("{size_bytes} bytes")]);
        }
        assert!(fs::read(&path).expect("reads").iter().all(|&byte| byte == 0xd1));
    }
}

#[test]
fn a_drive_named_twice_is_called_that() {
    let station = Station::with_medium();
    let drive = station.drive("drive.img", 64);
    std::os::unix::fs::symlink(&drive, station.path("again.img")).expect("links");
    let again = station.text("again.img");
    for names in [[&drive, &drive], [&drive, &again]] {
        station.platen(&["write", "TREE", names[0], names[1]]).refused(2, &["the same drive", "drive.img"]);
    }
    assert_eq!(fs::read(&drive).expect("reads")[0], 0xd1);
}

/// Run the program where a folder of the kernel's is empty.
fn without(station: &Station, folder: &str, args: &[&str]) -> Ran {
    in_own_mounts(station, &format!("mount -t tmpfs tmpfs {folder}"), args)
}

/// Run the program with mounts that nobody else sees, made by `prepare`.
pub(crate) fn in_own_mounts(station: &Station, prepare: &str, args: &[&str]) -> Ran {
    let words: Vec<String> = args.iter().map(|word| format!("'{word}'")).collect();
    let program = env!("CARGO_BIN_EXE_platen");
    let script = format!("{prepare} && exec {program} {}", words.join(" "));
    let (cache, trust, ledger) = (station.text("cache"), station.text("trusted"), station.text("ledger.db"));
    let unshare = ["--mount", "--propagation", "private", "env"];
    let env = [format!("PLATEN_CACHE={cache}"), format!("PLATEN_TRUST={trust}"), format!("PLATEN_LEDGER={ledger}")];
    let env: Vec<&str> = env.iter().map(String::as_str).collect();
    tool("unshare", &[&unshare[..], &env, &["sh", "-c", &script]].concat())
}

#[test]
fn where_the_kernel_says_nothing_no_drive_is_written() {
    if !need::root() {
        return;
    }
    let station = Station::with_medium();
    let image = station.drive("drive.img", 64);
    let device = Loop::over(&image);
    for folder in ["/sys", "/proc"] {
        without(&station, folder, &["write", "TREE", &device.0, "--allow-device", &device.0]).refused(3, &["P-D-006"]);
        without(&station, folder, &["write", "TREE", &image]).refused(3, &["P-D-006"]);
    }
    assert_eq!(fs::read(&image).expect("reads")[0], 0xd1);
    // Control: with another folder in its place it works.
    without(&station, "/mnt", &["write", "TREE", &device.0, "--allow-device", &device.0]).expect(0);
}

#[test]
fn what_is_not_inserted_has_one_answer() {
    if !need::root() {
        return;
    }
    let station = Station::with_medium();
    let image = station.drive("drive.img", 64);
    let has_one_answer = |path: &str| {
        for verb in [&["write", "TREE"][..], &["erase"], &["test"], &["verify"], &["inspect"]] {
            let ran = station.platen(&[verb, &[path]].concat()).refused(2, &["P-W-002", "nothing is inserted"]);
            assert!(!ran.stderr.contains("--allow-device"), "{}", ran.stderr);
        }
    };
    has_one_answer("/dev/platen-no-such-drive");
    // A slot whose medium is out: the device is there, and holds nothing. A number so high that no other test gets it
    // when it asks for a free device.
    let slot = format!("/dev/loop{}", 4000 + std::process::id() % 1000);
    tool("losetup", &[&slot, &image]).expect(0);
    drop(Loop(slot.clone()));
    has_one_answer(&slot);
}

#[test]
fn drives_of_more_than_2_tib_are_written_with_a_gpt() {
    let station = Station::with_medium();
    let huge = station.text("huge.img");
    File::create(&huge).expect("creates").set_len(3 << 40).expect("sparse");
    station.platen(&["write", "TREE", &huge]).refused(2, &["P-D-007", "--scheme gpt"]);
    station.platen(&["write", "TREE", &huge, "--scheme", "gpt"]).expect(0);
    let stored_bytes = std::os::unix::fs::MetadataExt::blocks(&fs::metadata(&huge).expect("metadata")) * 512;
    assert!(stored_bytes < 1 << 30, "{stored_bytes} bytes were written for a small medium");
    let judged = tool("sgdisk", &["--verify", &huge]).expect(0);
    assert!(judged.stdout.contains("No problems found"), "{}", judged.stdout);
    let listed = tool("mdir", &["-i", &format!("{huge}@@1M"), "-b", "::/sources"]).expect(0);
    assert!(listed.stdout.contains("big.bin"), "{}", listed.stdout);
    station.platen(&["verify", &huge]).expect(0);
}

/// Not every kernel that tests run on knows partitions, so what is looked at is the request and its answer.
#[test]
fn the_kernel_is_asked_to_read_the_new_table_where_that_is_wanted() {
    if !need::root() {
        return;
    }
    let station = Station::with_medium();
    let image = station.drive("drive.img", 64);
    let device = Loop(tool("losetup", &["--find", "--show", "--partscan", &image]).expect(0).stdout.trim().to_owned());
    for (more, asked) in [(&[][..], 0), (&["--rescan"][..], 1)] {
        // A file for each thread: in one for all, a call and its answer may stand on different lines.
        let logs = station.path(&format!("strace-{asked}"));
        fs::create_dir(&logs).expect("makes");
        let log = logs.join("log").display().to_string();
        let mut command = Command::new("strace");
        command.args([
            "-ff",
            "-o",
            &log,
            "-e",
            "trace=ioctl",
            env!("CARGO_BIN_EXE_platen"),
            "write",
            "TREE",
            &device.0,
        ]);
        command.args(["--allow-device", &device.0]).args(more);
        command.args(["--cache", &station.text("cache"), "--trust", &station.text("trusted")]);
        let status = command.args(["--ledger", &station.text("ledger.db")]).stderr(Stdio::null()).status();
        assert!(status.expect("strace runs").success());
        let log = |file: std::io::Result<fs::DirEntry>| fs::read_to_string(file.expect("lists").path()).expect("reads");
        let log: String = fs::read_dir(&logs).expect("lists").map(log).collect();
        let found = log.lines().filter(|line| line.contains("BLKRRPART") && line.contains("= 0")).count();
        assert_eq!(found, asked, "{more:?}: {log}");
    }
}

/// Rows of the ledger: verdict and code.
fn rows(station: &Station) -> Vec<(String, String)> {
    let exported = station.platen(&["ledger", "export", "--format", "json"]).expect(0);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&exported.stdout).expect("JSON");
    let text = |row: &serde_json::Value, name: &str| row[name].as_str().expect("text").to_owned();
    rows.iter().map(|row| (text(row, "verdict"), text(row, "code"))).collect()
}

#[test]
fn a_closed_terminal_ends_no_job_and_every_end_is_recorded() {
    let station = Station::with_medium();
    let drive = station.drive("drive.img", 256);
    for (signal, status, verdict) in [("HUP", 0, "READY"), ("TERM", 1, "TRY AGAIN"), ("INT", 1, "TRY AGAIN")] {
        let before = if station.path("ledger.db").exists() { rows(&station).len() } else { 0 };
        let mut command = station.command(&["test", &drive, "--json"]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("starts");
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().expect("piped")));
        lines
            .find(|line| line.as_ref().expect("UTF-8").contains("\"step\":\"write\""))
            .expect("it writes")
            .expect("UTF-8");
        tool("kill", &["-s", signal, &child.id().to_string()]).expect(0);
        lines.for_each(drop);
        assert_eq!(child.wait().expect("ends").code(), Some(status), "{signal}");
        let rows = rows(&station);
        assert_eq!(rows.len(), before + 1, "{signal}");
        let expected = if verdict == "READY" { "GOOD" } else { verdict };
        assert_eq!(rows[before].0, expected, "{signal}");
    }
}

#[test]
fn results_that_are_lost_are_no_success() {
    let station = Station::with_medium();
    let full = || File::options().write(true).open("/dev/full").expect("opens");
    for args in [&["cache", "list"][..], &["cache", "list", "--json"], &["plan", "TREE", "--size", "64000000"]] {
        let status = station.command(args).stdout(full()).stderr(Stdio::null()).status().expect("runs");
        assert_eq!(status.code(), Some(4), "{args:?}");
    }
    // Control: who stops listening is no error.
    let mut child = station.command(&["cache", "list"]).stdout(Stdio::piped()).spawn().expect("starts");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("ends").code(), Some(0));
}

#[test]
fn a_sector_size_that_no_drive_has_is_refused() {
    let station = Station::with_medium();
    for size in ["0", "1", "520", "1024", "-512", "4294967296"] {
        station
            .platen(&["plan", "TREE", "--size", "64000000", &format!("--sector-size={size}")])
            .refused(2, &["sector"]);
    }
    station.platen(&["plan", "TREE", "--size", "640000000", "--sector-size", "4096"]).expect(0);
}

#[test]
fn without_memory_handles_or_threads_nothing_is_begun() {
    let station = Station::with_medium();
    let drives: Vec<String> = (0..16).map(|number| station.drive(&format!("{number}.img"), 64)).collect();
    let program = env!("CARGO_BIN_EXE_platen");
    let run = |limit: &str| {
        let (cache, trust, ledger) = (station.text("cache"), station.text("trusted"), station.text("ledger.db"));
        let args = ["--cache", &cache, "--trust", &trust, "--ledger", &ledger, "write", "TREE"];
        let limited = Command::new("prlimit").args([limit, program]).args(args).args(&drives).output().expect("runs");
        (limited.status.code(), String::from_utf8_lossy(&limited.stderr).into_owned())
    };
    let untouched =
        || drives.iter().all(|drive| fs::read(drive).expect("reads")[..4096].iter().all(|&byte| byte == 0xd1));
    let mut refused = 0;
    for limit in ["--nofile=12:12", "--nofile=40:40", "--as=90000000", "--as=140000000", "--as=200000000"] {
        let (status, said) = run(limit);
        if status == Some(4) {
            assert!(untouched(), "{limit}: {said}");
            refused += 1;
        } else {
            // Enough after all: then it is done to the end.
            assert_eq!(status, Some(0), "{limit}: {said}");
        }
    }
    assert!(refused >= 3, "{refused} refused");
    let (status, said) = run("--nofile=1024:1024");
    assert_eq!(status, Some(0), "control: {said}");
}
