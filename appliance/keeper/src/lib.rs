// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The library of `platen-keeper`, the program that keeps an appliance's own system: its disk, its two slots, its updates,
//! and the station that runs on it. It is the one thing on the box that runs as root after start.
//!
//! What it decides is in [`core`], which is pure; [`service`] carries it out. It has no network and no display: the station
//! shows what is known and asks for what people want, at a socket ([`serve`]). It never reads what is on an inserted drive;
//! updates are brought to it as files.

pub mod bundle;
pub mod core;
#[cfg(test)]
mod cut_files;
pub mod data;
pub mod disk;
pub mod error;
pub mod files;
pub mod kernel;
pub mod log;
pub mod places;
pub mod program;
pub mod serve;
pub mod service;
pub mod settings;
pub mod slots;
pub mod station;
pub mod version;
