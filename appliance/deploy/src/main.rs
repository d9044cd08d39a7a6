// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The program that runs on the computer booted from a medium.
//!
//! It is process 1 of the boot image. It finds the medium it came on and checks it: signature, dates, every file,
//! password, policy. Then it unpacks the programs that came on it, carries the medium's task sequence out on a disk of
//! this computer, and starts it from there. It never ends by itself: whatever goes wrong, it says a code and waits for
//! a person. Everything that touches the machine is in [`machine`], [`volumes`] and [`terminal`], and in the library's
//! `target`.
//!
//! `platen-deploy first-start` is the same program on the system that was installed: it does the rest of the sequence. On
//! Windows it is all that there is of it.

#[cfg(target_os = "linux")]
mod before;
#[cfg(target_os = "linux")]
mod boot_menu;
#[cfg(target_os = "linux")]
mod check;
#[cfg(target_os = "linux")]
mod deployment;
mod first_start;
#[cfg(target_os = "linux")]
mod full_page;
#[cfg(target_os = "linux")]
mod lines;
#[cfg(target_os = "linux")]
mod log_copy;
#[cfg(target_os = "linux")]
mod machine;
#[cfg(target_os = "linux")]
mod medium;
#[cfg(target_os = "linux")]
mod programs;
#[cfg(target_os = "linux")]
mod refusal;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod screen;
#[cfg(target_os = "linux")]
mod terminal;
#[cfg(target_os = "linux")]
mod volumes;

fn main() {
    #[cfg(target_os = "linux")]
    if std::process::id() == 1 {
        machine::run()
    }
    match std::env::args().nth(1).as_deref() {
        Some("first-start") => std::process::exit(first_start::run()),
        _ => {
            eprintln!(
                "platen-deploy is started by the kernel of a boot image, as its /init, or as `platen-deploy \
                 first-start` by a system that was installed; nothing was done"
            );
            std::process::exit(2);
        }
    }
}
