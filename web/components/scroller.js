// A box that scrolls over any number of rows of one height. Owns scrollTop and the mapping to rows; what a row looks like
// is the caller's business. Reads one number per scroll event and writes one transform.

import { ScrollTracker, makeScale, reveal, visibleRows } from '../lib/virtual_window.js';
import { h, set } from '../lib/html.js';

const SETTLE_MS = 120;
/** What flies past is not asked for; where it comes to rest is. */
const FAST_REST_MS = 80;
/** Rows kept for later use. */
const SPARE_MOST = 60;

/** @typedef {ReturnType<typeof makeScroller>} Scroller */

/**
 * @typedef {{row: (index: number, recycled: HTMLElement | null) => HTMLElement, want?: (first: number, last: number) => void,
 *   drawn?: (first: number, last: number, fast: boolean) => void, resting?: () => void, keep?: () => number}} Hooks row draws one row, reusing an element if given; want asks for rows; keep names a row that stays drawn
 * @param {HTMLElement} box @param {Hooks} hooks
 */
export function makeScroller(box, hooks) {
  const tracker = new ScrollTracker(makeScale(0, 0));
  const layer = h('div.layer', { role: 'presentation' });
  const spacer = h('div.spacer', { role: 'presentation' }, layer);
  /** @type {Map<number, HTMLElement>} */
  const elements = new Map();
  /** @type {HTMLElement[]} */
  let spare = [];
  let velocityAt = { time: 0, virtual: 0 };
  /** Does it fly past? */
  let flying = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let settleTimer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let wantTimer;
  const scroller = {
    spacer, tracker, elements, resize, forget, fold, jump, reveal: revealRow, anchor, draw, redraw, end,
    rows: 0,
    pitch: 32,
    /** Room below the last row that something floating covers. */
    padEnd: 0,
    viewport: 0,
    first: 0,
    last: -1,
    scrolling: false,
    get virtual() {
      return tracker.virtual;
    },
  };
  box.append(spacer);
  set(box, { onscroll: onScroll, onscrollend: settle });

  /** Rows, pitch or the box changed; the virtual position stays where it is. @param {{rows: number, pitch: number, viewport?: number}} size */
  function resize({ rows, pitch, viewport = box.clientHeight }) {
    const scale = makeScale(rows * pitch + scroller.padEnd, viewport);
    if (pitch !== scroller.pitch) forget();
    Object.assign(scroller, { rows, pitch, viewport });
    spacer.style.height = `${scale.spacer}px`;
    write(tracker.rescale(scale));
    draw();
  }

  /** Draw everything anew, such as in another layout. */
  function forget() {
    for (const element of elements.values()) element.remove();
    elements.clear();
    spare = [];
  }

  function onScroll() {
    const scroll = box.scrollTop;
    if (scroll === tracker.scroll) return;
    tracker.scrolled(scroll);
    scroller.scrolling = true;
    if (tracker.mustSettle()) write(tracker.jump(tracker.virtual));
    clearTimeout(settleTimer);
    settleTimer = setTimeout(settle, SETTLE_MS);
    const now = performance.now();
    const { time, virtual } = velocityAt;
    const perSecond = (Math.abs(tracker.virtual - virtual) / Math.max(1, now - time)) * 1000;
    velocityAt = { time: now, virtual: tracker.virtual };
    flying = perSecond > 8 * scroller.viewport;
    draw(flying);
  }

  /** Scrolling rests: bring thumb and content together again. */
  function settle() {
    clearTimeout(settleTimer);
    fold();
    if (tracker.drifted()) write(tracker.jump(tracker.virtual));
    scroller.scrolling = false;
    // A leap may be one of many: what it shows is asked for when none follows at once.
    draw(flying);
    flying = false;
    hooks.resting?.();
  }

  /** A scroll that happened but was not yet reported would otherwise be undone by the next write. */
  function fold() {
    if (box.scrollTop !== tracker.scroll) tracker.scrolled(box.scrollTop);
  }

  /** @param {number} scroll */
  function write(scroll) {
    box.scrollTop = scroll;
    tracker.wrote(box.scrollTop);
  }

  /** @param {number} virtual */
  function jump(virtual) {
    write(tracker.jump(virtual));
    draw();
  }

  /** @param {number} row */
  function revealRow(row) {
    fold();
    const to = reveal({ offset: tracker.virtual, viewport: scroller.viewport, top: row * scroller.pitch, height: scroller.pitch, padEnd: scroller.padEnd });
    if (to !== tracker.virtual) jump(to);
  }

  /** The first row seen and how far it is scrolled out: what has to stay put when the list changes. */
  function anchor() {
    const row = Math.floor(tracker.virtual / scroller.pitch);
    return { row, px: tracker.virtual - row * scroller.pitch };
  }

  function draw(fast = false) {
    const { rows, pitch, viewport } = scroller;
    const { first, last } = visibleRows({ offset: tracker.virtual, viewport, pitch, rows });
    Object.assign(scroller, { first, last });
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
    for (let index = first; index <= last; index += 1) place(index, origin);
    if (wanted(keep)) place(keep, origin);
    layer.style.transform = `translateY(${origin - tracker.delta}px)`;
    clearTimeout(wantTimer);
    if (fast) wantTimer = setTimeout(() => hooks.want?.(first, last), FAST_REST_MS);
    else hooks.want?.(first, last);
    hooks.drawn?.(first, last, fast);
  }

  /** @param {number} index @param {number} origin */
  function place(index, origin) {
    let element = elements.get(index);
    if (!element) {
      const recycled = spare.pop() ?? null;
      element = hooks.row(index, recycled);
      element.hidden = false;
      if (!recycled) layer.append(element);
      elements.set(index, element);
    }
    const top = `${index * scroller.pitch - origin}px`;
    if (element.style.top !== top) element.style.top = top;
  }

  /** Asks for nothing more. */
  function end() {
    clearTimeout(wantTimer);
  }

  /** The rows on screen are to be drawn again, in place. */
  function redraw() {
    for (const [index, element] of elements) hooks.row(index, element);
    draw();
  }

  return scroller;
}
