//! A process without rights, for reading what is on a drive somebody inserted.
//!
//! The station starts its own program again with the drive as standard input ([`examine`]); the child gives up
//! everything but reading that one handle and answering on standard output ([`confine`]) before it looks at the
//! first byte. If the drive's content makes it crash, loop or eat memory, one drive is called unreadable.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use landlock::{ABI, Access, AccessFs, Ruleset, RulesetAttr};
use nix::libc;
use nix::sys::resource::{Resource, setrlimit};
use seccompiler::{
    SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

/// Memory the child may use, in bytes: a full volume's listing and a manifest at their largest.
const MEMORY_BYTES: u64 = 2 << 30;
/// Processor time it may use, in seconds: hashing 2 TiB at 400 MB/s.
const CPU_S: u64 = 6000;
/// Longest answer that is read, in bytes.
const ANSWER_BYTES: u64 = 1 << 30;

/// What went wrong with the child.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// It could not be started, or its answer could not be read.
    #[error("{0} the examining process")]
    Process(&'static str, #[source] io::Error),
    /// It died of what is on the drive.
    #[error("what is on the drive can't be read safely ({how})")]
    Died { how: String },
}

/// Start `program` with `arguments`, with `drive` as its standard input, and return what it prints.
pub fn examine(program: &Path, arguments: &[&str], drive: File) -> Result<Vec<u8>, SandboxError> {
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(drive))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| SandboxError::Process("starting", error))?;
    let mut answer = Vec::new();
    let read = child.stdout.take().map_or(Ok(0), |out| out.take(ANSWER_BYTES).read_to_end(&mut answer));
    if read.is_err() || answer.len() as u64 == ANSWER_BYTES {
        // It may be blocked on a pipe nobody reads any more.
        child.kill().map_err(|error| SandboxError::Process("ending", error))?;
    }
    let status = child.wait().map_err(|error| SandboxError::Process("waiting for", error))?;
    read.map_err(|error| SandboxError::Process("reading the answer of", error))?;
    if status.success() { Ok(answer) } else { Err(SandboxError::Died { how: status.to_string() }) }
}

/// Give up every right but reading and writing handles that are already open. There is no way back.
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
        libc::SYS_mmap,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_mprotect,
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
        libc::SYS_tgkill,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ];
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = allowed.into_iter().map(|number| (number, Vec::new())).collect();
    // The standard library asks whether a handle is open before it closes it, in debug builds.
    let is_open = SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, libc::F_GETFD as u64);
    let rule = is_open.and_then(|condition| SeccompRule::new(vec![condition])).map_err(io::Error::other)?;
    rules.insert(libc::SYS_fcntl, vec![rule]);
    let architecture = TargetArch::try_from(std::env::consts::ARCH).map_err(io::Error::other)?;
    let filter = SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, architecture);
    let program: seccompiler::BpfProgram = filter.and_then(TryInto::try_into).map_err(io::Error::other)?;
    seccompiler::apply_filter(&program).map_err(io::Error::other)
}
