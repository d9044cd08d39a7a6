// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A QR code in blocks of half a cell: on fonts twice as high as wide its squares are squares.

use qrcodegen::{QrCode, QrCodeEcc, QrSegment, Version};

use super::grid::{Colour, Grid};

/// ISO/IEC 18004, 6.3.8: as much light around it, in squares.
const QUIET: i32 = 4;
/// 29 squares: with what is around it 37 columns and 19 lines, the most that stands on a page.
const MAX_VERSION: u8 = 3;

/// A code of the text, and how many columns and lines it takes; none if the text is too long.
pub(super) fn code(text: &str) -> Option<(QrCode, usize, usize)> {
    let code = QrCode::encode_segments_advanced(
        &QrSegment::make_segments(text),
        QrCodeEcc::Low,
        Version::MIN,
        Version::new(MAX_VERSION),
        None,
        true,
    )
    .ok()?;
    let size = usize::try_from(code.size() + 2 * QUIET).ok()?;
    Some((code, size, size.div_ceil(2)))
}

/// Draws it with its upper left corner here.
pub(super) fn draw(grid: &mut Grid, column: usize, row: usize, code: &QrCode) {
    let size = code.size() + 2 * QUIET;
    let is_light = |x: i32, y: i32| !code.get_module(x - QUIET, y - QUIET);
    for (down, y) in (0..size).step_by(2).enumerate() {
        for (across, x) in (0..size).enumerate() {
            let sign = match (is_light(x, y), y + 1 < size && is_light(x, y + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            };
            grid.sign(column + across, row + down, sign, Colour::Text);
        }
    }
}
