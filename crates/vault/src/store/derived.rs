//! The derived rows as values: what the lists, counts and figures are made of.
//!
//! Nothing in them is sealed, and all of it can be rebuilt; but people act on what a list shows. So each row carries
//! a CRC-32 of itself, each name's versions are numbered, and each place has one row of counts that must exist: a
//! damaged page of the file makes an error, never a shorter list.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{FACTS, Fact, Section, log};
use crate::error::ReadError;
use crate::ids::Seq;
use crate::media::{Media, MediaClass};

/// The columns of `derived_listing` in the order that [`Listed::from_row`] expects.
pub(crate) const LISTED_COLUMNS: &str =
    "l.seq, l.parent, l.section, l.newest, l.version, l.media, l.sort_key, l.sum";

/// Names an index of our own for every query over a listing, so that all of them see the same rows.
pub(crate) const LISTING: &str = "derived_listing l INDEXED BY derived_listing_by_name";

fn contradiction(detail: String) -> ReadError {
    ReadError::Derived { detail }
}

/// A row of `derived_listing` whose checksum is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) seq: Seq,
    pub(crate) parent: Seq,
    pub(crate) section: Section,
    pub(crate) newest: bool,
    /// 1 for the first entry of its name there, 2 for the second, and so on.
    pub(crate) version: u64,
    /// [`Media::code`]; 0 for what is no asset.
    pub(crate) media: u16,
    pub(crate) sort_key: Vec<u8>,
}

impl Listed {
    fn sum(&self) -> u32 {
        let numbers = [
            self.seq.get(),
            self.parent.get(),
            self.section as u64,
            u64::from(self.newest),
            self.version,
            u64::from(self.media),
        ];
        let mut sum = crc32fast::Hasher::new();
        for number in numbers {
            sum.update(&number.to_be_bytes());
        }
        sum.update(&self.sort_key);
        sum.finalize()
    }

    /// Reads a row of [`LISTED_COLUMNS`].
    pub(crate) fn from_row(row: &Row<'_>) -> Result<Self, ReadError> {
        let number = |column: usize| row.get::<_, i64>(column);
        let seq = Seq::new(number(0)?.cast_unsigned());
        let read = || -> Option<(Self, i64)> {
            let listed = Self {
                seq,
                parent: Seq::new(number(1).ok()?.cast_unsigned()),
                section: Section::from_number(number(2).ok()?)?,
                newest: match number(3).ok()? {
                    0 => false,
                    1 => true,
                    _ => return None,
                },
                version: number(4).ok()?.cast_unsigned(),
                media: u16::try_from(number(5).ok()?).ok()?,
                sort_key: row.get_ref(6).ok()?.as_blob().ok()?.to_vec(),
            };
            Some((listed, number(7).ok()?))
        };
        match read() {
            Some((listed, sum)) if i64::from(listed.sum()) == sum => Ok(listed),
            _ => Err(contradiction(format!(
                "the row that lists entry {seq} differs from its checksum"
            ))),
        }
    }

    /// The media type of an asset.
    pub(crate) fn media(&self) -> Result<Media, ReadError> {
        Media::from_code(self.media).ok_or_else(|| {
            contradiction(format!(
                "the media type listed for entry {} is unknown",
                self.seq
            ))
        })
    }

    /// Inserts the row.
    pub(crate) fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "INSERT INTO derived_listing (seq, parent, section, newest, version, media, sort_key, sum) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                self.seq.get(),
                self.parent.get(),
                self.section as i64,
                self.newest,
                self.version,
                self.media,
                self.sort_key,
                self.sum()
            ])?;
        Ok(())
    }

    /// Marks the row as superseded.
    pub(crate) fn supersede(mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.newest = false;
        connection
            .prepare_cached("UPDATE derived_listing SET newest = 0, sum = ?2 WHERE seq = ?1")?
            .execute(params![self.seq.get(), self.sum()])?;
        Ok(())
    }
}

