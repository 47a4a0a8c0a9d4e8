// The grid and the list in one widget: draws windows of a Source, keeps the active entry and turns keys and pointers into
// selection and opening. It knows nothing of addresses or the server.

import { clamp, tileGeometry } from '../lib/virtual_window.js';
import { byId, h, icon } from '../lib/html.js';
import { Scroller } from './scroller.js';
import { Thumbs } from './thumbs.js';
import { makeListRow, makeTile } from './cells.js';
import { listingKeys, listingPointers } from './listing_input.js';
import { rubberBand } from './rubber_band.js';

/** @type {[key: string, label: string][]} columns of the list, by sort key */
const COLUMNS = [['name', 'Name'], ['type', 'Type'], ['size', 'Size'], ['added', 'Added'], ['modified', 'Modified']];
const LIST_ROW_PX = 32;
const TILE_TEXT_PX = 34;
const TILE_TEXT_COARSE_PX = 38;

/**
 * Fires `open` {index}, `active` {index, byPointer}, `selection`, `sort` {key}, `drawn`, `scrolled` at rest.
 */
export class Listing extends EventTarget {
  /**
   * @param {HTMLElement} root
   * @param {{source: import('../lib/source.js').Source, selection: import('../lib/selection.js').Selection}} parts
   */
  constructor(root, { source, selection }) {
    super();
    this.root = root;
    this.source = source;
    this.selection = selection;
    /** @type {'grid' | 'list'} */
    this.layout = 'grid';
    /** @type {keyof typeof import('../lib/virtual_window.js').TILE_MIN} */
    this.tileSize = 'm';
    this.sort = 'name';
    this.columns = 1;
    this.active = 0;
    /** The other end of a Shift selection. @type {import('../lib/selection.js').Spot | null} */
    this.pivot = null;
    /** Ids sealed a moment ago. @type {Set<number>} */
    this.fresh = new Set();
    /** A rubber band is being drawn. */
    this.banding = false;
    this.thumbs = new Thumbs();

    this.header = h('div.list-header', { role: 'row', 'aria-rowindex': '1' });
    // Not a stop of Tab although it scrolls: the grid around it has the focus and the keys.
    this.box = h('div.scroll-box', { role: 'rowgroup', tabindex: '-1' });
    root.append(this.header, this.box);
    this.makeHeader();
    /** @type {WeakMap<HTMLElement, ReturnType<typeof makeTile>[]>} */
    this.parts = new WeakMap();
    this.scroller = new Scroller(this.box, {
      row: (index, recycled) => this.drawRow(index, recycled),
      drawn: (first, last, fast) => this.onDrawn(first, last, fast),
      resting: () => {
        this.thumbs.hold(false);
        this.dispatchEvent(new CustomEvent('scrolled'));
      },
      keep: () => Math.floor(this.active / this.columns),
    });
    new ResizeObserver(() => this.measure()).observe(this.box);
    source.addEventListener('arrive', () => this.refresh());
    listingKeys(this);
    rubberBand(this);
    listingPointers(this);
  }

  makeHeader() {
    this.header.replaceChildren(...COLUMNS.map(([key, label], i) => h('div', {
      class: `cell c-${key}`, role: 'columnheader', 'aria-colindex': i + 1, 'data-sort': key,
    }, h('button', { tabindex: '-1', testid: `sort-${key}`, onclick: () => this.emit('sort', { key }) },
      h('span', label), icon('sort-up')))));
  }

