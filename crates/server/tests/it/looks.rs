//! Thumbnails and facts as a client sees them: made of real files, kept, told again, and refused with a reason. Bombs and
//! broken files hurt nobody: the next request is answered.

use std::fmt::Write as _;
use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use serde_json::{Value, json};

use crate::bench::{Answer, Bench, File};

async fn with(files: Vec<(&str, Vec<u8>)>) -> (Bench, Vec<String>) {
    let bench = Bench::new().await;
    let (_, collection) = bench.place("P", "C").await;
    let files = files.into_iter();
    let files = files
        .map(|(name, bytes)| File::new(collection, name, bytes))
        .collect();
    let ids = bench.seal(files).await;
    let paths = ids.iter().map(|id| format!("/api/assets/{id}")).collect();
    (bench, paths)
}

async fn thumbnail(bench: &Bench, path: &str, size: u32) -> Answer {
    bench.get(&format!("{path}/thumbnail?size={size}")).await
}

/// The decoded picture of an answer.
fn picture(answer: &Answer) -> RgbaImage {
    assert_eq!(answer.status, 200, "{}", answer.text());
    image::load_from_memory(answer.bytes())
        .expect("a picture")
        .into_rgba8()
}

fn photo(width: u32, height: u32) -> DynamicImage {
    let shade = |at: u32, of: u32| u8::try_from(at * 255 / of).unwrap();
    let pixel = |x, y| Rgb([shade(x, width), shade(y, height), 90]);
    DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, pixel))
}

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A JPEG whose camera was held upright: orientation 6, from a Canon, at f/2.8.
fn turned_jpeg() -> Vec<u8> {
    let mut tiff = b"II*\0\x08\0\0\0\x03\0".to_vec();
    tiff.extend(b"\x0f\x01\x02\0\x06\0\0\0\x32\0\0\0"); // Make, 6 bytes at 50
    tiff.extend(b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"); // Orientation
    tiff.extend(b"\x69\x87\x04\0\x01\0\0\0\x38\0\0\0"); // More of it at 56
    tiff.extend(b"\0\0\0\0Canon\0\x01\0");
    tiff.extend(b"\x9d\x82\x05\0\x01\0\0\0\x4a\0\0\0"); // FNumber at 74
    tiff.extend(b"\0\0\0\0\x1c\0\0\0\x0a\0\0\0");
    let jpeg = encoded(&photo(400, 200), ImageFormat::Jpeg);
    let mut bytes = jpeg[..2].to_vec();
    bytes.extend(b"\xff\xe1");
    bytes.extend(u16::try_from(tiff.len() + 8).unwrap().to_be_bytes());
    bytes.extend(b"Exif\0\0");
    bytes.extend(tiff);
    bytes.extend(&jpeg[2..]);
    bytes
}

/// A second of a tone, 8,000 times a second, 16 bits, with a title.
fn wav() -> Vec<u8> {
    let samples = (0..8000_i32).flat_map(|i| {
        let loud = if i < 4000 { 20_000 } else { 2000 };
        ((i % 20 - 10) * loud / 10).to_le_bytes()[..2].to_vec()
    });
    let data: Vec<u8> = samples.collect();
    let info = b"INFOINAM\x06\0\0\0Glass\0";
    let mut bytes =
        b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0LIST"
            .to_vec();
    bytes.extend(u32::try_from(info.len()).unwrap().to_le_bytes());
    bytes.extend(info);
    bytes.extend(b"data");
    bytes.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
    bytes.extend(data);
    let length = u32::try_from(bytes.len() - 8).unwrap();
    bytes[4..8].copy_from_slice(&length.to_le_bytes());
    bytes
}

/// One page of 200 by 400 points, red above and white below, with its cross-reference table.
fn pdf() -> Vec<u8> {
    let objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 400]/Contents 4 0 R/Resources<<>>>>",
        "<</Length 34>>stream\n1 0 0 rg 0 200 200 200 re f       \nendstream",
        "<</Title(Ice)/Author(Ann)>>",
    ];
    let mut file = "%PDF-1.4\n".to_owned();
    let mut table = "0000000000 65535 f \n".to_owned();
    for (number, object) in (1..).zip(objects) {
        writeln!(table, "{:010} 00000 n ", file.len()).unwrap();
        writeln!(file, "{number} 0 obj{object}endobj").unwrap();
    }
    let start = file.len();
    let trailer = "trailer<</Root 1 0 R/Info 5 0 R/Size 6>>";
    write!(
        file,
        "xref\n0 6\n{table}{trailer}\nstartxref\n{start}\n%%EOF\n"
    )
    .unwrap();
    file.into_bytes()
}

