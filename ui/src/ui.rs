// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The panel as a whole: what happens goes in, what is wished and the picture come out. Nothing here has a clock or a
//! file; whoever drives it says how late it is, and sends the areas that changed to the panel.

use std::collections::BTreeMap;

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use platen_events::Event;

use crate::board::Board;
use crate::canvas::{Canvas, Edges, Target};
use crate::font::Fonts;
use crate::form;
use crate::frame::Frame;
use crate::metrics::{Class, Metrics, Panel};
use crate::page::{Action, Body};
use crate::paint::Painter;
use crate::palette::Colour;
use crate::request::{Medium, Request, Row, Settings, Wish};
use crate::scene::{Scene, Shape};
use crate::screen::{Screen, Test};
use crate::station::{Finished, Station};
use crate::words::Catalogue;

/// Without a touch for so long, the whole panel may call.
const CALL_AFTER_MS: u64 = 20_000;
/// A port calls when it has waited so long.
const CALL_AGE_MS: u64 = 10_000;
/// Each port calls for so long before the next one does.
const CALL_EACH_MS: u64 = 4_000;
/// Counts move at most so often.
const CALM_MS: u64 = 500;

/// Nothing has changed for so long: there is less light.
const DIM_AFTER_MS: u64 = 10 * 60 * 1000;
/// That much, of a hundred.
const DIM_PERCENT: u8 = 30;

/// A screen that is open, and where somebody is on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layer {
    pub(crate) screen: Screen,
    pub(crate) page: usize,
    /// Which target; none: where it begins.
    pub(crate) focus: Option<usize>,
}

impl From<Screen> for Layer {
    fn from(screen: Screen) -> Self {
        Self { screen, page: 0, focus: None }
    }
}

/// How much of the picture is out of date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stale {
    Nothing,
    /// Only numbers that count.
    Counts,
    Everything,
}

/// A folder with media that may be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What people call it.
    pub name: String,
    /// As the station sees it.
    pub folder: String,
}

/// The panel.
#[derive(Debug)]
pub struct Ui {
    fonts: Fonts,
    pub(crate) panel: Panel,
    pub(crate) board: Board,
    pub(crate) settings: Settings,
    pub(crate) catalogue: Catalogue,
    pub(crate) station: Station,
    pub(crate) media: Option<Vec<Medium>>,
    pub(crate) rows: Option<Vec<Row>>,
    pub(crate) sources: Vec<Source>,
    pub(crate) finished: Option<Finished>,
    pub(crate) clock: String,
    pub(crate) now_ms: u64,
    pub(crate) layers: Vec<Layer>,
    pub(crate) passed: [Option<bool>; Test::COUNT],
    pub(crate) pending: BTreeMap<u64, Request>,
    last_request: u64,
    pub(crate) wishes: Vec<Wish>,
    pub(crate) touched_ms: u64,
    /// When something changed at the station.
    told_ms: u64,
    pub(crate) changed_ms: u64,
    pub(crate) pressed: Option<Action>,
    pub(crate) shows_focus: bool,
    stale: Stale,
    drawn_ms: u64,
    pub(crate) targets: Vec<Target>,
    scene: Option<Scene>,
    frame: Frame,
}

impl Ui {
    /// A panel that shows nothing yet.
    pub fn new(panel: Panel, board: Board, settings: Settings, is_first_start: bool) -> Self {
        let settings = Settings { brightness: settings.brightness.clamp(20, 100), ..settings };
        let mut station = Station::default();
        station.set_order(board.places.iter().map(|place| place.label.clone()).collect());
        let mut layers = vec![Layer::from(Screen::Home)];
        if is_first_start {
            layers.push(Screen::Languages { is_first: true }.into());
        }
        let mut ui = Self {
            fonts: Fonts::default(),
            panel,
            board,
            settings,
            catalogue: Catalogue::of(settings.language),
            station,
            media: None,
            rows: None,
            sources: Vec::new(),
            finished: None,
            clock: String::new(),
            now_ms: 0,
            layers,
            passed: [None; Test::COUNT],
            pending: BTreeMap::new(),
            last_request: 0,
            wishes: Vec::new(),
            touched_ms: 0,
            told_ms: 0,
            changed_ms: 0,
            pressed: None,
            shows_focus: false,
            stale: Stale::Everything,
            drawn_ms: 0,
            targets: Vec::new(),
            scene: None,
            frame: Frame::new(panel.size),
        };
        ui.look();
        ui
    }

    /// The stream begins anew: what was known of the station is forgotten, and asked again.
    pub fn begin(&mut self) {
        self.station.forget();
        self.pending.clear();
        self.ask(Request::Errand(crate::request::Errand::Media));
        self.look();
    }

