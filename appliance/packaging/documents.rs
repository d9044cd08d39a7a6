// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Writes the man pages and shell completions of `platen` and `platend` into a folder, from the argument definitions that
//! the programs themselves read. `build-package` calls it; nothing of it is installed.
//!
//!     cargo run --example documents -- FOLDER DATE

// A program has no public face.
#![allow(unreachable_pub)]
// The definitions are whole; their fields are read by the programs.
#![allow(dead_code)]

#[path = "../src/args.rs"]
mod platen;
#[path = "../src/platend_args.rs"]
mod platend;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate_to};
use clap_mangen::Man;

/// What stands at the foot of each page.
const SOURCE: &str = concat!("Platen ", env!("CARGO_PKG_VERSION"));

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (folder, date) =
        (arguments.next().map(PathBuf::from), arguments.next().and_then(|date| date.into_string().ok()));
    let (Some(folder), Some(date)) = (folder, date) else {
        eprintln!("documents: expected the folder to write to, and the date for the foot of each page");
        return ExitCode::from(2);
    };
    match write(&folder, &date) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("documents: {}: {error}", folder.display());
            ExitCode::from(4)
        }
    }
}

fn write(folder: &Path, date: &str) -> io::Result<()> {
    for (command, section, manual) in
        [(platen::Args::command(), "1", "User commands"), (platend::Args::command(), "8", "System administration")]
    {
        let pages = folder.join(format!("man{section}"));
        fs::create_dir_all(&pages)?;
        // Built: each verb knows what it is called in full, and the options that all of them have.
        let mut built = command.clone();
        built.build();
        page(&built, (section, manual, date), &pages)?;
        for (shell, name) in [(Shell::Bash, "bash"), (Shell::Zsh, "zsh"), (Shell::Fish, "fish")] {
            let completions = folder.join(name);
            fs::create_dir_all(&completions)?;
            let name = command.get_name().to_owned();
            generate_to(shell, &mut command.clone(), name, &completions)?;
        }
    }
    Ok(())
}

/// A page for a command, and one for each of its verbs: `platen-cache-import.1`.
fn page(command: &Command, foot: (&str, &str, &str), folder: &Path) -> io::Result<()> {
    let (section, manual, date) = foot;
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    let man = Man::new(command.clone()).title(name.to_uppercase());
    let man = man.section(section).manual(manual).date(date).source(SOURCE);
    let mut text = Vec::new();
    man.render(&mut text)?;
    fs::write(folder.join(format!("{name}.{section}")), text)?;
    let mut verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help");
    verbs.try_for_each(|verb| page(verb, foot, folder))
}
