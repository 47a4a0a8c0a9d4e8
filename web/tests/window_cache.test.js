// Windows of a listing: answers to old questions are never shown, nobody waits for rows that scrolled away.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { WINDOW_SIZE, windowCache } from '../lib/window_cache.js';

/** A server whose answers come when the test says so. @param {number} total */
function slowServer(total) {
  const asked = [];
  /** @param {number} offset @param {number} limit @param {AbortSignal} signal */
  const fetchWindow = (offset, limit, signal) => new Promise((resolve, reject) => {
    const items = Array.from({ length: Math.max(0, Math.min(limit, total - offset)) }, (_, i) => offset + i);
    asked.push({ offset, signal, answer: () => resolve({ items, total }), fail: () => reject(new Error('down')) });
  });
  return { asked, fetchWindow };
}

const rest = () => new Promise((resolve) => setTimeout(resolve, 0));

describe('window cache', () => {
  it('asks for aligned windows once', async () => {
    const { asked, fetchWindow } = slowServer(1000);
    const cache = windowCache(fetchWindow);
    cache.want(150, 250);
    cache.want(160, 260);
    assert.deepEqual(asked.map(({ offset }) => offset), [0, WINDOW_SIZE]);
    asked.forEach(({ answer }) => answer());
    await rest();
    assert.equal(cache.get(199), 199);
    assert.equal(cache.get(200), 200);
    assert.equal(cache.total, 1000);
    assert.equal(cache.get(999), undefined);
  });

  it('calls off what nobody looks at any more', async () => {
    const { asked, fetchWindow } = slowServer(100_000);
    const cache = windowCache(fetchWindow);
    cache.want(0, 100);
    cache.want(50_000, 50_100);
    assert.ok(asked[0].signal.aborted);
    assert.ok(!asked[1].signal.aborted);
    asked[0].answer();
    await rest();
    assert.equal(cache.get(0), undefined);
  });

  it('drops an answer that comes after another question', async () => {
    const first = slowServer(1000);
    const second = slowServer(10);
    const cache = windowCache(first.fetchWindow);
    cache.want(0, 10);
    cache.reset(second.fetchWindow);
    cache.want(0, 10);
    second.asked[0].answer();
    await rest();
    first.asked[0].answer();
    await rest();
    assert.equal(cache.total, 10);
  });

  it('keeps only so many, the least used go first', async () => {
    const cache = windowCache(async (offset) => ({ items: [offset], total: 1_000_000 }), { kept: 3 });
    for (const index of [0, 200, 400]) {
      cache.want(index, index);
      await rest();
    }
    cache.want(0, 0);
    cache.want(600, 600);
    await rest();
    assert.equal(cache.get(200), undefined);
    assert.equal(cache.get(0), 0);
  });

  it('says when it failed and may be asked again', async () => {
    const { asked, fetchWindow } = slowServer(10);
    const failures = [];
    const cache = windowCache(fetchWindow, { onFail: (error) => failures.push(error) });
    cache.want(0, 5);
    asked[0].fail();
    await rest();
    assert.equal(failures.length, 1);
    cache.want(0, 5);
    assert.equal(asked.length, 2);
  });

  it('refreshes without a gap, and gives way to a newer question', async () => {
    let total = 500;
    const cache = windowCache(async (offset, limit) => ({ items: Array.from({ length: limit }, (_, i) => total * 10 + offset + i), total }));
    cache.want(0, 300);
    await rest();
    total = 600;
    const next = await cache.peek(0, 100);
    assert.equal(cache.get(0), 5000, 'what was seen stays until it is asked to go');
    assert.equal(next?.get(3), 6003);
    assert.ok(next?.apply());
    assert.equal(cache.get(0), 6000);
    assert.equal(cache.total, 600);
    assert.equal(cache.get(250), undefined);
    const overtaken = cache.peek(0, 100);
    cache.reset();
    assert.equal(await overtaken, null);
    const late = await cache.peek(0, 100);
    cache.reset();
    assert.equal(late?.apply(), false);
  });
});
