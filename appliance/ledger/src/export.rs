// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The ledger for other programs: CSV and JSON.

use std::fmt::Write as _;
use std::io::Write;

use crate::entry::{COLUMNS, values};
use crate::{Ledger, LedgerError};

impl Ledger {
    /// RFC 4180, with a header line.
    pub fn export_csv(&self, out: &mut dyn Write) -> Result<(), LedgerError> {
        let (rows, others) = self.rows_and_columns()?;
        let columns = COLUMNS.iter().copied().chain(["previous", "hash"]).chain(others.iter().map(String::as_str));
        let mut text = format!("number,{}\r\n", columns.collect::<Vec<_>>().join(","));
        for row in rows {
            write!(text, "{}", row.number).expect("writing to a string does not fail");
            let chain = [row.previous.to_string(), row.hash.to_string()];
            let others = others.iter().map(|name| row.others.get(name).cloned().unwrap_or_default());
            for value in values(&row.entry).into_iter().chain(chain).chain(others) {
                write!(text, ",{}", csv_field(&value)).expect("writing to a string does not fail");
            }
            text.push_str("\r\n");
        }
        out.write_all(text.as_bytes()).map_err(LedgerError::Export)
    }

    /// An array of objects, one for each row.
    pub fn export_json(&self, out: &mut dyn Write) -> Result<(), LedgerError> {
        let entries = self.entries()?;
        serde_json::to_writer_pretty(&mut *out, &entries).map_err(|error| LedgerError::Export(error.into()))?;
        out.write_all(b"\n").map_err(LedgerError::Export)
    }
}

/// A value that no spreadsheet runs, quoted where needed.
///
/// A drive names itself, so a serial number may be a formula. Which character parts cells depends on the reader's
/// country, and the reader may not honour our quotes: so not only the value's beginning is guarded by an apostrophe,
/// but each place after a separator too.
fn csv_field(value: &str) -> String {
    let mut guarded = String::with_capacity(value.len() + 2);
    for cell in value.split_inclusive(is_separator) {
        if is_formula(cell) {
            guarded.push('\'');
        }
        guarded.push_str(cell);
    }
    // Tab and carriage return at the very beginning are formulas to some.
    if value.starts_with(char::is_control) && !guarded.starts_with('\'') {
        guarded.insert(0, '\'');
    }
    let quoted = guarded.contains(|c: char| matches!(c, '"' | '\'') || is_separator(c));
    if quoted { format!("\"{}\"", guarded.replace('"', "\"\"")) } else { guarded }
}

fn is_separator(c: char) -> bool {
    matches!(c, ',' | ';' | '|') || c.is_control()
}

/// Whether a spreadsheet might compute this: what comes before the first letter or digit has a sign that begins
/// formulas. Quotes and blanks before it don't make it harmless; East Asian versions take full-width signs too.
fn is_formula(cell: &str) -> bool {
    let is_sign =
        |c: char| matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠' | '−' | '﹣' | '﹢' | '﹦' | '﹫');
    cell.chars().take_while(|c| !c.is_alphanumeric()).any(is_sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_guarded_wherever_a_spreadsheet_may_see_a_cell_begin() {
        for (value, field) in [
            ("=1+1", "\"'=1+1\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\t=1", "\"'\t'=1\""),
            ("\r=1", "\"'\r'=1\""),
            ("\tx", "\"'\tx\""),
            ("x;=1", "\"x;'=1\""),
            ("x;; =1", "\"x;;' =1\""),
            ("x\t=1", "\"x\t'=1\""),
            ("x\n@1", "\"x\n'@1\""),
            ("x;\"=1\"", "\"x;'\"\"=1\"\"\""),
            ("\u{ff1d}1", "\"'\u{ff1d}1\""),
            ("x;\u{ff0b}1", "\"x;'\u{ff0b}1\""),
            ("\u{ff0d}1", "\"'\u{ff0d}1\""),
            ("\u{ff20}SUM", "\"'\u{ff20}SUM\""),
            ("\u{200b}=1", "\"'\u{200b}=1\""),
            ("x,=1", "\"x,'=1\""),
        ] {
            assert_eq!(csv_field(value), field, "{value:?}");
        }
    }

    #[test]
    fn what_is_harmless_stays_as_it_is() {
        for value in ["", "2-3.1", "/dev/sdb", "2026-11-21T09:30:00Z", "PLT00001-r1", "a=b", "드라이브", "0781:5581"]
        {
            assert_eq!(csv_field(value), value);
        }
    }
}
