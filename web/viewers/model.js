// A model to turn: dragged, pinched, wheeled or by keys. The server read the file and sends triangles; they are drawn here
// when something changed and never otherwise.

import { api } from '../api.js';
import { h, iconButton, plural, set, visibleName } from '../lib/html.js';
import { ballAround, parseMesh } from '../lib/mesh.js';
import { clamp } from '../lib/virtual_window.js';
import { distanceFor, meshRenderer } from './mesh_renderer.js';
import { gestures, keysOf } from './shared.js';

const TURN_PER_PX = 0.008;
const KEY_TURN = Math.PI / 12;
const PITCH_MAX = Math.PI / 2;

/** @param {import('../components/viewer.js').Stage} stage */
export async function open(stage) {
  const { box, tools, asset, signal, note, notice, fail, sayIfCut } = stage;
  const mesh = parseMesh(await api.model(asset.id, signal));
  if (signal.aborted) return;
  if (mesh.triangles === 0) throw new Error(mesh.message || 'There is nothing to draw in this model: it has no triangles.');
  note(`${plural(mesh.vertices, 'corner')} · ${plural(mesh.triangles, 'triangle')}`);
  if (mesh.message) notice(mesh.message);
  else if (!mesh.complete) notice('Only a part of this model could be read; that part is shown.');
  else sayIfCut('This model', 'is drawn');
  const stay = (event) => event.preventDefault();
  const canvas = h('canvas.model#viewer-model', {
    role: 'img', label: `${visibleName(asset.filename)}, to be turned with Shift and the arrow keys`,
    onpointerdown: stay, oncontextmenu: stay, ondblclick: reset,
    onwheel(event) {
      event.preventDefault();
      zoom(Math.exp(clamp(event.deltaY, -200, 200) / 400));
    },
    onwebglcontextlost: stay,
    onwebglcontextrestored() {
      renderer.prepare();
      draw();
    },
  });
  box.append(canvas);
  let renderer;
  try {
    renderer = meshRenderer(canvas, mesh);
  } catch (error) {
    canvas.remove();
    fail(`${error.message} The bytes are shown instead.`);
    return;
  }
  const { centre, radius } = ballAround(mesh.bounds);
  const camera = { centre, radius, yaw: 0, pitch: 0, x: 0, y: 0, distance: 1, zUp: asset.media_type === 'model/stl' };
  let fitted = true;
  let wire = false;
  let frame = 0;
  let drawn = 0;

  function draw() {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => {
      if (signal.aborted) return;
      // The page's own colour of text, as three numbers, for lines that can be seen in both themes.
      const [r, g, b] = getComputedStyle(canvas).color.match(/[\d.]+/g).map((value) => value / 255);
      renderer.draw(camera, { wire, line: [r, g, b, 1] });
      canvas.dataset.drawn = drawn += 1;
    });
  }
  /** Until the person comes nearer, all of it is seen, whichever way the window is turned. */
  function fit() {
    if (fitted) camera.distance = distanceFor(radius, Math.max(1, canvas.clientWidth) / Math.max(1, canvas.clientHeight));
    draw();
  }
  function reset() {
    Object.assign(camera, { yaw: -0.6, pitch: 0.35, x: 0, y: 0 });
    fitted = true;
    fit();
  }
  /** @param {number} yaw @param {number} pitch */
  function turn(yaw, pitch) {
    camera.yaw += yaw;
    camera.pitch = clamp(camera.pitch + pitch, -PITCH_MAX, PITCH_MAX);
    draw();
  }
  /** @param {number} factor */
  function zoom(factor) {
    fitted = false;
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

  /** @param {string} tip @param {string} face @param {string} id @param {() => boolean} change gives what it is now */
  function switchButton(tip, face, id, pressed, change) {
    const act = () => {
      set(button, { pressed: change() });
      draw();
    };
    const button = h('button.plain', { tip, id, pressed: pressed, onclick: act }, face);
    tools.append(button);
    return act;
  }
  const bigger = () => zoom(0.8);
  const smaller = () => zoom(1.25);
  tools.append(iconButton('zoom-out', 'Zoom out (−)', smaller), iconButton('zoom-in', 'Zoom in (+)', bigger), iconButton('fit', 'As at first (0)', reset));
  const toggleWire = switchButton('Edges (W)', 'Edges', 'model-wire', wire, () => wire = !wire);
  const toggleUp = switchButton('Z up, or Y (U)', 'Z up', 'model-up', camera.zUp, () => camera.zUp = !camera.zUp);

  gestures(canvas, signal, {
    drag(dx, dy, { shiftKey, buttons }) {
      if (shiftKey || buttons > 1) pan(dx, dy);
      else turn(-dx * TURN_PER_PX, dy * TURN_PER_PX);
    },
    pinch(times, middle, dx, dy) {
      zoom(1 / times);
      pan(dx / 2, dy / 2);
    },
  });
  const observer = new ResizeObserver(fit);
  observer.observe(canvas);
  set(matchMedia('(prefers-color-scheme: dark)'), { signal, onchange: draw });
  reset();
  return {
    end() {
      cancelAnimationFrame(frame);
      observer.disconnect();
      renderer.end();
    },
    gestures: () => true,
    key: keysOf({
      'Shift+ArrowLeft': () => turn(KEY_TURN, 0), 'Shift+ArrowRight': () => turn(-KEY_TURN, 0),
      'Shift+ArrowUp': () => turn(0, -KEY_TURN), 'Shift+ArrowDown': () => turn(0, KEY_TURN),
      '+': bigger, '=': bigger, '-': smaller, 0: reset, W: toggleWire, U: toggleUp,
    }),
  };
}
