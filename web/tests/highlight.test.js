// Highlighted text: every character exactly once, whatever the spans claim.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { piecesOf } from '../lib/highlight.js';

/** @param {string} text @param {any[]} spans */
const whole = (text, spans) => piecesOf(text, spans).map((piece) => piece.text).join('');

describe('highlighting', () => {
  it('makes pieces with their class', () => {
    assert.deepEqual(piecesOf('let a = 1;', [[0, 3, 'keyword'], [8, 9, 'number']]), [
      { text: 'let', kind: 'keyword' }, { text: ' a = ', kind: '' }, { text: '1', kind: 'number' }, { text: ';', kind: '' }]);
    assert.deepEqual(piecesOf('// done', [[0, 7, 'comment']]), [{ text: '// done', kind: 'comment' }]);
  });

  it('takes a text without any, and an empty one', () => {
    assert.deepEqual(piecesOf('plain', []), [{ text: 'plain', kind: '' }]);
    assert.deepEqual(piecesOf('', [[0, 5, 'comment']]), []);
  });

  it('cuts a span at the end of the text', () => {
    assert.deepEqual(piecesOf('/* a', [[0, 11, 'comment']]), [{ text: '/* a', kind: 'comment' }]);
  });

  it('survives spans that overlap, run backwards, reach too far or are of no known class', () => {
    const text = 'let a = 1; // done';
    const bad = [[0, 3, 'onclick'], [2, 6, 'keyword'], [4, 1, 'string'], [5, 9, 'string'], [7, 8, ''], [20, 999, 'comment']];
    assert.equal(whole(text, bad), text);
    assert.ok(piecesOf(text, /** @type {any} */ (bad)).every(({ kind }) => kind !== 'onclick'));
  });
});
