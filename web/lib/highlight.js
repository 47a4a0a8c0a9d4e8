// Turns the server's highlight spans over a text into pieces per block of lines. Pure; the pieces become text nodes.

/**
 * @typedef {[number, number, string]} Span start and end in UTF-16 code units, and a class
 * @typedef {{text: string, kind: string}} Piece kind is '' for plain text
 */

export const HIGHLIGHT_CLASSES = new Set([
  'comment', 'string', 'number', 'keyword', 'type', 'function', 'constant', 'tag', 'attribute', 'punctuation', 'heading',
  'emphasis', 'link', 'inserted', 'deleted',
]);

/**
 * Cuts the text into blocks of `lines` lines, so that a browser can skip those out of sight.
 * @param {string} content @param {number} lines
 * @returns {{start: number, end: number, firstLine: number, lines: number}[]}
 */
export function blocksOf(content, lines) {
  const blocks = [];
  let start = 0;
  let line = 0;
  while (start < content.length || blocks.length === 0) {
    let end = start;
    let n = 0;
    while (n < lines && end < content.length) {
      const newline = content.indexOf('\n', end);
      end = newline < 0 ? content.length : newline + 1;
      n += 1;
    }
    blocks.push({ start, end, firstLine: line + 1, lines: Math.max(1, n) });
    line += n;
    start = end;
    if (content.length === 0) break;
  }
  return blocks;
}

/**
 * The pieces of content[start, end). Spans that overlap, run backwards or have an unknown class count as plain text:
 * a preview must show every character once, whatever it was told about them.
 * @param {string} content @param {Span[]} spans ascending @param {number} start @param {number} end
 * @returns {Piece[]}
 */
export function piecesOf(content, spans, start, end) {
  /** @type {Piece[]} */
  const pieces = [];
  let at = start;
  for (let i = firstEndingAfter(spans, start); i < spans.length; i += 1) {
    const [from, to, kind] = spans[i];
    if (from >= end) break;
    const lo = Math.max(from, at);
    const hi = Math.min(to, end);
    if (hi <= lo || !HIGHLIGHT_CLASSES.has(kind)) continue;
    if (lo > at) pieces.push({ text: content.slice(at, lo), kind: '' });
    pieces.push({ text: content.slice(lo, hi), kind });
    at = hi;
  }
  if (at < end) pieces.push({ text: content.slice(at, end), kind: '' });
  return pieces;
}

/** @param {Span[]} spans @param {number} position */
function firstEndingAfter(spans, position) {
  let lo = 0;
  let hi = spans.length;
  while (lo < hi) {
    const mid = (lo + hi) >> 1;
    if (spans[mid][1] <= position) lo = mid + 1;
    else hi = mid;
  }
  return lo;
}
