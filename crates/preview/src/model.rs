//! 3D models as one mesh: positions, normals, triangles, and parts with a colour each. glTF, GLB, OBJ and STL are read by
//! this module's own code: the crates for them panic at accessors that lie, read files that a model names, or gather
//! without a bound, and what is drawn is a small part of what they know.

mod gltf;
mod mesh;
mod obj;
mod stl;

use std::io::{Read, Seek, SeekFrom};
use std::time::Duration;

pub use mesh::{Mesh, Part};

use crate::job::{Failure, Job, Limits, Output, Work};

/// Triangles at most; the first ones are shown.
pub const TRIANGLES_MAX: usize = 2_000_000;
/// Corners that are read for them, used or not.
const VERTICES_MAX: usize = 3 * TRIANGLES_MAX;
/// Time after which what was read so far is shown.
const TIME_MAX: Duration = Duration::from_secs(10);
/// Parts at most; what follows joins the last.
const PARTS_MAX: usize = 10_000;
/// The colour of what says none, sRGB.
const PLAIN: [f32; 4] = [0.8, 0.8, 0.8, 1.0];
/// Files that a model may name, and the bytes of all of them together.
pub const SIBLINGS_MAX: usize = 64;
/// See [`SIBLINGS_MAX`].
pub const SIBLINGS_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Bytes of a text that are read.
const TEXT_BYTES_MAX: u64 = 1 << 30;

/// Reads a model, and buffers and materials beside it: the bytes of [`Mesh::to_bytes`].
pub const JOB: Job = Job {
    name: "model",
    version: 1,
    limits: Limits {
        read_bytes: 2 << 30,
        // Two million triangles that share no corner.
        output_bytes: 192 << 20,
        memory_bytes: 1536 << 20,
        cpu: Duration::from_secs(20),
        ..Limits::USUAL
    },
    run,
};

fn run(work: &mut Work) -> Result<Output, Failure> {
    let files = work.files.clone();
    let mut siblings = |name: &str| {
        let mut content = files.open(name).ok()??;
        content.all(SIBLINGS_BYTES_MAX).ok()
    };
    let mesh = read(&mut work.content, &work.request.filename, &mut siblings)?;
    Ok(Output {
        bytes: mesh.to_bytes(),
        ..Output::default()
    })
}

/// What a model is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// glTF 2.0 as JSON.
    Gltf,
    /// glTF 2.0 in one file.
    Glb,
    /// Wavefront OBJ.
    Obj,
    /// STL, as text or binary.
    Stl,
}

impl Format {
    /// By the first bytes of a file, and where they do not tell, by its name.
    pub fn of(head: &[u8], name: &str) -> Option<Self> {
        if head.starts_with(b"glTF") {
            return Some(Self::Glb);
        }
        let extension = name.rsplit_once('.')?.1.to_ascii_lowercase();
        match extension.as_str() {
            "gltf" | "glb" | "vrm" => Some(Self::Gltf),
            "obj" => Some(Self::Obj),
            "stl" => Some(Self::Stl),
            _ => None,
        }
    }
}

/// Gives the content of a file of that name beside the model, if there is one.
pub type Siblings<'a> = dyn FnMut(&str) -> Option<Vec<u8>> + 'a;

/// Reads a model.
pub fn read(
    mut content: impl Read + Seek,
    name: &str,
    siblings: &mut Siblings<'_>,
) -> Result<Mesh, Failure> {
    let mesh = match format(&mut content, name)? {
        Format::Gltf => gltf::read(&mut content, false, siblings),
        Format::Glb => gltf::read(&mut content, true, siblings),
        Format::Obj => obj::read(&mut content, siblings),
        Format::Stl => stl::read(&mut content),
    }?;
    if mesh.indices.is_empty() {
        let why = mesh.message.unwrap_or_else(|| "it has no triangles".into());
        return Err(Failure::malformed(format!(
            "there is nothing to show in this model: {why}"
        )));
    }
    Ok(mesh)
}

fn format(content: &mut (impl Read + Seek), name: &str) -> Result<Format, Failure> {
    let mut head = Vec::new();
    content.seek(SeekFrom::Start(0))?;
    content.by_ref().take(4).read_to_end(&mut head)?;
    content.seek(SeekFrom::Start(0))?;
    Format::of(&head, name).ok_or_else(|| {
        Failure::unsupported(
            "models can be shown from glTF, GLB, OBJ and STL files; this is none of them",
        )
    })
}

/// The name that an address within a model has beside it; none for one that leads elsewhere.
fn sibling_name(address: &str) -> Option<String> {
    let bytes = address.as_bytes();
    let mut name = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%')
            .then(|| bytes.get(at + 1..at + 3))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        name.push(escaped.unwrap_or(bytes[at]));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    let name = String::from_utf8(name).ok()?;
    let name = name.strip_prefix("./").unwrap_or(&name);
    let is_one = !name.is_empty()
        && name.len() <= 1024
        && !name.contains(['/', '\\', '\0'])
        && name != "."
        && name != "..";
    (is_one && !name.contains("://")).then(|| name.to_owned())
}

#[cfg(test)]
mod tests;
