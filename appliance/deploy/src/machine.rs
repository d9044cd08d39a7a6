// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The machine: loads modules, finds the medium among its volumes, and turns the power off.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::kmod::{ModuleInitFlags, finit_module};
use nix::mount::{MsFlags, mount};
use nix::sys::reboot::{RebootMode, reboot};
use platen_deploy::archive::Unpacked;
use platen_events::Code;
use platen_media::Timestamp;
use platen_media::boot_image::{DEPLOYMENT_MODULE_ORDER, MODULE_ORDER, MODULES};
use platen_media::manifest::Manifest;
use platen_media::sign::TrustedKeys;

use crate::boot_menu::{Wanted, keyboard};
use crate::check::{check, mebibytes, show_plan};
use crate::deployment::{self, Leaving, Task};
use crate::full_page::Failure;
use crate::medium::Medium;
use crate::programs;
use crate::refusal::Refusal;
use crate::screen::{Console, Mark, Screen, Typed};
use crate::terminal::Terminals;
use crate::volumes::{Mounted, Round, Standing, Verdict, Volume, volumes};

/// How long a drive may take to appear: hubs with spinning drives behind them have been seen to need half of it.
const FIND_WITHIN: Duration = Duration::from_secs(60);
/// How long another medium, or a damaged one, is passed over while the right one may still appear.
const SETTLE: Duration = Duration::from_secs(20);

/// How long the last words stand on the screen before a restart.
const TO_READ: Duration = Duration::from_secs(5);

const KEYS: &str = "/etc/platen/keys";

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
    if matches!(ended, Ok(Leaving::Restart)) {
        sleep(TO_READ);
        let _ = reboot(RebootMode::RB_AUTOBOOT);
    }
    let until = match ended {
        Ok(Leaving::OffAfter(limit)) => Some(Instant::now() + limit),
        _ => None,
    };
    let pressed = catch_unwind(AssertUnwindSafe(|| {
        let mut screen = Screen::new(&mut terminals);
        screen.line("Press Enter to turn this computer off.");
        screen.enter_until(until)
    }));
    if matches!(pressed, Ok(Typed::Byte(_) | Typed::TimeUp)) {
        Screen::new(&mut terminals).end();
        let _ = reboot(RebootMode::RB_POWER_OFF);
    }
    loop {
        sleep(Duration::from_secs(3600));
    }
}

/// What the panic hook heard; printed from where unwinding ends.
static LAST_PANIC: Mutex<String> = Mutex::new(String::new());

fn session(terminals: &mut Terminals, early: &[String]) -> Leaving {
    let arguments = std::fs::read_to_string("/proc/cmdline").unwrap_or_default();
    terminals.set_keyboard(keyboard(&arguments));
    let mut screen = Screen::new(terminals);
    screen.page("Check of the deployment medium");
    for problem in early {
        screen.step(Mark::Note, "Computer", problem);
    }
    load_modules("Drivers", MODULE_ORDER, &mut screen);
    let wanted = match Wanted::from_arguments(&arguments) {
        Ok(wanted) => wanted,
        Err(refusal) => return refused(&refusal, None, &mut screen),
    };
    let found = TrustedKeys::load(Path::new(KEYS))
        .map_err(Refusal::Keys)
        .and_then(|keys| Ok((find_medium(&wanted, &keys, &mut screen)?, keys)));
    let ((volume, mounted), keys) = match found {
        Ok(found) => found,
        Err(refusal) => return refused(&refusal, Some(&wanted), &mut screen),
    };
    let port = volume.port.as_deref().unwrap_or(&volume.name);
    let medium = mounted.medium();
    let checked = check(&medium, &wanted, &keys, now, &mut screen)
        .and_then(|checked| load_programs(&medium, checked.manifest(), &mut screen).map(|()| checked));
    match checked {
        Ok(checked) => {
            let manifest = checked.manifest();
            show_plan(&checked, &mut screen);
            screen.gap();
            let (id, version, revision) = (&manifest.id, &manifest.version, manifest.revision);
            screen.headline(Mark::Ok, &format!("PLATEN MEDIA OK id={id} version={version} revision={revision}"));
            match checked.policy() {
                Some((policy, sequence)) => {
                    let (root, disk) = (mounted.point(), volume.disk());
                    return deployment::run(
                        &Task { root, manifest, policy, sequence, disk: &disk, port },
                        now,
                        &mut screen,
                    );
                }
                None => screen.line("This medium has no task sequence: it was checked only."),
            }
        }
        Err(refusal) => refuse(&refusal, Some(&wanted), port, &mut screen),
    }
    Leaving::Stay
}

fn refused(refusal: &Refusal, wanted: Option<&Wanted>, screen: &mut Screen<'_>) -> Leaving {
    refuse(refusal, wanted, "-", screen);
    Leaving::Stay
}

/// Says why not: for machines, then for the operator.
fn refuse(refusal: &Refusal, wanted: Option<&Wanted>, port: &str, screen: &mut Screen<'_>) {
    let code = refusal.code();
    let id = wanted.map_or("-", |wanted| &wanted.id);
    screen.gap();
    screen.headline(Mark::Stop, &format!("PLATEN MEDIA REFUSED code={code} id={id} {}", refusal.chain()));
    screen.line(&code.sentence(port));
    screen.show(&failure(refusal, code, wanted).page());
}

