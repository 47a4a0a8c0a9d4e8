//! What tests of going in need: a vault, a place in it, and bytes.

use super::NewAsset;
use crate::ids::{Digest, ProjectId};
use crate::model::PlaceId;
use crate::name::Name;
use crate::vault::{OpenOptions, Vault};

pub(crate) fn name(name: &str) -> Name {
    Name::new(name).expect("a good name")
}

/// Bytes that do not repeat, others for each `seed`.
pub(crate) fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    (0_u64..)
        .flat_map(|n| *Digest::of(&(seed << 32 | n).to_be_bytes()).as_bytes())
        .take(bytes)
        .collect()
}

/// A vault with a project.
pub(crate) fn new_vault(home: &tempfile::TempDir) -> (Vault, ProjectId) {
    let options = OpenOptions {
        state_dir: Some(home.path().join("state")),
        ..OpenOptions::default()
    };
    let path = home.path().join("v.vault");
    let vault = Vault::create(&path, &options).expect("a vault can be created");
    let project = vault.create_project(name("P"), "project", "");
    let (project, _) = project.expect("a project can be created");
    (vault, project.id)
}

/// An asset in a folder of the project.
pub(crate) fn asset(project: ProjectId, asset: &str) -> NewAsset {
    NewAsset {
        place: PlaceId::Project(project),
        folders: vec![name("folder")],
        name: name(asset),
        modified: None,
        executable: false,
        expected_size: None,
        expected_sha256: None,
    }
}
