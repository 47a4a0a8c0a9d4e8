//! Which request to the disk fails, and how.

/// What can be asked of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Writing bytes, or changing a file's size.
    Write = 0,
    /// Making, renaming or removing a name.
    Name = 1,
    /// Making a file or folder durable.
    Sync = 2,
    /// Reading by SQLite.
    Read = 3,
}

impl Request {
    /// How many kinds there are.
    pub const KINDS: usize = 4;
}

/// How it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// `EIO`.
    Io,
    /// `ENOSPC`.
    Space,
    /// A write that stops half way, and says so.
    Short,
    /// `EIO` from a sync; what was to be synced never becomes durable, and is taken for clean (as Linux does).
    Sync,
    /// `EIO` from a read.
    Read,
}

impl Failure {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Io, Self::Space, Self::Short, Self::Sync, Self::Read];

    /// Its name in figures.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Io => "eio",
            Self::Space => "enospc",
            Self::Short => "short_write",
            Self::Sync => "fsync",
            Self::Read => "read",
        }
    }

    /// What is counted for it.
    pub const fn requests(self) -> &'static [Request] {
        match self {
            Self::Io | Self::Space => &[Request::Write, Request::Name],
            Self::Short => &[Request::Write],
            Self::Sync => &[Request::Sync],
            Self::Read => &[Request::Read],
        }
    }
}

/// The n-th request of a kind fails, once or from then on.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// How.
    pub failure: Failure,
    /// Of what.
    pub request: Request,
    /// The first one that fails, from 1.
    pub at: u64,
    /// Whether all after it fail, too.
    pub sticky: bool,
}

impl Fault {
    pub(crate) fn strikes(&self, request: Request, number: u64) -> bool {
        request == self.request && (number == self.at || self.sticky && number > self.at)
    }

    /// `None` for a write that stops half way.
    pub(crate) fn errno(&self) -> Option<i32> {
        match self.failure {
            Failure::Io | Failure::Sync | Failure::Read => Some(libc::EIO),
            Failure::Space => Some(libc::ENOSPC),
            Failure::Short => None,
        }
    }
}
