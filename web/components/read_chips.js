// How the server read a query, below the field: a chip for each term, which a click takes away, and a word on what it did
// not know.

import { h, icon, show } from '../lib/html.js';

/**
 * @param {HTMLElement} root
 * @param {{q: string, terms: import('../api.js').Term[], change: (q: string) => void}} what
 */
export function drawRead(root, { q, terms, change }) {
  const worth = terms.some(({ kind }) => kind !== 'word');
  const look = worth ? JSON.stringify([q, terms]) : '';
  if (root.dataset.look === look) return;
  root.dataset.look = look;
  show(root, worth);
  root.replaceChildren(...(worth ? terms.map((term) => chip(q, term, change)) : []));
}

/** @param {string} q @param {import('../api.js').Term} term @param {(q: string) => void} change */
function chip(q, { start, end, text, kind, key, meaning, suggestion }, change) {
  const put = (/** @type {string} */ by) => change(`${q.slice(0, start)}${by}${q.slice(end)}`.replace(/\s+/g, ' ').trim());
  const label = meaning || text;
  const remove = h('button', { type: 'button', 'data-testid': 'read-term', 'data-kind': kind, 'aria-label': `Remove ${label}`, title: `Remove ${text}`, onclick: () => put('') },
    h('span', { class: kind }, label), icon('close'));
  if (kind !== 'unknown') return remove;
  const wrong = key ? `${key}:` : text;
  return h('span', { class: 'unknown-term', 'data-testid': 'read-unknown' }, remove, h('span', {}, `“${wrong}” is not a filter and was read as a word.`),
    suggestion && h('button', { type: 'button', class: 'link', 'data-testid': 'read-suggestion', onclick: () => put(text.replace(wrong, suggestion)) }, `Did you mean “${suggestion}”?`));
}