const SVG: &[u8] = b"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"20\" height=\"10\">\
    <rect width=\"10\" height=\"10\" fill=\"#00f\"/></svg>";

#[tokio::test]
async fn pictures_of_every_raster_format_are_small_and_right() {
    let formats = [
        ("a.png", ImageFormat::Png),
        ("a.jpg", ImageFormat::Jpeg),
        ("a.gif", ImageFormat::Gif),
        ("a.webp", ImageFormat::WebP),
        ("a.bmp", ImageFormat::Bmp),
        ("a.tiff", ImageFormat::Tiff),
        ("a.ppm", ImageFormat::Pnm),
        ("a.qoi", ImageFormat::Qoi),
        ("a.tga", ImageFormat::Tga),
    ];
    let photo = photo(600, 300);
    let files = formats.map(|(name, format)| (name, encoded(&photo, format)));
    let (bench, paths) = with(files.into()).await;
    for ((name, _), path) in formats.iter().zip(&paths) {
        let small = picture(&thumbnail(&bench, path, 256).await);
        assert_eq!(small.dimensions(), (256, 128), "{name}");
        let [red, green, blue, alpha] = small.get_pixel(200, 32).0;
        let near = |value: u8, expected: u8| value.abs_diff(expected) < 40;
        assert!(
            near(red, 199) && near(green, 63) && near(blue, 90) && alpha == 255,
            "{name}"
        );
        let facts = bench.get(&format!("{path}/facts")).await.json();
        assert_eq!(
            (&facts["facts"]["width"], &facts["state"]),
            (&json!(600), &json!("known")),
            "{name}"
        );
        assert_eq!(facts["ends_early"], false, "{name}");
    }
}

#[tokio::test]
async fn a_picture_that_was_cut_short_is_told() {
    let whole = encoded(&photo(600, 300), ImageFormat::Png);
    let cut = whole[..whole.len() / 2].to_vec();
    let (bench, paths) = with(vec![("whole.png", whole), ("cut.png", cut)]).await;
    for (path, ends_early) in paths.iter().zip([false, true]) {
        let facts = bench.get(&format!("{path}/facts")).await.json();
        assert_eq!(facts["ends_early"], ends_early, "{path}");
    }
}

#[tokio::test]
async fn a_thumbnail_can_be_kept_for_ever_and_is_made_once() {
    let (bench, paths) = with(vec![("a.jpg", turned_jpeg())]).await;
    let answer = thumbnail(&bench, &paths[0], 256).await;
    // Turned as the camera was held.
    assert_eq!(picture(&answer).dimensions(), (128, 256));
    assert_eq!(
        answer.header("cache-control"),
        "private, max-age=31536000, immutable"
    );
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert!(
        answer
            .header("content-security-policy")
            .starts_with("sandbox; ")
    );
    let etag = answer.header("etag").to_owned();
    let path = format!("{}/thumbnail?size=256", paths[0]);
    let known = bench.get_with(&path, &[("if-none-match", &etag)]).await;
    assert_eq!((known.status.as_u16(), known.bytes().len()), (304, 0));
    assert_ne!(thumbnail(&bench, &paths[0], 512).await.header("etag"), etag);
    let again = thumbnail(&bench, &paths[0], 256).await;
    assert_eq!(again.bytes(), answer.bytes());
    let facts = bench.get(&format!("{}/facts", paths[0])).await.json();
    let told = |key: &str| facts["facts"][key].clone();
    assert_eq!((told("width"), told("height")), (json!(200), json!(400)));
    assert_eq!(
        (told("camera"), told("aperture")),
        (json!("Canon"), json!(2.8))
    );
}

