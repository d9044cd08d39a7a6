// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The station `platend`: wiring only. What it does is `platen-station`'s; what looks at drives is the program `platen`
//! beside it.

// A program has no public face.
#![allow(unreachable_pub)]

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Parser, Subcommand};
use platen_station::config::{PortMap, StationConfig};
use platen_station::ports::{MachinePorts, Ports, SimulatedPorts};
use platen_station::{Ended, Exit, Failure, replay, serve, stop_flag};
use tracing_subscriber::EnvFilter;

/// The station: watches its ports, writes what is inserted, and answers at a local socket (`platen station`).
///
/// Exit status: 0 it was asked to end; 2 the configuration is wrong; 4 the machine lacks something.
#[derive(Debug, Parser)]
#[command(name = "platend", version, max_term_width = 100)]
struct Args {
    /// What the station is to do
    #[arg(long, default_value = "/etc/platen/station.toml", value_name = "FILE")]
    config: PathBuf,
    /// Instead of the machine's ports, a folder: each file in it is an inserted drive
    #[arg(long, value_name = "simulated:DIR")]
    ports: Option<String>,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Read the configuration, say what is wrong with it, and end
    CheckConfig,
    /// Go through a journal again, and see that the same follows from it
    Replay {
        /// One of the files journal*.jsonl in the station's state folder
        file: PathBuf,
        /// Print every input and what followed from it
        #[arg(long)]
        show: bool,
    },
}

fn main() -> ExitCode {
    platen_device::process::keep_files_private();
    let args = Args::parse();
    let filter = EnvFilter::try_from_env("PLATEN_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false)
        .without_time()
        .init();
    match run(&args) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("platend: {}", failure.text());
            failure.exit.into()
        }
    }
}

fn run(args: &Args) -> Result<ExitCode, Failure> {
    match &args.verb {
        None => station(args),
        Some(Verb::CheckConfig) => {
            let config = StationConfig::load(&args.config)?;
            let map = PortMap::load(&config.paths.ports)?;
            println!("{}: good; {} port(s)", args.config.display(), map.ports().len());
            Ok(ExitCode::SUCCESS)
        }
        Some(Verb::Replay { file, show }) => again(file, *show),
    }
}

fn station(args: &Args) -> Result<ExitCode, Failure> {
    // Before any other thread is started.
    let stop = stop_flag()?;
    let config = StationConfig::load(&args.config)?;
    let map = PortMap::load(&config.paths.ports)?;
    let ports = ports(args.ports.as_deref(), &map)?;
    match serve(&config, map, ports, &stop)? {
        Ended::Stopped => Ok(ExitCode::SUCCESS),
        // In its own place: whoever supervises the program sees the same process go on. This returns only if it fails.
        Ended::ToBeginAnew => {
            let error = Command::new("/proc/self/exe").args(std::env::args_os().skip(1)).exec();
            Err(Failure::new(Exit::Machine, format!("starting again with the new map of ports: {error}")))
        }
    }
}

fn ports(wanted: Option<&str>, map: &PortMap) -> Result<Box<dyn Ports>, Failure> {
    let machine = |error: std::io::Error| Failure::new(Exit::Machine, error);
    match wanted.map(|wanted| wanted.split_once(':')) {
        Some(Some(("simulated", folder))) => Ok(Box::new(SimulatedPorts::new(Path::new(folder)).map_err(machine)?)),
        Some(_) => Err(Failure::new(Exit::Request, "--ports: expected simulated:DIR")),
        None => Ok(Box::new(MachinePorts::start(map).map_err(machine)?)),
    }
}

fn again(file: &Path, show: bool) -> Result<ExitCode, Failure> {
    let replayed = replay(file, &mut |line, input, effects| {
        if show {
            println!("{line}: {input:?}");
            effects.iter().for_each(|effect| println!("    {effect:?}"));
        }
    })?;
    match replayed.differs_at {
        None => {
            println!("{} inputs; the same followed from each", replayed.inputs);
            Ok(ExitCode::SUCCESS)
        }
        Some(line) => Err(Failure::new(
            Exit::Machine,
            format!("{}: line {line}: something else followed from it than was recorded", file.display()),
        )),
    }
}
