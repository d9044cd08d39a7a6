// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Task sequences: taken in, looked at, checked, compared.

use std::path::Path;
use std::process::ExitCode;

use platen_events::Answer;
use platen_events::answer::DocumentFormat;
use platen_sequence::lint::{self, LintContext, Severity};
use platen_sequence::run::{Computer, DryRun};
use platen_sequence::{Fix, Needed, TaskSequence, differences, lint as check};
use platen_station::{Exit, Failure};
use serde::Serialize;
use serde_json::json;

use super::here;
use super::sequence_files::{create, empty_folder, sequence, source, text, write};
use crate::args::SequenceVerb;
use crate::output::Output;

pub fn run(verb: SequenceVerb, output: &Output) -> Result<ExitCode, Failure> {
    match verb {
        SequenceVerb::Import { file, out } => import(&file, &out, output),
        SequenceVerb::Show { file } => {
            let sequence = sequence(&file)?;
            let text = sequence.to_toml().toml;
            let answer = Answer::Document { format: DocumentFormat::TaskSequence, of: Some(name(&file)), text };
            output.answer(answer, || sequence.outline().trim_end().to_owned());
            Ok(ExitCode::SUCCESS)
        }
        SequenceVerb::Convert { file, out } => {
            write(&sequence(&file)?, &out)?;
            output.answer(report(&file, &json!({ "written": out })), || format!("written: {}", out.display()));
            Ok(ExitCode::SUCCESS)
        }
        SequenceVerb::Lint { file, fix } => self::lint(&file, fix.as_deref(), output),
        SequenceVerb::Run { file, dry: _, facts } => {
            let computer = computer(&facts)?;
            let dry = DryRun::of(&sequence(&file)?, &computer, &[]);
            let dry = dry.map_err(|error| Failure::new(Exit::Request, error))?;
            output.answer(report(&file, &dry), || format!("on {}:\n{}", computer.name, dry.report().trim_end()));
            Ok(if dry.failed.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }
        SequenceVerb::Diff { old, new } => {
            let lines = differences(&sequence(&old)?, &sequence(&new)?);
            output.answer(report(&new, &json!({ "differences": lines })), || match lines.is_empty() {
                true => "no difference".to_owned(),
                false => lines.join("\n"),
            });
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// A described computer, or this one.
fn computer(facts: &Path) -> Result<Computer, Failure> {
    if facts == Path::new("here") {
        return Ok(here::computer(Path::new("/")));
    }
    let wrong = |problems: Vec<_>| {
        let text = platen_media::fields::list(&problems).replace("; ", "\n");
        Failure::new(Exit::Request, format!("{}: {text}", facts.display()))
    };
    Computer::from_toml(&text(facts)?).map_err(wrong)
}

fn name(file: &Path) -> String {
    file.display().to_string()
}

fn report(file: &Path, content: &impl Serialize) -> Answer {
    let text = serde_json::to_string_pretty(content).expect("reports have only texts, numbers and lists");
    Answer::Document { format: DocumentFormat::TaskSequenceReport, of: Some(name(file)), text }
}

fn import(file: &Path, out: &Path, output: &Output) -> Result<ExitCode, Failure> {
    let mut source = source(file)?;
    source.imported.shorten_ids();
    empty_folder(out)?;
    let needed = source.imported.needed(&source.names);
    let left: String =
        source.variables.left.iter().map(|what| format!("left out: {what} of CustomSettings.ini\n")).collect();
    let text = format!("{}{left}{}", source.imported.report(), list(&needed));
    write(&source.imported.sequence, &out.join("sequence.toml"))?;
    create(&out.join("definition.toml"), &source.imported.definition(&source.names, &source.variables.taken))?;
    create(&out.join("report.txt"), &text)?;
    let content = json!({ "changes": source.imported.changes, "needed": needed, "out": out });
    output.answer(report(file, &content), || format!("{text}written: {}", out.display()));
    Ok(ExitCode::SUCCESS)
}

/// What a sequence needs, by kind: the list an administrator works from.
fn list(needed: &[Needed]) -> String {
    let line = |needed: &Needed| {
        let mut line = format!("needs: {} {}", needed.kind.label(), needed.id);
        if !needed.name.is_empty() {
            line += &format!(" {:?}", needed.name);
        }
        if !needed.source_id.is_empty() {
            line += &format!(" ({})", needed.source_id);
        }
        match &needed.used_by[..] {
            [one] => line + &format!(": used by {one}\n"),
            several => line + &format!(": used by {} steps, the first is {}\n", several.len(), several[0]),
        }
    };
    needed.iter().map(line).collect()
}

fn lint(file: &Path, fix: Option<&Path>, output: &Output) -> Result<ExitCode, Failure> {
    let (mut sequence, needed) = with_needs(file)?;
    let findings = check(&sequence, &LintContext::complete(&sequence));
    if let Some(out) = fix {
        let cured = Fix::apply_all(findings.iter().filter_map(|finding| finding.fix.as_ref()), &mut sequence);
        write(&sequence, out)?;
        output.say(&format!("{cured} cured in {}", out.display()));
    }
    let text = format!("{}{}", lint::report(&findings), list(&needed));
    output.answer(report(file, &json!({ "findings": findings, "needed": needed })), || text.trim_end().to_owned());
    let has_errors = findings.iter().any(|finding| finding.severity == Severity::Error);
    Ok(if has_errors { Exit::Request.into() } else { ExitCode::SUCCESS })
}

/// A sequence, and what it needs with the names its export gave.
fn with_needs(file: &Path) -> Result<(TaskSequence, Vec<Needed>), Failure> {
    if file.extension().is_some_and(|extension| extension == "toml") {
        let sequence = sequence(file)?;
        let needed = Needed::of(&sequence);
        return Ok((sequence, needed));
    }
    let source = source(file)?;
    let needed = source.imported.needed(&source.names);
    Ok((source.imported.sequence, needed))
}
