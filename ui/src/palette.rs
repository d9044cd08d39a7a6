// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The twelve colours. Everything drawn has one of them, or a step between two at an edge.

/// A colour of the palette, named by what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Colour {
    /// Behind everything.
    Ground,
    /// A tile at work, a row.
    Surface,
    /// A button, a chosen row.
    Raised,
    /// The outline of an empty port, a rule.
    Line,
    /// What is left of a bar.
    Track,
    /// Text.
    Text,
    /// Labels, what is empty or paused.
    Quiet,
    /// What the station is doing, and the one button that goes on. Never a result.
    Accent,
    /// The drive is good: filled, with ink on it.
    Ready,
    /// There is something to do, and the drive is fine: a frame, its icon and word.
    Try,
    /// The drive is to be set aside: filled, with ink on it.
    Bad,
    /// On ready, bad and accent.
    Ink,
}

impl Colour {
    /// Red, green, blue.
    pub const fn rgb(self) -> [u8; 3] {
        match self {
            Self::Ground => [0x0e, 0x11, 0x13],
            Self::Surface => [0x1a, 0x1f, 0x23],
            Self::Raised => [0x2a, 0x32, 0x38],
            Self::Line => [0x5f, 0x6d, 0x78],
            Self::Track => [0x3c, 0x47, 0x50],
            Self::Text => [0xf5, 0xf7, 0xf8],
            Self::Quiet => [0xae, 0xb9, 0xc2],
            Self::Accent => [0x66, 0xba, 0xff],
            Self::Ready => [0x3a, 0xd6, 0x88],
            Self::Try => [0xff, 0xc6, 0x42],
            Self::Bad => [0xff, 0x71, 0x65],
            Self::Ink => [0, 0, 0],
        }
    }

    /// On a panel of one bit only what is dark stays dark.
    pub const fn is_lit(self) -> bool {
        !matches!(self, Self::Ground | Self::Surface | Self::Raised | Self::Track | Self::Ink)
    }

    /// The colour that is read on this one.
    pub const fn on(self) -> Self {
        match self {
            Self::Accent | Self::Ready | Self::Bad | Self::Try | Self::Text | Self::Quiet => Self::Ink,
            _ => Self::Text,
        }
    }
}

/// How well two colours are told apart, from 1 to 21 (WCAG 2.2, contrast ratio).
pub fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// WCAG 2.2, relative luminance.
fn luminance(rgb: [u8; 3]) -> f64 {
    let linear = rgb.map(|channel| match f64::from(channel) / 255.0 {
        dark if dark <= 0.04045 => dark / 12.92,
        light => ((light + 0.055) / 1.055).powf(2.4),
    });
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_of_a_port_has_aaa() {
        assert!((contrast([0; 3], [255; 3]) - 21.0).abs() < 1e-9);
        use Colour::{Accent, Bad, Ground, Ink, Quiet, Ready, Surface, Text, Try};
        for (text, ground) in [
            (Text, Ground),
            (Text, Surface),
            (Quiet, Surface),
            (Accent, Surface),
            (Try, Surface),
            (Ink, Ready),
            (Ink, Bad),
            (Bad, Ground),
        ] {
            let found = contrast(text.rgb(), ground.rgb());
            assert!(found >= 6.95, "{text:?} on {ground:?}: {found:.2}");
        }
    }

    #[test]
    fn what_is_only_seen_has_three() {
        use Colour::{Accent, Ground, Line, Ready, Surface, Track};
        for (sign, ground) in [(Line, Ground), (Line, Surface), (Accent, Track), (Ready, Track)] {
            assert!(contrast(sign.rgb(), ground.rgb()) >= 3.0, "{sign:?} on {ground:?}");
        }
    }
}
