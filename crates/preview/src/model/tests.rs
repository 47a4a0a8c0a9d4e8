//! Models as programs write them, and as nobody should.
#![expect(
    clippy::float_cmp,
    reason = "numbers that are read come out as they were written"
)]

use std::fmt::Write as _;
use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Mesh, PLAIN, TRIANGLES_MAX, read, sibling_name};
use crate::job::Failure;

fn look(name: &str, bytes: impl AsRef<[u8]>) -> Result<Mesh, Failure> {
    let mesh = read(Cursor::new(bytes.as_ref()), name, &mut |_| None)?;
    check(&mesh);
    Ok(mesh)
}

/// What every mesh promises to whoever draws it.
fn check(mesh: &Mesh) {
    let vertices = mesh.positions.len() / 3;
    assert_eq!(mesh.positions.len(), mesh.normals.len());
    assert!(
        mesh.indices
            .iter()
            .all(|&index| (index as usize) < vertices)
    );
    assert!(
        mesh.positions
            .iter()
            .chain(&mesh.normals)
            .all(|x| x.is_finite())
    );
    for normal in mesh.normals.chunks_exact(3) {
        let length = normal.iter().map(|x| x * x).sum::<f32>();
        assert!((length - 1.0).abs() < 1e-3, "{normal:?}");
    }
    let mut at = 0;
    for part in &mesh.parts {
        assert_eq!(part.first, at);
        assert!(part.colour.iter().all(|c| (0.0..=1.0).contains(c)));
        at += part.count;
    }
    assert_eq!(at, mesh.indices.len());
    assert_eq!(mesh.complete, mesh.message.is_none());
    let bytes = mesh.to_bytes();
    assert!(Mesh::is_sound(&bytes));
    assert!(!Mesh::is_sound(&bytes[..bytes.len() - 1]) && !Mesh::is_sound(&bytes[1..]));
    assert_eq!(&bytes[..4], b"CVM1");
    let json_bytes = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
    assert_eq!(json_bytes % 4, 0);
    let header: Value = serde_json::from_slice(&bytes[8..8 + json_bytes]).unwrap();
    assert_eq!(header["vertices"], vertices);
    assert_eq!(header["triangles"], mesh.indices.len() / 3);
    assert_eq!(
        bytes.len(),
        8 + json_bytes + 24 * vertices + 4 * mesh.indices.len()
    );
}

const CUBE: &str = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nv 0 0 1\nv 1 0 1\nv 1 1 1\nv 0 1 1\n\
    f 4 3 2 1\nf 5 6 7 8\nf 1 2 6 5\nf 2 3 7 6\nf 3 4 8 7\nf 4 1 5 8\n";

