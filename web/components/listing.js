// The grid and the list in one widget: draws windows of a Source, keeps the active entry and turns keys and pointers into
// selection and opening. It knows nothing of addresses or the server.

import { clamp, tileGeometry } from '../lib/virtual_window.js';
import { Emitter } from '../lib/emitter.js';
import { h, icon, remPx, set } from '../lib/html.js';
import { Scroller } from './scroller.js';
import { makeThumbs } from './thumbs.js';
import { makeListRow, makeTile } from './cells.js';
import { listingInput } from './listing_input.js';
import { rubberBand } from './rubber_band.js';

/** @type {[key: string, label: string][]} columns of the list, by sort key */
const COLUMNS = [['name', 'Name'], ['type', 'Type'], ['size', 'Size'], ['added', 'Added'], ['modified', 'Modified']];
/** Heights for a mouse and for a finger. */
const LIST_ROW_REM = { fine: 2, coarse: 2.75 };
const TILE_TEXT_REM = { fine: 2.125, coarse: 2.375 };

/**
 * Fires `open` {index}, `active` {index}, `selection`, `sort` {key}, `drawn`, `scrolled` at rest.
 */
export class Listing extends Emitter {
  /** @type {'grid' | 'list'} */
  layout = 'grid';
  /** @type {keyof typeof import('../lib/virtual_window.js').TILE_MIN} */
  tileSize = 'm';
  columns = 1;
  active = 0;
  /** The other end of a Shift selection. @type {import('../lib/selection.js').Spot | null} */
  pivot = null;
  /** Ids sealed a moment ago. @type {Set<number>} */
  fresh = new Set();
  /** A rubber band is being drawn. */
  banding = false;
  thumbs = makeThumbs();
  header = h('div.list-header', { role: 'row', rowindex: '1' });
  // Not a stop of Tab although it scrolls: the grid around it has the focus and the keys.
  box = h('div.scroll-box', { role: 'rowgroup', tabindex: '-1' });
  /** @type {WeakMap<HTMLElement, ReturnType<typeof makeTile>[]>} */
  parts = new WeakMap();

  /**
   * @param {HTMLElement} root
   * @param {{source: import('../lib/source.js').Source, selection: import('../lib/selection.js').Selection}} parts
   */
  constructor(root, { source, selection }) {
    super();
    this.root = root;
    this.source = source;
    this.selection = selection;

    root.append(this.header, this.box);
    this.header.append(...COLUMNS.map(([key, label], i) => h(`div.cell.one-line.c-${key}`, { role: 'columnheader', colindex: i + 1, 'data-sort': key },
      h('button.plain', { tabindex: -1, onclick: () => this.emit('sort', { key }) }, h('span', label), icon('sort-up')))));
    this.scroller = new Scroller(this.box, {
      row: (index, recycled) => this.drawRow(index, recycled),
      want: (first, last) => this.want(first, last),
      drawn: (first, last, fast) => {
        this.thumbs.hold(fast);
        this.emit('drawn');
      },
      resting: () => {
        this.thumbs.hold(false);
        this.emit('scrolled');
      },
      keep: () => Math.floor(this.active / this.columns),
    });
    new ResizeObserver(() => this.measure()).observe(this.box);
    source.on('arrive', () => this.refresh());
    rubberBand(this);
    listingInput(this);
  }

  /** @param {{layout: 'grid' | 'list', tileSize: any, key: string, order: 'asc' | 'desc'}} how */
  arrange({ layout, tileSize, key, order }) {
    const changed = layout !== this.layout || tileSize !== this.tileSize;
    const anchor = this.anchor();
    Object.assign(this, { layout, tileSize });
    this.root.dataset.layout = layout;
    this.header.hidden = layout !== 'list';
    for (const cell of this.header.children) {
      set(cell, { 'aria-sort': key === cell.dataset.sort ? `${order}ending` : null });
    }
    if (!changed) return;
    this.scroller.forget();
    this.measure();
    this.restore(anchor);
  }

