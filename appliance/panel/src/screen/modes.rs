// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Which mode of a display is taken.

use embedded_graphics::prelude::Size;

/// One mode that a display has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) size: Size,
    pub(super) refresh_hz: u32,
    /// The display likes it best.
    pub(super) is_preferred: bool,
    /// Each picture comes in two halves, which makes thin lines flicker.
    pub(super) is_interlaced: bool,
}

/// The place of the mode that has just this size; otherwise of the smallest that holds it.
pub(super) fn choose(offers: &[Offer], wanted: Size) -> Option<usize> {
    let holds = |offer: &Offer| offer.size.width >= wanted.width && offer.size.height >= wanted.height;
    let rank = |offer: &Offer| {
        let pixels = offer.size.width * offer.size.height;
        (offer.is_interlaced, pixels, !offer.is_preferred, offer.refresh_hz.abs_diff(60))
    };
    let held = offers.iter().enumerate().filter(|(_, offer)| holds(offer));
    held.min_by_key(|(_, offer)| rank(offer)).map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(width: u32, height: u32, refresh_hz: u32, kind: &str) -> Offer {
        let size = Size::new(width, height);
        Offer { size, refresh_hz, is_preferred: kind == "preferred", is_interlaced: kind == "interlaced" }
    }

    #[test]
    fn the_mode_of_just_this_size_is_taken_even_where_another_is_preferred() {
        let offers = [
            offer(3840, 2160, 60, "preferred"),
            offer(1280, 720, 60, "interlaced"),
            offer(1280, 720, 50, ""),
            offer(1280, 720, 60, ""),
            offer(640, 480, 60, ""),
        ];
        assert_eq!(choose(&offers, Size::new(1280, 720)), Some(3));
        // None has just this size: the smallest that holds it, and not half pictures.
        assert_eq!(choose(&offers, Size::new(800, 480)), Some(3));
        assert_eq!(choose(&offers, Size::new(1280, 800)), Some(0));
        assert_eq!(choose(&offers, Size::new(4096, 480)), None);
        assert_eq!(choose(&[], Size::new(1, 1)), None);
    }
}