#[test]
fn a_cube_has_edges() {
    let mesh = look("cube.obj", CUBE).unwrap();
    assert_eq!((mesh.positions.len() / 3, mesh.indices.len()), (24, 36));
    assert_eq!(mesh.bounds(), [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
    assert!(mesh.complete);
    assert_eq!(mesh.parts.len(), 1);
    assert_eq!(mesh.parts[0].colour, PLAIN);
    // The first face looks down.
    assert_eq!(
        mesh.normals[mesh.indices[0] as usize * 3..][..3],
        [0.0, 0.0, -1.0]
    );
}

#[test]
fn obj_with_normals_materials_and_all_ways_to_count() {
    let obj = "mtllib my colours.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvn 0 0 5\n\
        usemtl red\nf 1/1/1 2/2/1 3//1\nusemtl glass\nf -3 -2 \\\n-1\nusemtl unheard\nf 1 2 3\n";
    let mut asked = Vec::new();
    let mesh = read(Cursor::new(obj), "x.OBJ", &mut |name| {
        asked.push(name.to_owned());
        let mtl = "newmtl red\nKd 1 0 0\nnewmtl glass\r\nKd 0 0.5 1\r\nd 0.25\r\n";
        (name == "my colours.mtl").then(|| mtl.into())
    })
    .unwrap();
    check(&mesh);
    assert_eq!(asked, ["my colours.mtl", "my", "colours.mtl"]);
    let colours: Vec<_> = mesh.parts.iter().map(|part| part.colour).collect();
    assert_eq!(
        colours,
        [[1.0, 0.0, 0.0, 1.0], [0.0, 0.5, 1.0, 0.25], PLAIN]
    );
    assert_eq!(mesh.indices.len(), 9);
}

#[test]
fn hostile_obj() {
    for obj in [
        "v 0 0 0\nf 1 2 4000000000\n",
        "v 0 0 0\nf 1 2 99999999999999999999\n",
        "v 0 0 0\nf -1 -2 -9223372036854775808\n",
        "v nan inf 0\nv 0 0 0\nv 0 1 0\nf 1 2 3\n",
        "f 1 2 3\n",
        "f\nf 1\nf 1 2\nf / / /\nf // // //\n",
        "v\nv 1\nusemtl\nmtllib\nvn\n",
        "",
        "\0\u{ff}\u{fffd}",
    ] {
        let failure = look("x.obj", obj).unwrap_err();
        assert_eq!(failure.code, "malformed", "{obj:?}: {failure:?}");
    }
    // Bad faces do not take good ones with them.
    let mesh = look("x.obj", format!("{CUBE}f 1 2 4000000000\nf 1 2\n")).unwrap();
    assert_eq!((mesh.indices.len(), mesh.complete), (36, false));
    // Extreme numbers, and a face that is a line.
    let mesh = look(
        "x.obj",
        "v 3e38 3e38 3e38\nv -3e38 0 0\nv 0 3e38 0\nv 1e-40 0 0\nf 1 2 3\nf 4 4 4\n",
    )
    .unwrap();
    assert_eq!(mesh.indices.len(), 6);
    // One line without end, and one face with very many corners.
    let face = format!("{CUBE}f {}\n", "1 2 3 ".repeat(9000));
    assert!(look("x.obj", &face).unwrap().indices.len() > 50_000);
    let long = format!(
        "{CUBE}# {}\nf {}\n",
        "x".repeat(1 << 20),
        "1 2 3 ".repeat(1 << 17)
    );
    let mesh = look("x.obj", long).unwrap();
    assert!(!mesh.complete && mesh.message.unwrap().contains("64 KiB"));
    assert!(look("x.obj", "\\\n".repeat(1 << 20)).is_err());
    // All faces at one point: nothing is compared with everything.
    let mut fan = CUBE.to_owned();
    for at in 0..100_000_u32 {
        writeln!(fan, "v {at} {} 1\nf 1 {} {}", at % 7, at + 8, at + 9).unwrap();
    }
    assert!(look("x.obj", fan).unwrap().indices.len() > 200_000);
    for length in 0..CUBE.len() {
        let _ = look("x.obj", &CUBE[..length]);
    }
}

fn binary_stl(claimed: u32, triangles: &[[[f32; 3]; 3]]) -> Vec<u8> {
    let mut out = vec![b' '; 80];
    out.extend_from_slice(&claimed.to_le_bytes());
    for triangle in triangles {
        out.extend_from_slice(&[0; 12]);
        for coordinate in triangle.iter().flatten() {
            out.extend_from_slice(&coordinate.to_le_bytes());
        }
        out.extend_from_slice(&[0; 2]);
    }
    out
}

const TRIANGLE: [[f32; 3]; 3] = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, -0.0]];

#[test]
fn stl_in_both_kinds() {
    let mesh = look("x.stl", binary_stl(2, &[TRIANGLE; 2])).unwrap();
    assert_eq!(
        (mesh.positions.len(), mesh.indices.len(), mesh.complete),
        (9, 6, true)
    );
    // Binary ones that begin as text do.
    let mut solid = binary_stl(1, &[TRIANGLE]);
    solid[..9].copy_from_slice(b"solid obj");
    assert_eq!(look("x.stl", solid).unwrap().indices.len(), 3);
    let text = "solid a\n facet normal 0 0 1\n  outer loop\n   vertex 0 0 0\n   vertex 1.0E0 0 0\n   vertex 0 1 0\n  endloop\n endfacet\nendsolid a\n";
    let mesh = look("x.STL", text).unwrap();
    assert_eq!((mesh.indices.len(), mesh.complete), (3, true));
    assert_eq!(mesh.normals[..3], [0.0, 0.0, 1.0]);
    for length in 0..text.len() - "endsolid a\n".len() {
        let cut = look("x.stl", &text[..length]);
        assert!(cut.is_err() || !cut.unwrap().complete, "{length}");
    }
}