/// The page of a medium that is not used. What its name is was not proven, so only its id is said.
fn failure(refusal: &Refusal, code: Code, wanted: Option<&Wanted>) -> Failure {
    Failure {
        code,
        medium: (wanted.map_or_else(String::new, Wanted::to_string), String::new()),
        reason: refusal.chain(),
        log: Vec::new(),
        computer: "Nothing was written to this computer.",
        reference: None,
    }
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
    std::fs::write("/proc/sys/kernel/printk", "1 4 1 7").map_err(|error| format!("quieting the kernel: {error}"))
}

/// Unpacks the programs that came on the medium, and loads the drivers that came with them.
fn load_programs(medium: &Medium, manifest: &Manifest, screen: &mut Screen<'_>) -> Result<(), Refusal> {
    let Some(archive) = programs::find(manifest) else {
        screen.step(Mark::Note, "Programs", "none: a boot image of an earlier version");
        return Ok(());
    };
    screen.progress("Programs", "unpacking");
    let Unpacked { files, size_bytes } = programs::load(medium, archive, Path::new("/"))
        .and_then(|unpacked| programs::offer_applets().map(|()| unpacked))
        .map_err(Refusal::Programs)?;
    screen.step(Mark::Ok, "Programs", &format!("{files} files, {}", mebibytes(size_bytes)));
    load_modules("More drivers", DEPLOYMENT_MODULE_ORDER, screen);
    Ok(())
}

/// Loads modules in the order of a list beside them. A module without its hardware, or there already, is as it should be.
fn load_modules(step: &str, order_file: &str, screen: &mut Screen<'_>) {
    screen.progress(step, "loading");
    let order = std::fs::read_to_string(format!("/{MODULES}/{order_file}")).unwrap_or_default();
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
    screen.step(Mark::Ok, step, &format!("{loaded} modules loaded, {not_needed} without their hardware"));
    for failure in failed {
        screen.step(Mark::Note, step, &failure);
    }
}

enum LoadError {
    File(std::io::Error),
    Kernel(Errno),
}

fn load_module(name: &str, parameters: &str) -> Result<(), LoadError> {
    let file = File::open(format!("/{MODULES}/{name}")).map_err(LoadError::File)?;
    let parameters = std::ffi::CString::new(parameters).map_err(|_| LoadError::Kernel(Errno::EINVAL))?;
    finit_module(&file, &parameters, ModuleInitFlags::empty()).map_err(LoadError::Kernel)
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_s(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// Waits for the volume this computer started from, and leaves it mounted.
///
/// What is not signed, or not the medium the boot menu names, is passed over while the right one may still appear; then
/// it is taken, so that its check says what is wrong with it.
fn find_medium(wanted: &Wanted, keys: &TrustedKeys, screen: &mut Screen<'_>) -> Result<(Volume, Mounted), Refusal> {
    let started = Instant::now();
    let mut wrong_since: Option<Instant> = None;
    let mut shown_s = None;
    loop {
        let waited_s = started.elapsed().as_secs();
        if shown_s.replace(waited_s) != Some(waited_s) {
            screen.progress("Medium", &format!("looking for {wanted}, {waited_s} s"));
        }
        let round = look(wanted, keys);
        let seen = if round.seen.is_empty() { "none".to_owned() } else { round.seen.join(", ") };
        match round.verdict() {
            Verdict::Found { volume, mounted, copies } => {
                screen.step(Mark::Ok, "Medium", &format!("found: {volume}"));
                for copy in copies {
                    screen.step(Mark::Note, "Medium", &format!("a copy of it, with the same serial number: {copy}"));
                }
                return Ok((volume, mounted));
            }
            Verdict::Twins(volumes) => {
                let found: Vec<String> = volumes.iter().map(Volume::to_string).collect();
                return Err(Refusal::Twins { wanted: wanted.to_string(), found: found.join("; ") });
            }
            Verdict::Wrong { volume, mounted } => {
                if wrong_since.get_or_insert_with(Instant::now).elapsed() > SETTLE {
                    screen.step(Mark::Note, "Medium", &format!("found: {volume}"));
                    return Ok((volume, mounted));
                }
            }
            Verdict::Nothing => {}
        }
        if started.elapsed() > FIND_WITHIN {
            return Err(Refusal::NoMedium { wanted: wanted.to_string(), waited_s: FIND_WITHIN.as_secs(), seen });
        }
        sleep(Duration::from_millis(250));
    }
}

/// Looks at every volume once. One with another serial number than the boot menu's is not even mounted.
fn look(wanted: &Wanted, keys: &TrustedKeys) -> Round<Mounted> {
    let mut round = Round::default();
    for volume in volumes(Path::new("/sys/class/block")) {
        let Some(serial) = volume.serial() else { continue };
        if !wanted.may_be(serial) {
            round.seen.push(format!("{} (another volume, {serial})", volume.name));
            continue;
        }
        match volume.mount() {
            Some(mounted) => {
                let standing = Standing::of(&mounted.medium(), wanted, keys);
                round.enter(volume, mounted, standing);
            }
            None => round.seen.push(format!("{} (can't be mounted)", volume.name)),
        }
    }
    round
}
