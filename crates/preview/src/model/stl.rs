//! STL: triangles without an order, as text or as 50 bytes each. Normals in the file are often wrong, and so are not used.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};

use super::TEXT_BYTES_MAX;
use super::mesh::{Bench, Mesh, Shading};
use crate::job::Failure;

/// The header and the number of triangles.
const HEAD_BYTES: u64 = 84;
const TRIANGLE_BYTES: usize = 50;
/// Bytes of a line of text; a number has twenty.
const LINE_BYTES_MAX: u64 = 4096;
/// Triangles between two looks at the clock.
const LOOK: u64 = 4096;

/// Reads an STL file.
pub(super) fn read(content: &mut (impl Read + Seek)) -> Result<Mesh, Failure> {
    let size = content.seek(SeekFrom::End(0))?;
    content.seek(SeekFrom::Start(0))?;
    let mut head = Vec::new();
    content.by_ref().take(1024).read_to_end(&mut head)?;
    let count = head
        .get(80..84)
        .map(|bytes| u64::from(u32::from_le_bytes(bytes.try_into().expect("four bytes"))));
    let is_exact = count.is_some_and(|count| HEAD_BYTES + count * TRIANGLE_BYTES as u64 == size);
    // Some programs begin binary files with `solid` as well.
    let word = head.trim_ascii_start().get(..5).unwrap_or_default();
    let is_text = word.eq_ignore_ascii_case(b"solid") && !is_exact && is_readable(&head);
    let mut soup = Soup::new();
    match count {
        Some(count) if !is_text => {
            content.seek(SeekFrom::Start(HEAD_BYTES))?;
            binary(content, count, size, &mut soup)?;
        }
        _ if is_text => {
            if size > TEXT_BYTES_MAX {
                soup.bench
                    .lacks("the file is longer than 1 GiB; what is in its first GiB is shown");
            }
            content.seek(SeekFrom::Start(0))?;
            text(&mut content.take(TEXT_BYTES_MAX), &mut soup)?;
        }
        _ => {
            return Err(Failure::malformed(
                "an STL file has at least 84 bytes; this one was cut off",
            ));
        }
    }
    Ok(soup.bench.finish(Shading::Smooth))
}

fn is_readable(head: &[u8]) -> bool {
    head.iter()
        .all(|&byte| byte >= b' ' || byte.is_ascii_whitespace())
}

/// Triangles that share positions by their bits.
struct Soup {
    bench: Bench,
    known: HashMap<[u32; 3], u32>,
}

impl Soup {
    fn new() -> Self {
        Self {
            bench: Bench::new(),
            known: HashMap::new(),
        }
    }

    /// Adds one; `false` when no more are wanted.
    fn add(&mut self, corners: [[f32; 3]; 3]) -> bool {
        let indices = corners.map(|position| {
            // -0 and 0 are one place.
            let key = position.map(|x| (x + 0.0).to_bits());
            let next = u32::try_from(self.bench.positions()).expect("positions are bounded");
            *self.known.entry(key).or_insert_with(|| {
                self.bench.position(position);
                next
            })
        });
        self.bench.triangle(indices, [None; 3]);
        !self.bench.is_full()
    }
}

fn binary(content: &mut impl Read, count: u64, size: u64, soup: &mut Soup) -> Result<(), Failure> {
    let held = size.saturating_sub(HEAD_BYTES) / TRIANGLE_BYTES as u64;
    if held < count {
        soup.bench.lacks(format!(
            "the file says it has {count} triangles, and ends after {held}"
        ));
    }
    let mut reader = BufReader::with_capacity(256 * 1024, content);
    for number in 0..count.min(held) {
        let mut record = [0; TRIANGLE_BYTES];
        reader.read_exact(&mut record)?;
        let coordinate =
            |at: usize| f32::from_le_bytes(record[at..at + 4].try_into().expect("four bytes"));
        let corner = |at: usize| [coordinate(at), coordinate(at + 4), coordinate(at + 8)];
        let goes_on = soup.add([corner(12), corner(24), corner(36)]);
        if !goes_on || number % LOOK == LOOK - 1 && !soup.bench.has_time() {
            break;
        }
    }
    Ok(())
}

fn text(content: &mut impl Read, soup: &mut Soup) -> Result<(), Failure> {
    let mut reader = BufReader::with_capacity(256 * 1024, content);
    let mut line = Vec::new();
    let mut corners = Vec::with_capacity(3);
    let mut read = 0_u64;
    let mut has_end = false;
    loop {
        line.clear();
        if reader
            .by_ref()
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line)?
            == 0
        {
            break;
        }
        let text = String::from_utf8_lossy(&line);
        let mut words = text.split_ascii_whitespace();
        let word = words.next().unwrap_or_default();
        let is = |wanted: &str| word.eq_ignore_ascii_case(wanted);
        if is("vertex") {
            let mut coordinate = || {
                words
                    .next()
                    .and_then(|word| word.parse().ok())
                    .unwrap_or(f32::NAN)
            };
            corners.push([coordinate(), coordinate(), coordinate()]);
        } else if is("facet") || is("outer") || is("endloop") {
            corners.clear();
            has_end = false;
        } else if is("endsolid") {
            has_end = true;
        }
        if let [a, b, c] = corners[..] {
            corners.clear();
            if !soup.add([a, b, c]) {
                return Ok(());
            }
        }
        read += 1;
        if read.is_multiple_of(LOOK) && !soup.bench.has_time() {
            return Ok(());
        }
    }
    if !corners.is_empty() {
        soup.bench
            .lacks("the file ends in the middle of a triangle");
    } else if !has_end {
        soup.bench
            .lacks("the file ends without saying so, as one that was cut off");
    }
    Ok(())
}
