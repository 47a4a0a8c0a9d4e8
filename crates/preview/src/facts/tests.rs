//! What files tell about themselves, held against files whose every byte is known.

use super::*;

/// The facts of some bytes.
fn of(bytes: Vec<u8>, media_type: &str) -> Result<Map<String, Value>, Failure> {
    let length = bytes.len() as u64;
    let (content, files) = crate::Content::from_bytes(bytes);
    let request = crate::Request {
        job: "facts".into(),
        parameters: Value::Null,
        length,
        filename: String::new(),
        media_type: media_type.into(),
    };
    let output = gather(&mut Work {
        request,
        content,
        files,
    })?;
    Ok(output.header["facts"]
        .as_object()
        .cloned()
        .unwrap_or_default())
}

#[test]
fn texts_are_one_short_line_and_numbers_are_numbers() {
    let mut facts = Facts::default();
    facts.text("title", "  a\n\tb\u{0}c ");
    facts.text("artist", &"é".repeat(500));
    facts.text("comment", " \n ");
    facts.number("width", 12_u32);
    facts.number("width", 13_u32);
    facts.number("aperture", 2.8_f64);
    facts.number("iso", f64::NAN);
    assert_eq!(facts.get("title"), Some(&json!("a b c")));
    assert_eq!(facts.get("artist"), Some(&json!("é".repeat(TEXT_MAX))));
    assert_eq!(facts.get("comment"), None);
    assert_eq!(facts.get("width"), Some(&json!(12)));
    assert_eq!(facts.get("aperture"), Some(&json!(2.8)));
    assert_eq!(facts.get("iso"), None);
    for key in 0..100 {
        facts.number(&key.to_string(), key);
    }
    assert_eq!(facts.0.len(), KEYS_MAX);
}

/// A Vorbis comment block: texts with their length before them, as little-endian numbers.
fn vorbis_comment(tags: &[&str]) -> Vec<u8> {
    let length = |text: &str| u32::try_from(text.len()).unwrap().to_le_bytes();
    let mut block = length("maker").to_vec();
    block.extend(b"maker");
    block.extend(u32::try_from(tags.len()).unwrap().to_le_bytes());
    for tag in tags {
        block.extend(length(tag));
        block.extend(tag.as_bytes());
    }
    block
}

/// The remainder of a polynomial division, as RFC 9639 checks its frames.
fn crc(bytes: &[u8], bits: u32, polynomial: u32) -> u32 {
    bytes.iter().fold(0, |sum, byte| {
        let mixed = sum ^ u32::from(*byte) << (bits - 8);
        (0..8).fold(mixed, |sum, _| {
            let divided = sum << 1
                ^ if sum >> (bits - 1) & 1 == 1 {
                    polynomial
                } else {
                    0
                };
            divided & ((1 << bits) - 1)
        })
    })
}

/// A frame of 4,096 silent samples in two channels of 24 bits: constant subframes.
fn silent_frame() -> Vec<u8> {
    let mut frame = vec![0xff, 0xf8, 0xc0, 0x10, 0x00];
    frame.push(crc(&frame, 8, 0x07).to_le_bytes()[0]);
    frame.extend([0; 8]);
    let sum = crc(&frame, 16, 0x8005);
    frame.extend(&sum.to_be_bytes()[2..]);
    frame
}

/// RFC 9639: the marker, STREAMINFO, the comments, and the first frame.
fn flac(rate: u64, bits: u64, samples: u64, tags: &[&str]) -> Vec<u8> {
    let comment = vorbis_comment(tags);
    let mut file = b"fLaC\x00\x00\x00\x22".to_vec();
    file.extend(b"\x10\x00\x10\x00\x00\x00\x00\x00\x00\x00");
    // 20 bits of rate, 3 of channels less one, 5 of depth less one, 36 of samples.
    let packed = rate << 44 | 1 << 41 | (bits - 1) << 36 | samples;
    file.extend(packed.to_be_bytes());
    file.extend([0; 16]);
    file.push(0x84);
    file.extend(&u32::try_from(comment.len()).unwrap().to_be_bytes()[1..]);
    file.extend(comment);
    file.extend(silent_frame());
    file
}

/// An ID3v2.4 tag and some silent frames of MPEG-1 layer III, 128 kbit/s, 44.1 kHz, stereo.
fn mp3(frames: usize, tags: &[(&str, &str)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (id, text) in tags {
        body.extend(id.as_bytes());
        body.extend(u32::try_from(text.len() + 1).unwrap().to_be_bytes());
        body.extend([0, 0, 3]);
        body.extend(text.as_bytes());
    }
    assert!(body.len() < 128, "one byte of size is written");
    let mut file = b"ID3\x04\x00\x00\x00\x00\x00".to_vec();
    file.push(u8::try_from(body.len()).unwrap());
    file.extend(body);
    let mut frame = vec![0; 417];
    frame[..4].copy_from_slice(b"\xff\xfb\x90\x00");
    file.extend(frame.repeat(frames));
    file
}

#[test]
fn a_flac_file_tells_its_sound_and_its_tags() {
    let tags = [
        "TITLE=Aria",
        "ARTIST=Jo\u{e3}o",
        "ALBUM=Goldberg",
        "DATE=1982-05-01",
        "TRACKNUMBER=3",
        "GENRE=Baroque",
    ];
    let facts = of(flac(48_000, 24, 96_000, &tags), "audio/flac").unwrap();
    let told = json!({
        "title": "Aria", "artist": "Jo\u{e3}o", "album": "Goldberg", "genre": "Baroque", "year": 1982, "track": 3,
        "sample_rate": 48000, "channels": 2, "bit_depth": 24, "duration": 2,
    });
    for (key, value) in told.as_object().unwrap() {
        assert_eq!(facts.get(key), Some(value), "{key} in {facts:?}");
    }
}

#[test]
fn an_mp3_file_tells_its_sound_and_its_tags() {
    let tags = [
        ("TIT2", "Aria"),
        ("TPE1", "Jo\u{e3}o"),
        ("TDRC", "1982"),
        ("TRCK", "3/32"),
    ];
    let facts = of(mp3(77, &tags), "audio/mpeg").unwrap();
    for (key, value) in [
        ("title", json!("Aria")),
        ("artist", json!("Jo\u{e3}o")),
        ("year", json!(1982)),
        ("track", json!(3)),
        ("sample_rate", json!(44_100)),
        ("channels", json!(2)),
    ] {
        assert_eq!(facts.get(key), Some(&value), "{key} in {facts:?}");
    }
    // 77 frames of 1,152 samples.
    let seconds = facts["duration"].as_f64().unwrap();
    assert!((seconds - 2.011).abs() < 0.06, "{seconds}");
}
