// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A computer in QEMU with one USB drive: started, watched and typed to over its serial line, and always ended.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use serde_json::json;

use super::qmp::Qmp;

/// Without acceleration and on busy machines a boot takes minutes; on idle ones ten seconds.
const TIMEOUT: Duration = Duration::from_secs(400);
const OVMF: &str = "/usr/share/OVMF";
const UBOOT: &str = "/usr/lib/u-boot/qemu_arm64/u-boot.bin";

/// What starts the computer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Firmware {
    SeaBios,
    Ovmf,
    /// With Microsoft's keys of 2011 enrolled and Secure Boot on.
    OvmfSecureBoot,
    /// 32-bit firmware on a 64-bit processor.
    Ovmf32,
}

/// What the computer is made of.
#[derive(Debug, Clone)]
pub(crate) struct Options<'a> {
    pub(crate) firmware: Firmware,
    /// In the USB port it starts from, the one after [`Options::earlier`]. Writable for the computer; whether it wrote
    /// is for the test to see.
    pub(crate) drive: Option<&'a Path>,
    /// In the USB ports before that.
    pub(crate) earlier: &'a [&'a Path],
    /// On a SATA port, if any.
    pub(crate) disk: Option<&'a Path>,
    /// What the clock says at the start, UTC; none for the true time.
    pub(crate) clock: Option<&'a str>,
    /// QEMU's name of the processor; none for one with 64 bits.
    pub(crate) processor: Option<&'a str>,
    /// Where UEFI firmware keeps its variables from one start to the next; none: it forgets them.
    pub(crate) variables: Option<&'a Path>,
    /// What SMBIOS says is its model; none for QEMU's own word.
    pub(crate) model: Option<&'a str>,
}

impl<'a> Options<'a> {
    pub(crate) fn new(firmware: Firmware, drive: &'a Path) -> Self {
        Self { drive: Some(drive), ..Self::without_medium(firmware) }
    }

    /// A computer that starts from its own disk.
    pub(crate) fn without_medium(firmware: Firmware) -> Self {
        let (earlier, variables, model) = (&[][..], None, None);
        Self { firmware, drive: None, earlier, disk: None, clock: None, processor: None, variables, model }
    }
}

/// A running computer. Dropping it kills it, also when its test fails.
pub(crate) struct Machine {
    child: Child,
    serial: ChildStdin,
    heard: Arc<Heard>,
    reader: Option<JoinHandle<()>>,
    work: tempfile::TempDir,
    _permit: Permit,
}

/// Everything the serial line said.
#[derive(Default)]
struct Heard {
    said: Mutex<Said>,
    more: Condvar,
}

#[derive(Default)]
struct Said {
    bytes: Vec<u8>,
    ended: bool,
}

impl Machine {
    /// Starts it; waits while as many others run as there are processors.
    pub(crate) fn start(options: &Options<'_>) -> Self {
        Self::spawn(|work| command(options, work))
    }

    /// Starts one without firmware menus or a boot loader: a kernel, what is in its memory, and whatever `devices` adds to
    /// QEMU's command line, which is told the folder for sockets.
    pub(crate) fn start_kernel(kernel: &Path, initramfs: &Path, devices: impl FnOnce(&mut Command, &Path)) -> Self {
        Self::spawn(|work| {
            let mut command = qemu("qemu-system-x86_64", work);
            command.args(["-machine", "q35"]).arg("-kernel").arg(kernel).arg("-initrd").arg(initramfs);
            // On a machine that is busy the kernel's timer may seem not to work while it is tried.
            command.args(["-append", "console=ttyS0 quiet panic=-1 no_timer_check"]);
            devices(&mut command, work);
            command
        })
    }

    /// Starts a 64-bit ARM computer that has U-Boot, and this disk. It reads boards' scripts as a Raspberry Pi's does.
    pub(crate) fn start_uboot(disk: &Path) -> Self {
        Self::spawn(|work| {
            let mut command = qemu("qemu-system-aarch64", work);
            command.args(["-machine", "virt", "-cpu", "cortex-a57", "-bios", UBOOT]);
            let node = format!("driver=raw,node-name=disk,file.driver=file,file.filename={}", disk.display());
            command.args(["-blockdev", &node, "-device", "virtio-blk-device,drive=disk"]);
            command
        })
    }

