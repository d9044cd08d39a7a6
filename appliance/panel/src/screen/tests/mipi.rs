// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Colour panels by MIPI DCS.

use std::convert::Infallible;

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use embedded_hal::digital::{self, OutputPin};
use embedded_hal::spi::{self, Operation, SpiDevice};

use super::station::{Played, eight_ports};
use super::{NoDelay, Recorded};
use crate::board::{Controller, Line, SpiPanel};
use crate::rotation::Rotation;
use crate::screen::spi::{Wire, begin};
use crate::screen::{Display, Picture, Screen};

/// What goes over the wires beside each other.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Sent {
    /// From now on bytes are data.
    IsData(bool),
    Bytes(Vec<u8>),
}

struct Bus(Recorded<Sent>);

impl spi::ErrorType for Bus {
    type Error = spi::ErrorKind;
}

impl SpiDevice for Bus {
    fn transaction(&mut self, operations: &mut [Operation<'_, u8>]) -> Result<(), spi::ErrorKind> {
        for operation in operations {
            let Operation::Write(bytes) = operation else { panic!("nothing is ever read: {operation:?}") };
            // More is refused by the kernel's driver, and nothing at all by some of them.
            assert!((1..=4096).contains(&bytes.len()), "{}", bytes.len());
            if !self.0.send(Sent::Bytes(bytes.to_vec())) {
                return Err(spi::ErrorKind::Other);
            }
        }
        Ok(())
    }
}

struct DataLine(Recorded<Sent>);

impl digital::ErrorType for DataLine {
    type Error = Infallible;
}

impl OutputPin for DataLine {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.0.send(Sent::IsData(false));
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.0.send(Sent::IsData(true));
        Ok(())
    }
}

/// What a panel is after all that it was sent (ILI9341 data sheet, 8.2; the others alike).
struct Decoder {
    size: Size,
    /// As the glass has them, from its own left upper corner.
    glass: Vec<[u8; 3]>,
    bytes_per_pixel: usize,
    address_mode: u8,
    is_inverted: bool,
    is_on: bool,
    is_awake: bool,
    columns: (u16, u16),
    rows: (u16, u16),
    at: (u16, u16),
    command: Option<u8>,
    arguments: Vec<u8>,
    is_data: bool,
    pixel_bytes: usize,
}

impl Decoder {
    fn new(size: Size) -> Self {
        Self {
            size,
            // What is in memory when the power comes is nobody's.
            glass: vec![[0xa5; 3]; (size.width * size.height) as usize],
            bytes_per_pixel: 3,
            address_mode: 0,
            is_inverted: false,
            is_on: false,
            is_awake: false,
            columns: (0, 0),
            rows: (0, 0),
            at: (0, 0),
            command: None,
            arguments: Vec::new(),
            is_data: true,
            pixel_bytes: 0,
        }
    }

    fn take(&mut self, sent: &[Sent]) {
        for sent in sent {
            match sent {
                Sent::IsData(is_data) => self.is_data = *is_data,
                Sent::Bytes(bytes) if self.is_data => bytes.iter().for_each(|byte| self.data(*byte)),
                Sent::Bytes(bytes) => bytes.iter().for_each(|byte| self.command(*byte)),
            }
        }
    }

    fn command(&mut self, command: u8) {
        self.command = Some(command);
        self.arguments.clear();
        match command {
            0x01 => *self = Self { is_data: false, ..Self::new(self.size) },
            0x11 => self.is_awake = true,
            0x20 => self.is_inverted = false,
            0x21 => self.is_inverted = true,
            0x29 => self.is_on = true,
            0x2c => self.at = (self.columns.0, self.rows.0),
            0x13 | 0x2a | 0x2b | 0x36 | 0x3a | 0xb4 | 0xb6 => {}
            other => panic!("a command that nobody expects: {other:#04x}"),
        }
    }

    fn data(&mut self, byte: u8) {
        self.arguments.push(byte);
        let word = |at: usize| u16::from_be_bytes([self.arguments[at], self.arguments[at + 1]]);
        match (self.command, self.arguments.len()) {
            (Some(0x2a), 4) => self.columns = (word(0), word(2)),
            (Some(0x2b), 4) => self.rows = (word(0), word(2)),
            (Some(0x36), 1) => self.address_mode = byte,
            (Some(0x3a), 1) => {
                self.bytes_per_pixel = match byte & 7 {
                    5 => 2,
                    6 => 3,
                    other => panic!("a format that nobody expects: {other}"),
                }
            }
            (Some(0x2c), count) if count == self.bytes_per_pixel => {
                self.pixel_bytes += count;
                let rgb = match self.arguments[..] {
                    [high, low] => {
                        let packed = u16::from_be_bytes([high, low]);
                        [(packed >> 11) as u8, ((packed >> 5) & 63) as u8, (packed & 31) as u8]
                    }
                    _ => [self.arguments[0] >> 2, self.arguments[1] >> 2, self.arguments[2] >> 2],
                };
                self.arguments.clear();
                self.put(rgb);
            }
            _ => {}
        }
    }

