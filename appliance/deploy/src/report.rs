// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! How far a task sequence is, for whoever stands before the computer: every step as a line, the one that runs with its
//! bar and the time that is left of it.

use std::time::{Duration, Instant};

use platen_deploy::engine::carry::Report;
use platen_deploy::engine::log::Level;
use platen_deploy::engine::machine::Progress;

use crate::screen::{Mark, Screen};

/// Often enough to be seen moving, seldom enough for a serial line.
const EVERY: Duration = Duration::from_millis(500);
/// Characters of the bar.
const BAR: usize = 20;
/// Before so much of the time has gone by, nobody knows how long it takes.
const ESTIMATE_AFTER: Duration = Duration::from_secs(3);

/// Lines on a screen.
pub(crate) struct Lines<'s, 'c> {
    screen: &'s mut Screen<'c>,
    step: (usize, usize),
    /// What is going on, since when, and when it was shown last.
    doing: Option<(String, Instant, Instant)>,
}

impl<'s, 'c> Lines<'s, 'c> {
    pub(crate) fn on(screen: &'s mut Screen<'c>) -> Self {
        Self { screen, step: (0, 0), doing: None }
    }

    fn title(&self) -> String {
        let (number, of) = self.step;
        format!("Step {number}/{of}")
    }
}

impl Report for Lines<'_, '_> {
    fn begins(&mut self, number: usize, of: usize, _: &str, name: &str) {
        self.step = (number, of);
        self.doing = None;
        self.screen.progress(&self.title(), name);
    }

    fn progress(&mut self, what: &str, progress: Progress) {
        let now = Instant::now();
        let is_done = progress.done_bytes == progress.total_bytes;
        let (since, last) = match &self.doing {
            Some((known, since, last)) if known == what => (*since, Some(*last)),
            _ => (now, None),
        };
        if !is_done && last.is_some_and(|last| now - last < EVERY) {
            return;
        }
        self.doing = Some((what.to_owned(), since, now));
        let text = bar(what, progress, now - since);
        self.screen.progress(&self.title(), &text);
    }

    fn ended(&mut self, level: Level, path: &str, detail: &str) {
        self.doing = None;
        let mark = match level {
            Level::Information => Mark::Ok,
            Level::Warning => Mark::Note,
            Level::Error => Mark::Stop,
        };
        let title = self.title();
        self.screen.step(mark, &title, &format!("{path}: {detail}"));
    }
}

/// `[##########----------]  47 %  applying the image, about 9 min left`
fn bar(what: &str, progress: Progress, took: Duration) -> String {
    let Progress { done_bytes, total_bytes } = progress;
    if total_bytes == 0 {
        return format!("{what}, {} MiB", done_bytes >> 20);
    }
    let share = (done_bytes as f64 / total_bytes as f64).clamp(0.0, 1.0);
    let full = (share * BAR as f64) as usize;
    let bar = format!("{}{}", "#".repeat(full), "-".repeat(BAR - full));
    let left = match took > ESTIMATE_AFTER && share > 0.01 && share < 1.0 {
        true => format!(", {} left", about(took.mul_f64((1.0 - share) / share))),
        false => String::new(),
    };
    format!("[{bar}] {:>3.0} %  {what}{left}", share * 100.0)
}

fn about(left: Duration) -> String {
    match left.as_secs() {
        seconds @ 0..60 => format!("about {} s", seconds.next_multiple_of(5).max(5)),
        seconds => format!("about {} min", seconds.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::tests::Typist;

    #[test]
    fn a_bar_says_how_far_and_how_long() {
        let shown = |done_bytes, took_s| {
            bar("applying", Progress { done_bytes, total_bytes: 200 }, Duration::from_secs(took_s))
        };
        assert_eq!(shown(0, 0), "[--------------------]   0 %  applying");
        assert_eq!(shown(100, 2), "[##########----------]  50 %  applying");
        assert_eq!(shown(50, 12), "[#####---------------]  25 %  applying, about 40 s left");
        assert_eq!(shown(20, 90), "[##------------------]  10 %  applying, about 14 min left");
        assert_eq!(shown(200, 90), "[####################] 100 %  applying");
        assert_eq!(shown(400, 90), "[####################] 100 %  applying", "more than was said");
        let unknown = Progress { done_bytes: 3 << 20, total_bytes: 0 };
        assert_eq!(bar("reading", unknown, Duration::ZERO), "reading, 3 MiB");
    }

    #[test]
    fn each_step_is_a_line_with_how_it_went() {
        let mut typist = Typist::default();
        let mut screen = Screen::new(&mut typist);
        let mut lines = Lines::on(&mut screen);
        lines.begins(2, 9, "Install / Apply", "Apply");
        lines.progress("applying", Progress { done_bytes: 1, total_bytes: 2 });
        lines.progress("applying", Progress { done_bytes: 1, total_bytes: 2 });
        lines.ended(Level::Warning, "Install / Apply", "failed with code 7, and the sequence goes on");
        let shown = typist.shown;
        assert_eq!(shown.matches(" 50 % ").count(), 1, "not more often than it can be seen: {shown:?}");
        assert!(shown.contains("Step 2/9") && shown.contains("[NOTE]") && shown.contains("code 7"), "{shown:?}");
    }
}