/// The newest entry of that key in that section of `parent`.
pub(crate) fn newest(
    connection: &Connection,
    parent: Seq,
    section: Section,
    sort_key: &[u8],
) -> Result<Option<Listed>, ReadError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {LISTED_COLUMNS} FROM {LISTING} \
         WHERE l.parent = ?1 AND l.section = ?2 AND l.newest = 1 AND l.sort_key = ?3"
    ))?;
    let mut rows = statement.query(params![parent.get(), section as i64, sort_key])?;
    rows.next()?.map(Listed::from_row).transpose()
}

/// The row that lists an entry.
pub(crate) fn listed(connection: &Connection, seq: Seq) -> Result<Listed, ReadError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {LISTED_COLUMNS} FROM derived_listing l WHERE l.seq = ?1"
    ))?;
    let mut rows = statement.query([seq.get()])?;
    match rows.next()? {
        Some(row) => Listed::from_row(row),
        None => Err(contradiction(format!("entry {seq} is not listed"))),
    }
}

/// All versions of a key in a place, newest first.
pub(crate) fn versions(
    connection: &Connection,
    parent: Seq,
    sort_key: &[u8],
) -> Result<Vec<Seq>, ReadError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {LISTED_COLUMNS} FROM {LISTING} WHERE l.parent = ?1 AND l.section = 1 \
         AND l.newest IN (0, 1) AND l.sort_key = ?2 ORDER BY l.seq DESC"
    ))?;
    let mut rows = statement.query(params![parent.get(), sort_key])?;
    let mut versions: Vec<Listed> = Vec::new();
    while let Some(row) = rows.next()? {
        versions.push(Listed::from_row(row)?);
    }
    let count = versions.len() as u64;
    let complete = versions
        .iter()
        .zip((1..=count).rev())
        .all(|(listed, due)| listed.version == due && listed.newest == (due == count));
    if complete && count > 0 {
        return Ok(versions.into_iter().map(|listed| listed.seq).collect());
    }
    Err(contradiction(format!(
        "the versions listed for a name in place {parent} are not all of them"
    )))
}

/// Reads every row of a section of `place` and compares their number with the counts: what the listing does not hold
/// afterwards was never in it.
pub(crate) fn check_section(
    connection: &Connection,
    place: Seq,
    section: Section,
    tally: &Tally,
) -> Result<(), ReadError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {LISTED_COLUMNS} FROM {LISTING} WHERE l.parent = ?1 AND l.section = ?2 \
         AND l.newest = ?3 ORDER BY l.sort_key, l.version"
    ))?;
    for newest in [true, false] {
        let mut rows = statement.query(params![place.get(), section as i64, newest])?;
        let mut count = 0_u64;
        let mut before = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            let listed = Listed::from_row(row)?;
            let due = listed.parent == place && listed.section == section;
            let here = (listed.sort_key, listed.version);
            if !due || listed.newest != newest || here <= before {
                return Err(contradiction(format!(
                    "the list of place {place} is out of order at entry {}",
                    listed.seq
                )));
            }
            before = here;
            count += 1;
        }
        require_count(place, tally.listed(section, newest), count)?;
    }
    Ok(())
}

/// Rows above which a list is only counted, not read, before it is believed: reading takes about 0.3 s a million.
const WHOLE_ROWS_MAX: u64 = 300_000;
/// Places remembered as whole, at most so many: a bound on memory, not a promise.
const WHOLE_PLACES_MAX: usize = 10_000;

/// Entries since a list was found whole, up to which only those are counted: what came is in it or is not, and the
/// rest cannot have changed.
const WHOLE_SINCE_MAX: u64 = 100_000;

/// Lists that were read to their end and found whole, with the counts they had, every change moves one, and the
/// log's size then.
#[derive(Default)]
pub(crate) struct Whole(Mutex<HashMap<(Seq, u8), (Tally, u64)>>);

