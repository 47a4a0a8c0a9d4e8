// Highlighted text: every character exactly once, whatever the spans claim.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { blocksOf, piecesOf } from '../lib/highlight.js';

const CONTENT = 'let a = 1;\n// done\nlet b;\n';
/** @type {[number, number, string][]} */
const SPANS = [[0, 3, 'keyword'], [8, 9, 'number'], [11, 18, 'comment'], [19, 22, 'keyword']];

/** @param {string} content @param {any[]} spans @param {number} lines */
function whole(content, spans, lines) {
  return blocksOf(content, lines).map(({ start, end }) => piecesOf(content, spans, start, end).map(({ text }) => text).join('')).join('');
}

describe('highlighting', () => {
  it('makes pieces with their class', () => {
    assert.deepEqual(piecesOf(CONTENT, SPANS, 0, 11), [
      { text: 'let', kind: 'keyword' }, { text: ' a = ', kind: '' }, { text: '1', kind: 'number' }, { text: ';\n', kind: '' }]);
  });

  it('gives back the text whole, however it is cut', () => {
    for (const lines of [1, 2, 100]) assert.equal(whole(CONTENT, SPANS, lines), CONTENT);
  });

  it('cuts a span at the edge of a block', () => {
    const content = '/* a\nb\nc */';
    const pieces = blocksOf(content, 1).map(({ start, end }) => piecesOf(content, [[0, 11, 'comment']], start, end));
    assert.deepEqual(pieces.map(([piece]) => piece.text), ['/* a\n', 'b\n', 'c */']);
    assert.ok(pieces.every(([piece]) => piece.kind === 'comment'));
  });

  it('survives spans that overlap, run backwards, reach too far or are of no known class', () => {
    const bad = [[0, 3, 'onclick'], [2, 6, 'keyword'], [4, 1, 'string'], [5, 9, 'string'], [20, 999, 'comment']];
    assert.equal(whole(CONTENT, bad, 1), CONTENT);
    assert.ok(piecesOf(CONTENT, /** @type {any} */ (bad), 0, CONTENT.length).every(({ kind }) => kind !== 'onclick'));
  });

  it('numbers lines', () => {
    assert.deepEqual(blocksOf('a\nb\nc', 2).map(({ firstLine, lines }) => [firstLine, lines]), [[1, 2], [3, 1]]);
    assert.deepEqual(blocksOf('', 2), [{ start: 0, end: 0, firstLine: 1, lines: 1 }]);
  });
});
