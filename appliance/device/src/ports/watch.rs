// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Waiting until something may have been inserted or pulled.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use udev::{MonitorBuilder, MonitorSocket};

use super::scan::{Inserted, Scanner};
use super::while_doing;
use crate::machine::Machine;

/// A drive that is inserted makes a dozen events within some milliseconds. They are one hint, when they are no further
/// apart than this.
const QUIET: Duration = Duration::from_millis(50);
/// Whoever waits is told after this time even if events go on, as with forty drives that are switched on at once.
const LONGEST: Duration = Duration::from_millis(250);
/// How long nothing may be heard before it is looked all the same.
const UNHEARD: Duration = Duration::from_secs(1);

/// Watches the ports of this machine.
///
/// Events of the kernel are heard through libudev: those that udev's daemon passes on once it is done with a device, or
/// the kernel's own where no such daemon runs. They are only a hint to look, so that it does no harm when one comes
/// twice, late, in the wrong order or not at all (a burst of events overruns the socket: USBGuard 349). What is inserted
/// is what [`PortWatch::scan`] finds.
///
/// Once a second something *may* have changed in any case. That is the safety net, for events that were lost and for a
/// container to which none are sent.
///
/// A card that is changed in its reader is known to nobody before the kernel asks the reader, which it does as often as
/// `/sys/module/block/parameters/events_dfl_poll_msecs` says. udev's rules set two seconds there; where no udev runs it is
/// never, until whoever sets up the station writes a number (openwrt 955).
pub struct PortWatch {
    hints: Hints<Monitor>,
    scanner: Scanner,
}

impl PortWatch {
    /// Begin to listen. What happens from now on is heard, so that nothing is missed between the first scan and the first
    /// wait.
    pub fn start() -> io::Result<Self> {
        let monitor = Monitor::open().map_err(while_doing("listening for events of devices"))?;
        Ok(Self { hints: Hints::new(monitor), scanner: Scanner::new(Machine::real()) })
    }

    /// Wait until something may have changed, for `timeout` at most; false: that time is over. Hints that follow each other
    /// are taken together, for which it may take a quarter of a second more.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<bool> {
        self.hints.wait(timeout).map_err(while_doing("waiting for events of devices"))
    }

    /// Every drive that is inserted now, sorted by socket. A drive that vanishes meanwhile is not among them.
    pub fn scan(&mut self) -> io::Result<Vec<Inserted>> {
        self.scanner.scan()
    }
}

impl std::fmt::Debug for PortWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PortWatch").field("scanner", &self.scanner).finish_non_exhaustive()
    }
}

/// Where hints come from.
trait Source: AsFd {
    /// Take what is there, or some of it, without waiting.
    fn take(&mut self) -> io::Result<()>;
}

struct Monitor(MonitorSocket);

impl Monitor {
    fn open() -> io::Result<Self> {
        Self::listen(if Machine::real().has_udev() { MonitorBuilder::new()? } else { MonitorBuilder::new_kernel()? })
    }

