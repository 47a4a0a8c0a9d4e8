//! `ls`: what lies directly in a place.

use std::io::{self, BufWriter, Write};

use compactvault_vault::{
    Asset, Collection, Link, Name, Node, PlaceId, Project, Timestamp, Vault, WalkNode,
};
use serde_json::{Map, Value};

use crate::args::{Global, Ls};
use crate::exit::Exit;
use crate::format::{bytes, things, utc};
use crate::names;
use crate::output::Output;
use crate::{target, vault_choice};

pub(crate) fn run(args: &Ls, global: &Global, output: &Output) -> anyhow::Result<Exit> {
    let path = match &args.path {
        Some(path) => target::path(path)?,
        None => Vec::new(),
    };
    vault_choice::look(global, None, |vault| list(vault, &path, args, output))?;
    Ok(Exit::Done)
}

fn list(vault: &Vault, path: &[Name], args: &Ls, output: &Output) -> anyhow::Result<()> {
    let node = vault.resolve(path)?;
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut list = List {
        vault,
        args,
        output,
        out: &mut out,
        entries: 0,
    };
    list.begin(path)?;
    match node {
        Node::Vault => {
            for project in vault.projects()? {
                list.project(&project)?;
            }
        }
        Node::Project(project) => list.place(PlaceId::Project(project.id), project.id)?,
        Node::Collection(found) => list.place(PlaceId::Collection(found.id), found.project)?,
        Node::Asset(asset) => list.file(&asset)?,
        Node::Link(link) => list.link(&link)?,
        Node::Unknown { seq, kind, name } => list.unknown(seq.get(), kind, name.as_ref())?,
    }
    list.end()?;
    out.flush()?;
    Ok(())
}

/// A listing that is printed while it is read: a collection may hold millions.
struct List<'a> {
    vault: &'a Vault,
    args: &'a Ls,
    output: &'a Output,
    out: &'a mut dyn Write,
    entries: u64,
}

/// The columns of `-l`.
struct Columns {
    mode: char,
    id: u64,
    size: String,
    time: String,
}

