// A rubber band over the listing: from bare ground, in the list's own geometry, so that what has scrolled out of sight counts
// too. Scrolls near an edge; Ctrl adds to what was selected; Esc undoes.

import { h, set } from '../lib/html.js';
import { TILE_GAP, clamp } from '../lib/virtual_window.js';

const BEGIN_PX = 4;
const EDGE_PX = 48;
const SPEED_PX = 24;

/**
 * The rows and columns a rectangle touches. Pure.
 * @param {{x0: number, y0: number, x1: number, y1: number}} band in the list's coordinates @param {{pitch: number, columns: number, width: number, gap: number}} how
 */
export function bandCells({ x0, y0, x1, y1 }, { pitch, columns, width, gap }) {
  // The gap after a cell belongs to none.
  /** @param {number} a @param {number} b @param {number} size */
  const first = (a, b, size) => Math.max(0, Math.floor((Math.min(a, b) + gap) / size));
  /** @param {number} a @param {number} b @param {number} size */
  const last = (a, b, size) => Math.floor(Math.max(a, b) / size);
  const step = (width + gap) / columns;
  return { firstRow: first(y0, y1, pitch), lastRow: last(y0, y1, pitch), firstColumn: first(x0, x1, step), lastColumn: Math.min(columns - 1, last(x0, x1, step)) };
}

/** @param {import('./listing.js').Listing} listing */
export function rubberBand(listing) {
  const { box, scroller, selection } = listing;
  const band = h('div.band', { hidden: true });
  scroller.spacer.append(band);
  /** @type {{x: number, y: number, before: any, add: boolean, going: boolean} | null} y in the list's coordinates */
  let from = null;
  let pointer = { x: 0, y: 0 };
  let frame = 0;
  /** What is chosen by the cells touched now. */
  let chosen = '';
  /** Ends of rows seen while the band is drawn: the list forgets what has scrolled far away. @type {Map<number, import('../lib/selection.js').Spot | null | undefined>} */
  const seen = new Map();

  /** @param {PointerEvent} event */
  function follow({ clientX, clientY }) {
    const { left, top } = box.getBoundingClientRect();
    pointer = { x: clientX - left - listing.padding(), y: clientY - top };
  }

  set(box, {
    onpointerdown(event) {
      const { target } = event;
      if (event.button !== 0 || event.pointerType === 'touch' || event.shiftKey) return;
      if (target.closest(listing.layout === 'grid' ? '[data-index]' : '.name, .check')) return;
      // The scrollbar belongs to the box too.
      if (event.offsetX > box.clientWidth && target === box) return;
      follow(event);
      from = { x: pointer.x, y: pointer.y + scroller.virtual, before: selection.copy(), add: event.ctrlKey || event.metaKey, going: false };
    },
    onpointermove(event) {
      if (!from) return;
      follow(event);
      if (from.going || Math.hypot(pointer.x - from.x, pointer.y + scroller.virtual - from.y) < BEGIN_PX) return;
      from.going = true;
      box.setPointerCapture(event.pointerId);
      listing.banding = true;
      frame = requestAnimationFrame(step);
    },
    onpointerup() {
      // The click that follows is swallowed; where none does, the next press must not be.
      if (from?.going) setTimeout(() => { listing.banding = false; });
      stop();
    },
    onpointercancel: undo,
  });
  document.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || !from?.going) return;
    event.preventDefault();
    event.stopPropagation();
    undo();
  }, { capture: true });
  // A band that ends is followed by a click on bare ground, which would clear what it selected.
  box.addEventListener('click', (event) => {
    if (!listing.banding) return;
    event.stopImmediatePropagation();
    listing.banding = false;
  }, { capture: true });

  function step() {
    if (!from) return;
    const { viewport, tracker } = scroller;
    const over = Math.min(0, pointer.y - EDGE_PX) || Math.max(0, pointer.y - viewport + EDGE_PX);
    const to = clamp(scroller.virtual + clamp(over / 2, -SPEED_PX, SPEED_PX), 0, tracker.scale.vMax);
    if (over !== 0 && to !== scroller.virtual) scroller.jump(to);
    const y = from.y - scroller.virtual;
    const top = Math.max(0, Math.min(y, pointer.y));
    const bottom = Math.min(viewport, Math.max(y, pointer.y));
    band.hidden = false;
    Object.assign(band.style, {
      transform: `translate(${Math.min(from.x, pointer.x) + listing.padding()}px, ${top + tracker.scroll}px)`,
      width: `${Math.abs(pointer.x - from.x)}px`,
      height: `${Math.max(0, bottom - top)}px`,
    });
    choose(from);
    frame = requestAnimationFrame(step);
  }

  /** Whole rows are one interval; parts of rows one each. @param {NonNullable<typeof from>} start */
  function choose({ x, y, before, add }) {
    const { columns, source, layout } = listing;
    const { firstRow, lastRow: lowest, firstColumn, lastColumn } = bandCells({ x0: x, y0: y, x1: pointer.x, y1: pointer.y + scroller.virtual },
      { pitch: scroller.pitch, columns, width: box.clientWidth - listing.padding() * 2, gap: layout === 'grid' ? TILE_GAP : 0 });
    const key = `${firstRow} ${lowest} ${firstColumn} ${lastColumn}`;
    if (key === chosen) return;
    const lastRow = Math.min(lowest, Math.ceil(source.length / columns) - 1);
    const height = firstColumn === 0 && lastColumn === columns - 1 ? lastRow - firstRow + 1 : 1;
    /** @type {any[][]} */
    const ends = [];
    for (let row = firstRow; row <= lastRow && firstColumn <= lastColumn; row += height) {
      const first = Math.max(row * columns + firstColumn, source.folders.length);
      const last = Math.min((row + height - 1) * columns + lastColumn, source.length - 1);
      if (first <= last) ends.push([spotAt(first), spotAt(last)]);
    }
    // Rows on their way are taken in when they are here.
    if (ends.flat().includes(null)) return;
    chosen = key;
    if (add) selection.restore(before);
    else selection.clear();
    for (const [first, last] of ends) selection.range(first, last, true);
    listing.selectionChanged();
  }

  /** @param {number} index */
  function spotAt(index) {
    const spot = listing.source.spot(index) ?? seen.get(index) ?? null;
    if (spot) seen.set(index, spot);
    return spot;
  }

  function undo() {
    if (from?.going) {
      selection.restore(from.before);
      listing.selectionChanged();
    }
    stop();
    listing.banding = false;
  }

  function stop() {
    cancelAnimationFrame(frame);
    from = null;
    seen.clear();
    band.hidden = true;
    chosen = '';
  }
}
