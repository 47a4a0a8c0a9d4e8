//! What a vault holds, as values: projects, collections, assets, links, and the questions asked about them.
//!
//! Nothing here touches a file. Every value that the store hands out was read from an entry whose leaf hash was
//! checked.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::ids::{AssetId, CollectionId, Digest, ProjectId, Seq, VaultId};
use crate::media::{Media, MediaClass};
use crate::name::Name;
use crate::query::{Query, ReadTerm};

/// A moment with the resolution file systems have. `seconds` counts from the Unix epoch and may be negative;
/// `nanoseconds` is 0 to 999,999,999 and always counts forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Whole seconds since 1970-01-01T00:00:00Z.
    pub seconds: i64,
    /// The part of a second after it.
    pub nanoseconds: u32,
}

impl Timestamp {
    /// From milliseconds since the epoch.
    pub const fn from_unix_ms(ms: i64) -> Self {
        // `rem_euclid` keeps the fraction counting forward for times before 1970.
        let fraction_ms = ms.rem_euclid(1000).cast_unsigned();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the fraction is below 1000"
        )]
        let nanoseconds = fraction_ms as u32 * 1_000_000;
        Self {
            seconds: ms.div_euclid(1000),
            nanoseconds,
        }
    }

    /// Milliseconds since the epoch, rounded down.
    pub const fn unix_ms(self) -> i64 {
        self.seconds
            .saturating_mul(1000)
            .saturating_add((self.nanoseconds / 1_000_000) as i64)
    }

    /// From the system's own type; `None` if it lies beyond what 64-bit seconds hold.
    pub fn from_system(time: SystemTime) -> Option<Self> {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Some(Self {
                seconds: i64::try_from(after.as_secs()).ok()?,
                nanoseconds: after.subsec_nanos(),
            }),
            Err(before) => {
                let before = before.duration();
                let seconds = -i64::try_from(before.as_secs()).ok()?;
                Some(match before.subsec_nanos() {
                    0 => Self {
                        seconds,
                        nanoseconds: 0,
                    },
                    nanos => Self {
                        seconds: seconds - 1,
                        nanoseconds: 1_000_000_000 - nanos,
                    },
                })
            }
        }
    }

    /// The system's own type; `None` if the system cannot hold it.
    pub fn to_system(self) -> Option<SystemTime> {
        let fraction = Duration::from_nanos(u64::from(self.nanoseconds));
        let whole = Duration::from_secs(self.seconds.unsigned_abs());
        let base = if self.seconds >= 0 {
            UNIX_EPOCH.checked_add(whole)?
        } else {
            UNIX_EPOCH.checked_sub(whole)?
        };
        base.checked_add(fraction)
    }
}

/// A project or a collection: what a collection can be created in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PlaceId {
    /// The top shelf.
    Project(ProjectId),
    /// Anything below.
    Collection(CollectionId),
}

impl PlaceId {
    /// The position of the place's entry.
    pub const fn seq(self) -> Seq {
        match self {
            Self::Project(id) => id.seq(),
            Self::Collection(id) => id.seq(),
        }
    }
}

/// A project with the counts that lists show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Its entry.
    pub id: ProjectId,
    /// Unique among projects, byte for byte.
    pub name: Name,
    /// A client's word for the kind of project, `project` unless given.
    pub type_word: String,
    /// Free text, at most [`crate::limits::DESCRIPTION_BYTES_MAX`] bytes.
    pub description: String,
    /// When it was sealed.
    pub sealed_at_unix_ms: i64,
    /// Direct sub-collections.
    pub collections: u64,
    /// Listed assets (newest versions, links left out) in all its collections.
    pub assets: u64,
}

/// A collection with the counts that lists show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// Its entry.
    pub id: CollectionId,
    /// The project at the top of its branch.
    pub project: ProjectId,
    /// What it hangs in directly.
    pub parent: PlaceId,
    /// Unique within its parent, byte for byte.
    pub name: Name,
    /// A client's word for the kind of collection, `collection` unless given.
    pub type_word: String,
    /// When it was sealed.
    pub sealed_at_unix_ms: i64,
    /// Direct sub-collections.
    pub collections: u64,
    /// Listed assets directly in it.
    pub assets: u64,
}

