// Work in turn: never more at once than allowed, nothing lost, nothing stuck behind a failure.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Gate, WorkQueue, backoff, eachLimited, sleep, throttled } from '../lib/queue.js';

/** Until nothing waits or runs. @param {WorkQueue<any>} queue */
async function idle(queue) {
  while (queue.length > 0 || queue.running > 0) await sleep(1);
}

describe('queue', () => {
  it('runs everything, in order, at most so many at once', async () => {
    const done = [];
    let running = 0;
    let most = 0;
    const queue = new WorkQueue(8, async (/** @type {number} */ n) => {
      running += 1;
      most = Math.max(most, running);
      await sleep(n % 3);
      running -= 1;
      done.push(n);
    });
    for (let i = 0; i < 5000; i += 1) queue.add(i);
    await idle(queue);
    assert.equal(done.length, 5000);
    assert.equal(new Set(done).size, 5000);
    assert.equal(most, 8);
    assert.equal(queue.length, 0);
  });

  it('runs less at once of what weighs more, and keeps the order', async () => {
    const begun = [];
    let weight = 0;
    let most = 0;
    const queue = new WorkQueue(8, async (/** @type {number} */ n) => {
      begun.push(n);
      weight += n;
      most = Math.max(most, weight);
      await sleep(n % 3);
      weight -= n;
    }, (n) => n);
    const tasks = [1, 1, 1, 8, 1, 4, 4, 4, 1, 1, 2, 8];
    for (const n of tasks) queue.add(n);
    await idle(queue);
    assert.deepEqual(begun, tasks);
    assert.equal(most, 8);
  });

  it('goes on past work that throws', async (t) => {
    t.mock.method(console, 'error', () => {});
    const seen = [];
    const queue = new WorkQueue(1, async (/** @type {number} */ n) => {
      seen.push(n);
      if (n === 1) throw new Error('no');
    });
    for (const n of [1, 2, 3]) queue.add(n);
    await idle(queue);
    assert.deepEqual(seen, [1, 2, 3]);
  });

  it('pauses, resumes and drops', async () => {
    const seen = [];
    const queue = new WorkQueue(2, async (/** @type {number} */ n) => { seen.push(n); });
    queue.pause();
    for (const n of [1, 2, 3]) queue.add(n);
    await sleep(5);
    assert.deepEqual(seen, []);
    queue.drop();
    queue.add(4);
    queue.resume();
    await idle(queue);
    assert.deepEqual(seen, [4]);
  });

  it('limits a loop and reports the first failure', async () => {
    const seen = [];
    await eachLimited([1, 2, 3, 4], 2, async (n) => { seen.push(n); });
    assert.deepEqual(seen.sort(), [1, 2, 3, 4]);
    await assert.rejects(eachLimited([1, 2, 3], 1, async (n) => {
      seen.push(n * 10);
      if (n === 2) throw new Error('two');
    }), /two/);
    assert.ok(!seen.includes(30));
  });

  it('lets only so many through a gate, and closes up after a failure', async () => {
    const gate = new Gate(2);
    let inside = 0;
    let most = 0;
    const visit = (/** @type {number} */ n) => gate.through(async () => {
      inside += 1;
      most = Math.max(most, inside);
      await sleep(1);
      inside -= 1;
      if (n === 3) throw new Error('three');
      return n;
    });
    const all = await Promise.allSettled([1, 2, 3, 4, 5].map(visit));
    assert.equal(most, 2);
    assert.deepEqual(all.map(({ status }) => status === 'fulfilled'), [true, true, false, true, true]);
    assert.equal(gate.free, 2);
  });

  it('waits longer each time, within bounds', () => {
    assert.equal(backoff(0, 0.5), 500);
    assert.equal(backoff(3, 0.5), 4000);
    for (let attempt = 0; attempt < 60; attempt += 1) assert.ok(backoff(attempt) <= 18_750);
  });

  it('sleeps until told otherwise', async () => {
    const controller = new AbortController();
    const sleeping = sleep(60_000, controller.signal);
    controller.abort(new Error('awake'));
    await assert.rejects(sleeping, /awake/);
  });

  it('throttles, and the last call counts', async () => {
    let calls = 0;
    const call = throttled(20, () => { calls += 1; });
    for (let i = 0; i < 10; i += 1) call();
    await sleep(10);
    call();
    await sleep(60);
    assert.equal(calls, 2);
  });
});