    fn listen(to: MonitorBuilder) -> io::Result<Self> {
        Ok(Self(to.match_subsystem("block")?.match_subsystem("usb")?.listen()?))
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Source for Monitor {
    fn take(&mut self) -> io::Result<()> {
        // It ends at the last event, and at an overrun, which it takes away: what is left is found by the next poll. So is
        // what is beyond this number: libudev's buffer holds some hundred thousand, which are seconds of work.
        self.0.iter().take(256).for_each(drop);
        Ok(())
    }
}

struct Hints<S> {
    source: S,
    /// When something may have changed without a hint.
    due: Instant,
}

impl<S: Source> Hints<S> {
    fn new(source: S) -> Self {
        Self { source, due: Instant::now() + UNHEARD }
    }

    fn wait(&mut self, timeout: Duration) -> io::Result<bool> {
        // A timeout that no clock can count to is none.
        let given_up = Instant::now().checked_add(timeout).filter(|until| *until < self.due);
        if !self.hear(given_up.unwrap_or(self.due))? {
            if given_up.is_some() {
                return Ok(false);
            }
        } else {
            let longest = Instant::now() + LONGEST;
            while Instant::now() < longest && self.hear(longest.min(Instant::now() + QUIET))? {}
        }
        self.due = Instant::now() + UNHEARD;
        Ok(true)
    }

    /// Take what comes, waiting until then; false: nothing came.
    fn hear(&mut self, until: Instant) -> io::Result<bool> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            // Rounded up, so that it does not spin during the last millisecond.
            let left = PollTimeout::try_from(left.as_micros().div_ceil(1000)).unwrap_or(PollTimeout::MAX);
            let mut fds = [PollFd::new(self.source.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, left) {
                // A signal.
                Err(Errno::EINTR) => continue,
                Err(error) => return Err(error.into()),
                Ok(0) => return Ok(false),
                Ok(_) => {}
            }
            let said = fds[0].revents().unwrap_or(PollFlags::POLLIN);
            if said.intersects(PollFlags::POLLNVAL | PollFlags::POLLHUP) {
                return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the source of events was closed"));
            }
            // An overrun is an error to poll and a hint to us (pyudev 194).
            self.source.take()?;
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    impl Source for UnixStream {
        fn take(&mut self) -> io::Result<()> {
            let mut bytes = [0; 64];
            match self.read(&mut bytes) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
                _ => Ok(()),
            }
        }
    }

    fn hints() -> (Hints<UnixStream>, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("sockets");
        ours.set_nonblocking(true).expect("non-blocking");
        (Hints::new(ours), theirs)
    }

    /// How long something takes, and its answer.
    fn timed(hints: &mut Hints<UnixStream>, timeout: Duration) -> (Duration, bool) {
        let start = Instant::now();
        let answer = hints.wait(timeout).expect("waits");
        (start.elapsed(), answer)
    }

    #[test]
    fn a_watch_may_be_made_in_one_thread_and_used_in_another() {
        fn is_send<T: Send>() {}
        is_send::<PortWatch>();
    }

    #[test]
    fn without_a_hint_the_time_passes() {
        let (mut hints, _theirs) = hints();
        let (took, answer) = timed(&mut hints, Duration::from_millis(100));
        assert!(!answer && took >= Duration::from_millis(100), "{took:?}");
    }

    #[test]
    fn once_a_second_something_may_have_changed() {
        let (mut hints, _theirs) = hints();
        for _ in 0..2 {
            let (took, answer) = timed(&mut hints, Duration::MAX);
            assert!(answer && took >= Duration::from_millis(900), "{took:?}");
        }
        // Waits that are given up early count too.
        let start = Instant::now();
        while !hints.wait(Duration::from_millis(70)).expect("waits") {}
        assert!(start.elapsed() >= Duration::from_millis(900), "{:?}", start.elapsed());
    }

    #[test]
    fn hints_within_a_moment_are_one() {
        // Again, as long as this machine is so busy that the second one comes late.
        let in_time = (0..20).any(|_| {
            let (mut hints, mut theirs) = hints();
            let start = Instant::now();
            theirs.write_all(b"1").expect("writes");
            let later = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(10));
                theirs.write_all(b"2").expect("writes");
                (start.elapsed(), theirs)
            });
            let (took, answer) = timed(&mut hints, Duration::from_secs(10));
            assert!(answer && took >= QUIET, "{took:?}");
            let (second, _theirs) = later.join().expect("ends");
            let is_in_time = second < QUIET;
            assert!(!is_in_time || !hints.wait(Duration::from_millis(80)).expect("waits"), "both were taken");
            is_in_time
        });
        assert!(in_time, "the machine is too busy to try it");
    }

    #[test]
    fn hints_without_end_hold_nobody_up() {
        let (mut hints, mut theirs) = hints();
        // More at once than is taken, until nobody listens any more: there is never a moment without a hint.
        let running = std::thread::spawn(move || while theirs.write_all(&[1; 4096]).is_ok() {});
        let (took, answer) = timed(&mut hints, Duration::from_secs(10));
        // Far below the second after which it would say so anyway.
        assert!(answer && took >= LONGEST && took < Duration::from_millis(900), "{took:?}");
        drop(hints);
        running.join().expect("ends");
    }

    #[test]
    fn a_source_that_is_closed_is_an_error() {
        let (mut hints, theirs) = hints();
        drop(theirs);
        let error = hints.wait(Duration::from_secs(1)).expect_err("closed");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    /// `tests/long flood`: it makes thousands of events for every listener of the machine.
    #[test]
    #[ignore = "floods the machine with events: tests/long flood"]
    fn an_overrun_is_a_hint() {
        let monitor = Monitor::listen(MonitorBuilder::new_kernel().expect("a socket")).expect("listens");
        let mut hints = Hints::new(monitor);
        // libudev takes a buffer of 128 MiB for it, as root.
        let overrun = (1..1000).find(|_| {
            (0..1000)
                .for_each(|_| std::fs::write("/sys/block/loop0/uevent", "change").expect("the kernel tells again"));
            let mut fds = [PollFd::new(hints.source.as_fd(), PollFlags::POLLIN)];
            poll(&mut fds, PollTimeout::ZERO).expect("polls");
            fds[0].revents().is_some_and(|said| said.contains(PollFlags::POLLERR))
        });
        println!("after {} thousand events", overrun.expect("an overrun"));
        let start = Instant::now();
        assert!(hints.wait(Duration::from_secs(5)).expect("an overrun is no error"));
        assert!(start.elapsed() < Duration::from_millis(900), "{:?}", start.elapsed());
        while hints.wait(Duration::from_millis(100)).expect("waits") {}
        std::fs::write("/sys/block/loop0/uevent", "change").expect("the kernel tells again");
        let start = Instant::now();
        assert!(hints.wait(Duration::from_secs(5)).expect("waits") && start.elapsed() < Duration::from_millis(600));
    }
}
