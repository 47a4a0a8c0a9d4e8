//! glTF 2.0 and GLB: meshes of the scene with their nodes' transforms and their materials' base colours. Textures, skins
//! and animations are left out; a skinned mesh is shown as it was bound.

mod accessor;
mod schema;

use std::io::{Read, Seek, SeekFrom};

use base64::Engine as _;

use super::mesh::{Bench, Mesh, Shading};
use super::{PLAIN, SIBLINGS_BYTES_MAX, SIBLINGS_MAX, Siblings, VERTICES_MAX, sibling_name};
use crate::job::Failure;
use accessor::Source;
use schema::{Document, Primitive, Version};

/// Bytes of the JSON; geometry lies elsewhere.
const JSON_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Compressions that cannot be undone here, by the extension that names them.
const COMPRESSIONS: [(&str, &str); 3] = [
    ("KHR_draco_mesh_compression", "Draco"),
    ("EXT_meshopt_compression", "meshopt"),
    ("KHR_meshopt_compression", "meshopt"),
];

/// Where the parts of a file are.
struct Layout {
    json: Vec<u8>,
    /// Beginning and length of a GLB's binary chunk.
    binary: Option<(u64, u64)>,
    is_cut: bool,
}

/// Reads a scene.
pub(super) fn read(
    content: &mut (impl Read + Seek),
    is_binary: bool,
    siblings: &mut Siblings<'_>,
) -> Result<Mesh, Failure> {
    let layout = layout(content, is_binary)?;
    let document = document(&layout.json)?;
    let mut bench = Bench::new();
    if layout.is_cut {
        bench.lacks("the file was cut off; what is left of the model is shown");
    }
    let buffers = buffers(&document, layout.binary, siblings, &mut bench);
    let mut source = Source {
        content,
        document: &document,
        buffers,
    };
    let mut vertices_left = VERTICES_MAX;
    let mut walk = Walk::new(&document);
    while let Some((node, transform)) = walk.next(&document) {
        if bench.is_full() || !bench.has_time() {
            break;
        }
        let Some(mesh) = document.nodes[node]
            .mesh
            .and_then(|mesh| document.meshes.get(mesh))
        else {
            continue;
        };
        // A skinned mesh lies where its joints are; as it was bound, that is where its points are.
        let transform = if document.nodes[node].skin.is_some() {
            IDENTITY
        } else {
            transform
        };
        for primitive in &mesh.primitives {
            if let Err(why) = draw(
                primitive,
                &transform,
                &mut source,
                &mut bench,
                &mut vertices_left,
            ) {
                bench.lacks(why);
            }
        }
    }
    if walk.has_cycle {
        bench.lacks("a node of the model is in more than one place, and shown in one");
    }
    Ok(bench.finish(Shading::Flat))
}

/// Adds the triangles of one primitive.
fn draw<R: Read + Seek>(
    primitive: &Primitive,
    transform: &Matrix,
    source: &mut Source<'_, R>,
    bench: &mut Bench,
    vertices_left: &mut usize,
) -> Result<(), String> {
    for (extension, name) in &COMPRESSIONS[..1] {
        if primitive.extensions.contains_key(*extension) {
            return Err(compressed(name));
        }
    }
    let mode = primitive.mode.unwrap_or(4);
    if !(4..=6).contains(&mode) {
        return Err("points and lines of the model are not shown".into());
    }
    let Some(&positions) = primitive.attributes.get("POSITION") else {
        return Err("a part of the model has no positions".into());
    };
    let document = source.document;
    let count = document
        .accessors
        .get(positions)
        .map_or(0, |accessor| accessor.count);
    let indexed = primitive.indices.and_then(|at| document.accessors.get(at));
    let read = count.saturating_add(indexed.map_or(0, |accessor| accessor.count / 3));
    if read > *vertices_left {
        return Err("the model has more points than can be shown".into());
    }
    *vertices_left -= read;
    let points = source.floats(positions, 3)?;
    let normals = match primitive.attributes.get("NORMAL") {
        Some(&at) if document.accessors.get(at).is_some_and(|a| a.count == count) => {
            source.floats(at, 3)?
        }
        _ => Vec::new(),
    };
    let indices = match primitive.indices {
        Some(at) => source.indices(at)?,
        None => (0..u32::try_from(count).unwrap_or(u32::MAX)).collect(),
    };
    let mut colour = base_colour(document, primitive);
    let coloured = primitive.attributes.get("COLOR_0");
    if let Some(Ok(mean)) = coloured.map(|&at| source.mean_colour(at)) {
        for (part, mean) in colour.iter_mut().zip(mean) {
            *part *= mean;
        }
    }
    bench.colour([srgb(colour[0]), srgb(colour[1]), srgb(colour[2]), colour[3]]);
    let first_position = bench.positions();
    let first_normal = bench.normals();
    for point in points.chunks_exact(3) {
        bench.position(transform.point([point[0], point[1], point[2]]));
    }
    for normal in normals.chunks_exact(3) {
        bench.normal(transform.direction([normal[0], normal[1], normal[2]]));
    }
    let is_mirrored = transform.is_mirrored();
    let at = |first: usize, index: u32| u32::try_from(first + index as usize).unwrap_or(u32::MAX);
    for mut triangle in triangles(&indices, mode) {
        if is_mirrored {
            triangle.swap(1, 2);
        }
        // An index past this primitive's points must not reach another's.
        let is_inside = triangle.iter().all(|&index| (index as usize) < count);
        let positions = triangle.map(|index| {
            if is_inside {
                at(first_position, index)
            } else {
                u32::MAX
            }
        });
        let normals = triangle.map(|index| (!normals.is_empty()).then(|| at(first_normal, index)));
        bench.triangle(positions, normals);
        if bench.is_full() {
            break;
        }
    }
    Ok(())
}

