// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A process without rights, for reading what is on a drive somebody inserted.
//!
//! The station starts its own program again with the drive as standard input ([`examine`]); the child gives up
//! everything but reading that one handle and answering on standard output ([`confine`]) before it looks at the
//! first byte. If the drive's content makes it crash, loop or eat memory, one drive is called unreadable.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use landlock::{ABI, Access, AccessFs, Ruleset, RulesetAttr};
use nix::libc;
use nix::sys::resource::{Resource, setrlimit};
use platen_engine::Watch;
use seccompiler::{
    SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

/// Memory the child may use, in bytes: a full volume's listing and a manifest at their largest.
const MEMORY_BYTES: u64 = 2 << 30;
/// Processor time it may use, in seconds: hashing 2 TiB at 400 MB/s.
const CPU_S: u64 = 6000;
/// Longest answer that is read, in bytes: the listing of a full drive and its manifest. Whatever the drive says, this and
/// what it becomes when it is taken apart is all that the station holds of it.
const ANSWER_BYTES: u64 = 64 << 20;

/// What a line of progress begins with, and its longest, in bytes.
const PROGRESS: u8 = b'~';
const PROGRESS_BYTES: u64 = 64;
/// Lines of progress that were not taken yet.
const WAITING_LINES: usize = 16;

/// How often it is looked whether the child gets on.
const LOOK: Duration = Duration::from_millis(100);

/// What went wrong with the child.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum SandboxError {
    /// It could not be started, or its answer could not be read.
    #[error("{0} the examining process")]
    Process(&'static str, #[source] io::Error),
    /// It died of what is on the drive.
    #[error("what is on the drive can't be read safely ({how})")]
    Died { how: String },
    /// It was ended because it was no longer waited for.
    #[error("the examination was ended before it was finished")]
    Ended,
}

/// Start `program` with `arguments`, with `drive` as its standard input, and return what it prints.
///
/// Lines of the form `~DONE TOTAL` before the answer are given to `watch` as progress; it hears several times a second
/// whether the child has read or computed anything. A child that is no longer wanted is killed with everything it
/// started. One that a hung drive holds in the kernel dies when the kernel lets go; nobody waits for that.
pub fn examine(program: &Path, arguments: &[&str], drive: File, watch: &dyn Watch) -> Result<Vec<u8>, SandboxError> {
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(drive))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|error| SandboxError::Process("starting", error))?;
    // A child that floods its output with progress waits until that was taken.
    let (out, (say, said)) = (child.stdout.take(), sync_channel(WAITING_LINES));
    // A thread of its own, which a child in the hands of the kernel may hold for as long as it likes.
    let reading = std::thread::Builder::new().spawn(move || {
        let answer = out.map_or(Ok(Vec::new()), |out| read_answer(BufReader::new(out.take(ANSWER_BYTES)), &say));
        let _ = say.send(Said::Answer(answer));
    });
    let answer = match reading {
        Ok(_) => await_answer(&said, child.id(), watch),
        Err(error) => Err(SandboxError::Process("reading the answer of", error)),
    };
    watch.is_over();
    if !matches!(&answer, Ok(answer) if (answer.len() as u64) < ANSWER_BYTES) {
        kill_group(&child);
        // Collected when the kernel lets it go.
        let _ = std::thread::Builder::new().spawn(move || child.wait());
        return answer.and(Err(SandboxError::Died { how: "its answer is too long".to_owned() }));
    }
    let status = child.wait().map_err(|error| SandboxError::Process("waiting for", error))?;
    if status.success() { answer } else { Err(SandboxError::Died { how: status.to_string() }) }
}

/// What comes from the child.
enum Said {
    Progress(u64, u64),
    Answer(io::Result<Vec<u8>>),
}

/// Lines of progress, then everything to the end.
fn read_answer(mut out: impl BufRead, say: &SyncSender<Said>) -> io::Result<Vec<u8>> {
    while out.fill_buf()?.first() == Some(&PROGRESS) {
        let mut line = Vec::new();
        out.by_ref().take(PROGRESS_BYTES).read_until(b'\n', &mut line)?;
        let line = String::from_utf8_lossy(&line[1..]);
        // The child may say anything; what is no progress is none.
        if let Some((done, total)) = line.trim_end().split_once(' ')
            && let (Ok(done_bytes), Ok(total_bytes)) = (done.parse(), total.parse())
        {
            let _ = say.send(Said::Progress(done_bytes, total_bytes));
        }
    }
    let mut answer = Vec::new();
    out.read_to_end(&mut answer)?;
    Ok(answer)
}

