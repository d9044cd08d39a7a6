// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

use std::sync::mpsc::{self, Receiver, TryRecvError};

use nix::unistd::{Gid, Uid};

use super::*;

struct Played {
    _folder: tempfile::TempDir,
    path: std::path::PathBuf,
    server: Server,
    inputs: Receiver<Input>,
}

fn played() -> Played {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keeper.sock");
    let (sender, inputs) = mpsc::channel();
    let owner = Owner { uid: Uid::current(), gid: Gid::current() };
    let server = Server::start(&path, owner, sender).expect("listens");
    Played { _folder: folder, path, server, inputs }
}

fn state(version: &str) -> SystemState {
    SystemState { version: version.to_owned(), ..SystemState::default() }
}

const PATIENCE: Duration = Duration::from_secs(10);

fn connect(played: &Played) -> BufReader<UnixStream> {
    let stream = UnixStream::connect(&played.path).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    BufReader::new(stream)
}

fn told(reader: &mut BufReader<UnixStream>) -> SystemState {
    let mut line = String::new();
    reader.read_line(&mut line).expect("a line");
    serde_json::from_str(&line).expect("a state")
}

#[test]
fn who_connects_is_told_and_told_again() {
    let played = played();
    played.server.tell(&state("1.4.0"));
    let (mut first, mut second) = (connect(&played), connect(&played));
    assert_eq!((told(&mut first), told(&mut second)), (state("1.4.0"), state("1.4.0")));
    drop(first);
    for version in ["1.5.0", "1.6.0", "1.7.0"] {
        played.server.tell(&state(version));
        assert_eq!(told(&mut second), state(version));
    }
}

#[test]
fn what_is_asked_comes_in_and_nonsense_ends_the_connection() {
    let played = played();
    let mut asking = UnixStream::connect(&played.path).expect("connected");
    asking
        .write_all(b"{\"request\":\"look\"}\n{\"request\":\"install\",\"version\":\"1.5.0\",\"older\":true}\n")
        .expect("sent");
    let wanted = SystemRequest::Install { version: "1.5.0".to_owned(), older: true };
    for request in [SystemRequest::Look, wanted] {
        assert_eq!(played.inputs.recv_timeout(PATIENCE).expect("asked"), Input::Asked(request));
    }
    let long = [b"{\"request\":\"look\"".as_slice(), &[b' '; 5000], b"}\n"].concat();
    for nonsense in [b"{\"request\":\"format\"}\n".as_slice(), b"look\n", &[0xff; 100], &long] {
        let mut stream = UnixStream::connect(&played.path).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.write_all(nonsense).expect("sent");
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut rest = Vec::new();
        // A reset is an end, too.
        let _ = stream.read_to_end(&mut rest);
        assert_eq!(played.inputs.try_recv(), Err(TryRecvError::Empty));
    }
}

#[test]
fn who_does_not_listen_holds_nobody_up() {
    let played = played();
    let _deaf = UnixStream::connect(&played.path).expect("connected");
    let mut listens = connect(&played);
    played.server.tell(&state("0.0.0"));
    assert_eq!(told(&mut listens), state("0.0.0"));
    let began = std::time::Instant::now();
    let long = "9".repeat(4000);
    for _ in 0..200 {
        played.server.tell(&state(&long));
        told(&mut listens);
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn only_so_many_are_listened_to() {
    let played = played();
    played.server.tell(&state("1.4.0"));
    let mut all: Vec<_> = (0..MAX_PEERS).map(|_| connect(&played)).collect();
    all.iter_mut().for_each(|reader| assert_eq!(told(reader), state("1.4.0")));
    let mut line = String::new();
    assert_eq!(connect(&played).read_line(&mut line).unwrap_or(0), 0, "{line}");
}
