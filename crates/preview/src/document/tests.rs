//! What Markdown becomes, and that hostile Markdown becomes nothing else.

use std::io::Cursor;

use serde_json::{Value, json};

use super::{BYTES_MAX, Node, TAGS, is_sound, read};

fn document(text: &str) -> Value {
    let document = serde_json::to_value(read(Cursor::new(text)).unwrap()).unwrap();
    assert!(is_sound(&document), "{document}");
    document
}

fn nodes(text: &str) -> Value {
    let document = document(text);
    assert_eq!(document["complete"], true, "{document}");
    document["nodes"].clone()
}

#[test]
fn what_people_write() {
    assert_eq!(
        nodes("# Ti*t*le\n\nsome `code` and\nmore  \nhere\n\n---"),
        json!([
            ["h1", {}, ["Ti", ["em", {}, ["t"]], "le"]],
            [
                "p",
                {},
                [
                    "some ",
                    ["code", {}, ["code"]],
                    " and\nmore",
                    ["br", {}, []],
                    "here"
                ]
            ],
            ["hr", {}, []],
        ])
    );
    assert_eq!(
        nodes("3. a\n4. b\n\n- [x] done\n- [ ] ~~not~~"),
        json!([
            ["ol", {"start": 3}, [["li", {}, ["a"]], ["li", {}, ["b"]]]],
            ["ul", {}, [
                ["li", {}, [["input", {"checked": true}, []], "done"]],
                ["li", {}, [["input", {"checked": false}, []], ["del", {}, ["not"]]]],
            ]],
        ])
    );
    assert_eq!(
        nodes("| a | b |\n|:-:|---|\n| **1** | 2 |"),
        json!([["table", {}, [
            ["thead", {}, [["tr", {}, [["th", {"align": "center"}, ["a"]], ["th", {}, ["b"]]]]]],
            ["tbody", {}, [["tr", {}, [["td", {"align": "center"}, [["strong", {}, ["1"]]]], ["td", {}, ["2"]]]]]],
        ]]])
    );
    assert_eq!(
        nodes("```rust,ignore\nfn f() {}\n```\n\n    plain\n\n> quote"),
        json!([
            ["pre", {}, [["code", {"class": "language-rust"}, ["fn f() {}\n"]]]],
            ["pre", {}, [["code", {}, ["plain\n"]]]],
            ["blockquote", {}, [["p", {}, ["quote"]]]],
        ])
    );
    assert_eq!(
        nodes("---\ntitle: x\n---\ntext"),
        json!([
            ["pre", {}, [["code", {"class": "language-yaml"}, ["title: x\n"]]]],
            ["p", {}, ["text"]],
        ])
    );
}

#[test]
fn html_is_text_and_addresses_lead_where_they_may() {
    assert_eq!(
        nodes("<script>alert(1)</script>\n\na <b onclick=x>b</b>"),
        json!([
            ["p", {}, ["<script>alert(1)</script>\n"]],
            ["p", {}, ["a <b onclick=x>b</b>"]],
        ])
    );
    assert_eq!(
        nodes("[a](https://x.y/z) [b](#part) <mailto:a@b.c>"),
        json!([["p", {}, [
            ["a", {"href": "https://x.y/z"}, ["a"]], " ",
            ["a", {"href": "#part"}, ["b"]], " ",
            ["a", {"href": "mailto:a@b.c"}, ["mailto:a@b.c"]],
        ]]])
    );
    for address in [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "//evil.example/",
        "/api/projects",
        "../x",
        "vbscript:x",
        "<java\tscript:x>",
        "&#106;avascript:x",
        "file:///etc/passwd",
    ] {
        let text = nodes(&format!("[a]({address})")).to_string();
        assert!(!text.contains("href"), "{address}: {text}");
    }
    assert_eq!(
        nodes("![a *cat*](https://x.y/cat.png) ![](https://x.y/dog.png)"),
        json!([["p", {}, ["a ", ["em", {}, ["cat"]], " dog.png"]]])
    );
}

#[test]
fn other_json_is_not_taken_for_a_document() {
    for nodes in [
        json!(null),
        json!([1]),
        json!([["script", {}, []]]),
        json!([["p", {"onclick": "x"}, []]]),
        json!([["a", {"href": "javascript:x"}, []]]),
        json!([["p", {"href": "https://x.y"}, []]]),
        json!([["p", {}, [["p", {}, [["iframe", {}, []]]]]]]),
        json!([["p", {}]]),
    ] {
        assert!(!is_sound(&json!({ "nodes": nodes })), "{nodes}");
    }
    assert!(!is_sound(&json!([])));
}

fn depth(nodes: &[Node]) -> usize {
    let of = |node: &Node| match node {
        Node::Text(_) => 1,
        Node::Element { tag, children, .. } => {
            assert!(TAGS.contains(tag), "{tag}");
            1 + depth(children)
        }
    };
    nodes.iter().map(of).max().unwrap_or(0)
}

#[test]
fn depth_and_length_end_somewhere() {
    let n = 100_000;
    for text in [
        ">".repeat(n),
        "> ".repeat(n),
        "- ".repeat(n),
        "1. ".repeat(n),
        "> - ".repeat(n),
        format!("{}x", "[".repeat(n)),
        format!("{}x{}", "[".repeat(n), "](x)".repeat(n)),
        "*a **b ".repeat(n / 4),
        "*_".repeat(n),
        "`".repeat(n),
        "<".repeat(n),
        "![".repeat(n),
        "&#x".repeat(n),
        "|".repeat(n),
        format!(
            "|{}\n|{}\n{}",
            "a|".repeat(1000),
            "-|".repeat(1000),
            "|x\n".repeat(2000)
        ),
        "a\n\n".repeat(n),
        (0..1000)
            .map(|i| format!("{}- a\n", "  ".repeat(i)))
            .collect::<Vec<_>>()
            .concat(),
        "~~".repeat(n),
        "[a]: b\n".repeat(n / 4) + &"[a]".repeat(n / 4),
    ] {
        let document = read(Cursor::new(&text)).unwrap();
        assert!(depth(&document.nodes) <= 50, "{}", &text[..20]);
        serde_json::to_vec(&document).unwrap();
    }
    let long = "word ".repeat(usize::try_from(BYTES_MAX).unwrap() / 5 + 1);
    let document = document(&long);
    assert_eq!(document["complete"], false);
    assert!(document["message"].as_str().unwrap().contains("2 MiB"));
    // A rule is no nesting, and a long list is none either.
    nodes(&format!("{}\n\n{}", "-".repeat(500), "* * * ".repeat(50)));
}

#[test]
fn what_is_no_text_becomes_replacement_characters() {
    let read = |bytes: &[u8]| read(Cursor::new(bytes.to_vec())).unwrap().nodes;
    let text = |text: &str| {
        vec![Node::Element {
            tag: "p",
            attributes: Vec::new(),
            children: vec![Node::Text(text.into())],
        }]
    };
    assert_eq!(read(b"\xEF\xBB\xBFa\xFF"), text("a\u{FFFD}"));
    assert_eq!(read(b"\xFF\xFEa\0\xE9\0"), text("aé"));
    assert_eq!(read(b"\xFE\xFF\0a"), text("a"));
    assert_eq!(read(b""), Vec::new());
}
