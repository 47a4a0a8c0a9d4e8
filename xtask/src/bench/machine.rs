//! What the figures were read on, and by which programs: without it a figure says nothing.

use std::fs;

use serde_json::{Value, json};

/// A machine as far as it shapes figures. What the system does not tell is empty.
pub(super) struct Machine {
    cores: usize,
    processor: String,
    kernel: String,
    memory_mib: u64,
}

impl Machine {
    pub(super) fn this_one() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let processors = read("/proc/cpuinfo");
        let memory = read("/proc/meminfo");
        Self {
            cores: cores(),
            processor: field(&processors, "model name").to_owned(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            memory_mib: kib(field(&memory, "MemTotal")) / 1024,
        }
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "cores": self.cores,
            "processor": self.processor,
            "kernel": self.kernel,
            "memory_mib": self.memory_mib,
        })
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} cores, {}, {} MiB of memory, kernel {}",
            self.cores, self.processor, self.memory_mib, self.kernel
        )
    }
}

/// Threads that run at once.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// What stands behind `name` and a colon in a file of `/proc`.
pub(super) fn field<'a>(text: &'a str, name: &str) -> &'a str {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    let mut values = lines.filter(|(key, _)| key.trim() == name);
    values.next().map_or("", |(_, value)| value.trim())
}

/// The number in `12345 kB`.
pub(super) fn kib(text: &str) -> u64 {
    let number = text.split(' ').next().unwrap_or_default();
    number.parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_proc_are_found() {
        let text = "Name:\tcat\nVmHWM:\t    1234 kB\nVmRSS:\t 999 kB\n";
        assert_eq!(kib(field(text, "VmHWM")), 1234);
        assert_eq!(field("model name\t: Some CPU\n", "model name"), "Some CPU");
        assert_eq!(kib(field(text, "missing")), 0);
    }
}
