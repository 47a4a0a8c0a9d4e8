// A text of any size by windows: line numbers, the server's highlighting and search, go to a line, and wrapped lines where
// the file is short enough for each to be measured.

import { api } from '../api.js';
import { keyOf } from '../actions.js';
import { paint, rangesIn } from '../components/hit_marks.js';
import { piecesOf } from '../lib/highlight.js';
import { count, dotted, h, iconButton, plural, set, textField } from '../lib/html.js';
import { foundLines } from '../lib/found_lines.js';
import { habits } from '../state.js';
import { numberField, showRows } from './shared.js';
import { wrappedLines } from './wrapped_lines.js';

/** Wrapped lines differ in height, so each block of them has an element of its own: too many would weigh the page down. */
const WRAP_LINES_MAX = 100_000;
const TYPING_REST_MS = 200;

/** @param {import('../components/viewer.js').Stage} stage */
export async function open(stage) {
  const { asset, tools, signal, note, notice, fail } = stage;
  let last = await api.text(asset.id, signal, { line: 0, lines: 1 });
  let widest = 0;
  /** @type {import('./wrapped_lines.js').WrappedLines | null} */
  let wrapped = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  /** @param {number} line @param {number} lines @param {AbortSignal} inner */
  async function fetchWindow(line, lines, inner) {
    last = await api.text(asset.id, inner, { line, lines });
    sayWhat();
    widest = Math.max(widest, ...last.lines.map(({ text }) => text.length));
    view.style.setProperty('--digits', `${String(last.total_lines).length}ch`);
    scroller.spacer.style.minWidth = `calc(${widest + 2}ch + var(--digits) + 4rem)`;
    return { items: last.lines, total: last.total_lines };
  }
  function sayWhat() {
    const { encoding, language, total_lines: lines, complete } = last;
    note(dotted(`${complete === false ? 'more than ' : ''}${plural(lines, 'line')}`, encoding, language));
  }
  const topLine = () => (wrapped ? wrapped.top() : scroller.anchor().row);
  /** @param {number} line */
  function goTo(line) {
    if (wrapped) wrapped.goTo(line);
    else rows.goTo(Math.max(0, line));
  }

  // ---- Finding

  const found = foundLines((line) => api.textSearch(asset.id, signal, { query: found.query, line, limit: 1000 }), drawFound);
  const field = textField({
    type: 'search', placeholder: 'Find', label: 'Find in this text', title: 'Find (/)', id: 'text-find',
    oninput() {
      clearTimeout(timer);
      timer = setTimeout(find, TYPING_REST_MS);
    },
    onkeydown(event) {
      const by = { Enter: 1, 'Shift+Enter': -1 }[keyOf(event)];
      if (!by) return;
      event.preventDefault();
      clearTimeout(timer);
      if (field.value === found.query) step(by);
      else find();
    },
  });
  const counter = h('output.counter#text-hits', { 'aria-live': 'polite' });
  function find() {
    found.ask(field.value, topLine());
  }
  /** @param {number} by */
  function step(by) {
    found.step(by);
    drawFound();
  }
  /** The counter, the hits in the lines that are drawn, and the current one in view where it just became that. */
  function drawFound() {
    counter.textContent = found.words(count);
    if (found.fresh) {
      found.fresh = false;
      const { line } = found.current;
      const { virtual, viewport, pitch } = scroller;
      if (wrapped || line * pitch < virtual || (line + 1) * pitch > virtual + viewport) goTo(line);
    }
    mark();
  }
  function mark() {
    if (wrapped) paintHits(found, (line) => wrapped.elementOf(line), wrapped.range());
    else paintHits(found, (line) => scroller.elements.get(line), [scroller.first, scroller.last]);
  }

  // ---- Wrapping

  const wrapButton = h('button.plain#text-wrap', { pressed: false, onclick: () => wrap(!wrapped) }, 'Wrap');
  /** @param {boolean} on */
  function wrap(on) {
    const { total_lines: lines } = last;
    if (on && lines > WRAP_LINES_MAX) {
      notice(`Lines are wrapped in texts of up to ${count(WRAP_LINES_MAX)} lines; this one has ${count(lines)}.`);
      return;
    }
    habits.set('wrap', on ? 'yes' : 'no');
    set(wrapButton, { pressed: on });
    const top = topLine();
    wrapped?.end();
    wrapped = null;
    scroller.spacer.hidden = on;
    view.classList.toggle('wrapped', on);
    if (on) {
      wrapped = wrappedLines({
        box: view, lines, first: top, draw: drawLine, drawn: mark, fetchLines: async (line, n) => (await fetchWindow(line, n, signal)).items,
        failed: (error) => fail(error.message, error),
      });
    } else {
      measure();
      rows.goTo(top);
    }
  }

  const focusField = () => field.focus();
  const lineField = numberField({ placeholder: 'Line', label: 'Go to line', title: 'Go to line (Ctrl+G)', id: 'text-line' }, () => cache.total, goTo);
  tools.append(field, iconButton('chevron-up', 'Previous hit (Shift+Enter)', () => step(-1), { id: 'text-previous' }),
    iconButton('chevron-down', 'Next hit (Enter)', () => step(1)), counter, lineField, wrapButton);
  const { view, scroller, cache, measure, ...rows } = showRows(stage, {
    look: 'code#text-content', what: 'Text', rem: 1.25, fetchWindow, row: drawLine, drawn: mark,
    keys: { Home: () => goTo(0), End: () => goTo(cache.total - 1), '/': focusField, 'Ctrl+F': focusField, 'Ctrl+G': () => lineField.focus() },
  });
  sayWhat();
  if (habits.get('wrap', 'no') === 'yes') wrap(true);
  return {
    key: rows.key,
    end() {
      clearTimeout(timer);
      rows.end();
      found.ask('', 0);
      wrapped?.end();
      for (const name of ['text-hit', 'text-current']) paint(name, []);
    },
  };
}

/** @param {HTMLElement} element @param {number} index @param {import('../api.js').Line} [line] */
function drawLine(element, index, { text = '', highlight = [], cut = false } = {}) {
  element.dataset.line = index + 1;
  element.replaceChildren(h('span.number', { 'aria-hidden': true }, index + 1),
    h('span.text', piecesOf(text, highlight).map((piece) => (piece.kind ? h(`span.t-${piece.kind}`, piece.text) : piece.text)),
      cut && h('span.cut', { title: 'This line is longer than is shown here; the bytes have all of it' }, '… cut')));
}

/**
 * Hits as highlights over the text nodes: no markup is made of what was searched for.
 * @param {import('../lib/found_lines.js').FoundLines} found @param {(line: number) => Element | undefined} elementOf @param {number[]} range first and last line
 */
function paintHits(found, elementOf, [first, last]) {
  const all = [];
  const current = [];
  for (const hit of found.between(first, last)) {
    const text = elementOf(hit.line)?.querySelector('.text');
    if (text) (hit === found.current ? current : all).push(...rangesIn(text, [[hit.start, hit.end]]));
  }
  paint('text-hit', all);
  paint('text-current', current);
}
