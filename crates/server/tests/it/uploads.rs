//! Uploads as clients make them: in any order, again after a lost answer, across a restart; and every way to get one
//! wrong.

use axum::body::{Body, Bytes};
use axum::http::Method;
use compactvault_vault::Digest;
use serde_json::{Value, json};

use crate::bench::{Answer, Bench, noise};

async fn part(bench: &Bench, id: &str, index: u64, bytes: impl Into<Body>) -> Answer {
    let id: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
    let path = format!("/api/upload/chunk?upload_id={id}&chunk_index={index}");
    bench
        .send(
            Method::POST,
            &path,
            &[("content-type", "application/octet-stream")],
            bytes,
        )
        .await
}

async fn complete(bench: &Bench, body: &Value) -> Answer {
    bench.post("/api/upload/complete", body).await
}

/// The asset of a completed upload, whether it was sealed at once or queued.
async fn asset_of(bench: &Bench, completed: &Answer) -> u64 {
    assert_eq!(completed.status, 200, "{}", completed.text());
    let id = completed.json()["upload_id"].as_str().unwrap().to_owned();
    for _ in 0..500 {
        let upload = bench.get(&format!("/api/uploads/{id}")).await.json();
        match upload["status"].as_str().unwrap() {
            "sealed" => return upload["asset_id"].as_u64().unwrap(),
            "queued" => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            _ => panic!("{upload}"),
        }
    }
    panic!("{id} was not sealed in time");
}

#[tokio::test]
async fn a_client_of_the_original_runs_unchanged() {
    let bench = Bench::new().await;
    let (_, collection) = bench.place("P", "C").await;
    let bytes = noise(11_000_000, 1);
    for (index, bytes) in bytes.chunks(5 * 1024 * 1024).enumerate() {
        let answer = part(&bench, "uid-1-abc", index as u64, bytes.to_vec()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()),
            (200, json!({ "message": "Chunk received" }))
        );
    }
    let body = json!({ "upload_id": "uid-1-abc", "filename": "a é.bin", "collection_id": collection.to_string(), "path_prefix": "x/y/" });
    let completed = complete(&bench, &body).await;
    assert!(
        completed.json()["message"]
            .as_str()
            .unwrap()
            .starts_with("Upload accepted, ")
    );
    let id = asset_of(&bench, &completed).await;
    let details = bench.get(&format!("/api/assets/{id}/preview")).await.json();
    assert_eq!(
        (&details["path"], &details["modified"]),
        (&json!("P/C/x/y/a é.bin"), &json!(null))
    );
    assert!(*bench.get(&format!("/api/assets/{id}")).await.bytes() == bytes);
}

#[tokio::test]
async fn parts_come_in_any_order_and_again() {
    let bench = Bench::new().await;
    let (_, collection) = bench.place("P", "C").await;
    let bytes = noise(2_000_000, 2);
    let pieces: Vec<&[u8]> = bytes.chunks(300_000).collect();
    for index in [3, 0, 5, 6, 1, 2, 4, 0, 3] {
        assert_eq!(
            part(&bench, "u", index as u64, pieces[index].to_vec())
                .await
                .status,
            200
        );
    }
    let open = bench.get("/api/uploads/u").await.json();
    assert_eq!(
        (&open["status"], &open["received_bytes"]),
        (&json!("receiving"), &json!(2_000_000))
    );
    assert_eq!(open["parts"][6], json!({ "index": 6, "size": 200_000 }));
    assert_eq!(
        bench.get("/api/uploads").await.json()["uploads"],
        json!([open])
    );
    assert_eq!(
        bench.get("/api/status").await.json()["uploads_unfinished"],
        1
    );
    let body = json!({
        "upload_id": "u", "filename": "a", "collection_id": collection, "total_size": 2_000_000, "parts": 7,
        "sha256": Digest::of(&bytes).to_string(), "modified": -1500, "executable": true,
    });
    let first = complete(&bench, &body).await;
    let id = asset_of(&bench, &first).await;
    let again = complete(&bench, &body).await;
    assert_eq!(
        (again.status.as_u16(), &again.json()["asset_id"]),
        (200, &json!(id))
    );
    let details = bench.get(&format!("/api/assets/{id}/preview")).await.json();
    assert_eq!(
        (&details["modified_unix_ms"], &details["executable"]),
        (&json!(-1500), &json!(true))
    );
    let mut other = body.clone();
    other["filename"] = json!("b");
    assert_eq!(
        complete(&bench, &other).await.outcome(),
        (409, "upload_complete".into())
    );
    assert_eq!(
        part(&bench, "u", 0, pieces[0].to_vec()).await.outcome(),
        (409, "upload_complete".into())
    );

    part(&bench, "v", 0, bytes).await;
    other["upload_id"] = json!("v");
    other["filename"] = json!("a");
    other["parts"] = json!(1);
    let same = complete(&bench, &other).await;
    assert_eq!(
        (
            same.json()["already_archived"].clone(),
            same.json()["asset_id"].clone()
        ),
        (json!(true), json!(id))
    );
    assert_eq!(bench.get("/api/uploads").await.json()["uploads"], json!([]));
}

