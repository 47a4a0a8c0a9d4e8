// Type filters with their counts for the current search. Several may be on; those with nothing hide unless they are on. What
// the query says of types is pressed too, and leaves the query when a chip is chosen, so that the two never disagree.

import { TYPES, bytes, count, differs, h, icon, plural, redraw, show, typeWord } from '../lib/html.js';

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
  /** @param {number} n */
  const number = (n) => h('span.count', count(n));
  /** @param {string} type @param {string} label @param {number} n @param {boolean} on @param {string[]} next */
  const chip = (type, label, n, on, next) => h(`button#chip-${type}`, { pressed: on, onclick: () => choose(next) }, label, ' ', number(n));
  redraw(root,
    (all > 0 || types.length > 0) && chip('all', 'All', all, types.length === 0, []),
    TYPES.filter((type) => counts[type] > 0 || types.includes(type)).map((type) => {
      const on = types.includes(type);
      return chip(type, typeWord(type, true), counts[type] ?? 0, on, on ? types.filter((other) => other !== type) : [...types, type]);
    }),
    wider && h('a.button#search-vault', { href: wider.href }, 'In the whole vault', ' ', number(wider.total)),
    h('span.grow'),
    total > 0 && h('span.total#listing-total', `${plural(total, 'asset')} · ${bytes(size)}`));
}

/**
 * How the server read a query, below the field: a chip for each term, which a click takes away, and a word on what it did
 * not know.
 * @param {HTMLElement} root
 * @param {{q: string, terms: import('../api.js').Term[], change: (q: string) => void}} what
 */
export function drawRead(root, { q, terms, change }) {
  const worth = terms.some(({ kind }) => kind !== 'word') ? terms : [];
  if (!differs(root, worth.length > 0 && q, worth)) return;
  show(root, worth.length > 0);
  root.replaceChildren(...worth.map((term) => termChip(q, term, change)));
}

/** @param {string} q @param {import('../api.js').Term} term @param {(q: string) => void} change */
function termChip(q, { start, end, text, kind, meaning, suggestion }, change) {
  /** @param {string} by */
  const put = (by) => change(`${q.slice(0, start)}${by}${q.slice(end)}`.replace(/\s+/g, ' ').trim());
  const unknown = kind === 'unknown';
  const words = unknown ? text : meaning || text;
  const remove = h('button', { 'data-kind': kind, label: `Remove ${words}`, title: `Remove ${text}`, onclick: () => put('') }, h(`span.${kind}`, words), icon('close'));
  if (!unknown) return remove;
  // A key keeps the value it was given; anything else is a whole term.
  const better = suggestion?.endsWith(':') ? q.slice(start, end).replace(/^(-?)[^:]*:/, `$1${suggestion}`) : suggestion;
  return h('span.unknown-term', remove, h('span', meaning),
    suggestion && h('button.link', { onclick: () => put(String(better)) }, `Did you mean “${suggestion}”?`));
}
