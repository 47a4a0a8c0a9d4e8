// Type filters with their counts for the current search. Several may be on; those with nothing hide unless they are on. What
// the query says of types is pressed too, and leaves the query when a chip is chosen, so that the two never disagree.

import { TYPES, bytes, count, plural, typeWord } from '../lib/format.js';
import { differs, h, redraw } from '../lib/html.js';

/**
 * The types that a query asks for by their own names, and the query without those terms.
 * @param {string} q @param {import('../api.js').Term[]} terms as the server read it
 */
export function writtenTypes(q, terms) {
  /** @type {string[]} */
  const types = [];
  let rest = q;
  for (const { start, end, key } of terms.toReversed()) {
    const named = /^type:([\w,]+)$/i.exec(q.slice(start, end))?.[1].toLowerCase().split(',');
    if (key !== 'type' || !named?.every((type) => TYPES.includes(type))) continue;
    types.push(...named);
    rest = `${rest.slice(0, start)}${rest.slice(end)}`;
  }
  return { types, rest: rest.replace(/ +/g, ' ').trim() };
}

/**
 * @param {HTMLElement} root
 * @param {{page: import('../api.js').AssetPage | null, types: string[],
 *   wider: {href: string, total: number} | null, choose: (types: string[]) => void}} what
 */
export function drawChips(root, { page, types, wider, choose }) {
  // While the answer to the next question is on its way the old chips stay, so that nothing jumps.
  if (!page) return;
  const { counts = {}, total, bytes: size } = page;
  if (!differs(root, counts, types, wider, total, size) && root.childElementCount > 0) return;
  const all = Object.values(counts).reduce((sum, n) => sum + n, 0);
  const number = (/** @type {number} */ n) => h('span.count', count(n));
  /** @param {string} type @param {string} label @param {number} n @param {boolean} on @param {string[]} next */
  const chip = (type, label, n, on, next) => h('button', { 'aria-pressed': on, testid: `chip-${type}`, onclick: () => choose(next) }, label, ' ', number(n));
  redraw(root,
    (all > 0 || types.length > 0) && chip('all', 'All', all, types.length === 0, []),
    TYPES.filter((type) => counts[type] > 0 || types.includes(type)).map((type) => {
      const on = types.includes(type);
      return chip(type, typeWord(type, true), counts[type] ?? 0, on, on ? types.filter((other) => other !== type) : [...types, type]);
    }),
    wider && h('a.button', { href: wider.href, testid: 'search-vault' }, 'In the whole vault', ' ', number(wider.total)),
    h('span.grow'),
    total > 0 && h('span.total', { testid: 'listing-total' }, `${plural(total, 'asset')} · ${bytes(size)}`));
}
