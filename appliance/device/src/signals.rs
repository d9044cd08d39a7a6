//! Being asked to stop, politely.

use nix::sys::signal::{SigSet, Signal};

/// From now on SIGINT and SIGTERM no longer end the process: the first one calls `stop` on a thread of its own, the
/// second one ends it after all. Must be called before any other thread is started.
pub fn on_termination(stop: impl Fn() + Send + 'static) -> std::io::Result<()> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    signals.thread_block()?;
    std::thread::spawn(move || {
        let mut asked = 0;
        while signals.wait().is_ok() {
            asked += 1;
            if asked > 1 {
                std::process::exit(130);
            }
            stop();
        }
    });
    Ok(())
}
