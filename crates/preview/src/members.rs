//! What is in an archive: its members by name, size and time, without unpacking any of them.
//!
//! ZIP directories and TAR headers are read by this module's own code and not by crates: a listing needs a few fields
//! of each header, must show two members of one name as two, has to stop at bounds in the middle, and should still say
//! something about an archive that was cut off. Only what is compressed as a whole (`.tar.gz` and kin) goes through
//! kept decoders, to a bound.

mod tar;
mod unpack;
mod zip;

use std::io::{Read, Seek, SeekFrom};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::job::{self, Failure, Job, Output, Work};

/// Members that are kept; more are counted.
pub const MEMBERS_MAX: usize = 100_000;
/// Members that are counted: past it a listing ends.
const COUNTED_MAX: u64 = 10_000_000;
/// Characters of a path or of a link's target; the rest is cut off. Systems stop at 4,096 bytes.
const PATH_CHARS_MAX: usize = 1024;
/// Bytes of all paths and targets that are kept.
const PATH_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Lists the members of an archive: JSON of a [`Listing`].
pub const JOB: Job = Job {
    name: "members",
    version: 1,
    limits: job::Limits {
        // What can be read until looking ends by itself.
        read_bytes: 16 << 30,
        output_bytes: 64 << 20,
        ..job::Limits::USUAL
    },
    run,
};

fn run(work: &mut Work) -> Result<Output, Failure> {
    let listing = list(
        &mut work.content,
        &work.request.filename,
        &Limits::default(),
    )?;
    Ok(Output {
        bytes: serde_json::to_vec(&listing).expect("text and numbers always serialise"),
        ..Output::default()
    })
}

/// How far looking goes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes that come out of a decoder; what is compressed may be a thousand times smaller.
    pub decoded_bytes: u64,
    /// Time after which what was found so far is all.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // A `.tar.gz` of this size takes some seconds.
            decoded_bytes: 4 << 30,
            time: Duration::from_secs(8),
        }
    }
}

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A file, or anything that is neither of the others.
    File,
    /// A folder.
    Folder,
    /// A symbolic or hard link.
    Link,
}

/// One member, as the archive names it: a path may hold `..`, begin with `/` or be no path at all. It is text to show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// At most 1,024 characters, cut with `…`.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// Bytes when unpacked, as the archive says.
    pub size: u64,
    /// Bytes in the archive, where members are compressed one by one.
    pub packed: Option<u64>,
    /// When it was last changed. ZIP times without a zone are taken for UTC.
    pub modified_unix_ms: Option<i64>,
    /// Where a link leads, where the archive says it beside the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// All that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// `zip`, `tar`, `tar.gz`, `tar.zst`, `tar.bz2`, `tar.xz`, or `gz`, `zst`, `bz2`, `xz` around one file.
    pub format: String,
    /// In the archive's order; at most [`MEMBERS_MAX`].
    pub members: Vec<Member>,
    /// Members found, those not kept included.
    pub total: u64,
    /// Their sizes together.
    pub bytes: u64,
    /// Whether the archive was read to its end and all members are here.
    pub complete: bool,
    /// Why not, or what else is to be known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl Listing {
    fn new(format: &str) -> Self {
        Self {
            format: format.to_owned(),
            members: Vec::new(),
            total: 0,
            bytes: 0,
            complete: false,
            message: None,
        }
    }

    /// Ends early, for this reason. The first reason stays.
    fn stop(&mut self, why: impl Into<String>) {
        self.complete = false;
        self.message.get_or_insert_with(|| why.into());
    }
}

/// Gathers members within the bounds.
struct Gathering {
    listing: Listing,
    path_bytes: usize,
    until: Instant,
}

impl Gathering {
    fn new(format: &str, limits: &Limits) -> Self {
        Self {
            listing: Listing::new(format),
            path_bytes: 0,
            until: Instant::now() + limits.time,
        }
    }

    /// Takes one more; `false` if no more are wanted.
    fn add(&mut self, mut member: Member) -> bool {
        let listing = &mut self.listing;
        listing.total += 1;
        listing.bytes = listing.bytes.saturating_add(member.size);
        member.path = cut(member.path);
        member.target = member.target.map(cut);
        self.path_bytes += member.path.len() + member.target.as_ref().map_or(0, String::len);
        if listing.members.len() < MEMBERS_MAX && self.path_bytes <= PATH_BYTES_MAX {
            listing.members.push(member);
        } else {
            // Later ones are not kept either, even if they would fit.
            self.path_bytes = PATH_BYTES_MAX + 1;
        }
        if listing.total >= COUNTED_MAX {
            listing.stop("there are more than 10,000,000 members; the first ones are shown");
            return false;
        }
        self.has_time()
    }

    fn has_time(&mut self) -> bool {
        let has_time = Instant::now() < self.until;
        if !has_time {
            self.listing
                .stop("looking took too long; what was found until then is shown");
        }
        has_time
    }

    /// The listing; `complete` says that the archive was read to its end.
    fn end(mut self, complete: bool) -> Listing {
        self.listing.complete = complete && self.listing.message.is_none();
        if self.listing.total > self.listing.members.len() as u64 {
            let shown = self.listing.members.len();
            self.listing
                .stop(format!("the first {shown} members are shown"));
        }
        self.listing
    }
}

/// Lists what is in `content`, which is told by its first bytes; `name` names the one file in a `.gz` and kin.
pub fn list(
    mut content: impl Read + Seek,
    name: &str,
    limits: &Limits,
) -> Result<Listing, Failure> {
    let mut head = [0_u8; 512];
    content.seek(SeekFrom::Start(0))?;
    let head_bytes = read_full(&mut content, &mut head)?;
    let head = &head[..head_bytes];
    content.seek(SeekFrom::Start(0))?;
    if let Some(packing) = unpack::Packing::of(head) {
        return unpack::list(content, packing, name, limits);
    }
    if tar::is_header(head) {
        return Ok(tar::list_plain(content, limits));
    }
    // A program that unpacks itself begins with something else, so the end decides.
    match zip::list(content, head, limits)? {
        Some(listing) => Ok(listing),
        None => Err(Failure::unsupported(
            "this is not a ZIP or TAR archive, or it was cut off before its first member; the bytes can still be downloaded",
        )),
    }
}

/// Fills `buffer` as far as the content goes.
pub(crate) fn read_full(content: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match content.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(bytes) => filled += bytes,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(PATH_CHARS_MAX) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Days since 1970 of a date; months and days out of range spill over, as in the formats that give them.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests;
