// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Boots written drives in QEMU, under BIOS, UEFI and UEFI with Secure Boot, and reads what `platen-deploy` says.
//!
//! Nothing is installed, mounted or looped, and no root is needed: a drive is an image file behind an emulated USB
//! port. `PLATEN_BOOTS=no` leaves these tests out, and each counts as skipped.

mod cases;
mod machine;
mod programs;
mod qmp;
mod target_disk;

pub(crate) use machine::{ChangedDrive, Firmware, Machine, Options};
pub(crate) use qmp::Qmp;

/// The password of [`Variant::MbrWithPassword`].
pub(crate) const PASSWORD: &str = "insecure test puzzle 7ß";
/// The keys of a German keyboard that type it, as they are called in America.
pub(crate) const PASSWORD_ON_GERMAN_KEYS: &str = "insecure test puyyle 7-";

/// The written drives that the cases need, from `crate::boot_drives::drive`.
///
/// All of them: kind stand-alone, id [`MEDIA_ID`], made now, valid until some day before [`AFTER_THE_END`], signed with
/// the key that the boot image trusts. Never written to by a test: changed copies are made of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Variant {
    Mbr,
    Gpt,
    /// Its policy is encrypted with [`PASSWORD`].
    MbrWithPassword,
}

/// Id of the medium on every variant.
pub(crate) const MEDIA_ID: &str = "PLT00001";
/// A time at which every variant has expired, as QEMU's clock takes it.
pub(crate) const AFTER_THE_END: &str = "2060-01-01T00:00:00";
/// A time before any of them was made.
pub(crate) const BEFORE_IT_WAS_MADE: &str = "2001-01-01T00:00:00";

/// Whether boots are wanted; counted as skipped when not.
pub(crate) fn wanted() -> bool {
    let wanted = std::env::var_os("PLATEN_BOOTS").is_none_or(|value| value != "no");
    if !wanted {
        platen_testkit::need::skipped("boots");
    }
    wanted
}
