// What can be done with what is selected; there only while something is.

import { bytes, count } from '../lib/format.js';
import { h, icon, setText, show } from '../lib/html.js';

export class ActionBar {
  /** @param {HTMLElement} root @param {{actions: import('../actions.js').Actions}} parts */
  constructor(root, { actions }) {
    this.root = root;
    this.label = h('span.count', { testid: 'selection-count' });
    this.zip = h('button.plain', { testid: 'download-zip' }, icon('zip'), h('span', 'Download ZIP'));
    const links = h('button.plain', { testid: 'copy-links' }, icon('copy'), h('span', 'Links'));
    this.all = h('button.plain', { testid: 'select-all' }, 'Select all');
    const clear = h('button.plain', { testid: 'clear-selection' }, icon('close'));
    root.append(this.label, this.zip, links, this.all, clear);
    actions.bind(this.zip, 'download-selection');
    actions.bind(links, 'copy-links');
    actions.bind(this.all, 'select-all');
    actions.bind(clear, 'clear-selection');
  }

  /** @param {{n: number, total: number, size: number | null, busy: string}} what size: null where it is not known */
  draw({ n, total, size, busy }) {
    show(this.root, n > 0);
    if (n === 0) return;
    setText(this.label, busy || `${count(n)} selected${size === null ? '' : ` · ${bytes(size)}`}`);
    this.root.dataset.count = String(n);
    show(this.all, n < total);
    this.zip.toggleAttribute('disabled', busy !== '');
  }
}
