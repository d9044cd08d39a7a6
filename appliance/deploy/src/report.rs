// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! How far a task sequence is, for whoever stands before the computer: a page on screens that are large enough; elsewhere
//! every step as a line, the one that runs with its bar and the time that is left of it.

use std::time::{Duration, Instant};

use platen_deploy::engine::carry::Report;
use platen_deploy::engine::log::Level;
use platen_deploy::engine::machine::Progress;

use crate::full_page::{Doing, about};
use crate::screen::{Mark, Screen};

/// Often enough to be seen moving, seldom enough for a serial line.
const EVERY: Duration = Duration::from_millis(500);
/// Characters of the bar.
const BAR: usize = 20;
/// Before so much of the time has gone by, nobody knows how long it takes.
const ESTIMATE_AFTER: Duration = Duration::from_secs(3);

/// A page, and lines.
pub(crate) struct Lines<'s, 'c> {
    screen: &'s mut Screen<'c>,
    page: Doing,
    step: (usize, usize),
    /// What is going on, since when, and when it was shown last.
    doing: Option<(String, Instant, Instant)>,
}

impl<'s, 'c> Lines<'s, 'c> {
    /// `page` has what does not change: the medium and whose computers these are.
    pub(crate) fn on(screen: &'s mut Screen<'c>, page: Doing) -> Self {
        Self { screen, page, step: (0, 0), doing: None }
    }

    fn title(&self) -> String {
        match self.step {
            // Before the first step others may have been passed over.
            (0, _) => "Sequence".to_owned(),
            (number, of) => format!("Step {number}/{of}"),
        }
    }
}

impl Report for Lines<'_, '_> {
    fn begins(&mut self, number: usize, of: usize, _: &str, name: &str) {
        self.step = (number, of);
        self.doing = None;
        self.page =
            Doing { step: (number, of), step_name: name.to_owned(), share: None, left: None, ..self.page.clone() };
        self.screen.show(&self.page.page());
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
        let left = left(progress, now - since);
        let share = (progress.total_bytes > 0).then(|| (what.to_owned(), share(progress)));
        self.page = Doing { share, left, ..self.page.clone() };
        self.screen.show(&self.page.page());
        self.screen.progress(&self.title(), &bar(what, progress, left));
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

fn share(progress: Progress) -> f64 {
    (progress.done_bytes as f64 / progress.total_bytes.max(1) as f64).clamp(0.0, 1.0)
}

/// How long it still takes, if it goes on as so far.
fn left(progress: Progress, took: Duration) -> Option<Duration> {
    let share = share(progress);
    (took > ESTIMATE_AFTER && share > 0.01 && share < 1.0).then(|| took.mul_f64((1.0 - share) / share))
}

/// `[##########----------]  47 %  applying the image, about 9 min left`
fn bar(what: &str, progress: Progress, left: Option<Duration>) -> String {
    if progress.total_bytes == 0 {
        return format!("{what}, {} MiB", progress.done_bytes >> 20);
    }
    let share = share(progress);
    let full = (share * BAR as f64) as usize;
    let bar = format!("{}{}", "#".repeat(full), "-".repeat(BAR - full));
    let left = left.map_or_else(String::new, |left| format!(", {} left", about(left)));
    format!("[{bar}] {:>3.0} %  {what}{left}", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::tests::Typist;

    #[test]
    fn a_bar_says_how_far_and_how_long() {
        let shown = |done_bytes, took_s| {
            let progress = Progress { done_bytes, total_bytes: 200 };
            bar("applying", progress, left(progress, Duration::from_secs(took_s)))
        };
        assert_eq!(shown(0, 0), "[--------------------]   0 %  applying");
        assert_eq!(shown(100, 2), "[##########----------]  50 %  applying");
        assert_eq!(shown(50, 12), "[#####---------------]  25 %  applying, about 40 s left");
        assert_eq!(shown(20, 90), "[##------------------]  10 %  applying, about 14 min left");
        assert_eq!(shown(200, 90), "[####################] 100 %  applying");
        assert_eq!(shown(400, 90), "[####################] 100 %  applying", "more than was said");
        let unknown = Progress { done_bytes: 3 << 20, total_bytes: 0 };
        assert_eq!(bar("reading", unknown, None), "reading, 3 MiB");
    }

    fn page() -> Doing {
        Doing {
            name: "Windows 11 Office".to_owned(),
            version: "24.11.2".to_owned(),
            organisation: String::new(),
            medium: String::new(),
            step: (0, 0),
            step_name: String::new(),
            share: None,
            left: None,
        }
    }

    #[test]
    fn screens_have_a_page_and_serial_lines_their_lines() {
        for (size, has_page) in [(Some((80, 25)), true), (Some((79, 25)), false), (None, false)] {
            let mut typist = Typist { screen_size: size, ..Typist::default() };
            let mut screen = Screen::new(&mut typist);
            let mut lines = Lines::on(&mut screen, page());
            lines.begins(2, 9, "Install / Apply", "Apply");
            lines.progress("applying", Progress { done_bytes: 1, total_bytes: 2 });
            lines.ended(Level::Information, "Install / Apply", "done");
            screen.leave_page();
            screen.line("afterwards");
            assert_eq!(typist.on_screens.contains("Step 2 of 9"), has_page, "{size:?}");
            assert_eq!(typist.on_screens.contains("[ OK ]"), !has_page, "{size:?}");
            assert!(typist.shown.contains("Step 2/9") && !typist.shown.contains("\x1b]P"), "{:?}", typist.shown);
            assert!(typist.on_screens.contains("afterwards"), "lines come back");
        }
    }

    #[test]
    fn each_step_is_a_line_with_how_it_went() {
        let mut typist = Typist::default();
        let mut screen = Screen::new(&mut typist);
        let mut lines = Lines::on(&mut screen, page());
        lines.begins(2, 9, "Install / Apply", "Apply");
        lines.progress("applying", Progress { done_bytes: 1, total_bytes: 2 });
        lines.progress("applying", Progress { done_bytes: 1, total_bytes: 2 });
        lines.ended(Level::Warning, "Install / Apply", "failed with code 7, and the sequence goes on");
        let shown = typist.shown;
        assert_eq!(shown.matches(" 50 % ").count(), 1, "not more often than it can be seen: {shown:?}");
        assert!(shown.contains("Step 2/9") && shown.contains("[NOTE]") && shown.contains("code 7"), "{shown:?}");
    }
}
