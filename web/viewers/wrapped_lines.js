// Lines that wrap: in blocks, of which those near the view hold their lines and the others only their height.

import { h } from '../lib/html.js';

const BLOCK_LINES = 200;
const LINE_REM = 1.25;
const AROUND = '1200px';

export class WrappedLines {
  /**
   * @param {{box: HTMLElement, lines: number, top: number, draw: (element: HTMLElement, index: number, line: any) => void,
   *   fetchLines: (line: number, n: number) => Promise<any[]>, failed: (error: any) => void, drawn: () => void}} parts
   */
  constructor({ box, lines, top, draw, fetchLines, failed, drawn }) {
    Object.assign(this, { box, draw, fetchLines, failed, drawn });
    this.blocks = Array.from({ length: Math.ceil(lines / BLOCK_LINES) }, (_, i) => {
      const block = h('div.block');
      block.first = i * BLOCK_LINES;
      block.style.height = `${Math.min(BLOCK_LINES, lines - block.first) * LINE_REM}rem`;
      return block;
    });
    this.holder = h('div.blocks', this.blocks);
    box.append(this.holder);
    this.observer = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) this.fill(target);
        else this.empty(target);
      }
    }, { root: box, rootMargin: AROUND });
    for (const block of this.blocks) this.observer.observe(block);
    this.goTo(top);
  }

  /** @param {any} block */
  async fill(block) {
    block.wanted = true;
    try {
      const lines = await this.fetchLines(block.first, BLOCK_LINES);
      if (!block.wanted || !block.isConnected || block.firstChild) return;
      block.append(...lines.map((line, i) => {
        const element = h('div.line');
        this.draw(element, block.first + i, line);
        return element;
      }));
      block.style.height = '';
      // What was jumped to stays where it was jumped to while the blocks above it find their height.
      if (this.target >= 0) this.reveal(this.target);
      this.drawn();
    } catch (error) {
      if (block.isConnected) this.failed(error);
    }
  }

  /** @param {any} block */
  empty(block) {
    block.wanted = false;
    if (!block.firstChild) return;
    block.style.height = `${block.offsetHeight}px`;
    block.replaceChildren();
  }

  /** @param {number} line */
  elementOf(line) {
    return this.blocks[Math.floor(line / BLOCK_LINES)]?.children[line % BLOCK_LINES];
  }

  /** @param {number} line */
  goTo(line) {
    this.target = line;
    this.reveal(line);
    clearTimeout(this.letGo);
    this.letGo = setTimeout(() => {
      this.target = -1;
    }, 1000);
  }

  /** @param {number} line */
  reveal(line) {
    const { box } = this;
    const at = this.elementOf(line) ?? this.blocks[Math.floor(line / BLOCK_LINES)];
    if (at) box.scrollTop += at.getBoundingClientRect().top - box.getBoundingClientRect().top - (line === 0 ? 0 : box.clientHeight / 3);
  }

  /** The first line in view. */
  top() {
    const { top } = this.box.getBoundingClientRect();
    const below = (element) => element.getBoundingClientRect().bottom > top;
    const block = this.blocks.find(below);
    return block ? block.first + Math.max(0, [...block.children].findIndex(below)) : 0;
  }

  /** The lines that are there, from the first to the last. */
  get range() {
    const filled = this.blocks.filter((block) => block.firstChild).map(({ first }) => first);
    return [filled[0] ?? 0, (filled.at(-1) ?? 0) + BLOCK_LINES];
  }

  end() {
    clearTimeout(this.letGo);
    this.observer.disconnect();
    this.holder.remove();
  }
}
