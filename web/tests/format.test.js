// Numbers, sizes, times and names as a person reads them.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bytes, clock, count, day, groupedHash, plural, splitName, timeLeft, visibleName, visiblePieces } from '../lib/format.js';

describe('numbers', () => {
  it('are grouped and agree with their noun', () => {
    assert.equal(count(1204418), '1,204,418');
    assert.equal(plural(1, 'file'), '1 file');
    assert.equal(plural(1204, 'file'), '1,204 files');
    assert.equal(plural(2, 'entry', 'entries'), '2 entries');
  });

  it('give sizes at most three digits that matter', () => {
    const sizes = [[0, '0 B'], [999, '999 B'], [1000, '1 kB'], [2100, '2.1 kB'], [999_499, '999 kB'], [999_500, '1 MB'],
      [38_400_000, '38.4 MB'], [99_960_000, '100 MB'], [412e9, '412 GB'], [5e15, '5 PB'], [5e18, '5000 PB']];
    for (const [n, text] of sizes) assert.equal(bytes(Number(n)), text);
  });

  it('round the time left', () => {
    assert.equal(timeLeft(3), 'a few seconds');
    assert.equal(timeLeft(41), 'about 50 s');
    assert.equal(timeLeft(125), 'about 2 min');
    assert.equal(timeLeft(7300), 'about 2 h');
    assert.equal(timeLeft(Infinity), '');
  });

  it('write clocks and days', () => {
    assert.equal(clock(187), '3:07');
    assert.equal(clock(3729.9), '1:02:09');
    assert.match(day(Date.UTC(2024, 2, 12, 12)), /^12 Mar 2024$/);
    assert.equal(day(NaN), 'unknown');
    assert.equal(day(8.7e15), 'unknown');
  });

  it('group a hash in eights', () => {
    assert.equal(groupedHash('0123456789abcdef'), '01234567 89abcdef');
  });
});

describe('names', () => {
  it('keep their extension apart', () => {
    assert.deepEqual(splitName('photo.jpeg'), { stem: 'photo', extension: '.jpeg' });
    assert.deepEqual(splitName('a.tar.gz'), { stem: 'a.tar', extension: '.gz' });
    for (const name of ['.profile', 'README', 'ends.', 'v1. final draft', 'x.averylongextension']) {
      assert.deepEqual(splitName(name), { stem: name, extension: '' });
    }
  });

  it('show what could hide in them', () => {
    assert.deepEqual(visiblePieces('a\u202Eb'), [
      { text: 'a', hidden: false }, { text: 'U+202E', hidden: true }, { text: 'b', hidden: false }]);
    assert.equal(visibleName('line\nbreak\u0000'), 'line[U+000A]break[U+0000]');
    assert.deepEqual(visiblePieces(''), [{ text: '', hidden: false }]);
  });

  it('leave scripts, emoji and markup as they are', () => {
    for (const name of ['تقرير.pdf', '👩‍🚀.png', 'é.txt', '<img src=x onerror=alert(1)>', '\u{1F600}\uFFFD']) {
      assert.equal(visibleName(name), name);
    }
  });
});
