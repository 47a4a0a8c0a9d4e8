// Lines that wrap: in blocks, of which those near the view hold their lines and the others only their height.

import { h } from '../lib/html.js';

const BLOCK_LINES = 200;
const LINE_REM = 1.25;
const AROUND = '1200px';

export class WrappedLines {
  /**
   * @param {{box: HTMLElement, lines: number, goTo: number, draw: (element: HTMLElement, index: number, line: any) => void,
   *   fetchLines: (line: number, n: number) => Promise<any[]>, failed: (error: any) => void,
   *   mark: (elementOf: (line: number) => HTMLElement | undefined, first: number, last: number) => void}} parts
   */
  constructor({ box, lines, goTo, draw, fetchLines, failed, mark }) {
    Object.assign(this, { box, lines, draw, fetchLines, failed });
    this.markLines = mark;
    this.ended = false;
    this.target = goTo;
    this.blocks = Array.from({ length: Math.ceil(lines / BLOCK_LINES) }, (_, i) => {
      const block = h('div.block', { 'data-block': String(i) });
      block.style.height = `${Math.min(BLOCK_LINES, lines - i * BLOCK_LINES) * LINE_REM}rem`;
      return block;
    });
    this.holder = h('div.blocks', ...this.blocks);
    box.append(this.holder);
    this.observer = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) this.fill(target);
        else this.empty(target);
      }
    }, { root: box, rootMargin: AROUND });
    for (const block of this.blocks) this.observer.observe(block);
    this.goTo(goTo);
  }

  /** @param {HTMLElement} block */
  async fill(block) {
    if (block.dataset.state) return;
    block.dataset.state = 'asked';
    const first = Number(block.dataset.block) * BLOCK_LINES;
    try {
      const lines = await this.fetchLines(first, BLOCK_LINES);
      if (this.ended || block.dataset.state !== 'asked') return;
      block.replaceChildren(...lines.map((line, i) => {
        const element = h('div.line');
        this.draw(element, first + i, line);
        return element;
      }));
      block.style.height = '';
      block.dataset.state = 'filled';
      // What was jumped to stays where it was jumped to while the blocks above it find their height.
      if (this.target >= 0) this.reveal(this.target);
      this.mark();
    } catch (error) {
      if (!this.ended) this.failed(error);
    }
  }

  /** @param {HTMLElement} block */
  empty(block) {
    if (block.dataset.state === 'filled') {
      block.style.height = `${block.offsetHeight}px`;
      block.replaceChildren();
    }
    delete block.dataset.state;
  }

  /** @param {number} line */
  elementOf(line) {
    return /** @type {HTMLElement | undefined} */ (this.blocks[Math.floor(line / BLOCK_LINES)]?.children[line % BLOCK_LINES]);
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
    const at = this.elementOf(line) ?? this.blocks[Math.floor(line / BLOCK_LINES)];
    if (!at) return;
    const { top } = at.getBoundingClientRect();
    const box = this.box.getBoundingClientRect();
    this.box.scrollTop += top - box.top - (line === 0 ? 0 : this.box.clientHeight / 3);
  }

  /** The first line in view. */
  top() {
    const { top } = this.box.getBoundingClientRect();
    for (const block of this.blocks) {
      if (block.getBoundingClientRect().bottom <= top) continue;
      const lines = /** @type {HTMLElement[]} */ ([...block.children]);
      const i = lines.findIndex((line) => line.getBoundingClientRect().bottom > top);
      return Number(block.dataset.block) * BLOCK_LINES + Math.max(0, i);
    }
    return 0;
  }

  mark() {
    const filled = this.blocks.filter((block) => block.dataset.state === 'filled').map((block) => Number(block.dataset.block));
    if (filled.length > 0) this.markLines((line) => this.elementOf(line), filled[0] * BLOCK_LINES, (filled[filled.length - 1] + 1) * BLOCK_LINES);
  }

  end() {
    this.ended = true;
    clearTimeout(this.letGo);
    this.observer.disconnect();
    this.holder.remove();
  }
}
