//! Looking into content: windows of texts and tables, members of archives, documents, models; by the real processes that
//! decode, and with what people should never have made.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::bench::{Bench, File, noise};

/// A server with these files in one collection; their addresses.
async fn with_files(files: &[(&str, &[u8])]) -> (Bench, Vec<String>) {
    let bench = Bench::new().await;
    let (_, collection) = bench.place("P", "C").await;
    let files = files
        .iter()
        .map(|(name, bytes)| File::new(collection, *name, *bytes));
    let ids = bench.seal(files.collect()).await;
    let paths = ids.into_iter().map(|id| format!("/api/assets/{id}"));
    (bench, paths.collect())
}

async fn with_file(name: &str, bytes: &[u8]) -> (Bench, String) {
    let (bench, mut paths) = with_files(&[(name, bytes)]).await;
    (bench, paths.remove(0))
}

#[tokio::test]
async fn a_window_into_a_long_text_is_what_stands_there() {
    let text: String = (0..100_000).fold(String::new(), |mut text, at| {
        writeln!(text, "let x{at} = \"é😀 {at}\";").unwrap();
        text
    });
    let (bench, path) = with_file("a.rs", text.as_bytes()).await;
    let window = bench
        .get(&format!("{path}/text?line=99998&lines=500"))
        .await
        .json();
    let texts: Vec<_> = window["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| &line["text"])
        .collect();
    assert_eq!(
        texts,
        ["let x99998 = \"é😀 99998\";", "let x99999 = \"é😀 99999\";"]
    );
    assert_eq!(
        (
            &window["total_lines"],
            &window["complete"],
            &window["encoding"],
            &window["language"]
        ),
        (
            &json!(100_000),
            &json!(true),
            &json!("UTF-8"),
            &json!("Rust")
        )
    );
    assert_eq!(window["bytes"], text.len());
    // On a busy machine there may be no time for colours; whoever asks again gets them.
    let mut painted = window;
    while painted["lines"][0]["highlight"] == json!([]) {
        let again = format!("{path}/text?line=99998");
        painted = bench.get(&again).await.json();
    }
    let spans = painted["lines"][0]["highlight"].as_array().unwrap();
    assert!(spans.contains(&json!([13, 24, "string"])), "{spans:?}");
    let first = bench.get(&format!("{path}/text")).await.json();
    assert_eq!(first["lines"].as_array().unwrap().len(), 500);
    let past = bench.get(&format!("{path}/text?line=100000")).await.json();
    assert_eq!(past["lines"], json!([]));
    for (query, code) in [
        ("lines=0", "bad_limit"),
        ("line=-1", "bad_line"),
        ("line=x", "bad_line"),
    ] {
        let refused = bench.get(&format!("{path}/text?{query}")).await;
        assert_eq!(refused.outcome(), (400, code.into()));
    }
}

#[tokio::test]
async fn texts_are_searched_from_where_one_is() {
    let (bench, path) = with_file("a.txt", "One\r\ntwo é one\nnone\n".repeat(100).as_bytes()).await;
    let found = bench
        .get(&format!("{path}/text/search?query=ONE&limit=3"))
        .await
        .json();
    assert_eq!(
        found,
        json!({
            "hits": [
                {"line": 0, "start": 0, "end": 3},
                {"line": 1, "start": 6, "end": 9},
                {"line": 2, "start": 1, "end": 4},
            ],
            "next_line": 3,
        })
    );
    let on = bench
        .get(&format!("{path}/text/search?query=One&case=1&line=3"))
        .await
        .json();
    assert_eq!(
        (on["hits"].as_array().unwrap().len(), &on["next_line"]),
        (99, &json!(null))
    );
    for query in ["", "query=", "query=a%0Ab"] {
        let refused = bench.get(&format!("{path}/text/search?{query}")).await;
        assert_eq!(refused.outcome(), (400, "bad_query".into()));
    }
}

#[tokio::test]
async fn what_is_not_text_is_said_to_be_none() {
    let noise = noise(300_000, 9);
    let (bench, paths) = with_files(&[
        ("a.txt", &noise),
        ("a.png", b"\x89PNG\r\n\x1a\n\0\0\0\r"),
        ("empty.txt", b""),
    ])
    .await;
    for path in &paths[..2] {
        for tail in ["text", "text/search?query=x", "table"] {
            let answer = bench.get(&format!("{path}/{tail}")).await;
            assert_eq!(answer.outcome(), (422, "not_text".into()), "{tail}");
        }
    }
    let empty = bench.get(&format!("{}/text", paths[2])).await.json();
    assert_eq!(
        (&empty["total_lines"], &empty["lines"]),
        (&json!(0), &json!([]))
    );
    let unknown = bench.get("/api/assets/99999/text").await;
    assert_eq!(unknown.outcome(), (404, "not_found".into()));
}

#[tokio::test]
async fn older_encodings_and_lines_without_end() {
    let latin: Vec<u8> = "caf\u{e9} cr\u{e8}me br\u{fb}l\u{e9}e \u{e0} la carte\n"
        .repeat(20)
        .chars()
        .map(|c| c as u8)
        .collect();
    let wide: Vec<u8> = "Grüße\r\nzwei"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let long = "x".repeat(5_000_000);
    let (bench, paths) = with_files(&[
        ("a.txt", &latin),
        ("b.txt", &wide),
        ("c.js", long.as_bytes()),
    ])
    .await;
    let window = |at: usize| {
        bench.get(Box::leak(
            format!("{}/text?lines=2", paths[at]).into_boxed_str(),
        ))
    };
    let latin = window(0).await.json();
    assert_eq!(
        (&latin["encoding"], &latin["lines"][0]["text"]),
        (
            &json!("windows-1252"),
            &json!("café crème brûlée à la carte")
        )
    );
    let wide = window(1).await.json();
    assert_eq!(
        (&wide["encoding"], &wide["lines"][0]["text"]),
        (&json!("UTF-16LE"), &json!("Grüße"))
    );
    let long = window(2).await.json();
    assert_eq!(long["lines"][0]["text"].as_str().unwrap().len(), 4096);
    assert_eq!(
        (&long["lines"][0]["cut"], &long["total_lines"]),
        (&json!(true), &json!(1))
    );
}

#[tokio::test]
async fn tables_come_by_rows() {
    let csv: String = (0..3000).fold("id;name\n".to_owned(), |mut csv, at| {
        writeln!(csv, "{at};\"n {at}\"").unwrap();
        csv
    });
    let (bench, path) = with_file("a.csv", csv.as_bytes()).await;
    let window = bench.get(&format!("{path}/table?row=2998")).await.json();
    assert_eq!(
        window,
        json!({
            "header": ["id", "name"],
            "rows": [["2998", "n 2998"], ["2999", "n 2999"]],
            "row": 2998, "total_rows": 3000, "columns": 2, "delimiter": ";",
        })
    );
    // A quote that never ends is one cell, which is cut.
    let (bench, path) = with_file(
        "b.tsv",
        format!("a\tb\n\"{}", "x\t\n".repeat(1_000_000)).as_bytes(),
    )
    .await;
    let window = bench.get(&format!("{path}/table")).await.json();
    assert_eq!(
        (&window["total_rows"], &window["delimiter"]),
        (&json!(1), &json!("\t"))
    );
}

/// A ZIP with one member whose name is hostile and which claims to be huge.
fn zip() -> Vec<u8> {
    let name = "../<img src=x>\u{202e}gpj";
    let length = u16::try_from(name.len()).unwrap().to_le_bytes();
    let mut out =
        b"PK\x01\x02\x14\x03\x14\0\0\x08\x08\0\0\0\0\0\0\0\0\0\x01\0\0\0\xfe\xff\xff\xff".to_vec();
    out.extend_from_slice(&length);
    out.extend_from_slice(&[0; 16]);
    out.extend_from_slice(name.as_bytes());
    let directory = u32::try_from(out.len()).unwrap();
    out.extend_from_slice(b"PK\x05\x06\0\0\0\0\xff\xff\x01\0");
    out.extend_from_slice(&directory.to_le_bytes());
    out.extend_from_slice(&[0; 6]);
    out
}

#[tokio::test]
async fn members_are_listed_and_nothing_is_unpacked() {
    let (bench, paths) = with_files(&[
        ("a.zip", &zip()),
        ("b.tar", &noise(5000, 3)),
        ("c.zip", b"PK\x03\x04"),
    ])
    .await;
    let members = bench.get(&format!("{}/members", paths[0])).await.json();
    assert_eq!(
        members,
        json!({
            "format": "zip", "total": 1, "bytes": 4_294_967_294_u64, "complete": true,
            "members": [{
                "path": "../<img src=x>\u{202e}gpj", "kind": "file", "size": 4_294_967_294_u64,
                "packed": 1, "modified_unix_ms": null,
            }],
        })
    );
    let past = bench
        .get(&format!("{}/members?offset=1&limit=5", paths[0]))
        .await
        .json();
    assert_eq!((&past["members"], &past["total"]), (&json!([]), &json!(1)));
    let none = bench.get(&format!("{}/members", paths[1])).await;
    assert_eq!(none.outcome(), (422, "unsupported".into()));
    let cut = bench.get(&format!("{}/members", paths[2])).await.json();
    assert_eq!(
        (&cut["complete"], &cut["total"]),
        (&json!(false), &json!(0))
    );
}

#[tokio::test]
async fn documents_hold_nothing_that_acts() {
    let text =
        "# T\n\n<script>x</script>\n\n[a](javascript:x) ![alt](https://evil.example/x.png)\n";
    let (bench, paths) = with_files(&[
        ("a.md", text.as_bytes()),
        ("b.md", ">".repeat(100_000).as_bytes()),
    ])
    .await;
    let document = bench.get(&format!("{}/document", paths[0])).await.json();
    assert_eq!(
        document,
        json!({"complete": true, "nodes": [
            ["h1", {}, ["T"]],
            ["p", {}, ["<script>x</script>\n"]],
            ["p", {}, [["a", {}, ["a"]], " alt"]],
        ]})
    );
    let deep = bench.get(&format!("{}/document", paths[1])).await.json();
    assert_eq!(deep["complete"], false);
}

fn gltf(uri: &str) -> Vec<u8> {
    json!({
        "asset": {"version": "2.0"},
        "nodes": [{"mesh": 0, "translation": [1, 0, 0]}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}],
        "bufferViews": [{"buffer": 0, "byteLength": 36}],
        "buffers": [{"byteLength": 36, "uri": uri}],
    })
    .to_string()
    .into_bytes()
}

