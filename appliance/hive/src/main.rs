// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! `platen-hive HIVE`: reads a list of changes in JSON on its standard input and makes them in the hive, all or none.
//! Prints `{"changes": n, "was-dirty": …}` and exits with 0, or `{"error": "…"}` and exits with 1.

use std::error::Error;
use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use platen_hive::{Applied, MAX_INPUT_BYTES};

fn main() -> ExitCode {
    match run() {
        Ok(applied) => {
            println!("{}", serde_json::json!(applied));
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{}", serde_json::json!({ "error": chain(&*error) }));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<Applied, Box<dyn Error>> {
    let [hive] = &std::env::args_os().skip(1).collect::<Vec<_>>()[..] else {
        return Err("expected one argument, the path of a hive".into());
    };
    let hive = Path::new(hive);
    platen_hive::limit_this_process(hive)?;
    let mut input = Vec::new();
    std::io::stdin().lock().take(MAX_INPUT_BYTES + 1).read_to_end(&mut input)?;
    if input.len() as u64 > MAX_INPUT_BYTES {
        return Err(format!("expected changes of at most {MAX_INPUT_BYTES} bytes, found more").into());
    }
    Ok(platen_hive::apply(hive, &serde_json::from_slice::<Vec<_>>(&input)?)?)
}

/// The message and its causes.
fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
