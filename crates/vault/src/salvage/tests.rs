//! Real vaults, damaged in every way that leaves rows behind.
