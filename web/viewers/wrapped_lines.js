// Lines that wrap: in blocks, of which those near the view hold their lines and the others only their height.

import { h } from '../lib/html.js';

const BLOCK_LINES = 200;
const LINE_REM = 1.25;
const AROUND = '1200px';

/** @typedef {ReturnType<typeof wrappedLines>} WrappedLines */

/**
 * @param {{box: HTMLElement, lines: number, first: number, draw: (element: HTMLElement, index: number, line: any) => void,
 *   fetchLines: (line: number, n: number) => Promise<any[]>, failed: (error: any) => void, drawn: () => void}} parts first: the line to begin at
 */
export function wrappedLines({ box, lines, first, draw, fetchLines, failed, drawn }) {
  /** The line jumped to a moment ago, else -1. */
  let target = -1;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let letGo;
  const blocks = Array.from({ length: Math.ceil(lines / BLOCK_LINES) }, (_, i) => {
    const block = h('div.block');
    block.first = i * BLOCK_LINES;
    block.style.height = `${Math.min(BLOCK_LINES, lines - block.first) * LINE_REM}rem`;
    return block;
  });
  const holder = h('div.blocks', blocks);
  box.append(holder);
  const observer = new IntersectionObserver((seen) => {
    for (const { target: block, isIntersecting } of seen) {
      if (isIntersecting) fill(block);
      else empty(block);
    }
  }, { root: box, rootMargin: AROUND });
  for (const block of blocks) observer.observe(block);
  goTo(first);

  /** @param {any} block */
  async function fill(block) {
    block.wanted = true;
    try {
      const inside = await fetchLines(block.first, BLOCK_LINES);
      if (!block.wanted || !block.isConnected || block.firstChild) return;
      block.append(...inside.map((line, i) => {
        const element = h('div.line');
        draw(element, block.first + i, line);
        return element;
      }));
      block.style.height = '';
      // What was jumped to stays where it was jumped to while the blocks above it find their height.
      if (target >= 0) reveal(target);
      drawn();
    } catch (error) {
      if (block.isConnected) failed(error);
    }
  }

  /** @param {any} block */
  function empty(block) {
    block.wanted = false;
    if (!block.firstChild) return;
    block.style.height = `${block.offsetHeight}px`;
    block.replaceChildren();
  }

  /** @param {number} line */
  function elementOf(line) {
    return blocks[Math.floor(line / BLOCK_LINES)]?.children[line % BLOCK_LINES];
  }

  /** @param {number} line */
  function goTo(line) {
    target = line;
    reveal(line);
    clearTimeout(letGo);
    letGo = setTimeout(() => {
      target = -1;
    }, 1000);
  }

  /** @param {number} line */
  function reveal(line) {
    const at = elementOf(line) ?? blocks[Math.floor(line / BLOCK_LINES)];
    if (at) box.scrollTop += at.getBoundingClientRect().top - box.getBoundingClientRect().top - (line === 0 ? 0 : box.clientHeight / 3);
  }

  /** The first line in view. */
  function top() {
    const { top } = box.getBoundingClientRect();
    const below = (element) => element.getBoundingClientRect().bottom > top;
    const block = blocks.find(below);
    return block ? block.first + Math.max(0, [...block.children].findIndex(below)) : 0;
  }

  /** The lines that are there, from the first to the last. */
  function range() {
    const filled = blocks.filter((block) => block.firstChild);
    return [filled[0]?.first ?? 0, (filled.at(-1)?.first ?? 0) + BLOCK_LINES];
  }

  function end() {
    clearTimeout(letGo);
    observer.disconnect();
    holder.remove();
  }

  return { elementOf, goTo, top, range, end };
}
