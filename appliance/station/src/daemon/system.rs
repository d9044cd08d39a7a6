// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The program that keeps the appliance's own operating system: what it says is an input, what is asked of it goes there as a
//! line. It has rights that this program has not, so it looks for itself at whatever it is asked to do.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use platen_events::{SystemRequest, SystemState};

use super::{Happening, Say};
use crate::core::Input;
use crate::exit::Exit;
use crate::failure::Failure;

/// How long until a keeper that does not listen is asked again.
const AGAIN: Duration = Duration::from_secs(1);
/// How long it may take to take a line.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest line it says, in bytes.
const LINE_BYTES: u64 = 16 << 10;

/// The way to the keeper.
#[derive(Debug, Clone, Default)]
pub(super) struct Keeper(Arc<Mutex<Option<UnixStream>>>);

impl Keeper {
    /// Hear what it says from now on, whenever it listens.
    pub(super) fn listen(socket: PathBuf, say: Say) -> io::Result<Self> {
        let keeper = Self::default();
        let own = keeper.clone();
        let listen = move || {
            loop {
                if let Err(error) = own.hear(&socket, &say) {
                    tracing::debug!(%error, socket = %socket.display(), "the system's keeper");
                }
                own.set(None);
                thread::sleep(AGAIN);
            }
        };
        thread::Builder::new().name("keeper".to_owned()).spawn(listen)?;
        Ok(keeper)
    }

    fn hear(&self, socket: &Path, say: &Say) -> io::Result<()> {
        let stream = UnixStream::connect(socket)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut lines = BufReader::new(stream.try_clone()?);
        self.set(Some(stream));
        loop {
            let mut line = String::new();
            if (&mut lines).take(LINE_BYTES).read_line(&mut line)? == 0 {
                return Ok(());
            }
            let state: SystemState = serde_json::from_str(&line)?;
            say.say(Happening::Input(Input::System(state)));
        }
    }

    fn set(&self, stream: Option<UnixStream>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = stream;
    }

    /// Ask something of it. What comes of it is said in its next lines.
    pub(super) fn ask(&self, request: &SystemRequest) -> Result<(), Failure> {
        let mut line = serde_json::to_string(request).map_err(|error| Failure::new(Exit::Machine, error))?;
        line.push('\n');
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = stream.as_mut() else {
            let text =
                "nothing keeps the system of this station, or it does not answer; only an appliance has such a program";
            return Err(Failure::new(Exit::Machine, text));
        };
        let sent = open.write_all(line.as_bytes());
        if sent.is_err() {
            // Half a line may be there: the other side would take the next one for its rest.
            *stream = None;
        }
        sent.map_err(|error| Failure::new(Exit::Machine, format!("asking the system's keeper: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::sync::mpsc::channel;

    use platen_engine::event_queue;
    use platen_events::UpdateState;

    use super::*;

    #[test]
    fn a_keeper_is_heard_and_asked_and_may_come_later_or_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("keeper.sock");
        let (happenings, happened) = channel();
        let say = Say { happenings, waker: event_queue().0, under_way: Arc::default() };
        let keeper = Keeper::listen(socket.clone(), say).expect("listens");
        // Before it is there.
        let early = keeper.ask(&SystemRequest::Restart).expect_err("nobody is there");
        assert!(early.reason().contains("only an appliance has such a program"), "{}", early.reason());
        let listener = UnixListener::bind(&socket).expect("binds");
        for (version, request) in [("1.4.0", SystemRequest::Look), ("1.5.0", SystemRequest::Restart)] {
            let (mut stream, _) = listener.accept().expect("connects");
            let state = SystemState { version: version.to_owned(), ..SystemState::default() };
            writeln!(stream, "{}", serde_json::to_string(&state).expect("JSON")).expect("says");
            let heard = happened.recv_timeout(Duration::from_secs(20)).expect("heard");
            let Happening::Input(Input::System(heard)) = heard else { panic!("something else") };
            assert_eq!((heard.version.as_str(), heard.update), (version, UpdateState::None));
            keeper.ask(&request).expect("asked");
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).expect("a line");
            assert_eq!(serde_json::from_str::<SystemRequest>(&line).expect("JSON"), request);
            // One that says what nobody understands is left, and asked anew.
            writeln!(stream, "{{]").expect("says");
        }
    }
}
