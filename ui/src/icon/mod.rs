// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Signs. Each is drawn on a grid of 24 units where a panel has colours, and by hand on 11 by 11 pixels where not.

mod pixels;
mod strokes;

use embedded_graphics::primitives::Rectangle;

use crate::mask::Mask;

/// A sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is named by what it shows")]
pub enum Icon {
    Port,
    Checking,
    Writing,
    ReadingBack,
    Power,
    Ready,
    Failed,
    Refused,
    Retry,
    Paused,
    Armed,
    Stop,
    Pull,
    Insert,
    Lock,
    Back,
    Next,
    Menu,
    Delete,
    Brightness,
    Sound,
    Language,
    Clock,
    Ports,
    Light,
    Import,
    About,
}

impl Icon {
    /// All of them.
    pub const ALL: [Self; 27] = [
        Self::Port,
        Self::Checking,
        Self::Writing,
        Self::ReadingBack,
        Self::Power,
        Self::Ready,
        Self::Failed,
        Self::Refused,
        Self::Retry,
        Self::Paused,
        Self::Armed,
        Self::Stop,
        Self::Pull,
        Self::Insert,
        Self::Lock,
        Self::Back,
        Self::Next,
        Self::Menu,
        Self::Delete,
        Self::Brightness,
        Self::Sound,
        Self::Language,
        Self::Clock,
        Self::Ports,
        Self::Light,
        Self::Import,
        Self::About,
    ];

    /// What it covers of a square whose top left corner is the mask's origin.
    pub(crate) fn draw(self, area: Rectangle, is_mono: bool, mask: &mut Mask) {
        match is_mono {
            true => pixels::draw(self, (area.size.width / pixels::SIDE).max(1), mask),
            false => strokes::draw(self, area.size.width as f32 / 24.0, mask),
        }
    }
}
