// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A display at a graphics card: one buffer in memory that the card shows, without a desktop (`man 7 drm-kms`). What
//! changed is written into it and told to the card, which matters where the picture is sent on (virtual cards, USB, SPI).

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use ::drm::buffer::{Buffer, DrmFourcc};
use ::drm::control::dumbbuffer::DumbBuffer;
use ::drm::control::{ClipRect, Device, Mode, ModeFlags, ModeTypeFlags, connector, crtc, framebuffer};
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::memory::{Format, Layout};
use super::modes::{Offer, choose};
use super::{Picture, Screen};
use crate::board::DrmPanel;
use crate::error::PanelError;

/// Where the kernel has its cards.
const CARDS: &str = "/dev/dri";

struct Card {
    file: File,
    path: PathBuf,
}

impl AsFd for Card {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl ::drm::Device for Card {}
impl Device for Card {}

impl Card {
    fn open(path: &Path) -> Result<Self, PanelError> {
        let opened = OpenOptions::new().read(true).write(true).open(path);
        let failed = |source| PanelError::Device { path: path.to_owned(), what: "the card can't be opened", source };
        Ok(Self { file: opened.map_err(failed)?, path: path.to_owned() })
    }

    fn failed(&self, what: &'static str) -> impl FnOnce(io::Error) -> PanelError {
        let path = self.path.clone();
        move |source| PanelError::Device { path, what, source }
    }

    /// The connector of this name with a display at it, or the first one that has any.
    fn connected(&self, name: Option<&str>) -> Option<connector::Info> {
        let handles = self.resource_handles().ok()?;
        let known = handles.connectors().iter().filter_map(|handle| self.get_connector(*handle, true).ok());
        let named = known.filter(|info| name.is_none_or(|name| info.to_string() == name));
        // Some can't tell whether anything is attached; they come last.
        named.filter(is_attached).min_by_key(|info| info.state() != connector::State::Connected)
    }

    /// What sends the picture to this connector: what does so already, or any that can.
    fn crtc(&self, connector: &connector::Info) -> Option<crtc::Handle> {
        let handles = self.resource_handles().ok()?;
        let encoder = |handle| self.get_encoder(handle).ok();
        let now = connector.current_encoder().and_then(encoder).and_then(|encoder| encoder.crtc());
        let possible = || {
            let encoders = connector.encoders().iter().filter_map(|handle| encoder(*handle));
            encoders.flat_map(|encoder| handles.filter_crtcs(encoder.possible_crtcs())).next()
        };
        now.or_else(possible)
    }

