// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The station `platend`: wiring only. What it does is `platen-station`'s; what looks at drives is the program `platen`
//! beside it.

// A program has no public face.
#![allow(unreachable_pub)]

#[path = "platend_args.rs"]
mod args;
mod panel;

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use clap::Parser;
use platen_station::config::{PortMap, StationConfig};
use platen_station::ports::{MachinePorts, Ports, SimulatedPorts, properties};
use platen_station::{Ended, Exit, Failure, replay, serve, stop_flag};
use tracing_subscriber::EnvFilter;

use self::args::{Args, Verb};

fn main() -> ExitCode {
    platen_device::process::keep_files_private();
    let args = Args::parse();
    // Lines of a log would stand in the middle of a panel.
    let usual = if args.panel.as_deref() == Some("terminal") { "off" } else { "info" };
    let filter = EnvFilter::try_from_env("PLATEN_LOG").unwrap_or_else(|_| EnvFilter::new(usual));
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
            // A station without a display has none.
            if args.board.exists() {
                println!("{}: good; {}", args.board.display(), panel::check(&args.board, &map)?);
            }
            Ok(ExitCode::SUCCESS)
        }
        Some(Verb::Replay { file, show }) => again(file, *show),
        Some(Verb::PortOf { device }) => {
            let config = StationConfig::load(&args.config)?;
            let map = PortMap::load(&config.paths.ports)?;
            let found = properties(device, &map, &config.policy);
            for (name, value) in found.map_err(|error| Failure::new(Exit::Machine, error))? {
                println!("{name}={value}");
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn station(args: &Args) -> Result<ExitCode, Failure> {
    // Before any other thread is started.
    let stop = stop_flag()?;
    let config = StationConfig::load(&args.config)?;
    let map = PortMap::load(&config.paths.ports)?;
    let ports = ports(args.ports.as_deref(), &map)?;
    let show = |wanted: &String| panel::show(wanted, &args.board, &config, &map, &stop);
    let shown = args.panel.as_ref().map(show).transpose()?;
    let ended = serve(&config, map, ports, &stop);
    // Whatever ended the station: a terminal is given back as it was.
    if let Some(shown) = shown {
        shown.end();
    }
    match ended? {
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