#[test]
fn hostile_stl() {
    let wrong = look("x.stl", binary_stl(u32::MAX, &[TRIANGLE; 3])).unwrap();
    assert_eq!((wrong.indices.len(), wrong.complete), (9, false));
    assert!(
        wrong
            .message
            .unwrap()
            .contains("4294967295 triangles, and ends after 3")
    );
    let fewer = look("x.stl", binary_stl(1, &[TRIANGLE; 3])).unwrap();
    assert_eq!(fewer.indices.len(), 3);
    assert_eq!(
        look("x.stl", binary_stl(0, &[])).unwrap_err().code,
        "malformed"
    );
    assert_eq!(look("x.stl", b"").unwrap_err().code, "malformed");
    let whole = binary_stl(3, &[TRIANGLE; 3]);
    for length in 0..whole.len() {
        let _ = look("x.stl", &whole[..length]);
    }
    let nowhere = [[f32::NAN; 3], [f32::INFINITY; 3], [0.0; 3]];
    let mesh = look("x.stl", binary_stl(2, &[nowhere, TRIANGLE])).unwrap();
    assert_eq!((mesh.indices.len(), mesh.complete), (3, false));
    let many = vec![TRIANGLE; TRIANGLES_MAX + 10];
    let mesh = look("x.stl", binary_stl(2_000_010, &many)).unwrap();
    assert_eq!(
        (mesh.indices.len(), mesh.complete),
        (3 * TRIANGLES_MAX, false)
    );
}

/// A triangle as glTF, whose buffer is at `uri`.
fn gltf(uri: Option<&str>) -> Value {
    let mut buffer = json!({ "byteLength": 44 });
    if let Some(uri) = uri {
        buffer["uri"] = json!(uri);
    }
    json!({
        "asset": { "version": "2.0" },
        "scene": 0,
        "scenes": [{ "nodes": [0] }],
        "nodes": [
            { "children": [1], "translation": [10, 0, 0] },
            { "mesh": 0, "scale": [2, 2, 2], "rotation": [0, 0, 0, 1] },
        ],
        "meshes": [{ "primitives": [{ "attributes": { "POSITION": 0 }, "indices": 1, "material": 0 }] }],
        "materials": [{ "pbrMetallicRoughness": { "baseColorFactor": [1, 0, 0.5, 0.5] } }],
        "accessors": [
            { "bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3" },
            { "bufferView": 1, "componentType": 5123, "count": 3, "type": "SCALAR" },
        ],
        "bufferViews": [
            { "buffer": 0, "byteLength": 36 },
            { "buffer": 0, "byteOffset": 36, "byteLength": 6 },
        ],
        "buffers": [buffer],
    })
}

fn buffer() -> Vec<u8> {
    let mut out = Vec::new();
    for coordinate in TRIANGLE.iter().flatten() {
        out.extend_from_slice(&coordinate.to_le_bytes());
    }
    out.extend_from_slice(&[0, 0, 1, 0, 2, 0, 0, 0]);
    out
}

fn data_uri() -> String {
    format!(
        "data:application/octet-stream;base64,{}",
        STANDARD.encode(buffer())
    )
}

fn glb(document: &Value, binary: &[u8]) -> Vec<u8> {
    let mut json = document.to_string().into_bytes();
    json.resize(json.len().next_multiple_of(4), b' ');
    let total = 28 + json.len() + binary.len();
    let mut out = b"glTF\x02\0\0\0".to_vec();
    out.extend_from_slice(&u32::try_from(total).unwrap().to_le_bytes());
    out.extend_from_slice(&u32::try_from(json.len()).unwrap().to_le_bytes());
    out.extend_from_slice(b"JSON");
    out.extend_from_slice(&json);
    out.extend_from_slice(&u32::try_from(binary.len()).unwrap().to_le_bytes());
    out.extend_from_slice(b"BIN\0");
    out.extend_from_slice(binary);
    out
}

