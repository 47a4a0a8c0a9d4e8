// One picture: fitted, at its own size, or zoomed about the pointer or between two fingers; dragged when larger than the
// stage. A thumbnail stands in until the original is there.

import { addressOf } from '../api.js';
import { h, iconButton, set, visibleName } from '../lib/html.js';
import { clamp } from '../lib/virtual_window.js';
import { gestures, keysOf, settled } from './shared.js';

const ZOOM_MAX = 8;
const ZOOM_MIN = 0.05;
/** From here on a pixel is worth seeing as one. */
const PIXELS_FROM = 3;

/** @param {import('../components/viewer.js').Stage} stage */
export async function open({ box, tools, asset, signal, facts, noteFacts, notice, notKnown, sayIfCut }) {
  /** 0 where it is fitted. */
  let scale = 0;
  let x = 0;
  let y = 0;
  const kind = `This ${asset.format.toUpperCase()}`;
  const image = h('img#viewer-image', { alt: visibleName(asset.filename), draggable: 'false', src: addressOf.bytes(asset.id) });
  const percent = h('span.zoom');

  function fitScale() {
    return Math.min(1, box.clientWidth / (image.naturalWidth || 1), box.clientHeight / (image.naturalHeight || 1));
  }
  function fit() {
    scale = 0;
    draw();
  }
  function actual() {
    [scale, x, y] = [1, 0, 0];
    draw();
  }
  /** @param {MouseEvent} [at] */
  function toggle(at) {
    if (scale) fit();
    else zoomTo(fitScale() < 1 ? 1 : 2, at);
  }
  /** @param {number} factor @param {{clientX: number, clientY: number}} [at] */
  function zoomBy(factor, at) {
    zoomTo((scale || fitScale()) * factor, at);
  }
  /** The point under the pointer stays under it. @param {number} wanted @param {{clientX: number, clientY: number}} [at] */
  function zoomTo(wanted, at) {
    const before = scale || fitScale();
    const { left, top, width, height } = box.getBoundingClientRect();
    const px = at ? at.clientX - left - width / 2 : 0;
    const py = at ? at.clientY - top - height / 2 : 0;
    if (!scale) x = y = 0;
    scale = clamp(wanted, ZOOM_MIN, ZOOM_MAX);
    move(px - ((px - x) * scale) / before - x, py - ((py - y) * scale) / before - y);
  }
  /** @param {number} dx @param {number} dy */
  function move(dx, dy) {
    x += dx;
    y += dy;
    draw();
  }
  function draw() {
    const { naturalWidth, naturalHeight } = image;
    const shown = scale || fitScale();
    if (naturalWidth) percent.textContent = `${Math.round(shown * 100)} %`;
    for (const element of [box, image]) element.classList.toggle('zoomed', scale > 0);
    image.classList.toggle('pixels', shown >= PIXELS_FROM);
    const roomX = Math.max(0, (naturalWidth * shown - box.clientWidth) / 2);
    const roomY = Math.max(0, (naturalHeight * shown - box.clientHeight) / 2);
    x = clamp(x, -roomX, roomX);
    y = clamp(y, -roomY, roomY);
    image.style.transform = scale ? `translate(${x}px, ${y}px) scale(${shown})` : '';
  }

  /** The thumbnail, as large as the original will be. */
  async function standIn() {
    const thumb = h('img.stand-in', { alt: '', src: addressOf.thumbnail(asset.id, 512) });
    const [known] = await Promise.all([facts(), thumb.decode().catch(() => {})]);
    const { naturalWidth: width, naturalHeight: height } = thumb;
    if (signal.aborted || image.naturalWidth > 0 || width === 0) return;
    const times = Math.max(1, Math.max(Number(known.width) || 0, Number(known.height) || 0) / Math.max(width, height));
    thumb.style.width = `${width * Math.min(times, box.clientWidth / width, box.clientHeight / height)}px`;
    box.prepend(thumb);
    image.addEventListener('load', () => thumb.remove());
  }

  /** The server may know formats that the browser does not. */
  function broken() {
    const preview = addressOf.thumbnail(asset.id, 1024);
    if (!asset.thumbnail || image.src.endsWith(preview)) {
      notKnown(`${kind} could not be drawn`);
      return;
    }
    image.src = preview;
    notice(`${kind} could not be drawn by this browser. What is shown is the server’s preview of at most 1,024 pixels; the original is one click away.`);
  }

  tools.append(iconButton('zoom-out', 'Zoom out (−)', () => zoomBy(0.8)), percent, iconButton('zoom-in', 'Zoom in (+)', () => zoomBy(1.25)),
    h('button.plain', { title: 'Own size (1)', onclick: actual }, '1:1'), iconButton('fit', 'Fit (0)', fit));
  box.classList.add('picture-stage');
  if (asset.thumbnail) standIn();
  box.append(image);
  set(image, {
    signal,
    onload() {
      image.classList.add('ready');
      draw();
    },
    onerror: broken,
  });
  set(box, {
    signal,
    ondblclick: toggle,
    onwheel(event) {
      event.preventDefault();
      if (event.ctrlKey) zoomBy(Math.exp(-event.deltaY / 200), event);
      else move(-event.deltaX, -event.deltaY);
    },
  });
  const down = gestures(box, signal, {
    drag: (dx, dy, { buttons }) => buttons === 1 && move(dx, dy),
    pinch: zoomBy,
    // Pinched back to where it was fitted: fitted again.
    released: ({ pointerType }) => pointerType === 'touch' && fitScale() < 1 && scale <= fitScale() * 1.02 && fit(),
  });
  const observer = new ResizeObserver(draw);
  observer.observe(box);
  noteFacts(() => (image.naturalWidth ? `${image.naturalWidth} × ${image.naturalHeight}` : ''));
  sayIfCut(kind, 'is shown');
  await settled(image, 'load', signal);
  return {
    end: () => observer.disconnect(),
    gestures: () => scale > 0 || down.size > 1,
    key: keysOf({ '+': () => zoomBy(1.25), '=': () => zoomBy(1.25), '-': () => zoomBy(0.8), 0: fit, 1: actual, Z: () => toggle() }),
  };
}