    /// One pixel into memory; bits 7, 6 and 5 of the address mode reverse rows, reverse columns, exchange both.
    fn put(&mut self, rgb: [u8; 3]) {
        let (column, row) = self.at;
        let (x, y) = if self.address_mode & 0x20 != 0 { (row, column) } else { (column, row) };
        let (width, height) = (self.size.width as u16, self.size.height as u16);
        let (x, y) = (u32::from(x), u32::from(y));
        assert!(x < width.into() && y < height.into(), "{x} {y}");
        let x = if self.address_mode & 0x40 != 0 { self.size.width - 1 - x } else { x };
        let y = if self.address_mode & 0x80 != 0 { self.size.height - 1 - y } else { y };
        self.glass[(y * self.size.width + x) as usize] = rgb;
        self.at = match (column < self.columns.1, row < self.rows.1) {
            (true, _) => (column + 1, row),
            (false, true) => (self.columns.0, row + 1),
            (false, false) => (self.columns.0, self.rows.0),
        };
    }

    fn at(&self, at: Point) -> [u8; 3] {
        self.glass[at.y as usize * self.size.width as usize + at.x as usize]
    }
}

fn panel(controller: Controller, width: u32, height: u32, rotation: Rotation) -> SpiPanel {
    let line = |line| Line { chip: "/dev/gpiochip0".into(), line, is_active_low: false };
    SpiPanel {
        bus: "/dev/spidev0.0".into(),
        speed_hz: 32_000_000,
        controller,
        size: Size::new(width, height),
        offset: (0, 0),
        rotation,
        is_mirrored: false,
        is_bgr: false,
        is_inverted: false,
        data_command: line(25),
        reset: None,
        backlight: None,
    }
}

fn start(panel: &SpiPanel, wires: &Recorded<Sent>) -> Result<Box<dyn Screen>, crate::PanelError> {
    let wire = Wire::new(Bus(wires.clone()), DataLine(wires.clone()));
    begin(panel, wire, None::<DataLine>, &mut NoDelay, ())
}

/// As many bits of each colour as the panel has.
fn stored(bytes_per_pixel: usize, [r, g, b]: [u8; 3]) -> [u8; 3] {
    let scaled = |value: u8, most: u16| ((u16::from(value) * most + 127) / 255) as u8;
    if bytes_per_pixel == 2 { [scaled(r, 31), scaled(g, 63), scaled(b, 31)] } else { [r, g, b].map(|v| scaled(v, 63)) }
}

/// Whether the glass shows the picture, and how much beside it is still as it was.
fn shows(decoder: &Decoder, panel: &SpiPanel, picture: &Picture<'_>) -> Result<(), String> {
    let part = Rectangle::new(Point::new(panel.offset.0.into(), panel.offset.1.into()), panel.size);
    for at in Rectangle::new(Point::zero(), decoder.size).points() {
        let found = decoder.at(at);
        let expected = match part.contains(at) {
            true => {
                let from = panel.rotation.to_picture(at - part.top_left, panel.size);
                stored(
                    decoder.bytes_per_pixel,
                    picture.pixels[(from.y as u32 * picture.size.width + from.x as u32) as usize],
                )
            }
            false => [0xa5; 3],
        };
        if found != expected {
            return Err(format!("{at}: expected {expected:?}, found {found:?}"));
        }
    }
    Ok(())
}

#[test]
fn golden_pictures_arrive_on_every_controller_however_it_is_mounted() {
    for (controller, width, height, bytes) in [
        (Controller::St7789, 240, 320, 2),
        (Controller::St7789, 240, 240, 2),
        (Controller::Ili9341, 240, 320, 2),
        (Controller::Ili9486, 320, 480, 3),
    ] {
        for rotation in Rotation::ALL {
            let panel = panel(controller, width, height, rotation);
            let size = rotation.picture(panel.size);
            let pixels = eight_ports(size);
            let (wires, picture) = (Recorded::new(), Picture { size, pixels: &pixels });
            let mut screen = start(&panel, &wires).expect("begins");
            screen.show(&picture, &[Rectangle::new(Point::zero(), size)]).expect("shows");
            let sent = wires.take();
            let mut decoder = Decoder::new(controller.memory());
            decoder.take(&sent);
            assert_eq!(shows(&decoder, &panel, &picture), Ok(()), "{controller:?} {rotation:?}");
            assert!(decoder.is_on && decoder.is_awake && !decoder.is_inverted);
            assert_eq!(decoder.bytes_per_pixel, bytes);

            // The control: one byte that is wrong is seen.
            let mut wrong = sent;
            let longest = wrong.iter_mut().rev().find_map(|sent| match sent {
                Sent::Bytes(bytes) if bytes.len() > 100 => Some(bytes),
                _ => None,
            });
            longest.expect("pixels")[50] ^= 0x80;
            let mut decoder = Decoder::new(controller.memory());
            decoder.take(&wrong);
            assert_ne!(shows(&decoder, &panel, &picture), Ok(()), "{controller:?} {rotation:?}");
        }
    }
}