    fn spawn(command: impl FnOnce(&Path) -> Command) -> Self {
        let permit = Permit::wait();
        let work = tempfile::tempdir().expect("temporary folder");
        let mut command = command(work.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(std::fs::File::create(work.path().join("qemu.log")).expect("made"));
        let mut child = command.spawn().expect("QEMU starts: appliance/install-packages boot, or set PLATEN_BOOTS=no");
        let serial = child.stdin.take().expect("piped");
        let mut output = child.stdout.take().expect("piped");
        let heard = Arc::new(Heard::default());
        let hearing = Arc::clone(&heard);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let got = output.read(&mut buffer).unwrap_or(0);
                let mut said = lock(&hearing.said);
                said.bytes.extend(&buffer[..got]);
                said.ended = got == 0;
                hearing.more.notify_all();
                if got == 0 {
                    return;
                }
            }
        });
        Self { child, serial, heard, reader: Some(reader), work, _permit: permit }
    }

    /// Waits until the serial line says `text`; everything it said until then. Fails the test when it does not come.
    pub(crate) fn wait_for(&self, text: &str) -> String {
        self.wait_for_one_of(&[text])
    }

    /// The same for whichever of several texts comes.
    pub(crate) fn wait_for_one_of(&self, texts: &[&str]) -> String {
        let end = Instant::now() + TIMEOUT;
        let mut said = lock(&self.heard.said);
        loop {
            let transcript = plain(&said.bytes);
            if texts.iter().any(|text| transcript.contains(text)) {
                return transcript;
            }
            let left = end.saturating_duration_since(Instant::now());
            let why = match (said.ended, left.is_zero()) {
                (true, _) => "QEMU ended",
                (_, true) => "time is up",
                _ => {
                    said = self.heard.more.wait_timeout(said, left).unwrap_or_else(PoisonError::into_inner).0;
                    continue;
                }
            };
            let log = std::fs::read_to_string(self.work.path().join("qemu.log")).unwrap_or_default();
            panic!("expected {texts:?} on the serial line, but {why}\n-- QEMU:\n{log}\n-- serial line:\n{transcript}");
        }
    }

    /// Types on the serial line.
    pub(crate) fn type_line(&mut self, text: &str) {
        self.serial.write_all(format!("{text}\r").as_bytes()).expect("QEMU takes what is typed");
        self.serial.flush().expect("flushed");
    }

    /// Types a line on the computer's own keyboard, whose keys are named by what they have printed on them in America:
    /// letters, digits, spaces, tabs and `-`.
    pub(crate) fn type_line_on_keyboard(&mut self, text: &str) {
        for c in text.chars().chain(['\n']) {
            let key = match c {
                '\n' => "ret".to_owned(),
                '\t' => "tab".to_owned(),
                '-' => "minus".to_owned(),
                ' ' => "spc".to_owned(),
                'a'..='z' | '0'..='9' => c.to_string(),
                other => panic!("no key for {other:?}"),
            };
            let keys = json!({ "keys": [{ "type": "qcode", "data": key }], "hold-time": 40 });
            self.qmp().ask("send-key", &keys);
            // The next key is pressed after this one was let go.
            sleep(Duration::from_millis(120));
        }
    }

    /// Saves what the screen shows as a PNG file.
    pub(crate) fn screendump(&mut self, to: &Path) {
        self.qmp().ask("screendump", &json!({ "filename": to, "format": "png" }));
    }

    /// Waits until the computer turned itself off.
    pub(crate) fn wait_for_power_off(&mut self) {
        let end = Instant::now() + TIMEOUT;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait().expect("our child") {
                assert!(status.success(), "QEMU ended with {status}");
                return;
            }
            sleep(Duration::from_millis(50));
        }
        panic!("the computer is still on:\n{}", plain(&lock(&self.heard.said).bytes));
    }

    /// QEMU's own control socket. There is one connection at a time.
    pub(crate) fn qmp(&self) -> Qmp {
        Qmp::connect(&self.work.path().join("qmp"))
    }

    /// The socket of this name in the folder that `devices` was told.
    pub(crate) fn socket(&self, name: &str) -> UnixStream {
        UnixStream::connect(self.work.path().join(name)).expect("QEMU listens")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// What all computers have: memory, a serial line on standard input and output, and QEMU's own control socket.
fn qemu(program: &str, work: &Path) -> Command {
    // Should the test program itself be killed, the kernel ends QEMU for us.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", program, "-accel", "tcg", "-nodefaults", "-m", "1024"]);
    command.args(["-display", "none", "-no-reboot", "-chardev", "stdio,id=line,signal=off", "-serial", "chardev:line"]);
    command.args(["-qmp", &format!("unix:{},server=on,wait=off", work.join("qmp").display())]);
    command
}

fn command(options: &Options<'_>, work: &Path) -> Command {
    let mut command = qemu("qemu-system-x86_64", work);
    let secure = options.firmware == Firmware::OvmfSecureBoot;
    // The only build of the 32-bit one there is can do Secure Boot, but has no keys.
    let smm = secure || options.firmware == Firmware::Ovmf32;
    if let Some(processor) = options.processor {
        command.args(["-cpu", processor]);
    }
    command.args(["-machine", if smm { "q35,smm=on" } else { "q35" }, "-vga", "std"]);
    // Several computers may start from one image at a time, so QEMU must not claim it.
    let node = |name: &str, path: &Path| {
        format!("driver=raw,node-name={name},file.driver=file,file.locking=off,file.filename={}", path.display())
    };
    command.args(["-device", "qemu-xhci,id=usb"]);
    if let Some(model) = options.model {
        command.args(["-smbios", &format!("type=1,manufacturer=Platen Test,product={model}")]);
    }
    for (at, drive) in options.earlier.iter().chain(&options.drive).enumerate() {
        let (port, first) = (at + 1, if at == options.earlier.len() { 0 } else { at + 2 });
        let device = format!("usb-storage,bus=usb.0,port={port},drive=stick{port},removable=on,bootindex={first}");
        command.args(["-blockdev", &node(&format!("stick{port}"), drive), "-device", &device]);
    }
    if let Some(disk) = options.disk {
        command.args(["-blockdev", &node("disk", disk), "-device", "ide-hd,bus=ide.0,drive=disk,bootindex=9"]);
    }
    if let Some(clock) = options.clock {
        command.args(["-rtc", &format!("base={clock}")]);
    }
    let (code, variables) = match options.firmware {
        Firmware::SeaBios => return command,
        Firmware::Ovmf => ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"),
        Firmware::OvmfSecureBoot => ("OVMF_CODE_4M.ms.fd", "OVMF_VARS_4M.ms.fd"),
        Firmware::Ovmf32 => ("OVMF32_CODE_4M.secboot.fd", "OVMF32_VARS_4M.fd"),
    };
    let own = options.variables.map_or_else(|| work.join("variables.fd"), Path::to_owned);
    if !own.exists() {
        let copied = std::fs::copy(format!("{OVMF}/{variables}"), &own);
        copied.expect("OVMF is there: install ovmf, or set PLATEN_BOOTS=no");
    }
    let flash = |unit: u8, rest: &str| format!("if=pflash,unit={unit},format=raw,{rest}");
    command.args(["-drive", &flash(0, &format!("readonly=on,file={OVMF}/{code}"))]);
    command.args(["-drive", &flash(1, &format!("file={}", own.display()))]);
    if smm {
        command.args(["-global", "driver=cfi.pflash01,property=secure,value=on"]);
    }
    command
}

/// Text as a person would read it: without colours, cursor movements and carriage returns.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\x1b' if rest.clone().next() == Some('[') => {
                rest.next();
                // Parameters, then one letter.
                rest.by_ref().find(|c| ('\x40'..='\x7e').contains(c));
            }
            '\r' => {}
            c => out.push(c),
        }
    }
    out
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A test that failed while it looked left nothing half-done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

