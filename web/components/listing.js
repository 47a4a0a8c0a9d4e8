// The grid and the list in one widget: draws windows of a Source, keeps the active entry and turns keys and pointers into
// selection and opening. It knows nothing of addresses or the server.

import { clamp, tileGeometry } from '../lib/virtual_window.js';
import { emitting } from '../lib/emitter.js';
import { h, icon, remPx, set } from '../lib/html.js';
import { makeScroller } from './scroller.js';
import { makeThumbs } from './thumbs.js';
import { makeListRow, makeTile } from './cells.js';
import { listingInput } from './listing_input.js';
import { rubberBand } from './rubber_band.js';

/** @type {[key: string, label: string][]} columns of the list, by sort key */
const COLUMNS = [['name', 'Name'], ['type', 'Type'], ['size', 'Size'], ['added', 'Added'], ['modified', 'Modified']];
/** Heights for a mouse and for a finger. */
const LIST_ROW_REM = { fine: 2, coarse: 2.75 };
const TILE_TEXT_REM = { fine: 2.125, coarse: 2.375 };

/** @typedef {ReturnType<typeof makeListing>} Listing */

/**
 * Fires `open` {index}, `active` {index}, `selection`, `sort` {key}, `drawn`, `scrolled` at rest.
 * @param {HTMLElement} root
 * @param {{source: import('../lib/source.js').Source, selection: import('../lib/selection.js').Selection}} parts
 */
