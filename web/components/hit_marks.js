// Marks what was searched for in the names on the screen. By CSS Custom Highlight, which leaves the elements alone; where a
// browser has none, text nodes are split and put together again.

import { findHits } from '../lib/hits.js';

const highlights = globalThis.CSS?.highlights;

/** @param {Element} root @param {string[]} words folded; none takes the marks away */
export function markHits(root, words) {
  if (!highlights) unmark(root);
  const ranges = words.length === 0 ? [] : [...root.querySelectorAll('.row:not([hidden]) .name')].flatMap((name) => rangesIn(name, findHits(name.textContent, words)));
  if (!highlights) for (const range of ranges.reverse()) mark(range);
  else if (ranges.length > 0) highlights.set('search-hit', new Highlight(...ranges));
  else highlights.delete('search-hit');
}

/** Of spans in the text of an element, as far as they are in it. @param {Element} element @param {[number, number][]} spans in UTF-16 units */
export function rangesIn(element, spans) {
  /** @type {{node: Node, start: number}[]} */
  const nodes = [];
  let length = 0;
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    nodes.push({ node: walker.currentNode, start: length });
    length += walker.currentNode.length;
  }
  return spans.filter(([, last]) => last <= length).map(([first, last]) => {
    const range = new Range();
    const from = nodes.findLast(({ start }) => start <= first);
    const to = nodes.findLast(({ start }) => start < last);
    range.setStart(from.node, first - from.start);
    range.setEnd(to.node, last - to.start);
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
