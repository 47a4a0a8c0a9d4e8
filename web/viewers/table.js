// A CSV or TSV file as a table of any length: the server finds rows and cells, the header stays in view.

import { api } from '../api.js';
import { Rows } from '../components/rows.js';
import { count, plural, visibleName } from '../lib/format.js';
import { h } from '../lib/html.js';
import { COLUMNS_MAX, columnLetters, columnsOf } from '../lib/table.js';

const ROW_REM = 1.75;
const SAMPLE_ROWS = 200;
const DELIMITERS = /** @type {Record<string, string>} */ ({ ',': 'commas', ';': 'semicolons', '\t': 'tabs', '|': 'bars' });

/** @param {import('../components/viewer.js').Stage} stage */
export async function open({ box, tools, asset, signal, note, notice, fail }) {
  const sample = await api.table(asset.id, 0, SAMPLE_ROWS, signal);
  if (signal.aborted) return;
  if (sample.rows.length === 0 && !sample.header) throw new Error('There are no rows in this file.');
  const columns = columnsOf(sample.header, sample.rows, sample.columns);
  const view = h('div.table.scrolls', { tabindex: '0', role: 'table', 'aria-label': `Table of ${visibleName(asset.filename)}`, testid: 'table-content' });
  view.style.setProperty('--cells', columns.map(({ width }) => `calc(${width}ch + 1.5rem)`).join(' '));
  const head = h('div.table-head', { role: 'row' }, h('span.number', { role: 'columnheader' }, h('span.visually-hidden', 'Row')),
    ...columns.map(({ numeric }, i) => h('span', { role: 'columnheader', class: numeric ? 'numeric' : null, title: sample.header?.[i] }, sample.header?.[i] ?? columnLetters(i))));
  box.append(view);

  /** How many rows there are may only be known at the end of a long file: until then there is one more window. @param {import('../api.js').TableWindow} window @param {number} limit */
  const totalOf = ({ total_rows: total, row, rows }, limit) => total ?? row + rows.length + (rows.length === limit ? limit : 0);
  const say = (total, known) => note(`${known ? '' : 'more than '}${plural(total, 'row')} · ${plural(sample.columns, 'column')} · parted by ${DELIMITERS[sample.delimiter] ?? `“${sample.delimiter}”`}`);
  let most = 0;
  const rows = new Rows({
    box: view, rem: ROW_REM, head,
    failed: (error) => fail(error.message, error),
    async fetchWindow(offset, limit, inner) {
      const window = offset === 0 && limit === SAMPLE_ROWS ? sample : await api.table(asset.id, offset, limit, inner);
      // Rows of very many cells come fewer at a time.
      while (window.rows.length > 0 && window.rows.length < limit && offset + window.rows.length < (window.total_rows ?? Infinity)) {
        const more = await api.table(asset.id, offset + window.rows.length, limit - window.rows.length, inner);
        if (more.rows.length === 0) break;
        window.rows.push(...more.rows);
        window.total_rows = more.total_rows;
      }
      most = Math.max(most, totalOf(window, limit));
      say(window.total_rows ?? most, window.total_rows !== null);
      view.setAttribute('aria-rowcount', String(window.total_rows === null ? -1 : window.total_rows + 1));
      return { items: window.rows, total: window.total_rows ?? most };
    },
    row(element, index, cells) {
      element.setAttribute('aria-rowindex', String(index + 2));
      element.classList.toggle('odd', index % 2 === 1);
      element.replaceChildren(h('span.number', { role: 'rowheader' }, count(index + 1)),
        ...columns.map(({ numeric }, i) => h('span', { role: 'cell', class: numeric ? 'numeric' : null, title: (cells?.[i]?.length ?? 0) > 40 ? cells?.[i] : null }, cells?.[i] ?? '')));
    },
  });
  view.setAttribute('aria-colcount', String(columns.length + 1));
  if (sample.columns > COLUMNS_MAX) notice(`The first ${count(COLUMNS_MAX)} of ${count(sample.columns)} columns are shown.`);
  rows.cache.want(0, 80);
  const line = h('input.short', { inputmode: 'numeric', placeholder: 'Row', 'aria-label': 'Go to row', testid: 'table-row' });
  line.addEventListener('change', () => {
    const wanted = Number(line.value.replace(/\D/g, ''));
    if (wanted > 0) rows.goTo(Math.min(wanted, rows.total) - 1);
  });
  tools.append(line);
  if (document.activeElement === view.closest('dialog')) view.focus({ preventScroll: true });
  return {
    end: () => rows.end(),
    /** @param {string} key */
    key(key) {
      if (key !== 'Home' && key !== 'End') return false;
      rows.goTo(key === 'Home' ? 0 : rows.total - 1);
      return true;
    },
  };
}