/// Triangles of a list (4), a strip (5) or a fan (6).
fn triangles(indices: &[u32], mode: u32) -> Box<dyn Iterator<Item = [u32; 3]> + '_> {
    match mode {
        5 => Box::new(indices.windows(3).enumerate().map(|(number, at)| {
            if number % 2 == 0 {
                [at[0], at[1], at[2]]
            } else {
                [at[1], at[0], at[2]]
            }
        })),
        6 => Box::new(
            indices
                .get(1..)
                .unwrap_or_default()
                .windows(2)
                .map(|at| [indices[0], at[0], at[1]]),
        ),
        _ => Box::new(indices.chunks_exact(3).map(|at| [at[0], at[1], at[2]])),
    }
}

fn base_colour(document: &Document, primitive: &Primitive) -> [f32; 4] {
    let Some(material) = primitive.material.and_then(|at| document.materials.get(at)) else {
        // The default material is white, which hides the shape.
        let linear = |part: f32| part.powf(2.2);
        return [linear(PLAIN[0]), linear(PLAIN[1]), linear(PLAIN[2]), 1.0];
    };
    let glossy = material
        .extensions
        .get("KHR_materials_pbrSpecularGlossiness");
    let diffuse = glossy.and_then(|glossy| {
        let factor = glossy.get("diffuseFactor")?.as_array()?;
        let mut numbers = factor.iter().map(serde_json::Value::as_f64);
        let mut next = || numbers.next().flatten();
        #[expect(clippy::cast_possible_truncation, reason = "a colour needs no more")]
        Some([
            next()? as f32,
            next()? as f32,
            next()? as f32,
            next()? as f32,
        ])
    });
    let metallic = material.pbr.as_ref().and_then(|pbr| pbr.base_colour);
    let mut colour = metallic.or(diffuse).unwrap_or([1.0; 4]);
    // Only what says that it blends lets anything through.
    if material.alpha_mode.as_deref() != Some("BLEND") {
        colour[3] = 1.0;
    }
    colour
}

/// From light to the numbers that screens take.
fn srgb(linear: f32) -> f32 {
    if linear <= 0.003_130_8 {
        linear * 12.92
    } else {
        1.055 * linear.powf(1.0 / 2.4) - 0.055
    }
}

fn compressed(name: &str) -> String {
    format!(
        "its geometry is compressed with {name}, which cannot be shown here; the file itself can be downloaded"
    )
}