#[tokio::test]
async fn what_differs_is_refused_and_can_be_made_good() {
    let bench = Bench::new().await;
    let (_, collection) = bench.place("P", "C").await;
    for index in [0, 1, 4] {
        part(&bench, "u", index, "abc").await;
    }
    let with = |extra: Value| {
        let mut body = json!({ "upload_id": "u", "filename": "a", "collection_id": collection });
        body.as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        body
    };
    let missing = complete(&bench, &with(json!({ "parts": 6 }))).await;
    assert_eq!(
        (missing.outcome(), &missing.json()["missing"]),
        ((409, "parts_missing".into()), &json!([2, 3, 5]))
    );
    let gap = complete(&bench, &with(json!({}))).await;
    assert_eq!(
        (gap.outcome(), &gap.json()["missing"]),
        ((409, "parts_missing".into()), &json!([2, 3]))
    );
    assert_eq!(
        part(&bench, "u", 1, "abd").await.outcome(),
        (409, "part_differs".into())
    );
    assert_eq!(
        part(&bench, "u", 1, "ab").await.outcome(),
        (409, "part_differs".into())
    );
    part(&bench, "u", 2, "d").await;
    part(&bench, "u", 3, "").await;
    let all = Digest::of(b"abcabcdabc");
    for (extra, outcome) in [
        (json!({ "parts": 4 }), (409, "parts_differ")),
        (json!({ "total_size": 11 }), (409, "size_differs")),
        (
            json!({ "sha256": Digest::EMPTY.to_string() }),
            (409, "digest_differs"),
        ),
        (json!({ "sha256": "abc" }), (400, "bad_sha256")),
        (json!({ "collection_id": 999 }), (404, "not_found")),
        (json!({ "collection_id": "x" }), (400, "bad_id")),
        (json!({ "collection_id": null }), (400, "bad_json")),
        (json!({ "filename": "a/b" }), (400, "name_invalid")),
        (json!({ "filename": "a\0b" }), (400, "name_invalid")),
        (json!({ "filename": ".." }), (400, "name_invalid")),
        (json!({ "filename": "" }), (400, "name_invalid")),
        (
            json!({ "filename": "x".repeat(5000) }),
            (400, "name_invalid"),
        ),
        (json!({ "filename": null }), (400, "name_invalid")),
        (json!({ "filename_base64": "!" }), (400, "name_invalid")),
        (json!({ "path_prefix": "../x/" }), (400, "name_invalid")),
        (
            json!({ "path_prefix": "a/".repeat(200) }),
            (400, "too_deep"),
        ),
        (json!({ "upload_id": "" }), (400, "bad_id")),
        (json!({ "upload_id": "x".repeat(201) }), (400, "bad_id")),
        (json!({ "parts": -1 }), (400, "bad_json")),
    ] {
        let answer = complete(&bench, &with(extra.clone())).await;
        assert_eq!(answer.outcome(), (outcome.0, outcome.1.into()), "{extra}");
    }
    let right = with(
        json!({ "parts": 5, "total_size": 10, "sha256": all.to_string().to_uppercase(), "path_prefix": "/s//t" }),
    );
    let id = asset_of(&bench, &complete(&bench, &right).await).await;
    assert_eq!(
        bench.get(&format!("/api/assets/{id}")).await.text(),
        "abcabcdabc"
    );
    assert_eq!(
        bench.get(&format!("/api/assets/{id}/preview")).await.json()["path"],
        "P/C/s/t/a"
    );
}

