//! How a process gives up what it does not need, on Unix; elsewhere only time and the sizes of frames bound it.

use crate::job::Limits;

/// For good: no file, socket or process can be opened any more, nothing is written, no core is dumped, no privilege
/// won. Nothing of it needs rights, and what one system refuses is left to the others.
pub(crate) fn confine() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};

        let exactly = |most: u64| Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        // Standard streams are open already and stay.
        for (resource, most) in [
            (Resource::Nofile, 3),
            (Resource::Fsize, 0),
            (Resource::Core, 0),
            (Resource::Nproc, 0),
        ] {
            let _ = setrlimit(resource, exactly(most));
        }
    }
    #[cfg(target_os = "linux")]
    {
        let _ = rustix::thread::set_no_new_privs(true);
        let kill = Some(rustix::process::Signal::KILL);
        let _ = rustix::process::set_parent_process_death_signal(kill);
    }
}

/// For the next job: memory, and processor time on top of what is used already. The clock is kept by whoever waits.
pub(crate) fn limit(limits: &Limits) {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        use rustix::time::{ClockId, clock_gettime};

        let used = clock_gettime(ClockId::ProcessCPUTime).tv_sec;
        let seconds = u64::try_from(used).unwrap_or(0) + 1 + limits.cpu.as_secs();
        for (resource, current) in [
            (Resource::As, limits.memory_bytes),
            (Resource::Cpu, seconds),
        ] {
            let maximum = getrlimit(resource).maximum;
            let current = Some(maximum.map_or(current, |maximum| current.min(maximum)));
            let _ = setrlimit(resource, Rlimit { current, maximum });
        }
    }
    #[cfg(not(unix))]
    let _ = limits;
}
