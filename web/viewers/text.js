// A text of any size by windows: line numbers, the server's highlighting and search, go to a line, and wrapped lines where
// the file is short enough for each to be measured.

import { api } from '../api.js';
import { keyOf } from '../actions.js';
import { Rows } from '../components/rows.js';
import { count, plural, visibleName } from '../lib/format.js';
import { piecesOf } from '../lib/highlight.js';
import { h, icon } from '../lib/html.js';
import { FoundLines } from '../lib/found_lines.js';
import { habits } from '../state.js';
import { WrappedLines } from './wrapped_lines.js';

const LINE_REM = 1.25;
/** Wrapped lines differ in height, so each block of them has an element of its own: too many would weigh the page down. */
const WRAP_LINES_MAX = 100_000;
const TYPING_REST_MS = 200;

/** @param {import('../components/viewer.js').Stage} stage */
export async function open(stage) {
  const text = new TextView(stage);
  await text.first();
  return {
    end: () => text.end(),
    /** @param {string} key */
    key(key) {
      if (key === 'Home' || key === 'End') text.goTo(key === 'Home' ? 0 : text.rows.total - 1);
      else if (key === '/' || key === 'Ctrl+F') text.field.focus();
      else if (key === 'Ctrl+G') text.line.focus();
      else return false;
      return true;
    },
  };
}

class TextView {
  /** @param {import('../components/viewer.js').Stage} stage */
  constructor(stage) {
    this.stage = stage;
    const { asset, box, tools, signal, fail } = stage;
    this.box = h('div.code.scrolls', { tabindex: '0', role: 'document', 'aria-label': `Text of ${visibleName(asset.filename)}`, testid: 'text-content' });
    box.append(this.box);
    this.widest = 0;
    this.found = new FoundLines((line) => api.textSearch(asset.id, this.query, line, signal), () => this.drawFound());
    this.query = '';
    /** @type {import('../api.js').TextWindow | null} */
    this.window = null;
    this.rows = new Rows({
      box: this.box, rem: LINE_REM, failed: (error) => fail(error.message, error),
      fetchWindow: async (offset, limit, inner) => this.heard(await api.text(asset.id, offset, limit, inner)),
      row: (element, index, line) => drawLine(element, index, line),
      drawn: (first, last) => this.mark(first, last),
    });
    /** @type {WrappedLines | null} */
    this.wrapped = null;
    this.controls(tools);
  }

  /** The first lines, or why there are none. */
  async first() {
    const { asset, signal } = this.stage;
    this.window = await api.text(asset.id, 0, 1, signal);
    this.sayWhat();
    this.rows.cache.want(0, 80);
    if (habits.get('wrap', 'no') === 'yes') this.wrap(true);
    if (document.activeElement === this.box.closest('dialog')) this.box.focus({ preventScroll: true });
  }

  /** @param {import('../api.js').TextWindow} window */
  heard(window) {
    const before = this.window;
    this.window = window;
    if (before && (before.total_lines !== window.total_lines || before.complete !== window.complete)) this.sayWhat();
    for (const { text } of window.lines) this.widest = Math.max(this.widest, text.length);
    this.box.style.setProperty('--digits', `${String(window.total_lines).length}ch`);
    this.rows.scroller.spacer.style.minWidth = `calc(${this.widest + 2}ch + var(--digits) + 4rem)`;
    return { items: window.lines, total: window.total_lines };
  }

  sayWhat() {
    if (!this.window) return;
    const { encoding, language, total_lines: lines, complete } = this.window;
    this.stage.note([`${complete === false ? 'more than ' : ''}${plural(lines, 'line')}`, encoding, language].filter(Boolean).join(' · '));
  }

