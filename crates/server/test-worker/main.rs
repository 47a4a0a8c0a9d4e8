//! The worker of the server's tests: all that a real one can, and jobs that misbehave.

use compactvault_preview::{JOBS, Job, worker};

mod jobs;

static MISBEHAVING: &[&Job] = &[
    &jobs::ECHO,
    &jobs::LOOP,
    &jobs::SLEEP,
    &jobs::WAIT,
    &jobs::HOG,
    &jobs::DEEP,
    &jobs::DIE,
    &jobs::PANIC,
    &jobs::BABBLE,
    &jobs::FLOOD,
    &jobs::ESCAPE,
    &jobs::BESIDE,
];

fn main() {
    let jobs: Vec<_> = JOBS.iter().chain(MISBEHAVING).copied().collect();
    let ended_well = worker::run(&jobs);
    std::process::exit(i32::from(!ended_well));
}
