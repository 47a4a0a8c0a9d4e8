//! `compactvault_vault::targets::page`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| compactvault_vault::targets::page(bytes));
