// Marks what was searched for in the names on the screen. By CSS Custom Highlight, which leaves the elements alone; where a
// browser has none, text nodes are split and put together again.

import { findHits } from '../lib/hits.js';

const highlights = globalThis.CSS?.highlights;

/** @param {Element} root @param {string[]} words folded; none takes the marks away */
export function markHits(root, words) {
  if (!highlights) unmark(root);
  const ranges = words.length === 0 ? [] : [...root.querySelectorAll('.row:not([hidden]) .name')].flatMap((name) => rangesIn(name, words));
  if (!highlights) for (const range of ranges.reverse()) mark(range);
  else if (ranges.length > 0) highlights.set('search-hit', new Highlight(...ranges));
  else highlights.delete('search-hit');
}

/** @param {Element} name @param {string[]} words */
function rangesIn(name, words) {
  /** @type {{node: Node, start: number}[]} */
  const nodes = [];
  let text = '';
  const walker = document.createTreeWalker(name, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    nodes.push({ node: walker.currentNode, start: text.length });
    text += walker.currentNode.nodeValue;
  }
  return findHits(text, words).map(([first, last]) => {
    const range = document.createRange();
    const from = nodes.findLast(({ start }) => start <= first);
    const to = nodes.findLast(({ start }) => start < last);
    if (from) range.setStart(from.node, first - from.start);
    if (to) range.setEnd(to.node, last - to.start);
    return range;
  });
}

/** @param {Range} range */
function mark(range) {
  if (range.startContainer === range.endContainer) range.surroundContents(document.createElement('mark'));
}

/** @param {Element} root */
function unmark(root) {
  for (const old of root.querySelectorAll('.name mark')) {
    const parent = old.parentNode;
    old.replaceWith(...old.childNodes);
    parent?.normalize();
  }
}