static RUNNING: Mutex<usize> = Mutex::new(0);
static ENDED: Condvar = Condvar::new();

/// The right to run one computer: more than there are processors would only slow each other into time limits.
struct Permit;

impl Permit {
    fn wait() -> Self {
        let most = std::thread::available_parallelism().map_or(1, usize::from);
        let mut running = lock(&RUNNING);
        while *running >= most {
            running = ENDED.wait(running).unwrap_or_else(PoisonError::into_inner);
        }
        *running += 1;
        Self
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *lock(&RUNNING) -= 1;
        ENDED.notify_one();
    }
}

/// A copy of a drive that a test may change, with the means to change files on its first volume.
pub(crate) struct ChangedDrive {
    folder: tempfile::TempDir,
}

impl ChangedDrive {
    pub(crate) fn of(drive: &Path) -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let copied = Command::new("cp").arg("--sparse=always").arg(drive).arg(folder.path().join("drive.img")).status();
        assert!(copied.expect("cp starts").success());
        Self { folder }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("drive.img")
    }

    /// Replaces a file by what `change` makes of its bytes; a missing one is taken for empty.
    pub(crate) fn change(&self, file: &str, change: impl FnOnce(&mut Vec<u8>)) -> &Self {
        let local = self.folder.path().join("file");
        let _ = std::fs::remove_file(&local);
        let there = self.mtool("mcopy", &["-n", &format!("::{file}"), &local.display().to_string()]);
        let mut bytes = if there { std::fs::read(&local).expect("copied") } else { Vec::new() };
        change(&mut bytes);
        std::fs::write(&local, bytes).expect("written");
        assert!(self.mtool("mcopy", &["-o", &local.display().to_string(), &format!("::{file}")]), "{file} is written");
        self
    }

    pub(crate) fn delete(&self, file: &str) -> &Self {
        assert!(self.mtool("mdel", &[&format!("::{file}")]), "{file} is deleted");
        self
    }

    fn mtool(&self, tool: &str, arguments: &[&str]) -> bool {
        let volume = format!("{}@@1048576", self.path().display());
        let mut command = Command::new(tool);
        command.args(["-i", &volume]).args(arguments).env("MTOOLS_SKIP_CHECK", "1").stdin(Stdio::null());
        let output = command.output().expect("mtools are there: install mtools, or set PLATEN_BOOTS=no");
        output.status.success()
    }
}
