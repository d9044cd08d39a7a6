// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Many drives at once, for people: one bar for each, or one line for each step where there is no terminal. All that is
//! drawn comes from the record.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{MultiProgress, ProgressBar};
use platen_events::{DriveId, DriveLabel, Event, JobEnd, JobId, StationState};

use crate::output::{Output, field, style};

/// Follows the jobs of a batch.
pub struct DriveBoard {
    output: Arc<Output>,
    /// None where there is no terminal.
    bars: Option<MultiProgress>,
    shown: Mutex<Shown>,
}

#[derive(Default)]
struct Shown {
    state: StationState,
    bars: HashMap<DriveId, ProgressBar>,
}

impl DriveBoard {
    /// Shows `drives`, which nobody has said anything of yet.
    pub fn new(output: Arc<Output>, drives: &[(DriveId, DriveLabel)]) -> Self {
        let terminal = !output.is_json() && std::io::stderr().is_terminal();
        let board = Self { output, bars: terminal.then(MultiProgress::new), shown: Mutex::default() };
        let width = drives.iter().map(|(_, label)| label.port.chars().count()).max().unwrap_or(0).min(24);
        let mut shown = board.shown.lock().unwrap_or_else(PoisonError::into_inner);
        for (drive, label) in drives {
            if let Some(bars) = &board.bars {
                let template = "  {prefix} {msg:<9} {bar:32.cyan/dim} {percent:>3}%  {bytes:>11} {bytes_per_sec:>12}";
                let bar = bars.add(ProgressBar::new(0)).with_style(style(template));
                let bar = bar.with_prefix(format!("{:<width$}", field(&label.port))).with_message("waiting");
                shown.bars.insert(drive.clone(), bar);
            }
            let seen = Event::DriveSeen { drive: drive.clone(), label: label.clone() };
            shown.state.apply(&seen).expect("a drive can always be seen");
        }
        drop(shown);
        board
    }

    /// Called from all jobs' threads.
    pub fn show(&self, event: Event) {
        if self.output.is_json() {
            return self.output.event(event);
        }
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(illegal) = shown.state.apply(&event) {
            tracing::error!(%illegal, ?event, "this can't happen");
            return;
        }
        match &event {
            Event::StepStarted { job, step, .. } => {
                if let Some(bar) = shown.bar(*job) {
                    bar.reset();
                    bar.set_length(shown.total_bytes(*job));
                    bar.set_message(step.to_string());
                }
                self.line(shown.port(*job), &step.to_string(), false);
            }
            Event::Progress { job, done_bytes } => {
                if let Some(bar) = shown.bar(*job) {
                    bar.set_position(*done_bytes);
                }
            }
            Event::JobNotice { job, text } => self.line(shown.port(*job), &field(text), true),
            Event::JobRetried { job, code, detail } => {
                self.line(shown.port(*job), &format!("{code}, begun anew\n  ({})", field(detail)), true);
            }
            Event::JobEnded { job, end } => self.ended(&shown, *job, end),
            _ => {}
        }
    }

    fn ended(&self, shown: &Shown, job: JobId, end: &JobEnd) {
        let failure = end.verdict.code();
        if let Some(bar) = shown.bar(job) {
            bar.finish_with_message(failure.map_or_else(|| end.verdict.to_string(), |_| "FAILED".to_owned()));
        }
        let port = shown.port(job);
        match failure {
            None => self.line(port, &end.verdict.to_string(), false),
            Some(code) => self.whole_line(format!("{}\n  ({})", code.sentence(&port), field(end.detail())), true),
        }
    }

    fn line(&self, port: String, text: &str, beside_bars: bool) {
        self.whole_line(format!("{port}: {text}"), beside_bars);
    }

    /// Where there are bars, they say most of it themselves.
    fn whole_line(&self, line: String, beside_bars: bool) {
        match &self.bars {
            Some(bars) if beside_bars => {
                let _ = bars.println(line);
            }
            Some(_) => {}
            None => self.output.say(&line),
        }
    }
}

impl Shown {
    fn bar(&self, job: JobId) -> Option<&ProgressBar> {
        self.bars.get(&self.state.job(job)?.0.drive)
    }

    fn port(&self, job: JobId) -> String {
        self.state.job(job).map_or_else(String::new, |(_, label)| field(&label.port))
    }

    fn total_bytes(&self, job: JobId) -> u64 {
        self.state.job(job).and_then(|(job, _)| job.step?.total_bytes).unwrap_or(0)
    }
}
