// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Many drives at once, for people: one bar for each, or one line for each step where there is no terminal. All that is
//! drawn comes from the record.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;

use indicatif::{MultiProgress, ProgressBar};
use platen_events::{Answer, Code, DriveId, Event, JobEnd, JobId, StationState};
use platen_station::Front;

use crate::output::{Output, field, style};
use crate::report;

/// The widest that ports are shown beside bars, in characters.
const MAX_PORT_CHARS: usize = 24;

/// Follows the jobs of a batch.
pub struct DriveBoard<'a> {
    output: &'a Arc<Output>,
    headline: &'a str,
    /// None where there is no terminal.
    bars: Option<MultiProgress>,
    state: StationState,
    bar_of: HashMap<DriveId, ProgressBar>,
    /// What was said when the drive of a job was described: nothing is wrong, or this.
    described: HashMap<JobId, Option<Code>>,
}

impl Front for DriveBoard<'_> {
    fn ready(&mut self) {
        self.output.say(self.headline);
    }

    fn tell(&mut self, event: Event) {
        if self.output.is_json() {
            return self.output.event(event);
        }
        if let Err(illegal) = self.state.apply(&event) {
            tracing::error!(%illegal, ?event, "this can't happen");
            return;
        }
        match &event {
            Event::JobStarted { drive, .. } => self.started(drive),
            Event::StepStarted { job, step, .. } => {
                if let Some(bar) = self.bar(*job) {
                    bar.reset();
                    bar.set_length(self.total_bytes(*job));
                    bar.set_message(step.to_string());
                }
                self.line(self.port(*job), &step.to_string(), false);
            }
            Event::Progress { job, done_bytes } => {
                if let Some(bar) = self.bar(*job) {
                    bar.set_position(*done_bytes);
                }
            }
            Event::JobNotice { job, text } => self.line(self.port(*job), &field(text), true),
            Event::JobRetried { job, code, detail } => {
                self.line(self.port(*job), &format!("{code}, begun anew\n  ({})", field(detail)), true);
            }
            Event::JobEnded { job, end } => self.ended(*job, end),
            Event::Answer(answer) => self.answer(answer),
            _ => {}
        }
    }
}

impl<'a> DriveBoard<'a> {
    /// `headline` is said before the first job begins.
    pub fn new(output: &'a Arc<Output>, headline: &'a str) -> Self {
        let terminal = !output.is_json() && std::io::stderr().is_terminal();
        Self {
            output,
            headline,
            bars: terminal.then(MultiProgress::new),
            state: StationState::default(),
            bar_of: HashMap::new(),
            described: HashMap::new(),
        }
    }

    fn started(&mut self, drive: &DriveId) {
        let Some(bars) = &self.bars else { return };
        let ports = || self.state.drives().values().map(|drive| &drive.label.port);
        let width = ports().map(|port| port.chars().count()).max().unwrap_or(0).min(MAX_PORT_CHARS);
        let port = self.state.drives().get(drive).map_or_else(String::new, |drive| field(&drive.label.port));
        let template = "  {prefix} {msg:<9} {bar:32.cyan/dim} {percent:>3}%  {bytes:>11} {bytes_per_sec:>12}";
        let bar = bars.add(ProgressBar::new(0)).with_style(style(template));
        let bar = bar.with_prefix(format!("{port:<width$}")).with_message("waiting");
        self.bar_of.insert(drive.clone(), bar);
    }

    /// What was found on a drive is printed as a whole, and says the verdict.
    fn answer(&mut self, answer: &Answer) {
        let Answer::DriveExamined { drive, job, good, report } = answer else { return };
        let problem = report.problems.first().and_then(|problem| problem.code.known());
        self.described.extend(job.map(|job| (job, problem)));
        let path = self.state.drives().get(drive).map_or("", |drive| &drive.label.path);
        let print = || self.output.text(|| report::text(Path::new(path), *good, report));
        match &self.bars {
            Some(bars) => bars.suspend(print),
            None => print(),
        }
    }

    fn ended(&self, job: JobId, end: &JobEnd) {
        let failure = end.verdict.code();
        if let Some(bar) = self.bar(job) {
            bar.finish_with_message(failure.map_or_else(|| end.verdict.to_string(), |_| "FAILED".to_owned()));
        }
        let port = self.port(job);
        match failure {
            failure if self.described.get(&job) == Some(&failure) => {}
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

    fn bar(&self, job: JobId) -> Option<&ProgressBar> {
        self.bar_of.get(&self.state.job(job)?.0.drive)
    }

    fn port(&self, job: JobId) -> String {
        self.state.job(job).map_or_else(String::new, |(_, label)| field(&label.port))
    }

    fn total_bytes(&self, job: JobId) -> u64 {
        self.state.job(job).and_then(|(job, _)| job.step?.total_bytes).unwrap_or(0)
    }
}
