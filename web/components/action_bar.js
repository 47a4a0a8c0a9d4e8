// What can be done with what is selected; there only while something is.

import { bytes, count } from '../lib/format.js';
import { h, icon, setText, show } from '../lib/html.js';

/**
 * @param {HTMLElement} root @param {{actions: import('../actions.js').Actions}} parts
 * @returns {(what: {n: number, total: number, size: number | null, busy: string}) => void} draws it; size is null where it is not known
 */
export function actionBar(root, { actions }) {
  const label = h('span.count');
  /** @param {string} action @param {string} id @param {any} glyph @param {any} [words] */
  const button = (action, id, glyph, words) => {
    const made = h('button.plain', { id }, glyph && icon(glyph), words);
    actions.bind(made, action);
    return made;
  };
  const zip = button('download-selection', 'download-zip', 'zip', h('span', 'Download ZIP'));
  const all = button('select-all', 'select-all', null, 'Select all');
  root.append(label, zip, button('copy-links', 'copy-links', 'copy', h('span', 'Links')), all, button('clear-selection', 'clear-selection', 'close'));
  return ({ n, total, size, busy }) => {
    show(root, n > 0);
    if (n === 0) return;
    setText(label, busy || `${count(n)} selected${size === null ? '' : ` · ${bytes(size)}`}`);
    root.dataset.count = String(n);
    show(all, n < total);
    zip.disabled = busy !== '';
  };
}
