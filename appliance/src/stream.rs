// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Standard output with `--json`: the record of this run, line by line. Events of this program are numbered and
//! given their times here.

use std::io::Write;

use platen_device::boot_id;
use platen_events::{Event, Hello, Line, Record, SCHEMA, Stamper};
use platen_station::line::now;

/// The record of this run.
#[derive(Debug, Default)]
pub struct Stream {
    stamper: Stamper,
}

impl Stream {
    /// Say who speaks.
    pub fn begin(&self) -> std::io::Result<()> {
        write(&Line::Hello(Hello {
            schema: SCHEMA,
            program: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            boot_id: boot_id(),
            stream: None,
            after: 0,
        }))
    }

    /// Say what happened, now.
    pub fn event(&mut self, event: Event) -> std::io::Result<()> {
        let (wall_ms, mono_ms) = now();
        let record: Record = self.stamper.stamp(event, wall_ms, mono_ms);
        write(&Line::Record(record))
    }
}

fn write(line: &Line) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", platen_station::line::line(line))?;
    out.flush()
}
