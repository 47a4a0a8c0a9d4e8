//! The mesh that is handed out, and the bench on which readers put triangles together: shared corners, missing normals,
//! bounds.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::{PARTS_MAX, PLAIN, TIME_MAX, TRIANGLES_MAX, VERTICES_MAX};

/// What a normal's index is where there is none.
const NONE: u32 = u32::MAX;
/// Faces at one point that are smoothed with each other; more are flat, since each is compared with each.
const FAN_MAX: usize = 64;

/// A model ready to be drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mesh {
    /// Three to a vertex.
    pub positions: Vec<f32>,
    /// Three to a vertex, of length 1.
    pub normals: Vec<f32>,
    /// Three to a triangle.
    pub indices: Vec<u32>,
    /// One after the other, all indices in all.
    pub parts: Vec<Part>,
    /// Whether all of the model is here.
    pub complete: bool,
    /// Why not, or what else is to be known.
    pub message: Option<String>,
}

/// Triangles of one colour.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Where its indices begin.
    pub first: usize,
    /// How many there are.
    pub count: usize,
    /// Red, green, blue and opacity from 0 to 1, sRGB.
    pub colour: [f32; 4],
}

#[derive(Serialize)]
struct Header<'a> {
    vertices: usize,
    triangles: usize,
    bounds: [f32; 6],
    parts: &'a [Part],
    complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

impl Mesh {
    /// The media type of [`Mesh::to_bytes`].
    pub const MEDIA_TYPE: &'static str = "application/vnd.compactvault.mesh";

    /// Smallest x, y, z and largest x, y, z; zeros for nothing.
    pub fn bounds(&self) -> [f32; 6] {
        let Some(first) = self.positions.get(..3) else {
            return [0.0; 6];
        };
        let mut bounds = [first[0], first[1], first[2], first[0], first[1], first[2]];
        for position in self.positions.chunks_exact(3) {
            for (axis, value) in position.iter().enumerate() {
                bounds[axis] = bounds[axis].min(*value);
                bounds[axis + 3] = bounds[axis + 3].max(*value);
            }
        }
        bounds
    }

    /// Whether bytes have the lengths that their header tells: nobody need believe the process that made them.
    pub fn is_sound(bytes: &[u8]) -> bool {
        #[derive(Deserialize)]
        struct Lengths {
            vertices: u64,
            triangles: u64,
        }

        let body = bytes.strip_prefix(b"CVM1").and_then(|rest| {
            let (length, rest) = rest.split_first_chunk()?;
            rest.split_at_checked(u32::from_le_bytes(*length) as usize)
        });
        let Some((json, body)) = body else {
            return false;
        };
        let lengths: Option<Lengths> = serde_json::from_slice(json).ok();
        lengths.is_some_and(
            |Lengths {
                 vertices,
                 triangles,
             }| {
                let bytes = vertices.checked_mul(24).zip(triangles.checked_mul(12));
                bytes.and_then(|(a, b)| a.checked_add(b)) == Some(body.len() as u64)
            },
        )
    }

    /// As docs/http-api.md describes it: `CVM1`, the length of the JSON, the JSON, positions, normals, indices.
    pub fn to_bytes(&self) -> Vec<u8> {
        let header = Header {
            vertices: self.positions.len() / 3,
            triangles: self.indices.len() / 3,
            bounds: self.bounds(),
            parts: &self.parts,
            complete: self.complete,
            message: self.message.as_deref(),
        };
        let mut json = serde_json::to_vec(&header).expect("numbers and text always serialise");
        json.resize(json.len().next_multiple_of(4), b' ');
        let numbers = self.positions.len() + self.normals.len() + self.indices.len();
        let mut out = Vec::with_capacity(8 + json.len() + 4 * numbers);
        out.extend_from_slice(b"CVM1");
        let length = u32::try_from(json.len()).expect("parts are bounded");
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&json);
        for number in self.positions.iter().chain(&self.normals) {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for index in &self.indices {
            out.extend_from_slice(&index.to_le_bytes());
        }
        out
    }
}

/// How normals that a model does not give are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shading {
    /// Each triangle its own.
    Flat,
    /// Shared by triangles that meet at less than some 40 degrees.
    Smooth,
}

