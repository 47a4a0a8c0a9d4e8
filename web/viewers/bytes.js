// The bytes themselves, of any file of any size: offset, hex and characters, read by ranges of what is looked at.

import { api } from '../api.js';
import { Rows } from '../components/rows.js';
import { plural, visibleName } from '../lib/format.js';
import { ROW_BYTES, asciiText, hexText, offsetDigits, offsetText, readOffset } from '../lib/hex.js';
import { h } from '../lib/html.js';

const ROW_REM = 1.25;
/** What is asked for at once: some 200 screens' worth would be slow to come, one row a waste of a request. */
const BLOCK_BYTES = 65_536;
const BLOCKS_KEPT = 16;

/** @param {import('../components/viewer.js').Stage} stage */
export function open({ box, tools, asset, signal, note, fail }) {
  const size = asset.size_original;
  const digits = offsetDigits(size);
  const view = h('div.code.hex.scrolls', { tabindex: '0', role: 'document', 'aria-label': `Bytes of ${visibleName(asset.filename)}`, testid: 'hex-content' });
  const field = /** @type {HTMLInputElement} */ (h('input.offset', { placeholder: 'Offset, 0x10 or 50 %', 'aria-label': 'Go to offset', title: 'Go to offset (Ctrl+G): 4096, 0x1000 or 50 %', spellcheck: 'false', testid: 'hex-offset' }));
  const said = h('output.counter');
  box.append(view);
  tools.append(field, said);
  note(plural(size, 'byte'));

  /** @type {Map<number, Promise<Uint8Array>>} */
  const blocks = new Map();
  /** @param {number} n */
  function block(n) {
    const known = blocks.get(n);
    if (known) return known;
    const first = n * BLOCK_BYTES;
    const promise = api.range(asset.id, first, Math.min(size, first + BLOCK_BYTES) - 1, signal).then((bytes) => new Uint8Array(bytes));
    promise.catch(() => blocks.delete(n));
    blocks.set(n, promise);
    const [oldest] = blocks.keys();
    if (blocks.size > BLOCKS_KEPT) blocks.delete(oldest);
    return promise;
  }

  const rows = new Rows({
    box: view, rem: ROW_REM,
    failed: (error) => fail(error.message, error),
    async fetchWindow(offset, limit) {
      const total = Math.ceil(size / ROW_BYTES);
      const items = [];
      for (let row = offset; row < Math.min(offset + limit, total); row += 1) {
        const at = row * ROW_BYTES;
        const bytes = await block(Math.floor(at / BLOCK_BYTES));
        items.push(bytes.subarray(at % BLOCK_BYTES, (at % BLOCK_BYTES) + ROW_BYTES));
      }
      return { items, total };
    },
    row(element, index, bytes) {
      element.classList.toggle('current', index === current);
      element.replaceChildren(h('span.number', offsetText(index * ROW_BYTES, digits)), h('span.bytes', bytes ? hexText(bytes) : ''), h('span.ascii', bytes ? asciiText(bytes) : ''));
    },
  });
  let current = -1;
  rows.cache.want(0, 80);
  if (document.activeElement === view.closest('dialog')) view.focus({ preventScroll: true });

  field.addEventListener('change', () => {
    const offset = readOffset(field.value, size);
    said.textContent = offset === null && field.value ? 'no such offset' : '';
    if (offset === null) return;
    current = Math.floor(offset / ROW_BYTES);
    rows.goTo(current);
    rows.scroller.redraw();
  });
  return {
    end: () => rows.end(),
    /** @param {string} key */
    key(key) {
      if (key === 'Home') rows.goTo(0);
      else if (key === 'End') rows.goTo(rows.total - 1);
      else if (key === 'Ctrl+G') field.focus();
      else return false;
      return true;
    },
  };
}
