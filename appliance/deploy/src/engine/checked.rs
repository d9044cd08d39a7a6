// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! An image's files as whoever applies it may read them: in any order, each byte once it was compared with what was signed.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use platen_media::piece_tree::{PIECE_BYTES, PieceTree};

use super::content::ContentError;

/// So many pieces stay in memory: a reader goes forward, and looks at tables at a file's beginning and end in between.
const RECENT: usize = 8;

/// The files of an image. They are read through this only, piece by piece, and a piece that is not the signed one is given
/// to nobody.
#[derive(Debug)]
pub struct CheckedImage {
    files: Vec<CheckedFile>,
    state: Mutex<State>,
}

/// One of them.
#[derive(Debug)]
pub struct CheckedFile {
    /// Its path on the medium.
    path: String,
    file: File,
    tree: PieceTree,
}

#[derive(Debug, Default)]
struct State {
    /// File, number, bytes; the latest last.
    recent: VecDeque<(usize, usize, Arc<[u8]>)>,
    /// The first that was found.
    fault: Option<ContentError>,
    read_bytes: u64,
}

impl CheckedFile {
    /// A file of the medium and the tree that came to its signed BLAKE3.
    pub fn new(path: &str, file: File, tree: PieceTree) -> Self {
        Self { path: path.to_owned(), file, tree }
    }

    /// Its name, without folders.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Its length.
    pub fn size_bytes(&self) -> u64 {
        self.tree.size_bytes()
    }

    /// A piece as the medium has it.
    fn piece(&self, number: usize) -> Result<Arc<[u8]>, ContentError> {
        let (offset_bytes, length) = self.tree.place(number).unwrap_or_default();
        let mut piece = vec![0; length];
        let mut file = &self.file;
        let read = file.seek(SeekFrom::Start(offset_bytes)).and_then(|_| file.read_exact(&mut piece));
        let path = || self.path.clone();
        match read {
            Ok(()) if self.tree.holds(number, &piece) => Ok(piece.into()),
            Ok(()) => Err(ContentError::Changed { path: path() }),
            // Shorter than when it was opened.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(ContentError::Changed { path: path() }),
            Err(source) => Err(ContentError::Io { doing: "reading", path: path(), source }),
        }
    }
}

impl CheckedImage {
    /// The WIM, or the parts of a split one in their order.
    pub fn new(files: Vec<CheckedFile>) -> Self {
        Self { files, state: Mutex::default() }
    }

    /// Its files.
    pub fn files(&self) -> &[CheckedFile] {
        &self.files
    }

    /// So many bytes of a file, fewer at its end.
    ///
    /// # Errors
    /// The medium can't be read, or has other bytes than those that were signed; [`Self::finish`] says which.
    pub fn read(&self, file: usize, offset_bytes: u64, count: usize) -> io::Result<Vec<u8>> {
        let Some(of) = self.files.get(file) else { return Err(ErrorKind::NotFound.into()) };
        let end_bytes = of.size_bytes().min(offset_bytes.saturating_add(count as u64));
        let mut at_bytes = offset_bytes;
        let mut bytes = Vec::with_capacity(usize::try_from(end_bytes.saturating_sub(at_bytes)).unwrap_or_default());
        while at_bytes < end_bytes {
            let number = usize::try_from(at_bytes / PIECE_BYTES as u64).map_err(|_| ErrorKind::InvalidInput)?;
            let begin_bytes = number as u64 * PIECE_BYTES as u64;
            let piece = self.piece(file, number)?;
            // Both are within the piece.
            let (from, to) = ((at_bytes - begin_bytes) as usize, (end_bytes - begin_bytes) as usize);
            bytes.extend_from_slice(&piece[from..to.min(piece.len())]);
            at_bytes = begin_bytes + piece.len() as u64;
        }
        Ok(bytes)
    }

    /// How many bytes of the medium were read.
    pub fn read_bytes(&self) -> u64 {
        self.state().read_bytes
    }

    /// Nobody reads it any more. The first fault that was found, whatever became of who met it.
    pub fn finish(self) -> Result<(), ContentError> {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        state.fault.map_or(Ok(()), Err)
    }

    fn piece(&self, file: usize, number: usize) -> io::Result<Arc<[u8]>> {
        let mut state = self.state();
        if let Some(at) = state.recent.iter().position(|(of, number_of, _)| (*of, *number_of) == (file, number)) {
            let found = state.recent.remove(at).expect("its place was just found");
            let piece = Arc::clone(&found.2);
            state.recent.push_back(found);
            return Ok(piece);
        }
        state.read_bytes += self.files[file].tree.place(number).map_or(0, |(_, length)| length as u64);
        match self.files[file].piece(number) {
            Ok(piece) => {
                if state.recent.len() == RECENT {
                    state.recent.pop_front();
                }
                state.recent.push_back((file, number, Arc::clone(&piece)));
                Ok(piece)
            }
            Err(fault) => {
                state.fault.get_or_insert(fault);
                Err(io::Error::other("not as signed"))
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
