// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! One worker's bench: a station of its own, a good drive and a bad one, and what is asked after every fault.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use crate::common::Station;
use crate::device::Device;
use crate::direct::{self, Random};
use crate::judge::{self, Medium, files_are_right, gpt_is_sound, recognisable};
use crate::process::{self, Ended, Running};
use crate::strace;
use crate::table::{Injection, Verdict};
use platen_testkit::record::Recorded;

/// What all workers share.
pub struct Setting {
    pub seed: u64,
    /// The station all others are copies of.
    pub station: Station,
    pub media: Vec<Medium>,
    /// Compiled here: the library that stands between the program and its drives, and the plug-in for devices that lie.
    pub shim: PathBuf,
    pub liar: PathBuf,
}

/// The media every place is swept on; those behind them are for lies about capacity.
pub const SWEPT: usize = 3;
/// An image with content all over the drive.
pub const WIDE: usize = 3;

/// A program that outlives this is stuck. A write takes a fifth of a second on an idle machine.
pub const LIMIT: Duration = Duration::from_secs(60);

pub struct Bench {
    pub setting: Arc<Setting>,
    /// Before the station: it is mounted in the station's folder, and fields are dropped in this order.
    device: Option<Device>,
    pub station: Station,
    pub random: Random,
    /// What was read off a drive last.
    seen: Vec<u8>,
    written: u64,
}

/// What a drive was called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    Ready,
    Failed(String),
    Nothing,
}

/// A write of both drives.
pub struct Attempt {
    pub bad: Said,
    pub good: Said,
    pub ended: Ended,
}

/// What may be asked of a drive after its fault.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It can be written: nothing that starts or mounts may be left.
    Writable,
    /// Nobody could wipe it (the program was killed, the drive is gone): a partition table only over a whole medium.
    Unwritable,
}

impl Bench {
    pub fn new(setting: &Arc<Setting>) -> Self {
        let dir = tempfile::Builder::new().prefix("platen-faults-").tempdir_in("/var/tmp").expect("temporary folder");
        let station = Station { dir };
        for folder in ["cache", "trusted"] {
            let from = setting.station.path(folder);
            let ended = process::run(Command::new("cp").arg("-r").arg(from).arg(station.path(folder)), LIMIT);
            assert_eq!(ended.status, Some(0), "{}", ended.stderr);
        }
        let random = Random(setting.seed);
        Self { setting: Arc::clone(setting), station, random, seen: Vec::new(), device: None, written: 0 }
    }

    pub fn bad(&self) -> PathBuf {
        self.station.path("bad.img")
    }

    pub fn good(&self) -> PathBuf {
        self.station.path("good.img")
    }

    pub fn log(&self) -> PathBuf {
        self.station.path("strace.log")
    }

    /// The device that can lie, with a store of its own.
    pub fn device(&mut self) -> &mut Device {
        let (liar, folder) = (self.setting.liar.clone(), self.station.path("device"));
        self.device.get_or_insert_with(|| Device::start(&liar, &folder))
    }

    /// The device was destroyed on purpose.
    pub fn drop_device(&mut self) {
        self.device = None;
    }

    /// Put a file in a drive's place that holds what was there before.
    pub fn prepare(&self, path: &Path, medium: &Medium, before: usize) {
        let file = std::fs::File::options().create(true).truncate(false).write(true).open(path).expect("opens");
        // Whatever is outside the places that matter may stay.
        file.set_len(medium.size_bytes).expect("sparse");
        direct::write(path, &medium.regions, &medium.before[before]);
    }

    /// `platen write` of the bad drive and a good one beside it.
    pub fn command(&self, medium: &Medium, bad: &Path) -> Command {
        self.prepare(&self.good(), medium, 1);
        let (bad, good) = (bad.to_str().expect("UTF-8"), self.good());
        let mut arguments = vec!["write"];
        arguments.extend(medium.arguments());
        arguments.extend([bad, good.to_str().expect("UTF-8"), "--json", "--allow-device", bad]);
        if !bad.starts_with("/dev/") {
            arguments.truncate(arguments.len() - 2);
        }
        self.station.command(&arguments)
    }

