//! A small vault with something of everything in it, and all the questions one can ask about a vault.
//!
//! The damage tests ask them of a thousand damaged copies, the golden vault of a file from the past: what matters is
//! that no question that a person can ask through the library is missing here.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;

use compactvault_vault::{
    Access, AssetId, CollectionId, Digest, ListQuery, MediaClass, Name, Node, OpenOptions, PlaceId,
    ProjectId, ReadError, Seq, SortBy, Status, Vault, VerifyLevel,
};

use super::support::{Failing, Home, add, add_link, name, new_asset, noise, prose, read_all};

/// Fills a new vault: about 400 entries, 2 MB, several packs of both codecs, a subtree, manifests, nested
/// collections, superseded versions of assets and links, odd names, and chunks that no asset refers to.
pub(crate) fn fill(vault: &Vault) {
    let (project, _) = vault
        .create_project(name("Glacier"), "film", "all of it")
        .expect("a project can be created");
    vault
        .create_project(name("Empty"), "project", "")
        .expect("a project can be created");
    let mut place = PlaceId::Project(project.id);
    let mut collections = Vec::new();
    for folder in ["Textures", "It's \"cold\"", "Deep"] {
        let (collection, _) = vault
            .create_collection(place, name(folder), "collection")
            .expect("a collection can be created");
        place = PlaceId::Collection(collection.id);
        collections.push(collection.id);
    }
    let [top, middle, deep] = collections[..] else {
        unreachable!("three were made");
    };
    let ingest = vault.ingest().expect("the vault takes things in");
    ingest.set_bulk(true);
    for n in 0..300_usize {
        let extension = ["txt", "png", "ogg", "mp4", "glb", "bin"][n % 6];
        let place = [top, top, middle, deep][n % 4];
        ingest
            .archive(
                new_asset(place, name(&format!("file {n}.{extension}"))),
                &mut prose(n as u64, 100 + n * 3).as_slice(),
            )
            .expect("memory can be read");
    }
    ingest.set_bulk(false);
    add(vault, top, "empty", b"");
    add(vault, top, "long prose.txt", &prose(1, 900_000));
    add(vault, middle, "long noise.bin", &noise(2, 700_000));
    add(vault, deep, "one noise", &noise(3, 90_000));
    add(vault, deep, "the same noise", &noise(3, 90_000));
    for version in 0..4 {
        add(vault, middle, "draft.txt", &prose(40 + version, 3000));
    }
    for target in [&b"draft.txt"[..], b"../one noise", b"nowhere \xff"] {
        add_link(vault, middle, "a link", target);
    }
    for odd in [
        &b"not utf-8 \xff"[..],
        b"quotes ' and \" and \\",
        b"new\nline",
        "Éß٣".as_bytes(),
    ] {
        let asset = Name::new(odd).expect("odd but good");
        let (ticket, _) = ingest
            .archive(new_asset(deep, asset), &mut &odd[..])
            .expect("memory can be read");
        ticket.wait().expect("it is sealed");
    }
    // More than the chunker reads at once, so that some of it is committed; repeated, so that it stays small.
    let lost = noise(9, 100_000).repeat(30);
    let mut failing = Failing {
        bytes: &lost,
        before: || {
            add(
                vault,
                top,
                "meanwhile",
                b"sealed together with chunks of another",
            );
        },
    };
    ingest
        .archive(new_asset(top, name("never")), &mut failing)
        .expect_err("the source fails");
}

/// Every question, by its words, and the answer: what is right to say, or the error's code.
pub(crate) type Answers = BTreeMap<String, Result<String, String>>;

/// What there is to ask about, from a vault that is intact.
pub(crate) struct Questions {
    entries: u64,
    projects: Vec<ProjectId>,
    collections: Vec<CollectionId>,
    assets: Vec<(AssetId, u64)>,
    paths: Vec<Vec<Name>>,
}

impl Questions {
    pub(crate) fn of(vault: &Vault) -> Self {
        let entries = vault.log_size().expect("it is intact");
        let mut questions = Self {
            entries,
            projects: Vec::new(),
            collections: Vec::new(),
            assets: Vec::new(),
            paths: Vec::new(),
        };
        for seq in 0..entries {
            match vault.node(Seq::new(seq)).expect("it is intact") {
                Node::Project(project) => questions.projects.push(project.id),
                Node::Collection(collection) => questions.collections.push(collection.id),
                Node::Asset(asset) => questions.assets.push((asset.id, asset.size)),
                _ => {}
            }
        }
        for (n, item) in vault.walk(None, false).expect("it is intact").enumerate() {
            let path = item.expect("it is intact").path;
            if n % 16 == 0 || path.len() < 4 && n % 4 == 0 {
                questions.paths.push(path);
            }
        }
        questions.paths.push(vec![name("Glacier"), name("missing")]);
        questions
            .paths
            .push(vec![name("Glacier"), name("Textures"), name("missing")]);
        questions
    }

