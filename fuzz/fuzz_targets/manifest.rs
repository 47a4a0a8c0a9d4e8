//! `compactvault_vault::targets::manifest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| compactvault_vault::targets::manifest(bytes));