fn document(json: &[u8]) -> Result<Document, Failure> {
    let unreadable = |error: serde_json::Error| {
        Failure::malformed(format!(
            "this is not a glTF file, or it was cut off: {error}"
        ))
    };
    let version: Version = serde_json::from_slice(json).map_err(unreadable)?;
    let is_second = version
        .asset
        .version
        .as_str()
        .is_some_and(|text| text.starts_with("2."));
    if !is_second {
        return Err(Failure::unsupported(
            "this is a glTF file of a version other than 2, which cannot be shown",
        ));
    }
    let document: Document = serde_json::from_slice(json).map_err(unreadable)?;
    for (extension, name) in COMPRESSIONS {
        if document
            .extensions_required
            .iter()
            .any(|required| required == extension)
        {
            return Err(Failure::unsupported(compressed(name)));
        }
    }
    Ok(document)
}

fn layout(content: &mut (impl Read + Seek), is_binary: bool) -> Result<Layout, Failure> {
    let size = content.seek(SeekFrom::End(0))?;
    content.seek(SeekFrom::Start(0))?;
    if !is_binary {
        return Ok(Layout {
            json: read_json(content, size)?,
            binary: None,
            is_cut: false,
        });
    }
    let cut_off = || Failure::malformed("the GLB file was cut off before its description ends");
    let mut head = [0; 20];
    if super::super::members::read_full(content, &mut head)? < head.len() {
        return Err(cut_off());
    }
    let word = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("four bytes"));
    if word(4) != 2 {
        return Err(Failure::unsupported(
            "this is a GLB file of a version other than 2, which cannot be shown",
        ));
    }
    let json_bytes = u64::from(word(12));
    if &head[16..20] != b"JSON" {
        return Err(Failure::malformed(
            "the GLB file does not begin with its description",
        ));
    }
    if 20 + json_bytes > size {
        return Err(cut_off());
    }
    let json = read_json(content, json_bytes)?;
    let mut chunk = [0; 8];
    let has_more = super::super::members::read_full(content, &mut chunk)? == chunk.len();
    let binary = (has_more && &chunk[4..8] == b"BIN\0").then(|| {
        let start = 28 + json_bytes;
        let length = u64::from(u32::from_le_bytes(
            chunk[..4].try_into().expect("four bytes"),
        ));
        (start, length)
    });
    let is_cut = binary.is_some_and(|(start, length)| start + length > size);
    let binary = binary.map(|(start, length)| (start, length.min(size - start)));
    Ok(Layout {
        json,
        binary,
        is_cut,
    })
}

fn read_json(content: &mut impl Read, bytes: u64) -> Result<Vec<u8>, Failure> {
    if bytes > JSON_BYTES_MAX {
        return Err(Failure::too_large(format!(
            "the description of this model is longer than {} MiB",
            JSON_BYTES_MAX >> 20
        )));
    }
    let mut json = Vec::new();
    content.by_ref().take(bytes).read_to_end(&mut json)?;
    if json.starts_with(b"\xef\xbb\xbf") {
        json.drain(..3);
    }
    Ok(json)
}

fn is_data(uri: &str) -> bool {
    uri.get(..5)
        .is_some_and(|start| start.eq_ignore_ascii_case("data:"))
}

/// Fetches what buffers hold, within the bounds for all of them.
fn buffers(
    document: &Document,
    binary: Option<(u64, u64)>,
    siblings: &mut Siblings<'_>,
    bench: &mut Bench,
) -> Vec<accessor::Buffer> {
    let mut bytes_left = SIBLINGS_BYTES_MAX;
    let mut siblings_left = SIBLINGS_MAX;
    let mut out = Vec::new();
    for (at, buffer) in document.buffers.iter().enumerate() {
        let bytes = match buffer.uri.as_deref() {
            None => {
                out.push(match binary {
                    Some((start, length)) if at == 0 => accessor::Buffer::Within { start, length },
                    _ => accessor::Buffer::Held(Vec::new()),
                });
                continue;
            }
            Some(uri) if is_data(uri) => {
                data(uri).ok_or_else(|| "a buffer within the model is damaged".to_owned())
            }
            Some(uri) => match sibling_name(uri) {
                Some(name) if siblings_left > 0 => {
                    siblings_left -= 1;
                    siblings(&name).ok_or_else(|| format!("the model needs the file “{}” beside it, which is not in this collection or too large", shown(&name)))
                }
                _ => Err(format!(
                    "the model needs “{}”, and only files beside it are looked for",
                    shown(uri)
                )),
            },
        };
        let bytes = bytes.and_then(|bytes| {
            bytes_left = bytes_left
                .checked_sub(bytes.len() as u64)
                .ok_or_else(|| "the model's buffers are too large together".to_owned())?;
            Ok(bytes)
        });
        out.push(accessor::Buffer::Held(bytes.unwrap_or_else(|why| {
            bench.lacks(why);
            Vec::new()
        })));
    }
    out
}

