// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A panel that is kept shown. Whatever goes wrong with it, the station goes on; it is opened again, and gets the whole
//! picture then.

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::{Picture, Screen, damage};
use crate::board::Panel;
use crate::error::PanelError;

/// How long until a panel that could not be opened is tried again.
const AGAIN_MS: u64 = 1000;
/// How often a panel is asked whether it is still there.
const CHECK_MS: u64 = 500;

type Open = Box<dyn FnMut() -> Result<Box<dyn Screen>, PanelError> + Send>;

/// The board's panel.
pub struct Display {
    open: Open,
    screen: Option<Box<dyn Screen>>,
    /// When it is opened or asked next.
    next_ms: u64,
    /// What was said of it last, which is not said again.
    said: String,
}

impl std::fmt::Debug for Display {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Display").field("is_shown", &self.is_shown()).finish_non_exhaustive()
    }
}

impl Display {
    /// The panel that a board has. It is opened with the first picture.
    pub fn new(panel: Panel) -> Self {
        Self::opened_by(Box::new(move || super::open(&panel)))
    }

    pub(super) fn opened_by(open: Open) -> Self {
        Self { open, screen: None, next_ms: 0, said: String::new() }
    }

    /// Whether anybody can see the picture.
    pub fn is_shown(&self) -> bool {
        self.screen.is_some()
    }

    /// These areas of the picture have changed since the last time; maybe none.
    pub fn show(&mut self, picture: &Picture<'_>, areas: &[Rectangle], now_ms: u64) {
        if let Err(error) = self.try_to_show(picture, areas, now_ms) {
            self.screen = None;
            self.next_ms = now_ms + AGAIN_MS;
            let text = error.chain();
            if self.said != text {
                tracing::warn!("nothing is shown on the panel: {text}");
                self.said = text;
            }
        }
    }

    fn try_to_show(&mut self, picture: &Picture<'_>, areas: &[Rectangle], now_ms: u64) -> Result<(), PanelError> {
        let is_time = now_ms >= self.next_ms;
        match &mut self.screen {
            Some(screen) => {
                if is_time {
                    self.next_ms = now_ms + CHECK_MS;
                    screen.check()?;
                }
                let areas = damage::within(areas, picture.size);
                if !areas.is_empty() {
                    screen.show(picture, &areas)?;
                }
            }
            None if is_time => {
                let mut screen = (self.open)()?;
                screen.show(picture, &[Rectangle::new(Point::zero(), picture.size)])?;
                self.screen = Some(screen);
                self.next_ms = now_ms + CHECK_MS;
                tracing::info!("the panel shows the picture");
                self.said.clear();
            }
            None => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;
    use std::sync::{Arc, Mutex};

    /// What was asked of the screen: so many areas shown, or opened.
    #[derive(Debug, PartialEq, Eq)]
    enum Asked {
        Open,
        Show(Vec<Rectangle>),
        Check,
    }

    #[derive(Default)]
    struct Bench {
        asked: Vec<Asked>,
        is_broken: bool,
    }

    struct Played(Arc<Mutex<Bench>>);

    fn broken() -> PanelError {
        PanelError::NoDisplay { card: PathBuf::from("card0"), connector: "HDMI-A-1".to_owned() }
    }

    impl Played {
        fn ask(&self, asked: Asked) -> Result<(), PanelError> {
            let mut bench = self.0.lock().expect("whole");
            bench.asked.push(asked);
            if bench.is_broken { Err(broken()) } else { Ok(()) }
        }
    }

    impl Screen for Played {
        fn show(&mut self, _: &Picture<'_>, areas: &[Rectangle]) -> Result<(), PanelError> {
            self.ask(Asked::Show(areas.to_vec()))
        }

        fn check(&mut self) -> Result<(), PanelError> {
            self.ask(Asked::Check)
        }
    }

    #[test]
    fn a_panel_that_was_gone_gets_the_whole_picture() {
        let bench = Arc::new(Mutex::new(Bench::default()));
        let opens = Arc::clone(&bench);
        let mut display = Display::opened_by(Box::new(move || {
            Played(Arc::clone(&opens)).ask(Asked::Open)?;
            Ok(Box::new(Played(Arc::clone(&opens))))
        }));
        let size = Size::new(8, 4);
        let picture = Picture { size, pixels: &[[0; 3]; 32] };
        let (all, part) = (Rectangle::new(Point::zero(), size), Rectangle::new(Point::new(1, 1), Size::new(2, 2)));
        let taken = || std::mem::take(&mut bench.lock().expect("whole").asked);
        let breaks = |is_broken| bench.lock().expect("whole").is_broken = is_broken;

        display.show(&picture, &[part], 10);
        assert_eq!(taken(), [Asked::Open, Asked::Show(vec![all])]);
        display.show(&picture, &[part], 20);
        display.show(&picture, &[], 30);
        assert_eq!(taken(), [Asked::Show(vec![part])]);
        display.show(&picture, &[], 510);
        assert_eq!(taken(), [Asked::Check]);

        // It fails while it is drawn; it is not tried again at once.
        breaks(true);
        display.show(&picture, &[part], 600);
        assert_eq!((taken(), display.is_shown()), (vec![Asked::Show(vec![part])], false));
        display.show(&picture, &[part], 1599);
        assert_eq!(taken(), []);
        display.show(&picture, &[], 1600);
        assert_eq!(taken(), [Asked::Open]);
        breaks(false);
        display.show(&picture, &[], 2600);
        assert_eq!((taken(), display.is_shown()), (vec![Asked::Open, Asked::Show(vec![all])], true));
    }
}
