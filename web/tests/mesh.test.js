// What comes from the server as a mesh is checked before it is drawn, and turns the way a hand expects.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { ballAround, edgesOf, parseMesh, perspective, viewMatrix } from '../lib/mesh.js';

/** One triangle, as the server would send it. @param {Record<string, any>} [change] */
function triangle(change = {}) {
  const head = { vertices: 3, triangles: 1, bounds: [0, 0, 0, 1, 1, 0], parts: [{ first: 0, count: 3, colour: [1, 1, 1, 1] }], complete: true, ...change };
  const text = JSON.stringify(head);
  const json = new TextEncoder().encode(text + ' '.repeat((4 - (text.length % 4)) % 4));
  const bytes = new Uint8Array(8 + json.length + 3 * 3 * 8 + 12);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode('CVM1'));
  view.setUint32(4, json.length, true);
  bytes.set(json, 8);
  const at = 8 + json.length;
  [0, 0, 0, 1, 0, 0, 0, 1, 0].forEach((value, i) => view.setFloat32(at + i * 4, value, true));
  for (let i = 0; i < 3; i += 1) view.setFloat32(at + 36 + i * 12 + 8, 1, true);
  (change.indices ?? [0, 1, 2]).forEach((/** @type {number} */ value, /** @type {number} */ i) => view.setUint32(at + 72 + i * 4, value, true));
  return bytes.buffer;
}

/** @param {Float32Array} matrix @param {number[]} point */
function seen(matrix, [x, y, z]) {
  return [0, 1, 2].map((row) => matrix[row] * x + matrix[4 + row] * y + matrix[8 + row] * z + matrix[12 + row]);
}

/** @param {number[]} actual @param {number[]} wanted */
function near(actual, wanted) {
  actual.forEach((value, i) => assert.ok(Math.abs(value - wanted[i]) < 1e-5, `${actual} is not ${wanted}`));
}

describe('a mesh', () => {
  it('is read as it was sent', () => {
    const mesh = parseMesh(triangle());
    assert.equal(mesh.triangles, 1);
    assert.deepEqual([...mesh.positions], [0, 0, 0, 1, 0, 0, 0, 1, 0]);
    assert.deepEqual([...mesh.normals], [0, 0, 1, 0, 0, 1, 0, 0, 1]);
    assert.deepEqual([...mesh.indices], [0, 1, 2]);
    assert.equal(mesh.complete, true);
  });

  it('is refused where it is cut off, is something else, or names a corner it has not', () => {
    assert.throws(() => parseMesh(triangle().slice(0, -4)), /cut off/);
    assert.throws(() => parseMesh(new TextEncoder().encode('{"message":"no"}').buffer), /no mesh/);
    assert.throws(() => parseMesh(new ArrayBuffer(2)), /no mesh/);
    assert.throws(() => parseMesh(triangle({ indices: [0, 1, 7] })), /corner/);
  });

  it('draws no part beyond its triangles', () => {
    const parts = [{ first: 0, count: 3, colour: [1, 0, 0, 1] }, { first: 3, count: 3, colour: [0, 1, 0, 1] }, { first: 0, count: 0, colour: [0, 0, 1, 1] }];
    assert.equal(parseMesh(triangle({ parts })).parts.length, 1);
  });

  it('has three edges to a triangle', () => {
    assert.deepEqual([...edgesOf(new Uint32Array([4, 5, 6]))], [4, 5, 5, 6, 6, 4]);
  });

  it('lies in a ball, also where it has no extent', () => {
    assert.deepEqual(ballAround([0, 0, 0, 2, 0, 0]), { centre: [1, 0, 0], radius: 1 });
    assert.equal(ballAround([5, 5, 5, 5, 5, 5]).radius, 1);
    assert.equal(ballAround([NaN, 0, 0, 1, 1, 1]).radius, 1);
  });
});

describe('looking at it', () => {
  const at = { centre: [0, 0, 0], yaw: 0, pitch: 0, x: 0, y: 0, distance: 5, zUp: false };

  it('begins from the front, the middle in the middle', () => {
    near(seen(viewMatrix({ ...at, centre: [3, 4, 5] }), [3, 4, 5]), [0, 0, -5]);
    near(seen(viewMatrix(at), [0, 1, 0]), [0, 1, -5]);
  });

  it('turns what is in front to the left and down', () => {
    const turned = seen(viewMatrix({ ...at, yaw: 0.5, pitch: 0.5 }), [0, 0, 1]);
    assert.ok(turned[0] < 0 && turned[1] < 0, String(turned));
  });

  it('sets a model upright whose z points up', () => {
    near(seen(viewMatrix({ ...at, zUp: true }), [0, 0, 1]), [0, 1, -5]);
    near(seen(viewMatrix({ ...at, zUp: true }), [0, -1, 0]), [0, 0, -4]);
  });

  it('maps near and far to the ends of depth', () => {
    const m = perspective(1, 2, 1, 10);
    const depth = (/** @type {number} */ z) => (m[10] * z + m[14]) / -z;
    near([depth(-1), depth(-10)], [-1, 1]);
  });
});
