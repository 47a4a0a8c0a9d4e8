//! ZIPs of a project, a collection or a selection: which members there are, what they are called, and their bytes as
//! one stream of checked pieces.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use axum::body::Bytes;
use compactvault_vault::name::{UniqueNames, archive_path_component};
use compactvault_vault::{
    Asset, AssetId, AssetRange, Name, PlaceId, ReadError, Vault, Walk, WalkItem, WalkNode,
};

use crate::pieces::Source;
use crate::zip::{Member, ZipWriter, total_bytes};

/// Members looked at before the first byte is sent; an archive that has no more tells its length. More would let the
/// client wait for what it need not know.
const PLANNED_MAX: usize = 20_000;

/// A member and where its bytes come from; a folder has none.
struct Planned {
    member: Member,
    asset: Option<AssetId>,
}

type Plan = Box<dyn Iterator<Item = Result<Planned, ReadError>> + Send>;

/// A ZIP about to be sent.
pub(crate) struct Archive {
    /// Its length, where that was worth finding out.
    pub(crate) length: Option<u64>,
    /// Its bytes.
    pub(crate) source: Source,
}

impl Archive {
    /// Everything below `place`, in a folder of that place's name. Blocks.
    pub(crate) fn of_place(vault: &Vault, place: PlaceId, name: &Name) -> Result<Self, ReadError> {
        Self::new(
            vault,
            Box::new(Tree::new(vault.walk(Some(place), false)?, name)),
        )
    }

    /// The assets themselves, each once, flat. Blocks.
    pub(crate) fn of_assets(vault: &Vault, ids: Arc<[AssetId]>) -> Result<Self, ReadError> {
        let mut names = UniqueNames::default();
        let reader = vault.clone();
        let plan = (0..ids.len()).map(move |at| {
            let id = ids[at];
            let asset = reader.asset(id)?;
            let path = names.claim(archive_path_component(&asset.name));
            Ok(Planned {
                member: member(&asset, path),
                asset: Some(id),
            })
        });
        Self::new(vault, Box::new(plan))
    }

    /// The assets, each once, in the folders they lie in, as seen from `base`; `None` for the whole vault. Blocks.
    pub(crate) fn of_assets_in_folders(
        vault: &Vault,
        ids: Arc<[AssetId]>,
        base: Option<PlaceId>,
    ) -> Result<Self, ReadError> {
        let mut folders = Folders::new(vault.clone(), base);
        let reader = vault.clone();
        let plan = (0..ids.len()).map(move |at| {
            let id = ids[at];
            let asset = reader.asset(id)?;
            let path = folders.claim(&asset)?;
            Ok(Planned {
                member: member(&asset, path),
                asset: Some(id),
            })
        });
        Self::new(vault, Box::new(plan))
    }

    fn new(vault: &Vault, mut plan: Plan) -> Result<Self, ReadError> {
        let mut planned = Vec::new();
        let mut ended = false;
        while planned.len() < PLANNED_MAX && !ended {
            match plan.next() {
                Some(member) => planned.push(member?),
                None => ended = true,
            }
        }
        let length = ended.then(|| total_bytes(planned.iter().map(|planned| &planned.member)));
        let source = Members {
            vault: vault.clone(),
            plan: Box::new(planned.into_iter().map(Ok).chain(plan)),
            writer: Some(ZipWriter::default()),
            current: None,
        };
        Ok(Self {
            length,
            source: Source::Sequence(Box::new(source)),
        })
    }
}

fn member(asset: &Asset, path: String) -> Member {
    let modified_seconds = asset
        .modified
        .map_or(asset.sealed_at_unix_ms.div_euclid(1000), |modified| {
            modified.seconds
        });
    Member {
        path,
        size: asset.size,
        crc32: asset.crc32,
        modified_seconds,
        executable: asset.executable,
    }
}

/// The folders that some assets lie in, each with the names that are taken there. Folders and assets share a folder's
/// names, whichever comes first.
struct Folders {
    vault: Vault,
    base: Option<PlaceId>,
    /// Paths in the archive with a closing slash.
    paths: HashMap<PlaceId, String>,
    names: HashMap<String, UniqueNames>,
}

impl Folders {
    fn new(vault: Vault, base: Option<PlaceId>) -> Self {
        Self {
            vault,
            base,
            paths: HashMap::new(),
            names: HashMap::new(),
        }
    }

    /// The path of an asset.
    fn claim(&mut self, asset: &Asset) -> Result<String, ReadError> {
        let folder = self.path(PlaceId::Collection(asset.collection))?;
        let name = self.claim_in(&folder, &asset.name);
        Ok(format!("{folder}{name}"))
    }

    fn claim_in(&mut self, folder: &str, name: &Name) -> String {
        let component = archive_path_component(name);
        if let Some(names) = self.names.get_mut(folder) {
            return names.claim(component);
        }
        let names = self.names.entry(folder.to_owned()).or_default();
        names.claim(component)
    }

