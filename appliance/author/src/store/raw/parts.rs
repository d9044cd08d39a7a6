// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! An image on its way into the store, block by block.

use std::ops::Range;

use platen_cache::layout::{ImageParts, Layout};
use platen_media::manifest::{Blob, ImagePart};

use crate::store::write_failed;
use crate::{AuthorError, BuildOptions, BuildProgress};

pub(super) const BLOCK_BYTES: usize = ImageParts::BLOCK_BYTES;
const SECTOR_BYTES: usize = 512;

/// Takes an image block by block and stores what is in it.
pub(super) struct Parts<'a> {
    layout: &'a Layout,
    options: &'a BuildOptions,
    left_out: Range<u64>,
    parts: ImageParts<'a>,
}

impl<'a> Parts<'a> {
    /// What is in `left_out`, in bytes of the image, is taken for zeros.
    pub(super) fn new(layout: &'a Layout, options: &'a BuildOptions, left_out: Range<u64>) -> Self {
        Self { layout, options, left_out, parts: ImageParts::new(layout) }
    }

    pub(super) fn progress(&self, done_bytes: u64, total_bytes: u64) {
        if let Some(progress) = &self.options.progress {
            progress(BuildProgress { done_bytes, total_bytes });
        }
    }

    /// The next block of the image that is not a hole, as `read` gives it; the last one of an image is filled up to a
    /// whole sector. Returns how many bytes were read.
    pub(super) fn block(
        &mut self,
        offset_bytes: u64,
        read: impl FnOnce(&mut [u8]) -> Result<usize, AuthorError>,
    ) -> Result<usize, AuthorError> {
        let mut count = 0;
        let left_out = self.left_out.clone();
        let fill = |buffer: &mut [u8]| {
            count = read(buffer)?;
            let within = |at: u64| at.saturating_sub(offset_bytes).min(count as u64) as usize;
            buffer[within(left_out.start)..within(left_out.end)].fill(0);
            let padded = count.next_multiple_of(SECTOR_BYTES);
            buffer[count..padded].fill(0);
            Ok(padded)
        };
        self.parts.block(offset_bytes, fill, |error, needed_bytes| write_failed(self.layout, needed_bytes)(error))?;
        Ok(count)
    }

    /// All parts, and the blob they are in.
    pub(super) fn finish(self) -> Result<(Vec<ImagePart>, Option<Blob>), AuthorError> {
        Ok(self.parts.finish()?)
    }
}
