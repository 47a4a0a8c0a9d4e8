// What is marked in names: without regard to case and accents, at the right characters, and never beyond them.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findHits, fold, wordsOf } from '../lib/hits.js';

describe('hits in a name', () => {
  it('are found whatever the case and the accents', () => {
    assert.deepEqual(findHits('Bärk loud bark.ogg', ['bark']), [[0, 4], [10, 14]]);
    assert.deepEqual(findHits('be\u0301te noire', ['bete']), [[0, 5]], 'an accent of its own is marked with its letter');
    assert.deepEqual(findHits('kein Treffer', ['bark']), []);
  });

  it('that touch become one', () => {
    assert.deepEqual(findHits('barkbark', ['bark', 'kba']), [[0, 8]]);
  });

  it('lie inside the text for every name', () => {
    for (const name of ['ﬁle.txt', '東京 map', 'a\u202ebc', '👩‍👩‍👧 one.png', 'İstanbul', '']) {
      for (const [start, end] of findHits(name, [...fold(name)])) assert.ok(start >= 0 && end <= name.length && start < end, name);
    }
  });
});

describe('the words of a query', () => {
  it('are those that are looked for in names', () => {
    assert.deepEqual(wordsOf('Glacier type:image "Two  Words" -no ext:png'), { words: ['glacier', 'two  words'], filters: true });
    assert.deepEqual(wordsOf('bark 2'), { words: ['bark', '2'], filters: false });
    assert.deepEqual(wordsOf(''), { words: [], filters: false });
  });
});
