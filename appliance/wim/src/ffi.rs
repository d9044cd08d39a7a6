// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The C declarations of libwim 1.13 (`wimlib.h`) this crate uses, written by hand. `tests` compares every size
//! and offset with the header of the library that is installed.

use std::ffi::{c_char, c_int, c_uint, c_void};

/// `WIMStruct`, opaque.
#[repr(C)]
pub(crate) struct WimStruct {
    _opaque: [u8; 0],
}

/// `FILE` of the C library, opaque.
#[repr(C)]
pub(crate) struct CFile {
    _opaque: [u8; 0],
}

/// `struct wimlib_wim_info`.
#[repr(C)]
#[derive(Default)]
pub(crate) struct Info {
    pub(crate) guid: [u8; 16],
    pub(crate) image_count: u32,
    pub(crate) boot_index: u32,
    pub(crate) wim_version: u32,
    pub(crate) chunk_size: u32,
    pub(crate) part_number: u16,
    pub(crate) total_parts: u16,
    pub(crate) compression_type: i32,
    pub(crate) total_bytes: u64,
    /// Bit field, see `INFO_*`.
    pub(crate) flags: u32,
    pub(crate) reserved: [u32; 9],
}

pub(crate) const INFO_HAS_INTEGRITY_TABLE: u32 = 1 << 0;
pub(crate) const INFO_HAS_RPFIX: u32 = 1 << 3;

/// `struct wimlib_resource_entry`.
#[repr(C)]
pub(crate) struct Resource {
    pub(crate) uncompressed_size: u64,
    pub(crate) compressed_size: u64,
    pub(crate) offset: u64,
    pub(crate) sha1_hash: [u8; 20],
    pub(crate) part_number: u32,
    pub(crate) reference_count: u32,
    /// Bit field, see `RESOURCE_PACKED`.
    pub(crate) flags: u32,
    pub(crate) raw_resource_offset_in_wim: u64,
    pub(crate) raw_resource_compressed_size: u64,
    pub(crate) raw_resource_uncompressed_size: u64,
    pub(crate) reserved: [u64; 1],
}

/// The resource is part of a solid one.
pub(crate) const RESOURCE_PACKED: u32 = 1 << 5;

/// The beginning of `struct wimlib_progress_info_write_streams`.
#[repr(C)]
pub(crate) struct WriteStreams {
    pub(crate) total_bytes: u64,
    pub(crate) total_streams: u64,
    pub(crate) completed_bytes: u64,
}

/// The beginning of `struct wimlib_progress_info_extract`.
#[repr(C)]
pub(crate) struct Extract {
    pub(crate) image: u32,
    pub(crate) extract_flags: u32,
    pub(crate) wimfile_name: *const c_char,
    pub(crate) image_name: *const c_char,
    pub(crate) target: *const c_char,
    pub(crate) reserved: *const c_char,
    pub(crate) total_bytes: u64,
    pub(crate) completed_bytes: u64,
}

/// The beginning of `struct wimlib_progress_info_integrity`.
#[repr(C)]
pub(crate) struct Integrity {
    pub(crate) total_bytes: u64,
    pub(crate) completed_bytes: u64,
}

/// `struct wimlib_progress_info_verify_streams`.
#[repr(C)]
pub(crate) struct VerifyStreams {
    pub(crate) wimfile: *const c_char,
    pub(crate) total_streams: u64,
    pub(crate) total_bytes: u64,
    pub(crate) completed_streams: u64,
    pub(crate) completed_bytes: u64,
}

pub(crate) const MSG_EXTRACT_STREAMS: c_int = 4;
pub(crate) const MSG_WRITE_STREAMS: c_int = 12;
pub(crate) const MSG_VERIFY_INTEGRITY: c_int = 16;
pub(crate) const MSG_CALC_INTEGRITY: c_int = 17;
pub(crate) const MSG_VERIFY_STREAMS: c_int = 29;

pub(crate) const STATUS_CONTINUE: c_int = 0;
pub(crate) const STATUS_ABORT: c_int = 1;

pub(crate) const COMPRESSION_XPRESS: c_int = 1;
pub(crate) const COMPRESSION_LZX: c_int = 2;

pub(crate) const ALL_IMAGES: c_int = -1;

pub(crate) const OPEN_CHECK_INTEGRITY: c_int = 0x1;
pub(crate) const CHANGE_GUID: c_int = 0x2;
pub(crate) const CHANGE_BOOT_INDEX: c_int = 0x4;
pub(crate) const CHANGE_RPFIX_FLAG: c_int = 0x8;
pub(crate) const ADD_NORPFIX: c_int = 0x200;
pub(crate) const ADD_NO_UNSUPPORTED_EXCLUDE: c_int = 0x400;
pub(crate) const EXTRACT_NTFS: c_int = 0x1;
pub(crate) const EXTRACT_NO_ACLS: c_int = 0x40;
pub(crate) const EXTRACT_NORPFIX: c_int = 0x200;
pub(crate) const EXTRACT_STRICT_TIMESTAMPS: c_int = 0x2000;
pub(crate) const EXTRACT_STRICT_SYMLINKS: c_int = 0x8000;
pub(crate) const EXTRACT_NO_ATTRIBUTES: c_int = 0x10_0000;
pub(crate) const WRITE_CHECK_INTEGRITY: c_int = 0x1;
pub(crate) const WRITE_NOT_PIPABLE: c_int = 0x8;
pub(crate) const WRITE_FSYNC: c_int = 0x20;
pub(crate) const WRITE_RETAIN_GUID: c_int = 0x800;

