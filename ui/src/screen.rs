// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The screens, and what somebody does at the panel.

use embedded_graphics::prelude::Point;
use platen_events::AnyCode;

use crate::request::{Request, Role};

/// A screen, with what was done on it so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Screen {
    /// All ports.
    Home,
    /// A port and what is in it.
    Port(String),
    /// What a port says in four parts.
    Message(String),
    /// What else there is.
    Menu,
    /// Media to choose from, for one port or for all.
    Media {
        /// None: for all ports.
        port: Option<String>,
        /// Which one is looked at, where there is room for its facts.
        chosen: usize,
    },
    /// One medium.
    Medium {
        /// None: for all ports.
        port: Option<String>,
        /// Of the media.
        index: usize,
    },
    /// How many good drives.
    HowMany {
        /// `<id>-r<revision>`.
        medium: String,
        /// Digits.
        typed: String,
    },
    /// A PIN, to be somebody.
    Pin(Pin),
    /// The end of a batch.
    Summary,
    /// All languages.
    Languages {
        /// The station was never started before.
        is_first: bool,
    },
    /// The steps of the first start after the language.
    Setup(u8),
    /// Which socket has this label.
    Learn(usize),
    /// What can be chosen at the panel.
    Settings,
    /// Light behind the panel.
    Brightness,
    /// What is heard.
    Sound,
    /// On which side buttons stand.
    Hand,
    /// Whose PIN is changed.
    Pins,
    /// Drives that were written.
    History {
        /// Only serial numbers that have this.
        serial: Option<String>,
    },
    /// Of a serial number.
    Search {
        /// So far.
        typed: String,
    },
    /// Where media come from.
    Import,
    /// What the station is.
    About,
    /// The appliance's own operating system.
    System,
    /// Tests of the panel and what is around it.
    Service,
    /// One of them.
    Test(Test),
    /// What is asked before it is done.
    Confirm(Confirm),
    /// What could not be done.
    Notice {
        /// An operator's code.
        code: Option<AnyCode>,
        /// For people, in English.
        text: String,
    },
}

/// A PIN in the making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// Whose.
    pub role: Role,
    /// Digits; never shown.
    pub typed: String,
    /// What is asked again once the role is had.
    pub then: Option<Box<Request>>,
    /// It is set, not asked for.
    pub is_new: bool,
    /// The last try failed.
    pub was_wrong: bool,
    /// Where the first start goes on.
    pub setup: Option<u8>,
}

/// What is asked before it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirm {
    /// The drive in this port is given up.
    Stop(String),
    /// No port begins by itself any more.
    Disarm,
    /// The station ends.
    ShutDown,
    /// The appliance starts anew.
    Restart,
    /// What is on the appliance's data disk is given up.
    DataAnew,
}

/// A test of the panel and what is around it, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// Full panels.
    Colour(usize),
    /// Crosses.
    Touch(u8),
    /// Keys, as many as were pressed: previous, choose, next.
    Keys([bool; 3]),
    /// The light of each port.
    Light(usize),
    /// A tone.
    Sound,
    /// Ports: where drives are seen that somebody inserts.
    Ports {
        /// Labels, in the order in which they were met.
        seen: Vec<String>,
        /// The ports were paused for it, and go on afterwards.
        resumes: bool,
    },
}

impl Test {
    /// How many there are.
    pub(crate) const COUNT: usize = 6;

    /// All of them at their beginning.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Colour(0),
        Self::Touch(0),
        Self::Keys([false; 3]),
        Self::Light(0),
        Self::Sound,
        Self::Ports { seen: Vec::new(), resumes: false },
    ];

    /// Its place among all.
    pub fn index(&self) -> usize {
        match self {
            Self::Colour(_) => 0,
            Self::Touch(_) => 1,
            Self::Keys(_) => 2,
            Self::Light(_) => 3,
            Self::Sound => 4,
            Self::Ports { .. } => 5,
        }
    }
}

/// What somebody does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A finger comes down.
    Down(Point),
    /// It is lifted.
    Up(Point),
    /// A turn to the right, or the button for it.
    Next,
    /// A turn to the left, or the button for it.
    Previous,
    /// The knob is pressed, or the middle button.
    Choose,
    /// The knob is held, or the left button.
    Back,
    /// The middle button is held.
    Menu,
}

/// Buttons with names on the case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// The left one of three.
    Previous,
    /// The middle one of three.
    Choose,
    /// The right one of three.
    Next,
    /// A knob's own.
    Knob,
}

/// How long a key is held until it means something else.
const HOLD_MS: u64 = 600;

/// Turns keys that come and go into what they mean.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    down: Option<(Key, u64)>,
}

impl Keys {
    /// A key comes down.
    pub fn down(&mut self, key: Key, now_ms: u64) {
        self.down.get_or_insert((key, now_ms));
    }

    /// Time passes: a key that is held long enough means something else.
    pub fn tick(&mut self, now_ms: u64) -> Option<Input> {
        let (key, since) = self.down?;
        let held = match key {
            Key::Previous | Key::Knob => Input::Back,
            Key::Choose => Input::Menu,
            Key::Next => return None,
        };
        if now_ms < since + HOLD_MS {
            return None;
        }
        self.down = None;
        Some(held)
    }

    /// A key is let go. One that was held has said what it means.
    pub fn up(&mut self, key: Key) -> Option<Input> {
        self.down.take_if(|(down, _)| *down == key)?;
        Some(match key {
            Key::Previous => Input::Previous,
            Key::Next => Input::Next,
            Key::Choose | Key::Knob => Input::Choose,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_held_means_something_else() {
        let mut keys = Keys::default();
        keys.down(Key::Previous, 1000);
        assert_eq!((keys.tick(1500), keys.up(Key::Previous)), (None, Some(Input::Previous)));
        keys.down(Key::Previous, 2000);
        assert_eq!((keys.tick(2600), keys.tick(2700), keys.up(Key::Previous)), (Some(Input::Back), None, None));
        keys.down(Key::Choose, 3000);
        assert_eq!(keys.tick(3600), Some(Input::Menu));
        // A second key counts for nothing while the first is down.
        keys.down(Key::Next, 4000);
        keys.down(Key::Choose, 4100);
        assert_eq!((keys.up(Key::Choose), keys.up(Key::Next)), (None, Some(Input::Next)));
        assert_eq!(keys.tick(9000), None);
    }
}