export function makeListing(root, { source, selection }) {
  const thumbs = makeThumbs();
  const header = h('div.list-header', { role: 'row', rowindex: '1' }, COLUMNS.map(([key, label], i) => h(`div.cell.one-line.c-${key}`, { role: 'columnheader', colindex: i + 1, 'data-sort': key },
    h('button.plain', { tabindex: -1, onclick: () => listing.emit('sort', { key }) }, h('span', label), icon('sort-up')))));
  // Not a stop of Tab although it scrolls: the grid around it has the focus and the keys.
  const box = h('div.scroll-box', { role: 'rowgroup', tabindex: '-1' });
  /** @type {WeakMap<HTMLElement, ReturnType<typeof makeTile>[]>} */
  const partsOf = new WeakMap();
  let tileSize = 'm';
  const scroller = makeScroller(box, {
    row: drawRow,
    want,
    drawn(first, last, fast) {
      thumbs.hold(fast);
      listing.emit('drawn');
    },
    resting() {
      thumbs.hold(false);
      listing.emit('scrolled');
    },
    keep: () => rowOf(listing.active),
  });
  const listing = emitting({
    root, box, source, selection, scroller, thumbs, arrange, measure, padEnd, padding, refresh, reset, anchor, restore, activate, open,
    selectionChanged, selectAll, clearSelection, focus,
    /** @type {'grid' | 'list'} */
    layout: 'grid',
    columns: 1,
    active: 0,
    /** The other end of a Shift selection. @type {import('../lib/selection.js').Spot | null} */
    pivot: null,
    /** Ids sealed a moment ago. @type {Set<number>} */
    fresh: new Set(),
    /** A rubber band is being drawn. */
    banding: false,
    /** Where the person was, until the listing is that long. @type {{index: number, px: number} | null} */
    wanted: null,
  });
  root.append(header, box);
  new ResizeObserver(measure).observe(box);
  source.on('arrive', refresh);
  rubberBand(listing);
  listingInput(listing);

  /** @param {number} index */
  function rowOf(index) {
    return Math.floor(index / listing.columns);
  }

  /** @param {{layout: 'grid' | 'list', tileSize: any, key: string, order: 'asc' | 'desc'}} how */
  function arrange({ layout, tileSize: size, key, order }) {
    const changed = layout !== listing.layout || size !== tileSize;
    const before = anchor();
    listing.layout = layout;
    tileSize = size;
    root.dataset.layout = layout;
    header.hidden = layout !== 'list';
    for (const cell of header.children) {
      set(cell, { 'aria-sort': key === cell.dataset.sort ? `${order}ending` : null });
    }
    if (!changed) return;
    scroller.forget();
    measure();
    restore(before);
  }

  /** Size of the box or number of entries changed: the first entry seen stays the first seen. */
  function measure() {
    const width = box.clientWidth - padding() * 2;
    if (width <= 0) return;
    const pointer = matchMedia('(pointer: coarse)').matches ? 'coarse' : 'fine';
    const { columns: before } = listing;
    const at = anchor();
    const isList = listing.layout === 'list';
    let pitch = remPx(LIST_ROW_REM[pointer]);
    let columns = 1;
    if (!isList) {
      const geometry = tileGeometry({ width, size: tileSize, text: remPx(TILE_TEXT_REM[pointer]) });
      ({ columns, pitch } = geometry);
      thumbs.px = geometry.cell;
      root.style.setProperty('--columns', columns);
      root.style.setProperty('--picture', `${geometry.picture}px`);
      root.style.setProperty('--tile', `${pitch - 8}px`);
    }
    root.style.setProperty('--row', `${pitch}px`);
    listing.columns = columns;
    if (columns !== before) scroller.forget();
    const rows = Math.ceil(source.length / columns);
    const moved = pitch !== scroller.pitch || columns !== before;
    set(root, { rowcount: source.known ? rows + Number(isList) : -1, colcount: isList ? COLUMNS.length : columns });
    scroller.resize({ rows, pitch });
    if (moved) restore(at);
  }

  /** Something covers the end of the listing: the last row can still be scrolled clear of it. @param {number} px */
  function padEnd(px) {
    if (px === scroller.padEnd) return;
    scroller.padEnd = px;
    measure();
  }

  function padding() {
    return listing.layout === 'grid' ? 8 : 0;
  }

  /** Entries arrived or the number of them changed. */
  function refresh() {
    listing.active = clamp(listing.active, 0, Math.max(0, source.length - 1));
    measure();
    scroller.redraw();
    describeActive();
  }

  /** Another place: from the top, or from where the person was. @param {{index: number, px: number} | null} to */
  function reset(to) {
    listing.active = to?.index ?? 0;
    listing.pivot = null;
    scroller.forget();
    scroller.jump(0);
    measure();
    listing.wanted = to;
    if (to && source.known) restore(to);
    else scroller.draw();
  }

  /** @returns {{index: number, px: number}} */
  function anchor() {
    const { row, px } = scroller.anchor();
    return { index: row * listing.columns, px };
  }

  /** @param {{index: number, px: number}} anchor */
  function restore({ index, px }) {
    scroller.jump(rowOf(index) * scroller.pitch + Math.min(px, scroller.pitch - 1));
  }

  /** @param {number} first @param {number} last rows */
  function want(first, last) {
    const { columns } = listing;
    const rows = Math.ceil(scroller.viewport / scroller.pitch);
    source.want(Math.max(0, first - rows) * columns, (Math.max(last, rows) + rows) * columns);
  }

  /** @param {number} row @param {HTMLElement | null} recycled */
  function drawRow(row, recycled) {
    const { columns } = listing;
    const isList = listing.layout === 'list';
    const element = recycled ?? h('div.row', { role: 'row' });
    let parts = partsOf.get(element);
    if (!parts) {
      parts = isList ? [makeListRow(element, thumbs)] : Array.from({ length: columns }, () => makeTile(thumbs));
      if (!isList) element.replaceChildren(...parts.map((part) => part.element));
      partsOf.set(element, parts);
    }
    set(element, { rowindex: row + (isList ? 2 : 1) });
    parts.forEach((part, column) => {
      const index = row * columns + column;
      const inside = index < source.length;
      if (!isList) set(part.element, { hidden: !inside, colindex: column + 1 });
      if (!inside) {
        part.release();
        return;
      }
      const entry = source.get(index);
      const spot = source.spot(index);
      part.fill({
        entry,
        index,
        active: index === listing.active,
        selected: spot !== null && selection.has(spot),
        fresh: !!entry?.asset && listing.fresh.has(entry.asset.id),
      });
    });
    return element;
  }

  /** @param {number} index @param {{reveal?: boolean, quiet?: boolean}} [how] */
  function activate(index, { reveal = true, quiet = false } = {}) {
    if (source.length === 0) return;
    listing.active = clamp(index, 0, source.length - 1);
    if (reveal) scroller.reveal(rowOf(listing.active));
    scroller.redraw();
    describeActive();
    if (!quiet) listing.emit('active', { index: listing.active });
  }

  function describeActive() {
    set(root, { activedescendant: source.length > 0 ? `entry-${listing.active}` : null });
  }

  /** @param {number} index */
  function open(index) {
    if (source.get(index)) listing.emit('open', { index });
  }

  function selectionChanged() {
    scroller.redraw();
    listing.emit('selection');
  }

  function selectAll() {
    selection.selectAll();
    selectionChanged();
  }

  function clearSelection() {
    selection.clear();
    listing.pivot = null;
    selectionChanged();
  }

  function focus() {
    root.focus({ preventScroll: true });
  }

  return listing;
}
