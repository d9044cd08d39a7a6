// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What a program or library for x86_64 Linux asks for before it can run, as the dynamic linker reads it (System V ABI,
//! "Program Loading and Dynamic Linking"). Nothing is executed.

use object::LittleEndian;
use object::elf::{self, FileHeader64};
use object::read::StringTable;
use object::read::elf::{Dyn as _, FileHeader, ProgramHeader};

/// What must be there for a program or library to run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Linkage {
    /// Path of the dynamic linker; none in libraries and static programs.
    pub(crate) interpreter: Option<String>,
    /// The libraries it names, as it names them (`libc.so.6`).
    pub(crate) needed: Vec<String>,
}

/// Reads the headers of a 64-bit program or library; the error says what it is instead.
pub(crate) fn linkage(bytes: &[u8]) -> Result<Linkage, String> {
    read(bytes).map_err(|error| format!("something else ({error})"))
}

fn read(bytes: &[u8]) -> Result<Linkage, Box<dyn std::error::Error>> {
    let header = FileHeader64::<LittleEndian>::parse(bytes)?;
    let endian = header.endian()?;
    let is_program = matches!(header.e_type(endian), elf::ET_EXEC | elf::ET_DYN);
    if !is_program || header.e_machine(endian) != elf::EM_X86_64 {
        return Err("not for this machine".into());
    }
    let segments = header.program_headers(endian, bytes)?;
    let mut linkage = Linkage::default();
    for segment in segments {
        if let Some(name) = segment.interpreter(endian, bytes)? {
            linkage.interpreter = Some(String::from_utf8_lossy(name).into_owned());
        }
        let Some(entries) = segment.dynamic(endian, bytes)? else { continue };
        let entries = || entries.iter().take_while(|entry| entry.tag(endian) != elf::DT_NULL);
        let value = |tag| entries().find(|entry| entry.tag(endian) == tag).map(|entry| entry.val(endian));
        let (Some(address), Some(size_bytes)) = (value(elf::DT_STRTAB), value(elf::DT_STRSZ)) else { continue };
        // The table is given by where it will be in memory.
        let names = segments
            .iter()
            .filter(|segment| segment.p_type(endian) == elf::PT_LOAD)
            .find_map(|segment| segment.data_range(endian, bytes, address, size_bytes).ok().flatten())
            .ok_or("its table of names is not in the file")?;
        let names = StringTable::new(names, 0, names.len() as u64);
        for entry in entries().filter(|entry| entry.tag(endian) == elf::DT_NEEDED) {
            linkage.needed.push(String::from_utf8_lossy(entry.string(endian, names)?).into_owned());
        }
    }
    Ok(linkage)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A program or library with nothing but its headers: the interpreter and the libraries it asks for.
    pub(crate) fn program(interpreter: Option<&str>, needed: &[&str]) -> Vec<u8> {
        let mut names = b"\0".to_vec();
        let mut entries = Vec::new();
        for name in needed {
            entries.push((elf::DT_NEEDED, names.len() as u64));
            names.extend(name.bytes().chain([0]));
        }
        let interpreter_at = names.len();
        names.extend(interpreter.unwrap_or_default().bytes().chain([0]));
        const HEADERS: usize = 64 + 3 * 56;
        let entries_at = (HEADERS + names.len()).next_multiple_of(8);
        entries.extend([(elf::DT_STRTAB, HEADERS as u64), (elf::DT_STRSZ, names.len() as u64), (elf::DT_NULL, 0)]);
        let end = entries_at + entries.len() * 16;

        let mut bytes = vec![0u8; 64];
        bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        // A position-independent program for x86_64, whose three segments are described right behind this.
        (bytes[16], bytes[18], bytes[32], bytes[54], bytes[56]) = (3, 62, 64, 56, 3);
        let asks = if interpreter.is_some() { elf::PT_INTERP } else { elf::PT_NULL };
        for (kind, start, size) in [
            (elf::PT_LOAD, 0, end),
            (asks, HEADERS + interpreter_at, interpreter.map_or(0, str::len) + 1),
            (elf::PT_DYNAMIC, entries_at, end - entries_at),
        ] {
            let (start, size) = (start as u64, size as u64);
            bytes.extend(kind.to_le_bytes());
            bytes.extend([0; 4]);
            // Offset, two addresses, size in the file and in memory, alignment.
            bytes.extend([start, start, start, size, size, 8].iter().flat_map(|field| field.to_le_bytes()));
        }
        bytes.extend(names);
        bytes.resize(entries_at, 0);
        bytes.extend(entries.iter().flat_map(|(tag, value)| tag.to_le_bytes().into_iter().chain(value.to_le_bytes())));
        bytes
    }

    #[test]
    fn interpreter_and_libraries_are_those_it_names() {
        let expected = Linkage {
            interpreter: Some("/lib64/ld-linux-x86-64.so.2".into()),
            needed: vec!["libwim.so.15".into(), "libc.so.6".into()],
        };
        assert_eq!(
            linkage(&program(Some("/lib64/ld-linux-x86-64.so.2"), &["libwim.so.15", "libc.so.6"])),
            Ok(expected)
        );
        assert_eq!(linkage(&program(None, &[])), Ok(Linkage::default()));
        let test_program = std::fs::read(std::env::current_exe().expect("this")).expect("read");
        let needed = linkage(&test_program).expect("a program").needed;
        assert!(needed.iter().any(|name| name == "libc.so.6"), "a linker's own work: {needed:?}");
    }

    #[test]
    fn anything_shortened_or_changed_is_an_error_or_another_answer_and_never_a_panic() {
        let whole = program(Some("/lib/ld"), &["liba.so.1", "libb.so.2"]);
        for length in 0..whole.len() {
            let found = linkage(&whole[..length]).expect_err("a segment ends behind it");
            assert!(found.starts_with("something else ("), "{length} bytes: {found}");
        }
        for at in 0..whole.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut changed = whole.clone();
                changed[at] = value;
                let _ = linkage(&changed);
            }
        }
        let mut other = whole.clone();
        other[18] = 183;
        assert_eq!(linkage(&other), Err("something else (not for this machine)".to_owned()));
    }
}
