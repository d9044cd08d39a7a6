#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| platen_fuzz::fuzz("minisign", bytes));