impl Whole {
    /// Fails unless the section lists as much as `tally` counts. Needs one snapshot for both.
    pub(crate) fn check(
        &self,
        connection: &Connection,
        place: Seq,
        section: Section,
        tally: &Tally,
    ) -> Result<(), ReadError> {
        let key = (place, section as u8);
        let known = self.lock().get(&key).cloned();
        if known.as_ref().is_some_and(|(before, _)| before == tally) {
            return Ok(());
        }
        let log_size = log::log_size(connection)?;
        let total = |tally: &Tally| tally.listed(section, true) + tally.listed(section, false);
        // Somebody with a younger snapshot was here before: what is known is of a list that this one does not see.
        if known.as_ref().is_some_and(|(_, size)| *size > log_size) {
            return count_section(connection, place, section, tally);
        }
        let grown = known.filter(|(_, size)| log_size - size <= WHOLE_SINCE_MAX);
        if let Some((before, size)) = grown {
            let came = count_since(connection, place, section, size)?;
            require_count(place, total(tally), total(&before) + came)?;
        } else if total(tally) > WHOLE_ROWS_MAX {
            count_section(connection, place, section, tally)?;
        } else {
            check_section(connection, place, section, tally)?;
        }
        let mut whole = self.lock();
        if whole.len() >= WHOLE_PLACES_MAX {
            whole.clear();
        }
        let is_younger = |(_, size): &(Tally, u64)| *size > log_size;
        if !whole.get(&key).is_some_and(is_younger) {
            whole.insert(key, (tally.clone(), log_size));
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Seq, u8), (Tally, u64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at entries from one on. The `+` keep the planner from the index by name, of which it would read all of the place.
const COUNT_SINCE: &str =
    "SELECT count(*) FROM derived_listing WHERE seq >= ?1 AND +parent = ?2 AND +section = ?3";

/// How many of the entries from `size` on a section lists.
fn count_since(
    connection: &Connection,
    place: Seq,
    section: Section,
    size: u64,
) -> Result<u64, ReadError> {
    let count: i64 = connection
        .prepare_cached(COUNT_SINCE)?
        .query_row(params![size, place.get(), section as i64], |row| row.get(0))?;
    Ok(count.cast_unsigned())
}

fn count_section(
    connection: &Connection,
    place: Seq,
    section: Section,
    tally: &Tally,
) -> Result<(), ReadError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT count(*) FROM {LISTING} WHERE l.parent = ?1 AND l.section = ?2 AND l.newest = ?3"
    ))?;
    for newest in [true, false] {
        let count: i64 = statement
            .query_row(params![place.get(), section as i64, newest], |row| {
                row.get(0)
            })?;
        require_count(place, tally.listed(section, newest), count.cast_unsigned())?;
    }
    Ok(())
}

fn require_count(place: Seq, counted: u64, listed: u64) -> Result<(), ReadError> {
    if counted == listed {
        return Ok(());
    }
    Err(contradiction(format!(
        "place {place} counts {counted} items but lists {listed}"
    )))
}

/// Figures in a [`Tally`]: four, then items and bytes of each media class.
const FIGURES: usize = 4 + 2 * MediaClass::ALL.len();
const TALLY_COLUMNS: &str = "collections, links, old_assets, old_links, text_items, text_bytes, image_items, \
     image_bytes, audio_items, audio_bytes, video_items, video_bytes, model_items, model_bytes, \
     binary_items, binary_bytes, sum";

/// A row of `derived_tally`: what a place counts. Every place has one, and so has the vault.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// In the order of the columns.
    figures: [i64; FIGURES],
}

impl Tally {
    fn class_at(class: MediaClass) -> usize {
        let position = MediaClass::ALL.iter().position(|other| *other == class);
        4 + 2 * position.expect("ALL holds all")
    }

    fn figure(&self, at: usize) -> u64 {
        // What was written is never negative, and what was read has the right checksum.
        self.figures[at].max(0).cast_unsigned()
    }

    /// Direct sub-collections, or projects of the vault.
    pub(crate) fn collections(&self) -> u64 {
        self.figure(0)
    }

