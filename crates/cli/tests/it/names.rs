//! Odd but good names: archived and brought back exact, shown without harm.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::symlink;

use super::harness::{Place, assert_same_tree, tree, write};

fn odd() -> Vec<OsString> {
    let mut names: Vec<OsString> = [
        "'quotes' \"double\" `ticks`",
        "<img src=x onerror=alert(1)>&amp;",
        "two\nlines",
        "tab\tand\u{1b}[31mred",
        "\u{202e}gpj.exe",
        "עברית العربية",
        "-rf",
        "--to",
        "back\\slash",
        " spaces ",
        "trailing.",
        "CON",
        "a:b*c?d|e",
        "…",
        "e\u{301}",
        "\u{e9}",
        "123",
        "#7",
        "$(reboot);",
        "%00%2f",
    ]
    .iter()
    .map(OsString::from)
    .collect();
    names.push(OsString::from_vec(b"not \xff\xfe UTF-8".to_vec()));
    names.push(OsString::from_vec(vec![0xc3]));
    names.push("x".repeat(255).into());
    names.push("é".repeat(127).into());
    names
}

#[test]
fn odd_names_come_back_exact() {
    let place = Place::with_vault();
    let source = place.path("source");
    for name in odd() {
        write(source.join("files").join(&name), name.as_bytes());
        fs::create_dir_all(source.join("folders").join(&name)).expect("a folder");
        fs::create_dir_all(source.join("links")).expect("a folder");
        symlink(&name, source.join("links").join(&name)).expect("a link");
    }
    place.run(["add", "--to", "P", "source"]).expect_code(0);
    place.verify_clean();
    place.run(["export", "--out", "out"]).expect_code(0);
    assert_same_tree(&source, &place.path("out/P/source"));

    for (number, name) in odd().into_iter().enumerate() {
        let path = [b"P/source/files/", name.as_bytes()].concat();
        let copy = format!("copy-{number}");
        let args = ["get", "-o", &copy, "--"].map(OsString::from);
        place
            .run(args.into_iter().chain([OsString::from_vec(path)]))
            .expect_code(0);
        assert_eq!(
            fs::read(place.path(copy)).expect("it is there"),
            name.as_bytes()
        );
    }
    // Into a pipe names go as they are.
    let listed = place.run(["ls", "P/source/files"]);
    for name in odd() {
        let line = [name.as_bytes(), b"\n"].concat();
        assert!(
            listed.stdout.windows(line.len()).any(|at| at == line),
            "{}",
            name.display()
        );
    }
}

#[test]
fn odd_projects_and_collections_work_too() {
    let place = Place::with_vault();
    write(place.path("f"), "f");
    for name in odd() {
        let to = [name.as_bytes(), b"/", name.as_bytes()].concat();
        let args = [
            OsString::from("add"),
            OsString::from_vec([b"--to=", to.as_slice()].concat()),
            "f".into(),
        ];
        place.run(args).expect_code(0);
    }
    let status = place.run(["--json", "status"]).json();
    assert_eq!(status["projects"], odd().len());
    place.verify_clean();
}

#[test]
fn names_without_utf8_are_exact_in_json() {
    let place = Place::with_vault();
    fs::write(place.path(OsStr::from_bytes(b"\xff")), "x").expect("a file");
    place
        .run([
            OsStr::new("add"),
            OsStr::new("--to"),
            OsStr::new("P/C"),
            OsStr::from_bytes(b"\xff"),
        ])
        .expect_code(0);
    let listed = place.run(["--json", "ls", "P/C"]).json();
    assert_eq!(listed["entries"][0]["name"], "\u{fffd}");
    assert_eq!(listed["entries"][0]["name_base64"], "/w==");
}

#[test]
fn a_file_a_folder_and_a_link_may_share_a_name() {
    let place = Place::with_vault();
    let outside = place.aside("outside");
    fs::create_dir(&outside).expect("a folder");
    symlink(&outside, place.path("same")).expect("a link");
    place.run(["add", "--to", "P/C", "same"]).expect_code(0);
    fs::remove_file(place.path("same")).expect("it is there");
    write(place.path("same"), "the file");
    place.run(["add", "--to", "P/C", "same"]).expect_code(0);
    fs::remove_file(place.path("same")).expect("it is there");
    write(place.path("same/inner"), "in the folder");
    place.run(["add", "--to", "P/C", "same"]).expect_code(0);

    let exported = place.run(["export", "P/C", "--out", "out"]);
    exported.expect_code(0);
    assert_eq!(
        exported.text().matches("renamed").count(),
        2,
        "{exported:?}"
    );
    // Nothing was written through the link.
    assert!(tree(&outside).is_empty());
    let read = |name: &str| fs::read_to_string(place.path("out").join(name));
    assert_eq!(
        read("same/inner").expect("the folder kept its name"),
        "in the folder"
    );
    assert_eq!(read("same (2)").expect("the file moved"), "the file");
    assert_eq!(
        fs::read_link(place.path("out/same (3)")).expect("the link moved"),
        outside
    );
    // The collection does not hide the file.
    let got = place.run(["get", "P/C/same", "-o", "-"]);
    assert_eq!(got.expect_code(0).text(), "the file");
}

#[test]
fn what_cannot_be_a_name_is_refused() {
    let place = Place::with_vault();
    write(place.path("f"), "f");
    let long = "y".repeat(5000);
    for to in ["", "/", "P/..", "./P", &format!("P/{long}")] {
        let refused = place.run(["add", "--to", to, "f"]);
        refused.expect_code(2);
    }
    let mut command = place.command(["add", "--to", "P/C", "--name", "a/b", "-"]);
    command.stdin(std::process::Stdio::null());
    let output = command.output().expect("the program starts");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(place.run(["ls"]).text(), "");
}