fn header(bytes: &[u8]) -> Value {
    assert_eq!(&bytes[..4], b"CVM1");
    let length = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
    serde_json::from_slice(&bytes[8..8 + length]).unwrap()
}

#[tokio::test]
async fn models_find_their_buffers_beside_them() {
    let points = [0.0_f32, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0];
    let buffer: Vec<u8> = points.iter().flat_map(|x| x.to_le_bytes()).collect();
    let stl = b"solid\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\n";
    let (bench, paths) = with_files(&[
        ("a.gltf", &gltf("my%20scene.bin")),
        ("my scene.bin", &buffer),
        ("b.gltf", &gltf("missing.bin")),
        ("c.gltf", &gltf("https://evil.example/x.bin")),
        ("d.stl", stl),
        (
            "e.glb",
            b"glTF\x02\0\0\0\xff\xff\xff\xff\xff\xff\xff\xffJSON",
        ),
        ("f.txt", b"x"),
    ])
    .await;
    let model = bench.get(&format!("{}/model", paths[0])).await;
    assert_eq!(
        model.header("content-type"),
        "application/vnd.compactvault.mesh"
    );
    assert_eq!(
        model.header("content-length"),
        model.bytes().len().to_string()
    );
    let facts = header(model.bytes());
    assert_eq!(
        (&facts["triangles"], &facts["complete"]),
        (&json!(1), &json!(true))
    );
    assert_eq!(facts["bounds"], json!([1.0, 0.0, 0.0, 2.0, 1.0, 0.0]));
    for (at, code, says) in [
        (2, "malformed", "“missing.bin”"),
        (3, "malformed", "only files beside it"),
        (5, "malformed", "cut off"),
        (6, "unsupported", "glTF, GLB, OBJ and STL"),
    ] {
        let refused = bench.get(&format!("{}/model", paths[at])).await;
        assert_eq!(refused.outcome(), (422, code.into()));
        assert!(refused.text().contains(says), "{}", refused.text());
    }
    let stl = bench.get(&format!("{}/model", paths[4])).await;
    assert_eq!(header(stl.bytes())["vertices"], 3);
}