    /// Newest assets of a class, and their bytes: directly in a collection, or anywhere in a project.
    pub(crate) fn class(&self, class: MediaClass) -> (u64, u64) {
        let at = Self::class_at(class);
        (self.figure(at), self.figure(at + 1))
    }

    /// Newest assets of all classes.
    pub(crate) fn assets(&self) -> u64 {
        MediaClass::ALL
            .iter()
            .map(|class| self.class(*class).0)
            .sum()
    }

    /// Rows that the listing of a collection, or the places of anything, must have.
    pub(crate) fn listed(&self, section: Section, newest: bool) -> u64 {
        match (section, newest) {
            (Section::Places, true) => self.figure(0),
            (Section::Places, false) => 0,
            (Section::Assets, true) => self.assets(),
            (Section::Assets, false) => self.figure(2),
            (Section::Links, true) => self.figure(1),
            (Section::Links, false) => self.figure(3),
        }
    }

    /// Counts one more place in this one.
    pub(crate) fn add_place(&mut self) {
        self.figures[0] += 1;
    }

    /// Counts one more newest link, or one that is no longer.
    pub(crate) fn add_link(&mut self, replaces: bool) {
        if replaces {
            self.figures[3] += 1;
        } else {
            self.figures[1] += 1;
        }
    }

    /// Counts one more newest asset.
    pub(crate) fn add_asset(&mut self, class: MediaClass, bytes: i64) {
        let at = Self::class_at(class);
        self.figures[at] += 1;
        self.figures[at + 1] += bytes;
    }

    /// Counts an asset as superseded.
    pub(crate) fn supersede_asset(&mut self, class: MediaClass, bytes: i64) {
        let at = Self::class_at(class);
        self.figures[at] -= 1;
        self.figures[at + 1] -= bytes;
        self.figures[2] += 1;
    }

    fn sum(&self, place: Seq) -> u32 {
        let mut sum = crc32fast::Hasher::new();
        sum.update(&place.get().to_be_bytes());
        for figure in self.figures {
            sum.update(&figure.to_be_bytes());
        }
        sum.finalize()
    }

    /// Inserts the row, or brings it up to date.
    pub(crate) fn put(&self, connection: &Connection, place: Seq) -> rusqlite::Result<()> {
        let mut values = vec![place.get().cast_signed()];
        values.extend(self.figures);
        values.push(self.sum(place).into());
        connection
            .prepare_cached(&format!(
                "INSERT INTO derived_tally (place, {TALLY_COLUMNS}) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18) \
                 ON CONFLICT (place) DO UPDATE SET (place, {TALLY_COLUMNS}) = \
                 (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)"
            ))?
            .execute(rusqlite::params_from_iter(values))?;
        Ok(())
    }
}

/// The counts of a place.
pub(crate) fn tally(connection: &Connection, place: Seq) -> Result<Tally, ReadError> {
    let wrong = |what: &str| contradiction(format!("the counts of place {place} {what}"));
    let row = connection
        .prepare_cached(&format!(
            "SELECT {TALLY_COLUMNS} FROM derived_tally WHERE place = ?1"
        ))?
        .query_row([place.get()], |row| {
            let mut figures = [0; FIGURES];
            for (at, figure) in figures.iter_mut().enumerate() {
                *figure = row.get(at)?;
            }
            Ok((Tally { figures }, row.get::<_, i64>(FIGURES)?))
        })
        .optional()?;
    let (tally, sum) = row.ok_or_else(|| wrong("are missing"))?;
    if i64::from(tally.sum(place)) == sum {
        Ok(tally)
    } else {
        Err(wrong("differ from their checksum"))
    }
}

/// The figures of `derived_fact` by id; what is at 0 means nothing.
pub(crate) type Facts = [i64; FACTS + 1];