  /** @param {{layout: 'grid' | 'list', tileSize: any, sort: string}} how */
  arrange({ layout, tileSize, sort }) {
    const changed = layout !== this.layout || tileSize !== this.tileSize;
    const anchor = this.anchor();
    Object.assign(this, { layout, tileSize, sort });
    this.root.dataset.layout = layout;
    this.header.hidden = layout !== 'list';
    for (const cell of this.header.children) {
      const on = sort.replace('-', '') === cell.dataset.sort;
      if (on) cell.setAttribute('aria-sort', sort.startsWith('-') ? 'descending' : 'ascending');
      else cell.removeAttribute('aria-sort');
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
    const scale = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
    const coarse = matchMedia('(pointer: coarse)').matches;
    const before = this.columns;
    const anchor = this.anchor();
    let pitch = Math.round((coarse ? 44 : LIST_ROW_PX) * scale);
    if (this.layout === 'grid') {
      const geometry = tileGeometry({ width, size: this.tileSize, text: Math.round((coarse ? TILE_TEXT_COARSE_PX : TILE_TEXT_PX) * scale) });
      this.columns = geometry.columns;
      pitch = geometry.pitch;
      this.thumbs.px = geometry.cell;
      this.root.style.setProperty('--columns', String(geometry.columns));
      this.root.style.setProperty('--picture', `${geometry.picture}px`);
      this.root.style.setProperty('--tile', `${pitch - 8}px`);
    } else {
      this.columns = 1;
    }
    this.root.style.setProperty('--row', `${pitch}px`);
    if (this.columns !== before) this.scroller.forget();
    const rows = Math.ceil(this.source.length / this.columns);
    const moved = pitch !== this.scroller.pitch || this.columns !== before;
    this.root.setAttribute('aria-rowcount', String(this.source.known ? rows + (this.layout === 'list' ? 1 : 0) : -1));
    this.root.setAttribute('aria-colcount', String(this.layout === 'list' ? COLUMNS.length : this.columns));
    this.scroller.resize({ rows, pitch });
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
    else this.scroller.draw(false);
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

  /** @param {number} first @param {number} last @param {boolean} fast */
  onDrawn(first, last, fast) {
    this.thumbs.hold(fast);
    clearTimeout(this.wantTimer);
    const rows = Math.ceil(this.scroller.viewport / this.scroller.pitch);
    const ask = () => this.source.want(Math.max(0, first - rows) * this.columns, (Math.max(last, rows) + rows) * this.columns);
    // What flies past is not asked for; where it comes to rest is.
    if (fast) this.wantTimer = setTimeout(ask, 80);
    else ask();
    this.dispatchEvent(new CustomEvent('drawn'));
  }

  /** @param {number} row @param {HTMLElement | null} recycled */
  drawRow(row, recycled) {
    const element = recycled ?? h('div.row', { role: 'row' });
    let parts = this.parts.get(element);
    if (!parts) {
      if (this.layout === 'list') {
        parts = [makeListRow(element, this.thumbs)];
      } else {
        parts = Array.from({ length: this.columns }, () => makeTile(this.thumbs));
        element.replaceChildren(...parts.map((part) => part.element));
      }
      this.parts.set(element, parts);
    }
    element.setAttribute('aria-rowindex', String(row + (this.layout === 'list' ? 2 : 1)));
    parts.forEach((part, column) => {
      const index = row * this.columns + column;
      const inside = index < this.source.length;
      if (this.layout === 'grid') {
        part.element.hidden = !inside;
        part.element.setAttribute('aria-colindex', String(column + 1));
      }
      if (!inside) {
        part.release();
        return;
      }
      const entry = this.source.get(index);
      const spot = this.source.spot(index);
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

  /** @param {number} index @param {{reveal?: boolean, byPointer?: boolean, quiet?: boolean}} [how] */
  activate(index, { reveal = true, byPointer = false, quiet = false } = {}) {
    if (this.source.length === 0) return;
    this.active = clamp(index, 0, this.source.length - 1);
    if (reveal) this.scroller.reveal(Math.floor(this.active / this.columns));
    this.scroller.redraw();
    this.describeActive();
    if (!quiet) this.emit('active', { index: this.active, byPointer });
  }

  describeActive() {
    if (this.source.length > 0) this.root.setAttribute('aria-activedescendant', `entry-${this.active}`);
    else this.root.removeAttribute('aria-activedescendant');
  }

  /** @param {number} index */
  open(index) {
    if (this.source.get(index)) this.emit('open', { index });
  }

  selectionChanged() {
    this.scroller.redraw();
    this.emit('selection', {});
  }

  /** @param {string} type @param {any} detail */
  emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  focus() {
    byId('listing').focus({ preventScroll: true });
  }
}