#[test]
fn gltf_with_its_buffer_anywhere() {
    let inside = look("x.gltf", gltf(Some(&data_uri())).to_string()).unwrap();
    assert_eq!(inside.bounds(), [10.0, 0.0, 0.0, 12.0, 2.0, 0.0]);
    assert_eq!(inside.normals[..3], [0.0, 0.0, 1.0]);
    let colour = inside.parts[0].colour;
    assert!(
        colour[0] > 0.999
            && colour[1] == 0.0
            && (0.73..0.74).contains(&colour[2])
            && colour[3] == 1.0
    );
    assert!(inside.complete);
    assert_eq!(look("x.glb", glb(&gltf(None), &buffer())).unwrap(), inside);
    // Told by its first bytes, whatever its name.
    assert_eq!(look("x.bin", glb(&gltf(None), &buffer())).unwrap(), inside);
    let beside = gltf(Some("my%20scene.bin")).to_string();
    let read = read(Cursor::new(&beside), "x.gltf", &mut |name| {
        (name == "my scene.bin").then(buffer)
    });
    assert_eq!(read.unwrap(), inside);
    let missing = look("x.gltf", &beside).unwrap_err();
    assert!(missing.message.contains("“my scene.bin”"), "{missing:?}");
}

#[test]
fn nothing_is_fetched_from_elsewhere() {
    for uri in [
        "http://evil.example/x.bin",
        "https://evil.example/x.bin",
        "//evil.example/x",
        "../secret.bin",
        "%2e%2e%2fsecret.bin",
        "/etc/passwd",
        "file:///etc/passwd",
        "a\\b",
        "..",
        "",
    ] {
        assert_eq!(sibling_name(uri), None, "{uri}");
        let document = gltf(Some(uri)).to_string();
        let asked = |name: &str| -> Option<Vec<u8>> { panic!("asked for {name}") };
        let failure = read(Cursor::new(&document), "x.gltf", &mut { asked }).unwrap_err();
        assert_eq!(failure.code, "malformed");
    }
}

#[test]
fn gltf_in_all_its_ways() {
    let with = |change: &dyn Fn(&mut Value)| {
        let mut document = gltf(Some(&data_uri()));
        change(&mut document);
        look("x.gltf", document.to_string())
    };
    // Without indices, and as strip and fan.
    for mode in [4, 5, 6] {
        let mesh = with(&|d| {
            d["meshes"][0]["primitives"][0] =
                json!({ "attributes": { "POSITION": 0 }, "mode": mode });
        });
        let mesh = mesh.unwrap();
        assert_eq!(mesh.indices.len(), 3);
        let grey = mesh.parts[0].colour;
        assert!((grey[0] - 0.8).abs() < 0.01, "{grey:?}");
    }
    let points = with(&|d| d["meshes"][0]["primitives"][0]["mode"] = json!(0)).unwrap_err();
    assert!(points.message.contains("points and lines"));
    // A mirror turns triangles round, and normals stay outside.
    let mirrored = with(&|d| d["nodes"][1]["scale"] = json!([-1, 1, 1])).unwrap();
    assert_eq!(mirrored.normals[..3], [0.0, 0.0, 1.0]);
    let blended = with(&|d| d["materials"][0]["alphaMode"] = json!("BLEND")).unwrap();
    assert_eq!(blended.parts[0].colour[3], 0.5);
    let moved = with(&|d| {
        d["accessors"][0]["sparse"] = json!({
            "count": 1,
            "indices": { "bufferView": 1, "componentType": 5123 },
            "values": { "bufferView": 0, "byteOffset": 12 },
        });
    });
    assert_eq!(moved.unwrap().bounds(), [10.0, 0.0, 0.0, 12.0, 2.0, 0.0]);
    let coloured = with(&|d| {
        d["meshes"][0]["primitives"][0]["attributes"]["COLOR_0"] = json!(0);
    });
    assert!(coloured.unwrap().parts[0].colour[0] < 0.7);
    let no_scene = with(&|d| {
        d.as_object_mut().unwrap().remove("scenes");
    });
    assert_eq!(no_scene.unwrap().bounds()[0], 10.0);
    for extension in ["KHR_draco_mesh_compression", "EXT_meshopt_compression"] {
        let failure = with(&|d| d["extensionsRequired"] = json!([extension])).unwrap_err();
        assert_eq!(failure.code, "unsupported");
        assert!(failure.message.contains("compressed with"), "{failure:?}");
    }
    let draco = with(&|d| {
        d["meshes"][0]["primitives"][0]["extensions"] = json!({ "KHR_draco_mesh_compression": {} });
    });
    assert!(draco.unwrap_err().message.contains("Draco"));
    for version in [json!("1.0"), json!(1), json!(null)] {
        let old = with(&|d| d["asset"]["version"] = version.clone()).unwrap_err();
        assert_eq!(old.code, "unsupported", "{version}");
    }
}

