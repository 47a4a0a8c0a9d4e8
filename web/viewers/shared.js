// What several ways of looking share: keys, focus, rows of any number, fields to go somewhere, and what fingers do.

import { makeScroller } from '../components/scroller.js';
import { h, remPx, set, textField, visibleName } from '../lib/html.js';
import { windowCache } from '../lib/window_cache.js';

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

/**
 * Rows of one height over any number of them, fetched in windows. Scrolling is the listing's; what a row shows is the viewer's.
 * @template T
 * @param {import('../components/viewer.js').Stage} stage
 * @param {{look: string, what: string, rem: number, fetchWindow: import('../lib/window_cache.js').FetchWindow<T>,
 *   row: (element: HTMLElement, index: number, item: T | undefined) => void, drawn?: (first: number, last: number) => void,
 *   head?: HTMLElement, keys?: Record<string, () => void>}} how look: class and id of the view; what: it shows of the asset; rem
 *   is the height of a row; head stays above the rows of a table; keys besides Home and End
 */
export function showRows({ box, asset, fail }, { look, what, rem, fetchWindow, row, drawn, head, keys }) {
  const view = h(`div.scrolls.${look}`, { tabindex: 0, role: head ? 'table' : 'document', label: `${what} of ${visibleName(asset.filename)}` }, head);
  box.append(view);
  /** @type {import('../lib/window_cache.js').WindowCache<T>} */
  const cache = windowCache(fetchWindow, {
    onArrive() {
      if (scroller.rows !== cache.total) measure();
      scroller.redraw();
    },
    onFail: (error) => fail(error.message, error),
    kept: WINDOWS_KEPT,
  });
  const scroller = makeScroller(view, {
    row(index, recycled) {
      const element = recycled ?? h('div.line', { role: head ? 'row' : null });
      row(element, index, cache.get(index));
      return element;
    },
    want: (first, last) => cache.want(Math.max(0, first - 40), last + 80),
    drawn,
  });
  if (head) set(scroller.spacer, { role: 'rowgroup' });
  const observer = new ResizeObserver(measure);
  observer.observe(view);

  function measure() {
    const viewport = view.clientHeight - (head?.offsetHeight ?? 0);
    if (viewport > 0) scroller.resize({ rows: cache.total, pitch: remPx(rem), viewport });
  }

  /** A third of the way down, so that one sees what stands before it. @param {number} index */
  function goTo(index) {
    scroller.fold();
    scroller.jump(index * scroller.pitch - scroller.viewport / 3);
  }

  cache.want(0, 80);
  takeFocus(view);
  return {
    view,
    cache,
    scroller,
    measure,
    goTo,
    end() {
      scroller.end();
      observer.disconnect();
      cache.reset();
    },
    key: keysOf({ Home: () => goTo(0), End: () => goTo(cache.total - 1), ...keys }),
  };
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