    /// Something happened at the station.
    pub fn take(&mut self, event: &Event, now_ms: u64) {
        self.now_ms = self.now_ms.max(now_ms);
        self.told_ms = self.now_ms;
        self.station.take(event, self.now_ms);
        let is_count = matches!(event, Event::Progress { .. } | Event::ActionProgress { .. });
        self.stale = self.stale.max(if is_count { Stale::Counts } else { Stale::Everything });
        match event {
            Event::PortLearnt { .. } => self.learnt(),
            Event::DriveSeen { label, .. } => self.port_tested(&label.port),
            Event::MediumImported { .. } | Event::MediumPresent { .. } => {
                self.ask(Request::Errand(crate::request::Errand::Media));
            }
            _ => {}
        }
        if let Some(finished) = self.station.take_finished() {
            self.finished = Some(finished);
            let is_summed_up = self.layers.iter().any(|layer| layer.screen == Screen::Summary);
            if !is_summed_up {
                self.layers.push(Screen::Summary.into());
            }
        }
        if !is_count {
            self.close_what_is_over();
            self.look();
        }
    }

    /// Time passes. The clock is what people read, such as `14:32`.
    pub fn tick(&mut self, now_ms: u64, clock: &str) {
        let called = self.calls().is_some();
        self.now_ms = self.now_ms.max(now_ms);
        if self.clock != clock {
            clock.clone_into(&mut self.clock);
            self.stale = self.stale.max(Stale::Counts);
        }
        if called || self.calls().is_some() {
            self.stale = Stale::Everything;
            self.look();
        }
    }

    /// Folders with media were found, or are gone.
    pub fn found(&mut self, sources: Vec<Source>) {
        self.sources = sources;
        self.stale = Stale::Everything;
        self.look();
    }

    /// What is to be done outside, in the order in which it was wished.
    pub fn wishes(&mut self) -> Vec<Wish> {
        std::mem::take(&mut self.wishes)
    }

    /// What was chosen at the panel.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Light behind the panel at this moment, of a hundred: as was chosen, and less when nothing has changed for ten minutes
    /// and nobody is asked for.
    pub fn brightness(&self) -> u8 {
        if self.is_dim() { self.settings.brightness.min(DIM_PERCENT) } else { self.settings.brightness }
    }

    pub(crate) fn is_dim(&self) -> bool {
        let is_quiet = self.now_ms >= self.touched_ms.max(self.told_ms) + DIM_AFTER_MS;
        self.panel.has_light && is_quiet && self.station.asking(self.now_ms, 0).is_empty()
    }

    /// The screen that is open.
    pub fn screen(&self) -> &Screen {
        &self.layer().screen
    }

    /// Places that do something at this moment.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// The picture, as it was drawn last.
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// The shapes of the picture, as they were drawn last.
    pub fn scene(&self) -> Option<&Scene> {
        self.scene.as_ref()
    }

    /// Bring the picture up to date. Gives back the areas that changed, which do not overlap.
    pub fn draw(&mut self) -> Vec<Rectangle> {
        let is_calm = self.stale == Stale::Counts && self.now_ms < self.drawn_ms + CALM_MS;
        if self.stale == Stale::Nothing || is_calm {
            return Vec::new();
        }
        let scene = self.look();
        let damage = match &self.scene {
            Some(before) => scene.damage(before, self.panel.size),
            None => vec![Rectangle::new(Point::zero(), self.panel.size)],
        };
        let painter = Painter { fonts: &self.fonts, is_mono: self.panel.is_mono };
        for area in &damage {
            painter.paint(&scene, *area, &mut self.frame);
        }
        self.scene = Some(scene);
        (self.stale, self.drawn_ms) = (Stale::Nothing, self.now_ms);
        damage
    }

    /// The same picture, drawn as if nothing had been there before.
    pub fn redrawn(&self) -> Frame {
        let mut frame = Frame::new(self.panel.size);
        if let Some(scene) = &self.scene {
            let painter = Painter { fonts: &self.fonts, is_mono: self.panel.is_mono };
            painter.paint(scene, Rectangle::new(Point::zero(), self.panel.size), &mut frame);
        }
        frame
    }

