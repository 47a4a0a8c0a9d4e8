// Marks what was searched for in the names on the screen: by CSS Custom Highlight, which leaves the elements alone.

import { findHits } from '../lib/hits.js';

/** @param {Element} root @param {string[]} words folded; none takes the marks away */
export function markHits(root, words) {
  const ranges = words.length === 0 ? [] : [...root.querySelectorAll('.row:not([hidden]) .name')].flatMap((name) => rangesIn(name, findHits(name.textContent, words)));
  paint('search-hit', ranges);
}

/** Marks these ranges, and no others, by the name that the style sheets have for them. @param {string} name @param {Range[]} ranges */
export function paint(name, ranges) {
  CSS.highlights?.set(name, new Highlight(...ranges));
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