    /// Opens the vault and asks everything. A vault that does not open has answered all questions with an error.
    pub(crate) fn ask(&self, path: &Path, home: &Home) -> Answers {
        let options = OpenOptions {
            access: Access::Read,
            ..home.options()
        };
        let mut answers = Answers::new();
        let vault = match Vault::open(path, &options) {
            Ok(vault) => vault,
            Err(error) => {
                answers.insert("open".into(), Err(error.code().into()));
                return answers;
            }
        };
        let facts = (
            vault.id(),
            vault.created_unix_ms(),
            vault.public_key(),
            vault.read_only(),
        );
        answers.insert("open".into(), Ok(format!("{facts:?}")));
        self.ask_lists(&vault, &mut answers);
        self.ask_entries(&vault, &mut answers);
        ask_figures(&vault, &mut answers);
        vault.close().expect("a reader closes");
        answers
    }

    fn ask_lists(&self, vault: &Vault, answers: &mut Answers) {
        let mut ask = Asking(answers);
        ask.note("projects", vault.projects());
        for id in &self.projects {
            ask.note(&format!("collections of {id}"), vault.collections(*id));
            ask.note(&format!("project {id}"), vault.project(*id));
        }
        for id in &self.collections {
            ask.note(&format!("collection {id}"), vault.collection(*id));
            for query in queries() {
                let page = vault.list(*id, &query);
                ask.note(&format!("list {id} {query:?}"), page);
            }
        }
        for all_versions in [false, true] {
            let items: Result<Vec<_>, ReadError> =
                vault.walk(None, all_versions).and_then(Iterator::collect);
            ask.note(&format!("walk, all versions: {all_versions}"), items);
        }
        for path in &self.paths {
            ask.note(&format!("resolve {path:?}"), vault.resolve(path));
        }
    }

    fn ask_entries(&self, vault: &Vault, answers: &mut Answers) {
        let mut ask = Asking(answers);
        for seq in 0..=self.entries {
            ask.note(&format!("node {seq}"), vault.node(Seq::new(seq)));
        }
        for (id, size) in &self.assets {
            ask.note(&format!("details {id}"), vault.asset_details(*id));
            let bytes = read_all(vault, *id).map(|bytes| Digest::of(&bytes));
            ask.note(&format!("bytes {id}"), bytes);
            let range = size / 3..size / 2;
            let part: Result<Vec<_>, ReadError> = vault
                .open_asset(*id)
                .and_then(|reader| reader.range(range).collect());
            let part = part.map(|pieces| Digest::of(&pieces.concat()));
            ask.note(&format!("a part of {id}"), part);
        }
    }
}

fn ask_figures(vault: &Vault, answers: &mut Answers) {
    let mut ask = Asking(answers);
    // Parity that damage took is not there any more: these two figures are about the file, not about what is sealed.
    let status = vault.status().map(|status| Status {
        parity_bytes: 0,
        parity_stripes: 0,
        ..status
    });
    ask.note("status", status);
    ask.note("log size", vault.log_size());
    ask.note("checkpoint", vault.checkpoint());
    ask.note("changes", vault.poll_changes());
}

/// Whether full verification finds nothing, and says so.
pub(crate) fn verifies(path: &Path, home: &Home) -> bool {
    let options = OpenOptions {
        access: Access::Read,
        ..home.options()
    };
    Vault::open(path, &options).is_ok_and(|vault| {
        vault
            .verify(VerifyLevel::Full, &|_| ())
            .is_ok_and(|report| report.findings.is_empty())
    })
}

struct Asking<'a>(&'a mut Answers);

impl Asking<'_> {
    fn note<T: Debug>(&mut self, question: &str, answer: Result<T, ReadError>) {
        let answer = match answer {
            Ok(answer) => Ok(format!("{answer:?}")),
            // That something is not there is an answer, and can be a wrong one.
            Err(error @ ReadError::NotFound { .. }) => Ok(error.to_string()),
            Err(error) => Err(error.code().into()),
        };
        self.0.insert(question.into(), answer);
    }
}

/// Lists of every kind; small pages in every order, so that a wrong neighbour shows.
fn queries() -> Vec<ListQuery> {
    let mut queries = Vec::new();
    for sort in [
        SortBy::Name,
        SortBy::Size,
        SortBy::Added,
        SortBy::Modified,
        SortBy::Type,
        SortBy::Rank,
    ] {
        queries.push(ListQuery {
            offset: 5,
            limit: 9,
            sort,
            descending: sort == SortBy::Added,
            ..ListQuery::default()
        });
    }
    let all = ListQuery {
        limit: u64::MAX,
        ..ListQuery::default()
    };
    queries.push(all.clone());
    queries.push(ListQuery {
        text: "FILE 1".into(),
        limit: 4,
        ..ListQuery::default()
    });
    queries.push(ListQuery {
        classes: vec![MediaClass::Image],
        limit: 3,
        ..ListQuery::default()
    });
    queries.push(ListQuery {
        all_versions: true,
        ..all
    });
    queries
}
