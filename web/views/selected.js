// What a selection amounts to: how many at once, how many bytes as soon as the server has added them up, and the rule for it.

import { api, orderOf } from '../api.js';
import { Emitter } from '../lib/emitter.js';
import { throttled } from '../lib/queue.js';

/** Holding an arrow key with Shift changes the selection many times a second; the server is asked about the last. */
const ASK_MS = 150;
const COPIED_MOST = 1000;

/** @typedef {import('./place_view.js').PlaceView} PlaceView */

/** Fires `change` when the size became known. */
export class Selected extends Emitter {
  key = '';
  /** @type {number | null} null where it is not known yet */
  size = null;
  asking = new AbortController();
  askSoon = throttled(ASK_MS, () => this.ask());

  /** @param {PlaceView} view */
  constructor(view) {
    super();
    const { source, selection } = view;
    Object.assign(this, { view, source, selection });
  }

  get n() {
    return this.selection.count(this.source.assets);
  }

  get total() {
    return this.source.assets;
  }

  /** The selection as the server takes it, with the listing that its intervals run in. @returns {import('../api.js').Rule} */
  rule() {
    const { kind, id, q, types, sort } = this.view.route;
    const place = kind === 'home' ? { all: true } : kind === 'project' ? { project: id, deep: true } : { collection: id };
    return {
      place, ...(q && { q }), ...(types.length > 0 && { types }), deep: kind !== 'collection' || q !== '',
      ...orderOf(sort), ...this.selection.rule(),
    };
  }

  /** The selection or what is listed changed. */
  changed() {
    const { selection, source } = this;
    const key = selection.empty ? '' : JSON.stringify([this.rule(), source.page?.log_size]);
    if (key === this.key) return;
    this.key = key;
    this.asking.abort();
    this.size = selection.whole ? source.page?.bytes ?? null : this.atHand();
    if (key !== '' && this.size === null) this.askSoon();
  }

  /** A few single ones whose rows are there need no question. */
  atHand() {
    const { selection, source } = this;
    if (selection.all || selection.intervals.length > 0 || selection.exceptions.size > COPIED_MOST) return null;
    let size = 0;
    for (const [id, { index }] of selection.exceptions) {
      const asset = source.cache.get(index);
      if (asset?.id !== id) return null;
      size += asset.size_original;
    }
    return size;
  }

  async ask() {
    if (this.key === '' || this.size !== null) return;
    const { key } = this;
    this.asking = new AbortController();
    const answer = await api.selection(this.rule(), this.asking.signal).catch(() => null);
    if (!answer || key !== this.key) return;
    this.size = answer.bytes;
    this.emit('change');
  }

  /** Addresses of the selected assets in this page, at most a thousand; null where there are more. @returns {Promise<string[] | null>} */
  async links() {
    const { selection, source } = this;
    if (this.n > COPIED_MOST) return null;
    const { all, intervals, exceptions } = selection;
    /** @type {Set<number>} */
    const ids = new Set();
    for (const [from, to] of all ? [[0, source.assets - 1]] : intervals.map(({ from, to }) => [from.index, to.index])) {
      for (const { id } of (await source.fetchAssets(from, to - from + 1)).assets) ids.add(id);
    }
    for (const [id, { on }] of exceptions) on ? ids.add(id) : ids.delete(id);
    return [...ids].map((id) => `${location.origin}${location.pathname}?v=${id}`);
  }
}
