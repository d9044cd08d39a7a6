// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The C declarations of hivex 1.3 (`hivex.h`) this crate uses, written by hand. `hive_type` is an
//! enumeration, which C compilers hold in 32 bits; hives have types that it does not name, and hivex passes them on.

use std::ffi::{c_char, c_int};

/// `hive_h`, opaque.
#[repr(C)]
pub(crate) struct HiveHandle {
    _opaque: [u8; 0],
}

/// `hive_node_h` and `hive_value_h`: offsets; 0 is none.
pub(crate) type Offset = usize;

/// `struct hive_set_value`.
#[repr(C)]
pub(crate) struct SetValue {
    pub(crate) key: *mut c_char,
    pub(crate) kind: u32,
    pub(crate) len: usize,
    pub(crate) value: *mut c_char,
}

pub(crate) const OPEN_WRITE: c_int = 4;

#[link(name = "hivex")]
unsafe extern "C" {
    pub(crate) fn hivex_open(path: *const c_char, flags: c_int) -> *mut HiveHandle;
    pub(crate) fn hivex_close(hive: *mut HiveHandle) -> c_int;
    pub(crate) fn hivex_root(hive: *mut HiveHandle) -> Offset;
    pub(crate) fn hivex_node_children(hive: *mut HiveHandle, node: Offset) -> *mut Offset;
    pub(crate) fn hivex_node_name(hive: *mut HiveHandle, node: Offset) -> *mut c_char;
    pub(crate) fn hivex_node_values(hive: *mut HiveHandle, node: Offset) -> *mut Offset;
    pub(crate) fn hivex_value_key(hive: *mut HiveHandle, value: Offset) -> *mut c_char;
    pub(crate) fn hivex_value_value(
        hive: *mut HiveHandle,
        value: Offset,
        kind: *mut u32,
        len: *mut usize,
    ) -> *mut c_char;
    pub(crate) fn hivex_node_add_child(hive: *mut HiveHandle, parent: Offset, name: *const c_char) -> Offset;
    pub(crate) fn hivex_node_delete_child(hive: *mut HiveHandle, node: Offset) -> c_int;
    pub(crate) fn hivex_node_set_values(
        hive: *mut HiveHandle,
        node: Offset,
        count: usize,
        values: *const SetValue,
        flags: c_int,
    ) -> c_int;
    pub(crate) fn hivex_commit(hive: *mut HiveHandle, path: *const c_char, flags: c_int) -> c_int;
}

// The C library's, for what hivex allocates.
unsafe extern "C" {
    pub(crate) fn free(pointer: *mut std::ffi::c_void);
}

#[cfg(test)]
mod tests;
