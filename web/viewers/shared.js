// What several ways of looking share: keys, focus, rows of any number, fields to go somewhere, and what fingers do.

import { Scroller } from '../components/scroller.js';
import { h, remPx, set, textField } from '../lib/html.js';
import { WindowCache } from '../lib/window_cache.js';

const WINDOWS_KEPT = 20;

/** @param {Record<string, () => void>} acts by key @returns {(key: string) => boolean} was it used? */
export function keysOf(acts) {
  return (key) => {
    acts[key]?.();
    return key in acts;
  };
}

/** What scrolls by itself has the keys as soon as it is there. @param {HTMLElement} view */
export function takeFocus(view) {
  if (document.activeElement === view.closest('dialog')) view.focus({ preventScroll: true });
}

/** Rows of one height over any number of them, fetched in windows. Scrolling is the listing's; what a row shows is the caller's. @template T */
class Rows {
  /**
   * @param {{box: HTMLElement, rem: number, fetchWindow: import('../lib/window_cache.js').FetchWindow<T>,
   *   row: (element: HTMLElement, index: number, item: T | undefined) => void, failed: (error: any) => void,
   *   drawn?: (first: number, last: number) => void, head?: HTMLElement}} how rem is the height of a row; head stays above the rows
   */
  constructor({ box, rem, fetchWindow, row, failed, drawn, head }) {
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
      want: (first, last) => this.cache.want(Math.max(0, first - 40), last + 80),
      drawn,
    });
    if (head) set(this.scroller.spacer, { role: 'rowgroup' });
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
    this.scroller.end();
    this.observer.disconnect();
    this.cache.reset();
  }
}

/**
 * Rows in a window on them. @param {import('../components/viewer.js').Stage} stage
 * @param {{view: HTMLElement, keys?: Record<string, () => void>} & Record<string, any>} how keys besides Home and End; the rest
 *   is for Rows
 */
export function showRows({ box, fail }, { view, keys, ...how }) {
  box.append(view);
  const rows = new Rows({ box: view, failed: (error) => fail(error.message, error), ...how });
  rows.cache.want(0, 80);
  takeFocus(view);
  return { rows, end: () => rows.end(), key: keysOf({ Home: () => rows.goTo(0), End: () => rows.goTo(rows.total - 1), ...keys }) };
}

/** Goes to a number counted from 1. @param {Record<string, any>} props @param {() => number} most @param {(index: number) => void} goTo */
export function numberField(props, most, goTo) {
  const field = textField({
    class: 'short', inputmode: 'numeric', ...props,
    onchange() {
      const wanted = Number(field.value.replace(/\D/g, ''));
      if (wanted > 0) goTo(Math.min(wanted, most()) - 1);
    },
  });
  return field;
}

/** A picture or a player is there, failed, or is not wanted any more. @param {HTMLElement} element @param {string} loaded the event @param {AbortSignal} signal */
export function settled(element, loaded, signal) {
  const { promise, resolve } = Promise.withResolvers();
  set(element, { [`on${loaded}`]: resolve, onerror: resolve });
  set(signal, { onabort: resolve });
  return promise;
}

/**
 * Fingers and buttons that are down: one drags, two pinch.
 * @param {HTMLElement} element @param {AbortSignal} signal
 * @param {{drag: (dx: number, dy: number, event: PointerEvent) => void, released?: (event: PointerEvent) => void,
 *   pinch: (times: number, middle: {clientX: number, clientY: number}, dx: number, dy: number) => void}} acts
 * @returns {Map<number, PointerEvent>} those that are down
 */
export function gestures(element, signal, { drag, pinch, released = () => {} }) {
  /** @type {Map<number, PointerEvent>} */
  const down = new Map();
  const pair = () => {
    const [a, b] = down.values();
    return b && { apart: Math.max(1, Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY)), clientX: (a.clientX + b.clientX) / 2, clientY: (a.clientY + b.clientY) / 2 };
  };
  const up = (event) => down.delete(event.pointerId) && down.size === 0 && released(event);
  set(element, {
    signal,
    onpointerdown(event) {
      element.setPointerCapture(event.pointerId);
      down.set(event.pointerId, event);
    },
    onpointermove(event) {
      const last = down.get(event.pointerId);
      if (!last) return;
      const before = pair();
      down.set(event.pointerId, event);
      const now = pair();
      const dx = event.clientX - last.clientX;
      const dy = event.clientY - last.clientY;
      if (now) pinch(now.apart / before.apart, now, dx, dy);
      else drag(dx, dy, event);
    },
    onpointerup: up,
    onpointercancel: up,
  });
  return down;
}