pub(crate) const ERR_DECOMPRESSION: c_int = 2;
pub(crate) const ERR_IMAGE_COUNT: c_int = 10;
pub(crate) const ERR_INTEGRITY: c_int = 13;
pub(crate) const ERR_INVALID_CHUNK_SIZE: c_int = 15;
pub(crate) const ERR_INVALID_COMPRESSION_TYPE: c_int = 16;
pub(crate) const ERR_INVALID_HEADER: c_int = 17;
pub(crate) const ERR_INVALID_INTEGRITY_TABLE: c_int = 19;
pub(crate) const ERR_INVALID_LOOKUP_TABLE_ENTRY: c_int = 20;
pub(crate) const ERR_INVALID_METADATA_RESOURCE: c_int = 21;
pub(crate) const ERR_INVALID_PART_NUMBER: c_int = 25;
pub(crate) const ERR_INVALID_PIPABLE_WIM: c_int = 26;
pub(crate) const ERR_INVALID_REPARSE_DATA: c_int = 27;
pub(crate) const ERR_INVALID_RESOURCE_HASH: c_int = 28;
pub(crate) const ERR_INVALID_UTF16_STRING: c_int = 30;
pub(crate) const ERR_METADATA_NOT_FOUND: c_int = 36;
pub(crate) const ERR_NOT_A_WIM_FILE: c_int = 43;
pub(crate) const ERR_RESOURCE_NOT_FOUND: c_int = 55;
pub(crate) const ERR_RESOURCE_ORDER: c_int = 56;
pub(crate) const ERR_UNEXPECTED_END_OF_FILE: c_int = 65;
pub(crate) const ERR_UNKNOWN_VERSION: c_int = 67;
pub(crate) const ERR_XML: c_int = 73;
pub(crate) const ERR_WIM_IS_ENCRYPTED: c_int = 74;
pub(crate) const ERR_WIM_IS_INCOMPLETE: c_int = 84;

pub(crate) type ProgressFn = unsafe extern "C" fn(message: c_int, info: *mut c_void, context: *mut c_void) -> c_int;
pub(crate) type ResourceFn = unsafe extern "C" fn(resource: *const Resource, context: *mut c_void) -> c_int;

#[link(name = "wim")]
unsafe extern "C" {
    pub(crate) fn wimlib_global_init(init_flags: c_int) -> c_int;
    pub(crate) fn wimlib_get_error_string(code: c_int) -> *const c_char;
    pub(crate) fn wimlib_set_error_file(file: *mut CFile) -> c_int;
    pub(crate) fn wimlib_register_progress_function(
        wim: *mut WimStruct,
        progress: Option<ProgressFn>,
        context: *mut c_void,
    );
    pub(crate) fn wimlib_create_new_wim(compression: c_int, wim: *mut *mut WimStruct) -> c_int;
    pub(crate) fn wimlib_open_wim_with_progress(
        path: *const c_char,
        open_flags: c_int,
        wim: *mut *mut WimStruct,
        progress: Option<ProgressFn>,
        context: *mut c_void,
    ) -> c_int;
    pub(crate) fn wimlib_free(wim: *mut WimStruct);
    pub(crate) fn wimlib_get_wim_info(wim: *mut WimStruct, info: *mut Info) -> c_int;
    pub(crate) fn wimlib_set_wim_info(wim: *mut WimStruct, info: *const Info, which: c_int) -> c_int;
    pub(crate) fn wimlib_get_image_property(
        wim: *const WimStruct,
        image: c_int,
        property: *const c_char,
    ) -> *const c_char;
    pub(crate) fn wimlib_iterate_lookup_table(
        wim: *mut WimStruct,
        flags: c_int,
        callback: ResourceFn,
        context: *mut c_void,
    ) -> c_int;
    pub(crate) fn wimlib_reference_resource_files(
        wim: *mut WimStruct,
        paths: *const *const c_char,
        count: c_uint,
        ref_flags: c_int,
        open_flags: c_int,
    ) -> c_int;
    pub(crate) fn wimlib_verify_wim(wim: *mut WimStruct, verify_flags: c_int) -> c_int;
    pub(crate) fn wimlib_export_image(
        source: *mut WimStruct,
        image: c_int,
        destination: *mut WimStruct,
        name: *const c_char,
        description: *const c_char,
        export_flags: c_int,
    ) -> c_int;
    pub(crate) fn wimlib_write(
        wim: *mut WimStruct,
        path: *const c_char,
        image: c_int,
        write_flags: c_int,
        threads: c_uint,
    ) -> c_int;
    pub(crate) fn wimlib_split(
        wim: *mut WimStruct,
        first_part: *const c_char,
        part_bytes: u64,
        write_flags: c_int,
    ) -> c_int;
    pub(crate) fn wimlib_add_image(
        wim: *mut WimStruct,
        source: *const c_char,
        name: *const c_char,
        config_file: *const c_char,
        add_flags: c_int,
    ) -> c_int;
    pub(crate) fn wimlib_extract_image(
        wim: *mut WimStruct,
        image: c_int,
        target: *const c_char,
        extract_flags: c_int,
    ) -> c_int;
}

// The C library's, for libwim's messages: it writes them to a `FILE` and nowhere else.
unsafe extern "C" {
    pub(crate) fn memfd_create(name: *const c_char, flags: c_uint) -> c_int;
    pub(crate) fn fdopen(fd: c_int, mode: *const c_char) -> *mut CFile;
}

pub(crate) const MFD_CLOEXEC: c_uint = 1;

#[cfg(test)]
mod tests;
