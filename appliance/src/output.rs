// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What is printed: the record of this run on standard output with `--json`, text for people otherwise. Progress and
//! errors for people go to standard error.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use platen_events::{Action, Answer, Event, clean};
use platen_station::Failure;

use crate::stream::Stream;

/// The longest line for people, in characters. What is longer was not written by a person.
const MAX_LINE_CHARS: usize = 4000;
/// The longest text in a table or an event.
const MAX_FIELD_CHARS: usize = 1000;
/// How often the progress of an action is told.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// Where everything printed goes through.
pub struct Output {
    /// None: text for people.
    stream: Option<Mutex<Stream>>,
    /// Some result could not be printed.
    lost: AtomicBool,
}

impl Output {
    /// With `json`, the first line is said at once.
    pub fn new(json: bool) -> Self {
        let output = Self { stream: json.then(Mutex::default), lost: AtomicBool::new(false) };
        output.to_stream(|stream| stream.begin());
        output
    }

    pub fn is_json(&self) -> bool {
        self.stream.is_some()
    }

    /// Something that happened. People are told in other words, if at all.
    pub fn event(&self, event: Event) {
        self.to_stream(|stream| stream.event(event));
    }

    /// What was asked for: an event, or `text` for people.
    pub fn answer(&self, answer: Answer, text: impl FnOnce() -> String) {
        self.answers([answer], text);
    }

    /// A listing: an event for each line, or `text` for people.
    pub fn answers(&self, answers: impl IntoIterator<Item = Answer>, text: impl FnOnce() -> String) {
        if self.is_json() {
            answers.into_iter().for_each(|answer| self.event(Event::Answer(Box::new(answer))));
        } else {
            self.text(text);
        }
    }

    /// A result for people, of which the record has the events.
    pub fn text(&self, text: impl FnOnce() -> String) {
        if !self.is_json() {
            let mut out = std::io::stdout().lock();
            self.note_lost(writeln!(out, "{}", lines(&text())).and_then(|()| out.flush()));
        }
    }

    fn to_stream(&self, say: impl FnOnce(&mut Stream) -> std::io::Result<()>) {
        if let Some(stream) = &self.stream {
            // Lines are written in the order of their numbers.
            let mut stream = stream.lock().unwrap_or_else(PoisonError::into_inner);
            self.note_lost(say(&mut stream));
        }
    }

    fn note_lost(&self, written: std::io::Result<()>) {
        match written {
            // Nobody listens any more: `platen cache list | head` is no error.
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => self.lost.store(true, Ordering::Relaxed),
            _ => {}
        }
    }

    /// Not all results arrived where standard output leads: a full disk, a closed terminal.
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Something for people only.
    pub fn say(&self, text: &str) {
        if !self.is_json() {
            let _ = writeln!(std::io::stderr().lock(), "{}", lines(text));
        }
    }

    /// Something that was not as it should be, and stopped nothing.
    pub fn warning(&self, text: &str) {
        self.event(Event::Warning { text: text.to_owned() });
        self.say_indented("platen: warning: ", text);
    }

    /// The end of a run that failed.
    pub fn failure(&self, failure: &Failure) {
        self.event(failure.event());
        self.say_indented("platen: ", &failure.text());
    }

    fn say_indented(&self, before: &str, text: &str) {
        if !self.is_json() {
            let _ = writeln!(std::io::stderr().lock(), "{before}{}", indented(text));
        }
    }

    /// Something that takes a while begins; it is over when the result is dropped. `what` is for people.
    pub fn action(self: &Arc<Self>, action: Action, of: String, what: &'static str) -> RunningAction {
        self.event(Event::ActionStarted { action, of });
        let bar = if self.is_json() || !std::io::stderr().is_terminal() {
            ProgressBar::hidden()
        } else {
            let bar = ProgressBar::new(0).with_style(style("{prefix:<10} {bar:32.cyan/dim} {percent:>3}%  {bytes}"));
            bar.with_prefix(what)
        };
        RunningAction { output: Arc::clone(self), action, bar, told: Mutex::new(None) }
    }
}

/// One long action: a bar on a terminal, events with `--json`.
pub struct RunningAction {
    output: Arc<Output>,
    action: Action,
    bar: ProgressBar,
    /// When its progress was last told.
    told: Mutex<Option<Instant>>,
}

impl RunningAction {
    /// It has come so far.
    pub fn progress(&self, done_bytes: u64, total_bytes: u64) {
        self.bar.set_length(total_bytes);
        self.bar.set_position(done_bytes);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if done_bytes == total_bytes || told.is_none_or(|told| told.elapsed() >= PROGRESS_EVERY) {
            *told = Some(Instant::now());
            self.output.event(Event::ActionProgress { action: self.action, done_bytes, total_bytes });
        }
    }
}

impl Drop for RunningAction {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        self.output.event(Event::ActionEnded { action: self.action });
    }
}

pub fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is part of this program").progress_chars("━╸─")
}

/// A text as part of a line for people.
pub fn field(text: &str) -> String {
    clean(text, MAX_FIELD_CHARS)
}

/// Text of our own making with parts that are not: all of it is made fit to be shown, but for the ends of lines.
fn lines(text: &str) -> String {
    text.split('\n').map(|line| clean(line, MAX_LINE_CHARS)).collect::<Vec<_>>().join("\n")
}

/// The same for messages: no part of one can look like the beginning of another.
fn indented(text: &str) -> String {
    text.split('\n').map(|line| clean(line.trim_start(), MAX_LINE_CHARS)).collect::<Vec<_>>().join("\n        ")
}

/// Bytes for people: binary units, one decimal.
pub fn human_bytes(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}

/// A table for people; columns are as wide as their widest cell.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let fit = |row: &Vec<String>| row.iter().map(|cell| field(cell)).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(fit).collect();
    let widths: Vec<usize> = (0..header.len())
        .map(|at| rows.iter().map(|row| row[at].chars().count()).chain([header[at].chars().count()]).max().unwrap_or(0))
        .collect();
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let rule = widths.iter().map(|width| "─".repeat(*width)).collect::<Vec<_>>().join("──");
    let body = rows.iter().map(|row| line(row.iter().map(String::as_str).collect()));
    [line(header.to_vec()), rule].into_iter().chain(body).collect::<Vec<_>>().join("\n")
}