/// Where readers gather.
pub(super) struct Bench {
    positions: Vec<[f32; 3]>,
    normals: Vec<[f32; 3]>,
    /// Position and normal of each corner.
    corners: Vec<[u32; 2]>,
    parts: Vec<Part>,
    /// Triangles that did not fit.
    left_out: u64,
    message: Option<String>,
    until: Instant,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self {
            positions: Vec::new(),
            normals: Vec::new(),
            corners: Vec::new(),
            parts: Vec::new(),
            left_out: 0,
            message: None,
            until: Instant::now() + TIME_MAX,
        }
    }

    /// Says that something is not shown. The first reason stays.
    pub(super) fn lacks(&mut self, why: impl Into<String>) {
        self.message.get_or_insert_with(|| why.into());
    }

    /// Whether there is time for more. To be asked now and then.
    pub(super) fn has_time(&mut self) -> bool {
        let has_time = Instant::now() < self.until;
        if !has_time {
            self.lacks("reading the model took too long; what was read until then is shown");
        }
        has_time
    }

    /// Positions so far.
    pub(super) fn positions(&self) -> usize {
        self.positions.len()
    }

    /// Normals so far.
    pub(super) fn normals(&self) -> usize {
        self.normals.len()
    }

    /// A further position; its index is how many there were. `false` if there is no room.
    pub(super) fn position(&mut self, position: [f32; 3]) -> bool {
        let has_room = self.positions.len() < VERTICES_MAX;
        if has_room {
            self.positions.push(position);
        }
        has_room
    }

    /// A further normal of any length.
    pub(super) fn normal(&mut self, normal: [f32; 3]) -> bool {
        let has_room = self.normals.len() < VERTICES_MAX;
        if has_room {
            self.normals
                .push(unit(normal.map(f64::from)).unwrap_or([0.0; 3]));
        }
        has_room
    }

    /// What follows has this colour.
    pub(super) fn colour(&mut self, colour: [f32; 4]) {
        let colour = colour.map(|part| {
            if part.is_finite() {
                part.clamp(0.0, 1.0)
            } else {
                1.0
            }
        });
        let is_full = self.parts.len() >= PARTS_MAX;
        match self.parts.last_mut() {
            Some(part) if is_same(part.colour, colour) => {}
            Some(part) if part.first == self.corners.len() => part.colour = colour,
            Some(_) if is_full => {}
            _ => self.parts.push(Part {
                first: self.corners.len(),
                count: 0,
                colour,
            }),
        }
    }

    /// A triangle of positions, with normals or without. Corners that are not there, or nowhere, make it none.
    pub(super) fn triangle(&mut self, positions: [u32; 3], normals: [Option<u32>; 3]) {
        let at = |index: u32| self.positions.get(index as usize);
        let is_there = positions
            .iter()
            .all(|&index| at(index).is_some_and(|p| p.iter().all(|x| x.is_finite())));
        if !is_there {
            self.lacks(
                "some triangles name points that are not there or nowhere, and are left out",
            );
            return;
        }
        if self.corners.len() >= 3 * TRIANGLES_MAX {
            self.left_out += 1;
            return;
        }
        if self.parts.is_empty() {
            self.colour(PLAIN);
        }
        for (position, normal) in positions.into_iter().zip(normals) {
            let is_there = |normal: &u32| {
                self.normals
                    .get(*normal as usize)
                    .is_some_and(|n| !is_same(*n, [0.0; 3]))
            };
            let normal = normal.filter(is_there).unwrap_or(NONE);
            self.corners.push([position, normal]);
        }
    }

    /// Whether no more triangles fit.
    pub(super) fn is_full(&self) -> bool {
        self.left_out > 0
    }

    /// The mesh.
    pub(super) fn finish(mut self, shading: Shading) -> Mesh {
        if self.left_out > 0 {
            let shown = self.corners.len() / 3;
            self.lacks(format!(
                "the model is larger; its first {shown} triangles are shown"
            ));
        }
        let ends: Vec<usize> = self
            .parts
            .iter()
            .skip(1)
            .map(|part| part.first)
            .chain([self.corners.len()])
            .collect();
        for (part, end) in self.parts.iter_mut().zip(ends) {
            part.count = end - part.first;
        }
        self.parts.retain(|part| part.count > 0);
        let mut mesh = Mesh {
            complete: self.message.is_none(),
            message: self.message.take(),
            parts: std::mem::take(&mut self.parts),
            indices: vec![0; self.corners.len()],
            ..Mesh::default()
        };
        self.join(shading, &mut mesh);
        mesh
    }

    /// Makes vertices of corners: those at one position with one normal are one.
    fn join(&self, shading: Shading, mesh: &mut Mesh) {
        let faces: Vec<[f32; 3]> = self
            .corners
            .chunks_exact(3)
            .map(|corners| self.face_normal(corners))
            .collect();
        // Corners by position, as offsets into one list.
        let mut offsets = vec![0_u32; self.positions.len() + 1];
        for corner in &self.corners {
            offsets[corner[0] as usize + 1] += 1;
        }
        for at in 1..offsets.len() {
            offsets[at] += offsets[at - 1];
        }
        let mut next = offsets.clone();
        let mut by_position = vec![0_u32; self.corners.len()];
        for (index, corner) in (0_u32..).zip(&self.corners) {
            let slot = &mut next[corner[0] as usize];
            by_position[*slot as usize] = index;
            *slot += 1;
        }
        let mut vertices: Vec<[f32; 3]> = Vec::new();
        for (position, span) in self.positions.iter().zip(offsets.windows(2)) {
            let here = &by_position[span[0] as usize..span[1] as usize];
            vertices.clear();
            let first = u32::try_from(mesh.positions.len() / 3).expect("corners are bounded");
            for &corner in here {
                let normal = match self.corners[corner as usize][1] {
                    NONE => smoothed(corner, here, &faces, shading),
                    given => self.normals[given as usize],
                };
                // Few distinct ones as a rule; where there are many, the latest are looked through.
                let window = vertices.len().saturating_sub(FAN_MAX);
                let known = vertices[window..]
                    .iter()
                    .position(|known| is_same(*known, normal));
                let at = known.map_or(vertices.len(), |at| window + at);
                if at == vertices.len() {
                    vertices.push(normal);
                    mesh.positions.extend_from_slice(position);
                    mesh.normals.extend_from_slice(&normal);
                }
                mesh.indices[corner as usize] =
                    first + u32::try_from(at).expect("corners are bounded");
            }
        }
    }

    fn face_normal(&self, corners: &[[u32; 2]]) -> [f32; 3] {
        let [first, second, third] = [0, 1, 2].map(|at| {
            let corner: [u32; 2] = corners[at];
            self.positions[corner[0] as usize].map(f64::from)
        });
        let (u, v) = (minus(second, first), minus(third, first));
        let cross = [
            u[1] * v[2] - u[2] * v[1],
            u[2] * v[0] - u[0] * v[2],
            u[0] * v[1] - u[1] * v[0],
        ];
        // One without an area faces somewhere.
        unit(cross).unwrap_or([0.0, 0.0, 1.0])
    }
}

