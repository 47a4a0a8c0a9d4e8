// The bytes themselves, of any file of any size: offset, hex and characters, read by ranges of what is looked at.

import { api } from '../api.js';
import { ROW_BYTES, asciiText, hexText, offsetDigits, offsetText, readOffset } from '../lib/hex.js';
import { h, plural, textField } from '../lib/html.js';
import { showRows } from './shared.js';

/** @param {import('../components/viewer.js').Stage} stage */
export function open(stage) {
  const { tools, asset, note } = stage;
  const size = asset.size_original;
  const digits = offsetDigits(size);
  const said = h('output.counter');
  let current = -1;
  const field = textField({
    class: 'offset', placeholder: 'Offset, 0x10 or 50 %', label: 'Go to offset', title: 'Go to offset (Ctrl+G): 4096, 0x1000 or 50 %', id: 'hex-offset',
    onchange() {
      const offset = readOffset(field.value, size);
      said.textContent = offset === null && field.value ? 'no such offset' : '';
      if (offset === null) return;
      current = Math.floor(offset / ROW_BYTES);
      shown.goTo(current);
      shown.scroller.redraw();
    },
  });
  tools.append(field, said);
  note(plural(size, 'byte'));
  const shown = showRows(stage, {
    look: 'code.hex#hex-content',
    what: 'Bytes',
    rem: 1.25,
    keys: { 'Ctrl+G': () => field.focus() },
    async fetchWindow(offset, limit, inner) {
      const first = offset * ROW_BYTES;
      const bytes = new Uint8Array(await api.range(asset.id, first, Math.min(size, first + limit * ROW_BYTES) - 1, inner));
      return { items: Array.from({ length: Math.ceil(bytes.length / ROW_BYTES) }, (_, i) => bytes.subarray(i * ROW_BYTES, (i + 1) * ROW_BYTES)), total: Math.ceil(size / ROW_BYTES) };
    },
    row(element, index, bytes = new Uint8Array()) {
      element.classList.toggle('current', index === current);
      element.replaceChildren(h('span.number', offsetText(index * ROW_BYTES, digits)), h('span.bytes', hexText(bytes)), h('span.ascii', asciiText(bytes)));
    },
  });
  return shown;
}
