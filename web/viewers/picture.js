// One picture: fitted, at its own size, or zoomed about the pointer or between two fingers; dragged when larger than the
// stage. A thumbnail stands in until the original is there.

import { addressOf } from '../api.js';
import { factLine } from '../lib/facts.js';
import { visibleName } from '../lib/format.js';
import { h, icon } from '../lib/html.js';
import { clamp } from '../lib/virtual_window.js';

const ZOOM_MAX = 8;
const ZOOM_MIN = 0.05;
/** From here on a pixel is worth seeing as one. */
const PIXELS_FROM = 3;

/** @param {import('../components/viewer.js').Stage} stage */
export async function open(stage) {
  const picture = new Picture(stage);
  await new Promise((resolve) => {
    for (const type of ['load', 'error']) picture.image.addEventListener(type, resolve, { once: true });
    stage.signal.addEventListener('abort', resolve, { once: true });
  });
  return {
    end: () => picture.ended.abort(),
    gestures: () => picture.zoomed || picture.pointers.size > 1,
    /** @param {string} key */
    key(key) {
      /** @type {Record<string, () => void>} */
      const acts = { '+': () => picture.zoomBy(1.25), '=': () => picture.zoomBy(1.25), '-': () => picture.zoomBy(0.8), 0: () => picture.fit(), 1: () => picture.actual(), Z: () => picture.toggle() };
      acts[key]?.();
      return key in acts;
    },
  };
}