/// One immutable file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Its entry.
    pub id: AssetId,
    /// The collection it hangs in.
    pub collection: CollectionId,
    /// Its name there; further assets of the same name are further versions.
    pub name: Name,
    /// Bytes.
    pub size: u64,
    /// Of the whole file.
    pub sha256: Digest,
    /// CRC-32 (ISO-HDLC, as in ZIP) of the whole file.
    pub crc32: u32,
    /// Modification time of the source, if it had one.
    pub modified: Option<Timestamp>,
    /// The execute bit of the source.
    pub executable: bool,
    /// When it was sealed.
    pub sealed_at_unix_ms: i64,
    /// Derived from name and content; never sealed.
    pub media: Media,
}

/// A symbolic link: kept, shown and restored, never followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its entry.
    pub seq: Seq,
    /// The collection it hangs in.
    pub collection: CollectionId,
    /// Its name there.
    pub name: Name,
    /// The target, byte for byte as the link held it.
    pub target: Vec<u8>,
    /// The link's own modification time.
    pub modified: Option<Timestamp>,
    /// When it was sealed.
    pub sealed_at_unix_ms: i64,
}

/// Everything known about an asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetDetails {
    /// The asset itself.
    pub asset: Asset,
    /// The project at the top of its branch.
    pub project: ProjectId,
    /// Names from the project down to the asset itself.
    pub path: Vec<Name>,
    /// Chunks in its manifest; 0 for an empty file.
    pub chunks: u64,
    /// All assets of that name in that place, newest first, itself among them.
    pub versions: Vec<AssetId>,
    /// The leaf of the log that commits to it.
    pub leaf_hash: Digest,
}

/// What a listing is ordered by. Ties fall back to the natural order of names, then to age.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    /// Natural order of names.
    #[default]
    Name,
    /// Bytes.
    Size,
    /// When it was sealed.
    Added,
    /// Modification time of the source.
    Modified,
    /// The media class, in the order of [`MediaClass::ALL`].
    Type,
    /// How well the name answers the text that is looked for; see [`crate::relevance::Relevance`].
    Rank,
}

/// Which assets of a collection, and in what order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListQuery {
    /// Assets to skip.
    pub offset: u64,
    /// Assets to return at most; the caller clamps it.
    pub limit: u64,
    /// A substring of the name, case-insensitive; empty matches all.
    pub text: String,
    /// What else must hold. Finds newest versions alone, whatever `all_versions` says.
    pub query: Query,
    /// Only these classes; empty means all.
    pub classes: Vec<MediaClass>,
    /// The order.
    pub sort: SortBy,
    /// Reversed.
    pub descending: bool,
    /// Superseded versions too.
    pub all_versions: bool,
}

/// One page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListPage {
    /// The page itself, and for each asset how many versions its name has.
    pub assets: Vec<(Asset, u64)>,
    /// Matching assets in all.
    pub total: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Matching assets by class, the class filter left out.
    pub counts: BTreeMap<MediaClass, u64>,
    /// The log's size that this page shows.
    pub log_size: u64,
    /// How the query was read in this vault.
    pub read: Vec<ReadTerm>,
}

/// Which assets of a place and all below it, or of the whole vault, by a part of their names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SearchQuery {
    /// Where to look; `None` for the whole vault.
    pub within: Option<PlaceId>,
    /// A substring of the name of any length, without regard to case and accents; empty matches all.
    pub text: String,
    /// What else must hold.
    pub query: Query,
    /// Only these classes; empty means all.
    pub classes: Vec<MediaClass>,
    /// The order.
    pub sort: SortBy,
    /// Reversed.
    pub descending: bool,
    /// Assets to skip.
    pub offset: u64,
    /// Assets to return at most; the caller clamps it.
    pub limit: u64,
}

