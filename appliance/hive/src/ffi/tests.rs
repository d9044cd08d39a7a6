// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The declarations against the installed `hivex.h`: the C compiler says what it makes of it.

use std::mem::{offset_of, size_of};
use std::process::Command;

use super::*;

#[test]
fn structures_are_those_of_the_header() {
    let expected = [
        (size_of::<SetValue>(), "sizeof(hive_set_value)"),
        (offset_of!(SetValue, key), "offsetof(hive_set_value, key)"),
        (offset_of!(SetValue, kind), "offsetof(hive_set_value, t)"),
        (offset_of!(SetValue, len), "offsetof(hive_set_value, len)"),
        (offset_of!(SetValue, value), "offsetof(hive_set_value, value)"),
        (size_of::<u32>(), "sizeof(hive_type)"),
        (size_of::<Offset>(), "sizeof(hive_node_h)"),
        (size_of::<Offset>(), "sizeof(hive_value_h)"),
        (OPEN_WRITE as usize, "HIVEX_OPEN_WRITE"),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let source = folder.path().join("header.c");
    let asserts: String =
        expected.iter().map(|(ours, c)| format!("_Static_assert({c} == {ours}, \"{c}\");\n")).collect();
    let compiles = |text: String| {
        std::fs::write(&source, text).expect("writes");
        Command::new("cc").arg("-fsyntax-only").arg(&source).output().expect("cc runs").status.success()
    };
    let head = "#include <stddef.h>\n#include <hivex.h>\n";
    assert!(compiles(format!("{head}{asserts}")), "{asserts}");
    assert!(!compiles(format!("{head}_Static_assert(sizeof(hive_type) == 5, \"\");\n")), "the control");
}
