//! `compactvault_vault::targets::wal`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| compactvault_vault::targets::wal(bytes));
