// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What whoever builds a boot image and the computer that runs it must call by the same name.

/// The archive of programs, libraries and further modules, beside kernel and initramfs on a medium: a newc cpio archive
/// under zstd with folders and files below `usr` only. It is unpacked over the initramfs once the medium was checked.
pub const PROGRAMS: &str = "programs.img";
/// The longest such archive that is built and read, in bytes.
pub const MAX_PROGRAMS_BYTES: u64 = 64 << 20;
/// What it may come to when it is unpacked, in bytes.
pub const MAX_UNPACKED_PROGRAMS_BYTES: u64 = 512 << 20;
/// Folder of the kernel modules in a boot image; `/lib` is a link to `/usr/lib`.
pub const MODULES: &str = "usr/lib/modules";
/// In that folder: a line for each module of the initramfs, its file name and its parameters, in the order of loading.
pub const MODULE_ORDER: &str = "order";
/// The same for the modules of [`PROGRAMS`].
pub const DEPLOYMENT_MODULE_ORDER: &str = "deployment-order";