/// What [`Fact::Sum`] must be.
pub(crate) fn facts_sum(facts: &Facts) -> i64 {
    let mut sum = crc32fast::Hasher::new();
    for fact in &facts[1..Fact::Sum as usize] {
        sum.update(&fact.to_be_bytes());
    }
    sum.finalize().into()
}

/// The figures about the whole vault.
pub(crate) fn facts(connection: &Connection) -> Result<Facts, ReadError> {
    let mut facts = [0; FACTS + 1];
    let mut statement = connection.prepare_cached("SELECT id, value FROM derived_fact")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        if let Some(fact) = usize::try_from(id).ok().and_then(|id| facts.get_mut(id)) {
            *fact = row.get(1)?;
        }
    }
    if facts_sum(&facts) == facts[Fact::Sum as usize] {
        Ok(facts)
    } else {
        Err(contradiction(
            "the figures differ from their checksum".into(),
        ))
    }
}

/// Writes those figures that differ from `before`, with a new checksum.
pub(crate) fn put_facts(
    connection: &Connection,
    before: &Facts,
    facts: &mut Facts,
) -> rusqlite::Result<()> {
    facts[Fact::Sum as usize] = facts_sum(facts);
    for (id, value) in facts.iter().enumerate().skip(1) {
        if *value != before[id] {
            connection
                .prepare_cached(
                    "INSERT INTO derived_fact (id, value) VALUES (?1, ?2) \
                     ON CONFLICT (id) DO UPDATE SET value = ?2",
                )?
                .execute(params![id, value])?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::open::{self, FileMode};
    use crate::store::write::Writer;

    #[test]
    fn every_column_of_a_listed_row_is_in_its_checksum() {
        let row = Listed {
            seq: Seq::new(9),
            parent: Seq::new(2),
            section: Section::Assets,
            newest: true,
            version: 1,
            media: 7,
            sort_key: b"key".to_vec(),
        };
        let change = |change: fn(&mut Listed)| {
            let mut other = row.clone();
            change(&mut other);
            other.sum()
        };
        let sums = [
            row.sum(),
            change(|row| row.seq = Seq::new(8)),
            change(|row| row.parent = Seq::new(3)),
            change(|row| row.section = Section::Links),
            change(|row| row.newest = false),
            change(|row| row.version = 2),
            change(|row| row.media = 6),
            change(|row| row.sort_key.push(0)),
        ];
        let distinct: std::collections::HashSet<u32> = sums.into_iter().collect();
        assert_eq!(distinct.len(), sums.len());
    }

    #[test]
    fn counts_follow_what_is_listed() {
        let mut tally = Tally::default();
        tally.add_asset(MediaClass::Image, 10);
        tally.add_asset(MediaClass::Text, 5);
        tally.supersede_asset(MediaClass::Image, 10);
        tally.add_link(false);
        tally.add_link(true);
        tally.add_place();
        assert_eq!(tally.class(MediaClass::Image), (0, 0));
        assert_eq!(tally.class(MediaClass::Text), (1, 5));
        assert_eq!(tally.listed(Section::Assets, true), 1);
        assert_eq!(tally.listed(Section::Assets, false), 1);
        assert_eq!(tally.listed(Section::Links, true), 1);
        assert_eq!(tally.listed(Section::Links, false), 1);
        assert_eq!(tally.collections(), 1);
    }

    /// Guards: of a list of a million that has grown by a few, only these are looked at.
    #[test]
    fn what_came_since_is_counted_without_the_rest() {
        let (home, _writer) = Writer::of_new_vault();
        let path = home.path().join("v.vault");
        let connection =
            open::reader(&path, FileMode::Shared, Duration::ZERO).expect("it can be read");
        let plan: String = connection
            .query_row(
                &format!("EXPLAIN QUERY PLAN {COUNT_SINCE}"),
                [0; 3],
                |row| row.get(3),
            )
            .expect("it has a plan");
        assert_eq!(
            plan,
            "SEARCH derived_listing USING INTEGER PRIMARY KEY (rowid>?)"
        );
    }
}