    /// With faults in system calls on the bad drive. Second: whether any struck.
    pub fn with_faults(&mut self, medium: &Medium, faults: &[String]) -> (Attempt, bool) {
        let bad = self.bad();
        let mut command = strace::wrap(&self.command(medium, &bad), &[&bad], faults, &self.log());
        let ended = process::run(&mut command, LIMIT);
        let killed = ended.killed();
        let struck = strace::struck(&self.log()) || killed;
        (self.attempt(&bad, ended), struck)
    }

    pub fn attempt(&self, bad: &Path, ended: Ended) -> Attempt {
        Attempt { bad: said(&ended.stdout, bad), good: said(&ended.stdout, &self.good()), ended }
    }

    /// Run, interfering while it runs.
    pub fn run(&self, mut command: Command, bad: &Path, tick: impl FnMut(&mut Running, Duration)) -> Attempt {
        let ended = Running::start(&mut command).finish(LIMIT, tick);
        self.attempt(bad, ended)
    }

    /// Everything that is asked after a fault. `bad` may be written again when this is called.
    pub fn judge(
        &mut self,
        what: String,
        medium: &Medium,
        attempt: &Attempt,
        bad: &Path,
        after: After,
        before: usize,
    ) -> Injection {
        let verdict = self.judge_bad(medium, &attempt.bad, &attempt.ended, bad, after, before);
        let hurt = self.judge_good(medium, attempt);
        Injection { what, verdict, hurt }
    }

    fn judge_good(&mut self, medium: &Medium, attempt: &Attempt) -> Option<String> {
        let good = self.good();
        self.read(&good, medium);
        let right = medium.right(&self.seen);
        let untouched = medium.untouched(&self.seen, &medium.before[1]);
        match &attempt.good {
            Said::Ready => right.err().or_else(|| {
                (!self.verifies(medium, &good)).then(|| "it is called ready and does not verify".to_owned())
            }),
            // A program that is killed takes the other drives with it; they too must not look like media.
            Said::Nothing if attempt.ended.killed() => {
                let wrong = judge::armed(&self.seen) && !untouched && right.is_err();
                wrong.then(|| "a partition table over half a medium".to_owned())
            }
            // Refused before anything was written on any drive: then that must be so.
            Said::Nothing if refused(&attempt.ended).is_some() => {
                (!untouched).then(|| "the request was refused, and this drive was changed".to_owned())
            }
            said => Some(format!("{said:?}: {}", attempt.ended.told())),
        }
    }

    /// What is asked of the drive the fault was on.
    pub fn judge_bad(
        &mut self,
        medium: &Medium,
        said: &Said,
        ended: &Ended,
        bad: &Path,
        after: After,
        before: usize,
    ) -> Verdict {
        self.read(bad, medium);
        let right = medium.right(&self.seen);
        let code = match said {
            Said::Ready => return self.judge_ready(medium, bad, right),
            _ if ended.stuck => return Verdict::Stuck(ended.told()),
            Said::Failed(code) => code.clone(),
            Said::Nothing if ended.killed() => "killed".to_owned(),
            Said::Nothing => match refused(ended) {
                Some(code) => code,
                None => return Verdict::LeftWrong(format!("nothing was said of the drive: {}", ended.told())),
            },
        };
        let untouched = medium.untouched(&self.seen, &medium.before[before]);
        let wrong = match after {
            After::Writable if untouched && *said == Said::Nothing => None,
            After::Writable => recognisable(&self.seen).map(str::to_owned),
            // Sector 0 is wiped first and written last: with a table in it the drive is whole, or was not touched.
            After::Unwritable if judge::armed(&self.seen) && !untouched => {
                right.as_ref().err().map(|error| format!("a partition table over half a medium: {error}"))
            }
            After::Unwritable => None,
        };
        if let Some(wrong) = wrong {
            return Verdict::LeftWrong(format!("{code}, but {wrong}"));
        }
        let whole = untouched || (after == After::Unwritable && right.is_ok());
        if !whole && self.verifies(medium, bad) {
            return Verdict::FalsePass(format!("{code}, but the drive verifies"));
        }
        Verdict::Refused(code)
    }