impl List<'_> {
    fn place(
        &mut self,
        place: PlaceId,
        project: compactvault_vault::ProjectId,
    ) -> anyhow::Result<()> {
        for collection in self.vault.collections(project)? {
            if collection.parent == place {
                self.collection(&collection)?;
            }
        }
        if matches!(place, PlaceId::Project(_)) {
            return Ok(());
        }
        for item in self.vault.walk(Some(place), self.args.all_versions)? {
            match item?.node {
                WalkNode::Asset(asset) => self.asset(&asset)?,
                WalkNode::Link(link) => self.link(&link)?,
                // Places come last, each followed by what is in it.
                WalkNode::Project(_) | WalkNode::Collection(_) => break,
            }
        }
        Ok(())
    }

    fn file(&mut self, asset: &Asset) -> anyhow::Result<()> {
        if !self.args.all_versions {
            return self.asset(asset);
        }
        for id in self.vault.asset_details(asset.id)?.versions {
            self.asset(&self.vault.asset(id)?)?;
        }
        Ok(())
    }

    fn project(&mut self, project: &Project) -> anyhow::Result<()> {
        if self.output.json {
            let mut map = entry("project", project.id.get(), &project.name);
            map.insert("type".into(), project.type_word.clone().into());
            map.insert("description".into(), project.description.clone().into());
            map.insert("collections".into(), project.collections.into());
            map.insert("assets".into(), project.assets.into());
            map.insert("sealed_at_unix_ms".into(), project.sealed_at_unix_ms.into());
            return self.json(map);
        }
        let columns = Columns {
            mode: 'd',
            id: project.id.get(),
            size: things(project.assets, "file", "files"),
            time: utc(Timestamp::from_unix_ms(project.sealed_at_unix_ms)),
        };
        self.line(&columns, &project.name, "/")
    }

    fn collection(&mut self, collection: &Collection) -> anyhow::Result<()> {
        if self.output.json {
            let mut map = entry("collection", collection.id.get(), &collection.name);
            map.insert("type".into(), collection.type_word.clone().into());
            map.insert("collections".into(), collection.collections.into());
            map.insert("assets".into(), collection.assets.into());
            map.insert(
                "sealed_at_unix_ms".into(),
                collection.sealed_at_unix_ms.into(),
            );
            return self.json(map);
        }
        let columns = Columns {
            mode: 'd',
            id: collection.id.get(),
            size: things(collection.assets, "file", "files"),
            time: utc(Timestamp::from_unix_ms(collection.sealed_at_unix_ms)),
        };
        self.line(&columns, &collection.name, "/")
    }

    fn asset(&mut self, asset: &Asset) -> anyhow::Result<()> {
        if self.output.json {
            let mut map = entry("asset", asset.id.get(), &asset.name);
            map.insert("size".into(), asset.size.into());
            map.insert("sha256".into(), asset.sha256.to_string().into());
            map.insert("crc32".into(), format!("{:08x}", asset.crc32).into());
            map.insert("executable".into(), asset.executable.into());
            put_modified(&mut map, asset.modified);
            map.insert("media_type".into(), asset.media.media_type.into());
            map.insert("sealed_at_unix_ms".into(), asset.sealed_at_unix_ms.into());
            return self.json(map);
        }
        let columns = Columns {
            mode: if asset.executable { 'x' } else { '-' },
            id: asset.id.get(),
            size: bytes(asset.size),
            time: asset.modified.map(utc).unwrap_or_default(),
        };
        self.line(&columns, &asset.name, "")
    }

    fn link(&mut self, link: &Link) -> anyhow::Result<()> {
        if self.output.json {
            let mut map = entry("link", link.seq.get(), &link.name);
            names::put(&mut map, "target", &link.target);
            put_modified(&mut map, link.modified);
            map.insert("sealed_at_unix_ms".into(), link.sealed_at_unix_ms.into());
            return self.json(map);
        }
        let columns = Columns {
            mode: 'l',
            id: link.seq.get(),
            size: String::new(),
            time: link.modified.map(utc).unwrap_or_default(),
        };
        let after = if self.args.long {
            format!(" -> {}", names::shown_bytes(&link.target))
        } else {
            "@".into()
        };
        self.line(&columns, &link.name, &after)
    }

    fn unknown(&mut self, id: u64, kind: u32, name: Option<&Name>) -> anyhow::Result<()> {
        let shown = name.map(Name::escaped).unwrap_or_default();
        if self.output.json {
            let mut map = Map::new();
            map.insert("kind".into(), "unknown".into());
            map.insert("id".into(), id.into());
            map.insert("kind_number".into(), kind.into());
            map.insert("name".into(), shown.into());
            return self.json(map);
        }
        writeln!(
            self.out,
            "{shown} (entry {id}, of a kind this program does not know)"
        )?;
        Ok(())
    }

    fn line(&mut self, columns: &Columns, name: &Name, after: &str) -> anyhow::Result<()> {
        let before = if self.args.long {
            format!(
                "{} {:>9} {:>12}  {:19}  ",
                columns.mode, columns.id, columns.size, columns.time
            )
        } else {
            String::new()
        };
        self.output
            .name_line(self.out, &before, name.as_bytes(), &name.escaped(), after)?;
        Ok(())
    }

    fn begin(&mut self, path: &[Name]) -> anyhow::Result<()> {
        if self.output.json {
            let mut map = Map::new();
            names::put(&mut map, "path", &names::raw(path));
            let head = Value::Object(map).to_string();
            let head = head.trim_end_matches('}');
            write!(self.out, "{head},\"entries\":[")?;
            self.output.open_list(true);
        }
        Ok(())
    }

    fn json(&mut self, map: Map<String, Value>) -> anyhow::Result<()> {
        let comma = if self.entries == 0 { "" } else { "," };
        self.entries += 1;
        write!(self.out, "{comma}\n{}", Value::Object(map))?;
        Ok(())
    }

    fn end(&mut self) -> anyhow::Result<()> {
        if self.output.json {
            writeln!(self.out, "\n]}}")?;
            self.output.open_list(false);
        }
        Ok(())
    }
}

fn entry(kind: &str, id: u64, name: &Name) -> Map<String, Value> {
    let mut map = Map::new();
    map.insert("kind".into(), kind.into());
    map.insert("id".into(), id.into());
    names::put(&mut map, "name", name.as_bytes());
    map
}

fn put_modified(map: &mut Map<String, Value>, modified: Option<Timestamp>) {
    let Some(modified) = modified else { return };
    map.insert("modified_s".into(), modified.seconds.into());
    map.insert("modified_ns".into(), modified.nanoseconds.into());
}
