// A box that scrolls over any number of rows of one height. Owns scrollTop and the mapping to rows; what a row looks like
// is the caller's business. Reads one number per scroll event and writes one transform.

import { ScrollTracker, makeScale, reveal, visibleRows } from '../lib/virtual_window.js';
import { h, set } from '../lib/html.js';

const SETTLE_MS = 120;
/** What flies past is not asked for; where it comes to rest is. */
const FAST_REST_MS = 80;
/** Rows kept for later use. */
const SPARE_MOST = 60;

/**
 * @typedef {{row: (index: number, recycled: HTMLElement | null) => HTMLElement, want?: (first: number, last: number) => void,
 *   drawn?: (first: number, last: number, fast: boolean) => void, resting?: () => void, keep?: () => number}} Hooks row draws one row, reusing an element if given; want asks for rows; keep names a row that stays drawn
 */
export class Scroller {
  layer = h('div.layer', { role: 'presentation' });
  rows = 0;
  pitch = 32;
  /** Room below the last row that something floating covers. */
  padEnd = 0;
  viewport = 0;
  tracker = new ScrollTracker(makeScale(0, 0));
  /** @type {Map<number, HTMLElement>} */
  elements = new Map();
  /** @type {HTMLElement[]} */
  spare = [];
  first = 0;
  last = -1;
  velocityAt = { time: 0, virtual: 0 };
  scrolling = false;
  fast = false;

  /** @param {HTMLElement} box @param {Hooks} hooks */
  constructor(box, hooks) {
    this.box = box;
    this.hooks = hooks;
    this.spacer = h('div.spacer', { role: 'presentation' }, this.layer);
    box.append(this.spacer);
    set(box, { onscroll: () => this.onScroll(), onscrollend: () => this.settle() });
  }

  /** Rows, pitch or the box changed; the virtual position stays where it is. @param {{rows: number, pitch: number, viewport?: number}} size */
  resize({ rows, pitch, viewport = this.box.clientHeight }) {
    const scale = makeScale(rows * pitch + this.padEnd, viewport);
    if (pitch !== this.pitch) this.forget();
    Object.assign(this, { rows, pitch, viewport });
    this.spacer.style.height = `${scale.spacer}px`;
    this.write(this.tracker.rescale(scale));
    this.draw();
  }

  /** Draw everything anew, such as in another layout. */
  forget() {
    for (const element of this.elements.values()) element.remove();
    this.elements.clear();
    this.spare = [];
  }

  get virtual() {
    return this.tracker.virtual;
  }

  onScroll() {
    const scroll = this.box.scrollTop;
    if (scroll === this.tracker.scroll) return;
    this.tracker.scrolled(scroll);
    this.scrolling = true;
    if (this.tracker.mustSettle()) this.write(this.tracker.jump(this.tracker.virtual));
    clearTimeout(this.settleTimer);
    this.settleTimer = setTimeout(() => this.settle(), SETTLE_MS);
    const now = performance.now();
    const { time, virtual } = this.velocityAt;
    const perSecond = (Math.abs(this.virtual - virtual) / Math.max(1, now - time)) * 1000;
    this.velocityAt = { time: now, virtual: this.virtual };
    this.fast = perSecond > 8 * this.viewport;
    this.draw(this.fast);
  }

  /** Scrolling rests: bring thumb and content together again. */
  settle() {
    clearTimeout(this.settleTimer);
    this.fold();
    if (this.tracker.drifted()) this.write(this.tracker.jump(this.virtual));
    this.scrolling = false;
    // A leap may be one of many: what it shows is asked for when none follows at once.
    this.draw(this.fast);
    this.fast = false;
    this.hooks.resting?.();
  }

  /** A scroll that happened but was not yet reported would otherwise be undone by the next write. */
  fold() {
    if (this.box.scrollTop !== this.tracker.scroll) this.tracker.scrolled(this.box.scrollTop);
  }

  /** @param {number} scroll */
  write(scroll) {
    this.box.scrollTop = scroll;
    this.tracker.wrote(this.box.scrollTop);
  }

  /** @param {number} virtual */
  jump(virtual) {
    this.write(this.tracker.jump(virtual));
    this.draw();
  }

  /** @param {number} row */
  reveal(row) {
    this.fold();
    const to = reveal({ offset: this.virtual, viewport: this.viewport, top: row * this.pitch, height: this.pitch, padEnd: this.padEnd });
    if (to !== this.virtual) this.jump(to);
  }

  /** The first row seen and how far it is scrolled out: what has to stay put when the list changes. */
  anchor() {
    const row = Math.floor(this.virtual / this.pitch);
    return { row, px: this.virtual - row * this.pitch };
  }

  draw(fast = false) {
    const { rows, pitch, hooks, elements, spare } = this;
    const { first, last } = visibleRows({ offset: this.virtual, viewport: this.viewport, pitch, rows });
    Object.assign(this, { first, last });
    const keep = hooks.keep?.() ?? NaN;
    /** @param {number} index */
    const wanted = (index) => index < rows && (index === keep || (index >= first && index <= last));
    for (const [index, element] of elements) {
      if (wanted(index)) continue;
      elements.delete(index);
      // Left in place and out of sight: taking elements out and in again costs layout.
      element.hidden = true;
      if (spare.length < SPARE_MOST) spare.push(element);
      else element.remove();
    }
    // Small offsets inside one moved layer: client rectangles lose odd pixels beyond 2^24.
    const origin = first * pitch;
    for (let index = first; index <= last; index += 1) this.place(index, origin);
    if (wanted(keep)) this.place(keep, origin);
    this.layer.style.transform = `translateY(${origin - this.tracker.delta}px)`;
    clearTimeout(this.wantTimer);
    if (fast) this.wantTimer = setTimeout(() => hooks.want?.(first, last), FAST_REST_MS);
    else hooks.want?.(first, last);
    hooks.drawn?.(first, last, fast);
  }

  /** @param {number} index @param {number} origin */
  place(index, origin) {
    let element = this.elements.get(index);
    if (!element) {
      const recycled = this.spare.pop() ?? null;
      element = this.hooks.row(index, recycled);
      element.hidden = false;
      if (!recycled) this.layer.append(element);
      this.elements.set(index, element);
    }
    const top = `${index * this.pitch - origin}px`;
    if (element.style.top !== top) element.style.top = top;
  }

  /** The rows on screen are to be drawn again, in place. */
  /** Asks for nothing more. */
  end() {
    clearTimeout(this.wantTimer);
  }

  redraw() {
    for (const [index, element] of this.elements) this.hooks.row(index, element);
    this.draw();
  }
}
