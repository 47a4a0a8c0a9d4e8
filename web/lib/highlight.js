// Turns the server's highlight spans over a line into pieces. Pure; the pieces become text nodes.

/**
 * @typedef {[number, number, string]} Span start and end in UTF-16 code units, and a class
 * @typedef {{text: string, kind: string}} Piece kind is '' for plain text
 */

const CLASSES = new Set([
  'comment', 'string', 'number', 'keyword', 'type', 'function', 'constant', 'tag', 'attribute', 'punctuation', 'heading',
  'emphasis', 'link', 'inserted', 'deleted',
]);

/**
 * Spans that overlap, run backwards or have an unknown class count as plain text: a line must show every character once,
 * whatever it was told about them.
 * @param {string} text @param {Span[]} spans ascending
 * @returns {Piece[]}
 */
export function piecesOf(text, spans) {
  /** @type {Piece[]} */
  const pieces = [];
  let at = 0;
  for (const [from, to, kind] of spans) {
    const start = Math.max(from, at);
    const end = Math.min(to, text.length);
    if (end <= start || !CLASSES.has(kind)) continue;
    pieces.push({ text: text.slice(at, start), kind: '' }, { text: text.slice(start, end), kind });
    at = end;
  }
  pieces.push({ text: text.slice(at), kind: '' });
  return pieces.filter((piece) => piece.text);
}
