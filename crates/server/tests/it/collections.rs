//! Collections anywhere in the tree, and their lists: paging, search, filter, order, versions.

use serde_json::{Value, json};

use crate::bench::{Bench, File};

fn names(page: &Value) -> Vec<&str> {
    page["assets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|asset| asset["filename"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn collections_hang_anywhere_in_their_project() {
    let bench = Bench::new().await;
    let (project, top) = bench.place("P", "top").await;
    let (other, _) = bench.place("Q", "elsewhere").await;
    // Scripts for the original send ids as text.
    let body =
        json!({ "project_id": project.to_string(), "name": "sub", "parent_id": top.to_string() });
    let sub = bench.post("/api/collections", &body).await;
    assert_eq!(
        (sub.status.as_u16(), &sub.json()["parent_id"]),
        (201, &json!(top))
    );
    assert_eq!(bench.post("/api/collections", &body).await.status, 200);
    let list = bench
        .get(&format!("/api/projects/{project}/collections"))
        .await
        .json();
    assert_eq!(list.as_array().unwrap().len(), 2);
    let one = bench.get(&format!("/api/collections/{top}")).await.json();
    assert_eq!(
        (&one["parent_id"], &one["collections"], &one["project_id"]),
        (&Value::Null, &json!(1), &json!(project))
    );
    let wrong = json!({ "project_id": other, "name": "x", "parent_id": top });
    assert_eq!(
        bench.post("/api/collections", &wrong).await.outcome(),
        (409, "parent_not_in_project".into())
    );
    for (body, outcome) in [
        (
            json!({ "project_id": 999, "name": "x" }),
            (404, "not_found"),
        ),
        (
            json!({ "project_id": project, "name": "x", "parent_id": 999 }),
            (404, "not_found"),
        ),
        (
            json!({ "project_id": top, "name": "x" }),
            (404, "not_found"),
        ),
        (
            json!({ "project_id": project, "name": "../x" }),
            (400, "name_invalid"),
        ),
        (json!({ "project_id": 0, "name": "x" }), (400, "bad_id")),
        (json!({ "name": "x" }), (400, "bad_json")),
    ] {
        assert_eq!(
            bench.post("/api/collections", &body).await.outcome(),
            (outcome.0, outcome.1.into()),
            "{body}"
        );
    }
    assert_eq!(
        bench.get("/api/collections/999").await.outcome(),
        (404, "not_found".into())
    );
    assert_eq!(
        bench.get("/api/collections/x").await.outcome(),
        (400, "bad_id".into())
    );
}

#[tokio::test]
async fn lists_are_paged_filtered_and_ordered() {
    let bench = Bench::new().await;
    let (project, collection) = bench.place("P", "C").await;
    let mut files: Vec<_> = (1..=12)
        .map(|i| File::new(collection, format!("img{i}.png"), png(i)))
        .collect();
    files.push(File::new(collection, "Notes.txt", "hello"));
    files.push(File {
        folders: &["sub"],
        ..File::new(collection, "deep.txt", "x")
    });
    bench.seal(files).await;
    let list = async |query: &str| {
        bench
            .get(&format!("/api/collections/{collection}/assets{query}"))
            .await
            .json()
    };

    let all = list("").await;
    assert_eq!((&all["total"], names(&all).len()), (&json!(13), 13));
    assert_eq!(all["counts"], json!({ "image": 12, "text": 1 }));
    assert_eq!(names(&all)[..3], ["img1.png", "img2.png", "img3.png"]);
    let page = list("?offset=2&limit=3&type=image").await;
    assert_eq!(
        (names(&page), &page["total"]),
        (vec!["img3.png", "img4.png", "img5.png"], &json!(12))
    );
    assert_eq!(page["counts"], json!({ "image": 12, "text": 1 }));
    assert_eq!(
        names(&list("?query=NOTES&limit=100000").await),
        ["Notes.txt"]
    );
    assert_eq!(
        names(&list("?sort=size&order=desc&limit=2").await),
        ["img12.png", "img11.png"]
    );
    let by_type = list("?sort=type").await;
    assert!(names(&by_type)[0] == "Notes.txt" || names(&by_type)[12] == "Notes.txt");
    assert_eq!(names(&list("?offset=99999").await), Vec::<&str>::new());
    let tagged = list("?tag=x").await;
    assert_eq!((names(&tagged).len(), &tagged["total"]), (0, &json!(0)));
    assert_eq!(names(&list("?tag=&query=&type=").await).len(), 13);
    for (query, code) in [
        ("limit=0", "bad_limit"),
        ("limit=-1", "bad_limit"),
        ("limit=x", "bad_limit"),
        ("offset=-1", "bad_offset"),
        ("sort=x", "bad_sort"),
        ("order=up", "bad_order"),
        ("type=text,fun", "bad_type"),
        ("versions=some", "bad_versions"),
    ] {
        let answer = bench
            .get(&format!("/api/collections/{collection}/assets?{query}"))
            .await;
        assert_eq!(answer.outcome(), (400, code.into()), "{query}");
    }
    assert_eq!(
        bench.get("/api/collections/999/assets").await.outcome(),
        (404, "not_found".into())
    );
    assert_eq!(
        bench
            .get("/api/collections/999/assets?tag=x")
            .await
            .outcome(),
        (404, "not_found".into())
    );
    let project = bench.get(&format!("/api/projects/{project}")).await.json();
    assert_eq!(
        (&project["assets"], &project["collections"]),
        (&json!(14), &json!(1))
    );
}

#[tokio::test]
async fn the_newest_version_is_listed_unless_all_are_asked_for() {
    let bench = Bench::new().await;
    let (_, collection) = bench.place("P", "C").await;
    let file = |text: &str| File::new(collection, "a.txt", text);
    let ids = bench
        .seal(vec![file("one"), file("two"), file("two")])
        .await;
    assert_eq!(ids[1], ids[2]);
    let newest = bench
        .get(&format!("/api/collections/{collection}/assets"))
        .await
        .json();
    assert_eq!(
        (&newest["total"], &newest["assets"][0]["id"]),
        (&json!(1), &json!(ids[1]))
    );
    assert_eq!(newest["assets"][0]["versions"], 2);
    let all = bench
        .get(&format!(
            "/api/collections/{collection}/assets?versions=all"
        ))
        .await
        .json();
    assert_eq!(all["total"], 2);
    let details = bench
        .get(&format!("/api/assets/{}/preview", ids[0]))
        .await
        .json();
    assert_eq!(details["version_ids"], json!([ids[1], ids[0]]));
    assert_eq!(details["content"], "one");
}

#[tokio::test]
async fn names_that_are_not_utf8_are_shown_and_exact() {
    let bench = Bench::new().await;
    let (_, collection) = bench.place("P", "C").await;
    bench
        .seal(vec![
            File::new(collection, &b"caf\xe9.txt"[..], "x"),
            File::new(collection, "<b>\"\n.txt", "y"),
        ])
        .await;
    let list = bench
        .get(&format!("/api/collections/{collection}/assets"))
        .await
        .json();
    let odd = list["assets"]
        .as_array()
        .unwrap()
        .iter()
        .find(|asset| asset["filename"] == "caf\u{FFFD}.txt")
        .unwrap();
    assert_eq!(odd["filename_base64"], "Y2Fm6S50eHQ=");
    assert!(names(&list).contains(&"<b>\"\n.txt"));
}

/// Enough of a picture to be taken for one, and larger the larger `i`.
fn png(i: usize) -> Vec<u8> {
    [&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], &vec![b'x'; i]].concat()
}
