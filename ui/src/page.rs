// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What is to be shown, in words, before anybody knows how large the panel is.

use crate::board::Plan;
use crate::icon::Icon;
use crate::palette::Colour;
use crate::request::Request;
use crate::screen::Screen;
use crate::words::Language;

/// What a place on the panel does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// One screen back.
    Back,
    /// Back to the ports.
    Home,
    /// Another screen on top of this one.
    Open(Box<Screen>),
    /// Another screen in place of this one.
    Turn(Box<Screen>),
    /// Another part of what does not fit at once.
    Page(usize),
    /// A character of the keypad.
    Type(char),
    /// Take back the last one.
    Delete,
    /// What was typed is complete.
    Enter,
    /// Ask the station, and go back to the ports.
    Ask(Box<Request>),
    /// Choose a language, and go on from there.
    Speak(Language),
    /// Light behind the panel.
    Brightness(u8),
    /// How loud the station is.
    Sound(crate::request::Sound),
    /// On which side buttons stand.
    Mirror(bool),
    /// Light this port so that it is found.
    Light(String),
    /// The message about this port was read.
    Seen(String),
    /// What the person says about the test under way.
    Judge(bool),
    /// Go on in the first start.
    Setup(u8),
    /// A tone.
    Tone,
}

/// One screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    /// In the first line.
    pub(crate) title: String,
    /// At its other end.
    pub(crate) corner: String,
    /// The first line begins with a way back.
    pub(crate) has_back: bool,
    /// What it is about.
    pub(crate) body: Body,
    /// At most two; the last is the one that goes on.
    pub(crate) buttons: Vec<Button>,
}

impl Page {
    /// A message takes the whole panel: no first line, and no way out but its buttons.
    pub(crate) fn of_message(message: Message, buttons: Vec<Button>) -> Self {
        let body = Body::Message(Box::new(message));
        Self { title: String::new(), corner: String::new(), has_back: false, body, buttons }
    }
}

/// A button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Button {
    /// Before its text.
    pub(crate) icon: Option<Icon>,
    /// What it says.
    pub(crate) text: String,
    /// What it does.
    pub(crate) action: Action,
    /// The one blue button of the screen.
    pub(crate) is_primary: bool,
}

/// What a screen is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    /// All ports.
    Grid(Box<Grid>),
    /// Something about one port, in four parts.
    Message(Box<Message>),
    /// Something that is to be seen from across the room.
    Attention(Box<Attention>),
    /// A list.
    Rows(Rows),
    /// One thing, fact by fact.
    Facts(Box<Facts>),
    /// Numbers to be typed.
    Keypad(Keypad),
    /// One sentence, and what follows from it.
    Statement(Statement),
    /// The end of a batch.
    Summary(Box<Summary>),
    /// All languages, each named in itself.
    Languages(Vec<(Language, String, String)>, Vec<String>),
    /// The whole panel in one colour.
    Field(Colour),
    /// A cross to be touched: in one of the corners or, the fifth, in the middle.
    Cross(u8),
}

/// Ports as they stand on the case, and the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grid {
    /// The medium's version, beside its title.
    pub(crate) version: String,
    /// Whether drives are begun at once, with its sign.
    pub(crate) mode: (Option<Icon>, String),
    /// Instead of what the tiles say, while all ports are empty.
    pub(crate) invitation: Option<(String, String)>,
    /// All tiles.
    pub(crate) tiles: Vec<Tile>,
    /// Where they stand.
    pub(crate) plan: Plan,
    /// Good drives; none: no batch is under way.
    pub(crate) count: Option<Count>,
    /// Which rows of sockets are shown where not all fit.
    pub(crate) page: usize,
}

/// How far a batch is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Count {
    /// `Good drives`.
    pub(crate) label: String,
    /// How many.
    pub(crate) good: String,
    /// `of 40`.
    pub(crate) of: String,
    /// `of 40 good`.
    pub(crate) of_good: String,
    /// From 0 to 1000; none: it has no end.
    pub(crate) part: Option<u16>,
    /// `About 25 min left`; empty: nobody knows.
    pub(crate) about_left: String,
    /// `25 min left`.
    pub(crate) left: String,
    /// `25 min`.
    pub(crate) brief_left: String,
    /// How many, and in words.
    pub(crate) set_aside: (u32, String),
    /// How many, and in words.
    pub(crate) refused: (u32, String),
}

/// The form of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Form {
    /// Nothing is in it.
    Outline,
    /// The station works.
    Plain,
    /// It waits.
    Quiet,
    /// Something to do, and the drive is fine.
    Framed,
    /// Good.
    Ready,
    /// To be set aside.
    Bad,
}

impl Form {
    /// The colour of its sign and its word.
    pub(crate) fn sign(self) -> Colour {
        match self {
            Self::Outline => Colour::Quiet,
            Self::Plain => Colour::Accent,
            Self::Quiet => Colour::Text,
            Self::Framed => Colour::Try,
            Self::Ready | Self::Bad => Colour::Ink,
        }
    }

    /// The colour that it has as a whole, where it is filled or framed.
    pub(crate) fn own(self) -> Colour {
        match self {
            Self::Outline | Self::Plain | Self::Quiet => Colour::Quiet,
            Self::Framed => Colour::Try,
            Self::Ready => Colour::Ready,
            Self::Bad => Colour::Bad,
        }
    }

