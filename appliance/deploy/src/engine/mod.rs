// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Carries a task sequence out: on the boot system as far as the disk is concerned, and on the deployed system what is
//! left.
//!
//! ```text
//! TaskSequence + Computer + variables --Carrier--> what comes next, decided as in a dry run
//!                                        |-- perform --> Machine (disks, images, boot set-up, commands)
//!                                        |-- Contents --> files of the medium, checked on their way
//!                                        `-- Store ----> where it stands, before and after each step
//! ```

mod access;
pub mod carry;
pub mod checked;
pub mod content;
mod data_image;
pub mod linux;
pub mod log;
pub mod machine;
mod mdt;
mod perform;
mod script;
pub mod software;
pub mod state;
mod system;
mod user_state;
pub mod windows;

/// Where the state stands before the first volume is formatted: in the boot system's memory.
pub const MEMORY_FOLDER: &str = "/run/platen/_SMSTaskSequence";

#[cfg(test)]
mod tests;
