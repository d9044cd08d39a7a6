//! What is printed: JSON lines on standard output with `--json`, text for people otherwise. Progress and errors for
//! people go to standard error.

use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use platen_events::{DriveRef, Event, Outcome, Step, clean, is_plain};
use serde::Serialize;

use crate::exit::Failure;

/// The longest line for people, in characters. What is longer was not written by a person.
const MAX_LINE_CHARS: usize = 4000;
/// The longest text in a table or an event.
const MAX_FIELD_CHARS: usize = 1000;

/// Where everything printed goes through.
pub struct Output {
    json: bool,
    /// Some result could not be printed.
    lost: AtomicBool,
}

impl Output {
    pub fn new(json: bool) -> Self {
        Self { json, lost: AtomicBool::new(false) }
    }

    pub fn is_json(&self) -> bool {
        self.json
    }

    /// A result: `value` as one line of JSON, or `text` for people.
    pub fn result(&self, value: &impl Serialize, text: impl FnOnce() -> String) {
        let line = if self.json {
            ascii_where_hidden(&serde_json::to_string(value).expect("results have only strings, numbers and lists"))
        } else {
            lines(&text())
        };
        self.print(&line);
    }

    /// One line on standard output, now.
    fn print(&self, line: &str) {
        let mut out = std::io::stdout().lock();
        match writeln!(out, "{line}").and_then(|()| out.flush()) {
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
        if !self.json {
            let _ = writeln!(std::io::stderr().lock(), "{}", lines(text));
        }
    }

    /// Something that was not as it should be, and stopped nothing.
    pub fn warning(&self, text: &str) {
        if self.json {
            self.print(&ascii_where_hidden(&serde_json::json!({ "event": "warning", "text": text }).to_string()));
        } else {
            let _ = writeln!(std::io::stderr().lock(), "platen: warning: {}", indented(text));
        }
    }

    /// The end of a run that failed.
    pub fn failure(&self, failure: &Failure) {
        let text = failure.text();
        if self.json {
            let value = serde_json::json!({ "event": "error", "exit": failure.exit as u8, "error": text });
            self.print(&ascii_where_hidden(&value.to_string()));
        } else {
            let _ = writeln!(std::io::stderr().lock(), "platen: {}", indented(&text));
        }
    }

    /// A bar for one long action, drawn only on a terminal.
    pub fn bar(&self, what: &str) -> ProgressBar {
        if self.json || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new(0).with_style(style("{prefix:<10} {bar:32.cyan/dim} {percent:>3}%  {bytes}"));
        bar.with_prefix(what.to_owned())
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is part of this program").progress_chars("━╸─")
}

/// Text of our own making with parts that are not: all of it is made fit to be shown, but for the ends of lines.
fn lines(text: &str) -> String {
    text.split('\n').map(|line| clean(line, MAX_LINE_CHARS)).collect::<Vec<_>>().join("\n")
}

/// The same for messages: no part of one can look like the beginning of another.
fn indented(text: &str) -> String {
    text.split('\n').map(|line| clean(line.trim_start(), MAX_LINE_CHARS)).collect::<Vec<_>>().join("\n        ")
}

/// JSON says the same with escapes.
fn ascii_where_hidden(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if is_plain(c) {
            escaped.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                escaped += &format!("\\u{unit:04x}");
            }
        }
    }
    escaped
}

/// Shows the events of many drives at once: one bar for each, or one line for each step where there is no terminal.
pub struct DriveBoard {
    output: Arc<Output>,
    /// What a drive is called that came out right.
    verdict: &'static str,
    bars: MultiProgress,
    drives: Mutex<HashMap<DriveRef, ProgressBar>>,
    terminal: bool,
}

impl DriveBoard {
    pub fn new(output: Arc<Output>, drives: &[DriveRef], verdict: &'static str) -> Self {
        let terminal = !output.is_json() && std::io::stderr().is_terminal();
        let bars = MultiProgress::new();
        let width = drives.iter().map(|drive| drive.port.chars().count()).max().unwrap_or(0).min(24);
        let bar = |drive: &DriveRef| {
            let template = "  {prefix} {msg:<9} {bar:32.cyan/dim} {percent:>3}%  {bytes:>11} {bytes_per_sec:>12}";
            let bar = if terminal { bars.add(ProgressBar::new(0)) } else { ProgressBar::hidden() };
            let bar =
                bar.with_style(style(template)).with_prefix(format!("{:<width$}", clean(&drive.port, MAX_FIELD_CHARS)));
            (drive.clone(), bar.with_message("waiting"))
        };
        let drives = drives.iter().map(bar).collect();
        Self { output, verdict, bars, drives: Mutex::new(drives), terminal }
    }

    pub fn show(&self, event: &Event) {
        if self.output.json {
            self.output.result(event, String::new);
            return;
        }
        let drives = self.drives.lock().unwrap_or_else(PoisonError::into_inner);
        let field = |text: &str| clean(text, MAX_FIELD_CHARS);
        let line = match event {
            Event::Started { drive, step, total_bytes } => {
                if let Some(bar) = drives.get(drive) {
                    bar.set_length(*total_bytes);
                    bar.reset();
                    bar.set_message(step_name(*step));
                }
                format!("{}: {}", field(&drive.port), step_name(*step))
            }
            Event::Progress { drive, done_bytes, total_bytes, .. } => {
                if let Some(bar) = drives.get(drive) {
                    bar.set_length(*total_bytes);
                    bar.set_position(*done_bytes);
                }
                return;
            }
            Event::Notice { drive, text } => {
                let line = format!("{}: {}", field(&drive.port), field(text));
                if self.terminal {
                    let _ = self.bars.println(line);
                    return;
                }
                line
            }
            Event::Retrying { drive, code, detail } => {
                let line = format!("{}: {code}, begun anew\n  ({})", field(&drive.port), field(detail));
                if self.terminal {
                    let _ = self.bars.println(line);
                    return;
                }
                line
            }
            Event::Finished { drive, outcome } => {
                if let Some(bar) = drives.get(drive) {
                    bar.finish_with_message(match outcome {
                        Outcome::Ready { .. } => self.verdict,
                        Outcome::Failed { .. } => "FAILED",
                    });
                }
                match outcome {
                    Outcome::Ready { .. } => format!("{}: {}", field(&drive.port), self.verdict),
                    Outcome::Failed { code, detail } => {
                        let (sentence, detail) = (code.sentence(&field(&drive.port)), field(detail));
                        if self.terminal {
                            let _ = self.bars.println(format!("{sentence}\n  ({detail})"));
                            return;
                        }
                        format!("{sentence}\n  ({detail})")
                    }
                }
            }
        };
        if !self.terminal {
            self.output.say(&line);
        }
    }
}

fn step_name(step: Step) -> &'static str {
    match step {
        Step::Prepare => "preparing",
        Step::Write => "writing",
        Step::Verify => "reading back",
        Step::Seal => "sealing",
    }
}

/// Bytes for people: binary units, one decimal.
pub fn human_bytes(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}

/// A table for people; columns are as wide as their widest cell.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let fit = |row: &Vec<String>| row.iter().map(|cell| clean(cell, MAX_FIELD_CHARS)).collect();
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