class Picture {
  /** @param {import('../components/viewer.js').Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.box = stage.box;
    this.scale = 0;
    this.x = 0;
    this.y = 0;
    /** Fingers and mouse buttons that are down. @type {Map<number, PointerEvent>} */
    this.pointers = new Map();
    this.ended = new AbortController();
    const { signal } = this.ended;
    const { asset, tools, fail } = stage;
    const name = visibleName(asset.filename);
    this.image = h('img', { alt: name, draggable: 'false', testid: 'viewer-image' });
    this.percent = h('span.zoom');
    const button = (label, glyph, act) => h('button.plain', { 'aria-label': label, title: label, onclick: act }, icon(glyph));
    tools.append(button('Zoom out (−)', 'zoom-out', () => this.zoomBy(0.8)), this.percent, button('Zoom in (+)', 'zoom-in', () => this.zoomBy(1.25)),
      h('button.plain', { title: 'Own size (1)', onclick: () => this.actual() }, '1:1'), button('Fit (0)', 'fit', () => this.fit()));
    this.box.classList.add('picture-stage');
    if (asset.thumbnail) this.standIn();
    this.image.addEventListener('load', () => this.loaded(), { signal });
    this.image.addEventListener('error', () => this.broken(fail), { signal });
    this.image.src = addressOf.bytes(asset.id);
    this.box.append(this.image);
    this.box.addEventListener('dblclick', (event) => this.toggle(event), { signal });
    this.box.addEventListener('wheel', (event) => this.onWheel(event), { passive: false, signal });
    this.box.addEventListener('pointerdown', (event) => this.onPress(event), { signal });
    new ResizeObserver((_, observer) => (signal.aborted ? observer.disconnect() : this.apply())).observe(this.box);
    this.sayFacts();
    stage.sayIfCut(`${this.wordOf(asset)} ends early: it was cut short, and is shown as far as it goes.`);
  }

  /** The thumbnail, as large as the original will be. */
  async standIn() {
    const { asset, facts, signal } = this.stage;
    const thumb = /** @type {HTMLImageElement} */ (h('img.stand-in', { alt: '', src: addressOf.thumbnail(asset.id, 512) }));
    this.thumb = thumb;
    const [, known] = await Promise.all([thumb.decode().then(() => true, () => false), facts().catch(() => ({}))]);
    if (signal.aborted || this.image.naturalWidth > 0 || thumb.naturalWidth === 0) return;
    const long = Math.max(Number(known.width) || 0, Number(known.height) || 0);
    const times = Math.max(1, long / Math.max(thumb.naturalWidth, thumb.naturalHeight));
    const shown = Math.min(times, this.box.clientWidth / thumb.naturalWidth, this.box.clientHeight / thumb.naturalHeight);
    thumb.style.width = `${thumb.naturalWidth * shown}px`;
    this.box.prepend(thumb);
  }

  loaded() {
    this.thumb?.remove();
    this.image.classList.add('ready');
    this.apply();
  }

  /** @param {import('../api.js').Asset} asset */
  wordOf(asset) {
    return `This ${asset.format.toUpperCase()}`;
  }

  /** The server may know formats that the browser does not. @param {import('../components/viewer.js').Stage['fail']} fail */
  async broken(fail) {
    const { asset, notice } = this.stage;
    const why = `${this.wordOf(asset)} could not be drawn: this browser does not know its kind, or the file is cut short or damaged inside.`;
    const address = addressOf.thumbnail(asset.id, 1024);
    if (!asset.thumbnail || this.image.src.endsWith(address)) {
      fail(why);
      return;
    }
    this.image.src = address;
    notice(`${this.wordOf(asset)} could not be drawn by this browser. What is shown is the server’s preview of at most 1,024 pixels; the original is one click away.`);
  }

  async sayFacts() {
    const { facts, note, signal } = this.stage;
    const line = factLine(await facts().catch(() => ({})));
    if (line) this.line = line;
    if (!signal.aborted) note(this.line || (this.image.naturalWidth ? `${this.image.naturalWidth} × ${this.image.naturalHeight}` : ''));
  }

  get zoomed() {
    return this.scale !== 0;
  }

  fitScale() {
    const { naturalWidth: w, naturalHeight: hgt } = this.image;
    if (!w || !hgt) return 1;
    return Math.min(1, this.box.clientWidth / w, this.box.clientHeight / hgt);
  }

  fit() {
    this.scale = 0;
    this.apply();
  }

  actual() {
    this.scale = 1;
    this.x = 0;
    this.y = 0;
    this.apply();
  }

  /** @param {{clientX: number, clientY: number}} [at] */
  toggle(at) {
    if (this.zoomed) this.fit();
    else this.zoomTo(this.fitScale() < 1 ? 1 : 2, at);
  }

  /** @param {number} factor @param {{clientX: number, clientY: number}} [at] */
  zoomBy(factor, at) {
    this.zoomTo((this.scale || this.fitScale()) * factor, at);
  }

  /** The point under the pointer stays under it. @param {number} scale @param {{clientX: number, clientY: number}} [at] */
  zoomTo(scale, at) {
    const before = this.scale || this.fitScale();
    const after = clamp(scale, ZOOM_MIN, ZOOM_MAX);
    const rect = this.box.getBoundingClientRect();
    const px = at ? at.clientX - rect.left - rect.width / 2 : 0;
    const py = at ? at.clientY - rect.top - rect.height / 2 : 0;
    if (!this.zoomed) this.x = this.y = 0;
    this.x = px - ((px - this.x) * after) / before;
    this.y = py - ((py - this.y) * after) / before;
    this.scale = after;
    this.apply();
  }

  apply() {
    const { naturalWidth: w, naturalHeight: hgt } = this.image;
    const shown = this.scale || this.fitScale();
    if (w) this.percent.textContent = `${Math.round(shown * 100)} %`;
    this.box.classList.toggle('zoomed', this.zoomed);
    this.image.classList.toggle('zoomed', this.zoomed);
    this.image.classList.toggle('pixels', shown >= PIXELS_FROM);
    if (!this.zoomed) {
      this.image.style.transform = '';
      return;
    }
    const roomX = Math.max(0, (w * shown - this.box.clientWidth) / 2);
    const roomY = Math.max(0, (hgt * shown - this.box.clientHeight) / 2);
    this.x = clamp(this.x, -roomX, roomX);
    this.y = clamp(this.y, -roomY, roomY);
    this.image.style.transform = `translate(${this.x}px, ${this.y}px) scale(${shown})`;
  }

  /** @param {WheelEvent} event */
  onWheel(event) {
    event.preventDefault();
    if (event.ctrlKey) {
      this.zoomBy(Math.exp(-event.deltaY / 200), event);
    } else if (this.zoomed) {
      this.x -= event.deltaX;
      this.y -= event.deltaY;
      this.apply();
    }
  }

  /** @param {PointerEvent} event */
  onPress(event) {
    if (event.button !== 0) return;
    const { box, pointers } = this;
    pointers.set(event.pointerId, event);
    if (pointers.size > 1) return;
    const done = new AbortController();
    const { signal } = done;
    box.addEventListener('pointermove', (at) => {
      const before = pointers.get(at.pointerId);
      if (!before) return;
      const [a, b] = [...pointers.values()];
      pointers.set(at.pointerId, at);
      if (b) {
        const [c, d] = [...pointers.values()];
        const apart = (one, two) => Math.hypot(one.clientX - two.clientX, one.clientY - two.clientY);
        this.zoomBy(apart(c, d) / Math.max(1, apart(a, b)), { clientX: (c.clientX + d.clientX) / 2, clientY: (c.clientY + d.clientY) / 2 });
      } else if (this.zoomed) {
        box.setPointerCapture(at.pointerId);
        this.x += at.clientX - before.clientX;
        this.y += at.clientY - before.clientY;
        this.apply();
      }
    }, { signal });
    const up = (at) => {
      pointers.delete(at.pointerId);
      if (pointers.size > 0) return;
      done.abort();
      // Pinched back to where it was fitted: fitted again.
      if (this.zoomed && at.pointerType === 'touch' && this.scale <= this.fitScale() * 1.02 && this.fitScale() < 1) this.fit();
    };
    addEventListener('pointerup', up, { signal });
    addEventListener('pointercancel', up, { signal });
  }
}
