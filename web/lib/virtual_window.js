// The arithmetic of a list of any length in a box of limited height. Pure, so that it can be tested without a browser.
//
// Browsers cap the height of an element (4.2 million CSS px at the worst zoom), a million rows need up to ten times that.
// The spacer is therefore capped, and what it stands for is mapped onto it with slope 1 at both ends, so that Home, End
// and the last row stay exact, and a steeper slope between.

export const SPACER_MAX = 4_000_000;
export const LINEAR_END = 100_000;

/**
 * @param {number} total height of all rows in px
 * @param {number} viewport height of the box in px
 */
export function makeScale(total, viewport) {
  const spacer = Math.min(total, SPACER_MAX);
  const vMax = Math.max(0, total - viewport);
  const sMax = Math.max(0, spacer - viewport);
  const scaled = total > spacer;
  const k = scaled ? (sMax - 2 * LINEAR_END) / (vMax - 2 * LINEAR_END) : 1;

  /** @param {number} v */
  function toScroll(v) {
    if (!scaled || v <= LINEAR_END) return v;
    if (v >= vMax - LINEAR_END) return sMax - (vMax - v);
    return LINEAR_END + (v - LINEAR_END) * k;
  }

  /** @param {number} s */
  function toVirtual(s) {
    if (!scaled || s <= LINEAR_END) return s;
    if (s >= sMax - LINEAR_END) return vMax - (sMax - s);
    return LINEAR_END + (s - LINEAR_END) / k;
  }

  return { spacer, vMax, sMax, scaled, viewport, toScroll, toVirtual };
}

/** @typedef {ReturnType<typeof makeScale>} Scale */

/**
 * Follows a scroll position: small steps move the content by just as much, whatever the scale; leaps are the thumb
 * and are mapped. `delta` is what to subtract from a virtual position to place it inside the spacer.
 */
export class ScrollTracker {
  scroll = 0;
  delta = 0;

  /** @param {Scale} scale */
  constructor(scale) {
    this.scale = scale;
  }

  get virtual() {
    return this.scroll + this.delta;
  }

  /** The list grew, shrank or the box was resized; the virtual position is kept. Returns the scrollTop to write. @param {Scale} scale */
  rescale(scale) {
    const virtual = this.virtual;
    this.scale = scale;
    return this.jump(virtual);
  }

  /** The browser reports a new scrollTop. @param {number} scroll */
  scrolled(scroll) {
    const { viewport, vMax, toVirtual } = this.scale;
    const isStep = Math.abs(scroll - this.scroll) <= 2 * viewport;
    this.delta = clamp(isStep ? scroll + this.delta : toVirtual(scroll), 0, vMax) - scroll;
    this.scroll = scroll;
  }

  /** Go to a virtual position; returns the scrollTop to write. @param {number} virtual */
  jump(virtual) {
    const v = clamp(virtual, 0, this.scale.vMax);
    this.scroll = this.scale.toScroll(v);
    this.delta = v - this.scroll;
    return this.scroll;
  }

  /** What the browser made of the scrollTop it was given (it may round); the virtual position stays. @param {number} scroll */
  wrote(scroll) {
    this.delta = this.virtual - scroll;
    this.scroll = scroll;
  }

  /** Have thumb and content drifted apart? @returns {boolean} */
  drifted() {
    return Math.abs(this.scale.toScroll(this.virtual) - this.scroll) > 1;
  }

  /** Drift may wait until scrolling rests, except where the end of the spacer would stop the person short. */
  mustSettle() {
    const { sMax, vMax, viewport } = this.scale;
    /** @param {number} at @param {number} most */
    const nearEnd = (at, most) => at < 4 * viewport || at > most - 4 * viewport;
    return this.drifted() && (nearEnd(this.scroll, sMax) || nearEnd(this.virtual, vMax));
  }
}

/**
 * The rows to draw, both ends included; `last` is before `first` where there are none.
 * @param {{offset: number, viewport: number, pitch: number, rows: number, overscan?: number}} at
 */
export function visibleRows({ offset, viewport, pitch, rows, overscan = 2 }) {
  const first = Math.max(0, Math.floor(offset / pitch) - overscan);
  const last = Math.min(rows - 1, Math.ceil((offset + viewport) / pitch) - 1 + overscan);
  return { first, last };
}

/** The aligned windows of `size` items that cover first..last. @param {number} first @param {number} last @param {number} size */
export function windowsFor(first, last, size) {
  const windows = [];
  for (let w = Math.floor(Math.max(0, first) / size); w <= Math.floor(last / size) && last >= 0; w += 1) windows.push(w);
  return windows;
}

/** Least width of a tile, by size. */
export const TILE_MIN = { s: 104, m: 152, l: 208, xl: 288 };
export const TILE_GAP = 8;
const TILE_PAD = 6;

/**
 * How tiles lie in a row. `text` is the height of the two lines under the picture, which grows with the reader's font.
 * @param {{width: number, size: keyof typeof TILE_MIN, text: number}} box
 */
export function tileGeometry({ width, size, text }) {
  const least = TILE_MIN[size] ?? TILE_MIN.m;
  const columns = Math.max(1, Math.floor((width + TILE_GAP) / (least + TILE_GAP)));
  const cell = (width - TILE_GAP * (columns - 1)) / columns;
  const picture = Math.max(24, Math.round(((cell - 2 * TILE_PAD) * 3) / 4));
  return { columns, cell, picture, pitch: picture + 2 * TILE_PAD + 4 + text + TILE_GAP };
}

/** Where to scroll so that a row is seen whole, moving as little as possible. @param {{offset: number, viewport: number, top: number, height: number, padEnd?: number}} at */
export function reveal({ offset, viewport, top, height, padEnd = 0 }) {
  if (top < offset) return top;
  if (top + height > offset + viewport - padEnd) return top + height - viewport + padEnd;
  return offset;
}

/** @param {number} value @param {number} least @param {number} most */
export function clamp(value, least, most) {
  return Math.min(Math.max(value, least), Math.max(least, most));
}
