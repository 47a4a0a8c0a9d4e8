// A model to turn: dragged, pinched, wheeled or by keys. The server read the file and sends triangles; they are drawn here
// when something changed and never otherwise.

import { api } from '../api.js';
import { plural, visibleName } from '../lib/format.js';
import { h, icon } from '../lib/html.js';
import { ballAround, parseMesh } from '../lib/mesh.js';
import { clamp } from '../lib/virtual_window.js';
import { MeshRenderer, distanceFor } from './mesh_renderer.js';

const TURN_PER_PX = 0.008;
const KEY_TURN = Math.PI / 12;
const PITCH_MAX = Math.PI / 2;

/** @param {import('../components/viewer.js').Stage} stage */
export async function open(stage) {
  const { box, tools, asset, signal, note, notice, fail, sayIfCut } = stage;
  const mesh = parseMesh(await api.model(asset.id, signal));
  if (signal.aborted) return;
  if (mesh.triangles === 0) throw new Error(mesh.message || 'There is nothing to draw in this model: it has no triangles.');
  note([plural(mesh.vertices, 'corner'), plural(mesh.triangles, 'triangle')].join(' · '));
  if (mesh.message) notice(mesh.message);
  else if (!mesh.complete) notice('Only a part of this model could be read; that part is shown.');
  else sayIfCut('This model ends early: it was cut short, and is drawn as far as it goes.');
  const canvas = /** @type {HTMLCanvasElement} */ (h('canvas.model', { role: 'img', 'aria-label': `${visibleName(asset.filename)}, to be turned with Shift and the arrow keys`, testid: 'viewer-model' }));
  box.append(canvas);
  let renderer;
  try {
    renderer = new MeshRenderer(canvas, mesh);
  } catch (error) {
    canvas.remove();
    fail(`${error.message} The bytes are shown instead.`);
    return;
  }
  const { centre, radius } = ballAround(mesh.bounds);
  const camera = { centre, radius, yaw: 0, pitch: 0, x: 0, y: 0, distance: 1, zUp: asset.media_type === 'model/stl' };
  let wire = false;
  let frame = 0;

  function draw() {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => {
      if (signal.aborted) return;
      // The page's own colour of text, as three numbers, for lines that can be seen in both themes.
      const [r, g, b] = (getComputedStyle(canvas).color.match(/[\d.]+/g) ?? ['128', '128', '128']).map((value) => Number(value) / 255);
      renderer.draw(camera, { wire, line: [r, g, b, 1] });
      canvas.dataset.drawn = String(Number(canvas.dataset.drawn ?? 0) + 1);
    });
  }
  function reset() {
    Object.assign(camera, { yaw: -0.6, pitch: 0.35, x: 0, y: 0, distance: distanceFor(radius, canvas.clientWidth / Math.max(1, canvas.clientHeight)) });
    draw();
  }
  /** @param {number} yaw @param {number} pitch */
  function turn(yaw, pitch) {
    camera.yaw += yaw;
    camera.pitch = clamp(camera.pitch + pitch, -PITCH_MAX, PITCH_MAX);
    draw();
  }
  /** @param {number} factor */
  function zoom(factor) {
    camera.distance = clamp(camera.distance * factor, radius * 0.05, radius * 40);
    draw();
  }
  /** @param {number} dx in pixels @param {number} dy */
  function pan(dx, dy) {
    const perPx = (camera.distance * 0.63) / Math.max(1, canvas.clientHeight);
    camera.x = clamp(camera.x + dx * perPx, -radius * 3, radius * 3);
    camera.y = clamp(camera.y - dy * perPx, -radius * 3, radius * 3);
    draw();
  }

  const button = (label, face, act, more = {}) => h('button.plain', { 'aria-label': label, title: label, onclick: act, ...more }, face);
  const wireButton = button('Edges (W)', 'Edges', () => toggleWire(), { 'aria-pressed': 'false', testid: 'model-wire' });
  function toggleWire() {
    wire = !wire;
    wireButton.setAttribute('aria-pressed', String(wire));
    draw();
  }
  const upButton = button('Which way is up (U)', 'Z up', () => toggleUp(), { 'aria-pressed': String(camera.zUp), testid: 'model-up' });
  function toggleUp() {
    camera.zUp = !camera.zUp;
    upButton.setAttribute('aria-pressed', String(camera.zUp));
    draw();
  }
  tools.append(button('Zoom out (−)', icon('zoom-out'), () => zoom(1.25)), button('Zoom in (+)', icon('zoom-in'), () => zoom(0.8)),
    button('As at first (0)', icon('fit'), reset), wireButton, upButton);

  /** @type {Map<number, PointerEvent>} */
  const pointers = new Map();
  canvas.addEventListener('pointerdown', (event) => {
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, event);
  }, { signal });
  canvas.addEventListener('pointermove', (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const [a, b] = [...pointers.values()];
    pointers.set(event.pointerId, event);
    const dx = event.clientX - before.clientX;
    const dy = event.clientY - before.clientY;
    if (b) {
      const [c, d] = [...pointers.values()];
      const apart = (one, two) => Math.max(1, Math.hypot(one.clientX - two.clientX, one.clientY - two.clientY));
      zoom(apart(a, b) / apart(c, d));
      pan(dx / 2, dy / 2);
    } else if (event.shiftKey || before.button > 0 || event.buttons > 1) {
      pan(dx, dy);
    } else {
      turn(-dx * TURN_PER_PX, dy * TURN_PER_PX);
    }
  }, { signal });
  for (const type of ['pointerup', 'pointercancel']) canvas.addEventListener(type, (event) => pointers.delete(event.pointerId), { signal });
  canvas.addEventListener('contextmenu', (event) => event.preventDefault(), { signal });
  canvas.addEventListener('dblclick', reset, { signal });
  canvas.addEventListener('wheel', (event) => {
    event.preventDefault();
    zoom(Math.exp(clamp(event.deltaY, -200, 200) / 400));
  }, { passive: false, signal });
  canvas.addEventListener('webglcontextlost', (event) => {
    event.preventDefault();
    if (!signal.aborted) canvas.dataset.lost = 'yes';
  }, { signal });
  canvas.addEventListener('webglcontextrestored', () => {
    delete canvas.dataset.lost;
    renderer.prepare();
    draw();
  }, { signal });
  const observer = new ResizeObserver(draw);
  observer.observe(canvas);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw, { signal });
  reset();

  /** @type {Record<string, () => void>} */
  const keys = {
    'Shift+ArrowLeft': () => turn(KEY_TURN, 0), 'Shift+ArrowRight': () => turn(-KEY_TURN, 0),
    'Shift+ArrowUp': () => turn(0, -KEY_TURN), 'Shift+ArrowDown': () => turn(0, KEY_TURN),
    '+': () => zoom(0.8), '=': () => zoom(0.8), '-': () => zoom(1.25), 0: reset, W: toggleWire, U: toggleUp,
  };
  return {
    end() {
      cancelAnimationFrame(frame);
      observer.disconnect();
      renderer.end();
    },
    gestures: () => true,
    /** @param {string} key */
    key(key) {
      keys[key]?.();
      return key in keys;
    },
  };
}