/// One page of what a search found; of each name in each place the newest version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchPage {
    /// The page itself.
    pub hits: Vec<Hit>,
    /// Matching assets in all.
    pub total: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Matching assets by class, the class filter left out.
    pub counts: BTreeMap<MediaClass, u64>,
    /// The log's size that this page shows.
    pub log_size: u64,
    /// How the query was read in this vault.
    pub read: Vec<ReadTerm>,
}

/// Some assets in some order, without saying which of them are looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Question {
    /// Where to look; `None` for the whole vault.
    pub within: Option<PlaceId>,
    /// Below a collection as well; a project is always looked at with all that is in it.
    pub deep: bool,
    /// A substring of the name; empty matches all.
    pub text: String,
    /// What else must hold.
    pub query: Query,
    /// Only these classes; empty means all.
    pub classes: Vec<MediaClass>,
    /// The order.
    pub sort: SortBy,
    /// Reversed.
    pub descending: bool,
}

/// Where assets stand among others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranks {
    /// Counted from 0, for each asset that was asked about; `None` for what is not among them.
    pub ranks: Vec<Option<u64>>,
    /// The first whose name begins with the text that was asked about, without regard to case and accents.
    pub prefix: Option<u64>,
    /// How many there are.
    pub total: u64,
    /// The log's size that this shows.
    pub log_size: u64,
}

/// Which assets of an order somebody means, as a rule rather than as a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    /// The order.
    pub of: Question,
    /// All of them.
    pub all: bool,
    /// Those from one asset to another, both included. A version that has a newer one by now stands for that.
    pub ranges: Vec<(AssetId, AssetId)>,
    /// These as well, whether they are among the others or not.
    pub with: Vec<AssetId>,
    /// All but these, and the newest versions of their names.
    pub without: Vec<AssetId>,
}

/// The assets that somebody means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selected {
    /// In their order, then those that were named one by one.
    pub assets: Vec<AssetId>,
    /// Their sizes' sum.
    pub bytes: u64,
    /// Whether all lie in one collection.
    pub one_place: bool,
    /// The log's size that this shows.
    pub log_size: u64,
}

/// An asset that a search found, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The asset itself.
    pub asset: Asset,
    /// How many versions its name has.
    pub versions: u64,
    /// The project at the top of its branch.
    pub project: ProjectId,
    /// Names from the project down to the asset itself.
    pub path: Vec<Name>,
}

/// Where a content lies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Some of them.
    pub places: Vec<Placed>,
    /// How many there are.
    pub total: u64,
}

/// An asset and where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The asset itself.
    pub asset: Asset,
    /// The project at the top of its branch.
    pub project: ProjectId,
    /// Names from the project down to the asset itself.
    pub path: Vec<Name>,
    /// Whether it is the newest version of its name.
    pub newest: bool,
}

/// A file that somebody is about to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownFile {
    /// The collections below the one that is asked about.
    pub folders: Vec<Name>,
    /// Its name.
    pub name: Name,
    /// Bytes.
    pub size: u64,
    /// When it was changed last.
    pub modified_unix_ms: Option<i64>,
    /// What it is, where that is known; then nothing else counts.
    pub sha256: Option<Digest>,
}

/// What tells that a file is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownBy {
    /// Its content.
    Sha256,
    /// Size and time, to the millisecond.
    SizeAndTime,
}

/// One thing met while walking a place from the top down.
#[derive(Clone, Debug)]
pub struct WalkItem {
    /// Names below the place that the walk started at, the item's own last.
    pub path: Vec<Name>,
    /// What it is.
    pub node: WalkNode,
}

/// What a walk can meet.
#[derive(Clone, Debug)]
pub enum WalkNode {
    /// A project; only when the whole vault is walked.
    Project(ProjectId),
    /// A collection; comes before what is in it.
    Collection(CollectionId),
    /// An asset, the newest version of its name unless all were asked for.
    Asset(Box<Asset>),
    /// A symbolic link.
    Link(Box<Link>),
}

