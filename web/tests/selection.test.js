// The selection as a rule, checked against the plain set it stands for.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Selection } from '../lib/selection.js';

const TOTAL = 100;
/** @param {number} index */
const spot = (index) => ({ index, id: 1000 + index });

/** @param {Selection} selection */
function indexes(selection) {
  return Array.from({ length: TOTAL }, (_, i) => i).filter((i) => selection.has(spot(i)));
}

/** What the server makes of a rule. @param {ReturnType<Selection['rule']>} rule */
function resolved({ all, ranges, with: some, without }) {
  const ids = new Set(some);
  for (const [from, to] of all ? [[1000, 1000 + TOTAL - 1]] : ranges) for (let id = from; id <= to; id += 1) ids.add(id);
  for (const id of without) ids.delete(id);
  return ids;
}

describe('selection', () => {
  it('starts empty, takes one, and another with Ctrl', () => {
    const selection = new Selection();
    assert.ok(selection.empty);
    selection.only(spot(5));
    selection.toggle(spot(7));
    assert.deepEqual(indexes(selection), [5, 7]);
    selection.toggle(spot(5));
    assert.deepEqual(indexes(selection), [7]);
    selection.toggle(spot(7));
    assert.ok(selection.empty);
    assert.equal(selection.count(TOTAL), 0);
  });

  it('takes ranges either way round and adds more with Ctrl', () => {
    const selection = new Selection();
    selection.range(spot(9), spot(4));
    assert.equal(selection.count(TOTAL), 6);
    selection.range(spot(20), spot(22), true);
    assert.deepEqual(indexes(selection), [4, 5, 6, 7, 8, 9, 20, 21, 22]);
    selection.toggle(spot(21));
    selection.range(spot(8), spot(20), true);
    assert.equal(selection.count(TOTAL), indexes(selection).length);
    assert.ok(!selection.has(spot(21)));
    selection.range(spot(21), spot(21), true);
    assert.ok(selection.has(spot(21)));
  });

  it('takes everything at once and leaves out what is clicked away', () => {
    const selection = new Selection();
    selection.selectAll();
    assert.ok(selection.whole);
    assert.equal(selection.count(1_000_000), 1_000_000);
    selection.toggle(spot(3));
    assert.ok(!selection.whole);
    assert.equal(selection.count(1_000_000), 999_999);
    assert.deepEqual(selection.rule(), { all: true, ranges: [], with: [], without: [1003] });
  });

  it('agrees with a plain set over many random steps', () => {
    let seed = 7;
    const random = (/** @type {number} */ n) => {
      seed = (seed * 1103515245 + 12345) & 0x7fffffff;
      return seed % n;
    };
    const selection = new Selection();
    let plain = new Set();
    for (let step = 0; step < 3000; step += 1) {
      const a = random(TOTAL);
      const b = random(TOTAL);
      const add = random(2) === 0;
      const kind = random(12);
      if (kind === 0) {
        selection.selectAll();
        plain = new Set(Array.from({ length: TOTAL }, (_, i) => i));
      } else if (kind < 3) {
        selection.only(spot(a));
        plain = new Set([a]);
      } else if (kind < 8) {
        selection.toggle(spot(a));
        if (!plain.delete(a)) plain.add(a);
      } else {
        selection.range(spot(a), spot(b), add);
        if (!add) plain.clear();
        for (let i = Math.min(a, b); i <= Math.max(a, b); i += 1) plain.add(i);
      }
      assert.deepEqual(indexes(selection), [...plain].sort((x, y) => x - y));
      assert.equal(selection.count(TOTAL), plain.size);
      assert.equal(resolved(selection.rule()).size, plain.size, 'the rule that leaves stands for the same');
    }
  });

  it('follows its ends when the listing grows, and drops an interval that lost one', () => {
    const selection = new Selection();
    selection.range(spot(4), spot(9));
    assert.deepEqual(selection.ends(), [1004, 1009]);
    assert.ok(selection.follow(new Map([[1004, 7], [1009, 14]])));
    assert.deepEqual(selection.intervals.map(({ from, to }) => [from.index, to.index]), [[7, 14]]);
    assert.ok(!selection.follow(new Map([[1004, null], [1009, 14]])));
    assert.equal(selection.count(TOTAL), 0);
  });

  it('comes back as it was after something was tried on it', () => {
    const selection = new Selection();
    selection.range(spot(4), spot(9));
    selection.toggle(spot(5));
    const copy = selection.copy();
    selection.range(spot(0), spot(50));
    selection.restore(copy);
    assert.deepEqual(indexes(selection), [4, 6, 7, 8, 9]);
  });
});
