// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The outside view: the real programs, driven on image files, judged by tools that are not ours.

// A program has no public face.
#![allow(unreachable_pub)]

mod appliance;
mod boot;
mod boot_drives;
mod deploy;
mod display;
mod drive_jobs;
mod formats;
mod formats_boot;
mod guard;
mod guest;
mod hostile;
mod hotplug;
mod judges;
mod layouts;
mod os;
mod packaging;
mod panel;
mod refusals;
mod secrets;
mod sequence;
mod station;
mod store;
mod stream;
mod texts;
mod usb;
mod used;
mod workspace;

use platen_testkit::station as common;