    fn buffer(&self, size: Size, format: Format) -> io::Result<(DumbBuffer, framebuffer::Handle)> {
        let (fourcc, depth, bits) = match format {
            Format::Xrgb8888 => (DrmFourcc::Xrgb8888, 24, 32),
            Format::Rgb565 => (DrmFourcc::Rgb565, 16, 16),
        };
        let buffer = self.create_dumb_buffer((size.width, size.height), fourcc, bits)?;
        let framebuffer = self.add_framebuffer(&buffer, depth, bits)?;
        Ok((buffer, framebuffer))
    }
}

/// The display that shows the picture. With it the card is closed, and the kernel takes back everything.
pub(super) struct DrmScreen {
    card: Card,
    connector: connector::Handle,
    /// As people call it.
    name: String,
    buffer: DumbBuffer,
    framebuffer: framebuffer::Handle,
    layout: Layout,
    /// The card wants to know what changed.
    is_told: bool,
}

impl DrmScreen {
    pub(super) fn open(panel: &DrmPanel) -> Result<Self, PanelError> {
        let cards = match &panel.card {
            Some(card) => vec![card.clone()],
            None => cards(),
        };
        let mut last = PanelError::NoDisplay {
            card: panel.card.clone().unwrap_or_else(|| CARDS.into()),
            connector: panel.connector.clone().unwrap_or_else(|| "any connector".to_owned()),
        };
        for path in cards {
            match Card::open(&path) {
                Ok(card) => {
                    if let Some(connector) = card.connected(panel.connector.as_deref()) {
                        return Self::show_on(card, &connector, panel);
                    }
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn show_on(card: Card, connector: &connector::Info, panel: &DrmPanel) -> Result<Self, PanelError> {
        let name = connector.to_string();
        let offers: Vec<Offer> = connector.modes().iter().map(offer).collect();
        let Some(mode) = choose(&offers, panel.size).and_then(|place| connector.modes().get(place)) else {
            let sizes: Vec<String> = offers.iter().map(|o| format!("{}x{}", o.size.width, o.size.height)).collect();
            let (Size { width, height }, found) = (panel.size, sizes.join(" "));
            return Err(PanelError::NoMode { connector: name, width, height, found });
        };
        let size = offer(mode).size;
        let crtc = card.crtc(connector).ok_or_else(|| {
            let source = io::Error::new(io::ErrorKind::NotFound, "the card has no CRTC for it");
            card.failed("the display can't be fed")(source)
        })?;
        let try_format = |format| card.buffer(size, format).map(|made| (format, made));
        // Where pixels of four bytes can't be shown, two bytes are all there is.
        let made = try_format(Format::Xrgb8888).or_else(|_| try_format(Format::Rgb565));
        let (format, (buffer, framebuffer)) = made.map_err(card.failed("no memory for a picture"))?;
        let free = size - panel.size;
        let part = Rectangle::new(Point::new(free.width as i32 / 2, free.height as i32 / 2), panel.size);
        let pitch_bytes = buffer.pitch() as usize;
        let layout = Layout { format, pitch_bytes, size, part, rotation: panel.rotation };
        let set = card.set_crtc(crtc, Some(framebuffer), (0, 0), &[connector.handle()], Some(*mode));
        set.map_err(card.failed("the picture can't be shown; another program may show something"))?;
        let connector = connector.handle();
        Ok(Self { card, connector, name, buffer, framebuffer, layout, is_told: true })
    }
}

impl Screen for DrmScreen {
    fn show(&mut self, picture: &Picture<'_>, areas: &[Rectangle]) -> Result<(), PanelError> {
        let failed = self.card.failed("the picture can't be written");
        let mut mapped = self.card.map_dumb_buffer(&mut self.buffer).map_err(failed)?;
        let placed = self.layout.copy(picture, areas, &mut mapped);
        drop(mapped);
        if !self.is_told {
            return Ok(());
        }
        let clip = |area: &Rectangle| {
            let (start, end) = (area.top_left, area.top_left + area.size);
            // A mode's width and height have 16 bits.
            ClipRect::new(start.x as u16, start.y as u16, end.x as u16, end.y as u16)
        };
        let clips: Vec<ClipRect> = placed.iter().map(clip).collect();
        match self.card.dirty_framebuffer(self.framebuffer, &clips) {
            Ok(()) => Ok(()),
            // Cards that read the memory all the time have no use for it.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                self.is_told = false;
                Ok(())
            }
            Err(error) => Err(self.card.failed("what changed can't be told")(error)),
        }
    }

    fn check(&mut self) -> Result<(), PanelError> {
        let found = self.card.get_connector(self.connector, false);
        let is_there = found.is_ok_and(|info| is_attached(&info));
        let gone = || PanelError::NoDisplay { card: self.card.path.clone(), connector: self.name.clone() };
        is_there.then_some(()).ok_or_else(gone)
    }
}

fn is_attached(connector: &connector::Info) -> bool {
    connector.state() != connector::State::Disconnected && !connector.modes().is_empty()
}

/// All cards, the first one first. Those that only compute have another name.
fn cards() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(CARDS).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_card = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("card"));
    let mut cards: Vec<PathBuf> = entries.filter(is_card).collect();
    cards.sort();
    cards
}

fn offer(mode: &Mode) -> Offer {
    let (width, height) = mode.size();
    Offer {
        size: Size::new(width.into(), height.into()),
        refresh_hz: mode.vrefresh(),
        is_preferred: mode.mode_type().contains(ModeTypeFlags::PREFERRED),
        is_interlaced: mode.flags().contains(ModeFlags::INTERLACE),
    }
}
