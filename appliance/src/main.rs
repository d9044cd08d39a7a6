//! The tool `platen`: what the station does, on any Linux machine, from the command line. Wiring only.

// A program has no public face.
#![allow(unreachable_pub)]

mod args;
mod exit;
mod output;
mod verbs;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::args::{Args, Verb};
use crate::exit::Failure;
use crate::output::Output;

fn main() -> ExitCode {
    platen_device::let_only_the_owner_write();
    let args = Args::parse();
    let filter = EnvFilter::try_from_env("PLATEN_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).without_time().init();
    let output = Arc::new(Output::new(args.json));
    match run(args, &output) {
        Ok(code) => code,
        Err(failure) => {
            output.failure(&failure);
            failure.exit.into()
        }
    }
}

fn run(args: Args, output: &Arc<Output>) -> Result<ExitCode, Failure> {
    let places = &args.places;
    match args.verb {
        Verb::Key(verb) => verbs::author::key(verb, output),
        Verb::BootKit(verb) => verbs::author::boot_kit(verb, output),
        Verb::BootImage(verb) => verbs::author::boot_image(verb, output),
        Verb::Media(verb) => verbs::author::media(verb, output),
        Verb::Cache(verb) => verbs::cache::run(verb, places, output),
        Verb::Plan(options) => verbs::write::plan(&options, places, output),
        Verb::Write(options) => verbs::write::write(&options, places, output),
        Verb::Erase(options) => verbs::overwrite::erase(&options, places, output),
        Verb::Test(options) => verbs::overwrite::test(&options, places, output),
        Verb::Verify(options) => verbs::verify::verify(&options, places, output),
        Verb::Inspect { drive } => verbs::verify::inspect(&drive, places, output),
        Verb::Ledger(verb) => verbs::ledger::run(verb, places, output),
        Verb::ExamineDrive { size_bytes, depth } => verbs::examine::child(size_bytes, depth),
    }
}
