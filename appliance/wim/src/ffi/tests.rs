// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The declarations against the installed `wimlib.h`: a C program prints what the compiler makes of it.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping")]

use std::fmt::Write as _;
use std::mem::{offset_of, size_of};
use std::process::Command;

use super::*;

/// What the header gives for each C expression.
fn ask_the_header(expressions: &[&str]) -> Vec<i64> {
    let dir = tempfile::tempdir().unwrap();
    let mut program = String::from(
        "#include <stdint.h>\n#include <stddef.h>\n#include <stdbool.h>\n#include <stdio.h>\n#include <string.h>\n#include <wimlib.h>\n\
         typedef struct wimlib_wim_info I; typedef struct wimlib_resource_entry R; typedef union wimlib_progress_info P;\n\
         static uint32_t word(const void *at) { uint32_t w; memcpy(&w, at, 4); return w; }\n\
         int main(void) {\n I i; R r; memset(&i, 0, sizeof i); memset(&r, 0, sizeof r);\n",
    );
    for expression in expressions {
        writeln!(program, " printf(\"%lld\\n\", (long long)({expression}));").unwrap();
    }
    program.push_str(" (void)i; (void)r; (void)word; return 0;\n}\n");
    let source = dir.path().join("header.c");
    let binary = dir.path().join("header");
    std::fs::write(&source, program).unwrap();
    let built = Command::new("cc").arg(&source).arg("-o").arg(&binary).status().unwrap();
    assert!(built.success(), "cc failed");
    let output = Command::new(&binary).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(|line| line.parse().unwrap()).collect()
}

/// `name of a Rust constant or place => C expression`.
macro_rules! same {
    ($($rust:expr => $c:literal),* $(,)?) => {{
        let ours: Vec<i64> = vec![$(i64::try_from($rust).unwrap()),*];
        let names = [$($c),*];
        for ((ours, header), name) in ours.iter().zip(ask_the_header(&names)).zip(names) {
            assert_eq!(*ours, header, "{name}");
        }
        ours.len()
    }};
}

