//! Walking a place from the top down, in bounded memory however large it is.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::entry::Kind;
use crate::error::ReadError;
use crate::ids::{CollectionId, ProjectId, Seq};
use crate::model::{PlaceId, WalkItem, WalkNode};
use crate::name::Name;
use crate::read::Reading;
use crate::store::listing::{Cursor, Met, section_after};
use crate::store::pool::Connection;
use crate::store::rows::placed;
use crate::store::{Section, derived, log, read};

/// Items fetched at a time.
const PAGE_ITEMS: usize = 256;

/// Everything below a place: its assets, its links, then each collection followed by what is in it, all in natural
/// order. Entries sealed after the walk began may or may not be met. Ends after the first error.
pub struct Walk {
    reading: Arc<Reading>,
    all_versions: bool,
    stack: Vec<Frame>,
    log_size: u64,
    failed: bool,
}

/// A place being walked.
struct Frame {
    place: Seq,
    path: Vec<Name>,
    section: Section,
    cursor: Cursor,
    met: u64,
    page: VecDeque<Met>,
}

impl Frame {
    fn new(place: Seq, path: Vec<Name>) -> Self {
        let section = if place == Seq::VAULT {
            Section::Places
        } else {
            Section::Assets
        };
        Self {
            place,
            path,
            section,
            cursor: Cursor::default(),
            met: 0,
            page: VecDeque::new(),
        }
    }
}

impl Walk {
    pub(crate) fn new(
        reading: Arc<Reading>,
        from: Option<PlaceId>,
        all_versions: bool,
    ) -> Result<Self, ReadError> {
        let connection = reading.pool.get()?;
        let start = match from {
            None => Seq::VAULT,
            Some(place) => {
                let (kind, what) = match place {
                    PlaceId::Project(_) => (Kind::Project, "project"),
                    PlaceId::Collection(_) => (Kind::Collection, "collection"),
                };
                read::entry_of_kind(&connection, place.seq(), kind, what)?;
                place.seq()
            }
        };
        let log_size = log::log_size(&connection)?;
        drop(connection);
        let stack = vec![Frame::new(start, Vec::new())];
        Ok(Self {
            reading,
            all_versions,
            stack,
            log_size,
            failed: false,
        })
    }

    fn step(&mut self) -> Result<Option<WalkItem>, ReadError> {
        while let Some(frame) = self.stack.last_mut() {
            if let Some(item) = frame.page.pop_front() {
                let (item, below) = present(frame, item)?;
                self.stack.extend(below);
                return Ok(Some(item));
            }
            let connection = self.reading.pool.get()?;
            // One snapshot for the items and the counts they are compared with.
            let transaction = connection.unchecked_transaction()?;
            let items = section_after(
                &connection,
                frame.place,
                frame.section,
                self.all_versions,
                &mut frame.cursor,
                PAGE_ITEMS,
            )?;
            frame.met += items.len() as u64;
            frame.page.extend(items);
            if !frame.page.is_empty() {
                continue;
            }
            if log::log_size(&connection)? == self.log_size {
                check_count(&connection, frame, self.all_versions)?;
            }
            drop(transaction);
            frame.cursor = Cursor::default();
            frame.met = 0;
            frame.section = match frame.section {
                Section::Assets => Section::Links,
                Section::Links => Section::Places,
                Section::Places => {
                    self.stack.pop();
                    continue;
                }
            };
        }
        Ok(None)
    }
}

/// A section that lists fewer items than are counted hides some.
fn check_count(
    connection: &Connection,
    frame: &Frame,
    all_versions: bool,
) -> Result<(), ReadError> {
    let tally = derived::tally(connection, frame.place)?;
    let superseded = if all_versions {
        tally.listed(frame.section, false)
    } else {
        0
    };
    let counted = tally.listed(frame.section, true) + superseded;
    // A project's tally of assets is that of all its collections; it has none of its own.
    let is_project = read::entry(connection, frame.place)?.known_kind() == Some(Kind::Project);
    if counted == frame.met || (is_project && frame.section == Section::Assets && frame.met == 0) {
        return Ok(());
    }
    Err(ReadError::Derived {
        detail: format!(
            "place {} counts {counted} items but lists {}",
            frame.place, frame.met
        ),
    })
}

fn present(frame: &Frame, item: Met) -> Result<(WalkItem, Option<Frame>), ReadError> {
    let path_to = |name: &Name| {
        let mut path = frame.path.clone();
        path.push(name.clone());
        path
    };
    Ok(match item {
        Met::Asset(asset) => (
            WalkItem {
                path: path_to(&asset.name),
                node: WalkNode::Asset(asset),
            },
            None,
        ),
        Met::Link(link) => (
            WalkItem {
                path: path_to(&link.name),
                node: WalkNode::Link(link),
            },
            None,
        ),
        Met::Place(entry) => {
            let path = path_to(&placed(&entry)?.name);
            let node = if entry.known_kind() == Some(Kind::Project) {
                WalkNode::Project(ProjectId::new(entry.id()))
            } else {
                WalkNode::Collection(CollectionId::new(entry.id()))
            };
            let below = Frame::new(entry.id(), path.clone());
            (WalkItem { path, node }, Some(below))
        }
    })
}

impl Iterator for Walk {
    type Item = Result<WalkItem, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let step = self.step().transpose();
        self.failed = matches!(step, Some(Err(_)));
        step
    }
}
