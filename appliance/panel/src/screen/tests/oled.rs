// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The SSD1306 at an I2C bus.

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use embedded_hal::i2c::{self, I2c, NoAcknowledgeSource, Operation};

use super::Recorded;
use super::station::{Played, eight_ports};
use crate::board::I2cPanel;
use crate::rotation::Rotation;
use crate::screen::i2c::begin;
use crate::screen::{Display, Picture};

struct Bus(Recorded<Vec<u8>>);

impl i2c::ErrorType for Bus {
    type Error = i2c::ErrorKind;
}

impl I2c for Bus {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), i2c::ErrorKind> {
        assert_eq!(address, 0x3d);
        for operation in operations {
            let Operation::Write(bytes) = operation else { panic!("nothing is ever read: {operation:?}") };
            if !self.0.send(bytes.to_vec()) {
                return Err(i2c::ErrorKind::NoAcknowledge(NoAcknowledgeSource::Data));
            }
        }
        Ok(())
    }
}

/// What the panel is after all that it was sent (SSD1306 data sheet, 9 and 10).
struct Decoder {
    pages: [[u8; 128]; 8],
    is_horizontal: bool,
    columns: (u8, u8),
    rows: (u8, u8),
    at: (u8, u8),
    /// Columns and rows run as the glass does.
    is_upright: (bool, bool),
    is_on: bool,
    has_charge_pump: bool,
    is_inverted: bool,
}

impl Decoder {
    fn new() -> Self {
        Self {
            pages: [[0xa5; 128]; 8],
            is_horizontal: false,
            columns: (0, 127),
            rows: (0, 7),
            at: (0, 0),
            is_upright: (false, false),
            is_on: false,
            has_charge_pump: false,
            is_inverted: false,
        }
    }

    fn take(&mut self, sent: &[Vec<u8>]) {
        for bytes in sent {
            match bytes.split_first() {
                Some((0x00, commands)) => self.commands(commands),
                Some((0x40, data)) => data.iter().for_each(|byte| self.data(*byte)),
                other => panic!("neither commands nor data: {other:?}"),
            }
        }
    }

    fn commands(&mut self, bytes: &[u8]) {
        let mut bytes = bytes.iter().copied();
        while let Some(command) = bytes.next() {
            let mut argument = || bytes.next().expect("an argument");
            match command {
                0x20 => self.is_horizontal = argument() == 0,
                0x21 => {
                    self.columns = (argument(), argument());
                    self.at.0 = self.columns.0;
                }
                0x22 => {
                    self.rows = (argument(), argument());
                    self.at.1 = self.rows.0;
                }
                0xa8 => assert_eq!(argument(), 63),
                0xd3 => assert_eq!(argument(), 0),
                0x8d => self.has_charge_pump = argument() & 4 != 0,
                0x81 | 0xd5 | 0xd9 | 0xda | 0xdb => drop(argument()),
                0xa0 | 0xa1 => self.is_upright.0 = command == 0xa1,
                0xc0 | 0xc8 => self.is_upright.1 = command == 0xc8,
                0xa6 | 0xa7 => self.is_inverted = command == 0xa7,
                0xae | 0xaf => self.is_on = command == 0xaf,
                0x40 | 0xa4 | 0x2e => {}
                other => panic!("a command that nobody expects: {other:#04x}"),
            }
        }
    }

    fn data(&mut self, byte: u8) {
        assert!(self.is_horizontal);
        let (column, page) = self.at;
        self.pages[usize::from(page)][usize::from(column)] = byte;
        self.at = match (column < self.columns.1, page < self.rows.1) {
            (true, _) => (column + 1, page),
            (false, true) => (self.columns.0, page + 1),
            (false, false) => (self.columns.0, self.rows.0),
        };
    }

    /// Whether this point of the glass is lit, from its left upper corner.
    fn is_lit(&self, x: usize, y: usize) -> bool {
        let column = if self.is_upright.0 { x } else { 127 - x };
        let row = if self.is_upright.1 { y } else { 63 - y };
        (self.pages[row / 8][column] >> (row % 8)) & 1 == 1
    }
}

fn panel(rotation: Rotation) -> I2cPanel {
    I2cPanel { bus: "/dev/i2c-1".into(), address: 0x3d, rotation }
}

