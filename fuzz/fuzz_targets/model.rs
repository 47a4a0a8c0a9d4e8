//! `compactvault_preview::targets::model`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| compactvault_preview::targets::model(bytes));