/// The normal of `corner`: the mean of the faces around its position that bend little from its own.
fn smoothed(corner: u32, here: &[u32], faces: &[[f32; 3]], shading: Shading) -> [f32; 3] {
    /// The cosine of 40 degrees: a cube has edges, a sphere of 24 sides has none.
    const BEND_COS_MIN: f64 = 0.766;
    let own = faces[corner as usize / 3];
    if shading == Shading::Flat || here.len() > FAN_MAX {
        return own;
    }
    let own64 = own.map(f64::from);
    let mut sum = [0.0; 3];
    for &other in here {
        let face = faces[other as usize / 3].map(f64::from);
        if face.iter().zip(own64).map(|(a, b)| a * b).sum::<f64>() >= BEND_COS_MIN {
            sum = [sum[0] + face[0], sum[1] + face[1], sum[2] + face[2]];
        }
    }
    unit(sum).unwrap_or(own)
}

/// Equal bit by bit, for which no zero is negative.
fn is_same<const N: usize>(a: [f32; N], b: [f32; N]) -> bool {
    a.map(f32::to_bits) == b.map(f32::to_bits)
}

fn minus(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

/// The vector at length 1; none for one without length or with too much of it.
fn unit(vector: [f64; 3]) -> Option<[f32; 3]> {
    let largest = vector.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    if largest == 0.0 || !largest.is_finite() || vector.iter().any(|x| x.is_nan()) {
        return None;
    }
    let scaled = vector.map(|x| x / largest);
    let length = scaled.iter().map(|x| x * x).sum::<f64>().sqrt();
    #[expect(clippy::cast_possible_truncation, reason = "at most 1")]
    Some(scaled.map(|x| (x / length) as f32 + 0.0))
}
