//! Wavefront OBJ: points, normals and faces by number, and the colours of its materials from the MTL file beside it.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};

use super::mesh::{Bench, Mesh, Shading};
use super::{PLAIN, SIBLINGS_MAX, Siblings, TEXT_BYTES_MAX, sibling_name};
use crate::job::Failure;

/// Bytes of a line; a face of a thousand corners fits.
const LINE_BYTES_MAX: u64 = 64 * 1024;
/// Materials that are known at once.
const MATERIALS_MAX: usize = 10_000;
/// Lines between two looks at the clock.
const LOOK: u64 = 4096;
/// Bytes at the beginning in which materials are named.
const LIBRARIES_BYTES_MAX: u64 = 64 * 1024;
const MTL_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The MTL files that an OBJ names at its beginning.
fn sibling_names(content: &mut (impl Read + Seek)) -> Result<Vec<String>, Failure> {
    content.seek(SeekFrom::Start(0))?;
    let mut names = Vec::new();
    let mut lines = Lines::new(content.by_ref().take(LIBRARIES_BYTES_MAX));
    while let Some(line) = lines.next()? {
        if let Some(("mtllib", rest)) = line.trim().split_once(char::is_whitespace) {
            // One name with spaces, as most write it, or several.
            let rest = rest.trim();
            let several = rest.split_ascii_whitespace();
            names.extend(
                std::iter::once(rest)
                    .chain(several)
                    .filter_map(sibling_name),
            );
        }
    }
    names.dedup();
    names.truncate(SIBLINGS_MAX);
    Ok(names)
}

/// Reads an OBJ file.
pub(super) fn read(
    content: &mut (impl Read + Seek),
    siblings: &mut Siblings<'_>,
) -> Result<Mesh, Failure> {
    let mut materials = HashMap::new();
    for name in sibling_names(content)? {
        if let Some(bytes) = siblings(&name) {
            read_materials(&bytes, &mut materials)?;
        }
    }
    let mut bench = Bench::new();
    if content.seek(SeekFrom::End(0))? > TEXT_BYTES_MAX {
        bench.lacks("the file is longer than 1 GiB; what is in its first GiB is shown");
    }
    content.seek(SeekFrom::Start(0))?;
    let mut lines = Lines::new(content.take(TEXT_BYTES_MAX));
    let mut corners = Vec::new();
    let mut number = 0_u64;
    while let Some(line) = lines.next()? {
        number += 1;
        if number.is_multiple_of(LOOK) && !bench.has_time() || bench.is_full() {
            break;
        }
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("v") if bench.position(vector(&mut words)) => {}
            Some("v") => bench.lacks("the model has more points than can be shown"),
            Some("vn") => {
                bench.normal(vector(&mut words));
            }
            Some("usemtl") => {
                let name = line.trim().get("usemtl".len()..).unwrap_or_default().trim();
                bench.colour(materials.get(name).copied().unwrap_or(PLAIN));
            }
            Some("f") => {
                corners.clear();
                corners.extend(words.map(|word| corner(word, &bench)));
                face(&corners, &mut bench);
            }
            _ => {}
        }
    }
    if lines.has_cut {
        bench.lacks("some lines are longer than 64 KiB and were not read to their end");
    }
    Ok(bench.finish(Shading::Smooth))
}

/// A polygon as a fan of triangles.
fn face(corners: &[(u32, Option<u32>)], bench: &mut Bench) {
    if corners.len() < 3 {
        bench.lacks("some faces have fewer than three corners, and are left out");
        return;
    }
    let first = corners[0];
    for pair in corners[1..].windows(2) {
        let triangle = [first, pair[0], pair[1]];
        bench.triangle(
            triangle.map(|corner| corner.0),
            triangle.map(|corner| corner.1),
        );
        if bench.is_full() {
            return;
        }
    }
}

