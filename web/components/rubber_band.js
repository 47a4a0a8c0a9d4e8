// A rubber band over the listing: from bare ground, in the list's own geometry, so that what has scrolled out of sight counts
// too. Scrolls near an edge; Ctrl adds to what was selected; Esc undoes.

import { h } from '../lib/html.js';
import { TILE_GAP } from '../lib/virtual_window.js';

const BEGIN_PX = 4;
const EDGE_PX = 48;
const SPEED_PX = 24;

/**
 * The rows and columns a rectangle touches. Pure.
 * @param {{x0: number, y0: number, x1: number, y1: number}} band in the list's coordinates @param {{pitch: number, columns: number, width: number, gap: number}} how
 */
export function bandCells({ x0, y0, x1, y1 }, { pitch, columns, width, gap }) {
  const [left, right, top, bottom] = [Math.min(x0, x1), Math.max(x0, x1), Math.min(y0, y1), Math.max(y0, y1)];
  const step = (width + gap) / columns;
  // The gap after a cell belongs to none.
  const firstColumn = Math.max(0, Math.floor((left + gap) / step));
  const lastColumn = Math.min(columns - 1, Math.floor(right / step));
  const firstRow = Math.max(0, Math.floor((top + (columns > 1 || gap > 0 ? gap : 0)) / pitch));
  const lastRow = Math.floor(bottom / pitch);
  return { firstRow, lastRow, firstColumn, lastColumn };
}

/** @param {import('./listing.js').Listing} listing */
export function rubberBand(listing) {
  const { box, scroller } = listing;
  const band = h('div.band', { hidden: true });
  scroller.layer.parentElement?.append(band);
  /** @type {{x: number, y: number, before: any, add: boolean, going: boolean} | null} y in the list's coordinates */
  let from = null;
  let pointer = { x: 0, y: 0 };
  let frame = 0;
  /** Ends of rows seen while the band is drawn: the list forgets what has scrolled far away. @type {Map<number, import('../lib/selection.js').Spot>} */
  const seen = new Map();

  /** @param {PointerEvent} event */
  function where(event) {
    const view = box.getBoundingClientRect();
    return { x: event.clientX - view.left - listing.padding(), y: event.clientY - view.top };
  }

  box.addEventListener('pointerdown', (event) => {
    if (event.button !== 0 || event.pointerType === 'touch' || event.shiftKey) return;
    const target = /** @type {HTMLElement} */ (event.target);
    if (listing.layout === 'grid' ? target.closest('[data-index]') : target.closest('.name, .check')) return;
    // The scrollbar belongs to the box too.
    if (event.offsetX > box.clientWidth && target === box) return;
    pointer = where(event);
    from = { x: pointer.x, y: pointer.y + scroller.virtual, before: listing.selection.copy(), add: event.ctrlKey || event.metaKey, going: false };
  });
  box.addEventListener('pointermove', (event) => {
    if (!from) return;
    pointer = where(event);
    if (!from.going) {
      if (Math.hypot(pointer.x - from.x, pointer.y + scroller.virtual - from.y) < BEGIN_PX) return;
      from.going = true;
      box.setPointerCapture(event.pointerId);
      listing.banding = true;
      frame = requestAnimationFrame(step);
    }
  });
  box.addEventListener('pointerup', end);
  box.addEventListener('pointercancel', () => undo());
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
    if (!from?.going) return;
    const over = pointer.y < EDGE_PX ? pointer.y - EDGE_PX : Math.max(0, pointer.y - (scroller.viewport - EDGE_PX));
    if (over !== 0) {
      const by = Math.max(-SPEED_PX, Math.min(SPEED_PX, over / 2));
      const to = Math.max(0, Math.min(scroller.tracker.scale.vMax, scroller.virtual + by));
      if (to !== scroller.virtual) scroller.jump(to);
    }
    draw(from);
    frame = requestAnimationFrame(step);
  }

  /** @param {NonNullable<typeof from>} start */
  function draw(start) {
    const y = pointer.y + scroller.virtual;
    const top = Math.max(0, Math.min(start.y, y) - scroller.virtual);
    const bottom = Math.min(scroller.viewport, Math.max(start.y, y) - scroller.virtual);
    band.hidden = false;
    band.style.transform = `translate(${Math.min(start.x, pointer.x) + listing.padding()}px, ${top + scroller.tracker.scroll}px)`;
    band.style.width = `${Math.abs(pointer.x - start.x)}px`;
    band.style.height = `${Math.max(0, bottom - top)}px`;
    choose(start, y);
  }

  /** Whole rows are one interval; parts of rows one each. @param {NonNullable<typeof from>} start @param {number} y */
  function choose(start, y) {
    const { columns, source, selection } = listing;
    const folders = source.folders.length;
    const cells = bandCells({ x0: start.x, y0: start.y, x1: pointer.x, y1: y }, { pitch: scroller.pitch, columns, width: box.clientWidth - listing.padding() * 2, gap: listing.layout === 'grid' ? TILE_GAP : 0 });
    const key = JSON.stringify(cells);
    if (key === band.dataset.cells) return;
    /** @type {[number, number][]} */
    const spans = [];
    const whole = cells.firstColumn === 0 && cells.lastColumn === columns - 1;
    const lastRow = Math.min(cells.lastRow, Math.ceil(source.length / columns) - 1);
    if (cells.lastColumn >= cells.firstColumn) {
      if (whole) spans.push([cells.firstRow * columns, lastRow * columns + columns - 1]);
      else for (let row = cells.firstRow; row <= lastRow; row += 1) spans.push([row * columns + cells.firstColumn, row * columns + cells.lastColumn]);
    }
    const wanted = spans.map(([first, last]) => [Math.max(first, folders), Math.min(last, source.length - 1)]).filter(([first, last]) => first <= last);
    const ends = wanted.map(([first, last]) => [spotAt(first), spotAt(last)]);
    // Rows on their way are taken in when they are here.
    if (ends.some(([first, last]) => !first || !last)) return;
    band.dataset.cells = key;
    if (start.add) selection.restore(start.before);
    else selection.clear();
    for (const [first, last] of ends) selection.range(/** @type {any} */ (first), /** @type {any} */ (last), true);
    listing.selectionChanged();
  }

  /** @param {number} index */
  function spotAt(index) {
    const spot = listing.source.spot(index) ?? seen.get(index);
    if (spot) seen.set(index, spot);
    return spot;
  }

  function end() {
    const went = from?.going;
    stop();
    // The click that follows is swallowed; where none does, the next press must not be.
    if (went) setTimeout(() => { listing.banding = false; }, 0);
  }

  function undo() {
    if (from?.going) {
      listing.selection.restore(from.before);
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
    delete band.dataset.cells;
  }
}