  /** Size of the box or number of entries changed: the first entry seen stays the first seen. */
  measure() {
    const width = this.box.clientWidth - this.padding() * 2;
    if (width <= 0) return;
    const pointer = matchMedia('(pointer: coarse)').matches ? 'coarse' : 'fine';
    const { root, source, scroller, columns: before } = this;
    const anchor = this.anchor();
    const isList = this.layout === 'list';
    let pitch = remPx(LIST_ROW_REM[pointer]);
    let columns = 1;
    if (!isList) {
      const geometry = tileGeometry({ width, size: this.tileSize, text: remPx(TILE_TEXT_REM[pointer]) });
      ({ columns, pitch } = geometry);
      this.thumbs.px = geometry.cell;
      root.style.setProperty('--columns', columns);
      root.style.setProperty('--picture', `${geometry.picture}px`);
      root.style.setProperty('--tile', `${pitch - 8}px`);
    }
    root.style.setProperty('--row', `${pitch}px`);
    this.columns = columns;
    if (columns !== before) scroller.forget();
    const rows = Math.ceil(source.length / columns);
    const moved = pitch !== scroller.pitch || columns !== before;
    set(root, { rowcount: source.known ? rows + Number(isList) : -1, colcount: isList ? COLUMNS.length : columns });
    scroller.resize({ rows, pitch });
    if (moved) this.restore(anchor);
  }

  /** Something covers the end of the listing: the last row can still be scrolled clear of it. @param {number} px */
  padEnd(px) {
    if (px === this.scroller.padEnd) return;
    this.scroller.padEnd = px;
    this.measure();
  }

  padding() {
    return this.layout === 'grid' ? 8 : 0;
  }

  /** Entries arrived or the number of them changed. */
  refresh() {
    this.active = clamp(this.active, 0, Math.max(0, this.source.length - 1));
    this.measure();
    this.scroller.redraw();
    this.describeActive();
  }

  /** Another place: from the top, or from where the person was. @param {{index: number, px: number} | null} anchor */
  reset(anchor) {
    this.active = anchor?.index ?? 0;
    this.pivot = null;
    this.scroller.forget();
    this.scroller.jump(0);
    this.measure();
    this.wanted = anchor;
    if (anchor && this.source.known) this.restore(anchor);
    else this.scroller.draw();
  }

  /** @returns {{index: number, px: number}} */
  anchor() {
    const { row, px } = this.scroller.anchor();
    return { index: row * this.columns, px };
  }

  /** @param {{index: number, px: number}} anchor */
  restore({ index, px }) {
    this.scroller.jump(Math.floor(index / this.columns) * this.scroller.pitch + Math.min(px, this.scroller.pitch - 1));
  }

  /** @param {number} first @param {number} last rows */
  want(first, last) {
    const { columns, scroller } = this;
    const rows = Math.ceil(scroller.viewport / scroller.pitch);
    this.source.want(Math.max(0, first - rows) * columns, (Math.max(last, rows) + rows) * columns);
  }

  /** @param {number} row @param {HTMLElement | null} recycled */
  drawRow(row, recycled) {
    const { source, columns } = this;
    const isList = this.layout === 'list';
    const element = recycled ?? h('div.row', { role: 'row' });
    let parts = this.parts.get(element);
    if (!parts) {
      parts = isList ? [makeListRow(element, this.thumbs)] : Array.from({ length: columns }, () => makeTile(this.thumbs));
      if (!isList) element.replaceChildren(...parts.map((part) => part.element));
      this.parts.set(element, parts);
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
        active: index === this.active,
        selected: spot !== null && this.selection.has(spot),
        fresh: !!entry?.asset && this.fresh.has(entry.asset.id),
      });
    });
    return element;
  }

  /** @param {number} index @param {{reveal?: boolean, quiet?: boolean}} [how] */
  activate(index, { reveal = true, quiet = false } = {}) {
    if (this.source.length === 0) return;
    this.active = clamp(index, 0, this.source.length - 1);
    if (reveal) this.scroller.reveal(Math.floor(this.active / this.columns));
    this.scroller.redraw();
    this.describeActive();
    if (!quiet) this.emit('active', { index: this.active });
  }

  describeActive() {
    set(this.root, { activedescendant: this.source.length > 0 ? `entry-${this.active}` : null });
  }

  /** @param {number} index */
  open(index) {
    if (this.source.get(index)) this.emit('open', { index });
  }

  selectionChanged() {
    this.scroller.redraw();
    this.emit('selection');
  }

  selectAll() {
    this.selection.selectAll();
    this.selectionChanged();
  }

  clearSelection() {
    this.selection.clear();
    this.pivot = null;
    this.selectionChanged();
  }

  focus() {
    this.root.focus({ preventScroll: true });
  }
}
