//! Fuzzes the import of archives.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::import(data));
