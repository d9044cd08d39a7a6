//! Being asked to stop, politely.

use nix::sys::signal::{SigSet, Signal};

/// From now on SIGINT and SIGTERM no longer end the process: the first one calls `stop` on a thread of its own, the
/// second one ends it after all. SIGHUP changes nothing: when the terminal is closed, the drives that are being written
/// are finished and recorded all the same. Must be called before any other thread is started.
pub fn on_termination(stop: impl Fn() + Send + 'static) -> std::io::Result<()> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    signals.add(Signal::SIGHUP);
    signals.thread_block()?;
    std::thread::Builder::new().spawn(move || {
        let mut asked = 0;
        while let Ok(signal) = signals.wait() {
            if signal == Signal::SIGHUP {
                continue;
            }
            asked += 1;
            if asked > 1 {
                std::process::exit(130);
            }
            stop();
        }
    })?;
    Ok(())
}