    fn judge_ready(&mut self, medium: &Medium, bad: &Path, right: Result<(), String>) -> Verdict {
        let files = match medium.scheme {
            None => Ok(()),
            Some(scheme) => {
                // Outside tools read through the page cache, where nothing of a device may be left from before.
                let copy = self.station.path("judged.img");
                let file = std::fs::File::create(&copy).expect("creates");
                file.set_len(medium.size_bytes).expect("sparse");
                direct::write(&copy, &medium.regions, &self.seen);
                let gpt = if scheme == "gpt" { gpt_is_sound(&copy) } else { Ok(()) };
                gpt.and_then(|()| files_are_right(&self.station, &copy, &self.setting.station.path("tree")))
            }
        };
        if let Err(error) = right.and(files) {
            return Verdict::FalsePass(error);
        }
        if !self.verifies(medium, bad) {
            return Verdict::LeftWrong("it is called ready and does not verify".to_owned());
        }
        Verdict::Harmless
    }

    /// The next write of the same drive, without faults, ends ready and right.
    pub fn again(&mut self, injection: Injection, medium: &Medium, bad: &Path) -> Injection {
        if !matches!(injection.verdict, Verdict::Refused(_)) {
            return injection;
        }
        let path = bad.to_str().expect("UTF-8");
        let mut arguments = vec!["write"];
        arguments.extend(medium.arguments());
        arguments.extend([path, "--json"]);
        if path.starts_with("/dev/") {
            arguments.extend(["--allow-device", path]);
        }
        let ended = process::run(&mut self.station.command(&arguments), LIMIT);
        let ready = said(&ended.stdout, bad) == Said::Ready;
        self.read(bad, medium);
        match medium.right(&self.seen) {
            Ok(()) if ready => injection,
            right => {
                let text = format!("the next write: {right:?} {}", ended.told());
                Injection { verdict: Verdict::LeftWrong(text), ..injection }
            }
        }
    }

    pub fn read(&mut self, path: &Path, medium: &Medium) -> &[u8] {
        if self.seen.len() as u64 != medium.size_bytes {
            self.seen = vec![0; medium.size_bytes as usize];
        }
        direct::read(path, &medium.regions, &mut self.seen);
        &self.seen
    }

    /// Whether `platen verify` calls it a good medium; any other answer than yes and no is a fault of the harness.
    pub fn verifies(&self, medium: &Medium, path: &Path) -> bool {
        let mut arguments = vec!["verify", path.to_str().expect("UTF-8"), "--json"];
        if medium.scheme.is_none() {
            arguments.extend(["--medium", medium.reference]);
        }
        let ended = process::run(&mut self.station.command(&arguments), LIMIT);
        match ended.status {
            Some(0) => true,
            Some(1) => false,
            status => panic!("verify ended with {status:?}: {}{}", ended.stdout, ended.stderr),
        }
    }

    /// A blind program (see [`direct::blind`]) on the whole medium.
    pub fn blind(&self, verb: &str, medium: &Medium, drive: &Path) -> Command {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.arg(verb).arg(&medium.golden_path).arg(drive);
        command.args(medium.regions.iter().map(direct::argument)).current_dir(self.station.dir.path());
        command
    }

    /// Whether the judge calls this drive wrong.
    pub fn sees_wrong(&mut self, medium: &Medium, drive: &Path) -> bool {
        self.read(drive, medium);
        medium.right(&self.seen).is_err()
    }

    /// A number no other injection of this worker has.
    pub fn serial(&mut self) -> u64 {
        self.written += 1;
        self.written
    }
}

impl Setting {
    pub fn medium(&self, index: usize) -> &Medium {
        &self.media[index]
    }
}

/// The code of a request that was refused before the first byte was erased.
fn refused(ended: &Ended) -> Option<String> {
    let refused = matches!(ended.status, Some(2..=4));
    let told = format!("{}{}", ended.stdout, ended.stderr);
    let from = told.find("P-D-").filter(|_| refused)?;
    told.get(from..from + 7).map(str::to_owned)
}

/// What the program said of a drive.
fn said(stdout: &str, drive: &Path) -> Said {
    let recorded = Recorded::read_until_killed(stdout);
    let ends = recorded.ends();
    let end = ends.iter().find(|(label, ..)| Path::new(&label.path) == drive);
    match end.map(|(_, _, end)| (&end.verdict, end.verdict.code())) {
        Some((platen_events::Verdict::Ready, _)) => Said::Ready,
        Some((_, code)) => Said::Failed(code.map_or_else(|| "no code".to_owned(), |code| code.to_string())),
        None => Said::Nothing,
    }
}
