// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The machine on recorded trees and on image files. What needs root says so.

mod bench;
mod boot;
mod commands;
mod facts;
mod images;
mod view;
mod volumes;