/// `position/texture/normal`: from 1, or back from the end. What is out of range becomes an index that is nowhere.
fn corner(word: &str, bench: &Bench) -> (u32, Option<u32>) {
    let mut fields = word.split('/');
    let position = fields
        .next()
        .and_then(|field| index(field, bench.positions()));
    let normal = fields
        .nth(1)
        .and_then(|field| index(field, bench.normals()));
    (position.unwrap_or(u32::MAX), normal)
}

fn index(field: &str, count: usize) -> Option<u32> {
    let number: i64 = field.parse().ok()?;
    let index = if number < 0 {
        i64::try_from(count).ok()?.checked_add(number)?
    } else {
        number - 1
    };
    u32::try_from(index)
        .ok()
        .filter(|index| (*index as usize) < count)
}

fn vector<'a>(words: &mut impl Iterator<Item = &'a str>) -> [f32; 3] {
    let mut next = || {
        words
            .next()
            .and_then(|word| word.parse().ok())
            .unwrap_or(f32::NAN)
    };
    [next(), next(), next()]
}

fn read_materials(bytes: &[u8], materials: &mut HashMap<String, [f32; 4]>) -> Result<(), Failure> {
    let mut lines = Lines::new(bytes.take(MTL_BYTES_MAX));
    let mut current: Option<String> = None;
    while let Some(line) = lines.next()? {
        let Some((key, value)) = line.trim().split_once(char::is_whitespace) else {
            continue;
        };
        let mut numbers = value
            .split_ascii_whitespace()
            .map(|word| word.parse::<f32>().ok());
        if key == "newmtl" {
            let name = value.trim().to_owned();
            let has_room = materials.len() < MATERIALS_MAX;
            current = has_room.then(|| {
                materials.insert(name.clone(), PLAIN);
                name
            });
            continue;
        }
        let Some(colour) = current.as_ref().and_then(|name| materials.get_mut(name)) else {
            continue;
        };
        match key {
            "Kd" => {
                if let (Some(Some(r)), Some(Some(g)), Some(Some(b))) =
                    (numbers.next(), numbers.next(), numbers.next())
                {
                    [colour[0], colour[1], colour[2]] = [r, g, b];
                }
            }
            "d" => colour[3] = numbers.next().flatten().unwrap_or(1.0),
            "Tr" => colour[3] = 1.0 - numbers.next().flatten().unwrap_or(0.0),
            _ => {}
        }
    }
    Ok(())
}

/// Lines as text, joined where they end with a backslash, each to a bound.
struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
    has_cut: bool,
}

impl<R: Read> Lines<R> {
    fn new(content: R) -> Self {
        Self {
            reader: BufReader::with_capacity(256 * 1024, content),
            line: Vec::new(),
            has_cut: false,
        }
    }

    fn next(&mut self) -> Result<Option<String>, Failure> {
        self.line.clear();
        loop {
            let room = LINE_BYTES_MAX.saturating_sub(self.line.len() as u64);
            let read = self
                .reader
                .by_ref()
                .take(room)
                .read_until(b'\n', &mut self.line)?;
            if read == 0 && self.line.is_empty() {
                return Ok(None);
            }
            if self.line.ends_with(b"\n") {
                let text = self.line.trim_ascii_end();
                if let Some(stem) = text.strip_suffix(b"\\") {
                    let keep = stem.len();
                    self.line.truncate(keep);
                    self.line.push(b' ');
                    continue;
                }
            } else if read > 0 || room == 0 {
                // Too long, or the last of the file.
                if self.line.len() as u64 >= LINE_BYTES_MAX {
                    self.has_cut = true;
                    self.pass_line()?;
                }
            }
            return Ok(Some(String::from_utf8_lossy(&self.line).into_owned()));
        }
    }

    /// Passes over what is left of a line.
    fn pass_line(&mut self) -> Result<(), Failure> {
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok(());
            }
            if let Some(at) = buffer.iter().position(|&byte| byte == b'\n') {
                self.reader.consume(at + 1);
                return Ok(());
            }
            let bytes = buffer.len();
            self.reader.consume(bytes);
        }
    }
}
