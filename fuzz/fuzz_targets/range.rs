//! `compactvault_server::targets::range`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| compactvault_server::targets::range(bytes));
