// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Which Windows an image holds, by its own files.

use std::path::Path;

use platen_windows::{Architecture, ProductType, System};

use super::{StepError, existing, read, said};

const KERNEL: &str = "Windows\\System32\\ntoskrnl.exe";
/// The kernel has some 12 MB.
const MAX_KERNEL_BYTES: u64 = 64 << 20;

/// What drivers and the answer file are chosen by.
pub(super) fn system(root: &Path) -> Result<System, StepError> {
    let path = existing(root, KERNEL)?.ok_or_else(|| said(format!("the image is no whole Windows: no {KERNEL}")))?;
    let kernel = read(&path, MAX_KERNEL_BYTES)?;
    let architecture = architecture(&kernel).ok_or_else(|| {
        said(format!("{KERNEL}: expected a program for x86, x64 or ARM64 (PE), found {} other bytes", kernel.len()))
    })?;
    // Without a version it is taken for the oldest Windows of this kind, which leaves out no driver but newer ones.
    let (major, minor, build) = version(&kernel).unwrap_or((10, 0, 10_240));
    let product = if is_server(root)? { ProductType::Server } else { ProductType::Workstation };
    Ok(System { architecture, major, minor, build, product, suite_mask: 0 })
}

/// Refuses a Windows that this computer can't run.
pub(super) fn check(found: Architecture, computer: &str, is_uefi: bool) -> Result<(), StepError> {
    let own = Architecture::from_name(computer);
    // A BIOS starts the older one, too; UEFI firmware starts programs of its own kind only.
    let is_older = |own| !is_uefi && (own, found) == (Architecture::Amd64, Architecture::X86);
    let runs = own.is_none_or(|own| own == found || is_older(own));
    let found = found.name();
    match runs {
        true => Ok(()),
        false => Err(said(format!(
            "the image is for another architecture: expected one for {computer}, found one for {found}; use another image"
        ))),
    }
}

/// PE format, "COFF File Header": the machine comes behind the signature, to which offset 0x3c points.
fn architecture(program: &[u8]) -> Option<Architecture> {
    let at = usize::try_from(u32::from_le_bytes(bytes(program, 0x3c)?)).ok()?;
    if program.get(..2)? != b"MZ" || bytes(program, at)? != *b"PE\0\0" {
        return None;
    }
    match u16::from_le_bytes(bytes(program, at.checked_add(4)?)?) {
        0x014c => Some(Architecture::X86),
        0x8664 => Some(Architecture::Amd64),
        0xaa64 => Some(Architecture::Arm64),
        _ => None,
    }
}

/// `VS_FIXEDFILEINFO`: signature, version of the structure, then the file's version in two halves of 32 bits.
fn version(program: &[u8]) -> Option<(u32, u32, u32)> {
    const SIGNATURE: [u8; 8] = [0xbd, 0x04, 0xef, 0xfe, 0x00, 0x00, 0x01, 0x00];
    let at = program.windows(SIGNATURE.len()).position(|window| window == SIGNATURE)?;
    let half = |offset: usize| Some(u32::from_le_bytes(bytes(program, at.checked_add(offset)?)?));
    let (high, low) = (half(8)?, half(12)?);
    Some((high >> 16, high & 0xffff, low >> 16))
}

/// An image has a file named after its edition, such as `Professional.xml` or `ServerStandard.xml`.
fn is_server(root: &Path) -> Result<bool, StepError> {
    let folder = existing(root, "Windows")?.ok_or_else(|| said("the image has no folder Windows"))?;
    let entries = std::fs::read_dir(&folder).map_err(|error| said(format!("reading {}: {error}", folder.display())))?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.map(|name| name.to_lowercase()).any(|name| name.starts_with("server") && name.ends_with(".xml")))
}

fn bytes<const N: usize>(of: &[u8], at: usize) -> Option<[u8; N]> {
    of.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_get_an_answer() {
        let mut program = vec![0; 0x200];
        assert_eq!((architecture(&program), version(&program)), (None, None));
        program[..2].copy_from_slice(b"MZ");
        program[0x3c] = 0x80;
        program[0x80..0x84].copy_from_slice(b"PE\0\0");
        for (machine, expected) in
            [(0x8664_u16, Some(Architecture::Amd64)), (0xaa64, Some(Architecture::Arm64)), (0x0200, None)]
        {
            program[0x84..0x86].copy_from_slice(&machine.to_le_bytes());
            assert_eq!(architecture(&program), expected);
        }
        program[0x100..0x110].copy_from_slice(&[0xbd, 4, 0xef, 0xfe, 0, 0, 1, 0, 0, 0, 10, 0, 1, 0, 0x65, 0x4a]);
        assert_eq!(version(&program), Some((10, 0, 0x4a65)));
        for end in 0..program.len() {
            let _ = (architecture(&program[..end]), version(&program[..end]));
        }
        program[0x3c..0x40].fill(0xff);
        assert_eq!(architecture(&program), None);
    }

    #[test]
    fn a_computer_runs_its_own_architecture_and_x64_the_older_one() {
        assert!(check(Architecture::Amd64, "x86_64", true).is_ok());
        assert!(check(Architecture::X86, "x86_64", false).is_ok());
        for (image, computer, is_uefi) in [
            (Architecture::Arm64, "x86_64", false),
            (Architecture::Amd64, "x86", false),
            (Architecture::X86, "x86_64", true),
        ] {
            let error = check(image, computer, is_uefi).expect_err("another").to_string();
            assert!(error.contains(&format!("expected one for {computer}, found one for {}", image.name())), "{error}");
        }
    }
}
