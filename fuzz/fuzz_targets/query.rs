//! `compactvault_vault::targets::query`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| compactvault_vault::targets::query(bytes));
