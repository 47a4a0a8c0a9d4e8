// SHA-256 against the vectors of FIPS 180-4 and against node's own, in one go and in pieces of every awkward size.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { Sha256 } from '../lib/sha256.js';

const text = (/** @type {string} */ string) => new TextEncoder().encode(string);
const native = (/** @type {Uint8Array} */ data) => createHash('sha256').update(data).digest('hex');

describe('SHA-256', () => {
  it('gives the published digests', () => {
    const vectors = [
      ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
      ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
      ['abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq', '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1'],
    ];
    for (const [message, digest] of vectors) assert.equal(new Sha256().update(text(message)).hex(), digest);
    const million = new Sha256();
    for (let i = 0; i < 1000; i += 1) million.update(text('a'.repeat(1000)));
    assert.equal(million.hex(), 'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0');
  });

  it('agrees with another implementation for every length up to 300', () => {
    for (let length = 0; length <= 300; length += 1) {
      const data = Uint8Array.from({ length }, (_, i) => (i * 31 + length) & 255);
      assert.equal(new Sha256().update(data).hex(), native(data), `length ${length}`);
    }
  });

  it('does not care how the message is cut', () => {
    const data = Uint8Array.from({ length: 100_003 }, (_, i) => (i * i) & 255);
    for (const size of [1, 63, 64, 65, 1000, 65536]) {
      const hash = new Sha256();
      for (let at = 0; at < data.length; at += size) hash.update(data.subarray(at, at + size));
      assert.equal(hash.hex(), native(data), `pieces of ${size}`);
    }
  });

  it('counts the length of more than half a gibibyte', () => {
    // 2^29 bytes are 2^32 bits: the length no longer fits one word.
    const hash = new Sha256();
    hash.length = 2 ** 29;
    const padded = hash.update(text('abc')).hex();
    assert.match(padded, /^[0-9a-f]{64}$/);
    const other = new Sha256();
    other.length = 0;
    assert.notEqual(padded, other.update(text('abc')).hex());
  });
});
