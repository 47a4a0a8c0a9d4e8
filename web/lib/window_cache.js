// Windows of a long listing: which are at hand, which are on their way, which may go. Aligned blocks of 200, the least
// recently used leave first. Every window carries the generation it was asked under; an answer from another one is dropped,
// so that a slow answer to an old question can never be shown as the answer to the new one.

import { windowsFor } from './virtual_window.js';

export const WINDOW_SIZE = 200;
const WINDOWS_KEPT = 30;

/**
 * @template T
 * @typedef {(offset: number, limit: number, signal: AbortSignal) => Promise<{items: T[], total: number}>} FetchWindow
 */

/** @template T @typedef {ReturnType<typeof windowCache<T>>} WindowCache */

/**
 * @template T
 * @param {FetchWindow<T>} fetchWindow
 * @param {{onArrive?: (answer: any) => void, onFail?: (error: unknown) => void, kept?: number}} [hooks]
 */
export function windowCache(fetchWindow, { onArrive = () => {}, onFail = () => {}, kept = WINDOWS_KEPT } = {}) {
  let generation = 0;
  /** In order of use, the latest last. @type {Map<number, T[]>} */
  const windows = new Map();
  /** @type {Map<number, AbortController>} */
  const pending = new Map();
  const cache = { total: 0, known: false, windows, reset, get, want, peek };

  /** Everything known is about another question now. @param {FetchWindow<T>} [another] */
  function reset(another = fetchWindow) {
    fetchWindow = another;
    forget();
    cache.total = 0;
    cache.known = false;
  }

  function forget() {
    generation += 1;
    windows.clear();
    for (const controller of pending.values()) controller.abort();
    pending.clear();
  }

  /** @param {number} index @returns {T | undefined} */
  function get(index) {
    return windows.get(Math.floor(index / WINDOW_SIZE))?.[index % WINDOW_SIZE];
  }

  /** Sees to it that first..last arrive; windows on their way that nobody looks at any more are called off. @param {number} first @param {number} last */
  function want(first, last) {
    const end = cache.known ? Math.min(last, cache.total - 1) : last;
    const wanted = windowsFor(first, end, WINDOW_SIZE);
    for (const [w, controller] of pending) {
      if (wanted.includes(w)) continue;
      controller.abort();
      pending.delete(w);
    }
    for (const w of wanted) {
      const have = windows.get(w);
      if (have) touch(w, have);
      else if (!pending.has(w)) load(w);
    }
  }

  /** @param {number} w @param {T[]} items */
  function touch(w, items) {
    windows.delete(w);
    windows.set(w, items);
    for (const oldest of windows.keys()) {
      if (windows.size <= kept) break;
      windows.delete(oldest);
    }
  }

  /** @param {number} w */
  async function load(w) {
    const controller = new AbortController();
    const { signal } = controller;
    pending.set(w, controller);
    const answer = await ask(w, signal).catch((error) => ({ error }));
    // Called off, or about another question: whoever does that aborts.
    if (signal.aborted) return;
    pending.delete(w);
    if (answer.error) {
      onFail(answer.error);
      return;
    }
    cache.total = answer.total;
    cache.known = true;
    touch(w, answer.items);
    onArrive(answer);
  }

  /** @param {number} w @param {AbortSignal} signal */
  async function ask(w, signal) {
    return fetchWindow(w * WINDOW_SIZE, WINDOW_SIZE, signal);
  }

  /**
   * Asks again for windows while the old rows stay. What comes is not shown before `apply`; null if overtaken.
   * @param {number} first @param {number} last
   */
  async function peek(first, last) {
    const asked = generation;
    const wanted = windowsFor(first, Math.max(first, last), WINDOW_SIZE);
    const answers = await Promise.all(wanted.map((w) => ask(w, new AbortController().signal)));
    if (asked !== generation || answers.length === 0) return null;
    return {
      answers,
      /** @param {number} index @returns {T | undefined} */
      get: (index) => answers[Math.floor(index / WINDOW_SIZE) - wanted[0]]?.items[index % WINDOW_SIZE],
      /** Everything else is forgotten, as its offsets are out of date. */
      apply() {
        if (asked !== generation) return false;
        forget();
        wanted.forEach((w, i) => windows.set(w, answers[i].items));
        cache.total = answers[0].total;
        return true;
      },
    };
  }

  return cache;
}