#[tokio::test]
async fn identifiers_never_reach_a_path() {
    let bench = Bench::new().await;
    let (_, collection) = bench.place("P", "C").await;
    let served = bench.vault_path().parent().unwrap().to_owned();
    for (index, id) in ["../../x", "/etc/x", "..", "a\0b", "é/\\:*?", "%2e%2e%2f"]
        .into_iter()
        .enumerate()
    {
        assert_eq!(
            part(&bench, id, 0, id.to_owned()).await.status,
            200,
            "{id:?}"
        );
        let encoded: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
        let open = bench.get(&format!("/api/uploads/{encoded}")).await;
        assert_eq!(
            (open.status.as_u16(), &open.json()["upload_id"]),
            (200, &json!(id))
        );
        let body =
            json!({ "upload_id": id, "filename": format!("{index}"), "collection_id": collection });
        assert_eq!(complete(&bench, &body).await.status, 200, "{id:?}");
    }
    let dir = bench.close().await;
    let names = |path: &std::path::Path| -> Vec<_> {
        std::fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    };
    assert_eq!(names(&served), ["default.vault"]);
    let mut around = names(dir.path());
    around.sort();
    assert_eq!(around, ["served", "state"]);
}

#[tokio::test]
async fn malformed_parts_are_refused() {
    let bench = Bench::new().await;
    for (query, code) in [
        ("", "bad_id"),
        ("upload_id=&chunk_index=0", "bad_id"),
        ("upload_id=u", "bad_chunk_index"),
        ("upload_id=u&chunk_index=-1", "bad_chunk_index"),
        ("upload_id=u&chunk_index=x", "bad_chunk_index"),
        ("upload_id=u&chunk_index=4194304", "too_many_parts"),
    ] {
        let answer = bench
            .send(
                Method::POST,
                &format!("/api/upload/chunk?{query}"),
                &[],
                "x",
            )
            .await;
        assert_eq!(answer.outcome(), (400, code.into()), "{query}");
    }
    let long = part(&bench, &"x".repeat(201), 0, "x").await;
    assert_eq!(long.outcome(), (400, "bad_id".into()));
    let unknown = bench.get("/api/uploads/u").await;
    assert_eq!(unknown.outcome(), (404, "unknown_upload".into()));
    assert_eq!(
        bench.get("/api/uploads/%FF").await.outcome(),
        (404, "not_found".into())
    );
}

#[tokio::test]
async fn too_large_is_refused_before_and_while_reading() {
    let bench = Bench::new().await;
    let unread = Body::from_stream(futures_util::stream::poll_fn(
        |_| -> std::task::Poll<Option<std::io::Result<Bytes>>> {
            panic!("the body must not be read")
        },
    ));
    let path = "/api/upload/chunk?upload_id=u&chunk_index=0";
    let announced = bench
        .send(
            Method::POST,
            path,
            &[("content-length", "67108865")],
            unread,
        )
        .await;
    assert_eq!(announced.outcome(), (413, "part_too_large".into()));
    let piece = Bytes::from(vec![0; 1024 * 1024]);
    let endless = Body::from_stream(futures_util::stream::repeat_with(move || {
        Ok::<_, std::io::Error>(piece.clone())
    }));
    assert_eq!(
        part(&bench, "u", 0, endless).await.outcome(),
        (413, "part_too_large".into())
    );
    assert_eq!(bench.get("/api/uploads/u").await.status, 404);
}

