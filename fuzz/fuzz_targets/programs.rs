#![no_main]
// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| platen_fuzz::fuzz("programs", bytes));
