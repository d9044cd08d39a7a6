// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Command lines of `reg.exe`. Variables must have been put in.

use crate::command_line::{arguments, is_program, without_shell};

use super::{
    Action, Data, REG_BINARY, REG_EXPAND_SZ, REG_SZ, RegistryChange, RegistryError, change, from_hexadecimal, short,
};

/// What a command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `reg add`, `reg delete`.
    Change(RegistryChange),
    /// `reg import`: what [`super::import()`] says of that file.
    Import {
        /// A Windows path.
        file: String,
    },
    /// `reg load`: [`super::Hive::Loaded`] with that name is that file.
    Load {
        /// As in [`super::Hive::Loaded`].
        name: String,
        /// A Windows path.
        file: String,
    },
    /// `reg unload`.
    Unload {
        /// As in [`super::Hive::Loaded`].
        name: String,
    },
}

/// Reads `reg …`, also behind `cmd /c`.
pub fn command(line: &str) -> Result<Command, RegistryError> {
    let not_reg = || RegistryError::NotReg { found: short(line) };
    let arguments = arguments(line).ok_or_else(not_reg)?;
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [program, verb, key, rest @ ..] = without_shell(&words) else { return Err(not_reg()) };
    if !is_program(program, "reg") {
        return Err(not_reg());
    }
    match &*verb.to_lowercase() {
        "add" => add(key, rest).map(Command::Change),
        "delete" => delete(key, rest).map(Command::Change),
        "import" => Ok(Command::Import { file: (*key).to_owned() }),
        "load" => match rest {
            [file, ..] => Ok(Command::Load { name: key.to_lowercase(), file: (*file).to_owned() }),
            [] => Err(RegistryError::Argument { expected: "the file of a hive".to_owned(), found: "none".to_owned() }),
        },
        "unload" => Ok(Command::Unload { name: key.to_lowercase() }),
        _ => Err(RegistryError::Argument {
            expected: "add, delete, import, load or unload".to_owned(),
            found: short(verb),
        }),
    }
}

/// Options with what follows them.
#[derive(Default)]
struct Options<'w> {
    name: Option<&'w str>,
    kind: Option<&'w str>,
    data: Option<&'w str>,
    separator: Option<&'w str>,
    all_values: bool,
    is_32_bit: bool,
}

fn options<'w>(words: &[&'w str], allowed: &str) -> Result<Options<'w>, RegistryError> {
    let mut found = Options::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let option = word.to_lowercase();
        let wrong = || RegistryError::Argument { expected: allowed.to_owned(), found: short(word) };
        if !allowed.split(' ').any(|it| it == option) {
            return Err(wrong());
        }
        let mut value = || {
            let expected = format!("a value after {word}");
            words.next().copied().ok_or(RegistryError::Argument { expected, found: "none".to_owned() })
        };
        match &*option {
            "/v" => found.name = Some(value()?),
            "/ve" => found.name = Some(""),
            "/va" => found.all_values = true,
            "/t" => found.kind = Some(value()?),
            "/d" => found.data = Some(value()?),
            "/s" => found.separator = Some(value()?),
            "/reg:32" => found.is_32_bit = true,
            "/f" | "/reg:64" => {}
            _ => return Err(wrong()),
        }
    }
    Ok(found)
}

fn add(key: &str, rest: &[&str]) -> Result<RegistryChange, RegistryError> {
    let options = options(rest, "/v /ve /t /s /d /f /reg:32 /reg:64")?;
    let action = match options.name {
        None => Action::CreateKey,
        Some(name) => Action::SetValue { name: name.to_owned(), data: data(&options)? },
    };
    change(key, options.is_32_bit, action)
}

fn delete(key: &str, rest: &[&str]) -> Result<RegistryChange, RegistryError> {
    let options = options(rest, "/v /ve /va /f /reg:32 /reg:64")?;
    let action = match (options.name, options.all_values) {
        (None, false) => Action::DeleteKey,
        (None, true) => Action::DeleteAllValues,
        (Some(name), _) => Action::DeleteValue { name: name.to_owned() },
    };
    change(key, options.is_32_bit, action)
}

fn data(options: &Options<'_>) -> Result<Data, RegistryError> {
    const NONE: u32 = 0;
    const DWORD_BIG_ENDIAN: u32 = 5;
    let kind = options.kind.unwrap_or("REG_SZ").to_uppercase();
    let text = options.data.unwrap_or_default();
    let wrong = |expected: &str| RegistryError::Argument { expected: expected.to_owned(), found: short(text) };
    let number = || match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        _ if text.is_empty() => Some(0),
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    let dword = || number().and_then(|number| u32::try_from(number).ok()).ok_or_else(|| wrong("a number of 32 bits"));
    let bytes = || from_hexadecimal(text).ok_or_else(|| wrong("pairs of hexadecimal digits"));
    match &*kind {
        "REG_SZ" => Ok(Data::text(REG_SZ, text)),
        "REG_EXPAND_SZ" => Ok(Data::text(REG_EXPAND_SZ, text)),
        "REG_MULTI_SZ" => {
            let separator = options.separator.unwrap_or("\\0");
            Ok(Data::texts(text.split(separator).filter(|text| !text.is_empty())))
        }
        "REG_DWORD" | "REG_DWORD_LITTLE_ENDIAN" => Ok(Data::dword(dword()?)),
        "REG_DWORD_BIG_ENDIAN" => Ok(Data { kind: DWORD_BIG_ENDIAN, bytes: dword()?.to_be_bytes().to_vec() }),
        "REG_QWORD" => Ok(Data::qword(number().ok_or_else(|| wrong("a number of 64 bits"))?)),
        "REG_BINARY" => Ok(Data { kind: REG_BINARY, bytes: bytes()? }),
        "REG_NONE" => Ok(Data { kind: NONE, bytes: bytes()? }),
        _ => Err(RegistryError::Argument { expected: "a type, such as REG_SZ".to_owned(), found: short(&kind) }),
    }
}