#[tokio::test]
async fn what_is_kept_is_believed_only_if_it_is_whole() {
    let (bench, paths) = with(vec![("a.png", encoded(&photo(300, 300), ImageFormat::Png))]).await;
    let first = thumbnail(&bench, &paths[0], 256).await;
    let folder = bench.state_dir().join("previews");
    let mut kept: Vec<_> = std::fs::read_dir(&folder).unwrap().flatten().collect();
    let kept = std::fs::read_dir(kept.remove(0).path())
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let mut bytes = std::fs::read(kept.path()).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(kept.path(), &bytes).unwrap();
    assert_eq!(
        thumbnail(&bench, &paths[0], 256).await.bytes(),
        first.bytes()
    );
    assert_ne!(std::fs::read(kept.path()).unwrap(), bytes);
}

#[tokio::test]
async fn transparent_stays_transparent_and_small_stays_small() {
    let mut icon = RgbaImage::from_pixel(16, 16, Rgba([0, 0, 0, 0]));
    icon.put_pixel(3, 3, Rgba([255, 0, 0, 255]));
    let icon = encoded(&DynamicImage::ImageRgba8(icon), ImageFormat::Png);
    let (bench, paths) = with(vec![("a.png", icon), ("a.svg", SVG.to_vec())]).await;
    let answer = thumbnail(&bench, &paths[0], 256).await;
    assert_eq!(answer.header("content-type"), "image/png");
    let small = picture(&answer);
    assert_eq!(
        (small.dimensions(), small.get_pixel(0, 0)[3]),
        ((16, 16), 0)
    );
    assert_eq!(*small.get_pixel(3, 3), Rgba([255, 0, 0, 255]));
    // A drawing has no pixels that could be too few.
    let drawn = picture(&thumbnail(&bench, &paths[1], 256).await);
    assert_eq!(drawn.dimensions(), (256, 128));
    assert_eq!(
        (drawn.get_pixel(20, 60).0, drawn.get_pixel(200, 60)[3]),
        ([0, 0, 255, 255], 0)
    );
}

#[tokio::test]
async fn sound_text_and_documents_can_be_seen() {
    let text = b"fn main() {\n    println!(\"hello\");\n}\n".repeat(20);
    let files = vec![("a.wav", wav()), ("a.rs", text), ("a.pdf", pdf())];
    let (bench, paths) = with(files).await;
    let wave = picture(&thumbnail(&bench, &paths[0], 256).await);
    assert_eq!(wave.dimensions(), (256, 128));
    // Loud in its first half, quiet in its second.
    assert_eq!(
        (wave.get_pixel(40, 20)[3], wave.get_pixel(200, 20)[3]),
        (255, 0)
    );
    let lines = picture(&thumbnail(&bench, &paths[1], 512).await);
    assert_eq!(lines.dimensions(), (384, 512));
    assert!(lines.pixels().filter(|pixel| pixel[0] < 128).count() > 500);
    let page = picture(&thumbnail(&bench, &paths[2], 512).await);
    assert_eq!(page.dimensions(), (256, 512));
    let (above, below) = (page.get_pixel(128, 100).0, page.get_pixel(128, 400).0);
    assert_eq!((above, below), ([255, 0, 0, 255], [255; 4]));
    let facts = bench.get(&format!("{}/facts", paths[0])).await.json();
    assert_eq!(facts["facts"]["duration"], json!(1));
    assert_eq!(facts["facts"]["sample_rate"], json!(8000));
    let facts = bench.get(&format!("{}/facts", paths[2])).await.json();
    assert_eq!(facts["facts"]["pages"], json!(1));
    assert_eq!(
        (&facts["facts"]["title"], &facts["facts"]["author"]),
        (&json!("Ice"), &json!("Ann"))
    );
    let none = bench.get(&format!("{}/facts", paths[1])).await.json();
    assert_eq!(
        none,
        json!({ "facts": {}, "state": "none", "ends_early": false })
    );
}

