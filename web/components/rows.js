// Rows of one height over any number of them, fetched in windows: lines of a text, rows of a table, bytes in hex, members of
// an archive. Scrolling is the listing's; what a row shows is the caller's.

import { h, remPx } from '../lib/html.js';
import { WindowCache } from '../lib/window_cache.js';
import { Scroller } from './scroller.js';

const WINDOWS_KEPT = 20;
const FAST_REST_MS = 80;

/** @template T */
export class Rows {
  /**
   * @param {{box: HTMLElement, rem: number, fetchWindow: import('../lib/window_cache.js').FetchWindow<T>,
   *   row: (element: HTMLElement, index: number, item: T | undefined) => void, failed: (error: any) => void,
   *   drawn?: (first: number, last: number) => void, head?: HTMLElement}} how rem is the height of a row; head stays above the rows
   */
  constructor({ box, rem, fetchWindow, row, failed, drawn = () => {}, head }) {
    this.box = box;
    this.rem = rem;
    this.head = head;
    /** @type {WindowCache<T>} */
    this.cache = new WindowCache(fetchWindow, { onArrive: () => this.arrived(), onFail: failed, kept: WINDOWS_KEPT });
    if (head) box.append(head);
    this.scroller = new Scroller(box, {
      row: (index, recycled) => {
        const element = recycled ?? h('div.line', { role: head ? 'row' : null });
        row(element, index, this.cache.get(index));
        return element;
      },
      drawn: (first, last, fast) => {
        clearTimeout(this.timer);
        const ask = () => this.cache.want(Math.max(0, first - 40), last + 80);
        if (fast) this.timer = setTimeout(ask, FAST_REST_MS);
        else ask();
        drawn(first, last);
      },
    });
    if (head) this.scroller.spacer.setAttribute('role', 'rowgroup');
    this.observer = new ResizeObserver(() => this.measure());
    this.observer.observe(box);
  }

  get total() {
    return this.cache.total;
  }

  arrived() {
    if (this.scroller.rows !== this.total) this.measure();
    this.scroller.redraw();
  }

  measure() {
    const viewport = this.box.clientHeight - (this.head?.offsetHeight ?? 0);
    if (viewport > 0) this.scroller.resize({ rows: this.total, pitch: remPx(this.rem), viewport });
  }

  /** Another question, from the top. */
  reset() {
    this.cache.reset();
    this.scroller.jump(0);
    this.cache.want(0, 80);
  }

  /** A third of the way down, so that one sees what stands before it. @param {number} row */
  goTo(row) {
    const { scroller } = this;
    scroller.fold();
    scroller.jump(row * scroller.pitch - scroller.viewport / 3);
  }

  /** Is this row in view? @param {number} row */
  sees(row) {
    const { virtual, viewport, pitch } = this.scroller;
    return row * pitch >= virtual && (row + 1) * pitch <= virtual + viewport;
  }

  end() {
    clearTimeout(this.timer);
    this.observer.disconnect();
    this.cache.reset();
  }
}
