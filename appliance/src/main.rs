// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The tool `platen`: what the station does, on any Linux machine, from the command line. Wiring only.

// A program has no public face.
#![allow(unreachable_pub)]

mod answers;
mod args;
mod board;
mod output;
mod report;
mod stream;
mod verbs;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use platen_events::Answer;
use platen_events::answer::DocumentFormat;
use platen_station::{Exit, Failure};
use tracing_subscriber::EnvFilter;

use crate::args::{Args, Verb};
use crate::output::Output;

fn main() -> ExitCode {
    platen_device::process::keep_files_private();
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return unparsed(&error),
    };
    let filter = EnvFilter::try_from_env("PLATEN_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false)
        .without_time()
        .init();
    let output = Arc::new(Output::new(args.json));
    let code = match run(args, &output) {
        Ok(code) => code,
        Err(failure) => {
            output.failure(&failure);
            failure.exit.into()
        }
    };
    if code == ExitCode::SUCCESS && output.is_lost() {
        output.say("platen: standard output takes no more; results were lost");
        return Exit::Machine.into();
    }
    code
}

/// A command line that is none, or that asks for help.
fn unparsed(error: &clap::Error) -> ExitCode {
    let mut arguments = std::env::args_os().take_while(|argument| argument != "--");
    if !arguments.any(|argument| argument == "--json") {
        error.exit();
    }
    let output = Output::new(true);
    let text = error.to_string();
    if error.use_stderr() {
        let text = text.trim().trim_start_matches("error: ").to_owned();
        output.failure(&Failure::new(Exit::Request, text));
        return Exit::Request.into();
    }
    output.answer(Answer::Document { format: DocumentFormat::Help, of: None, text }, String::new);
    ExitCode::SUCCESS
}

fn run(args: Args, output: &Arc<Output>) -> Result<ExitCode, Failure> {
    let paths = &args.paths.into();
    match args.verb {
        Verb::Key(verb) => verbs::author::key(verb, output),
        Verb::BootKit(verb) => verbs::author::boot_kit(verb, output),
        Verb::BootImage(verb) => verbs::author::boot_image(verb, output),
        Verb::Media(verb) => verbs::author::media(verb, output),
        Verb::Sequence(verb) => verbs::sequence::run(verb, output),
        Verb::Cache(verb) => verbs::cache::run(verb, paths, output),
        Verb::Plan(options) => verbs::write::plan(&options, paths, output),
        Verb::Write(options) => verbs::write::write(&options, paths, output),
        Verb::Erase(options) => verbs::overwrite::erase(&options, paths, output),
        Verb::Test(options) => verbs::overwrite::test(&options, paths, output),
        Verb::Verify(options) => verbs::verify::verify(&options, paths, output),
        Verb::Inspect(options) if options.used => verbs::used::used(&options, output),
        Verb::Inspect(options) => verbs::verify::inspect(&options.drive, paths, output),
        Verb::Ledger(verb) => verbs::ledger::run(verb, paths, output),
        Verb::Station(options) => verbs::station::run(options, output),
        Verb::ExamineDrive { size_bytes, depth } => verbs::examine::drive(size_bytes, depth),
        Verb::ExamineUse { size_bytes, sector_bytes } => verbs::examine::in_use(size_bytes, sector_bytes),
        Verb::ExamineLayout { size_bytes, sector_bytes } => verbs::examine::layout(size_bytes, sector_bytes),
    }
}
