// Draws one mesh with WebGL: two lights that stay with the viewer, colours by part, edges on demand. Knows matrices and
// buffers; neither the page nor where the mesh came from.

import { edgesOf, perspective, viewMatrix } from '../lib/mesh.js';

const ANGLE = (35 * Math.PI) / 180;

const VERTEX = `
attribute vec3 position; attribute vec3 normal;
uniform mat4 view; uniform mat4 projection;
varying vec3 facing; varying vec3 at;
void main() {
  vec4 seen = view * vec4(position, 1.0);
  at = seen.xyz;
  facing = mat3(view[0].xyz, view[1].xyz, view[2].xyz) * normal;
  gl_Position = projection * seen;
}`;

// A side turned away is lit as the other one: many models have walls without thickness, or triangles wound the other way.
const FRAGMENT = `
precision mediump float;
uniform vec4 colour; uniform float lit;
varying vec3 facing; varying vec3 at;
void main() {
  vec3 n = length(facing) > 0.0 ? normalize(facing) : vec3(0.0, 0.0, 1.0);
  if (dot(n, at) > 0.0) n = -n;
  vec3 eye = normalize(-at);
  vec3 lamp = normalize(vec3(-0.5, 0.7, 0.8));
  float key = max(dot(n, lamp), 0.0);
  float fill = max(dot(n, normalize(vec3(0.8, 0.1, 0.4))), 0.0);
  float sky = 0.5 + 0.5 * n.y;
  float shine = pow(max(dot(n, normalize(lamp + eye)), 0.0), 40.0);
  vec3 shown = colour.rgb * (0.26 + 0.16 * sky + 0.56 * key + 0.16 * fill) + 0.14 * shine;
  gl_FragColor = vec4(mix(colour.rgb, shown, lit), colour.a);
}`;

/**
 * @typedef {{yaw: number, pitch: number, x: number, y: number, distance: number, zUp: boolean, centre: number[], radius: number}} Camera
 */

/** @param {HTMLCanvasElement} canvas @param {import('../lib/mesh.js').Mesh} mesh; throws where there is no WebGL */
export function meshRenderer(canvas, mesh) {
  const gl = canvas.getContext('webgl2', { antialias: true, alpha: true, premultipliedAlpha: false, powerPreference: 'low-power' });
  if (!gl) throw new Error('This browser has no WebGL here, which drawing a model needs.');
  /** Where what the programs are told goes. @type {Record<string, WebGLUniformLocation>} */
  let at;
  /** @type {WebGLBuffer} */
  let triangles;
  /** @type {WebGLBuffer | null} */
  let edges;
  prepare();

  /** Programs and buffers; again after the graphics card lost them. */
  function prepare() {
    const program = gl.createProgram();
    for (const [type, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(type);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    ['position', 'normal'].forEach((name, i) => gl.bindAttribLocation(program, i, name));
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) throw new Error(`The graphics card refused the drawing program: ${gl.getProgramInfoLog(program)}`);
    gl.useProgram(program);
    at = Object.fromEntries(['view', 'projection', 'colour', 'lit'].map((name) => [name, gl.getUniformLocation(program, name)]));
    [mesh.positions, mesh.normals].forEach((values, i) => {
      gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
      gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
      gl.enableVertexAttribArray(i);
      gl.vertexAttribPointer(i, 3, gl.FLOAT, false, 0, 0);
    });
    triangles = elements(mesh.indices);
    edges = null;
    gl.enable(gl.DEPTH_TEST);
    gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
  }

  /** @param {Uint32Array} indices */
  function elements(indices) {
    const buffer = gl.createBuffer();
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, indices, gl.STATIC_DRAW);
    return buffer;
  }

  /** @param {Camera} camera @param {{wire: boolean, line: number[]}} how line is the colour of edges */
  function draw(camera, { wire, line }) {
    if (gl.isContextLost() || !at) return;
    const scale = Math.min(devicePixelRatio || 1, 2);
    const width = Math.max(1, Math.round(canvas.clientWidth * scale));
    const height = Math.max(1, Math.round(canvas.clientHeight * scale));
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    const { radius, distance } = camera;
    const away = distance + Math.hypot(camera.x, camera.y);
    gl.uniformMatrix4fv(at.view, false, viewMatrix(camera));
    gl.uniformMatrix4fv(at.projection, false, perspective(ANGLE, width / height, Math.max(radius / 1000, distance - radius * 1.5), away + radius * 3));
    if (wire) {
      edges ??= elements(edgesOf(mesh.indices));
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, edges);
      gl.uniform4fv(at.colour, line);
      gl.uniform1f(at.lit, 0);
      gl.drawElements(gl.LINES, mesh.indices.length * 2, gl.UNSIGNED_INT, 0);
      return;
    }
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, triangles);
    gl.uniform1f(at.lit, 1);
    // What one can see through is drawn over what one cannot.
    for (const clear of [false, true]) {
      for (const { first, count, colour } of mesh.parts) {
        if (colour[3] < 1 !== clear) continue;
        if (clear) gl.enable(gl.BLEND);
        gl.uniform4fv(at.colour, colour);
        gl.drawElements(gl.TRIANGLES, count, gl.UNSIGNED_INT, first * 4);
      }
    }
    gl.disable(gl.BLEND);
  }

  function end() {
    gl.getExtension('WEBGL_lose_context')?.loseContext();
  }

  return { prepare, draw, end };
}

/** How far away a ball of this radius is seen whole. @param {number} radius @param {number} aspect */
export function distanceFor(radius, aspect) {
  return (radius / Math.sin(ANGLE / 2)) * (aspect < 1 ? 1 / aspect : 1) * 1.02;
}
