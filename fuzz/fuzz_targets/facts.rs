//! `compactvault_preview::targets::facts`.
#![no_main]

// Decoders may panic there: the hook that ends the fuzzer at once is taken back, and what leaves the target still ends it.
libfuzzer_sys::fuzz_target!(init: std::panic::set_hook(Box::new(|_| ())), |bytes: &[u8]| {
    compactvault_preview::targets::facts(bytes);
});
