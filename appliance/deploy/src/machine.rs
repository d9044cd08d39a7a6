//! The machine: the one place that mounts, loads modules, opens terminals and turns the power off.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::kmod::{ModuleInitFlags, finit_module};
use nix::mount::{MsFlags, mount, umount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::termios::{InputFlags, LocalFlags, SetArg, tcgetattr, tcsetattr};
use platen_media::Timestamp;
use platen_media::manifest::is_id;
use platen_media::sign::TrustedKeys;

use crate::check::{check, show_plan};
use crate::medium::{Claim, Medium};
use crate::refusal::Refusal;
use crate::screen::{Console, Mark, Screen, plain};

/// How long a drive may take to appear: hubs with spinning drives behind them have been seen to need half of it.
const FIND_WITHIN: Duration = Duration::from_secs(60);
/// How long another medium, or a damaged one, is passed over while the right one may still appear.
const SETTLE: Duration = Duration::from_secs(20);
/// A terminal that takes nothing for so long is not read by anyone.
const WRITE_WITHIN_MS: u16 = 5_000;

const KEYS: &str = "/etc/platen/keys";
const MODULES: &str = "/lib/modules";
const MOUNT_POINT: &str = "/run/medium";

/// Does everything, then waits for a person and turns the computer off. Never returns.
pub(crate) fn run() -> ! {
    // Whatever fails here shows up as something that is missing later, and is refused there.
    let early: Vec<String> = prepare().err().into_iter().collect();
    let mut terminals = Terminals::open();
    std::panic::set_hook(Box::new(|panic| {
        *LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string().replace("\n", " ");
    }));
    let ended = catch_unwind(AssertUnwindSafe(|| session(&mut terminals, &early)));
    if ended.is_err() {
        let what = LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // Printing was perhaps what failed, so this too may fail without taking process 1 with it.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            refuse(&Refusal::Fault { what }, None, "-", &mut Screen::new(&mut terminals));
        }));
    }
    let pressed = catch_unwind(AssertUnwindSafe(|| {
        Screen::new(&mut terminals).wait_for_enter("Press Enter to turn this computer off.")
    }));
    if matches!(pressed, Ok(true)) {
        let _ = umount(MOUNT_POINT);
        let _ = reboot(RebootMode::RB_POWER_OFF);
    }
    loop {
        sleep(Duration::from_secs(3600));
    }
}

/// What the panic hook heard; printed from where unwinding ends.
static LAST_PANIC: Mutex<String> = Mutex::new(String::new());

fn session(terminals: &mut Terminals, early: &[String]) {
    let mut screen = Screen::new(terminals);
    screen.page("Check of the deployment medium");
    for problem in early {
        screen.step(Mark::Note, "Computer", problem);
    }
    load_modules(&mut screen);
    let arguments = std::fs::read_to_string("/proc/cmdline").unwrap_or_default();
    let media_id = match media_id(&arguments) {
        Ok(id) => id,
        Err(refusal) => return refuse(&refusal, None, "-", &mut screen),
    };
    let found = TrustedKeys::load(Path::new(KEYS))
        .map_err(Refusal::Keys)
        .and_then(|keys| Ok((keys, find_medium(media_id, &mut screen)?)));
    let (keys, found) = match found {
        Ok(found) => found,
        Err(refusal) => return refuse(&refusal, Some(media_id), "-", &mut screen),
    };
    let port = found.port.as_deref().unwrap_or(&found.device);
    let place = match &found.port {
        Some(port) => format!("{} on USB port {port}", found.device),
        None => format!("{}, not on USB", found.device),
    };
    screen.step(Mark::Ok, "Medium", &format!("found: {place}"));
    match check(&found.medium, media_id, &keys, now, &mut screen) {
        Ok(checked) => {
            let manifest = checked.manifest();
            show_plan(&checked, &mut screen);
            screen.gap();
            let (id, version, revision) = (&manifest.id, &manifest.version, manifest.revision);
            screen.headline(Mark::Ok, &format!("PLATEN MEDIA OK id={id} version={version} revision={revision}"));
            screen.line("Checked only: running the task sequence comes with a later version of Platen.");
        }
        Err(refusal) => refuse(&refusal, Some(media_id), port, &mut screen),
    }
}