    /// The path of a place, nothing for the base and what lies outside of it. Collections nest 128 deep at most.
    fn path(&mut self, place: PlaceId) -> Result<String, ReadError> {
        if Some(place) == self.base {
            return Ok(String::new());
        }
        if let Some(path) = self.paths.get(&place) {
            return Ok(path.clone());
        }
        let (name, above) = match place {
            PlaceId::Project(id) => (self.vault.project(id)?.name, None),
            PlaceId::Collection(id) => {
                let collection = self.vault.collection(id)?;
                (collection.name, Some(collection.parent))
            }
        };
        let above = above.map_or(Ok(String::new()), |above| self.path(above))?;
        let path = format!("{above}{}/", self.claim_in(&above, &name));
        self.paths.insert(place, path.clone());
        Ok(path)
    }
}

/// Turns a walk into members. A folder becomes one only if nothing else names it.
struct Tree {
    walk: Walk,
    /// The folders on the way down to where the walk is, outermost first.
    folders: Vec<Folder>,
    /// Members found and not handed out yet.
    ready: VecDeque<Planned>,
    ended: bool,
}

struct Folder {
    /// Path in the archive with a closing slash.
    path: String,
    names: UniqueNames,
    is_empty: bool,
}

impl Folder {
    fn new(path: String) -> Self {
        Self {
            path,
            names: UniqueNames::default(),
            is_empty: true,
        }
    }

    fn claim(&mut self, name: &Name) -> String {
        self.is_empty = false;
        format!(
            "{}{}",
            self.path,
            self.names.claim(archive_path_component(name))
        )
    }
}

impl Tree {
    fn new(walk: Walk, name: &Name) -> Self {
        let top = Folder::new(format!("{}/", archive_path_component(name)));
        Self {
            walk,
            folders: vec![top],
            ready: VecDeque::new(),
            ended: false,
        }
    }

    /// Leaves folders until only `depth` are open; of one in which nothing was met, a member remains.
    fn leave_down_to(&mut self, depth: usize) {
        while self.folders.len() > depth {
            let Some(folder) = self.folders.pop() else {
                return;
            };
            if folder.is_empty {
                let member = folder_member(folder.path);
                self.ready.push_back(Planned {
                    member,
                    asset: None,
                });
            }
        }
    }

    fn enter(&mut self, item: &WalkItem) {
        // The walk goes down first, so the folder an item lies in is the innermost that is left open.
        self.leave_down_to(item.path.len());
        let (Some(name), Some(parent)) = (item.path.last(), self.folders.last_mut()) else {
            return;
        };
        match &item.node {
            WalkNode::Asset(asset) => {
                let member = member(asset, parent.claim(name));
                self.ready.push_back(Planned {
                    member,
                    asset: Some(asset.id),
                });
            }
            WalkNode::Collection(_) | WalkNode::Project(_) => {
                let path = format!("{}/", parent.claim(name));
                self.folders.push(Folder::new(path));
            }
            // Links are left out: half of all unpackers would follow them.
            WalkNode::Link(_) => {}
        }
    }
}

/// Collections carry no time worth restoring; 1980 is where a ZIP's times begin.
fn folder_member(path: String) -> Member {
    Member {
        path,
        size: 0,
        crc32: 0,
        modified_seconds: 315_532_800,
        executable: false,
    }
}

impl Iterator for Tree {
    type Item = Result<Planned, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(member) = self.ready.pop_front() {
                return Some(Ok(member));
            }
            if self.ended {
                return None;
            }
            match self.walk.next() {
                Some(Ok(item)) => self.enter(&item),
                Some(Err(error)) => {
                    self.ended = true;
                    return Some(Err(error));
                }
                None => {
                    self.ended = true;
                    self.leave_down_to(0);
                }
            }
        }
    }
}

/// The archive's bytes: header, content, header, content, directory.
struct Members {
    vault: Vault,
    plan: Plan,
    /// Taken when the archive, or what can be sent of it, has ended.
    writer: Option<ZipWriter>,
    current: Option<AssetRange>,
}

impl Iterator for Members {
    type Item = Result<Bytes, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.step().transpose();
        if matches!(next, Some(Err(_))) {
            // No directory may follow: the archive must not look whole.
            (self.writer, self.current) = (None, None);
        }
        next
    }
}

impl Members {
    fn step(&mut self) -> Result<Option<Bytes>, ReadError> {
        if let Some(range) = &mut self.current {
            if let Some(piece) = range.next() {
                return piece.map(Some);
            }
            self.current = None;
        }
        let Some(writer) = &mut self.writer else {
            return Ok(None);
        };
        let Some(Planned { member, asset }) = self.plan.next().transpose()? else {
            return Ok(self.writer.take().map(|writer| writer.finish().into()));
        };
        if let Some(id) = asset {
            let reader = self.vault.open_asset(id)?;
            self.current = Some(reader.range(0..reader.size()));
        }
        Ok(Some(writer.member(&member).into()))
    }
}
