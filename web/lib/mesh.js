// A mesh as the server sends it (docs/http-api.md, "model"): checked before a byte of it reaches the graphics card, since
// an index beyond its vertices is an error there that nobody explains. Also what turning it needs of matrices. Pure.

const MAGIC = 0x314d5643; // "CVM1", read little-endian

/**
 * @typedef {{first: number, count: number, colour: [number, number, number, number]}} Part
 * @typedef {{vertices: number, triangles: number, bounds: number[], parts: Part[], complete: boolean, message: string,
 *   positions: Float32Array, normals: Float32Array, indices: Uint32Array}} Mesh
 */

/** @param {ArrayBuffer} buffer @returns {Mesh} throws with a sentence where the answer is no mesh */
export function parseMesh(buffer) {
  const view = new DataView(buffer);
  if (buffer.byteLength < 8 || view.getUint32(0, true) !== MAGIC) throw new Error('The answer is no mesh.');
  const jsonBytes = view.getUint32(4, true);
  const start = 8 + jsonBytes;
  const cut = new Error('The mesh was cut off on its way here.');
  if (jsonBytes % 4 !== 0 || start > buffer.byteLength) throw cut;
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, jsonBytes)));
  const { vertices, triangles } = head;
  const floats = vertices * 3;
  if (start + floats * 8 + triangles * 12 !== buffer.byteLength) throw cut;
  const positions = new Float32Array(buffer, start, floats);
  const normals = new Float32Array(buffer, start + floats * 4, floats);
  const indices = new Uint32Array(buffer, start + floats * 8, triangles * 3);
  if (indices.some((index) => index >= vertices)) throw new Error('The mesh names a corner that it does not have.');
  const parts = head.parts.filter(({ first, count }) => count > 0 && first + count <= indices.length);
  return { message: '', ...head, parts, complete: head.complete !== false, positions, normals, indices };
}

/** The middle of a box and the radius of the ball around it; 1 for what has no extent. @param {number[]} bounds */
export function ballAround([x0, y0, z0, x1, y1, z1]) {
  const radius = Math.hypot(x1 - x0, y1 - y0, z1 - z0) / 2;
  return { centre: [(x0 + x1) / 2, (y0 + y1) / 2, (z0 + z1) / 2], radius: radius > 0 && Number.isFinite(radius) ? radius : 1 };
}

/** Both ends of every edge, for lines. @param {Uint32Array} indices */
export function edgesOf(indices) {
  const edges = new Uint32Array(indices.length * 2);
  for (let i = 0; i + 2 < indices.length; i += 3) {
    const [a, b, c] = indices.subarray(i, i + 3);
    edges.set([a, b, b, c, c, a], i * 2);
  }
  return edges;
}

/**
 * Turned by `yaw` about the upright axis, tipped by `pitch`, and moved: columns first, as the graphics card wants it.
 * @param {{centre: number[], yaw: number, pitch: number, x: number, y: number, distance: number, zUp: boolean}} at
 */
export function viewMatrix({ centre, yaw, pitch, x, y, distance, zUp }) {
  const [sy, cy, sp, cp] = [Math.sin(yaw), Math.cos(yaw), Math.sin(pitch), Math.cos(pitch)];
  // Rows of the rotation for a model whose y points up.
  const rows = [[cy, 0, -sy], [-sp * sy, cp, -sp * cy], [cp * sy, sp, cp * cy]];
  // One whose z points up is first laid on its back: (x, y, z) becomes (x, z, -y).
  const turned = zUp ? rows.map(([a, b, c]) => [a, -c, b]) : rows;
  const move = turned.map((row, i) => [x, y, -distance][i] - row.reduce((sum, value, j) => sum + value * centre[j], 0));
  const columns = [0, 1, 2].flatMap((i) => [...turned.map((row) => row[i]), 0]);
  return new Float32Array([...columns, ...move, 1]);
}

/** @param {number} angle upright, in radians @param {number} aspect @param {number} near @param {number} far */
export function perspective(angle, aspect, near, far) {
  const f = 1 / Math.tan(angle / 2);
  return new Float32Array([f / aspect, 0, 0, 0, 0, f, 0, 0, 0, 0, (far + near) / (near - far), -1, 0, 0, (2 * far * near) / (near - far), 0]);
}