fn shows(decoder: &Decoder, rotation: Rotation, picture: &Picture<'_>) -> Result<(), String> {
    assert!(decoder.is_on && decoder.has_charge_pump && !decoder.is_inverted);
    for (x, y) in (0..64).flat_map(|y| (0..128).map(move |x| (x, y))) {
        let from = rotation.to_picture(Point::new(x, y), I2cPanel::SIZE);
        let expected = picture.pixels[(from.y as u32 * picture.size.width + from.x as u32) as usize] == [255; 3];
        if decoder.is_lit(x as usize, y as usize) != expected {
            return Err(format!("{x} {y}: expected {expected}"));
        }
    }
    Ok(())
}

#[test]
fn golden_pictures_arrive_and_one_wrong_byte_is_seen() {
    let (size, pixels) = (I2cPanel::SIZE, eight_ports(I2cPanel::SIZE));
    let picture = Picture { size, pixels: &pixels };
    let all = [Rectangle::new(Point::zero(), size)];
    for rotation in [Rotation::None, Rotation::Half] {
        let bus = Recorded::new();
        let mut screen = begin(&panel(rotation), Bus(bus.clone())).expect("begins");
        screen.show(&picture, &all).expect("shows");
        let sent = bus.take();
        let mut decoder = Decoder::new();
        decoder.take(&sent);
        assert_eq!(shows(&decoder, rotation, &picture), Ok(()), "{rotation:?}");

        let mut wrong = sent;
        wrong.last_mut().expect("data")[5] ^= 0x10;
        let mut decoder = Decoder::new();
        decoder.take(&wrong);
        assert_ne!(shows(&decoder, rotation, &picture), Ok(()), "{rotation:?}");
    }
}

#[test]
fn it_can_stand_upright() {
    for rotation in [Rotation::Quarter, Rotation::ThreeQuarters] {
        let size = rotation.picture(I2cPanel::SIZE);
        let pixels: Vec<[u8; 3]> =
            (0..size.width * size.height).map(|at| if at * at / 7 % 3 == 0 { [255; 3] } else { [0; 3] }).collect();
        let (bus, picture) = (Recorded::new(), Picture { size, pixels: &pixels });
        let mut screen = begin(&panel(rotation), Bus(bus.clone())).expect("begins");
        screen.show(&picture, &[Rectangle::new(Point::zero(), size)]).expect("shows");
        let mut decoder = Decoder::new();
        decoder.take(&bus.take());
        assert_eq!(shows(&decoder, rotation, &picture), Ok(()), "{rotation:?}");
    }
}

#[test]
fn what_changed_travels_in_whole_pages_and_the_picture_stays_whole() {
    let (size, bus) = (I2cPanel::SIZE, Recorded::new());
    let mut station = Played::new(size, true, 4);
    let mut screen = begin(&panel(Rotation::None), Bus(bus.clone())).expect("begins");
    let mut decoder = Decoder::new();
    let mut step = |station: &mut Played| {
        let (areas, picture) = station.draw();
        screen.show(&picture, &areas).expect("shows");
        let sent = bus.take();
        decoder.take(&sent);
        assert_eq!(shows(&decoder, Rotation::None, &picture), Ok(()));
        sent.iter().map(Vec::len).sum::<usize>()
    };
    let whole = step(&mut station);
    station.begin();
    step(&mut station);
    let mut most = 0;
    for _ in 0..100 {
        station.go_on();
        most = most.max(step(&mut station));
    }
    println!("the whole picture: {whole} bytes; the most for one step of progress: {most}");
    assert!(whole > 1024);
    assert!(most > 0 && most < whole, "{most}");
}

#[test]
fn a_panel_that_does_not_answer_is_begun_anew() {
    let bus = Recorded::new();
    let opens = bus.clone();
    let mut display = Display::opened_by(Box::new(move || begin(&panel(Rotation::None), Bus(opens.clone()))));
    let (size, pixels) = (I2cPanel::SIZE, eight_ports(I2cPanel::SIZE));
    let picture = Picture { size, pixels: &pixels };
    let mut now_ms = 0;
    for left in [0, 5, 30, 60] {
        bus.break_after(Some(left));
        now_ms += 10_000;
        display.show(&picture, &[Rectangle::new(Point::zero(), size)], now_ms);
        assert!(!display.is_shown(), "{left}");
        bus.break_after(None);
        bus.take();
        now_ms += 10_000;
        display.show(&picture, &[], now_ms);
        assert!(display.is_shown(), "{left}");
        let mut decoder = Decoder::new();
        decoder.take(&bus.take());
        assert_eq!(shows(&decoder, Rotation::None, &picture), Ok(()), "{left}");
    }
}