#[test]
fn structures_are_those_of_the_header() {
    let compared = same! {
        size_of::<Info>() => "sizeof(I)",
        offset_of!(Info, guid) => "offsetof(I, guid)",
        offset_of!(Info, image_count) => "offsetof(I, image_count)",
        offset_of!(Info, boot_index) => "offsetof(I, boot_index)",
        offset_of!(Info, wim_version) => "offsetof(I, wim_version)",
        offset_of!(Info, chunk_size) => "offsetof(I, chunk_size)",
        offset_of!(Info, part_number) => "offsetof(I, part_number)",
        offset_of!(Info, total_parts) => "offsetof(I, total_parts)",
        offset_of!(Info, compression_type) => "offsetof(I, compression_type)",
        offset_of!(Info, total_bytes) => "offsetof(I, total_bytes)",
        offset_of!(Info, reserved) => "offsetof(I, reserved)",
        offset_of!(Info, flags) => "offsetof(I, reserved) - 4",
        INFO_HAS_INTEGRITY_TABLE => "(i.has_integrity_table = 1, word((char *)&i + offsetof(I, reserved) - 4))",
        INFO_HAS_RPFIX => "(memset(&i, 0, sizeof i), i.has_rpfix = 1, word((char *)&i + offsetof(I, reserved) - 4))",
        size_of::<Resource>() => "sizeof(R)",
        offset_of!(Resource, uncompressed_size) => "offsetof(R, uncompressed_size)",
        offset_of!(Resource, compressed_size) => "offsetof(R, compressed_size)",
        offset_of!(Resource, offset) => "offsetof(R, offset)",
        offset_of!(Resource, sha1_hash) => "offsetof(R, sha1_hash)",
        offset_of!(Resource, part_number) => "offsetof(R, part_number)",
        offset_of!(Resource, reference_count) => "offsetof(R, reference_count)",
        offset_of!(Resource, flags) => "offsetof(R, reference_count) + 4",
        RESOURCE_PACKED => "(r.packed = 1, word((char *)&r + offsetof(R, reference_count) + 4))",
        offset_of!(Resource, raw_resource_offset_in_wim) => "offsetof(R, raw_resource_offset_in_wim)",
        offset_of!(Resource, raw_resource_compressed_size) => "offsetof(R, raw_resource_compressed_size)",
        offset_of!(Resource, raw_resource_uncompressed_size) => "offsetof(R, raw_resource_uncompressed_size)",
        offset_of!(Resource, reserved) => "offsetof(R, reserved)",
        offset_of!(WriteStreams, total_bytes) => "offsetof(P, write_streams.total_bytes)",
        offset_of!(WriteStreams, total_streams) => "offsetof(P, write_streams.total_streams)",
        offset_of!(WriteStreams, completed_bytes) => "offsetof(P, write_streams.completed_bytes)",
        offset_of!(Extract, image) => "offsetof(P, extract.image)",
        offset_of!(Extract, extract_flags) => "offsetof(P, extract.extract_flags)",
        offset_of!(Extract, wimfile_name) => "offsetof(P, extract.wimfile_name)",
        offset_of!(Extract, image_name) => "offsetof(P, extract.image_name)",
        offset_of!(Extract, target) => "offsetof(P, extract.target)",
        offset_of!(Extract, reserved) => "offsetof(P, extract.reserved)",
        offset_of!(Extract, total_bytes) => "offsetof(P, extract.total_bytes)",
        offset_of!(Extract, completed_bytes) => "offsetof(P, extract.completed_bytes)",
        offset_of!(Integrity, total_bytes) => "offsetof(P, integrity.total_bytes)",
        offset_of!(Integrity, completed_bytes) => "offsetof(P, integrity.completed_bytes)",
        offset_of!(VerifyStreams, wimfile) => "offsetof(P, verify_streams.wimfile)",
        offset_of!(VerifyStreams, total_streams) => "offsetof(P, verify_streams.total_streams)",
        offset_of!(VerifyStreams, total_bytes) => "offsetof(P, verify_streams.total_bytes)",
        offset_of!(VerifyStreams, completed_streams) => "offsetof(P, verify_streams.completed_streams)",
        offset_of!(VerifyStreams, completed_bytes) => "offsetof(P, verify_streams.completed_bytes)",
        size_of::<c_int>() => "sizeof(enum wimlib_progress_status)",
        size_of::<c_char>() => "sizeof(wimlib_tchar)",
    };
    assert!(compared > 40);
}

