//! Copying the WAL into the file on a thread of its own, so that an import need not wait for it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::append::Transaction;
use super::aside::Aside;
use crate::doing::Doing;
use crate::store::PAGE_BYTES;
use crate::store::open::{self, FileMode};

/// Pages in the WAL that are not in the file yet, from which copying them is worth a sync: 64 MiB.
const WORTH_COPYING: i64 = 64 * 1024 * 1024 / PAGE_BYTES as i64;
/// Pages of a WAL that a burst may fill before it is copied: 1 GiB. Whoever waits for an upload waits for the disk, and
/// copying at the same time would take half of it: 1 GiB was sealed after 2.3 s instead of 3.0.
const BURST_PAGES: i64 = 16 * WORTH_COPYING;
/// What lasts longer is no burst.
const BURST: Duration = Duration::from_secs(5);
/// Pages of a WAL at which the writer waits until all of it is in the file, so that it begins anew: 1.5 GiB, and the
/// transaction that goes beyond it. While somebody writes without a pause it only grows.
const PAGES_MAX: i64 = 24 * WORTH_COPYING;
/// The same outside of bursts, if little is left to be copied: 256 MiB. What is read is looked for in all of the WAL.
const CALM_PAGES_MAX: i64 = 4 * WORTH_COPYING;

/// Ends with its thread when it is dropped.
pub(super) struct Checkpointer {
    thread: Aside,
    /// Since when there is enough to be worth copying.
    worthwhile_since: Option<Instant>,
}

impl Checkpointer {
    /// Starts the thread; its connection is opened when there is something to do.
    pub(super) fn start(path: PathBuf, lock_timeout: Duration) -> std::io::Result<Self> {
        let mut connection = None;
        let copy = move || copy(&mut connection, &path, lock_timeout);
        Ok(Self {
            thread: Aside::start("checkpointer", copy)?,
            worthwhile_since: None,
        })
    }

    /// Looks at the WAL after a commit on `connection`: nothing, copying beside what comes next, or copying now. If the commit
    /// `is_burst`, copying may wait until that is over.
    pub(super) fn after_commit(
        &mut self,
        connection: &Connection,
        is_burst: bool,
    ) -> rusqlite::Result<()> {
        let (mut pages, mut copied) = look(connection, "NOOP")?;
        let is_calm = !is_burst && pages - copied < 2 * WORTH_COPYING;
        if pages >= PAGES_MAX || is_calm && pages >= CALM_PAGES_MAX {
            // Waits for the thread and for readers that are in the way, as long as for any lock.
            (pages, copied) = look(connection, "FULL")?;
        }
        if pages - copied < WORTH_COPYING {
            self.worthwhile_since = None;
            return Ok(());
        }
        let since = *self.worthwhile_since.get_or_insert_with(Instant::now);
        if !is_burst || pages >= BURST_PAGES || since.elapsed() >= BURST {
            self.thread.ask();
        }
        Ok(())
    }
}

/// Bytes that are in the WAL and not yet in the file, which may grow by as many. Not to be asked in a transaction.
pub(super) fn behind_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let (pages, copied) = look(connection, "NOOP")?;
    // Both are -1 where there is no WAL.
    Ok((pages - copied).cast_unsigned() * u64::from(PAGE_BYTES))
}

impl Transaction<'_> {
    /// Says whether this is much that somebody waits for: then the WAL is copied into the file later, so that the disk has
    /// only one thing to do.
    pub(crate) fn set_burst(&mut self, is_burst: bool) {
        self.writer.is_burst = is_burst;
    }
}

/// Checkpoints; gives the pages in the WAL, and how many of them are in the file.
fn look(connection: &Connection, mode: &str) -> rusqlite::Result<(i64, i64)> {
    let _doing = (mode != "NOOP").then(|| Doing::begin("copy the WAL"));
    let sql = format!("PRAGMA wal_checkpoint({mode})");
    connection.query_row(&sql, [], |row| Ok((row.get(1)?, row.get(2)?)))
}

/// Copies what can be copied, on a connection that stays open for the next time.
fn copy(connection: &mut Option<Connection>, path: &Path, lock_timeout: Duration) {
    if connection.is_none() {
        match open::writer(path, FileMode::Shared, lock_timeout) {
            Ok(opened) => *connection = Some(opened),
            Err(error) => tracing::warn!(%error, "the WAL stays until the next commit"),
        }
    }
    if let Some(opened) = connection
        && let Err(error) = look(opened, "PASSIVE")
    {
        // The writer copies it when it has grown, and reports what stands in the way.
        tracing::warn!(%error, "the WAL could not be copied into the file");
        *connection = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Codec;
    use crate::ids::Digest;
    use crate::store::write::{EncodedPack, Writer};

    /// Stored bytes of one commit here.
    const BYTES: usize = 4 * 1024 * 1024;

    fn commit(writer: &mut Writer, number: u64, is_burst: bool) {
        let mut data = vec![0; BYTES];
        data[..8].copy_from_slice(&number.to_be_bytes());
        let digest = Digest::of(&number.to_be_bytes());
        let mut transaction = writer.begin().expect("nobody else writes");
        let pack = EncodedPack {
            codec: Codec::Stored,
            raw_size: BYTES as u64,
            sha256: digest,
            data: data.into(),
            chunks: vec![(digest, 8)],
        };
        transaction
            .add_pack(&pack, |_| false, |_| false)
            .expect("it can be added");
        transaction.set_burst(is_burst);
        transaction.commit().expect("it can be committed");
    }

    fn copied(writer: &Writer) -> i64 {
        look(&writer.connection, "NOOP").expect("it can be asked").1
    }

    /// Guards: what comes in a burst is not copied before that is over, what comes otherwise is; and what is said to be
    /// left to copy is none once all was copied, so that no disk is called full for it.
    #[test]
    fn a_burst_stays_in_the_wal_until_it_is_over() {
        let (_home, mut writer) = Writer::of_new_vault();
        let enough = WORTH_COPYING.cast_unsigned() * u64::from(PAGE_BYTES);
        let mut commits = 0..;
        while writer.behind_bytes().expect("it can be asked") < enough {
            commit(&mut writer, commits.next().expect("endless"), true);
        }
        commit(&mut writer, commits.next().expect("endless"), true);
        assert_eq!(copied(&writer), 0);
        commit(&mut writer, commits.next().expect("endless"), false);
        let late = Instant::now() + Duration::from_secs(30);
        while copied(&writer) == 0 {
            assert!(Instant::now() < late, "it is copied when the burst is over");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(writer.wal_checkpoint(true).expect("it is copied"));
        assert_eq!(writer.behind_bytes().expect("it can be asked"), 0);
    }
}
