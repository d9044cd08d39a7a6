// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! How large things are, for each class of panels. Whatever size a panel has, it takes the largest class that fits.

use embedded_graphics::prelude::*;

use crate::font::{Pixels, Type, Weight};

/// What a panel is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Panel {
    /// Width and height in pixels, as it is looked at.
    pub size: Size,
    /// It is lit or not, and has no colours.
    pub is_mono: bool,
    /// The light behind it can be changed. Without that nothing is dim, and no brightness is chosen.
    pub has_light: bool,
}

/// Panels that are laid out alike, named by the size that was drawn first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// 1280 x 720.
    Wide,
    /// 800 x 480.
    Full,
    /// 480 x 800, and whatever stands upright.
    Tall,
    /// 480 x 320.
    Half,
    /// 320 x 240.
    Small,
    /// 240 x 240.
    Square,
    /// 128 x 64, one bit.
    Mono,
}

/// The sizes of a class, in pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Metrics {
    /// Which one.
    pub(crate) class: Class,
    /// Of the panel.
    pub(crate) size: Size,
    /// Between the panel's edge and what is on it.
    pub(crate) margin: i32,
    /// Between things.
    pub(crate) gap: i32,
    /// Height of the first line.
    pub(crate) header: i32,
    /// Corners of tiles and buttons.
    pub(crate) radius: u16,
    /// Stroke of a frame.
    pub(crate) frame: u16,
    /// Height of a button.
    pub(crate) button: i32,
    /// Height of a row in a list.
    pub(crate) row: i32,
    /// The first line.
    pub(crate) head: Type,
    /// What is said in the largest letters.
    pub(crate) title: Type,
    /// Name of a row, of a button.
    pub(crate) name: Type,
    /// On buttons.
    pub(crate) button_type: Type,
    /// Below or beside the name.
    pub(crate) second: Type,
    /// A message's sentences, in the normal and the long form.
    pub(crate) sentences: [Type; 2],
    /// A port's number on its message.
    pub(crate) number: Type,
    /// The same when it is to be seen from across the room.
    pub(crate) far_number: Type,
    /// The word beside that.
    pub(crate) far_word: Type,
    /// The smallest.
    pub(crate) least: Type,
}

const fn medium(px: u16) -> Type {
    Type::Smooth(Weight::Medium, px)
}

const fn strong(px: u16) -> Type {
    Type::Smooth(Weight::Strong, px)
}

const fn figures(px: u16) -> Type {
    Type::Smooth(Weight::Figures, px)
}

const fn pixel(face: Pixels, scale: u8) -> Type {
    Type::Pixel(face, scale)
}

impl Metrics {
    /// Of this panel.
    pub(crate) fn of(panel: Panel) -> Self {
        let (width, height) = (panel.size.width, panel.size.height);
        let fits = |w: u32, h: u32| width >= w && height >= h;
        let class = match panel.is_mono {
            true => Class::Mono,
            false if fits(1280, 720) => Class::Wide,
            false if fits(800, 480) => Class::Full,
            false if fits(480, 640) => Class::Tall,
            false if fits(480, 320) => Class::Half,
            false if fits(320, 240) => Class::Small,
            false => Class::Square,
        };
        Self { size: panel.size, ..Self::of_class(class) }
    }

    fn of_class(class: Class) -> Self {
        let size = Size::zero();
        match class {
            Class::Wide => Self {
                class,
                size,
                margin: 24,
                gap: 12,
                header: 72,
                radius: 8,
                frame: 6,
                button: 96,
                row: 84,
                head: strong(28),
                title: strong(72),
                name: strong(28),
                button_type: strong(32),
                second: medium(22),
                sentences: [strong(52), strong(44)],
                number: figures(330),
                far_number: figures(560),
                far_word: strong(120),
                least: medium(18),
            },
            Class::Full => Self {
                class,
                size,
                margin: 16,
                gap: 8,
                header: 52,
                radius: 6,
                frame: 5,
                button: 88,
                row: 66,
                head: strong(22),
                title: strong(48),
                name: strong(22),
                button_type: strong(26),
                second: medium(18),
                sentences: [strong(34), strong(28)],
                number: figures(210),
                far_number: figures(360),
                far_word: strong(76),
                least: medium(17),
            },
            Class::Tall => Self {
                class,
                size,
                margin: 14,
                gap: 8,
                header: 52,
                radius: 6,
                frame: 5,
                button: 80,
                row: 72,
                head: strong(22),
                title: strong(40),
                name: strong(22),
                button_type: strong(24),
                second: medium(18),
                sentences: [strong(34), strong(28)],
                number: figures(160),
                far_number: figures(320),
                far_word: strong(70),
                least: medium(17),
            },
            Class::Half => Self {
                class,
                size,
                margin: 11,
                gap: 8,
                header: 40,
                radius: 5,
                frame: 4,
                button: 70,
                row: 52,
                head: strong(18),
                title: strong(32),
                name: strong(19),
                button_type: strong(21),
                second: medium(16),
                sentences: [strong(24), strong(20)],
                number: figures(140),
                far_number: figures(230),
                far_word: strong(50),
                least: medium(16),
            },
            Class::Small => Self {
                class,
                size,
                margin: 6,
                gap: 6,
                header: 36,
                radius: 4,
                frame: 3,
                button: 46,
                row: 44,
                head: strong(18),
                title: strong(24),
                name: strong(17),
                button_type: strong(18),
                second: medium(16),
                sentences: [strong(19), strong(17)],
                number: figures(96),
                far_number: figures(165),
                far_word: strong(36),
                least: medium(15),
            },
            Class::Square => Self {
                class,
                size,
                margin: 10,
                gap: 5,
                header: 36,
                radius: 6,
                frame: 4,
                button: 42,
                row: 42,
                head: strong(17),
                title: strong(22),
                name: strong(17),
                button_type: strong(18),
                second: medium(16),
                sentences: [strong(18), strong(16)],
                number: figures(44),
                far_number: figures(150),
                far_word: strong(34),
                least: medium(16),
            },
            Class::Mono => Self {
                class,
                size,
                margin: 1,
                gap: 1,
                header: 13,
                radius: 0,
                frame: 1,
                button: 13,
                row: 13,
                head: pixel(Pixels::Bold, 1),
                title: pixel(Pixels::Bold, 1),
                name: pixel(Pixels::Eleven, 1),
                button_type: pixel(Pixels::Eleven, 1),
                second: pixel(Pixels::Nine, 1),
                sentences: [pixel(Pixels::Eleven, 1), pixel(Pixels::Nine, 1)],
                number: pixel(Pixels::Blocks, 6),
                far_number: pixel(Pixels::Blocks, 9),
                far_word: pixel(Pixels::Bold, 2),
                least: pixel(Pixels::Nine, 1),
            },
        }
    }

    /// Width and height in whole numbers that may be subtracted.
    pub(crate) fn extent(&self) -> (i32, i32) {
        (self.size.width as i32, self.size.height as i32)
    }

    /// It stands upright.
    pub(crate) fn is_tall(&self) -> bool {
        self.size.height > self.size.width
    }

    /// Lit or not.
    pub(crate) fn is_mono(&self) -> bool {
        self.class == Class::Mono
    }
}
