// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The program that runs on the computer booted from a medium.
//!
//! It is process 1 of the boot image and its only program. It finds the medium it came on and checks it: signature,
//! dates, every file, password, policy. Then it unpacks the programs that came on it. It writes nothing to any drive, and never ends by itself: whatever happens, it
//! says a code and waits for a person. Everything that touches the machine is in [`machine`], [`volumes`] and [`terminal`].

mod boot_menu;
mod check;
mod lines;
mod machine;
mod medium;
mod programs;
mod refusal;
mod screen;
mod terminal;
mod volumes;

fn main() {
    if std::process::id() != 1 {
        eprintln!("platen-deploy is started by the kernel of a boot image, as its /init; nothing was done");
        std::process::exit(2);
    }
    machine::run()
}