#[test]
fn hostile_gltf() {
    let huge = json!(u64::MAX);
    let changes: Vec<(&str, Value)> = vec![
        ("/accessors/0/count", json!(4)),
        ("/accessors/0/count", json!(1_000_000_000)),
        ("/accessors/0/count", huge.clone()),
        ("/accessors/0/count", json!(-1)),
        ("/accessors/0/byteOffset", json!(1)),
        ("/accessors/0/byteOffset", huge.clone()),
        ("/accessors/0/componentType", json!(1)),
        ("/accessors/0/type", json!("MAT4")),
        ("/accessors/0/bufferView", json!(77)),
        ("/accessors/1/count", json!(1000)),
        ("/bufferViews/0/byteLength", json!(35)),
        ("/bufferViews/0/byteOffset", huge.clone()),
        ("/bufferViews/0/buffer", json!(9)),
        ("/bufferViews/0/byteStride", huge.clone()),
        ("/bufferViews/0/byteStride", json!(1_000_000)),
        ("/bufferViews/1/byteOffset", json!(43)),
        ("/meshes/0/primitives/0/attributes/POSITION", json!(99)),
        ("/meshes/0/primitives/0/indices", json!(99)),
        ("/nodes/1/mesh", json!(99)),
        ("/nodes/1/scale", json!([1e308, 1e308, 1e308])),
        ("/nodes/0/children", json!([0, 0, 0])),
        ("/scene", json!(7)),
        ("/buffers/0/uri", json!("data:;base64,!!!!")),
        ("/buffers/0/uri", json!("data:")),
    ];
    for (pointer, value) in changes {
        for is_glb in [false, true] {
            let mut document = gltf((!is_glb).then(data_uri).as_deref());
            if is_glb && pointer == "/buffers/0/uri" {
                continue;
            }
            if let Some((around, key)) = pointer.rsplit_once('/') {
                let around = document.pointer_mut(around).unwrap();
                match key.parse::<usize>() {
                    Ok(at) if around.is_array() => around[at] = value.clone(),
                    _ => around[key] = value.clone(),
                }
            }
            let result = if is_glb {
                look("x.glb", glb(&document, &buffer()))
            } else {
                look("x.gltf", document.to_string())
            };
            // With another scene than there is, all nodes are one.
            if pointer != "/scene" {
                let code = result.map_err(|failure| failure.code).err();
                let code = code.as_deref();
                assert_eq!(code, Some("malformed"), "{pointer} {value}");
            }
        }
    }
    // Nodes in a ring, and a chain that is as long as it is deep.
    let mut ring = gltf(Some(&data_uri()));
    ring["nodes"][1]["children"] = json!([0, 1]);
    let mesh = look("x.gltf", ring.to_string()).unwrap();
    assert_eq!((mesh.indices.len(), mesh.complete), (3, false));
    let mut chain = gltf(Some(&data_uri()));
    let nodes: Vec<Value> = (1..=100_000)
        .map(|next| json!({ "children": [next] }))
        .collect();
    chain["nodes"] = Value::Array(nodes);
    chain["nodes"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "mesh": 0 }));
    assert!(look("x.gltf", chain.to_string()).unwrap().complete);
    // A few points, drawn very often.
    let mut often = gltf(Some(&data_uri()));
    often["nodes"] = (0..800_000).map(|_| json!({ "mesh": 0 })).collect();
    often["scenes"][0]["nodes"] = (0..800_000).collect();
    assert!(look("x.gltf", often.to_string()).unwrap().indices.len() <= 3 * TRIANGLES_MAX);
    let deep = format!(
        "{{\"asset\":{{\"version\":\"2.0\"}},\"extras\":{}1{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert_eq!(look("x.gltf", deep).unwrap_err().code, "malformed");
    let whole = glb(&gltf(None), &buffer());
    for length in 0..whole.len() {
        let _ = look("x.glb", &whole[..length]);
        let mut bytes = whole.clone();
        bytes[length] ^= 0xff;
        let _ = look("x.glb", &bytes);
    }
    for text in ["", "{", "[]", "null", "{}", "{\"asset\":{}}"] {
        assert_eq!(
            look("x.gltf", text).unwrap_err().code,
            "malformed",
            "{text}"
        );
    }
    assert_eq!(look("x.fbx", "x").unwrap_err().code, "unsupported");
}