fn await_answer(said: &Receiver<Said>, child: u32, watch: &dyn Watch) -> Result<Vec<u8>, SandboxError> {
    let (mut before, mut looked) = (Progress::default(), Instant::now());
    loop {
        match said.recv_timeout(LOOK) {
            Ok(Said::Answer(read)) => {
                return read.map_err(|error| SandboxError::Process("reading the answer of", error));
            }
            Ok(Said::Progress(done_bytes, total_bytes)) => watch.progress(done_bytes, total_bytes),
            Err(RecvTimeoutError::Disconnected) => return Err(SandboxError::Ended),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if looked.elapsed() >= LOOK {
            let now = Progress::of(child);
            if now != before {
                watch.heard();
            }
            (before, looked) = (now, Instant::now());
        }
        if !watch.is_wanted() {
            return Err(SandboxError::Ended);
        }
    }
}

/// What a process has done so far. It changes as long as the process gets on.
#[derive(Debug, Default, PartialEq, Eq)]
struct Progress {
    io: String,
    cpu: String,
}

impl Progress {
    fn of(process: u32) -> Self {
        let read = |name: &str| std::fs::read_to_string(format!("/proc/{process}/{name}")).unwrap_or_default();
        // proc(5), stat: utime and stime are the 12th and 13th fields after the name, which ends in a parenthesis.
        let stat = read("stat");
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        Self { io: read("io"), cpu: fields.split_whitespace().skip(11).take(2).collect() }
    }
}

fn kill_group(child: &Child) {
    if let Ok(group) = i32::try_from(child.id()) {
        let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(group), nix::sys::signal::Signal::SIGKILL);
    }
}

/// Give up every right but reading and writing handles that are already open. There is no way back. Each thread does so
/// for itself: Landlock and the filter hold for the one that asks for them, and for those it starts.
pub fn confine() -> io::Result<()> {
    // The child must not outlive a station that was killed.
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
    setrlimit(Resource::RLIMIT_AS, MEMORY_BYTES, MEMORY_BYTES)?;
    setrlimit(Resource::RLIMIT_CPU, CPU_S, CPU_S)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    setrlimit(Resource::RLIMIT_NOFILE, 8, 8)?;
    nix::sys::prctl::set_no_new_privs()?;
    // Best effort: kernels without Landlock still have the system call filter below.
    let ruleset = Ruleset::default().handle_access(AccessFs::from_all(ABI::V5)).and_then(Ruleset::create);
    ruleset.and_then(landlock::RulesetCreated::restrict_self).map_err(io::Error::other)?;

    let allowed = [
        libc::SYS_read,
        libc::SYS_pread64,
        libc::SYS_lseek,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_close,
        libc::SYS_brk,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_madvise,
        libc::SYS_futex,
        libc::SYS_getrandom,
        libc::SYS_sigaltstack,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_restart_syscall,
        libc::SYS_sched_yield,
        libc::SYS_clock_gettime,
        libc::SYS_getpid,
        libc::SYS_gettid,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ];
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = allowed.into_iter().map(|number| (number, Vec::new())).collect();
    let mut allow_if = |number: i64, argument: u8, operator: SeccompCmpOp, value: u64| {
        let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value);
        let rule = condition.and_then(|condition| SeccompRule::new(vec![condition])).map_err(io::Error::other)?;
        rules.insert(number, vec![rule]);
        io::Result::Ok(())
    };
    // Memory, but none that can be executed.
    let no_exec = || SeccompCmpOp::MaskedEq(libc::PROT_EXEC as u64);
    allow_if(libc::SYS_mmap, 2, no_exec(), 0)?;
    allow_if(libc::SYS_mprotect, 2, no_exec(), 0)?;
    // To abort is to signal oneself.
    allow_if(libc::SYS_tgkill, 0, SeccompCmpOp::Eq, u64::from(std::process::id()))?;
    // The standard library asks whether a handle is open before it closes it, in debug builds.
    allow_if(libc::SYS_fcntl, 1, SeccompCmpOp::Eq, libc::F_GETFD as u64)?;
    let architecture = TargetArch::try_from(std::env::consts::ARCH).map_err(io::Error::other)?;
    let filter = SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, architecture);
    let program: seccompiler::BpfProgram = filter.and_then(TryInto::try_into).map_err(io::Error::other)?;
    seccompiler::apply_filter(&program).map_err(io::Error::other)
}