  /** @param {HTMLElement} tools */
  controls(tools) {
    this.field = /** @type {HTMLInputElement} */ (h('input', { type: 'search', placeholder: 'Find', 'aria-label': 'Find in this text', title: 'Find (/)', spellcheck: 'false', testid: 'text-find' }));
    this.counter = h('output.counter', { 'aria-live': 'polite', testid: 'text-hits' });
    this.line = /** @type {HTMLInputElement} */ (h('input.short', { inputmode: 'numeric', placeholder: 'Line', 'aria-label': 'Go to line', title: 'Go to line (Ctrl+G)', testid: 'text-line' }));
    this.wrapButton = h('button.plain', { 'aria-pressed': 'false', testid: 'text-wrap', onclick: () => this.wrap(!this.wrapped) }, 'Wrap');
    const step = (label, glyph, by) => h('button.plain', { 'aria-label': label, title: label, testid: by > 0 ? 'text-next' : 'text-previous', onclick: () => this.step(by) }, icon(glyph));
    tools.append(this.field, step('Previous hit (Shift+Enter)', 'chevron-up', -1), step('Next hit (Enter)', 'chevron-down', 1), this.counter, this.line, this.wrapButton);
    this.field.addEventListener('input', () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.find(), TYPING_REST_MS);
    });
    this.field.addEventListener('keydown', (event) => {
      const key = keyOf(event);
      if (key !== 'Enter' && key !== 'Shift+Enter') return;
      event.preventDefault();
      clearTimeout(this.timer);
      if (this.field.value !== this.query) this.find();
      else this.step(key === 'Enter' ? 1 : -1);
    });
    this.line.addEventListener('change', () => {
      const wanted = Number(this.line.value.replace(/\D/g, ''));
      if (wanted > 0) this.goTo(Math.min(wanted, this.rows.total) - 1);
    });
  }

  find() {
    this.query = this.field.value;
    this.found.ask(this.query, this.topLine());
  }

  /** @param {number} by */
  step(by) {
    const hit = this.found.step(by);
    if (hit) this.goTo(hit.line, true);
    this.drawFound();
  }

  topLine() {
    return this.wrapped ? this.wrapped.top() : this.rows.scroller.anchor().row;
  }

  /** @param {number} line @param {boolean} [onlyIfHidden] */
  goTo(line, onlyIfHidden = false) {
    if (this.wrapped) this.wrapped.goTo(line);
    else if (!onlyIfHidden || !this.rows.sees(line)) this.rows.goTo(Math.max(0, line));
  }

  /** Hits arrived: the counter, and the first of them in view. */
  drawFound() {
    const { found } = this;
    this.counter.textContent = found.words(count);
    if (found.fresh) {
      found.fresh = false;
      const hit = found.current;
      if (hit) this.goTo(hit.line, true);
    }
    if (this.wrapped) this.wrapped.mark();
    else this.mark(this.rows.scroller.first, this.rows.scroller.last);
  }

  /** Paints the hits in the lines drawn. @param {number} first @param {number} last */
  mark(first, last) {
    paint(this.found, (line) => this.rows.scroller.elements.get(line), first, last);
  }

  /** @param {boolean} on */
  wrap(on) {
    const { total_lines: lines } = this.window ?? { total_lines: 0 };
    if (on && lines > WRAP_LINES_MAX) {
      this.stage.notice(`Lines are wrapped in texts of up to ${count(WRAP_LINES_MAX)} lines; this one has ${count(lines)}.`);
      return;
    }
    habits.set('wrap', on ? 'yes' : 'no');
    this.wrapButton.setAttribute('aria-pressed', String(on));
    const top = this.topLine();
    this.wrapped?.end();
    this.wrapped = null;
    this.rows.scroller.spacer.hidden = on;
    this.box.classList.toggle('wrapped', on);
    if (on) {
      this.wrapped = new WrappedLines({
        box: this.box, lines, draw: drawLine, goTo: top,
        fetchLines: async (line, n) => this.heard(await api.text(this.stage.asset.id, line, n, this.stage.signal)).items,
        mark: (elementOf, from, to) => paint(this.found, elementOf, from, to),
        failed: (error) => this.stage.fail(error.message, error),
      });
    } else {
      this.rows.measure();
      this.rows.goTo(top);
    }
  }

  end() {
    clearTimeout(this.timer);
    this.rows.end();
    this.wrapped?.end();
    this.found.ask('', 0);
    if (globalThis.CSS?.highlights) for (const name of ['text-hit', 'text-current']) CSS.highlights.delete(name);
  }
}

/** @param {HTMLElement} element @param {number} index @param {import('../api.js').Line | undefined} line */
export function drawLine(element, index, line) {
  const content = line?.text ?? '';
  const text = h('span.text', ...piecesOf(content, line?.highlight ?? [], 0, content.length)
    .map((piece) => (piece.kind ? h('span', { class: `t-${piece.kind}` }, piece.text) : piece.text)));
  if (line?.cut) text.append(h('span.cut', { title: 'This line is longer than is shown here; the bytes have all of it' }, '… cut'));
  element.dataset.line = String(index + 1);
  element.replaceChildren(h('span.number', { 'aria-hidden': 'true' }, String(index + 1)), text);
}

/**
 * Hits as highlights over the text nodes: no markup is made of what was searched for.
 * @param {FoundLines} found @param {(line: number) => HTMLElement | undefined} elementOf @param {number} first @param {number} last
 */
function paint(found, elementOf, first, last) {
  const { highlights } = globalThis.CSS ?? {};
  if (!highlights) return;
  const all = new Highlight();
  const current = new Highlight();
  for (const hit of found.between(first, last)) {
    const text = elementOf(hit.line)?.querySelector('.text');
    const range = text && rangeIn(text, hit.start, hit.end);
    if (range) (hit === found.current ? current : all).add(range);
  }
  highlights.set('text-hit', all);
  highlights.set('text-current', current);
}

/** @param {Element} element @param {number} start in UTF-16 units of its text @param {number} end */
function rangeIn(element, start, end) {
  const range = document.createRange();
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  let at = 0;
  let begun = false;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const { length } = node;
    if (!begun && start < at + length) {
      range.setStart(node, start - at);
      begun = true;
    }
    if (begun && end <= at + length) {
      range.setEnd(node, end - at);
      return range;
    }
    at += length;
  }
  return null;
}
