// What several ways of looking share: keys, focus, rows of any number, fields to go somewhere, and what fingers do.

import { Rows } from '../components/rows.js';
import { textField } from '../lib/html.js';

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
  for (const type of [loaded, 'error']) element.addEventListener(type, resolve, { once: true });
  signal.addEventListener('abort', resolve, { once: true });
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
  element.addEventListener('pointerdown', (event) => {
    element.setPointerCapture(event.pointerId);
    down.set(event.pointerId, event);
  }, { signal });
  element.addEventListener('pointermove', (event) => {
    const last = down.get(event.pointerId);
    if (!last) return;
    const before = pair();
    down.set(event.pointerId, event);
    const now = pair();
    const dx = event.clientX - last.clientX;
    const dy = event.clientY - last.clientY;
    if (now) pinch(now.apart / before.apart, now, dx, dy);
    else drag(dx, dy, event);
  }, { signal });
  for (const type of ['pointerup', 'pointercancel']) {
    element.addEventListener(type, (event) => {
      if (down.delete(event.pointerId) && down.size === 0) released(event);
    }, { signal });
  }
  return down;
}