#[test]
fn constants_are_those_of_the_header() {
    same! {
        MSG_EXTRACT_STREAMS => "WIMLIB_PROGRESS_MSG_EXTRACT_STREAMS",
        MSG_WRITE_STREAMS => "WIMLIB_PROGRESS_MSG_WRITE_STREAMS",
        MSG_VERIFY_INTEGRITY => "WIMLIB_PROGRESS_MSG_VERIFY_INTEGRITY",
        MSG_CALC_INTEGRITY => "WIMLIB_PROGRESS_MSG_CALC_INTEGRITY",
        MSG_VERIFY_STREAMS => "WIMLIB_PROGRESS_MSG_VERIFY_STREAMS",
        STATUS_CONTINUE => "WIMLIB_PROGRESS_STATUS_CONTINUE",
        STATUS_ABORT => "WIMLIB_PROGRESS_STATUS_ABORT",
        COMPRESSION_XPRESS => "WIMLIB_COMPRESSION_TYPE_XPRESS",
        COMPRESSION_LZX => "WIMLIB_COMPRESSION_TYPE_LZX",
        ALL_IMAGES => "WIMLIB_ALL_IMAGES",
        OPEN_CHECK_INTEGRITY => "WIMLIB_OPEN_FLAG_CHECK_INTEGRITY",
        CHANGE_GUID => "WIMLIB_CHANGE_GUID",
        CHANGE_BOOT_INDEX => "WIMLIB_CHANGE_BOOT_INDEX",
        CHANGE_RPFIX_FLAG => "WIMLIB_CHANGE_RPFIX_FLAG",
        ADD_NORPFIX => "WIMLIB_ADD_FLAG_NORPFIX",
        ADD_NO_UNSUPPORTED_EXCLUDE => "WIMLIB_ADD_FLAG_NO_UNSUPPORTED_EXCLUDE",
        EXTRACT_NTFS => "WIMLIB_EXTRACT_FLAG_NTFS",
        EXTRACT_NO_ACLS => "WIMLIB_EXTRACT_FLAG_NO_ACLS",
        EXTRACT_NORPFIX => "WIMLIB_EXTRACT_FLAG_NORPFIX",
        EXTRACT_STRICT_TIMESTAMPS => "WIMLIB_EXTRACT_FLAG_STRICT_TIMESTAMPS",
        EXTRACT_STRICT_SYMLINKS => "WIMLIB_EXTRACT_FLAG_STRICT_SYMLINKS",
        EXTRACT_NO_ATTRIBUTES => "WIMLIB_EXTRACT_FLAG_NO_ATTRIBUTES",
        WRITE_CHECK_INTEGRITY => "WIMLIB_WRITE_FLAG_CHECK_INTEGRITY",
        WRITE_NOT_PIPABLE => "WIMLIB_WRITE_FLAG_NOT_PIPABLE",
        WRITE_FSYNC => "WIMLIB_WRITE_FLAG_FSYNC",
        WRITE_RETAIN_GUID => "WIMLIB_WRITE_FLAG_RETAIN_GUID",
        ERR_DECOMPRESSION => "WIMLIB_ERR_DECOMPRESSION",
        ERR_IMAGE_COUNT => "WIMLIB_ERR_IMAGE_COUNT",
        ERR_INTEGRITY => "WIMLIB_ERR_INTEGRITY",
        ERR_INVALID_CHUNK_SIZE => "WIMLIB_ERR_INVALID_CHUNK_SIZE",
        ERR_INVALID_COMPRESSION_TYPE => "WIMLIB_ERR_INVALID_COMPRESSION_TYPE",
        ERR_INVALID_HEADER => "WIMLIB_ERR_INVALID_HEADER",
        ERR_INVALID_INTEGRITY_TABLE => "WIMLIB_ERR_INVALID_INTEGRITY_TABLE",
        ERR_INVALID_LOOKUP_TABLE_ENTRY => "WIMLIB_ERR_INVALID_LOOKUP_TABLE_ENTRY",
        ERR_INVALID_METADATA_RESOURCE => "WIMLIB_ERR_INVALID_METADATA_RESOURCE",
        ERR_INVALID_PART_NUMBER => "WIMLIB_ERR_INVALID_PART_NUMBER",
        ERR_INVALID_PIPABLE_WIM => "WIMLIB_ERR_INVALID_PIPABLE_WIM",
        ERR_INVALID_REPARSE_DATA => "WIMLIB_ERR_INVALID_REPARSE_DATA",
        ERR_INVALID_RESOURCE_HASH => "WIMLIB_ERR_INVALID_RESOURCE_HASH",
        ERR_INVALID_UTF16_STRING => "WIMLIB_ERR_INVALID_UTF16_STRING",
        ERR_METADATA_NOT_FOUND => "WIMLIB_ERR_METADATA_NOT_FOUND",
        ERR_NOT_A_WIM_FILE => "WIMLIB_ERR_NOT_A_WIM_FILE",
        ERR_RESOURCE_NOT_FOUND => "WIMLIB_ERR_RESOURCE_NOT_FOUND",
        ERR_RESOURCE_ORDER => "WIMLIB_ERR_RESOURCE_ORDER",
        ERR_UNEXPECTED_END_OF_FILE => "WIMLIB_ERR_UNEXPECTED_END_OF_FILE",
        ERR_UNKNOWN_VERSION => "WIMLIB_ERR_UNKNOWN_VERSION",
        ERR_XML => "WIMLIB_ERR_XML",
        ERR_WIM_IS_ENCRYPTED => "WIMLIB_ERR_WIM_IS_ENCRYPTED",
        ERR_WIM_IS_INCOMPLETE => "WIMLIB_ERR_WIM_IS_INCOMPLETE",
    };
}
