//! Fuzzes the parser of mount tables.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::mountinfo(data));
