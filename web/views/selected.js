// What a selection amounts to: how many at once, how many bytes as soon as the server has added them up, and the rule for it.

import { api, orderOf } from '../api.js';
import { emitting } from '../lib/emitter.js';
import { throttled } from '../lib/queue.js';

/** Holding an arrow key with Shift changes the selection many times a second; the server is asked about the last. */
const ASK_MS = 150;
const COPIED_MOST = 1000;

/** @typedef {ReturnType<typeof selectedOf>} Selected */

/** Fires `change` when the size became known. @param {import('./place_view.js').PlaceView} view */
export function selectedOf(view) {
  const { source, selection } = view;
  const askSoon = throttled(ASK_MS, ask);
  let key = '';
  let asking = new AbortController();
  const selected = emitting({
    /** @type {number | null} null where it is not known yet */
    size: null,
    rule,
    changed,
    links,
    get n() {
      return selection.count(source.assets);
    },
    get total() {
      return source.assets;
    },
  });

  /** The selection as the server takes it, with the listing that its intervals run in. @returns {import('../api.js').Rule} */
  function rule() {
    const { kind, id, q, types, sort } = view.route;
    const place = kind === 'home' ? { all: true } : kind === 'project' ? { project: id, deep: true } : { collection: id };
    return {
      place, ...(q && { q }), ...(types.length > 0 && { types }), deep: kind !== 'collection' || q !== '',
      ...orderOf(sort), ...selection.rule(),
    };
  }

  /** The selection or what is listed changed. */
  function changed() {
    const now = selection.empty ? '' : JSON.stringify([rule(), source.page?.log_size]);
    if (now === key) return;
    key = now;
    asking.abort();
    selected.size = selection.whole ? source.page?.bytes ?? null : atHand();
    if (key !== '' && selected.size === null) askSoon();
  }

  /** A few single ones whose rows are there need no question. */
  function atHand() {
    if (selection.all || selection.intervals.length > 0 || selection.exceptions.size > COPIED_MOST) return null;
    let size = 0;
    for (const [id, { index }] of selection.exceptions) {
      const asset = source.cache.get(index);
      if (asset?.id !== id) return null;
      size += asset.size_original;
    }
    return size;
  }

  async function ask() {
    if (key === '' || selected.size !== null) return;
    const asked = key;
    asking = new AbortController();
    const answer = await api.selection(rule(), asking.signal).catch(() => null);
    if (!answer || asked !== key) return;
    selected.size = answer.bytes;
    selected.emit('change');
  }

  /** Addresses of the selected assets in this page, at most a thousand; null where there are more. @returns {Promise<string[] | null>} */
  async function links() {
    if (selected.n > COPIED_MOST) return null;
    const { all, intervals, exceptions } = selection;
    /** @type {Set<number>} */
    const ids = new Set();
    for (const [from, to] of all ? [[0, source.assets - 1]] : intervals.map(({ from, to }) => [from.index, to.index])) {
      for (const { id } of (await source.fetchAssets(from, to - from + 1)).assets) ids.add(id);
    }
    for (const [id, { on }] of exceptions) on ? ids.add(id) : ids.delete(id);
    return [...ids].map((id) => `${location.origin}${location.pathname}?v=${id}`);
  }

  return selected;
}
