//! The parts of glTF's JSON that are read. What is missing is empty, what is more is passed over, and no number is believed.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::Matrix;

/// What is asked first, because everything else differs between versions.
#[derive(Deserialize)]
pub(super) struct Version {
    pub(super) asset: Asset,
}

#[derive(Deserialize)]
pub(super) struct Asset {
    /// A text; in old files a number.
    pub(super) version: Value,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Document {
    pub(super) scene: Option<usize>,
    pub(super) scenes: Vec<Scene>,
    pub(super) nodes: Vec<Node>,
    pub(super) meshes: Vec<MeshOf>,
    pub(super) accessors: Vec<Accessor>,
    #[serde(rename = "bufferViews")]
    pub(super) views: Vec<View>,
    pub(super) buffers: Vec<Buffer>,
    pub(super) materials: Vec<Material>,
    #[serde(rename = "extensionsRequired")]
    pub(super) extensions_required: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Scene {
    pub(super) nodes: Vec<usize>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Node {
    pub(super) children: Vec<usize>,
    pub(super) mesh: Option<usize>,
    pub(super) skin: Option<usize>,
    matrix: Option<[f64; 16]>,
    translation: Option<[f64; 3]>,
    rotation: Option<[f64; 4]>,
    scale: Option<[f64; 3]>,
}

impl Node {
    /// Its own transform.
    pub(super) fn matrix(&self) -> Matrix {
        if let Some(matrix) = self.matrix {
            return Matrix(matrix);
        }
        let [tx, ty, tz] = self.translation.unwrap_or_default();
        let [sx, sy, sz] = self.scale.unwrap_or([1.0; 3]);
        let [x, y, z, w] = self.rotation.unwrap_or([0.0, 0.0, 0.0, 1.0]);
        Matrix([
            (1.0 - 2.0 * (y * y + z * z)) * sx,
            2.0 * (x * y + z * w) * sx,
            2.0 * (x * z - y * w) * sx,
            0.0,
            2.0 * (x * y - z * w) * sy,
            (1.0 - 2.0 * (x * x + z * z)) * sy,
            2.0 * (y * z + x * w) * sy,
            0.0,
            2.0 * (x * z + y * w) * sz,
            2.0 * (y * z - x * w) * sz,
            (1.0 - 2.0 * (x * x + y * y)) * sz,
            0.0,
            tx,
            ty,
            tz,
            1.0,
        ])
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct MeshOf {
    pub(super) primitives: Vec<Primitive>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Primitive {
    pub(super) attributes: HashMap<String, usize>,
    pub(super) indices: Option<usize>,
    pub(super) material: Option<usize>,
    pub(super) mode: Option<u32>,
    pub(super) extensions: HashMap<String, Value>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Accessor {
    pub(super) buffer_view: Option<usize>,
    pub(super) byte_offset: u64,
    pub(super) component_type: u32,
    pub(super) normalized: bool,
    pub(super) count: usize,
    #[serde(rename = "type")]
    pub(super) shape: String,
    pub(super) sparse: Option<Sparse>,
}

#[derive(Deserialize)]
pub(super) struct Sparse {
    pub(super) count: usize,
    pub(super) indices: SparseIndices,
    pub(super) values: SparseValues,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SparseIndices {
    pub(super) buffer_view: usize,
    #[serde(default)]
    pub(super) byte_offset: u64,
    pub(super) component_type: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SparseValues {
    pub(super) buffer_view: usize,
    #[serde(default)]
    pub(super) byte_offset: u64,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct View {
    pub(super) buffer: usize,
    pub(super) byte_offset: u64,
    pub(super) byte_length: u64,
    pub(super) byte_stride: Option<u64>,
    pub(super) extensions: HashMap<String, Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Buffer {
    pub(super) uri: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Material {
    #[serde(rename = "pbrMetallicRoughness")]
    pub(super) pbr: Option<Metallic>,
    pub(super) alpha_mode: Option<String>,
    pub(super) extensions: HashMap<String, Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Metallic {
    #[serde(rename = "baseColorFactor")]
    pub(super) base_colour: Option<[f32; 4]>,
}
