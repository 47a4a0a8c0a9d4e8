//! Reading connections, opened when first needed and at most so many; whoever finds none waits.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A connection as services hold it: to hand back to this layer, never to speak SQL on.
pub(crate) use rusqlite::Connection;

use super::heal::Healer;
use super::open::{FileMode, healer, reader};
use crate::error::{OpenError, ReadError};
use crate::limits::READERS_MAX;

/// A pool of `query_only` connections to one vault. Shared between threads.
pub(crate) struct Pool {
    path: PathBuf,
    mode: FileMode,
    lock_timeout: Duration,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    lent: usize,
    closed: bool,
}

/// Steps of `SQLite`'s machine between two questions whether to stop: some microseconds.
const STEPS_BETWEEN: std::ffi::c_int = 10_000;

/// A connection on loan; dropping it gives it back.
pub(crate) struct Pooled<'a> {
    pool: &'a Pool,
    connection: Option<Connection>,
    /// It asks somebody whether to go on.
    asks: bool,
}

impl Pooled<'_> {
    /// Until it is given back, whatever runs on it ends with an error soon after `stop` says so.
    pub(crate) fn until(
        mut self,
        stop: impl FnMut() -> bool + Send + 'static,
    ) -> Result<Self, ReadError> {
        let connection = self.connection.as_mut().expect("only drop takes it");
        connection.progress_handler(STEPS_BETWEEN, Some(stop))?;
        self.asks = true;
        Ok(self)
    }
}

impl Pool {
    pub(crate) fn new(path: PathBuf, mode: FileMode, lock_timeout: Duration) -> Self {
        Self {
            path,
            mode,
            lock_timeout,
            state: Mutex::default(),
            returned: Condvar::new(),
        }
    }

    /// Lends a connection, waiting for one if all are lent. A caller must not ask for a second one while it
    /// holds the first.
    pub(crate) fn get(&self) -> Result<Pooled<'_>, ReadError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if state.closed {
                return Err(ReadError::Store {
                    detail: "the vault is closed".into(),
                });
            }
            if let Some(connection) = state.idle.pop() {
                state.lent += 1;
                return Ok(Pooled {
                    pool: self,
                    connection: Some(connection),
                    asks: false,
                });
            }
            if state.lent < READERS_MAX {
                state.lent += 1;
                break;
            }
            state = self
                .returned
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        match reader(&self.path, self.mode, self.lock_timeout) {
            Ok(connection) => Ok(Pooled {
                pool: self,
                connection: Some(connection),
                asks: false,
            }),
            Err(error) => {
                self.give_back(None);
                Err(ReadError::Store {
                    detail: error.to_string(),
                })
            }
        }
    }

    /// Takes in a connection that was opened elsewhere. While one is idle here, the vault is open to `SQLite`, too:
    /// nobody else's last close, and no damage to a WAL, can come between two loans.
    pub(crate) fn adopt(&self, connection: Connection) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.idle.push(connection);
    }

    /// Closes the connections that are not lent. Who writes keeps the vault open to `SQLite` meanwhile.
    pub(crate) fn rest(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.idle.clear();
    }

    /// A connection that is never lent to anybody else, and does not count.
    pub(crate) fn dedicated(&self) -> Result<Connection, ReadError> {
        reader(&self.path, self.mode, self.lock_timeout).map_err(|error| ReadError::Store {
            detail: error.to_string(),
        })
    }

    /// The means to put restored bytes back; a connection of its own that does not count.
    pub(crate) fn healer(&self) -> Result<Healer, OpenError> {
        healer(&self.path, self.mode, self.lock_timeout).map(Healer::new)
    }

    /// Refuses further loans, waits for what is lent, and closes all connections.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.closed = true;
        while state.lent > 0 {
            state = self
                .returned
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.idle.clear();
    }

    fn give_back(&self, connection: Option<Connection>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.lent -= 1;
        state.idle.extend(connection);
        drop(state);
        self.returned.notify_all();
    }
}

impl Deref for Pooled<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("only drop takes it")
    }
}

impl Drop for Pooled<'_> {
    fn drop(&mut self) {
        // A connection that is still inside a transaction would show an old snapshot to its next borrower.
        let mut connection = self.connection.take();
        if self.asks {
            let quiet = |c: &mut Connection| c.progress_handler(0, None::<fn() -> bool>).is_ok();
            connection = connection.and_then(|mut c| quiet(&mut c).then_some(c));
        }
        let connection =
            connection.filter(|c| c.is_autocommit() || c.execute_batch("ROLLBACK").is_ok());
        self.pool.give_back(connection);
    }
}
