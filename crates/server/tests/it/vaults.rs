//! Which vault is served: the only one, a new one, or the one somebody chooses, once.

use std::path::Path;

use compactvault_server::{Place, ServeError, Server};
use compactvault_vault::Vault;
use serde_json::{Value, json};

use crate::bench::{Bench, options, vault_options};

fn folder_with(vaults: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("served")).unwrap();
    for name in vaults {
        Vault::create(
            &dir.path().join("served").join(name),
            &vault_options(dir.path()),
        )
        .unwrap()
        .close()
        .unwrap();
    }
    dir
}

/// A database like the original's, made by Python as the original was.
fn make_original(path: &Path) {
    let script = "
import sqlite3, sys
c = sqlite3.connect(sys.argv[1])
for t in ('projects', 'collections', 'assets', 'metadata', 'chunks'): c.execute(f'CREATE TABLE {t} (id INTEGER PRIMARY KEY)')
c.commit()";
    let out = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(path)
        .output()
        .expect("needs python3");
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
}

fn states(answer: &Value) -> Vec<(&str, &str)> {
    let vaults = answer["vaults"].as_array().unwrap();
    vaults
        .iter()
        .map(|vault| {
            (
                vault["name"].as_str().unwrap(),
                vault["state"].as_str().unwrap(),
            )
        })
        .collect()
}

#[tokio::test]
async fn an_empty_folder_gets_a_vault_and_an_only_one_is_chosen() {
    let bench = Bench::new().await;
    assert_eq!(
        bench.get("/api/vaults").await.json()["chosen"],
        "default.vault"
    );
    let bench = Bench::on(folder_with(&["studio.vault"]), |_| ()).await;
    let vaults = bench.get("/api/vaults").await.json();
    assert_eq!(
        (&vaults["chosen"], states(&vaults)),
        (&json!("studio.vault"), vec![("studio.vault", "ok")])
    );
}

#[tokio::test]
async fn of_several_one_is_chosen_once() {
    let bench = Bench::on(folder_with(&["a.vault", "b.vault"]), |_| ()).await;
    assert_eq!(bench.get("/api/vaults").await.json()["chosen"], json!(null));
    for path in [
        "/api/projects",
        "/api/status",
        "/api/events",
        "/api/assets/1",
        "/api/uploads",
    ] {
        assert_eq!(
            bench.get(path).await.outcome(),
            (400, "no_vault".into()),
            "{path}"
        );
    }
    for path in [
        "/api/projects",
        "/api/upload/complete",
        "/api/downloads",
        "/api/maintenance/vacuum",
    ] {
        assert_eq!(
            bench.post(path, &json!({})).await.outcome(),
            (400, "no_vault".into()),
            "{path}"
        );
    }
    for name in [
        "",
        "x",
        "../c.vault",
        "/tmp/c.vault",
        "c.vault/",
        ".vault",
        "a\0.vault",
    ] {
        let answer = bench.post("/api/select_db", &json!({ "db": name })).await;
        assert_eq!(answer.outcome(), (400, "bad_vault_name".into()), "{name:?}");
    }
    assert_eq!(
        bench
            .post("/api/select_db", &json!({ "db": "b.vault" }))
            .await
            .status,
        200
    );
    assert_eq!(
        bench
            .post("/api/select_db", &json!({ "db": "b.vault" }))
            .await
            .status,
        200
    );
    let other = bench
        .post("/api/select_db", &json!({ "db": "a.vault" }))
        .await;
    assert_eq!(other.outcome(), (409, "vault_already_chosen".into()));
    assert_eq!(
        bench.get("/api/status").await.json()["vault"]["name"],
        "b.vault"
    );
}

#[tokio::test]
async fn a_new_one_can_be_made_where_there_are_several() {
    let bench = Bench::on(folder_with(&["a.vault", "b.vault"]), |_| ()).await;
    assert_eq!(
        bench
            .post("/api/select_db", &json!({ "db": "new é.vault" }))
            .await
            .status,
        200
    );
    assert_eq!(
        bench.get("/api/vaults").await.json()["chosen"],
        "new é.vault"
    );
    let dir = bench.close().await;
    let left: Vec<_> = std::fs::read_dir(dir.path().join("served"))
        .unwrap()
        .collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

#[tokio::test]
async fn others_are_shown_as_what_they_are_and_not_touched() {
    let dir = folder_with(&["mine.vault"]);
    let served = dir.path().join("served");
    make_original(&served.join("old.vault"));
    std::fs::write(served.join("text.vault"), "hello").unwrap();
    let bench = Bench::on(dir, |_| ()).await;
    let vaults = bench.get("/api/vaults").await.json();
    assert_eq!(vaults["chosen"], "mine.vault");
    assert_eq!(
        states(&vaults),
        [
            ("mine.vault", "ok"),
            ("old.vault", "original"),
            ("text.vault", "not_a_vault")
        ]
    );

    let dir = folder_with(&["a.vault", "b.vault"]);
    make_original(&dir.path().join("served/old.vault"));
    std::fs::write(dir.path().join("served/text.vault"), "hello").unwrap();
    let bench = Bench::on(dir, |_| ()).await;
    let old = bench
        .post("/api/select_db", &json!({ "db": "old.vault" }))
        .await;
    assert_eq!(old.outcome(), (409, "original_vault".into()));
    let text = bench
        .post("/api/select_db", &json!({ "db": "text.vault" }))
        .await;
    assert_eq!(text.outcome(), (409, "not_a_vault".into()));
    assert_eq!(
        bench
            .post("/api/select_db", &json!({ "db": "a.vault" }))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn an_original_alone_is_not_the_only_one() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("served")).unwrap();
    make_original(&dir.path().join("served/old.vault"));
    let bench = Bench::on(dir, |_| ()).await;
    assert_eq!(
        bench.get("/api/vaults").await.json()["chosen"],
        "default.vault"
    );
    // With the default's name taken by it, somebody has to choose.
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("served")).unwrap();
    make_original(&dir.path().join("served/default.vault"));
    let bench = Bench::on(dir, |_| ()).await;
    assert_eq!(bench.get("/api/vaults").await.json()["chosen"], json!(null));
}

#[tokio::test]
async fn a_file_can_be_named() {
    let dir = folder_with(&["a.vault", "b.vault"]);
    let path = dir.path().join("served/b.vault");
    let bench = Bench::on(dir, |options| options.place = Place::File(path)).await;
    let vaults = bench.get("/api/vaults").await.json();
    assert_eq!(
        (&vaults["chosen"], states(&vaults)),
        (&json!("b.vault"), vec![("b.vault", "ok")])
    );
}

#[tokio::test]
async fn what_cannot_be_served_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(dir.path());
    assert!(matches!(
        Server::open(&options).await,
        Err(ServeError::Open(_))
    ));
    std::fs::create_dir(dir.path().join("served")).unwrap();
    std::fs::write(dir.path().join("served/x.vault"), "hello").unwrap();
    options.place = Place::File(dir.path().join("served/x.vault"));
    assert!(matches!(
        Server::open(&options).await,
        Err(ServeError::Open(_))
    ));
    options.password = Some(String::new());
    assert!(matches!(
        Server::open(&options).await,
        Err(ServeError::PasswordEmpty)
    ));
}