/// The beginning of a name that may be very long.
fn shown(name: &str) -> String {
    name.chars().take(100).collect()
}

fn data(uri: &str) -> Option<Vec<u8>> {
    let (head, body) = uri.split_once(',')?;
    let forgiving = base64::engine::GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        base64::engine::GeneralPurposeConfig::new()
            .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
    );
    head.ends_with(";base64")
        .then(|| forgiving.decode(body).ok())?
}

/// The nodes of the scene with where they are, each once, however they refer to each other.
struct Walk {
    stack: Vec<(usize, Matrix)>,
    seen: Vec<bool>,
    has_cycle: bool,
}

impl Walk {
    fn new(document: &Document) -> Self {
        let scene = document.scenes.get(document.scene.unwrap_or(0));
        let roots: Vec<usize> = if let Some(scene) = scene {
            scene.nodes.clone()
        } else {
            let mut is_root = vec![true; document.nodes.len()];
            for child in document.nodes.iter().flat_map(|node| &node.children) {
                if let Some(is_root) = is_root.get_mut(*child) {
                    *is_root = false;
                }
            }
            (0..is_root.len()).filter(|&at| is_root[at]).collect()
        };
        let mut walk = Self {
            stack: Vec::new(),
            seen: vec![false; document.nodes.len()],
            has_cycle: false,
        };
        walk.push(&roots, IDENTITY);
        walk
    }

    /// Puts nodes on the stack that never were on it, the first one on top.
    fn push(&mut self, nodes: &[usize], around: Matrix) {
        for &node in nodes.iter().rev() {
            match self.seen.get_mut(node) {
                Some(seen @ false) => {
                    *seen = true;
                    self.stack.push((node, around));
                }
                Some(true) => self.has_cycle = true,
                None => {}
            }
        }
    }

    fn next(&mut self, document: &Document) -> Option<(usize, Matrix)> {
        let (at, around) = self.stack.pop()?;
        let node = document.nodes.get(at)?;
        let own = around.times(&node.matrix());
        self.push(&node.children, own);
        Some((at, own))
    }
}

/// A transform, by columns.
#[derive(Clone, Copy, Debug)]
struct Matrix([f64; 16]);

const IDENTITY: Matrix = Matrix([
    1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0,
]);

impl Matrix {
    fn times(&self, inner: &Self) -> Self {
        let mut out = [0.0; 16];
        for (at, value) in out.iter_mut().enumerate() {
            let (column, row) = (at / 4, at % 4);
            *value = (0..4)
                .map(|k| self.0[4 * k + row] * inner.0[4 * column + k])
                .sum();
        }
        Self(out)
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "what is drawn has single precision"
    )]
    fn point(&self, [x, y, z]: [f32; 3]) -> [f32; 3] {
        let (m, x, y, z) = (&self.0, f64::from(x), f64::from(y), f64::from(z));
        [0, 1, 2].map(|row| (m[row] * x + m[4 + row] * y + m[8 + row] * z + m[12 + row]) as f32)
    }

    /// A normal: by the cofactors, which keep it upright where axes are stretched differently.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "what is drawn has single precision"
    )]
    fn direction(&self, normal: [f32; 3]) -> [f32; 3] {
        let columns = self.columns();
        let sign = self.determinant().signum();
        let normal = normal.map(f64::from);
        let cofactors = [
            cross(columns[1], columns[2]),
            cross(columns[2], columns[0]),
            cross(columns[0], columns[1]),
        ];
        [0, 1, 2].map(|row| {
            let sum: f64 = (0..3)
                .map(|column| cofactors[column][row] * normal[column])
                .sum();
            (sum * sign) as f32
        })
    }

    fn columns(&self) -> [[f64; 3]; 3] {
        [0, 4, 8].map(|at| [self.0[at], self.0[at + 1], self.0[at + 2]])
    }

    fn determinant(&self) -> f64 {
        let [a, b, c] = self.columns();
        a.iter().zip(cross(b, c)).map(|(a, b)| a * b).sum()
    }

    fn is_mirrored(&self) -> bool {
        self.determinant() < 0.0
    }
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}
