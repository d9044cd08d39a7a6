// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The socket at which the station asks: lines of JSON. Whoever connects is told what is known, and told again whenever it
//! changes. Root and the station's user may connect, nobody else.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use platen_events::{SystemRequest, SystemState};

use crate::core::Input;
use crate::error::KeeperError;
use crate::station::Owner;

/// The station is one; a person with a shell may be another.
const MAX_PEERS: usize = 8;
const MAX_LINE_BYTES: u64 = 4096;
/// Who does not read is not waited for.
const PATIENCE: Duration = Duration::from_millis(200);

/// Those who listen, and what they were told last.
#[derive(Default)]
struct Peers {
    line: String,
    streams: Vec<UnixStream>,
}

/// The socket.
pub struct Server {
    peers: Arc<Mutex<Peers>>,
}

impl Server {
    /// Listen at a path; what is asked goes to `inputs`.
    pub fn start(path: &Path, owner: Owner, inputs: Sender<Input>) -> Result<Self, KeeperError> {
        let bind = || {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let listener = UnixListener::bind(path)?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
            chown(path, None, Some(owner.gid.as_raw()))?;
            Ok(listener)
        };
        let listener = bind().map_err(KeeperError::file(path, "listen at it"))?;
        let peers = Arc::new(Mutex::new(Peers::default()));
        let known = Arc::clone(&peers);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let accepted = stream.and_then(|stream| accept(stream, owner, &known, &inputs));
                if let Err(error) = accepted {
                    tracing::warn!("a connection is refused: {error}");
                }
            }
        });
        Ok(Self { peers })
    }

    /// Tell everybody.
    pub fn tell(&self, state: &SystemState) {
        let Ok(line) = serde_json::to_string(state) else { return };
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.line = line + "\n";
        let Peers { line, streams } = &mut *peers;
        streams.retain_mut(|stream| stream.write_all(line.as_bytes()).is_ok());
    }
}

fn accept(stream: UnixStream, owner: Owner, peers: &Arc<Mutex<Peers>>, inputs: &Sender<Input>) -> io::Result<()> {
    let uid = getsockopt(&stream, PeerCredentials)?.uid();
    if uid != 0 && uid != owner.uid.as_raw() {
        return Err(io::Error::other(format!("user {uid} may not ask")));
    }
    stream.set_write_timeout(Some(PATIENCE))?;
    let (mut writer, reader) = (stream.try_clone()?, stream);
    let mut known = peers.lock().unwrap_or_else(PoisonError::into_inner);
    if known.streams.len() == MAX_PEERS {
        return Err(io::Error::other(format!("{MAX_PEERS} are connected already")));
    }
    if !known.line.is_empty() {
        writer.write_all(known.line.as_bytes())?;
    }
    known.streams.push(writer);
    drop(known);
    let inputs = inputs.clone();
    thread::spawn(move || {
        if let Err(error) = listen(&reader, &inputs) {
            tracing::warn!("a connection ends: {error}");
        }
        // The other half is dropped when something is told next.
        let _ = reader.shutdown(std::net::Shutdown::Both);
    });
    Ok(())
}

fn listen(stream: &UnixStream, inputs: &Sender<Input>) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(());
        }
        let request: SystemRequest = serde_json::from_slice(&line)?;
        tracing::info!("asked for {request:?}");
        if inputs.send(Input::Asked(request)).is_err() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests;
