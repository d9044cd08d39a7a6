// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Whoever is connected to the station's socket: one thread reads what a client asks, one writes what it is told. A client
//! that does not read is cut off, and never waited for.

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use platen_device::process;

use super::protocol::LINE_BYTES;
use crate::core::ClientId;

/// How many lines a client may be behind. One that joins is told the whole state at once, so it is not few.
const BEHIND_LINES: usize = 16 << 10;
/// How many requests of a client may wait; then it is not read until one was taken.
const WAITING_LINES: usize = 64;
/// More are refused: a station has a display, a service or two, and people.
const MAX_CLIENTS: usize = 32;
/// How long a client's socket may take none of what it is sent.
const WRITE_LIMIT: Duration = Duration::from_secs(30);

/// What clients do.
pub(crate) enum Call {
    /// Somebody connected.
    Connected(ClientId, Caller),
    /// A line, or why there is none that can be read.
    Line(ClientId, Result<Vec<u8>, &'static str>),
    /// The connection is over.
    Left(ClientId),
}

/// Somebody who has connected.
pub(crate) struct Caller {
    /// It runs as the owner of the whole machine, or as the station itself.
    pub(crate) is_trusted: bool,
    stream: UnixStream,
    lines: SyncSender<Arc<str>>,
    waiting: Receiver<()>,
}

/// All who are connected.
#[derive(Default)]
pub(crate) struct Clients {
    all: HashMap<ClientId, Client>,
}

struct Client {
    stream: UnixStream,
    lines: SyncSender<Arc<str>>,
    /// One for each of its requests that was not taken yet.
    waiting: Receiver<()>,
    /// It is told what happens.
    is_subscribed: bool,
}

impl Clients {
    pub(crate) fn add(&mut self, id: ClientId, caller: Caller) {
        let Caller { stream, lines, waiting, .. } = caller;
        self.all.insert(id, Client { stream, lines, waiting, is_subscribed: false });
    }

    /// A request of this client was taken.
    pub(crate) fn taken(&self, id: ClientId) {
        self.all.get(&id).map(|client| client.waiting.try_recv());
    }

    pub(crate) fn remove(&mut self, id: ClientId) {
        self.all.remove(&id);
    }

    /// It is told what happens from now on.
    pub(crate) fn subscribe(&mut self, id: ClientId) {
        if let Some(client) = self.all.get_mut(&id) {
            client.is_subscribed = true;
        }
    }

    /// Nobody is told what happens.
    pub(crate) fn nobody_listens(&self) -> bool {
        !self.all.values().any(|client| client.is_subscribed)
    }

    /// One line for one client.
    pub(crate) fn tell(&mut self, id: ClientId, line: &str) {
        if let Some(client) = self.all.get(&id) {
            client.tell(&Arc::from(line));
        }
    }

    /// One line for all who are told what happens.
    pub(crate) fn tell_all(&mut self, line: &str) {
        let line = Arc::from(line);
        self.all.values().filter(|client| client.is_subscribed).for_each(|client| client.tell(&line));
    }
}

impl Client {
    fn tell(&self, line: &Arc<str>) {
        if let Err(TrySendError::Full(_)) = self.lines.try_send(Arc::clone(line)) {
            // Its reading thread says that it has left.
            let _ = self.stream.shutdown(Shutdown::Both);
        }
    }
}

/// Listen, and hand on what clients do. The socket's file is for its owner and group alone.
pub(crate) fn listen(path: &Path, call: impl Fn(Call) + Clone + Send + 'static) -> io::Result<()> {
    let context = |doing: &str, error: io::Error| {
        io::Error::new(error.kind(), format!("{doing} the socket {}: {error}", path.display()))
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| context("making the folder of", error))?;
    }
    // A connection to a file that is no socket is refused as well, and such a file is somebody's.
    let is_socket = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    match UnixStream::connect(path) {
        Ok(_) => {
            let text = format!("another station already listens at {}", path.display());
            return Err(io::Error::new(ErrorKind::AddrInUse, text));
        }
        // What a station that was killed left behind. One that is only slow to answer does not refuse.
        Err(error) if is_socket && error.kind() == ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(|error| context("removing", error))?;
        }
        Err(_) => {}
    }
    let listener = UnixListener::bind(path).map_err(|error| context("listening at", error))?;
    fs::set_permissions(path, PermissionsExt::from_mode(0o660))
        .map_err(|error| context("setting the mode of", error))?;
    std::thread::Builder::new().name("socket".to_owned()).spawn(move || accept(&listener, &call))?;
    Ok(())
}

fn accept(listener: &UnixListener, call: &(impl Fn(Call) + Clone + Send + 'static)) {
    let count = Arc::new(());
    for number in 1.. {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a client could not connect");
                std::thread::sleep(Duration::from_millis(100));
                continue;
            }
        };
        // One for each reading thread, and one of its own.
        if Arc::strong_count(&count) > MAX_CLIENTS {
            tracing::warn!("a client was refused: {MAX_CLIENTS} are connected");
            continue;
        }
        if let Err(error) = serve(ClientId(number), stream, call.clone(), Arc::clone(&count)) {
            tracing::warn!(%error, "a client could not be served");
        }
    }
}

fn serve(id: ClientId, stream: UnixStream, call: impl Fn(Call) + Send + 'static, counted: Arc<()>) -> io::Result<()> {
    let is_trusted = process::is_owner(&stream)?;
    stream.set_write_timeout(Some(WRITE_LIMIT))?;
    let (lines, told) = sync_channel(BEHIND_LINES);
    let (wait, waiting) = sync_channel(WAITING_LINES);
    let (writing, reading) = (stream.try_clone()?, stream.try_clone()?);
    std::thread::Builder::new().name("client".to_owned()).spawn(move || write(writing, &told))?;
    std::thread::Builder::new().name("client".to_owned()).spawn(move || {
        call(Call::Connected(id, Caller { is_trusted, stream, lines, waiting }));
        read(reading, |line| {
            let is_served = wait.send(()).is_ok();
            if is_served {
                call(Call::Line(id, line));
            }
            is_served
        });
        call(Call::Left(id));
        drop(counted);
    })?;
    Ok(())
}

/// Until the connection ends, or `line` says that nobody takes requests any more. A line that is too long ends it.
fn read(stream: UnixStream, line: impl Fn(Result<Vec<u8>, &'static str>) -> bool) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut bytes = Vec::new();
        match (&mut reader).take(LINE_BYTES as u64).read_until(b'\n', &mut bytes) {
            Ok(0) | Err(_) => return,
            Ok(_) if bytes.len() == LINE_BYTES && bytes.last() != Some(&b'\n') => {
                line(Err("expected a line of at most 64 KiB; the connection is ended"));
                return;
            }
            Ok(_) if bytes.trim_ascii().is_empty() => {}
            Ok(_) if line(Ok(bytes)) => {}
            Ok(_) => return,
        }
    }
}

/// Until nobody has anything more to say, or the client takes nothing any more.
fn write(mut stream: UnixStream, lines: &Receiver<Arc<str>>) {
    for line in lines {
        if stream.write_all(line.as_bytes()).is_err() {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
}
