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
//! `platen-deploy first-start` is the same program on the system that was installed: it does the rest of the sequence.

mod before;
mod boot_menu;
mod check;
mod deployment;
mod first_start;
mod full_page;
mod lines;
mod log_copy;
mod machine;
mod medium;
mod programs;
mod refusal;
mod report;
mod screen;
mod terminal;
mod volumes;

fn main() {
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
