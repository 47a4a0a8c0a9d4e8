// Things that tell others: who listens hears the detail, of every kind named.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { Emitter } from '../lib/emitter.js';

describe('an emitter', () => {
  it('calls with the detail, for each of the types named', () => {
    const emitter = new Emitter();
    /** @type {any[]} */
    const heard = [];
    emitter.on('go made', (detail) => heard.push(detail));
    emitter.emit('go', { id: 1 });
    emitter.emit('made');
    emitter.emit('other', { id: 2 });
    assert.deepEqual(heard, [{ id: 1 }, null]);
  });

  it('is heard by those who listen to events', () => {
    const emitter = new Emitter();
    let detail = null;
    emitter.addEventListener('step', (event) => {
      ({ detail } = /** @type {CustomEvent} */ (event));
    }, { once: true });
    emitter.emit('step', 3);
    emitter.emit('step', 4);
    assert.equal(detail, 3);
  });
});