#[tokio::test]
async fn a_body_that_ends_early_leaves_nothing() {
    let bench = Bench::new().await;
    for bytes in [10, 5_000_000] {
        let frames = [
            Ok(Bytes::from(vec![1; bytes])),
            Err(std::io::Error::other("gone")),
        ];
        let broken = Body::from_stream(futures_util::stream::iter(frames));
        assert_eq!(
            part(&bench, "u", 0, broken).await.outcome(),
            (400, "body_incomplete".into())
        );
    }
    let path = "/api/upload/chunk?upload_id=u&chunk_index=0";
    let short = bench
        .send(Method::POST, path, &[("content-length", "10")], "short")
        .await;
    assert_eq!(short.outcome(), (400, "body_incomplete".into()));
    for _ in 0..100 {
        if bench.get("/api/uploads/u").await.status == 404 {
            return;
        }
        // The part is taken back on a thread of its own.
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("something of the part was kept");
}

#[tokio::test]
async fn an_upload_goes_on_after_a_restart() {
    let bench = Bench::new().await;
    let (_, collection) = bench.place("P", "C").await;
    part(&bench, "u", 0, "one").await;
    part(&bench, "u", 1, "two").await;
    let done =
        json!({ "upload_id": "done", "filename": "d", "collection_id": collection, "parts": 0 });
    let empty = asset_of(&bench, &complete(&bench, &done).await).await;
    let bench = Bench::on(bench.close().await, |_| ()).await;
    let open = bench.get("/api/uploads/u").await.json();
    assert_eq!(
        open["parts"],
        json!([{ "index": 0, "size": 3 }, { "index": 1, "size": 3 }])
    );
    let ended = bench.get("/api/uploads/done").await.json();
    assert_eq!(
        (&ended["status"], &ended["asset_id"]),
        (&json!("sealed"), &json!(empty))
    );
    part(&bench, "u", 2, "three").await;
    let body = json!({ "upload_id": "u", "filename_base64": "Y2Fm6Q==", "collection_id": collection, "parts": 3 });
    let id = asset_of(&bench, &complete(&bench, &body).await).await;
    assert_eq!(
        bench.get(&format!("/api/assets/{id}")).await.text(),
        "onetwothree"
    );
    let details = bench.get(&format!("/api/assets/{id}/preview")).await.json();
    assert_eq!(
        (&details["filename"], &details["filename_base64"]),
        (&json!("caf\u{FFFD}"), &json!("Y2Fm6Q=="))
    );
}

#[tokio::test]
async fn unfinished_uploads_are_what_the_report_names() {
    let bench = Bench::new().await;
    part(&bench, "u", 0, "x").await;
    let report = bench
        .server
        .close(std::time::Duration::from_secs(5))
        .await
        .unwrap();
    assert_eq!((report.uploads_unfinished, report.uploads_queued), (1, 0));
}

#[tokio::test]
async fn forty_at_once_are_all_sealed() {
    let bench = Bench::new().await;
    let (_, collection) = bench.place("P", "C").await;
    let uploads = (0..40_u64).map(|i| {
        let bench = &bench;
        async move {
            let id = format!("u{i}");
            let bytes = noise(usize::try_from(i).unwrap() * 20_000 + 1, i);
            assert_eq!(part(bench, &id, 0, bytes).await.status, 200);
            let body = json!({ "upload_id": id, "filename": id, "collection_id": collection, "path_prefix": "same/folder/" });
            asset_of(bench, &complete(bench, &body).await).await
        }
    });
    let mut ids = futures_util::future::join_all(uploads).await;
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 40);
    let collection = bench
        .get(&format!("/api/collections/{collection}"))
        .await
        .json();
    assert_eq!(collection["collections"], 1);
}
