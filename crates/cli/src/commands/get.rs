//! `get`: one asset to a file or to standard output.

use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

#[cfg(not(unix))]
use anyhow::Context as _;
use compactvault_vault::export::{ExportWatch, get_to_file, get_to_writer};
use compactvault_vault::{Access, Asset, AssetId, Name, Node, PlaceId, ReadError, Vault, WalkNode};
use serde_json::{Map, Value};

use crate::args::{Get, Global};
use crate::exit::{Exit, Usage};
use crate::format::bytes;
use crate::names;
use crate::output::Output;
use crate::progress::Bar;
use crate::{interrupt, target, vault_choice};

pub(crate) fn run(args: &Get, global: &Global, output: &Output) -> anyhow::Result<Exit> {
    let stop = interrupt::stop_flag()?;
    let vault = vault_choice::open(global, None, Access::Read)?;
    let id = match target::id(&args.what) {
        Some(id) => id,
        None => find(&vault, &target::path(&args.what)?)?,
    };
    let to_stdout = args.output.as_deref() == Some(Path::new("-"));
    let asset = vault.asset(id)?;
    let bar = Bar::new(output, asset.size);
    let name = asset.name.escaped();
    let progress = |progress: compactvault_vault::export::ExportProgress| {
        bar.set(progress.bytes_done, || name.clone());
    };
    let watch = ExportWatch {
        progress: &progress,
        stop,
    };
    let path = if to_stdout {
        let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        get_to_writer(&vault, id, &mut out, watch)?;
        None
    } else {
        let path = match &args.output {
            Some(path) if path.is_dir() => path.join(file_name(&asset)?),
            Some(path) => path.clone(),
            None => file_name(&asset)?,
        };
        get_to_file(&vault, id, &path, watch)?;
        Some(path)
    };
    drop(bar);
    vault.close()?;
    if let Some(path) = path {
        output.line(format_args!(
            "{}  {}  sha256 {}",
            names::shown_path(&path),
            bytes(asset.size),
            asset.sha256
        ))?;
        output.result(|| {
            let mut map = Map::new();
            names::put_path(&mut map, "file", &path);
            map.insert("id".into(), asset.id.get().into());
            names::put(&mut map, "name", asset.name.as_bytes());
            map.insert("size".into(), asset.size.into());
            map.insert("sha256".into(), asset.sha256.to_string().into());
            Value::Object(map)
        })?;
    }
    Ok(Exit::Done)
}

/// The asset at a path. A collection of the same name does not hide it here.
pub(super) fn find(vault: &Vault, path: &[Name]) -> anyhow::Result<AssetId> {
    let shown = names::shown(path);
    match vault.resolve(path)? {
        Node::Asset(asset) => Ok(asset.id),
        Node::Link(link) => Err(Usage(format!(
            "“{shown}” is a symbolic link to “{}”; `export` restores links",
            names::shown_bytes(&link.target)
        ))
        .into()),
        Node::Collection(collection) => {
            let beside = asset_in(vault, collection.parent, &collection.name)?;
            beside.ok_or_else(|| {
                Usage(format!(
                    "“{shown}” is a collection; take it out with `compactvault export`"
                ))
                .into()
            })
        }
        Node::Project(_) => Err(Usage(format!(
            "“{shown}” is a project; take it out with `compactvault export`"
        ))
        .into()),
        Node::Vault => Err(Usage("name a file in the vault, or its id".into()).into()),
        Node::Unknown { seq, .. } => Err(Usage(format!("entry {seq} is no file")).into()),
    }
}

fn asset_in(vault: &Vault, place: PlaceId, name: &Name) -> Result<Option<AssetId>, ReadError> {
    for item in vault.walk(Some(place), false)? {
        match item?.node {
            WalkNode::Asset(asset) if asset.name == *name => return Ok(Some(asset.id)),
            WalkNode::Asset(_) => {}
            // Assets come first.
            _ => break,
        }
    }
    Ok(None)
}

/// The asset's name as a file here.
#[cfg_attr(
    unix,
    expect(clippy::unnecessary_wraps, reason = "other systems refuse some names")
)]
fn file_name(asset: &Asset) -> anyhow::Result<PathBuf> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        Ok(PathBuf::from(std::ffi::OsStr::from_bytes(
            asset.name.as_bytes(),
        )))
    }
    #[cfg(not(unix))]
    {
        let portable = compactvault_vault::name::archive_path_component(&asset.name);
        let same = portable.as_bytes() == asset.name.as_bytes();
        let name = same.then(|| PathBuf::from(portable));
        name.context("its name is not possible here; choose one with -o FILE")
    }
}