/// Says why not: for machines, then for the operator.
fn refuse(refusal: &Refusal, media_id: Option<&str>, port: &str, screen: &mut Screen<'_>) {
    let code = refusal.code();
    let id = media_id.unwrap_or("-");
    screen.gap();
    screen.headline(Mark::Stop, &format!("PLATEN MEDIA REFUSED code={code} id={id} {}", refusal.chain()));
    screen.paragraph(&code.sentence(port));
}

/// The file systems everything else needs, and a quiet kernel: its messages would run over the screen.
fn prepare() -> Result<(), String> {
    let none: Option<&str> = None;
    let locked = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let mounts = [
        ("proc", "/proc", "proc", locked),
        ("sysfs", "/sys", "sysfs", locked),
        ("devtmpfs", "/dev", "devtmpfs", MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC),
    ];
    for (source, target, kind, flags) in mounts {
        match mount(Some(source), target, Some(kind), flags, none) {
            // A kernel that mounts devtmpfs by itself did what we wanted.
            Ok(()) | Err(Errno::EBUSY) => {}
            Err(error) => return Err(format!("mounting {target}: {error}")),
        }
    }
    std::fs::write("/proc/sys/kernel/printk", "1 4 1 7").map_err(|error| format!("quieting the kernel: {error}"))?;
    std::fs::create_dir_all(MOUNT_POINT).map_err(|error| format!("making {MOUNT_POINT}: {error}"))
}

/// Loads the boot image's modules in its order. A module without its hardware, or there already, is as it should be.
fn load_modules(screen: &mut Screen<'_>) {
    screen.progress("Drivers", "loading");
    let order = std::fs::read_to_string(format!("{MODULES}/order")).unwrap_or_default();
    let (mut loaded, mut not_needed, mut failed) = (0, 0, Vec::new());
    for line in order.lines() {
        let (name, parameters) = line.split_once(' ').unwrap_or((line, ""));
        match load_module(name, parameters) {
            Ok(()) => loaded += 1,
            Err(LoadError::Kernel(Errno::EEXIST)) => loaded += 1,
            Err(LoadError::Kernel(Errno::ENODEV)) => not_needed += 1,
            // It needs one that found no hardware and went away again.
            Err(LoadError::Kernel(Errno::ENOENT)) if not_needed > 0 => not_needed += 1,
            Err(LoadError::Kernel(error)) => failed.push(format!("{name}: {}", error.desc())),
            Err(LoadError::File(error)) => failed.push(format!("{name}: {error}")),
        }
    }
    screen.step(Mark::Ok, "Drivers", &format!("{loaded} modules loaded, {not_needed} without their hardware"));
    for failure in failed {
        screen.step(Mark::Note, "Drivers", &failure);
    }
}

enum LoadError {
    File(std::io::Error),
    Kernel(Errno),
}

fn load_module(name: &str, parameters: &str) -> Result<(), LoadError> {
    let file = File::open(format!("{MODULES}/{name}")).map_err(LoadError::File)?;
    let parameters = std::ffi::CString::new(parameters).map_err(|_| LoadError::Kernel(Errno::EINVAL))?;
    finit_module(&file, &parameters, ModuleInitFlags::empty()).map_err(LoadError::Kernel)
}

