// One image in the viewer: fitted, at its own size, or zoomed about the pointer; dragged when larger than the stage.

import { clamp } from '../lib/virtual_window.js';
import { h, icon } from '../lib/html.js';

const ZOOM_MAX = 8;
const ZOOM_MIN = 0.05;

export class ImageStage {
  /** @param {{box: HTMLElement, foot: HTMLElement, address: string, name: string, failed: () => void}} parts */
  constructor({ box, foot, address, name, failed }) {
    this.box = box;
    this.scale = 0;
    this.x = 0;
    this.y = 0;
    this.ended = new AbortController();
    const { signal } = this.ended;
    this.image = /** @type {HTMLImageElement} */ (h('img', { src: address, alt: name, draggable: 'false', 'data-testid': 'viewer-image' }));
    this.percent = h('span', { class: 'zoom' });
    const button = (/** @type {string} */ label, /** @type {string} */ glyph, /** @type {() => void} */ act) => h('button', { type: 'button', class: 'plain', 'aria-label': label, title: label, onclick: act }, icon(glyph));
    this.image.addEventListener('error', () => !signal.aborted && failed());
    this.image.addEventListener('load', () => {
      // An SVG may have no size of its own; it is shown fitted.
      const { naturalWidth: w, naturalHeight: hgt } = this.image;
      foot.prepend(button('Zoom out (−)', 'zoom-out', () => this.zoomBy(0.8)), this.percent, button('Zoom in (+)', 'zoom-in', () => this.zoomBy(1.25)),
        h('button', { type: 'button', class: 'plain', title: 'Own size (1)', onclick: () => this.actual() }, '1:1'), button('Fit (0)', 'fit', () => this.fit()));
      if (w > 0) foot.append(` · ${w} × ${hgt}`);
      this.apply();
    });
    box.append(this.image);
    box.addEventListener('dblclick', (event) => this.toggle(event), { signal });
    box.addEventListener('wheel', (event) => this.onWheel(event), { passive: false, signal });
    box.addEventListener('pointerdown', (event) => this.onPress(event), { signal });
    addEventListener('resize', () => this.apply(), { signal });
  }

  end() {
    this.ended.abort();
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

  /** @param {MouseEvent} [event] */
  toggle(event) {
    if (this.zoomed) this.fit();
    else this.zoomTo(this.fitScale() < 1 ? 1 : 2, event);
  }

  /** @param {number} factor @param {MouseEvent} [event] */
  zoomBy(factor, event) {
    this.zoomTo((this.scale || this.fitScale()) * factor, event);
  }

  /** The point under the pointer stays under it. @param {number} scale @param {MouseEvent} [event] */
  zoomTo(scale, event) {
    const before = this.scale || this.fitScale();
    const after = clamp(scale, ZOOM_MIN, ZOOM_MAX);
    const rect = this.box.getBoundingClientRect();
    const px = event ? event.clientX - rect.left - rect.width / 2 : 0;
    const py = event ? event.clientY - rect.top - rect.height / 2 : 0;
    if (!this.zoomed) this.x = this.y = 0;
    this.x = px - ((px - this.x) * after) / before;
    this.y = py - ((py - this.y) * after) / before;
    this.scale = after;
    this.apply();
  }

  apply() {
    const { naturalWidth: w, naturalHeight: hgt } = this.image;
    const shown = this.scale || this.fitScale();
    this.percent.textContent = `${Math.round(shown * 100)} %`;
    this.box.classList.toggle('zoomed', this.zoomed);
    this.image.classList.toggle('zoomed', this.zoomed);
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
    if (!this.zoomed || event.button !== 0) return;
    this.box.setPointerCapture(event.pointerId);
    const move = (/** @type {PointerEvent} */ at) => {
      this.x += at.movementX;
      this.y += at.movementY;
      this.apply();
    };
    const up = () => {
      this.box.removeEventListener('pointermove', move);
      this.box.removeEventListener('pointerup', up);
      this.box.removeEventListener('pointercancel', up);
    };
    this.box.addEventListener('pointermove', move);
    this.box.addEventListener('pointerup', up);
    this.box.addEventListener('pointercancel', up);
  }
}
