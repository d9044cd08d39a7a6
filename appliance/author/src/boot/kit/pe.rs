// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The two things a boot kit wants to know of an EFI program: is it signed, and which SBAT generation it is. Nothing is
//! executed or changed.

use object::read::pe::{ImageNtHeaders, PeFile64};
use object::{LittleEndian, pe};

/// What was read from an EFI program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EfiProgram {
    /// It has a certificate table (which says nothing of whose certificates they are: the firmware decides that).
    pub(super) signed: bool,
    /// The lines of its `.sbat` section, by which revoked versions are told from good ones.
    pub(super) sbat: Vec<String>,
}

/// Reads the headers of a 64-bit EFI program; the error says what it is instead.
pub(super) fn read(bytes: &[u8]) -> Result<EfiProgram, String> {
    let damaged = |error: object::Error| format!("something else ({error})");
    let program = PeFile64::parse(bytes).map_err(damaged)?;
    let machine = program.nt_headers().file_header().machine.get(LittleEndian);
    if machine != pe::IMAGE_FILE_MACHINE_AMD64 {
        return Err(format!("one for machine {machine:#06x}"));
    }
    let certificates = program.data_directory(pe::IMAGE_DIRECTORY_ENTRY_SECURITY);
    let signed = certificates.is_some_and(|table| {
        // The one directory that gives a place in the file.
        let (start, len) = (table.virtual_address.get(LittleEndian), table.size.get(LittleEndian));
        len > 0 && u64::from(start) + u64::from(len) <= bytes.len() as u64
    });
    let mut sbat = Vec::new();
    for section in program.section_table().iter().filter(|section| section.raw_name() == b".sbat") {
        // What follows the text is zeros.
        let text = String::from_utf8_lossy(section.pe_data(bytes).map_err(damaged)?);
        sbat.extend(text.trim_end_matches('\0').lines().map(str::to_owned));
    }
    Ok(EfiProgram { signed, sbat })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Headers as a linker writes them, one `.sbat` section, optionally a certificate table.
    pub(in super::super) fn program(signed: bool) -> Vec<u8> {
        let mut b = vec![0u8; 0x400];
        b[..2].copy_from_slice(b"MZ");
        b[0x3c] = 0x80;
        b[0x80..0x84].copy_from_slice(b"PE\0\0");
        b[0x84..0x86].copy_from_slice(&pe::IMAGE_FILE_MACHINE_AMD64.to_le_bytes());
        b[0x86] = 1;
        b[0x94] = 240;
        b[0x98..0x9a].copy_from_slice(&pe::IMAGE_NT_OPTIONAL_HDR64_MAGIC.to_le_bytes());
        b[0x98 + 108] = 16;
        if signed {
            let entry = 0x98 + 112 + 32;
            b[entry..entry + 4].copy_from_slice(&0x300u32.to_le_bytes());
            b[entry + 4] = 0x80;
        }
        let header = 0x98 + 240;
        b[header..header + 5].copy_from_slice(b".sbat");
        b[header + 8] = 24;
        b[header + 16..header + 18].copy_from_slice(&0x100u16.to_le_bytes());
        b[header + 20..header + 22].copy_from_slice(&0x200u16.to_le_bytes());
        b[0x200..0x218].copy_from_slice(b"sbat,1,SBAT\nshim,4,UEFI\n");
        b
    }

    #[test]
    fn signature_and_sbat_lines_are_seen() {
        let sbat = vec!["sbat,1,SBAT".to_owned(), "shim,4,UEFI".to_owned()];
        assert_eq!(read(&program(true)), Ok(EfiProgram { signed: true, sbat: sbat.clone() }));
        assert_eq!(read(&program(false)), Ok(EfiProgram { signed: false, sbat }));
    }

    #[test]
    fn anything_shortened_or_foreign_is_an_error_or_unsigned_and_never_a_panic() {
        let whole = program(true);
        for length in 0..whole.len() {
            match read(&whole[..length]) {
                Err(found) => assert!(found.starts_with("something else ("), "{length} bytes: {found}"),
                Ok(_) => assert!(length >= 0x218, "{length} bytes"),
            }
        }
        assert!(!read(&whole[..0x300]).expect("headers are whole").signed, "a table outside the file is none");
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] = 0xff;
            let _ = read(&changed);
        }
    }
}
