// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Collecting extents in order.

use std::sync::Arc;

use crate::structures::Structure;
use crate::{Data, Extent, MAX_BYTES_EXTENT};

/// The two lists of a layout, filled in ascending order of offset.
#[derive(Default)]
pub(crate) struct Painter {
    pub(crate) payload: Vec<Extent>,
    pub(crate) seal: Vec<Extent>,
}

impl Painter {
    pub(crate) fn put(&mut self, sealed: bool, offset_bytes: u64, len_bytes: u64, data: Data) {
        if len_bytes > 0 {
            let list = if sealed { &mut self.seal } else { &mut self.payload };
            list.push(Extent { offset_bytes, len_bytes, data });
        }
    }

    /// Bytes and then zeros, up to `end`.
    pub(crate) fn put_bytes(&mut self, offset_bytes: u64, bytes: &[u8], end: u64) {
        let mut at = offset_bytes;
        for piece in bytes.chunks(MAX_BYTES_EXTENT as usize) {
            self.put(false, at, piece.len() as u64, Data::Bytes(Arc::from(piece)));
            at += piece.len() as u64;
        }
        self.put(false, at, end - at, Data::Zero);
    }

    /// Structures, which are sorted and within the range, and zeros wherever there is none.
    pub(crate) fn put_region(&mut self, start: u64, end: u64, structures: impl Iterator<Item = Structure>) {
        let mut at = start;
        for structure in structures {
            let Extent { offset_bytes, len_bytes, data } = structure.extent;
            self.put(false, at, offset_bytes - at, Data::Zero);
            self.put(structure.sealed, offset_bytes, len_bytes, data);
            at = offset_bytes + len_bytes;
        }
        self.put(false, at, end - at, Data::Zero);
    }
}