    /// A drive is to be taken out.
    pub(crate) fn is_filled(self) -> bool {
        matches!(self, Self::Ready | Self::Bad)
    }

    /// A hand is needed.
    pub(crate) fn asks(self) -> bool {
        matches!(self, Self::Ready | Self::Bad | Self::Framed)
    }
}

/// A port's tile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tile {
    /// What is printed beside the port.
    pub(crate) label: String,
    /// Its form.
    pub(crate) form: Form,
    /// Its sign.
    pub(crate) icon: Icon,
    /// What it says, in falling length; all of them say the same.
    pub(crate) words: [String; 3],
    /// What is to be done, and the same in one short word.
    pub(crate) todo: [String; 2],
    /// An operator's code, or nothing.
    pub(crate) code: String,
    /// How far the drive is; none: nobody can say, or it is over.
    pub(crate) percent: Option<u8>,
    /// `9 min left`, `9 min`.
    pub(crate) left: [String; 2],
    /// Both halves, from 0 to 1000; none: there is no bar.
    pub(crate) halves: Option<[u16; 2]>,
    /// The power is cut.
    pub(crate) is_cut: bool,
    /// When it is touched.
    pub(crate) action: Action,
}

/// Which port, what happened, what to do, usable or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// The verdict's form.
    pub(crate) form: Form,
    /// `Port`, and what is printed beside it; none: it is about no port.
    pub(crate) port: Option<(String, String)>,
    /// Where the ports stand, and which one it is.
    pub(crate) map: Option<(Plan, usize)>,
    /// What happened, in a sentence and in a word or two.
    pub(crate) what: [String; 2],
    /// What to do, likewise.
    pub(crate) todo: [String; 2],
    /// The movement of what to do.
    pub(crate) icon: Option<Icon>,
    /// The verdict's sign and word.
    pub(crate) verdict: (Icon, String),
    /// An operator's code, or nothing.
    pub(crate) code: String,
}

/// What is to be seen from across the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attention {
    /// The tile of the port that it is about.
    pub(crate) tile: Tile,
    /// The word in large letters.
    pub(crate) word: String,
    /// What to do, in a sentence.
    pub(crate) todo: String,
    /// What else waits, or nothing.
    pub(crate) also: String,
    /// Where the ports stand, and which one it is.
    pub(crate) map: (Plan, usize),
}

/// A list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rows {
    /// All of them.
    pub(crate) rows: Vec<Row>,
    /// Which part is shown where not all fit.
    pub(crate) page: usize,
    /// What is said when there is none: what is, and what to do.
    pub(crate) empty: (String, String),
    /// Where there is room they stand beside each other.
    pub(crate) as_tiles: bool,
    /// The facts of the chosen row, where there is room beside the list.
    pub(crate) side: Option<Box<Facts>>,
}

/// A row of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Its sign.
    pub(crate) icon: Option<(Icon, Colour)>,
    /// What it is.
    pub(crate) name: String,
    /// More about it.
    pub(crate) second: String,
    /// What it does; none: it is only read.
    pub(crate) action: Option<Action>,
    /// It is the one that holds now.
    pub(crate) is_chosen: bool,
}

/// One thing, fact by fact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// What it is.
    pub(crate) heading: String,
    /// The port it is about: its tile, the long word for its state, the speed, and where it stands.
    pub(crate) port: Option<(Tile, String, (Plan, usize))>,
    /// A name for each fact, and the fact.
    pub(crate) facts: Vec<(String, String)>,
    /// What is to be known besides.
    pub(crate) notes: Vec<(Icon, Colour, String)>,
    /// The thing before it and the one after it, where there are several.
    pub(crate) turn: Option<(Action, Action)>,
}

/// Something to be typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keypad {
    /// What is asked for.
    pub(crate) title: String,
    /// What was typed, or a dot for each.
    pub(crate) typed: String,
    /// A rule, or what was wrong.
    pub(crate) note: String,
    /// The keys; the last of them stands between delete and enter.
    pub(crate) keys: Vec<char>,
    /// The way to other keys: what they are, and which part of them all it is.
    pub(crate) more: Option<(String, usize)>,
}

/// One sentence, and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    /// A sign above it.
    pub(crate) icon: Option<(Icon, Colour)>,
    /// What is said.
    pub(crate) title: String,
    /// What follows.
    pub(crate) note: String,
    /// How far it is, from 0 to 1000.
    pub(crate) part: Option<u16>,
}

/// The end of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Summary {
    /// How many drives are good.
    pub(crate) good: String,
    /// `good drives`.
    pub(crate) label: String,
    /// That all of them were read back.
    pub(crate) proof: String,
    /// The medium and its version.
    pub(crate) medium: (String, String),
    /// `Set aside 2, refused 1`, or that there was nothing else.
    pub(crate) rest: String,
    /// What was set aside or refused: sign, port, why, the end of the serial number.
    pub(crate) rows: Vec<(Icon, Colour, String, String, String)>,
    /// Which part is shown where not all fit.
    pub(crate) page: usize,
}
