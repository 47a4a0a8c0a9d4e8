// How the server read a query, below the field: a chip for each term, which a click takes away, and a word on what it did
// not know.

import { differs, h, icon, show } from '../lib/html.js';

/**
 * @param {HTMLElement} root
 * @param {{q: string, terms: import('../api.js').Term[], change: (q: string) => void}} what
 */
export function drawRead(root, { q, terms, change }) {
  const worth = terms.some(({ kind }) => kind !== 'word') ? terms : [];
  if (!differs(root, worth.length > 0 && q, worth)) return;
  show(root, worth.length > 0);
  root.replaceChildren(...worth.map((term) => chip(q, term, change)));
}

/** @param {string} q @param {import('../api.js').Term} term @param {(q: string) => void} change */
function chip(q, { start, end, text, kind, meaning, suggestion }, change) {
  const put = (/** @type {string} */ by) => change(`${q.slice(0, start)}${by}${q.slice(end)}`.replace(/\s+/g, ' ').trim());
  const unknown = kind === 'unknown';
  const words = unknown ? text : meaning || text;
  const remove = h('button', { testid: 'read-term', 'data-kind': kind, label: `Remove ${words}`, title: `Remove ${text}`, onclick: () => put('') }, h(`span.${kind}`, words), icon('close'));
  if (!unknown) return remove;
  // A key keeps the value it was given; anything else is a whole term.
  const better = suggestion?.endsWith(':') ? q.slice(start, end).replace(/^(-?)[^:]*:/, `$1${suggestion}`) : suggestion;
  return h('span.unknown-term', { testid: 'read-unknown' }, remove, h('span', meaning),
    suggestion && h('button.link', { testid: 'read-suggestion', onclick: () => put(String(better)) }, `Did you mean “${suggestion}”?`));
}
