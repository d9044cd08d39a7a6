// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What was injected and what came of it, as a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::bench::Bench;

/// What came of one injection.
pub enum Verdict {
    /// The drive failed with this code (`killed` when the program was), is no medium, and could be written again.
    Refused(String),
    /// The drive is called ready, and is.
    Harmless,
    /// The drive is called ready, or verifies, and is wrong.
    FalsePass(String),
    /// The program had to be killed.
    Stuck(String),
    /// The drive failed but was left in a state it must not be in.
    LeftWrong(String),
}

/// One fault that struck.
pub struct Injection {
    /// Enough to do it again.
    pub what: String,
    pub verdict: Verdict,
    /// What became of the healthy drive beside it, when that is not as it should be.
    pub hurt: Option<String>,
}

pub enum Step {
    Injected(Injection),
    /// The fault did not strike this time.
    Missed,
    /// There are no more places for it to strike.
    End,
}

/// What a control saw.
#[derive(Clone, Copy)]
pub struct Seen {
    pub tried: u64,
    /// Wrong, passed by the blind program, and called wrong by the judge.
    pub wrong: u64,
}

/// A part of a kind that one worker goes through: asked for fault 1, 2, 3... until it says [`Step::End`].
pub type Lane = Box<dyn FnMut(&mut Bench, u64) -> Step + Send>;
/// A blind program under the same fault.
pub type Control = Box<dyn FnOnce(&mut Bench) -> Seen + Send>;

/// A kind of fault: a row of the table. More kinds are more of these in `main.rs`.
pub struct Kind {
    pub name: String,
    /// It can't be had on this machine, and need not.
    pub skipped: bool,
    pub lanes: Vec<Lane>,
    pub control: Option<Control>,
}

impl Kind {
    pub fn new(name: &str, lanes: Vec<Lane>, control: impl FnOnce(&mut Bench) -> Seen + Send + 'static) -> Self {
        Self { name: name.to_owned(), skipped: false, lanes, control: Some(Box::new(control)) }
    }

    pub fn skipped(name: &str) -> Self {
        Self { name: name.to_owned(), skipped: true, lanes: Vec::new(), control: None }
    }
}

/// A row.
#[derive(Default)]
pub struct Row {
    name: String,
    skipped: bool,
    injected: u64,
    codes: BTreeMap<String, u64>,
    harmless: u64,
    false_passes: u64,
    stuck: u64,
    left_wrong: u64,
    hurt: u64,
    control: Option<Seen>,
}

/// All rows, and what went wrong.
#[derive(Default)]
pub struct Table {
    rows: Vec<Row>,
    pub problems: Vec<String>,
}

impl Table {
    pub fn new(kinds: &[Kind]) -> Self {
        let row = |kind: &Kind| Row { name: kind.name.clone(), skipped: kind.skipped, ..Row::default() };
        Self { rows: kinds.iter().map(row).collect(), problems: Vec::new() }
    }

    pub fn name(&self, index: usize) -> &str {
        &self.rows[index].name
    }

    pub fn injected(&self) -> u64 {
        self.rows.iter().map(|row| row.injected).sum()
    }

    pub fn add(&mut self, index: usize, injection: Injection) {
        let row = &mut self.rows[index];
        row.injected += 1;
        let mut problem = |kind: &str, detail: String| {
            self.problems.push(format!("{kind}: {}, {}: {detail}", row.name, injection.what));
        };
        match injection.verdict {
            Verdict::Refused(code) => *row.codes.entry(code).or_default() += 1,
            Verdict::Harmless => row.harmless += 1,
            Verdict::FalsePass(detail) => {
                row.false_passes += 1;
                problem("FALSE PASS", detail);
            }
            Verdict::Stuck(detail) => {
                row.stuck += 1;
                problem("STUCK", detail);
            }
            Verdict::LeftWrong(detail) => {
                row.left_wrong += 1;
                problem("LEFT WRONG", detail);
            }
        }
        if let Some(hurt) = injection.hurt {
            row.hurt += 1;
            problem("OTHER DRIVE HURT", hurt);
        }
    }

    pub fn control(&mut self, index: usize, seen: Seen) {
        let row = &mut self.rows[index];
        row.control = Some(seen);
        if seen.wrong == 0 {
            self.problems.push(format!("BLIND: {}: the control saw nothing wrong in {} tries", row.name, seen.tried));
        }
    }

    /// The harness itself failed.
    pub fn broken(&mut self, index: usize, text: &str) {
        self.problems.push(format!("BROKEN: {}: {text}", self.rows[index].name));
    }

    /// A kind that never struck proves nothing.
    pub fn close(&mut self) {
        for row in &self.rows {
            if !row.skipped && row.injected == 0 {
                self.problems.push(format!("NOTHING: {}: not one fault struck", row.name));
            }
        }
    }

    pub fn print(&self) {
        let codes = |row: &Row| {
            let each = row.codes.iter().map(|(code, count)| format!("{count} {code}"));
            each.collect::<Vec<_>>().join(", ")
        };
        let header = ["kind", "injected", "harmless", "false", "stuck", "left wrong", "hurt", "control", "refused by"];
        let mut lines = vec![header.map(str::to_owned).to_vec()];
        for row in self.rows.iter().filter(|row| !row.skipped) {
            let seen = row.control.map_or("-".to_owned(), |seen| format!("{} of {} wrong", seen.wrong, seen.tried));
            let counts = [row.harmless, row.false_passes, row.stuck, row.left_wrong, row.hurt].map(|n| n.to_string());
            let mut line = vec![row.name.clone(), row.injected.to_string()];
            line.extend(counts);
            line.extend([seen, codes(row)]);
            lines.push(line);
        }
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..header.len()).map(width).collect();
        for line in &lines {
            let mut text = String::new();
            for (cell, width) in line.iter().zip(&widths) {
                let _ = write!(text, "{cell:<width$}  ");
            }
            println!("{}", text.trim_end());
        }
        for row in self.rows.iter().filter(|row| row.skipped) {
            println!("{}  left out", row.name);
        }
        for problem in &self.problems {
            println!("{problem}");
        }
        let sum = |count: fn(&Row) -> u64| self.rows.iter().map(count).sum::<u64>();
        println!(
            "injected {}, false passes {}, stuck {}, other drives hurt {}",
            self.injected(),
            sum(|row| row.false_passes),
            sum(|row| row.stuck),
            sum(|row| row.hurt)
        );
    }
}
