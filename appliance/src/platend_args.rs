// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The command line of the station.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// The station: watches its ports, writes what is inserted, and answers at a local socket (`platen station`).
///
/// Exit status: 0 it was asked to end; 2 the configuration is wrong; 4 the machine lacks something.
#[derive(Debug, Parser)]
#[command(name = "platend", version, max_term_width = 100)]
pub struct Args {
    /// What the station is to do
    #[arg(long, default_value = "/etc/platen/station.toml", value_name = "FILE")]
    pub config: PathBuf,
    /// Instead of the machine's ports, a folder: each file in it is an inserted drive
    #[arg(long, value_name = "simulated:DIR")]
    pub ports: Option<String>,
    /// Show the station's panel: the board's own, in this terminal, which needs true colours (arrows, Enter and Escape are
    /// its keys, `m` is the menu, `q` ends the station, a click is a touch), or as pictures in a folder
    #[arg(long, value_name = "board|terminal|png:DIR")]
    pub panel: Option<String>,
    /// What the board has in front of it: panel, inputs, lights
    #[arg(long, default_value = "/etc/platen/board.toml", value_name = "FILE")]
    pub board: PathBuf,
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Read the configuration and the board's file where there is one, say what is wrong with them, and end
    CheckConfig,
    /// Go through a journal again, and see that the same follows from it
    Replay {
        /// One of the files journal*.jsonl in the station's state folder
        file: PathBuf,
        /// Print every input and what followed from it
        #[arg(long)]
        show: bool,
    },
    /// Print what udev is to know of a device: whether it is in a port of the station. For udev's rules
    PortOf {
        /// The device's folder below /sys, as udev calls it
        #[arg(value_name = "DEVPATH")]
        device: PathBuf,
    },
}
