//! The two things a boot kit wants to know of an EFI program: is it signed, and which SBAT generation it is.
//!
//! Offsets are those of Microsoft's "PE Format". Nothing is executed or changed.

/// What was read from an EFI program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EfiProgram {
    /// It has a certificate table (which says nothing of whose certificates they are: the firmware decides that).
    pub(super) signed: bool,
    /// The lines of its `.sbat` section, by which revoked versions are told from good ones.
    pub(super) sbat: Vec<String>,
}

/// Where reading stopped to make sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotEfi {
    pub(super) offset: u64,
}

const MACHINE_X86_64: u16 = 0x8664;
const PE32_PLUS: u16 = 0x20b;
const CERTIFICATE_TABLE: usize = 4;

/// Reads the headers of a 64-bit EFI program.
pub(super) fn read(bytes: &[u8]) -> Result<EfiProgram, NotEfi> {
    let at = |offset: usize, length: usize| {
        offset.checked_add(length).and_then(|end| bytes.get(offset..end)).ok_or(NotEfi { offset: offset as u64 })
    };
    let u16_at = |offset| at(offset, 2).map(|b| u16::from_le_bytes([b[0], b[1]]));
    let u32_at = |offset| at(offset, 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize);
    let expect = |good: bool, offset: usize| if good { Ok(()) } else { Err(NotEfi { offset: offset as u64 }) };

    expect(at(0, 2)? == b"MZ", 0)?;
    let pe = u32_at(0x3c)?;
    expect(at(pe, 4)? == b"PE\0\0", pe)?;
    expect(u16_at(pe + 4)? == MACHINE_X86_64, pe + 4)?;
    let sections = usize::from(u16_at(pe + 6)?);
    let optional = pe + 24;
    let optional_bytes = usize::from(u16_at(pe + 20)?);
    expect(u16_at(optional)? == PE32_PLUS, optional)?;
    let directories = u32_at(optional + 108)?;
    let certificates = optional + 112 + 8 * CERTIFICATE_TABLE;
    let signed = directories > CERTIFICATE_TABLE && {
        let (start, length) = (u32_at(certificates)?, u32_at(certificates + 4)?);
        length > 0 && at(start, length).is_ok()
    };

    let mut sbat = Vec::new();
    for number in 0..sections {
        let header = optional + optional_bytes + 40 * number;
        if at(header, 8)? != b".sbat\0\0\0" {
            continue;
        }
        // The raw size is rounded up to the file alignment; what follows the text is zeros.
        let text = at(u32_at(header + 20)?, u32_at(header + 8)?.min(u32_at(header + 16)?))?;
        let text = String::from_utf8_lossy(text);
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
        b[0x84..0x86].copy_from_slice(&MACHINE_X86_64.to_le_bytes());
        b[0x86] = 1;
        b[0x94] = 240;
        b[0x98..0x9a].copy_from_slice(&PE32_PLUS.to_le_bytes());
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
                Err(NotEfi { offset }) => assert!(offset <= 0x218, "{length} bytes: {offset:#x}"),
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