/// The last `platen.media=` among the kernel's arguments, as the kernel itself lets the last of its own count.
fn media_id(arguments: &str) -> Result<&str, Refusal> {
    let found = arguments.split_whitespace().filter_map(|word| word.strip_prefix("platen.media=")).next_back();
    match found {
        Some(id) if is_id(id) => Ok(id),
        Some(other) => Err(Refusal::NoMediaId { found: format!("{:?}", plain(other)) }),
        None => Err(Refusal::NoMediaId { found: "none".to_owned() }),
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_s(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

struct Found {
    medium: Medium,
    device: String,
    port: Option<String>,
}

/// A block device that may hold a volume.
#[derive(Debug, PartialEq, Eq)]
struct Volume {
    name: String,
    port: Option<String>,
}

/// Waits for the volume whose manifest claims to be medium `id`, and leaves it mounted.
///
/// USB drives are looked at first. A volume with a manifest that can't be read, or of another medium, is taken only
/// when no better one appears for a while: its signature then says what it is.
fn find_medium(id: &str, screen: &mut Screen<'_>) -> Result<Found, Refusal> {
    let started = Instant::now();
    let mut second_best: Option<(Instant, String)> = None;
    let mut shown_s = None;
    loop {
        let waited_s = started.elapsed().as_secs();
        if shown_s.replace(waited_s) != Some(waited_s) {
            screen.progress("Medium", &format!("looking for {id}, {waited_s} s"));
        }
        let mut seen = Vec::new();
        for volume in volumes(Path::new("/sys/class/block")) {
            if !looks_like_fat(&volume.name) {
                continue;
            }
            let Some(claim) = mounted_claim(&volume.name) else { continue };
            match claim {
                Claim::Id(found) if found == id => return Ok(found_on(volume)),
                Claim::None => seen.push(volume.name),
                Claim::Id(other) => {
                    seen.push(format!("{} ({})", volume.name, plain(&other)));
                    second_best.get_or_insert((Instant::now(), volume.name));
                }
                Claim::Unreadable => {
                    seen.push(format!("{} (unreadable manifest)", volume.name));
                    second_best.get_or_insert((Instant::now(), volume.name));
                }
            }
            let _ = umount(MOUNT_POINT);
        }
        if let Some((since, name)) = &second_best
            && since.elapsed() > SETTLE
            && let Some(volume) = volumes(Path::new("/sys/class/block")).into_iter().find(|v| &v.name == name)
            && mounted_claim(name).is_some()
        {
            return Ok(found_on(volume));
        }
        if started.elapsed() > FIND_WITHIN {
            let seen = if seen.is_empty() { "none".to_owned() } else { seen.join(", ") };
            return Err(Refusal::NoMedium { id: id.to_owned(), waited_s: FIND_WITHIN.as_secs(), seen });
        }
        sleep(Duration::from_millis(250));
    }
}

fn found_on(volume: Volume) -> Found {
    Found { medium: Medium::new(Path::new(MOUNT_POINT)), device: volume.name, port: volume.port }
}

/// Mounts a volume, reading only, and asks which medium it claims to be; none when it can't be mounted.
fn mounted_claim(name: &str) -> Option<Claim> {
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let device = format!("/dev/{name}");
    // Names are written in UTF-16; with utf8 the two tables serve short names only, and both are in the boot image.
    mount(Some(&*device), MOUNT_POINT, Some("vfat"), flags, Some("utf8=1,codepage=437,iocharset=ascii")).ok()?;
    Some(Medium::new(Path::new(MOUNT_POINT)).claim())
}

/// Partitions, and drives without any; USB first, else by name.
fn volumes(class: &Path) -> Vec<Volume> {
    let names = || std::fs::read_dir(class).into_iter().flatten().flatten();
    let name_of = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let all: Vec<String> = names().map(|entry| name_of(&entry)).collect();
    let mut volumes: Vec<Volume> = all
        .iter()
        .filter(|name| !["loop", "ram", "zram", "dm-", "md", "sr", "fd"].iter().any(|kind| name.starts_with(kind)))
        .filter(|name| {
            // A drive with partitions has a folder for each of them, of the same name and a number.
            let parts = all.iter().filter(|other| other.len() > name.len() && other.starts_with(&***name));
            !parts.into_iter().any(|part| class.join(name).join(part).is_dir())
        })
        .map(|name| {
            let device = std::fs::canonicalize(class.join(name)).unwrap_or_default();
            Volume { name: name.clone(), port: usb_port(&device) }
        })
        .collect();
    volumes.sort_by(|a, b| (a.port.is_none(), &a.name).cmp(&(b.port.is_none(), &b.name)));
    volumes
}

/// The port in a device's path through the machine: `.../usb2/2-1/2-1.3/2-1.3:1.0/...` is port `2-1.3`.
fn usb_port(device: &Path) -> Option<String> {
    let is_port = |name: &str| {
        name.split_once('-').is_some_and(|(bus, ports)| {
            let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            number(bus) && ports.split('.').all(number)
        })
    };
    let names: Vec<_> = device.iter().map(|name| name.to_string_lossy()).collect();
    names.iter().rfind(|name| is_port(name)).map(|name| name.to_string())
}

/// Whether the first sector could be a FAT volume's, so that the kernel is not asked to mount just anything.
fn looks_like_fat(name: &str) -> bool {
    let mut sector = [0; 512];
    let read = File::open(format!("/dev/{name}")).and_then(|mut file| file.read_exact(&mut sector));
    read.is_ok() && is_fat_sector(&sector)
}

fn is_fat_sector(sector: &[u8; 512]) -> bool {
    let jump = matches!(sector[0], 0xeb | 0xe9);
    jump && sector[510..] == [0x55, 0xaa] && (sector[82..87] == *b"FAT32" || sector[54..57] == *b"FAT")
}

/// One screen or serial line.
struct Terminal {
    file: File,
    /// It took what was written to it so far.
    writes: bool,
    /// Something may still be typed on it.
    reads: bool,
}

/// All consoles of the kernel at once.
struct Terminals(Vec<Terminal>);

impl Terminals {
    fn open() -> Self {
        let active = std::fs::read_to_string("/sys/class/tty/console/active").unwrap_or_default();
        Self(console_names(&active).iter().filter_map(|path| open_terminal(path).ok()).collect())
    }
}

/// The devices to open for the kernel's list of active consoles; screen and first serial line when there is none.
fn console_names(active: &str) -> Vec<PathBuf> {
    let mut names: Vec<&str> = active.split_whitespace().collect();
    if names.is_empty() {
        names = vec!["tty0", "ttyS0"];
    }
    // tty0 is whichever screen is shown; we stay on the first whatever keys are pressed.
    names.iter().map(|&name| Path::new("/dev").join(if name == "tty0" { "tty1" } else { name })).collect()
}

/// Opens one without waiting for a modem, and takes echo, line editing and flow control out: what is typed is shown by
/// us or not at all, and a stray Control-S must not stop us.
fn open_terminal(path: &Path) -> Result<Terminal, std::io::Error> {
    let flags = OFlag::O_NOCTTY | OFlag::O_NONBLOCK;
    let file = OpenOptions::new().read(true).write(true).custom_flags(flags.bits()).open(path)?;
    let mut settings = tcgetattr(&file)?;
    settings.local_flags.remove(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG | LocalFlags::IEXTEN);
    settings.input_flags.remove(InputFlags::IXON | InputFlags::IXOFF | InputFlags::IXANY);
    tcsetattr(&file, SetArg::TCSANOW, &settings)?;
    Ok(Terminal { file, writes: true, reads: true })
}

impl Terminal {
    fn write(&mut self, mut bytes: &[u8]) {
        while self.writes && !bytes.is_empty() {
            match self.file.write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    let mut ready = [PollFd::new(self.file.as_fd(), PollFlags::POLLOUT)];
                    self.writes = poll(&mut ready, PollTimeout::from(WRITE_WITHIN_MS)).is_ok_and(|count| count > 0);
                }
                Err(_) => self.writes = false,
            }
        }
    }
}

impl Console for Terminals {
    fn print(&mut self, text: &str) {
        for terminal in &mut self.0 {
            terminal.write(text.as_bytes());
        }
    }

    fn read_byte(&mut self) -> Option<u8> {
        loop {
            let mut open: Vec<&mut Terminal> = self.0.iter_mut().filter(|terminal| terminal.reads).collect();
            if open.is_empty() {
                return None;
            }
            let mut ready: Vec<PollFd<'_>> =
                open.iter().map(|terminal| PollFd::new(terminal.file.as_fd(), PollFlags::POLLIN)).collect();
            let _ = poll(&mut ready, PollTimeout::NONE);
            let ready: Vec<bool> = ready.iter().map(|fd| fd.any().unwrap_or(false)).collect();
            for (terminal, _) in open.iter_mut().zip(ready).filter(|(_, ready)| *ready) {
                let mut byte = [0];
                match terminal.file.read(&mut byte) {
                    Ok(1) => return Some(byte[0]),
                    Err(error)
                        if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::Interrupted) => {
                    }
                    // Hung up, or a serial line that is not there.
                    _ => terminal.reads = false,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_the_kernels_argument() {
        assert_eq!(media_id("quiet platen.media=PLT00001\n").expect("given"), "PLT00001");
        assert_eq!(media_id("platen.media=A platen.media=B").expect("given"), "B");
        assert!(matches!(media_id("quiet"), Err(Refusal::NoMediaId { found }) if found == "none"));
        assert!(matches!(media_id("platen.media=../x"), Err(Refusal::NoMediaId { .. })));
    }

    #[test]
    fn a_usb_port_is_the_last_one_on_the_way() {
        let port = |path: &str| usb_port(Path::new(path));
        let behind_hub =
            "/sys/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2.1/1-2.1:1.0/host6/target6:0:0/6:0:0:0/block/sda/sda1";
        assert_eq!(port(behind_hub).as_deref(), Some("1-2.1"));
        assert_eq!(port("/sys/devices/pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/block/sda/sda1"), None);
        assert_eq!(port("/sys/devices/pci0000:00/0000:00:03.0/nvme/nvme0/nvme0n1/nvme0n1p1"), None);
    }

    #[test]
    fn partitions_stand_for_their_drive_and_usb_comes_first() {
        let root = tempfile::tempdir().expect("temporary folder");
        let class = root.path().join("class");
        std::fs::create_dir_all(&class).expect("made");
        for (name, device) in [
            ("nvme0n1", "pci/nvme/nvme0/nvme0n1"),
            ("nvme0n1p1", "pci/nvme/nvme0/nvme0n1/nvme0n1p1"),
            ("sda", "pci/ata1/block/sda"),
            ("sdb", "pci/usb2/2-3/2-3:1.0/block/sdb"),
            ("sdb1", "pci/usb2/2-3/2-3:1.0/block/sdb/sdb1"),
            ("loop0", "virtual/block/loop0"),
        ] {
            std::fs::create_dir_all(root.path().join(device)).expect("made");
            std::os::unix::fs::symlink(root.path().join(device), class.join(name)).expect("linked");
        }
        let found: Vec<_> = volumes(&class).into_iter().map(|v| (v.name, v.port)).collect();
        let expected = [("sdb1", Some("2-3")), ("nvme0n1p1", None), ("sda", None)];
        assert_eq!(found, expected.map(|(name, port)| (name.to_owned(), port.map(str::to_owned))));
    }

    #[test]
    fn only_fat_sectors_are_mounted() {
        let mut sector = [0; 512];
        assert!(!is_fat_sector(&sector));
        sector[0] = 0xeb;
        sector[510..].copy_from_slice(&[0x55, 0xaa]);
        assert!(!is_fat_sector(&sector), "a partition table");
        sector[82..90].copy_from_slice(b"FAT32   ");
        assert!(is_fat_sector(&sector));
    }

    #[test]
    fn the_screen_is_the_first_and_there_is_always_one() {
        let names = |active: &str| console_names(active).iter().map(|p| p.display().to_string()).collect::<Vec<_>>();
        assert_eq!(names("tty0 ttyS0\n"), ["/dev/tty1", "/dev/ttyS0"]);
        assert_eq!(names(""), ["/dev/tty1", "/dev/ttyS0"]);
    }
}
