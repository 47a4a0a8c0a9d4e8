// A CSV or TSV file as a table of any length: the server finds rows and cells, the header stays in view.

import { api } from '../api.js';
import { count, h, plural, set } from '../lib/html.js';
import { COLUMNS_MAX, columnLetters, columnsOf } from '../lib/table.js';
import { WINDOW_SIZE } from '../lib/window_cache.js';
import { numberField, showRows } from './shared.js';

const DELIMITERS = { ',': 'commas', ';': 'semicolons', '\t': 'tabs', '|': 'bars' };

/** @param {import('../components/viewer.js').Stage} stage */
export async function open(stage) {
  const { tools, asset, signal, note, notice } = stage;
  const sample = await api.table(asset.id, signal, { row: 0, rows: WINDOW_SIZE });
  const { header, columns: width, delimiter } = sample;
  if (signal.aborted) return;
  if (sample.rows.length === 0 && !header) throw new Error('There are no rows in this file.');
  const columns = columnsOf(header, sample.rows, width);
  const cells = (role, cell) => columns.map(({ numeric }, i) => {
    const [text, title] = cell(i);
    return h('span', { role, class: numeric ? 'numeric' : null, title }, text);
  });

  let most = 0;
  const rows = showRows(stage, {
    look: 'table#table-content',
    what: 'Table',
    head: h('div.table-head', { role: 'row' }, h('span.number', { role: 'columnheader' }, h('span.visually-hidden', 'Row')),
      cells('columnheader', (i) => [header?.[i] ?? columnLetters(i), header?.[i]])),
    rem: 1.75,
    async fetchWindow(offset, limit, inner) {
      /** @type {string[][]} */
      const items = [];
      let more;
      // Rows of very many cells come fewer at a time.
      do {
        const at = offset + items.length;
        more = await (at === 0 ? sample : api.table(asset.id, inner, { row: at, rows: limit - items.length }));
        items.push(...more.rows);
      } while (more.rows.length > 0 && items.length < limit && offset + items.length < (more.total_rows ?? Infinity));
      const total = more.total_rows;
      // How many rows there are may only be known at the end of a long file: until then there is one more window.
      most = Math.max(most, total ?? offset + items.length + (items.length === limit ? limit : 0));
      note(`${total === null ? 'more than ' : ''}${plural(total ?? most, 'row')} · ${plural(width, 'column')} · parted by ${DELIMITERS[delimiter] ?? `“${delimiter}”`}`);
      set(rows.view, { rowcount: total === null ? -1 : total + 1 });
      return { items, total: total ?? most };
    },
    row(element, index, row) {
      set(element, { rowindex: index + 2 });
      element.classList.toggle('odd', index % 2 === 1);
      element.replaceChildren(h('span.number', { role: 'rowheader' }, count(index + 1)),
        ...cells('cell', (i) => [row?.[i] ?? '', row?.[i]?.length > 40 ? row[i] : undefined]));
    },
  });
  set(rows.view, { colcount: columns.length + 1 }).style.setProperty('--cells', columns.map((column) => `calc(${column.width}ch + 1.5rem)`).join(' '));
  if (width > COLUMNS_MAX) notice(`The first ${count(COLUMNS_MAX)} of ${count(width)} columns are shown.`);
  tools.append(numberField({ placeholder: 'Row', label: 'Go to row', id: 'table-row' }, () => rows.cache.total, rows.goTo));
  return rows;
}