#[tokio::test]
async fn lists_tell_where_a_thumbnail_can_be_expected() {
    let files = vec![
        ("a.png", encoded(&photo(3, 3), ImageFormat::Png)),
        ("b.bin", vec![0; 9]),
        ("c.txt", Vec::new()),
        ("d.txt", b"x".to_vec()),
    ];
    let (bench, paths) = with(files).await;
    let found = bench.get("/api/search").await.json();
    let expected: Vec<_> = found["assets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| a["thumbnail"].clone())
        .collect();
    assert_eq!(
        expected,
        [json!(true), json!(false), json!(false), json!(true)]
    );
    for (path, word) in [
        (&paths[1], "application/octet-stream"),
        (&paths[2], "empty"),
    ] {
        let answer = thumbnail(&bench, path, 256).await;
        assert_eq!(answer.outcome(), (404, "no_thumbnail".into()));
        assert!(answer.text().contains(word), "{}", answer.text());
    }
    assert_eq!(
        thumbnail(&bench, &paths[0], 300).await.outcome(),
        (400, "bad_size".into())
    );
    let nothing = thumbnail(&bench, "/api/assets/99", 256).await;
    assert_eq!(nothing.outcome(), (404, "not_found".into()));
}

/// A PNG of a size that only its header has.
fn png_claiming(width: u32, height: u32) -> Vec<u8> {
    let chunk = |kind: &[u8], data: &[u8]| {
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        let sum = crc32fast::hash(&[kind, data].concat()).to_be_bytes();
        [&length, kind, data, &sum].concat()
    };
    let header = [
        &width.to_be_bytes()[..],
        &height.to_be_bytes(),
        &[8, 2, 0, 0, 0],
    ]
    .concat();
    // Compressed nothing.
    let data = b"x\x9c\x03\0\0\0\0\x01";
    [
        &b"\x89PNG\r\n\x1a\n"[..],
        &chunk(b"IHDR", &header),
        &chunk(b"IDAT", data),
        &chunk(b"IEND", b""),
    ]
    .concat()
}

#[tokio::test]
async fn bombs_and_broken_files_hurt_nobody() {
    let mut laughs = "<!DOCTYPE svg [<!ENTITY a \"lol\">".to_owned();
    for (entity, of) in ('b'..'l').zip('a'..) {
        let ten = format!("&{of};").repeat(10);
        write!(laughs, "<!ENTITY {entity} \"{ten}\">").unwrap();
    }
    laughs += "]><svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\"><text>&k;</text></svg>";
    let itself = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\"><use id=\"u\" href=\"#u\"/></svg>";
    let deep = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\">".to_owned()
        + &"<g>".repeat(200_000);
    let outside = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\"><image href=\"/etc/passwd\" width=\"9\" height=\"9\"/><image href=\"http://127.0.0.1:9/x.png\" width=\"9\" height=\"9\"/></svg>";
    let font = [&b"\0\x01\0\0\0\x09\0\x80\0\x03\0\x10"[..], &[0xff; 4000]].concat();
    let jpeg = encoded(&photo(300, 300), ImageFormat::Jpeg);
    let png = encoded(&photo(300, 300), ImageFormat::Png);
    let files = vec![
        ("bomb.png", png_claiming(60_000, 60_000)),
        ("huge.png", png_claiming(u32::MAX >> 1, u32::MAX >> 1)),
        ("none.png", png_claiming(100, 100)),
        ("cut.png", png[..png.len() / 2].to_vec()),
        ("cut.jpg", jpeg[..100].to_vec()),
        ("laughs.svg", laughs.into_bytes()),
        ("deep.svg", deep.into_bytes()),
        ("garbage.ttf", font),
        ("cut.wav", wav()[..30].to_vec()),
        ("cut.pdf", pdf()[..60].to_vec()),
        ("itself.svg", itself.as_bytes().to_vec()),
        ("outside.svg", outside.as_bytes().to_vec()),
        ("last.png", png),
    ];
    let count = files.len();
    let (bench, paths) = with(files).await;
    for path in &paths[..count - 3] {
        let answer = thumbnail(&bench, path, 256).await;
        assert_eq!(answer.outcome(), (404, "no_thumbnail".into()), "{path}");
        // Remembered, and told again in the same words.
        assert_eq!(thumbnail(&bench, path, 256).await.text(), answer.text());
        let facts = bench.get(&format!("{path}/facts")).await;
        assert_eq!(facts.status, 200, "{path}");
    }
    for path in &paths[count - 3..count - 1] {
        // Nothing of it can be drawn, and so nothing is: an empty picture, or none.
        let answer = thumbnail(&bench, path, 256).await;
        assert!(
            matches!(answer.status.as_u16(), 200 | 404),
            "{}",
            answer.text()
        );
        if answer.status == 200 {
            assert!(picture(&answer).pixels().all(|pixel| pixel[3] == 0));
        }
    }
    picture(&thumbnail(&bench, &paths[count - 1], 256).await);
}

#[tokio::test]
async fn facts_are_gathered_in_the_background_and_survive_a_restart() {
    let (bench, paths) = with(vec![("a.wav", wav()), ("b.txt", b"x".to_vec())]).await;
    let dir = bench.state_dir();
    let kept = loop {
        let found = std::fs::read_dir(&dir).unwrap().flatten();
        let mut files =
            found.filter(|item| item.file_name().to_string_lossy().starts_with("facts-"));
        let text = files
            .next()
            .map(|file| std::fs::read_to_string(file.path()).unwrap());
        if let Some(text) = text.filter(|text| text.contains("\"upto\"")) {
            break text;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert!(kept.contains("\"sample_rate\":8000"), "{kept}");
    let told = bench.get(&format!("{}/facts", paths[0])).await.json();
    let again = Bench::on(bench.close().await, |options| options.preview_worker = None).await;
    let same: Value = again.get(&format!("{}/facts", paths[0])).await.json();
    assert_eq!(same, told);
    // Without a worker nothing new is made, and the answer says so.
    let off = thumbnail(&again, &paths[0], 256).await;
    assert_eq!(off.status, 404);
}

#[tokio::test]
async fn facts_are_found_by_what_they_are() {
    let wide = encoded(&photo(600, 300), ImageFormat::Png);
    let files = vec![
        ("a.png", wide),
        ("b.jpg", turned_jpeg()),
        ("c.wav", wav()),
        ("d.pdf", pdf()),
    ];
    let (bench, paths) = with(files).await;
    for path in &paths {
        assert_eq!(
            bench.get(&format!("{path}/facts")).await.json()["state"],
            "known"
        );
    }
    for (query, expected) in [
        ("width:%3E500", vec!["a.png"]),
        ("width:..200", vec!["b.jpg"]),
        ("camera:canon", vec!["b.jpg"]),
        ("-camera:canon%20type:image", vec!["a.png"]),
        ("sample_rate:8000%20duration:%3C2", vec!["c.wav"]),
        ("author:ann%20pages:1", vec!["d.pdf"]),
        ("artist:bach", vec![]),
    ] {
        let found = bench.get(&format!("/api/search?q={query}")).await.json();
        let names = found["assets"].as_array().unwrap().iter();
        let names: Vec<_> = names
            .map(|asset| asset["filename"].as_str().unwrap())
            .collect();
        assert_eq!(names, expected, "{query}: {}", found["read"]);
    }
}
