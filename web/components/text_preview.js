// A text as the server decoded and highlighted it: text nodes in spans, in blocks the browser may skip while out of sight.

import { blocksOf, piecesOf } from '../lib/highlight.js';
import { h } from '../lib/html.js';

const LINES_PER_BLOCK = 100;
const LINE_REM = 1.25;

/** @param {import('../api.js').AssetDetails} details */
export function textPreview(details) {
  const content = details.content ?? '';
  const spans = details.highlight ?? [];
  const code = h('div', { class: 'code', tabindex: '0', role: 'document', 'data-testid': 'text-content' });
  for (const block of blocksOf(content, LINES_PER_BLOCK)) {
    const lines = Array.from({ length: block.lines }, (_, i) => block.firstLine + i).join('\n');
    const pre = h('pre', {}, ...piecesOf(content, spans, block.start, block.end)
      .map(({ text, kind }) => (kind ? h('span', { class: `t-${kind}` }, text) : text)));
    const element = h('div', { class: 'block' }, h('div', { class: 'lines', 'aria-hidden': 'true' }, lines), pre);
    element.style.containIntrinsicHeight = `auto ${block.lines * LINE_REM}rem`;
    code.append(element);
  }
  if (details.content_truncated) {
    code.append(h('p', { class: 'cut' }, 'This is the beginning of the file. Download it to have all of it.'));
  }
  return code;
}
