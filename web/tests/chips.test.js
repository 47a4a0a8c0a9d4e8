// Chips and the query say the same of types. Knows nothing of how chips are drawn.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { writtenTypes } from '../components/chips.js';

const term = (/** @type {string} */ q, /** @type {string} */ text, /** @type {string} */ key) => (
  /** @type {import('../api.js').Term} */ ({ start: q.indexOf(text), end: q.indexOf(text) + text.length, text, kind: 'filter', key, meaning: '' }));

describe('types that a query asks for', () => {
  it('are found by their own names, and the query is left without them', () => {
    const q = 'dune type:image,video ext:png Type:Text';
    const terms = [term(q, 'type:image,video', 'type'), term(q, 'ext:png', 'ext'), term(q, 'Type:Text', 'type')];
    assert.deepEqual(writtenTypes(q, terms), { types: ['text', 'image', 'video'], rest: 'dune ext:png' });
  });

  it('stay in the query where a chip cannot say the same', () => {
    for (const q of ['-type:image', 'type:photo', '"type:image"', 'type:']) {
      assert.deepEqual(writtenTypes(q, [term(q, q, 'type')]), { types: [], rest: q });
    }
    assert.deepEqual(writtenTypes('type:image', []), { types: [], rest: 'type:image' }, 'not read by the server yet');
  });
});