/// A square panel uses the upper part of the controller's memory, and must do so upside down too; others begin further
/// inside.
#[test]
fn the_lit_part_is_where_the_board_says_however_it_is_turned() {
    for (width, height, offset) in [(240, 240, (0, 0)), (240, 240, (0, 80)), (135, 240, (52, 40)), (170, 320, (35, 0))]
    {
        for rotation in Rotation::ALL {
            let panel = SpiPanel { offset, ..panel(Controller::St7789, width, height, rotation) };
            let size = rotation.picture(panel.size);
            let pixels: Vec<[u8; 3]> =
                (0..size.width * size.height).map(|at| [at as u8, (at >> 8) as u8, 99]).collect();
            let (wires, picture) = (Recorded::new(), Picture { size, pixels: &pixels });
            let mut screen = start(&panel, &wires).expect("begins");
            screen.show(&picture, &[Rectangle::new(Point::zero(), size)]).expect("shows");
            let mut decoder = Decoder::new(panel.controller.memory());
            decoder.take(&wires.take());
            assert_eq!(shows(&decoder, &panel, &picture), Ok(()), "{width}x{height} {offset:?} {rotation:?}");
        }
    }
}

#[test]
fn colours_are_what_the_board_says() {
    let wires = Recorded::new();
    let mut panel = panel(Controller::Ili9341, 240, 320, Rotation::None);
    (panel.is_bgr, panel.is_inverted, panel.is_mirrored) = (true, true, true);
    start(&panel, &wires).expect("begins");
    let mut decoder = Decoder::new(panel.controller.memory());
    decoder.take(&wires.take());
    assert!(decoder.is_inverted);
    assert_eq!(decoder.address_mode & 0xe8, 0x48);
}

#[test]
fn only_what_changed_travels_and_the_picture_stays_whole() {
    let panel = panel(Controller::Ili9341, 240, 320, Rotation::Quarter);
    let (size, wires) = (Size::new(320, 240), Recorded::new());
    let mut station = Played::new(size, false, 8);
    let mut screen = start(&panel, &wires).expect("begins");
    let mut decoder = Decoder::new(panel.controller.memory());
    let mut step = |station: &mut Played| {
        let (areas, picture) = station.draw();
        screen.show(&picture, &areas).expect("shows");
        let sent = wires.take();
        let bytes: usize = sent.iter().map(|sent| if let Sent::Bytes(bytes) = sent { bytes.len() } else { 0 }).sum();
        decoder.take(&sent);
        assert_eq!(shows(&decoder, &panel, &picture), Ok(()));
        bytes
    };
    let whole = step(&mut station);
    station.begin();
    step(&mut station);
    // Ten seconds in which all eight get on, shown ten times in each.
    let mut sent_bytes = 0;
    for _ in 0..100 {
        station.go_on();
        sent_bytes += step(&mut station);
    }
    println!("the whole picture: {whole} bytes; ten seconds of progress: {sent_bytes} bytes");
    assert!(whole >= 2 * 320 * 240);
    assert!(sent_bytes > 10_000, "{sent_bytes}: the control");
    // A bus of 32 MHz carries 4 MB in a second; a tenth of that is more than is ever needed.
    assert!(sent_bytes / 10 < 400_000, "{sent_bytes}");
}

#[test]
fn a_bus_that_fails_midway_gets_the_panel_begun_anew() {
    let panel = panel(Controller::Ili9341, 240, 320, Rotation::Quarter);
    let (size, wires) = (Size::new(320, 240), Recorded::new());
    let mut station = Played::new(size, false, 4);
    let mut display = Display::opened_by(Box::new({
        let (panel, wires) = (panel.clone(), wires.clone());
        move || start(&panel, &wires)
    }));
    // At whichever moment it fails.
    for left in [0, 1, 7, 20, 23, 30] {
        wires.break_after(Some(left));
        for at in 0..3u64 {
            let (areas, picture) = station.draw();
            display.show(&picture, &areas, at);
        }
        assert!(!display.is_shown(), "{left}");
        wires.break_after(None);
        wires.take();
        let (areas, picture) = station.draw();
        display.show(&picture, &areas, 10_000);
        assert!(display.is_shown());
        // Without its power it has forgotten everything.
        let mut decoder = Decoder::new(panel.controller.memory());
        decoder.take(&wires.take());
        assert_eq!(shows(&decoder, &panel, &picture), Ok(()), "{left}");
        display = Display::opened_by(Box::new({
            let (panel, wires) = (panel.clone(), wires.clone());
            move || start(&panel, &wires)
        }));
    }
}