    /// Lay out what is to be shown, so that touches and keys meet what is there.
    pub(crate) fn look(&mut self) -> Scene {
        self.stale = self.stale.max(Stale::Counts);
        let page = self.page();
        let metrics = self.metrics();
        let mut canvas = Canvas::new(&self.fonts, metrics, self.settings.is_mirrored, self.pressed.clone());
        form::draw(&page, &mut canvas);
        let is_call = matches!(page.body, Body::Attention(_) | Body::Field(_));
        let (mut scene, targets) = (canvas.scene, canvas.targets);
        self.targets = targets;
        // A place without a ground of its own that could be turned over still shows that it is pressed.
        let pressed = || self.targets.iter().rev().find(|target| Some(&target.action) == self.pressed.as_ref());
        let focused = || self.focus().filter(|_| self.shows_focus).and_then(|index| self.targets.get(index));
        if !is_call && let Some(target) = pressed().or_else(focused) {
            ring(target, &metrics, &mut scene);
        }
        scene
    }

    pub(crate) fn metrics(&self) -> Metrics {
        Metrics::of(self.panel)
    }

    /// Everything is drawn anew.
    pub(crate) fn change(&mut self) {
        self.stale = Stale::Everything;
    }

    pub(crate) fn layer(&self) -> &Layer {
        self.layers.last().unwrap_or(&HOME)
    }

    /// Where the focus is: where it was put, or where the screen begins.
    pub(crate) fn focus(&self) -> Option<usize> {
        let count = self.targets.len();
        match self.layer().focus {
            Some(focus) if focus < count => Some(focus),
            Some(_) => count.checked_sub(1),
            None => self.first_focus(),
        }
    }

    fn first_focus(&self) -> Option<usize> {
        let waits = |label: &String| {
            let of = |action: &Action| match action {
                Action::Open(screen) => matches!(&**screen, Screen::Message(port) if port == label),
                _ => false,
            };
            self.targets.iter().position(|target| of(&target.action))
        };
        let asking = || self.station.asking(self.now_ms, 0).iter().find_map(waits);
        let blue = || self.targets.iter().position(|target| target.is_first);
        let inside = || self.targets.iter().position(|target| target.action != Action::Back);
        let is_home = self.layer().screen == Screen::Home;
        is_home.then(asking).flatten().or_else(blue).or_else(inside).or(self.targets.len().checked_sub(1).map(|_| 0))
    }

    /// The port that the whole panel calls for at this moment.
    pub(crate) fn calls(&self) -> Option<String> {
        let quiet = self.now_ms.checked_sub(self.touched_ms + CALL_AFTER_MS)?;
        let ports = match self.layer().screen {
            Screen::Home | Screen::Message(_) | Screen::Port(_) => self.station.asking(self.now_ms, CALL_AGE_MS),
            _ => return None,
        };
        let turn = (quiet / CALL_EACH_MS) as usize;
        (!ports.is_empty()).then(|| ports[turn % ports.len()].clone())
    }

    pub(crate) fn ask(&mut self, request: Request) {
        self.last_request += 1;
        self.pending.insert(self.last_request, request.clone());
        self.wishes.push(Wish::Ask(self.last_request, request));
    }
}

static HOME: Layer = Layer { screen: Screen::Home, page: 0, focus: None };

/// A ring around what a key would choose.
fn ring(target: &Target, metrics: &Metrics, scene: &mut Scene) {
    let (stroke, away) = match metrics.class {
        Class::Wide | Class::Full | Class::Tall | Class::Half => (3, 2),
        Class::Small | Class::Square => (2, 1),
        Class::Mono => (1, 0),
    };
    let all = Rectangle::new(Point::zero(), metrics.size);
    let line = |area, radius, stroke, colour| Shape::Outline { area, radius, stroke, colour, is_dotted: false };
    let out = target.area.inset(-(away + i32::from(stroke))).intersection(&all);
    if metrics.is_mono() {
        // A line along its edge; where that is lit already, a dark one beside it.
        let area = target.area.intersection(&all);
        let is_lit = |shape: &Shape| match shape {
            Shape::Fill(at, colour) | Shape::Octagon(at, _, colour) => *at == target.area && colour.is_lit(),
            _ => false,
        };
        let inner = scene.shapes.iter().any(is_lit).then(|| line(area.inset(1), 0, 1, Colour::Ink));
        scene.shapes.push(line(area, 0, 1, Colour::Text));
        scene.shapes.extend(inner);
        return;
    }
    let radius = metrics.radius + away as u16 + stroke;
    // On something filled the ring would be lost without ground around it.
    let line =
        |area, radius, stroke, colour| crate::scene::Shape::Outline { area, radius, stroke, colour, is_dotted: false };
    scene.shapes.push(line(
        target.area.inset(-away).intersection(&all),
        metrics.radius + away as u16,
        away as u16,
        Colour::Ground,
    ));
    scene.shapes.push(line(out, radius, stroke, Colour::Text));
}