/// What a path or an id names.
#[derive(Clone, Debug)]
pub enum Node {
    /// The vault itself.
    Vault,
    /// A project.
    Project(Project),
    /// A collection.
    Collection(Collection),
    /// An asset.
    Asset(Box<Asset>),
    /// A symbolic link.
    Link(Box<Link>),
    /// An entry of a kind that this program does not know; it is listed, verified and proved all the same.
    Unknown {
        /// Its position.
        seq: Seq,
        /// Its kind's number.
        kind: u32,
        /// Its name, if the kind has one.
        name: Option<Name>,
    },
}

/// Figures about a vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The vault's identity.
    pub vault: VaultId,
    /// When it was created.
    pub created_unix_ms: i64,
    /// The container version.
    pub format: u32,
    /// Why nothing can be added, if so.
    pub read_only: Option<String>,
    /// Entries by kind.
    pub projects: u64,
    /// Entries by kind.
    pub collections: u64,
    /// Entries by kind, every version counted.
    pub assets: u64,
    /// Entries by kind.
    pub links: u64,
    /// All entries, the vault's own among them: the log's size.
    pub entries: u64,
    /// Distinct chunks.
    pub chunks: u64,
    /// Packs.
    pub packs: u64,
    /// Sum of all assets' sizes.
    pub logical_bytes: u64,
    /// Sum of all distinct chunks' sizes.
    pub unique_bytes: u64,
    /// Sum of all packs as stored.
    pub stored_bytes: u64,
    /// The vault file with its WAL.
    pub file_bytes: u64,
    /// Chunks no asset refers to: left by an import that ended early, used again when the bytes come back.
    pub unreferenced_chunks: u64,
    /// Root of the log at `entries`.
    pub root: Digest,
    /// Whether copying the file alone, with any program, copies everything now.
    pub safe_to_copy: bool,
    /// Why it does not and what to do instead, a sentence without a full stop; `None` if it does.
    pub copy_hindrance: Option<String>,
    /// Entries that say what healing restored.
    pub repairs: u64,
    /// When scrubbing last found its parts good.
    pub verified: crate::scrub::LastVerified,
    /// How much parity the vault was made with.
    pub parity: Parity,
    /// Bytes of parity that are there now.
    pub parity_bytes: u64,
    /// Stripes that they make up.
    pub parity_stripes: u64,
}

/// How much Reed-Solomon parity a vault keeps over what it seals, chosen when it is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Parity {
    /// None: damage is found, not healed.
    Off,
    /// 1/32 of what is protected.
    Percent3,
    /// 1/16.
    #[default]
    Percent6,
    /// 1/8.
    Percent12,
    /// 1/4.
    Percent25,
}

impl Parity {
    /// The number it goes by: percent, rounded down.
    pub const fn percent(self) -> u8 {
        match self {
            Self::Off => 0,
            Self::Percent3 => 3,
            Self::Percent6 => 6,
            Self::Percent12 => 12,
            Self::Percent25 => 25,
        }
    }

    /// Parity per 32 parts of what is protected.
    pub(crate) const fn per_32(self) -> usize {
        match self {
            Self::Off => 0,
            Self::Percent3 => 1,
            Self::Percent6 => 2,
            Self::Percent12 => 4,
            Self::Percent25 => 8,
        }
    }
}

impl From<Parity> for u8 {
    fn from(parity: Parity) -> Self {
        parity.percent()
    }
}

impl TryFrom<u8> for Parity {
    type Error = String;

    fn try_from(percent: u8) -> Result<Self, String> {
        [
            Self::Off,
            Self::Percent3,
            Self::Percent6,
            Self::Percent12,
            Self::Percent25,
        ]
        .into_iter()
        .find(|parity| parity.percent() == percent)
        .ok_or_else(|| format!("parity can be 0, 3, 6, 12 or 25, not {percent}"))
    }
}
