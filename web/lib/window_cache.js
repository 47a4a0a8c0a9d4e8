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

/** @template T */
export class WindowCache {
  generation = 0;
  total = 0;
  known = false;
  /** @type {Map<number, T[]>} in order of use, the latest last */
  windows = new Map();
  /** @type {Map<number, AbortController>} */
  pending = new Map();

  /**
   * @param {FetchWindow<T>} fetchWindow
   * @param {{onArrive?: (answer: any) => void, onFail?: (error: unknown) => void, kept?: number}} [hooks]
   */
  constructor(fetchWindow, { onArrive = () => {}, onFail = () => {}, kept = WINDOWS_KEPT } = {}) {
    Object.assign(this, { fetchWindow, onArrive, onFail, kept });
  }

  /** Everything known is about another question now. @param {FetchWindow<T>} [fetchWindow] */
  reset(fetchWindow = this.fetchWindow) {
    this.fetchWindow = fetchWindow;
    this.forget();
    this.total = 0;
    this.known = false;
  }

  forget() {
    this.generation += 1;
    this.windows.clear();
    for (const controller of this.pending.values()) controller.abort();
    this.pending.clear();
  }

  /** @param {number} index @returns {T | undefined} */
  get(index) {
    return this.windows.get(Math.floor(index / WINDOW_SIZE))?.[index % WINDOW_SIZE];
  }

  /** Sees to it that first..last arrive; windows on their way that nobody looks at any more are called off. @param {number} first @param {number} last */
  want(first, last) {
    const end = this.known ? Math.min(last, this.total - 1) : last;
    const wanted = windowsFor(first, end, WINDOW_SIZE);
    for (const [w, controller] of this.pending) {
      if (wanted.includes(w)) continue;
      controller.abort();
      this.pending.delete(w);
    }
    for (const w of wanted) {
      const have = this.windows.get(w);
      if (have) this.touch(w, have);
      else if (!this.pending.has(w)) this.load(w);
    }
  }

  /** @param {number} w @param {T[]} items */
  touch(w, items) {
    this.windows.delete(w);
    this.windows.set(w, items);
    for (const oldest of this.windows.keys()) {
      if (this.windows.size <= this.kept) break;
      this.windows.delete(oldest);
    }
  }

  /** @param {number} w */
  async load(w) {
    const controller = new AbortController();
    const { signal } = controller;
    this.pending.set(w, controller);
    const answer = await this.ask(w, signal).catch((error) => ({ error }));
    // Called off, or about another question: whoever does that aborts.
    if (signal.aborted) return;
    this.pending.delete(w);
    if (answer.error) {
      this.onFail(answer.error);
      return;
    }
    this.total = answer.total;
    this.known = true;
    this.touch(w, answer.items);
    this.onArrive(answer);
  }

  /** @param {number} w @param {AbortSignal} signal */
  async ask(w, signal) {
    return this.fetchWindow(w * WINDOW_SIZE, WINDOW_SIZE, signal);
  }

  /**
   * Asks again for windows while the old rows stay. What comes is not shown before `apply`; null if overtaken.
   * @param {number} first @param {number} last
   */
  async peek(first, last) {
    const generation = this.generation;
    const wanted = windowsFor(first, Math.max(first, last), WINDOW_SIZE);
    const answers = await Promise.all(wanted.map((w) => this.ask(w, new AbortController().signal)));
    if (generation !== this.generation || answers.length === 0) return null;
    return {
      answers,
      /** @param {number} index @returns {T | undefined} */
      get: (index) => answers[Math.floor(index / WINDOW_SIZE) - wanted[0]]?.items[index % WINDOW_SIZE],
      /** Everything else is forgotten, as its offsets are out of date. */
      apply: () => {
        if (generation !== this.generation) return false;
        this.forget();
        wanted.forEach((w, i) => this.windows.set(w, answers[i].items));
        this.total = answers[0].total;
        return true;
      },
    };
  }
}
