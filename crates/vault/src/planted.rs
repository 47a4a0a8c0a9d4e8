//! Bugs on purpose: a harness that does not find these is worth nothing (`crates/torture`).
//!
//! Compiled in with the feature `planted-bugs` alone, which no release and no other test asks for, and switched on by
//! the harness. Without the feature every question is answered no while compiling.

/// A mistake that a storage engine could make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "planted-bugs"),
    expect(unreachable_pub, reason = "public only where bugs can be planted")
)]
pub enum Bug {
    /// Entries are committed in one transaction, and the root over them in another.
    RootApart = 1,
    /// Whoever waits is answered before the commit.
    AnsweredEarly = 2,
}

#[cfg(feature = "planted-bugs")]
static PLANTED: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(0);

/// Has this process make the mistake from here on; `None` for none.
#[cfg(feature = "planted-bugs")]
pub fn plant(bug: Option<Bug>) {
    let number = bug.map_or(0, |bug| bug as u8);
    PLANTED.store(number, std::sync::atomic::Ordering::SeqCst);
}

/// Whether the mistake is to be made.
#[cfg(feature = "planted-bugs")]
pub(crate) fn is(bug: Bug) -> bool {
    PLANTED.load(std::sync::atomic::Ordering::SeqCst) == bug as u8
}

/// Never.
#[cfg(not(feature = "planted-bugs"))]
pub(crate) const fn is(_: Bug) -> bool {
    false
}
